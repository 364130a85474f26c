//! Several platforms: which, in what order, and what one's failure leaves of the others.

use serde_json::Value;

use crate::support::{Project, world};

/// Fails for arm64, after a step that both share.
const HALF: &str = "FROM --platform=$BUILDPLATFORM BASE AS shared\nRUN echo shared > /s\n\
    FROM BASE\nARG TARGETARCH\nCOPY --from=shared /s /s\n\
    RUN test $TARGETARCH != arm64 || { echo no way; exit 3; }\nRUN echo after > /after\n";

#[test]
fn the_others_go_on_when_one_fails_and_no_tag_moves() {
    let world = world();
    let project = Project::new(HALF);
    let name = world.name("half:1");
    let out = project.beside("out.tar");
    let archive = format!("type=oci,dest={}", out.display());
    let metadata = project.beside("metadata.json");
    let args = ["-t", &name, "--push", "-o", &archive, "--metadata-file"];
    let args = [&args[..], &[metadata.to_str().unwrap(), "--keep-going"]].concat();

    let failed = project.build(&args).fails_with(&[
        "no way",
        "Dockerfile:6:1",
        "exit status 3 on linux/arm64",
        "linux/amd64: sha256:",
        "linux/arm64: not built: Dockerfile:6: the command failed",
        ", 1 left out",
        "nothing was pushed or written, since linux/arm64 failed",
        "--push-partial",
    ]);
    assert_eq!(failed.out, "");
    assert!(failed.err.contains("RUN echo after > /after · left out"), "{}", failed.err);
    assert!(world.registry.tags("half").is_empty() && !out.exists() && !metadata.exists());

    // On request what was built goes out, still with the status of a failure.
    let partial = project.build(&[&args[..], &["--push-partial"]].concat());
    let partial = partial.fails_with(&["pushed", "these names are without linux/arm64 now"]);
    assert_eq!(world.registry.tags("half"), ["1"]);
    assert!(out.exists());
    assert_eq!(world.config("half:1", "amd64")["architecture"], "amd64");
    assert!(partial.out.starts_with(&format!("{name}@sha256:")), "{}", partial.out);
    let told: Value = serde_json::from_slice(&std::fs::read(&metadata).unwrap()).unwrap();
    assert!(told["mlint.platforms"]["linux/amd64"]["digest"].is_string(), "{told}");
    assert!(told["mlint.failed"]["linux/arm64"]["error"].is_string(), "{told}");
}

#[test]
fn a_platform_without_a_base_falls_before_the_first_step() {
    let world = world();
    let project =
        Project::new("FROM BASE AS one\nRUN echo ran\nFROM BASE\nCOPY --from=one /bin /b\n");
    let platforms = ["--platforms", "linux/amd64,linux/s390x,linux/riscv64"];
    let all = project
        .build(&platforms)
        .fails_with(&["Dockerfile:1:6", "no image for linux/riscv64, linux/s390x"]);
    assert!(!all.err.contains("#1"), "nothing ran: {}", all.err);
    let on = project.build(&[&platforms[..], &["-k"]].concat());
    on.fails_with(&["linux/amd64: sha256:", "linux/s390x: not built", "linux/riscv64: not built"]);
    let none = ["--platforms", "linux/s390x", "-k", "--push-partial", "-t", &world.name("none:1")];
    project.build(&[&none[..], &["--push"]].concat()).fails_with(&["nothing was pushed"]);
    assert!(world.registry.tags("none").is_empty());
}

#[test]
fn all_platforms_are_those_of_the_bases() {
    let world = world();
    let base = Project::new("FROM BASE\nLABEL one=more\n");
    let only = world.name("only-arm64:1");
    base.build(&["--platforms", "linux/arm64", "-t", &only, "--push"]).succeeds();
    // With statements in the index, which are no platforms.
    let two = world.name("two:1");
    base.build(&["-t", &two, "--push", "--provenance"]).succeeds();

    let project = Project::new(&format!("FROM {two}\nLABEL a=b\n"));
    let built = project.build(&["--platforms", "all"]).succeeds();
    let offered = format!("all platforms that {two} offers: linux/amd64, linux/arm64");
    assert!(built.err.contains(&offered), "{}", built.err);
    project.dockerfile(&format!("FROM {only} AS x\nFROM {two}\nCOPY --from=x /bin /b\n"));
    let built = project.build(&["--platforms", "all"]).succeeds();
    assert!(built.err.contains("have in common: linux/arm64\n"), "{}", built.err);
    // The target's word in the name of the base image.
    world_per_platform();
    let each = world.name("each-$TARGETARCH:1");
    project.dockerfile(&format!("ARG TARGETARCH\nFROM {each}\nLABEL a=b\n"));
    let built = project.build(&["--platforms", "all"]).succeeds();
    assert!(built.err.contains(": linux/amd64, linux/arm64\n"), "{}", built.err);

    for text in ["FROM scratch\nCOPY Dockerfile /\n", "FROM --platform=$BUILDPLATFORM BASE\n"] {
        project.dockerfile(text);
        let words = ["Dockerfile:1:1", "nothing here says which platforms"];
        project.build(&["--platforms", "all"]).fails_with(&words);
    }
    project.build(&["--platforms", "all,linux/amd64"]).fails_with(&["all stands alone"]);
}

/// `each-amd64:1` and `each-arm64:1`, each for its platform alone.
fn world_per_platform() {
    for arch in ["amd64", "arm64"] {
        let project = Project::new("FROM BASE\n");
        let name = world().name(&format!("each-{arch}:1"));
        let platform = format!("linux/{arch}");
        project.build(&["--platforms", &platform, "-t", &name, "--push"]).succeeds();
    }
}

#[test]
fn json_tells_all_and_what_emulation_cost() {
    let compiler = Project::new("FROM BASE\nCOPY --chmod=755 go /usr/bin/go\n");
    compiler.file("go", "#!/bin/sh\necho compiled > /app\n");
    let go = world().name("go:1");
    compiler.build(&["-t", &go, "--push"]).succeeds();
    let project = Project::new(&format!(
        "FROM {go} AS build\nCOPY app.go .\n\nRUN CGO_ENABLED=0 go build -o /app .\n\
         FROM BASE\nCOPY --from=build /app /app\n"
    ));
    project.file("app.go", "package main\n");
    let run = project.build(&["--progress", "rawjson"]).succeeds();
    let events: Vec<Value> =
        run.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let planned = events.iter().find(|e| e["event"] == "planned").unwrap();
    let steps = planned["steps"].as_array().unwrap();
    let emulated: Vec<_> = steps.iter().filter(|s| s["emulated"].is_string()).collect();
    assert_eq!(emulated.len(), 1, "{planned}");
    assert_eq!(
        (&emulated[0]["line"], &emulated[0]["emulated"]),
        (&4.into(), &"linux/arm64".into())
    );
    let summary = events.last().unwrap();
    assert_eq!(summary["event"], "summary");
    let arm = &summary["platforms"][1];
    assert_eq!(arm["platform"], "linux/arm64");
    assert_eq!(arm["emulated"][0]["line"], 4);
    assert!(arm["emulated_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(summary["savings"][0]["rule"], "missing-build-platform", "{summary}");
    assert_eq!(summary["savings"][0]["line"], 1);
}
