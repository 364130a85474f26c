use super::*;
use crate::{ImageFacts, Options, Prepared};

fn counted(text: &str) -> (Census, Vec<String>) {
    let file = mlint_syntax::parse(text);
    let platform = "linux/arm64".parse().unwrap();
    let evaluation =
        Prepared::new(&file).evaluate(&platform, &Options::default(), &ImageFacts::default());
    let (census, list) = census(&file, &evaluation);
    let told = list.iter().map(|command| {
        let causes: Vec<String> = command.causes.iter().map(|c| format!("{c:?}")).collect();
        format!("{}: {}", causes.join("+"), &text[command.span.range()])
    });
    (census, told.collect())
}

/// The commands with an unknown architecture in `RUN`s on Debian, and how many are relevant.
#[track_caller]
fn unknown(runs: &str, relevant: usize, want: &[&str]) {
    let (census, told) = counted(&format!("FROM debian:12\n{runs}"));
    assert_eq!(told, want);
    assert_eq!((census.relevant, census.unknown), (relevant, want.len()), "in {runs}");
}

#[test]
fn an_unknown_version_is_no_unknown_architecture() {
    unknown("ARG VERSION\nRUN curl -O https://x.io/tool-$VERSION.tgz", 0, &[]);
    unknown("ARG V\nRUN curl -O https://x.io/tool-$V-$(uname -m).tgz", 2, &[]);
    unknown("RUN curl -O https://x.io/$(curl -s https://x.io/l)/tool_amd64.deb", 1, &[]);
    unknown("RUN curl -O https://x.io/tool.tgz && curl -O https://x.io/$(cat u).sha256", 0, &[]);
}

#[test]
fn an_unknown_part_of_an_address_may_be_the_architecture() {
    let bare = "curl -O https://x.io/tool-$(cat /etc/which).tgz";
    unknown(&format!("RUN {bare}"), 1, &[&format!("Address: {bare}")]);
    let named = "curl -O https://x.io/x86_64-tools/tool-$BUILD_ARCH.tgz";
    unknown(&format!("RUN {named}"), 1, &[&format!("Address: {named}")]);
}

#[test]
fn alternatives_that_name_different_machines() {
    let curl = "curl -O https://x.io/tool-$A.tgz";
    let branch = |other: &str| {
        format!("RUN if grep -q musl /proc/x; then A=arm64; else A={other}; fi; {curl}")
    };
    unknown(&branch("amd64"), 1, &[&format!("Address: {curl}")]);
    unknown(&branch("arm64"), 1, &[]);
}

#[test]
fn a_platform_question_that_stays_open() {
    let run = "RUN if [ \"$BUILD_ARCH\" = amd64 ]; then curl -O https://x.io/a; fi";
    unknown(run, 1, &["Condition: curl -O https://x.io/a"]);
    unknown("ARG TARGETARCH\nRUN [ $TARGETARCH = amd64 ] || curl -O https://x.io/b", 1, &[]);
}

#[test]
fn compiles_and_programs() {
    let (census, told) = counted(
        "FROM golang:1.24\nCOPY . .\nRUN go build -o /x . && ./tool --all && ./tool.sh\nRUN javac A.java\n",
    );
    assert_eq!(census.compiles, Knowing { known: 2, partly: 0, unknown: 0 });
    assert_eq!(told, ["Program: ./tool --all"]);
    assert_eq!((census.stages, census.runs, census.opaque), (1, 2, 0));
}

#[test]
fn what_another_shell_reads_is_opaque() {
    let (census, _) =
        counted("FROM debian:12\nRUN <<EOF\n#!/usr/bin/python3\nprint(1)\nEOF\nRUN id\n");
    assert_eq!((census.commands, census.opaque), (2, 1));
}

#[test]
fn files_of_the_image_by_machine() {
    let text = "FROM --platform=$BUILDPLATFORM golang:1.24 AS b\nRUN CGO_ENABLED=0 go build -o /a x.go\n\
        ARG TARGETARCH\nRUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /b x.go\n\
        RUN CGO_ENABLED=0 GOARCH=riscv64 go build -o /c x.go\nRUN echo hi > /d\n\
        FROM scratch\nCOPY --from=b /a /b /c /d /\nCOPY e /e\n";
    let machines = counted(text).0.files;
    let want = Machines { target: 1, build: 1, other: 1, independent: 1, unknown: 1 };
    assert_eq!(machines, want);
}

#[test]
fn sums() {
    let (one, _) = counted("FROM debian:12\nRUN curl -O https://x.io/t-$(cat f).tgz\n");
    let mut sum = Census::default();
    assert_eq!(sum.unknown_share(), None);
    sum += &one;
    sum += &one;
    assert_eq!((sum.stages, sum.runs, sum.relevant, sum.unknown), (2, 2, 2, 2));
    assert_eq!(sum.causes[&Cause::Address], 2);
    assert_eq!(sum.unknown_share(), Some(1.0));
}
