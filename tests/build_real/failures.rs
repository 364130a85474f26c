//! What goes wrong is said at its line, with exit status 2.

use crate::support::{MLINT, Project, Run, world};

#[test]
fn failures_name_their_line() {
    let registry = world().registry.host();
    for (file, words) in [
        ("FROM BASE\nRUN echo hi\nRUN exit 3\n", &["Dockerfile:3:1", "exit status 3"][..]),
        ("FROM BASE\nCOPY nope /\n", &["Dockerfile:2:1", "'nope' is not there"]),
        ("FROM BASE\nCOPY --from=later /x /\nFROM BASE AS later\nFROM 0\n", &["Dockerfile:"]),
        ("FROM BASE\nADD http://127.0.0.1:1/x /\n", &["Dockerfile:2:1", "127.0.0.1:1/x"]),
        ("FROM BASE\nCOPY https://a.test/x /\n", &["Dockerfile:2:6", "COPY takes no addresses"]),
        (
            "FROM BASE\nRUN --security=insecure true\n",
            &["Dockerfile:2:5", "RUN --security is not supported", "BuildKit"],
        ),
        ("FROM BASE\nRUN --device=x true\n", &["Dockerfile:2:5", "RUN --device is not supported"]),
        (
            "FROM BASE\nRUN --mount=type=secret,id=a,required cat x\n",
            &["Dockerfile:2:5", "--secret"],
        ),
        ("FROM BASE\nRUN --nonsense x\n", &["Dockerfile:2:", "--nonsense"]),
        ("FROM BASE\nEXPOSE http\n", &["Dockerfile:2:8", "'http' is not a port"]),
        ("FROM BASE\nUSER nobody-here\nRUN true\n", &["Dockerfile:3:1", "nobody-here"]),
        ("FROM scratch\nRUN true\n", &["Dockerfile:2:1", "/bin/sh"]),
        ("FROM $EMPTY\n", &["Dockerfile:1:6", "empty"]),
        ("FROM BASE\nENV A=\"${B:?must be set}\"\n", &["Dockerfile:2:8", "must be set"]),
        ("BOGUS\nFROM BASE\n", &["Dockerfile:1:1"]),
        ("FROM --platform=linux/s390x BASE\n", &["Dockerfile:1:29", "no image for linux/s390x"]),
        ("# syntax=example.test/own\nFROM BASE\n", &["Dockerfile:1:10", "example.test/own"]),
        ("FROM 127.0.0.1:1/x\n", &["Dockerfile:1:6", "can't reach 127.0.0.1:1"]),
    ] {
        Project::new(file).build(&[]).fails_with(words);
    }
    let missing = format!("FROM {registry}/no/such:tag\n");
    Project::new(&missing).build(&[]).fails_with(&["Dockerfile:1:6", "does not exist"]);
}

#[test]
fn everything_is_refused_before_the_first_step_runs() {
    let project = Project::new(
        "FROM BASE\nRUN echo must not run\nFROM BASE\nCOPY --from=0 /bin/sh /x\nRUN --device=x y\n",
    );
    let failed = project.build(&[]).fails_with(&["Dockerfile:5:5", "not supported"]);
    assert!(!failed.err.contains("must not run"), "{}", failed.err);
    // What the target does not reach is nobody's business.
    project.dockerfile("FROM BASE AS odd\nRUN --device=x y\nFROM BASE\nRUN true\n");
    project.build(&[]).succeeds();
}

#[test]
fn a_wrong_password_is_told_at_the_base_image() {
    let login = xtask::registry::Login { user: "right", password: "secret" };
    let registry = xtask::registry::Registry::start_with_login(login).unwrap();
    let project = Project::new(&format!("FROM {}/x:1\n", registry.host()));
    project.file(
        "docker/config.json",
        format!(
            // "right:wrong"
            "{{\"auths\": {{\"{}\": {{\"auth\": \"cmlnaHQ6d3Jvbmc=\"}}}}}}",
            registry.host()
        ),
    );
    let mut command = project.command(&[]);
    command.env("DOCKER_CONFIG", project.dir().join("docker"));
    Run::of(&mut command).fails_with(&["Dockerfile:1:6", &registry.host()]);
}

#[test]
fn arguments_are_checked_first() {
    let project = Project::new("FROM scratch\nCOPY x /\n");
    project.build(&["--push"]).fails_with(&["a push needs a name"]);
    project.build(&["-t", "UPPER"]).fails_with(&["UPPER"]);
    project.build(&["--target", "none"]).fails_with(&["no stage 'none'"]);
    project.build(&["--output", "type=floppy,dest=a"]).fails_with(&["type=floppy"]);
    project.build(&["-f", "missing"]).fails_with(&["missing"]);
    let mut command = std::process::Command::new(MLINT);
    Run::of(command.args(["build", "/no/such/dir"])).fails_with(&["/no/such/dir"]);
    let mut command = std::process::Command::new(MLINT);
    let cache = project.cache();
    Run::of(command.args(["verify", "127.0.0.1:1/x"]).env("MLINT_CACHE_DIR", cache))
        .fails_with(&["can't reach"]);
}

#[test]
fn a_full_disk_is_named() {
    let project = Project::new("FROM scratch\nCOPY big /\n");
    // Random enough not to shrink.
    let mut state = 1u64;
    let noise: Vec<u8> = (0..4 << 20)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    project.file("big", noise);
    let script = "mount -t tmpfs -o size=1m none \"$1\" && shift && exec \"$@\"";
    let cache = project.beside("small");
    std::fs::create_dir(&cache).unwrap();
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(&cache).arg(MLINT);
    command.args(["build", "--platforms", "linux/amd64", "--cache-dir"]).arg(&cache);
    command.arg(project.dir());
    Run::of(&mut command).fails_with(&["no space left", &cache.display().to_string()]);
}
