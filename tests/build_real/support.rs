//! What the tests share.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value;
use xtask::{
    registry::Registry,
    rootfs::{self, Kind},
};

/// The program under test.
pub const MLINT: &str = env!("CARGO_BIN_EXE_mlint");

/// A registry with the base image `busybox:1` for both architectures.
pub struct World {
    pub registry: Registry,
}

/// The registry of all tests. The process's end is its own; `docker-registry` dies with it.
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let registry = Registry::start().expect("a registry (cargo xtask setup installs it)");
        end_with_this_process(&registry);
        let world = World { registry };
        let parts = rootfs::make(Kind::Busybox).expect("busybox for both architectures");
        let project = Project::new(
            "FROM scratch\nARG TARGETARCH\nADD rootfs-$TARGETARCH.tar /\nCMD [\"/bin/sh\"]\n",
        );
        for arch in ["amd64", "arm64"] {
            let name = format!("rootfs-{arch}.tar");
            fs::copy(parts.join(&name), project.dir().join(&name)).unwrap();
        }
        let name = world.name("busybox:1");
        project.build(&["-t", &name, "--push"]).succeeds();
        world
    })
}

/// A static is never dropped: a watcher ends the registry when this process is gone.
fn end_with_this_process(registry: &Registry) {
    let script = "while kill -0 $0 2>/dev/null; do sleep 0.2; done; \
                  for p in /proc/[0-9]*; do \
                  tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -q \"serve $1/\" && kill ${p#/proc/}; \
                  done; rm -rf \"$1\"";
    let watcher = Command::new("sh")
        .args(["-c", script, &std::process::id().to_string()])
        .arg(registry.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    // It outlives this process: nobody waits for it.
    std::mem::forget(watcher);
}

impl World {
    /// The full name of an image in this registry.
    pub fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.registry.host())
    }

    /// What skopeo says of an image's config on an architecture.
    pub fn config(&self, image: &str, arch: &str) -> Value {
        let name = format!("docker://{}", self.name(image));
        let text = run(Command::new("skopeo").args([
            "inspect",
            "--tls-verify=false",
            "--override-arch",
            arch,
            "--config",
            &name,
        ]));
        serde_json::from_str(&text).expect("JSON of skopeo")
    }

    /// The manifest or index, as it is.
    pub fn raw(&self, image: &str) -> Value {
        let name = format!("docker://{}", self.name(image));
        let text =
            run(Command::new("skopeo").args(["inspect", "--tls-verify=false", "--raw", &name]));
        serde_json::from_str(&text).expect("JSON of skopeo")
    }

    /// The image's layers, unpacked by skopeo and tar one over the other (whiteouts stay files).
    pub fn layers(&self, image: &str, arch: &str) -> Vec<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let from = format!("docker://{}", self.name(image));
        let to = format!("dir:{}", dir.path().display());
        run(Command::new("skopeo").args(["copy", "--quiet", "--src-tls-verify=false"]).args([
            "--override-arch",
            arch,
            &from,
            &to,
        ]));
        let manifest: Value =
            serde_json::from_slice(&fs::read(dir.path().join("manifest.json")).unwrap()).unwrap();
        let digests = manifest["layers"].as_array().unwrap().iter();
        digests
            .map(|layer| {
                let hex = layer["digest"].as_str().unwrap().trim_start_matches("sha256:");
                let list = run(Command::new("tar").arg("-tzf").arg(dir.path().join(hex)));
                list.lines().map(str::to_owned).collect()
            })
            .collect()
    }
}

/// Runs a program of the set-up; what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("a program of the set-up");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A build context with a cache of its own.
pub struct Project {
    root: tempfile::TempDir,
}

impl Project {
    /// With this Dockerfile; `BASE` in it is the base image's full name.
    pub fn new(dockerfile: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let project = Self { root };
        fs::create_dir(project.dir()).unwrap();
        project.dockerfile(dockerfile);
        project
    }

    /// Replaces the Dockerfile.
    pub fn dockerfile(&self, text: &str) {
        let text = match text.contains("BASE") {
            true => text.replace("BASE", &world().name("busybox:1")),
            false => text.to_owned(),
        };
        fs::write(self.dir().join("Dockerfile"), text).unwrap();
    }

    /// The context.
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("context")
    }

    /// The cache.
    pub fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    /// A path beside the context.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Writes a file of the context.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.dir().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// The command that builds it for both platforms.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(MLINT);
        command.arg("build").arg(".").args(args);
        if !args.contains(&"--progress") && !args.contains(&"--quiet") {
            command.args(["--progress", "plain"]);
        }
        if !args.iter().any(|a| a.starts_with("--platform")) {
            command.args(["--platforms", "linux/amd64,linux/arm64"]);
        }
        command.current_dir(self.dir()).env("MLINT_CACHE_DIR", self.cache());
        command
    }

    /// Builds it for both platforms.
    pub fn build(&self, args: &[&str]) -> Run {
        Run::of(&mut self.command(args))
    }
}

/// What a run of the program gave.
pub struct Run {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// Runs a command.
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().expect("mlint");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Self { status: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// It must have succeeded.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.status, Some(0), "{}\n{}", self.out, self.err);
        self
    }

    /// It must have failed, saying all of these.
    #[track_caller]
    pub fn fails_with(self, words: &[&str]) -> Self {
        assert_eq!(self.status, Some(2), "{}\n{}", self.out, self.err);
        // However the lines are broken.
        let said: Vec<&str> = self.err.split_whitespace().collect();
        let said = said.join(" ");
        for word in words {
            assert!(said.contains(word), "'{word}' is missing in:\n{}", self.err);
        }
        self
    }
}

/// Everything below a directory, as `name`, `name/` or `name -> target`, sorted.
pub fn listing(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            let name = entry.path().strip_prefix(dir).unwrap().display().to_string();
            let kind = entry.file_type().unwrap();
            out.push(if kind.is_dir() {
                todo.push(entry.path());
                format!("{name}/")
            } else if kind.is_symlink() {
                format!("{name} -> {}", fs::read_link(entry.path()).unwrap().display())
            } else {
                name
            });
        }
    }
    out.sort();
    out
}
