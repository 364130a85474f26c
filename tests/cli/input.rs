//! What can be given to check, and what can be wrong with it.

use std::time::{Duration, Instant};

use crate::{CLEAN, DEFECT, Place};

fn paths(place: &Place, args: &[&str]) -> Vec<String> {
    let run = place.run(&[&["check", "--offline", "--format", "json"], args].concat());
    run.json()["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|f| f["path"].as_str().expect("a path").to_owned())
        .collect()
}

#[test]
fn directories_are_searched_by_name_and_ignore_rules() {
    let place = Place::new(&[
        ("Dockerfile", CLEAN),
        ("Containerfile.dev", CLEAN),
        ("web/api.Dockerfile", CLEAN),
        (".devcontainer/Dockerfile", CLEAN),
        ("web/Dockerfile.dockerignore", "*"),
        ("web/Dockerfile.j2", "{{ x }}"),
        ("web/main.go", "package main"),
        ("out/Dockerfile", CLEAN),
        (".git/Dockerfile", CLEAN),
        (".gitignore", "out/\n"),
    ]);
    let all = [".devcontainer/Dockerfile", "Containerfile.dev", "Dockerfile", "web/api.Dockerfile"];
    assert_eq!(paths(&place, &[]), all);
    assert_eq!(paths(&place, &["."]), all);
    assert_eq!(paths(&place, &["web"]), ["web/api.Dockerfile"]);
    assert_eq!(paths(&place, &["web/Dockerfile.j2"]), ["web/Dockerfile.j2"], "named, so checked");
    assert_eq!(paths(&place, &["Dockerfile", ".", "./Dockerfile"]).len(), 4, "each once");
}

#[test]
fn standard_input_is_checked() {
    let place = Place::new(&[]);
    let run = place.run_with_stdin(&["check", "--offline", "-"], DEFECT.as_bytes());
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.out.contains("--> <stdin>:2:5"), "{}", run.out);
}

#[test]
fn what_cannot_be_checked_is_said_and_the_rest_is_checked() {
    let place = Place::new(&[("good/Dockerfile", DEFECT), ("empty/readme", "")]);
    place.put("binary/Dockerfile", b"\x7fELF\x02\x01\n\0\0");
    place.put("latin/Dockerfile", b"FROM a\n# caf\xe9\n");
    place.put("utf16/Dockerfile", b"\xff\xfeF\0R\0");
    let run = place.run(&[
        "check",
        "--offline",
        "missing",
        "empty",
        "binary",
        "latin",
        "utf16",
        "good/Dockerfile/x",
        "good",
    ]);
    assert_eq!(run.code, Some(2), "{run:?}");
    for text in [
        "there is no file or directory 'missing'",
        "there is no Dockerfile in 'empty'",
        "can't check binary/Dockerfile: it is a binary file (a zero byte at byte 7, line 2)",
        "byte 0xe9 at byte 12, line 2, is not valid UTF-8",
        "can't check utf16/Dockerfile: it is UTF-16",
        "can't look at 'good/Dockerfile/x'",
    ] {
        assert!(run.err.contains(text), "{text}:\n{}", run.err);
    }
    assert!(run.out.contains("good/Dockerfile:2:5"), "{}", run.out);
    let json = place.run(&["check", "--offline", "--format", "json", "missing", "good"]).json();
    assert_eq!(json["errors"][0]["path"], "missing");
    assert_eq!(json["files"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_file_that_may_not_be_read_is_said() {
    if rustix::process::geteuid().is_root() {
        // Root may read everything; a directory that loops can't be read by anybody.
        let place = Place::new(&[("good/Dockerfile", CLEAN)]);
        std::os::unix::fs::symlink("Dockerfile", place.path().join("Dockerfile")).expect("a link");
        let run = place.run(&["check", "--offline", "Dockerfile", "good"]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.err.contains("can't look at 'Dockerfile'"), "{}", run.err);
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new(&[("Dockerfile", CLEAN)]);
    let closed = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(place.path().join("Dockerfile"), closed).expect("mode");
    let run = place.run(&["check", "--offline", "Dockerfile"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.err.contains("can't read Dockerfile: Permission denied"), "{}", run.err);
}

#[test]
fn a_line_of_ten_megabytes_is_answered_in_bounded_time() {
    let noise = "echo aaaaaaaaaaaaaaaaaaaaaaaa && ".repeat(320_000);
    let text = format!("FROM debian:12\nRUN {noise}true\nBOGUS\n");
    assert!(text.len() > 10_000_000);
    let place = Place::new(&[("Dockerfile", &text)]);
    let start = Instant::now();
    let run = place.run(&["check", "--offline", "Dockerfile"]);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert!(matches!(run.code, Some(1 | 2)), "{:?} {}", run.code, run.err);
    assert!(run.out.len() + run.err.len() < 100_000, "the line is cut, not printed");
}

#[test]
fn what_is_too_long_is_refused_without_reading_it_all() {
    let place = Place::new(&[]);
    let run = place.run(&["check", "--offline", "/dev/zero"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.err.contains("longer than 32 MiB"), "{}", run.err);
}

#[test]
fn a_broken_file_is_checked_around_the_break() {
    let text =
        "FROM debian:12\nCOPY onlyone\nARG TARGETARCH=amd64\nRUN [\"unclosed\nRUN <<EOF\nx\n";
    let place = Place::new(&[("Dockerfile", text)]);
    let run = place.run(&["check", "--offline"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.out.contains("error[syntax-error]"), "{}", run.out);
    assert!(run.out.contains("Dockerfile:2:"), "{}", run.out);
}

#[test]
fn no_input_makes_it_panic() {
    let texts: [&[u8]; 9] = [
        b"",
        b"\n\n\n",
        b"\xef\xbb\xbf",
        b"FROM",
        b"FROM a\nRUN \\",
        b"# escape=`\r\nFROM a`\r\n",
        b"RUN $(((((((((((((((((((((",
        b"FROM ${A:-${B:-${C\nRUN <<EOF",
        "\u{202e}FROM \u{1f980}\nRUN \u{301}\n".as_bytes(),
    ];
    for text in texts {
        let place = Place::new(&[]);
        place.put("Dockerfile", text);
        for command in [
            &["check", "--offline"][..],
            &["fix", "--offline", "--diff"][..],
            &["trace"][..],
            &["trace", "--format", "json"][..],
        ] {
            let run = place.run(command);
            assert!(matches!(run.code, Some(0 | 1)), "{text:?}: {run:?}");
            assert!(!run.err.contains("panicked"), "{text:?}: {run:?}");
        }
    }
}
