//! Text in, text out.

use mlint_model::{ImageFacts, Options, Prepared};

use super::{Selection, Traced, json, text};
use crate::report::Layout;

fn with<R>(dockerfile: &str, platforms: &[&str], look: impl FnOnce(&Traced<'_>) -> R) -> R {
    let file = mlint_syntax::parse(dockerfile);
    let prepared = Prepared::new(&file);
    let evaluations: Vec<_> = platforms
        .iter()
        .map(|p| {
            let platform = p.parse().expect("a platform");
            prepared.evaluate(&platform, &Options::default(), &ImageFacts::default())
        })
        .collect();
    look(&Traced { name: "D", text: dockerfile, file: &file, evaluations: &evaluations })
}

const BOTH: &[&str] = &["linux/amd64", "linux/arm64"];

fn traced(dockerfile: &str, selection: &Selection) -> String {
    let layout = Layout { width: 80, color: false };
    with(dockerfile, BOTH, |traced| text::render(traced, selection, layout))
}

fn all(dockerfile: &str) -> String {
    traced(dockerfile, &Selection::default())
}

#[test]
fn what_is_the_same_stands_once_and_what_differs_per_platform() {
    let out = all("ARG GO=1.22\n\
        FROM --platform=$BUILDPLATFORM golang:${GO} AS build\n\
        ARG TARGETARCH\n\
        COPY . /src\n\
        RUN GOARCH=$TARGETARCH CGO_ENABLED=0 go build -o /out/app .\n\
        FROM alpine:3.20\n\
        COPY --from=build /out/app /usr/bin/app\n");
    assert_eq!(
        out,
        "\
D for linux/amd64 and linux/arm64, built on linux/amd64

Before the first stage
   1  ARG GO = 1.22

Stage build, lines 2–5
   2  FROM golang:1.22 (glibc; has Go, C)
   2  runs on the build platform, linux/amd64, native
   3  ARG TARGETARCH
        linux/amd64  = amd64
        linux/arm64  = arm64
        ← automatic
   4  copy from the context: . → /src
   5  compile Go
        linux/amd64  for the target platform, static, without cgo → /out/app
        linux/arm64  for the target platform, static, cross, without cgo →
                       /out/app
        GOARCH=amd64 / GOARCH=arm64 (line 5) ← ARG TARGETARCH (line 3) ←
          automatic
        CGO_ENABLED=0 (line 5)
      leaves /out/app: for the target platform, static · compiled by Go

Stage 1, lines 6–7, which becomes the image
   6  FROM alpine:3.20 (musl)
   6  runs on the target platform
   7  copy from build: /out/app → /usr/bin/app

Files that this brings into the image
      /usr/bin/app: for the target platform, static
        line 5 compiled by Go /out/app in build → line 7 copied

linux/amd64  nothing wrong seen
linux/arm64  nothing wrong seen
"
    );
}

const WRONG: &str = "FROM debian:12\n\
    ARG ARCH=amd64\n\
    RUN curl -fsSL -o /usr/bin/tool https://example.com/tool-linux-$ARCH\n";

#[test]
fn a_wrong_file_is_marked_and_its_word_traced_to_where_it_was_written() {
    let out = all(WRONG);
    assert!(
        out.contains(
            "   3  download https://example.com/tool-linux-amd64 → /usr/bin/tool
        amd64 ← ARG ARCH (line 2) ← its default
"
        ),
        "{out}"
    );
    assert!(
        out.ends_with(
            "\
Files that this brings into the image
      /usr/bin/tool:
        linux/amd64  for the target platform
        linux/arm64  ✗ for linux/amd64, not the image's machine
        line 3 downloaded

linux/amd64  nothing wrong seen
linux/arm64  ✗ 1 file for another machine; 1 step emulated
"
        ),
        "{out}"
    );
}

#[test]
fn a_branch_says_what_it_asked_and_what_never_runs() {
    let out = all("FROM debian:12\n\
        RUN case $(uname -m) in \\\n\
        x86_64) A=x64 ;; \\\n\
        aarch64) A=arm64 ;; \\\n\
        esac; curl -o /t https://example.com/t-$A\n");
    for part in [
        "   2  ask uname -m:
        linux/amd64  x86_64
        linux/arm64  aarch64
",
        "   3  A=
        linux/amd64  x64
        linux/arm64  arm64 (line 4)
        ← branch on $(uname -m) (line 2)
",
        "   5  download
        linux/amd64  https://example.com/t-x64 → /t
          x64 ← A= (line 3) ← branch on $(uname -m) (line 2)
        linux/arm64  https://example.com/t-arm64 → /t
          arm64 ← A= (line 4) ← branch on $(uname -m) (line 2)
",
        "      never runs:
        linux/amd64  `A=arm64` (line 4)
        linux/arm64  `A=x64` (line 3)
",
    ] {
        assert!(out.contains(part), "{part}\nin\n{out}");
    }
}

#[test]
fn what_is_not_known_is_a_question_mark_with_the_reason() {
    let out = all("ARG BASE\n\
        FROM $BASE\n\
        RUN V=$(latest) && curl -o /x https://example.com/$V/x\n\
        RUN if [ -n \"$EXTRA\" ]; then apt-get install -y extra; fi\n");
    for part in [
        "   1  ARG BASE has no value unless --build-arg gives one\n",
        "   2  FROM ? (C library not known)\n",
        "   3  download https://example.com/?/x → /x\n        ? ← V= (line 3) ← output of a program (line 3)\n",
        "   4  install with apt: extra (perhaps)\n        only if `[ -n \"$EXTRA\" ]` holds (line 4), which is not known\n",
    ] {
        assert!(out.contains(part), "{part}\nin\n{out}");
    }
    assert!(out.contains("the build fails at line 2; not all is known at line"), "{out}");
}

#[test]
fn filters_narrow_it_to_a_line_a_variable_or_a_stage() {
    let line = traced(WRONG, &Selection { line: Some(3), ..Selection::default() });
    assert!(line.contains("download") && line.contains("/usr/bin/tool:"), "{line}");
    assert!(!line.contains("FROM"), "{line}");
    let variable =
        traced(WRONG, &Selection { variable: Some("ARCH".into()), ..Selection::default() });
    assert!(variable.contains("ARG ARCH = amd64") && variable.contains("download"), "{variable}");
    assert!(!variable.contains("FROM"), "{variable}");
    let text = "FROM a AS one\nRUN x\nFROM b AS two\nCOPY --from=one /x /y\n";
    let stage = Selection { stage: Some("ONE".into()), ..Selection::default() };
    let one = traced(text, &stage);
    assert!(one.contains("Stage one") && !one.contains("Stage two"), "{one}");
    with(text, BOTH, |traced| {
        stage.fits(traced).expect("there is one");
        let none = Selection { stage: Some("three".into()), ..Selection::default() };
        assert_eq!(
            none.fits(traced).expect_err("none"),
            "D has no stage 'three': it has one and two"
        );
    });
}

#[test]
fn a_stage_that_is_not_needed_and_a_build_that_fails_are_said() {
    let out = all("FROM a AS spare\nRUN x\nFROM --platform=nonsense b\n");
    assert!(out.contains("   1  not needed for this target: nothing of it runs\n"), "{out}");
    assert!(out.contains("✗ the build fails: 'nonsense' is no platform"), "{out}");
    assert!(out.contains("linux/amd64  ✗ the build fails at line 3"), "{out}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let long = "https://example.com/".to_owned() + &"a-very-long-name/".repeat(20) + "tool-amd64";
    let text =
        format!("FROM debian:12\nENV X={long}\nRUN curl -o /usr/bin/{} $X\n", "y".repeat(200));
    for width in [40, 80, 120] {
        let layout = Layout { width, color: false };
        let out = with(&text, BOTH, |t| text::render(t, &Selection::default(), layout));
        for line in out.lines() {
            assert!(crate::report::text::style::width(line) <= width, "{width}: {line}");
        }
    }
}

#[test]
fn json_holds_values_with_their_way() {
    let document = with(WRONG, BOTH, |traced| {
        let mut out = Vec::new();
        let files = vec![json::file(traced, &Selection::default())];
        json::write(files, &[], &mut out).expect("written");
        serde_json::from_slice::<serde_json::Value>(&out).expect("JSON")
    });
    let arm64 = &document["files"][0]["platforms"][1];
    assert_eq!(arm64["platform"], "linux/arm64");
    let stage = &arm64["stages"][0];
    assert_eq!(stage["runs_on"]["emulated"], true);
    let effects = stage["steps"][1]["effects"].as_array().expect("effects");
    let download = effects.iter().find(|e| e["kind"] == "download").expect("a download");
    assert_eq!(download["url"]["text"], "https://example.com/tool-linux-amd64");
    let part = &download["url"]["parts"][1];
    assert_eq!((&part["text"], &part["origin"]), (&"amd64".into(), &"literal".into()));
    assert_eq!(part["way"][0]["did"], "arg");
    assert_eq!(part["way"][0]["span"]["start"]["line"], 2);
    let artifact = &stage["artifacts"][0];
    assert_eq!(artifact["path"], "/usr/bin/tool");
    assert_eq!(artifact["wrong_machine"], true);
    assert_eq!(artifact["machine"]["platform"], "linux/amd64");
    assert_eq!(artifact["way"][0]["span"]["start"]["line"], 3);
}
