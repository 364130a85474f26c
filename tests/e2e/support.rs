//! A place to work in: a registry with a base image, a file server, a project, and a look at what
//! is left.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use xtask::files::Files;
use xtask::mlint::Mlint;
use xtask::registry::Registry;
use xtask::rootfs::{self, Kind};
use xtask::run;

/// All of it; gone with the value.
pub struct Place {
    pub registry: Registry,
    pub files: Files,
    pub mlint: Mlint,
    work: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Place {
    /// With `busybox:1.35` in the registry, and tini for both architectures on the file server.
    pub fn new() -> Self {
        Self::at(Registry::start().expect("a registry (`cargo xtask setup` installs it)"))
    }

    pub fn at(registry: Registry) -> Self {
        let work = tempfile::tempdir().unwrap();
        for dir in ["home", "project", "served/tini"] {
            fs::create_dir_all(work.path().join(dir)).unwrap();
        }
        for arch in rootfs::ARCHES {
            let tini = rootfs::static_program("tini", "usr/bin/tini-static", arch).unwrap();
            fs::copy(tini, work.path().join(format!("served/tini/tini-{arch}"))).unwrap();
        }
        let files = Files::serve(&work.path().join("served")).unwrap();
        let mlint =
            Mlint { program: env!("CARGO_BIN_EXE_mlint").into(), home: work.path().join("home") };
        Self { registry, files, mlint, work }
    }

    /// Pushes the base image.
    pub fn with_base(self) -> Self {
        let bases = self.work.path().join("bases");
        let host = self.registry.host();
        run::quiet(&mut self.mlint.base_image(Kind::Busybox, &host, &bases).unwrap()).unwrap();
        self
    }

    /// The project's directory.
    pub fn project(&self) -> PathBuf {
        self.work.path().join("project")
    }

    /// Writes a file of the project; `REGISTRY` and `FILES` in it become the addresses.
    pub fn write(&self, name: &str, text: &str) {
        let text = text.replace("REGISTRY", &self.registry.host());
        fs::write(self.project().join(name), text.replace("FILES", &self.files.url())).unwrap();
    }

    /// `mlint` in the project's directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.mlint.command(&self.project(), arguments);
        command.env("NO_COLOR", "1");
        command
    }

    pub fn mlint(&self, arguments: &[&str]) -> Said {
        said(&mut self.command(arguments))
    }

    /// No mount and no process of ours is left, and nothing half-written is in the cache.
    #[track_caller]
    pub fn assert_clean(&self) {
        let home = self.work.path().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        assert!(!mounts.contains(&home), "a mount is left:\n{mounts}");
        let ours = || -> Vec<String> {
            let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
            processes
                .filter(|path| path.join("environ").exists())
                .filter(|path| {
                    // What mlint started has its environment, or sees its mounts.
                    ["environ", "mountinfo"].iter().any(|file| {
                        let text = fs::read(path.join(file)).unwrap_or_default();
                        String::from_utf8_lossy(&text).contains(&home)
                    })
                })
                .map(|path| fs::read_to_string(path.join("cmdline")).unwrap_or_default())
                .collect()
        };
        let gone = run::wait_until(std::time::Duration::from_secs(10), || ours().is_empty());
        assert!(gone, "processes are left: {:?}", ours());
    }

    /// Files in the cache that were being written.
    pub fn half_written(&self) -> Vec<PathBuf> {
        let tmp = self.mlint.home.join("cache/mlint/v2/tmp");
        let Ok(entries) = fs::read_dir(tmp) else { return Vec::new() };
        entries.flatten().map(|entry| entry.path()).collect()
    }
}

pub fn said(command: &mut Command) -> Said {
    let out = run::output(command).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: out.status.code(), out: text(&out.stdout), err: text(&out.stderr) }
}

impl Said {
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    /// Exit 2 and a message with each of these words.
    #[track_caller]
    pub fn refuses(self, words: &[&str]) -> Self {
        let said = self.ends_with(2);
        // However the lines are broken.
        let one_line = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(one_line.contains(word), "nothing about '{word}':\n{}", said.err);
        }
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }
}
