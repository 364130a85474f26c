//! Stages: what they run on, what is reached, which images are needed.

use mlint_model::{ImageUser, Options, RunsOn, image_queries};
use mlint_oci::Platform;

use crate::{evaluate, evaluate_with, has};

#[test]
fn what_stages_run_on() {
    for (from, platform, role) in [
        ("FROM a", "linux/arm64", RunsOn::Target),
        ("FROM --platform=$TARGETPLATFORM a", "linux/arm64", RunsOn::Target),
        ("FROM --platform=$BUILDPLATFORM a", "linux/amd64", RunsOn::Build),
        ("FROM --platform=${BUILDPLATFORM:-linux/amd64} a", "linux/amd64", RunsOn::Build),
        ("FROM --platform=linux/$TARGETARCH a", "linux/arm64", RunsOn::Target),
        ("FROM --platform=linux/amd64 a", "linux/amd64", RunsOn::Constant),
        ("ARG P=linux/s390x\nFROM --platform=$P a", "linux/s390x", RunsOn::Constant),
        (
            "ARG BUILDPLATFORM=linux/386\nFROM --platform=$BUILDPLATFORM a",
            "linux/386",
            RunsOn::Constant,
        ),
    ] {
        let evaluation = evaluate(&format!("{from}\n"), "linux/arm64");
        let stage = &evaluation.stages[0].platform;
        assert_eq!(
            stage.platform.as_ref().map(ToString::to_string).as_deref(),
            Some(platform),
            "{from}"
        );
        assert_eq!(stage.role, role, "{from}");
        assert!(!stage.ignored);
    }
    let evaluation = evaluate("ARG P\nFROM --platform=$P a\n", "linux/arm64");
    assert_eq!(evaluation.stages[0].platform.role, RunsOn::Unknown);
    assert_eq!(evaluation.stages[0].platform.platform, None);
}

#[test]
fn a_platform_on_a_stage_or_scratch_is_ignored() {
    let text = "FROM --platform=$BUILDPLATFORM a AS b\nFROM --platform=linux/s390x b AS c\nFROM --platform=linux/386 scratch\nCOPY --from=c /x /\n";
    let evaluation = evaluate(text, "linux/arm64");
    let child = &evaluation.stages[1].platform;
    assert!(child.ignored && child.role == RunsOn::Build);
    assert_eq!(child.platform, Some(Platform::linux("amd64")));
    let scratch = &evaluation.stages[2].platform;
    assert!(scratch.ignored && scratch.role == RunsOn::Target);
    assert_eq!(&text[scratch.flag_span.unwrap().range()], "--platform=linux/386");
}

#[test]
fn only_what_the_target_needs_is_reached() {
    let text = "FROM a AS one\nFROM b AS two\nFROM c AS three\nRUN --mount=from=two,target=/m true\nFROM d AS four\nCOPY --from=ONE /x /\nCOPY --from=2 /x /\nFROM e AS five\n";
    let reached = |target: Option<&str>| {
        let options = Options { target: target.map(str::to_owned), ..Options::default() };
        let evaluation = evaluate_with(text, "linux/arm64", &options);
        (evaluation.reachable().map(|s| s.index).collect::<Vec<_>>(), evaluation.failures.len())
    };
    assert_eq!(reached(None), (vec![4], 0));
    assert_eq!(reached(Some("FOUR")), (vec![0, 1, 2, 3], 0));
    assert_eq!(reached(Some("nothing")), (vec![], 1));
}

#[test]
fn names_are_resolved_as_by_buildkit() {
    // Of equal names the last before the use counts; capitals in FROM are an image.
    let text = "FROM a AS x\nFROM b AS x\nFROM x\nFROM X\n";
    let evaluation = evaluate(text, "linux/arm64");
    let base = |i: usize| format!("{:?}", evaluation.stages[i].base);
    assert_eq!(base(2), "Stage(1)");
    assert!(base(3).starts_with("Image"));
    // An image with the stage's own name.
    assert!(
        format!("{:?}", evaluate("FROM golang AS golang\n", "linux/arm64").stages[0].base)
            .starts_with("Image")
    );
}

#[test]
fn images_that_are_needed() {
    let text = "ARG V=12\nFROM debian:$V AS a\nFROM --platform=$BUILDPLATFORM golang:1 AS b\nRUN --mount=type=bind,from=tool/x:1,target=/t true\nFROM base-$TARGETARCH\nCOPY --from=busybox:1 /bin/x /\nCOPY --from=b /x /\nCOPY --from=a /x /\nFROM unused\nFROM base-$TARGETARCH\n";
    let file = mlint_syntax::parse(text.replace("FROM unused\nFROM base-$TARGETARCH\n", ""));
    let platforms = [Platform::linux("amd64"), Platform::linux("arm64")];
    let queries: Vec<String> = image_queries(&file, &platforms, &Options::default())
        .into_iter()
        .map(|q| q.reference)
        .collect();
    assert_eq!(
        queries,
        ["debian:12", "golang:1", "tool/x:1", "base-amd64", "busybox:1", "base-arm64"]
    );
    let text = file.text.to_string();
    let evaluation = evaluate(&text, "linux/arm64");
    let uses: Vec<_> = evaluation
        .images
        .iter()
        .map(|u| {
            let platform = u.platform.as_ref().unwrap().arch().to_owned();
            (u.user, text[u.span.range()].to_owned(), platform)
        })
        .collect();
    let want = |user, text: &str, arch: &str| (user, text.to_owned(), arch.to_owned());
    assert_eq!(
        uses,
        [
            want(ImageUser::From, "debian:$V", "arm64"),
            want(ImageUser::From, "golang:1", "amd64"),
            want(ImageUser::Mount, "tool/x:1", "arm64"),
            want(ImageUser::From, "base-$TARGETARCH", "arm64"),
            want(ImageUser::Copy, "busybox:1", "arm64"),
        ]
    );
}

#[test]
fn triggers_fire_in_the_child_once() {
    has(
        "FROM debian:12 AS a\nARG TARGETARCH\nONBUILD RUN curl -O https://h/$TARGETARCH\nFROM a AS b\nFROM b\n",
        "linux/arm64",
        &[
            "stage 1 b from stage 0 on linux/arm64 (target), libc glibc",
            "3: download https://h/arm64 <TARGETARCH> -> /arm64",
        ],
    );
    let evaluation = evaluate("FROM a AS a\nONBUILD RUN x\nFROM a AS b\nFROM b\n", "linux/arm64");
    let commands: Vec<usize> = evaluation.commands().map(|(s, ..)| s.index).collect();
    assert_eq!(commands, [1]);
}

#[test]
fn emulated_steps() {
    let text = "FROM --platform=$BUILDPLATFORM a AS b\nRUN one\nFROM c\nRUN two\nCOPY --from=b /x /\nRUN three\n";
    let count = |platform: &str| evaluate(text, platform).emulated_steps().count();
    assert_eq!((count("linux/amd64"), count("linux/arm64"), count("linux/386")), (0, 2, 0));
}

#[test]
fn odd_files_are_no_trouble() {
    for text in [
        "",
        "FROM",
        "RUN x",
        "COPY a b",
        "ARG X",
        "FROM a\nFROM",
        "FROM a AS",
        "FROM scratch\nCOPY --from=0 /a /b",
        "FROM a AS a\nFROM a AS a\nCOPY --from=a /x /",
        "FROM $X",
        "FROM a\nCOPY --from=$X /a /b",
        "FROM a\nRUN --mount=type=bind,from=\"x y",
        "FROM a\nSHELL []\nRUN x",
        "FROM a\nUSER\nRUN cd; pwd",
        "FROM a\nRUN [\"\"]",
        "FROM a\nRUN []",
        "FROM a\nWORKDIR ../../..\nRUN tar xf a -C ..",
        "FROM a\nRUN cut -é; cut -d; cut -f9-1; awk; awk -F; tr; sed; head -n; tail -c999 < /dev/null",
        "FROM a\nRUN echo éé | cut -c1; echo é | head -c1; echo ${é} ${x:1:2} ${00} $00; x=é; echo ${x:0:1} ${x#?} ${x%?}",
        "FROM a\nRUN x=abc; echo ${x: -2} ${x:5} ${x:1:-9} ${x:9:9}; shift 9; set --; printf; printf %; printf '%s%'",
        "FROM a\nRUN basename; basename /; dirname ''; dirname /; cp; cp a; mv a; tar; unzip; gunzip; xz -d",
    ] {
        for platform in ["linux/amd64", "windows/amd64", "linux/whatever"] {
            let evaluation = evaluate(text, platform);
            let _ = mlint_model::dump::dump(&evaluation, text);
        }
    }
}
