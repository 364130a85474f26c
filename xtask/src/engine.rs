//! A real Docker engine from Debian's packages, unpacked beside the system, on a socket of its own.
//!
//! It is only here to be somebody else: it pulls what mlint pushed, and runs it; and it builds what
//! mlint builds, to be compared.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::apt::{self, Apt};
use crate::{Error, Result, packages, paths, run};

/// The suite that the engine is taken from: the newest whose programs also run on the releases
/// before, for a BuildKit that is not years old.
const SUITE: &str = "forky";

/// Changes with what is unpacked.
const RECIPE: &str = "2";

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    process: Child,
    programs: PathBuf,
    dir: tempfile::TempDir,
}

impl Engine {
    /// Why it can't run here, if so.
    pub fn obstacle() -> Option<String> {
        if !run::is_root() {
            return Some("a Docker engine needs root".to_owned());
        }
        run::which("runc").is_none().then(|| "runc is not installed".to_owned())
    }

    /// Downloads it where that is not yet done, starts it, and waits until it answers.
    pub fn start() -> Result<Self> {
        packages::program("runc")?;
        let programs = programs()?;
        let dir = tempfile::Builder::new()
            .prefix("mlint-engine-")
            .tempdir()
            .map_err(Error::file(std::env::temp_dir()))?;
        let at = |name: &str| dir.path().join(name);
        fs::write(
            at("daemon.json"),
            r#"{"features": {"containerd-snapshotter": true}, "insecure-registries": ["127.0.0.0/8"]}"#,
        )
        .map_err(Error::file(at("daemon.json")))?;
        // The command looks for its plugins beside its configuration.
        fs::create_dir(at("cli-plugins")).map_err(Error::file(at("cli-plugins")))?;
        let plugin = at("cli-plugins/docker-buildx");
        symlink(programs.join("usr/libexec/docker/cli-plugins/docker-buildx"), &plugin)
            .map_err(Error::file(&plugin))?;
        let log = fs::File::create(at("log")).map_err(Error::file(at("log")))?;
        let log_too = log.try_clone().map_err(Error::file(at("log")))?;
        let path = format!(
            "{0}/usr/sbin:{0}/usr/bin:{1}",
            programs.display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut command = Command::new(programs.join("usr/sbin/dockerd"));
        command
            .arg("--config-file")
            .arg(at("daemon.json"))
            .arg("--host")
            .arg(format!("unix://{}", at("sock").display()))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("pid"))
            // Nothing of the machine's network is touched: containers run without one.
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"])
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(log_too);
        let process = command
            .spawn()
            .map_err(|source| Error::Start { command: run::line(&command), source })?;
        let engine = Self { process, programs, dir };
        let up = run::wait_until(Duration::from_secs(60), || {
            run::output(engine.docker().arg("version")).is_ok_and(|out| out.status.success())
        });
        match up {
            true => Ok(engine),
            false => Err(Error::NotUp {
                part: "dockerd",
                seconds: 60,
                log: fs::read_to_string(engine.dir.path().join("log")).unwrap_or_default(),
            }),
        }
    }

    /// The `docker` command, pointed at this engine.
    pub fn docker(&self) -> Command {
        let mut command = Command::new(self.programs.join("usr/bin/docker"));
        command
            .env("DOCKER_HOST", format!("unix://{}", self.dir.path().join("sock").display()))
            .env("DOCKER_CONFIG", self.dir.path());
        command
    }

    /// Its version, as it says itself.
    pub fn version(&self) -> Result<String> {
        let text = run::quiet(self.docker().args(["version", "--format", "{{.Server.Version}}"]))?;
        Ok(text.trim().to_owned())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // A polite end lets it stop its containerd and take its mounts away.
        if let Some(pid) = rustix::process::Pid::from_raw(self.process.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let process = &mut self.process;
        if !run::wait_until(Duration::from_secs(20), || matches!(process.try_wait(), Ok(Some(_)))) {
            let _ = process.kill();
            let _ = process.wait();
        }
        unmount_below(self.dir.path());
    }
}

fn programs() -> Result<PathBuf> {
    let root = paths::cache().join("engine").join(format!("{SUITE}-v{RECIPE}"));
    if root.join("complete").exists() {
        return Ok(root);
    }
    fs::create_dir_all(&root).map_err(Error::file(&root))?;
    Apt::open(SUITE, apt::native_arch())?
        .unpack(&["docker.io", "docker-cli", "containerd", "tini", "docker-buildx"], &root)?;
    fs::write(root.join("complete"), "").map_err(Error::file(&root))?;
    Ok(root)
}

/// Takes away the mounts below a directory, the deepest first.
fn unmount_below(dir: &Path) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut below: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|target| Path::new(target).starts_with(dir))
        .collect();
    below.sort_by_key(|target| std::cmp::Reverse(target.len()));
    for target in below {
        let _ = rustix::mount::unmount(target, rustix::mount::UnmountFlags::DETACH);
    }
}

/// An emulator registered on this machine, as the Docker engine needs it to run a foreign image, and
/// taken away with the value. mlint itself does without.
#[derive(Debug)]
pub struct HostEmulator {
    name: String,
    mounted: bool,
}

const BINFMT: &str = "/proc/sys/fs/binfmt_misc";

impl HostEmulator {
    /// Registers qemu for arm64, unless this machine runs arm64 programs already.
    pub fn arm64() -> Result<Option<Self>> {
        let probe = crate::rootfs::static_program("busybox-static", "bin/busybox", "arm64")?;
        let runs = |probe: &Path| {
            Command::new(probe).arg("true").output().is_ok_and(|out| out.status.success())
        };
        if runs(&probe) {
            return Ok(None);
        }
        let qemu = packages::program("qemu-aarch64-static")?;
        let mounted = !Path::new(BINFMT).join("register").exists();
        if mounted {
            run::quiet(Command::new("mount").args(["-t", "binfmt_misc", "binfmt_misc", BINFMT]))?;
        }
        let emulator = Self { name: format!("mlint-e2e-{}", std::process::id()), mounted };
        // The ELF header of a 64-bit little-endian executable or shared object for machine 183. The
        // flags: keep argv[0] (P), use the program's credentials (C), open qemu now (F), so that it
        // works inside any root.
        let line = format!(
            ":{}:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\
             \\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:{}:FPC",
            emulator.name,
            qemu.display()
        );
        let register = Path::new(BINFMT).join("register");
        fs::write(&register, line).map_err(Error::file(&register))?;
        match runs(&probe) {
            true => Ok(Some(emulator)),
            false => Err(Error::unexpected("an arm64 program", "runs through qemu", "does not")),
        }
    }
}

impl Drop for HostEmulator {
    fn drop(&mut self) {
        let _ = fs::write(Path::new(BINFMT).join(&self.name), "-1");
        if self.mounted {
            let _ = run::output(Command::new("umount").arg(BINFMT));
        }
    }
}
