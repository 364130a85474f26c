//! The build context, named contexts, the stage and the platform that a build is for.

use crate::Place;

/// Stops on everything but amd64.
const SCRIPT: &str = "#!/bin/sh\ncase $(uname -m) in x86_64) ;; *) echo no; exit 1;; esac\n";

const RUNS_SCRIPT: &str = "FROM debian:12\nCOPY scripts/get.sh /\nRUN /get.sh\n";

#[track_caller]
fn finds(place: &Place, args: &[&str]) -> bool {
    let run = place.run(&[&["check", "--offline"], args].concat());
    assert!(matches!(run.code, Some(0 | 1)), "{run:?}");
    run.out.contains("build-stops")
}

#[test]
fn scripts_are_read_where_the_sources_of_copy_are() {
    let beside = Place::new(&[("app/Dockerfile", RUNS_SCRIPT), ("app/scripts/get.sh", SCRIPT)]);
    assert!(finds(&beside, &["app/Dockerfile"]));
    let above = Place::new(&[("docker/Dockerfile", RUNS_SCRIPT), ("scripts/get.sh", SCRIPT)]);
    assert!(finds(&above, &["docker/Dockerfile"]));
    let nowhere = Place::new(&[("docker/Dockerfile", RUNS_SCRIPT), ("x/scripts/get.sh", SCRIPT)]);
    assert!(!finds(&nowhere, &["docker/Dockerfile"]));
    assert!(finds(&nowhere, &["docker/Dockerfile", "--context", "x"]));
    nowhere.put("docker/mlint.toml", b"context = \"../x\"\n");
    assert!(finds(&nowhere, &["docker/Dockerfile"]));
    assert!(!finds(&nowhere, &["docker/Dockerfile", "--context", "docker"]));
}

#[test]
fn what_the_ignore_file_keeps_out_is_not_read() {
    let place = Place::new(&[("Dockerfile", RUNS_SCRIPT), ("scripts/get.sh", SCRIPT)]);
    assert!(finds(&place, &[]));
    place.put(".dockerignore", b"scripts\n");
    assert!(!finds(&place, &[]));
}

#[test]
fn standard_input_has_no_context_unless_it_is_named() {
    let place = Place::new(&[("scripts/get.sh", SCRIPT)]);
    let check = |args: &[&str]| {
        let args = [&["check", "--offline", "-"], args].concat();
        place.run_with_stdin(&args, RUNS_SCRIPT.as_bytes()).out.contains("build-stops")
    };
    assert!(!check(&[]));
    assert!(check(&["--context", "."]));
}

#[test]
fn named_contexts_stand_for_stages_images_and_directories() {
    let place = Place::new(&[
        ("Dockerfile", "FROM base\nCOPY --from=tools get.sh /\nRUN /get.sh\n"),
        ("tools/get.sh", SCRIPT),
    ]);
    assert!(!finds(&place, &[]));
    assert!(finds(&place, &["--build-context", "tools=tools"]));
    place.put("mlint.toml", b"[build-contexts]\ntools = \"tools\"\n");
    assert!(finds(&place, &[]));
    place.put("mlint.toml", b"[build-contexts]\ntools = \"gone\"\n");
    let run = place.run(&["build"]);
    assert_eq!(run.code, Some(2));
    assert!(run.err.contains("--build-context tools: there is no directory"), "{}", run.err);
}

#[test]
fn targets_arguments_and_the_build_platform_decide_what_is_checked() {
    let place = Place::new(&[(
        "Dockerfile",
        "ARG BASE=debian:12\nFROM $BASE AS good\nFROM good AS bad\nRUN [ \"$(uname -m)\" = x86_64 ]\n",
    )]);
    assert!(finds(&place, &[]));
    assert!(!finds(&place, &["--target", "good"]));
    let run = place.run(&["check", "--offline", "--target", "goood"]);
    let said = run.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("no stage is named 'goood'; there are: good, bad"), "{said}");
    let emulated = |args: &[&str]| {
        let args = [&["check", "--offline", "--format", "json"], args].concat();
        let json = place.run(&args).json();
        json["files"][0]["verdicts"]
            .as_array()
            .expect("verdicts")
            .iter()
            .map(|v| v["emulated_steps"].as_u64().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    assert_eq!(emulated(&[]), [0, 1]);
    assert_eq!(emulated(&["--build-platform", "linux/arm64"]), [1, 0]);
    place.put("mlint.toml", b"build-platform = \"linux/arm64\"\n");
    assert_eq!(emulated(&[]), [1, 0]);
    assert_eq!(emulated(&["--build-platform", "linux/amd64"]), [0, 1]);
}

#[test]
fn contexts_that_can_not_be_are_refused() {
    let place = Place::new(&[("Dockerfile", "FROM x\n")]);
    for (args, says) in [
        (["--build-context", "base"], "expected NAME=VALUE"),
        (["--build-context", "Base=x"], "can't be a context's name"),
        (["--context", "nowhere"], "there is no such directory"),
        (["--build-platform", "linux/"], "is no platform"),
    ] {
        let run = place.run(&[&["check"], &args[..]].concat());
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.err.contains(says), "{}", run.err);
    }
}
