//! What is pushed is what was written.

use std::{fs, process::Command};

use serde_json::json;
use xtask::user::OrdinaryUser;

use crate::support::{MLINT, Project, Run, world};

const APP: &str = r#"# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM BASE AS build
WORKDIR /src
COPY src/ .
RUN echo "built on $(uname -m)" > out
FROM BASE
ARG TARGETARCH
ENV GREETING="hello $TARGETARCH"
RUN uname -m > /machine && echo "says $(cat /machine)"
COPY --from=build --chown=7:8 /src/out /srv/data/
RUN <<END
rm -r /srv/data
mkdir /srv/data
echo "$GREETING" > /srv/data/greeting
END
COPY --chmod=755 <<END /bin/hello
#!/bin/sh
echo from $TARGETARCH
END
USER 1000:1000
WORKDIR /home/app
RUN id -u > x && hello
LABEL a=b
EXPOSE ${PORT:-80}/tcp
STOPSIGNAL SIGINT
VOLUME /data
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["/bin/hello"]
"#;

fn app() -> Project {
    let project = Project::new(APP);
    project.file("src/a", "data");
    project
}

fn check_app(image: &str) {
    let world = world();
    let index = world.raw(image);
    assert_eq!(index["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    for arch in ["amd64", "arm64"] {
        let config = world.config(image, arch);
        assert_eq!(config["architecture"], arch);
        let inner = &config["config"];
        assert_eq!(inner["Entrypoint"], json!(["/bin/hello"]));
        assert_eq!(inner["Cmd"], json!(null), "ENTRYPOINT resets an inherited CMD");
        assert_eq!(inner["User"], "1000:1000");
        assert_eq!(inner["WorkingDir"], "/home/app");
        assert_eq!(inner["Labels"], json!({"a": "b"}));
        assert_eq!(inner["ExposedPorts"], json!({"80/tcp": {}}));
        assert_eq!(inner["Volumes"], json!({"/data": {}}));
        assert_eq!(inner["StopSignal"], "SIGINT");
        let env = inner["Env"].as_array().unwrap();
        assert!(env.contains(&json!(format!("GREETING=hello {arch}"))), "{env:?}");
        let history = config["history"].as_array().unwrap();
        let layers = history.iter().filter(|h| h["empty_layer"] != true).count();
        assert_eq!(layers, config["rootfs"]["diff_ids"].as_array().unwrap().len());
        let said: Vec<&str> = history.iter().filter_map(|h| h["created_by"].as_str()).collect();
        let run = format!("RUN |1 TARGETARCH={arch} /bin/sh -c uname -m > /machine");
        assert!(said.iter().any(|s| s.starts_with(&run)), "{said:#?}");
        let layers = world.layers(image, arch);
        // As with BuildKit: the places of mounts that the image lacked stay, and nothing else.
        assert_eq!(layers[1], ["dev/", "machine", "proc/", "sys/"]);
        let changed = &layers[3];
        assert!(changed.contains(&"srv/data/greeting".to_owned()), "{changed:?}");
        let gone = changed.iter().any(|n| n.contains(".wh."));
        assert!(gone, "what was removed is marked: {changed:?}");
    }
}

#[test]
fn two_platforms_from_one_file_and_a_rebuild_that_does_nothing() {
    let world = world();
    let project = app();
    let name = world.name("app:1");
    let first = project.build(&["-t", &name, "--push"]).succeeds();
    assert!(first.err.contains("says x86_64") && first.err.contains("says aarch64"));
    assert!(first.err.contains("(emulated)"), "{}", first.err);
    assert_eq!(first.err.matches("RUN echo \"built on").count(), 1, "shared stages run once");
    check_app("app:1");
    let digest = world.registry.digest("app", "1").unwrap();
    assert_eq!(first.out, format!("{name}@{digest}\n"));

    let again = project.build(&["-t", &name, "--push"]).succeeds();
    assert_eq!(again.out, first.out);
    assert!(again.err.contains("all steps from the cache"), "{}", again.err);
    assert!(again.err.contains("(0 blobs sent)"), "{}", again.err);

    // A change of times alone changes nothing; a change of content does.
    let file = fs::File::options().write(true).open(project.dir().join("src/a")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    drop(file);
    assert!(project.build(&[]).succeeds().err.contains("all steps from the cache"));
    project.file("src/a", "DATA");
    assert!(!project.build(&[]).succeeds().err.contains("all steps from the cache"));
}

#[test]
fn an_ordinary_user_builds_the_same() {
    let world = world();
    let user = OrdinaryUser::make().expect("an ordinary user (the tests run as root)");
    let project = app();
    let (context, program) = (user.home().join("context"), user.home().join("mlint"));
    let copied = Command::new("cp").arg("-r").arg(project.dir()).arg(&context).status().unwrap();
    assert!(copied.success());
    fs::copy(MLINT, &program).unwrap();
    user.give(user.home()).unwrap();
    let name = world.name("rootless:1");
    let run = Run::of(
        user.command(&program)
            .args(["build", "context", "--platforms", "linux/amd64,linux/arm64"])
            .args(["-t", &name, "--push", "--progress", "plain"]),
    );
    run.succeeds();
    check_app("rootless:1");
    Run::of(user.command(&program).args(["verify", &name])).succeeds();
    // What belongs to subordinate ids goes with the namespace's root alone.
    let cleared = Command::new("rm").arg("-rf").arg(user.home().join(".cache")).status().unwrap();
    assert!(cleared.success());
}

#[test]
fn several_names_and_a_single_platform() {
    let world = world();
    let project = Project::new("FROM BASE\nRUN echo one > /one\n");
    let names = [world.name("multi:a"), world.name("multi:b"), world.name("other:c")];
    let tags: Vec<&str> = names.iter().flat_map(|n| ["-t", n.as_str()]).collect();
    let args = [&tags[..], &["--push", "--platforms", "linux/arm64"]].concat();
    project.build(&args).succeeds();
    assert_eq!(world.registry.tags("multi"), ["a", "b"]);
    assert_eq!(world.registry.tags("other"), ["c"]);
    let manifest = world.raw("multi:a");
    assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
    assert_eq!(world.config("other:c", "arm64")["architecture"], "arm64");
}

#[test]
fn cache_mounts_outlive_a_build_and_machines_do_not_share_them() {
    let project = Project::new("");
    let build = |number: u32| {
        project.dockerfile(&format!(
            "FROM BASE\nRUN --mount=type=cache,target=/c uname -m >> /c/log; \
             echo build {number}: $(cat /c/log)\n"
        ));
        project.build(&[]).succeeds().err
    };
    let first = build(1);
    assert!(first.contains("build 1: x86_64\n") && first.contains("build 1: aarch64\n"), "{first}");
    let second = build(2);
    assert!(second.contains("build 2: x86_64 x86_64\n"), "{second}");
    assert!(second.contains("build 2: aarch64 aarch64\n"), "{second}");
}

#[test]
fn a_cache_mount_begins_with_what_a_stage_has() {
    let project = Project::new("");
    let build = |seed: &str, number: u32| {
        project.dockerfile(&format!(
            "FROM BASE AS seed\nRUN mkdir -p /s/d && echo {seed} > /s/d/f && chmod 710 /s/d\n\
             FROM BASE\nRUN --mount=type=cache,from=seed,source=/s/d,target=/c \
             echo {number} >> /c/f && echo has: $(cat /c/f) $(ls -ld /c | cut -c1-10)\n"
        ));
        project.build(&["--platforms", "linux/amd64"]).succeeds().err
    };
    let first = build("seeded", 1);
    assert!(first.contains("has: seeded 1 drwx--x---"), "{first}");
    let second = build("seeded", 2);
    assert!(second.contains("has: seeded 1 2 drwx--x---"), "{second}");
    let third = build("other", 3);
    assert!(third.contains("has: other 3 "), "what it begins with is another");
}

#[test]
fn triggers_of_a_base_image_fire_once() {
    let world = world();
    let base = Project::new("FROM BASE\nONBUILD ENV FIRED=yes\nONBUILD RUN echo fired > /fired\n");
    let name = world.name("trigger:1");
    base.build(&["-t", &name, "--push"]).succeeds();
    let child = Project::new(&format!("FROM {name} AS a\nFROM a\nRUN cat /fired\n"));
    let child_name = world.name("child:1");
    child.build(&["-t", &child_name, "--push"]).succeeds();
    let config = world.config("child:1", "arm64");
    assert_eq!(config["config"]["OnBuild"], json!(null));
    let env = config["config"]["Env"].as_array().unwrap();
    assert!(env.contains(&json!("FIRED=yes")), "{env:?}");
}

#[test]
fn config_and_history_are_those_of_buildkit() {
    let world = world();
    let project = Project::new(
        "FROM BASE\nWORKDIR /w\nWORKDIR sub//deep/../x/\nCOPY --chmod=0751 a .\nRUN pwd > where\n\
         ENTRYPOINT []\nCMD [\"x\"]\n",
    );
    project.file("a", "data");
    let name = world.name("history:1");
    project.build(&["--platforms", "linux/amd64", "-t", &name, "--push"]).succeeds();
    let config = world.config("history:1", "amd64");
    let inner = &config["config"];
    assert_eq!(inner["WorkingDir"], "/w/sub/x");
    assert_eq!(inner["Cmd"], json!(["x"]));
    assert_eq!(inner["ArgsEscaped"], true);
    assert!(inner.get("Entrypoint").is_none(), "an empty list leaves the field out");
    let history = config["history"].as_array().unwrap();
    let said: Vec<&str> = history.iter().filter_map(|h| h["created_by"].as_str()).collect();
    let ours = &said[said.len() - 6..];
    assert_eq!(
        ours,
        [
            "WORKDIR /w",
            "WORKDIR /w/sub/x",
            "COPY --chmod=0751 a . # buildkit",
            "RUN /bin/sh -c pwd > where # buildkit",
            "ENTRYPOINT []",
            "CMD [\"x\"]",
        ]
    );
    let made: Vec<String> = world.layers("history:1", "amd64").concat();
    assert!(!made.iter().any(|path| path.contains("deep")), "{made:?}");
}
