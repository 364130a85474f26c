//! What can't be done: said with its place, exit 2, nothing moved and nothing left.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use xtask::registry::{Login, Registry};
use xtask::run;

use crate::support::{Place, said};

#[test]
fn a_failed_build_moves_no_tag() {
    let place = Place::new().with_base();
    let name = format!("{}/kept:1", place.registry.host());
    let build = ["build", "--push", "-t", &name];
    place.write("Dockerfile", "FROM REGISTRY/busybox:1.35\nRUN echo good > /state\n");
    place.mlint(&build).ends_with(0);
    let good = place.registry.digest("kept", "1").unwrap();

    // Only arm64 fails, after amd64 is done.
    place.write(
        "Dockerfile",
        "FROM REGISTRY/busybox:1.35\nRUN [ \"$(uname -m)\" = x86_64 ] || exit 7\n",
    );
    place.mlint(&build).refuses(&["Dockerfile:2:1", "exit status 7"]);
    assert_eq!(place.registry.digest("kept", "1"), Some(good.clone()));

    place.write("Dockerfile", "FROM REGISTRY/busybox:1.35\nCOPY missing /\n");
    place.mlint(&build).refuses(&["Dockerfile:2:", "missing"]);
    place.write("Dockerfile", "FROM REGISTRY/nothing:1.35\nRUN true\n");
    place.mlint(&build).refuses(&["Dockerfile:1:6", "nothing:1.35"]);
    assert_eq!(place.registry.digest("kept", "1"), Some(good));
    place.assert_clean();
}

#[test]
fn a_registry_that_is_not_there() {
    let place = Place::new().with_base();
    place.write("Dockerfile", "FROM REGISTRY/busybox:1.35\nRUN true\n");
    let gone = "127.0.0.1:1";
    place.mlint(&["build", "--push", "-t", &format!("{gone}/x:1")]).refuses(&[gone]);
    place.write("Dockerfile", &format!("FROM {gone}/x:1\nRUN true\n"));
    place.mlint(&["build"]).refuses(&["Dockerfile:1:6", gone]);
    place.mlint(&["verify", &format!("{gone}/x:1")]).refuses(&[gone]);
    place.assert_clean();
}

#[test]
fn a_registry_with_a_password() {
    let login = Login { user: "somebody", password: "the right one" };
    let place = Place::at(Registry::start_with_login(login).unwrap());
    let host = place.registry.host();
    let docker = place.mlint.home.join("docker");
    fs::create_dir(&docker).unwrap();
    let log_in = |base64: &str| {
        let json = format!(r#"{{"auths": {{"{host}": {{"auth": "{base64}"}}}}}}"#);
        fs::write(docker.join("config.json"), json).unwrap();
    };
    let name = format!("{host}/secret:1");
    place.write("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let push =
        || said(place.command(&["build", "--push", "-t", &name]).env("DOCKER_CONFIG", &docker));
    log_in("c29tZWJvZHk6YSB3cm9uZyBvbmU="); // somebody:a wrong one
    push().refuses(&[&host]);
    assert!(place.registry.tags("secret").is_empty());
    log_in("c29tZWJvZHk6dGhlIHJpZ2h0IG9uZQ=="); // somebody:the right one
    push().ends_with(0);
    assert_eq!(place.registry.tags("secret"), ["1"]);
    place.assert_clean();
}

#[test]
fn a_disk_that_is_full_leaves_no_half_output() {
    let place = Place::new().with_base();
    place.write("Dockerfile", "FROM REGISTRY/busybox:1.35\nRUN true\n");
    let small = place.project().join("small");
    fs::create_dir(&small).unwrap();
    // The cache has room, the place for the result has not.
    let script = "mount -t tmpfs -o size=256k none small && shift 0 && \"$@\"; code=$?; \
                  ls -A small | sed 's/^/left: /' >&2; exit $code";
    let output = format!("type=oci,dest={}", small.join("image.tar").display());
    let mlint = place.command(&["build", "--output", &output]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(mlint.get_program());
    command.args(mlint.get_args()).current_dir(place.project()).env("NO_COLOR", "1");
    for (name, value) in mlint.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let said = said(&mut command).refuses(&["no space left", "small/image"]);
    assert!(!said.err.contains("left: "), "{}", said.err);
    place.assert_clean();
}

#[test]
fn stopped_while_steps_run_on_both_platforms() {
    let place = Place::new().with_base();
    let mark = format!("mlint-e2e-{}", std::process::id());
    let steps = || {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let yes = processes.filter(|path| {
            let line = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
            line.contains(&mark)
        });
        yes.count()
    };
    place.write("Dockerfile", &format!("FROM REGISTRY/busybox:1.35\nRUN yes {mark} > /dev/null\n"));
    for signal in ["-INT", "-TERM", "-KILL"] {
        let name = format!("{}/stopped:1", place.registry.host());
        let mut child = place
            .command(&["build", "--push", "-t", &name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(run::wait_until(Duration::from_secs(30), || steps() == 2), "both steps run");
        let id = child.id().to_string();
        run::quiet(Command::new("kill").args([signal, &id])).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), if signal == "-KILL" { None } else { Some(2) });
        assert!(run::wait_until(Duration::from_secs(10), || steps() == 0), "{signal} ends them");
        assert!(place.registry.tags("stopped").is_empty());
        place.assert_clean();
    }
    place.write("Dockerfile", "FROM REGISTRY/busybox:1.35\nRUN true\n");
    place.mlint(&["build"]).ends_with(0);
    assert_eq!(place.half_written(), Vec::<std::path::PathBuf>::new(), "swept by the next build");
}
