//! Arguments without a default that nobody gives.

use mlint_model::{Failure, Options};

use crate::{evaluate, evaluate_with, has, lacks};

const TEXT: &str = "FROM debian:12\nARG GPU\n\
    RUN if [ -n \"$GPU\" ]; then wget https://h/gpu; fi\n\
    RUN if [ -z \"${GPU+x}\" ]; then wget https://h/nogpu; fi\n\
    RUN wget https://h/${GPU:-cpu}/x$GPU\n\
    ENV A=a$GPU B=${GPU:-b}\n";

#[test]
fn they_are_unset_wherever_they_are_asked_for() {
    has(
        TEXT,
        "linux/arm64",
        &[
            "3: dead",
            "4: download https://h/nogpu -> /nogpu",
            "5: download https://h/cpu/x -> /x",
            "6: env A=a",
            "6: env B=b",
        ],
    );
    lacks(TEXT, "linux/arm64", &["unset GPU", "maybe", "<BuildArg>"]);
}

#[test]
fn they_are_what_a_build_argument_says() {
    let options = Options { build_args: vec![("GPU".into(), "x".into())], ..Options::default() };
    let given = evaluate_with(TEXT, "linux/arm64", &options);
    let dumped = mlint_model::dump::dump(&given, TEXT);
    for want in ["3: download https://h/gpu -> /gpu", "4: dead", "https://h/x/xx", "A=ax"] {
        assert!(dumped.contains(want), "no '{want}' in\n{dumped}");
    }
}

#[test]
fn a_script_that_needs_one_stops_and_what_follows_is_for_those_who_give_it() {
    has(
        "FROM debian:12\nARG V\nRUN set -u; curl -O https://h/$V\nRUN curl -O https://h/${V:?}\n",
        "linux/arm64",
        &[
            "3: fails: V is not set, and the script forbids that (set -u)",
            "4: download https://h/? <BuildArg> -> ?",
            "4: fails: V is not set",
        ],
    );
}

#[test]
fn a_base_that_needs_one_stops_the_build_and_stays_open() {
    let said = |text: &str| {
        let evaluation = evaluate(text, "linux/arm64");
        evaluation.failures.iter().map(|f| f.message.clone()).collect::<Vec<_>>()
    };
    let hint = "an ARG in it has no default, and no --build-arg gives it";
    assert_eq!(
        said("ARG BASE\nFROM $BASE\n"),
        [format!("base name ($BASE) should not be blank; {hint}")]
    );
    let text = "ARG V\nFROM golang:${V}-alpine3.23\n";
    assert_eq!(said(text), [format!("'golang:-alpine3.23' is an invalid reference; {hint}")]);
    has(
        text,
        "linux/arm64",
        &["stage 0 from golang:?-alpine3.23 <BuildArg> on linux/arm64 (target), libc musl"],
    );
    let without =
        said("ARG V\nFROM golang:${V:-1}\nFROM --platform=$BUILDPLATFORM a AS b\nFROM b\n");
    assert!(without.is_empty(), "{without:?}");
    has(
        "ARG P\nFROM --platform=linux/$P debian:12\n",
        "linux/arm64",
        &["2: fails: 'linux/' is no platform", "stage 0 from debian:12 on ? (unknown), libc glibc"],
    );
    // Which of the stages, nobody says.
    has(
        "ARG V\nFROM debian:12 AS with-gpu\nFROM with-$V\n",
        "linux/arm64",
        &["stage 1 from with-? <BuildArg> on linux/arm64 (target), libc ?"],
    );
    // A template's.
    assert!(said("FROM {{base}}\n").is_empty());
    // Nobody declared it.
    assert_eq!(said("FROM golang:$V\n"), ["'golang:' is an invalid reference"]);
}

#[test]
fn what_the_shell_sets_by_itself_need_not_be_given() {
    has(
        "FROM debian:12\nARG UID\nRUN [ -n \"$UID\" ] && curl -O https://h/a || true\n",
        "linux/arm64",
        &["3: maybe download https://h/a -> /a"],
    );
}

#[test]
fn a_stop_for_want_of_an_argument_is_told_from_others() {
    let lacks = |text: &str| {
        let evaluation = evaluate(text, "linux/arm64");
        let steps = evaluation.stages.iter().flat_map(|s| &s.steps);
        let all = evaluation.failures.iter().chain(steps.filter_map(|s| s.failure.as_ref()));
        all.map(|f: &Failure| f.lacks_argument).collect::<Vec<_>>()
    };
    for text in [
        "ARG V\nFROM $V\n",
        "ARG V\nARG I=h/$V:\nFROM $I\n",
        "ARG V=latest\nFROM h/a@$V\n",
        "ARG P\nFROM --platform=linux/$P a\n",
        "FROM a\nARG V\nENV X=${V:?}\n",
        "FROM a\nARG V\nRUN test -n \"$V\"\n",
        "FROM a\nARG V\nRUN set -u; echo $V\n",
        "FROM a\nARG V\nENV X=$V\nENV Y=v$X\nRUN [ \"$Y\" = v ] && exit 1\n",
        "ARG V\nARG W=$V\nFROM a\nARG W\nRUN [ \"$W\" = x ] || exit 1\n",
    ] {
        assert_eq!(lacks(text), [true], "{text}");
    }
    for text in
        ["FROM a:$V\n", "FROM a\nARG V=\nRUN test -n \"$V\"\n", "FROM a\nARG V\nRUN exit 1\n"]
    {
        assert_eq!(lacks(text), [false], "{text}");
    }
}
