//! A real Docker engine pulls what mlint pushed, and runs both platforms' images. A test binary of
//! its own: for as long as it runs, an emulator is registered on this host, and other tests look
//! that none is.

use std::io::Write;
use std::path::Path;

use xtask::engine::{Engine, HostEmulator};
use xtask::mlint::Mlint;
use xtask::registry::Registry;
use xtask::rootfs::Kind;
use xtask::{run, suite};

/// Says why a test was not run, on the terminal and in the log of `cargo xtask test`.
fn skip(test: &str, why: &str) {
    let line = format!("{test}: {why}\n");
    std::io::stderr().write_all(format!("skipped {line}").as_bytes()).unwrap();
    if let Some(log) = std::env::var_os(suite::SKIP_LOG) {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
        file.and_then(|mut file| file.write_all(line.as_bytes())).unwrap();
    }
}

const DOCKERFILE: &str = r#"FROM REGISTRY/busybox:1.35
ARG TARGETARCH
ENV BUILT_FOR=$TARGETARCH
WORKDIR /srv/app
COPY --chown=1000:1000 --chmod=640 data.txt .
RUN uname -m > machine && mkdir -m 700 own && chown 1000 own && rm /etc/group && ln -s data.txt link
USER 1000
LABEL org.example.purpose="a test"
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["uname -m; cat machine; echo $BUILT_FOR; pwd; id -u; stat -c '%a %u:%g' data.txt own; ls /etc; cat link"]
"#;

#[test]
fn it_pulls_and_runs_both_platforms() {
    if let Some(obstacle) = Engine::obstacle() {
        return skip("it_pulls_and_runs_both_platforms", &obstacle);
    }
    let registry = Registry::start().unwrap();
    let work = tempfile::tempdir().unwrap();
    let mlint =
        Mlint { program: env!("CARGO_BIN_EXE_mlint").into(), home: work.path().join("home") };
    let host = registry.host();
    let bases = work.path().join("bases");
    run::quiet(&mut mlint.base_image(Kind::Busybox, &host, &bases).unwrap()).unwrap();
    let project = work.path().join("project");
    std::fs::create_dir(&project).unwrap();
    std::fs::write(project.join("Dockerfile"), DOCKERFILE.replace("REGISTRY", &host)).unwrap();
    std::fs::write(project.join("data.txt"), "hello\n").unwrap();
    let name = format!("{host}/app:1");
    for compression in ["gzip", "zstd"] {
        let arguments = ["build", "--platforms", "linux/amd64,linux/arm64", "-t", &name, "--push"];
        let mut build = mlint.command(&project, arguments);
        let archive = work.path().join(format!("{compression}.tar"));
        build.arg("--output").arg(format!("type=docker,dest={}", archive.display()));
        run::quiet(build.args(["--compression", compression])).unwrap();

        let engine = Engine::start().unwrap();
        let _emulator = HostEmulator::arm64().unwrap();
        for (arch, machine) in [("amd64", "x86_64"), ("arm64", "aarch64")] {
            let platform = format!("linux/{arch}");
            let expected = format!(
                "{machine}\n{machine}\n{arch}\n/srv/app\n1000\n640 1000:1000\n700 1000:0\n\
                 hostname\nhosts\npasswd\nresolv.conf\nhello\n"
            );
            let archive = work.path().join(format!("{compression}-linux_{arch}.tar"));
            run::quiet(engine.docker().args(["load", "--input"]).arg(&archive)).unwrap();
            // What was loaded, and then what was pushed.
            for pull in ["--pull=never", "--pull=always"] {
                let mut docker = engine.docker();
                docker.args(["run", "--rm", pull, "--quiet", "--network=none"]);
                let text = run::quiet(docker.args(["--platform", &platform, &name])).unwrap();
                // The engine adds mtab itself on some versions.
                let text = text.replace("mtab\n", "");
                assert_eq!(text, expected, "{platform}, {compression}, {pull}");
            }
        }
        // Of both platforms, the engine gets its own.
        let docker = engine.docker();
        let programs = Path::new(docker.get_program()).parent().unwrap().display().to_string();
        let mut build = mlint.command(&project, ["build", "--load", "-t", "loaded:1"]);
        build.env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()));
        build.env_remove("DOCKER_HOST").envs(docker.get_envs().filter_map(|(k, v)| Some((k, v?))));
        let output = build.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("Loaded image: loaded:1"), "{said}");
        let mut docker = engine.docker();
        let text = run::quiet(docker.args(["run", "--rm", "--network=none", "loaded:1"])).unwrap();
        assert!(text.starts_with("x86_64\n"), "{text}");
    }
}
