//! Compiled languages: what a build writes, where, for which machine, linked how.

mod c;
mod flow;
mod go;
mod others;
mod rust;
mod xx;

use mlint_model::dump::dump;

use crate::evaluate;

/// The compilations of a stage on the build platform (linux/amd64): what the last of them is on
/// linux/arm64, and on linux/amd64.
#[track_caller]
fn compiles(base: &str, body: &str, arm64: &str, amd64: &str) {
    for (platform, want) in [("linux/arm64", arm64), ("linux/amd64", amd64)] {
        let text = build_stage(base, body);
        let dumped = dump(&evaluate(&text, platform), &text);
        let got = dumped.lines().rev().find_map(|l| Some(l.split_once(": compile ")?.1.to_owned()));
        assert_eq!(got.as_deref().unwrap_or("-"), want, "{body} on {platform}\n{dumped}");
    }
}

/// As [`compiles`], with one answer for both.
#[track_caller]
fn always(base: &str, body: &str, want: &str) {
    compiles(base, body, want, want);
}

fn build_stage(base: &str, body: &str) -> String {
    format!(
        "FROM --platform=$BUILDPLATFORM {base}\nARG TARGETOS TARGETARCH TARGETPLATFORM TARGETVARIANT\nWORKDIR /src\n{body}\n"
    )
}

/// The files of the image on two platforms: path, machine, linkage.
#[track_caller]
fn brings(text: &str, arm64: &[&str], amd64: &[&str]) {
    for (platform, want) in [("linux/arm64", arm64), ("linux/amd64", amd64)] {
        let evaluation = evaluate(text, platform);
        let got: Vec<String> = evaluation
            .final_artifacts()
            .map(|a| {
                let maybe = if a.certain { "" } else { "maybe " };
                let folder = if a.folder { "/*" } else { "" };
                format!("{maybe}{}{folder} {} {}", a.path, a.machine, a.linkage)
            })
            .collect();
        assert_eq!(got, want, "on {platform}\n{text}\n{}", dump(&evaluation, text));
    }
}

/// What is printed and kept in a variable of the download's address, on two platforms.
#[track_caller]
fn prints(base: &str, command: &str, arm64: &str, amd64: &str) {
    for (platform, want) in [("linux/arm64", arm64), ("linux/amd64", amd64)] {
        let text = build_stage(base, &format!("RUN X=$({command}) && curl -O https://h/\"$X\""));
        let dumped = dump(&evaluate(&text, platform), &text);
        let line = dumped.lines().find_map(|l| l.split_once("download https://h/"));
        let got = line.map(|(_, l)| l.split([' ', '<']).next().unwrap_or_default());
        assert_eq!(got, Some(want), "{command} on {platform}\n{dumped}");
    }
}
