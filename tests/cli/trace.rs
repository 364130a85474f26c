//! `trace`.

use crate::{CLEAN, DEFECT, Place};

#[test]
fn it_tells_and_does_not_judge() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let run = place.run(&["trace"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.out.starts_with("./Dockerfile for linux/amd64 and linux/arm64")
            || run.out.starts_with("Dockerfile for linux/amd64 and linux/arm64"),
        "{}",
        run.out
    );
    assert!(run.out.contains("   2  ARG TARGETARCH = amd64\n"), "{}", run.out);
    assert_eq!(run.err, "");
    let same = place.run(&["explain-file", "Dockerfile"]);
    assert_eq!((same.code, same.out), (run.code, run.out));
}

#[test]
fn files_directories_and_standard_input() {
    let place = Place::new(&[("a/Dockerfile", DEFECT), ("b/Dockerfile", CLEAN)]);
    let both = place.run(&["trace", "a", "b"]);
    assert!(
        both.out.contains("a/Dockerfile for") && both.out.contains("b/Dockerfile for"),
        "{}",
        both.out
    );
    let stdin =
        place.run_with_stdin(&["trace", "-", "--platforms", "linux/s390x"], CLEAN.as_bytes());
    assert_eq!(stdin.code, Some(0), "{stdin:?}");
    assert!(
        stdin.out.starts_with("<stdin> for linux/s390x, built on linux/amd64\n"),
        "{}",
        stdin.out
    );
}

#[test]
fn what_cannot_be_told_is_said_and_the_rest_is_told() {
    let place = Place::new(&[("Dockerfile", CLEAN)]);
    place.put("binary/Dockerfile", b"\x7fELF\0");
    let run = place.run(&["trace", "missing", "binary", "Dockerfile"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.err.contains("there is no file or directory 'missing'"), "{}", run.err);
    assert!(run.err.contains("binary/Dockerfile: it is a binary file"), "{}", run.err);
    assert!(run.out.contains("Stage 0"), "{}", run.out);
    let json = place.run(&["trace", "--format", "json", "missing", "Dockerfile"]).json();
    assert_eq!(json["errors"][0]["path"], "missing");
    assert_eq!(json["files"][0]["platforms"].as_array().map(Vec::len), Some(2));
    let stage = place.run(&["trace", "--stage", "nope"]);
    assert_eq!(stage.code, Some(2), "{stage:?}");
    assert!(stage.err.contains("has no stage 'nope': it has stage 0"), "{}", stage.err);
    for args in [&["trace", "--line", "0"][..], &["trace", "--platforms", "a/b/c/d/e"]] {
        assert_eq!(place.run(args).code, Some(2), "{args:?}");
    }
    let odd = place.run_with_stdin(&["trace", "-"], b"this is no Dockerfile\n");
    assert_eq!(odd.code, Some(0), "{odd:?}");
    assert!(odd.out.starts_with("<stdin> for"), "{}", odd.out);
}

#[test]
fn options_of_the_build_count() {
    let text = "ARG A=1\nFROM x:$A AS one\nFROM y\nCOPY --from=one /a /b\n";
    let place =
        Place::new(&[("Dockerfile", text), ("mlint.toml", "platforms = [\"linux/riscv64\"]\n")]);
    let run = place.run(&["trace", "--target", "one", "--build-arg", "A=2"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.out.contains("for linux/riscv64"), "{}", run.out);
    assert!(run.out.contains("   1  ARG A = 2 ← --build-arg\n"), "{}", run.out);
    assert!(run.out.contains("Stage one, line 2, which becomes the image"), "{}", run.out);
    assert!(run.out.contains("not needed for this target"), "{}", run.out);
}

#[test]
fn eighty_columns_without_a_terminal_and_colours_only_if_asked() {
    let text =
        format!("FROM debian:12\nRUN curl -o /a https://example.com/{}\n", "long/".repeat(60));
    let place = Place::new(&[("Dockerfile", &text)]);
    let plain = place.run(&["trace"]);
    assert!(plain.out.lines().all(|line| line.chars().count() <= 80), "{}", plain.out);
    assert!(!plain.out.contains('\x1b'));
    let forced = place.run(&["trace", "--color", "always"]).out;
    assert!(forced.contains('\x1b'));
    assert_eq!(anstream::adapter::strip_str(&forced).to_string(), plain.out);
    let mut command = place.command(&["trace"]);
    command.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!crate::Run::of(command.output().expect("mlint runs")).out.contains('\x1b'));
    let mut narrow = place.command(&["trace"]);
    narrow.env("COLUMNS", "50");
    let narrow = crate::Run::of(narrow.output().expect("mlint runs")).out;
    assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
}

#[test]
fn nothing_in_a_file_commands_the_terminal() {
    let text = "FROM debian:12 AS a\x1b]0;t\x07\nENV X=\x1b[2J\nRUN curl -o /a\x1b[1m https://\x1b[31m/x\n";
    let place = Place::new(&[("Dockerfile", text)]);
    let run = place.run(&["trace", "--all"]);
    assert!(!run.out.contains(['\x1b', '\x07']), "{:?}", run.out);
}
