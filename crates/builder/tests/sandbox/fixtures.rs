//! Root file systems to run steps in, and the ordinary user to run them as.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use mlint_builder::sandbox::{
    Session,
    safe_fs::Root,
    step::{self, HOSTNAME, Ids, Network, RunSpec, ShadowFile, StepResult, Stream},
};
use serde::{Deserialize, Serialize};

use crate::{Outcome, Trouble, host, this_executable};

/// The user that the tests make for themselves.
const USER: &str = "mlint-test";

/// What the cases work on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fixture {
    /// The builder's cache directory.
    pub cache: PathBuf,
    /// A layer with busybox for this machine.
    pub native: PathBuf,
    /// The same for arm64, or why there is none.
    pub arm64: Result<PathBuf, String>,
    base: PathBuf,
}

impl Fixture {
    /// Makes a directory of its own with all of it.
    pub fn prepare() -> Result<Self, Trouble> {
        let base = std::env::temp_dir().join(format!("mlint-sandbox-{}", std::process::id()));
        let cache = base.join("cache");
        fs::create_dir_all(&cache)?;
        let native = base.join("native");
        let busybox = Path::new("/bin/busybox");
        if !busybox.exists() {
            return Err(Trouble::Fail("apt-get install busybox-static".to_owned()));
        }
        layer(&native, busybox, busybox)?;
        let arm64 = match foreign_busybox() {
            Ok(program) => {
                let path = base.join("arm64");
                layer(&path, &program, busybox)?;
                Ok(path)
            }
            Err(Trouble::Skip(why) | Trouble::Fail(why)) => Err(why),
        };
        Ok(Self { cache, native, arm64, base })
    }

    /// Removes it again.
    pub fn remove(&self) {
        if let Err(error) = fs::remove_dir_all(&self.base) {
            println!("{} is left: {error}", self.base.display());
        }
    }

    /// The arm64 layer, or the reason to skip.
    pub fn arm64(&self) -> Result<&Path, Trouble> {
        self.arm64.as_deref().map_err(|why| Trouble::Skip(why.clone()))
    }
}

/// A small root: busybox with its names, passwd and group.
fn layer(path: &Path, busybox: &Path, native_busybox: &Path) -> Outcome {
    for dir in ["bin", "etc", "tmp", "root"] {
        fs::create_dir_all(path.join(dir))?;
    }
    fs::copy(busybox, path.join("bin/busybox"))?;
    for name in host(Command::new(native_busybox).arg("--list"))?.lines() {
        if name != "busybox" {
            symlink("busybox", path.join("bin").join(name))?;
        }
    }
    fs::write(path.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:\n")?;
    fs::write(path.join("etc/group"), "root:x:0:\napp:x:1000:\nwheel:x:10:app\n")?;
    Ok(())
}

/// Debian's busybox for arm64. Downloaded once, into the build directory.
fn foreign_busybox() -> Result<PathBuf, Trouble> {
    let skip = |error: Trouble| match error {
        Trouble::Skip(why) | Trouble::Fail(why) => {
            Trouble::Skip(format!("no busybox-static for arm64: {why}"))
        }
    };
    let store = match std::env::var_os("MLINT_TEST_FIXTURES") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_TARGET_TMPDIR")).join("busybox-arm64"),
    };
    let program = store.join("bin/busybox");
    if !program.exists() {
        download(&store).map_err(skip)?;
    }
    if program.exists() {
        Ok(program)
    } else {
        Err(Trouble::Skip("the package for arm64 holds no bin/busybox".to_owned()))
    }
}

/// With package lists of its own, so that the machine's are left alone.
fn download(store: &Path) -> Outcome {
    let work = store.with_extension(std::process::id().to_string());
    fs::create_dir_all(work.join("lists/partial"))?;
    fs::create_dir_all(work.join("cache/archives/partial"))?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.current_dir(&work).arg("-qq");
        for option in [
            format!("Dir::State::Lists={}/lists", work.display()),
            format!("Dir::Cache={}/cache", work.display()),
            "APT::Architecture=arm64".to_owned(),
            "APT::Architectures=arm64".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        host(command.args(arguments))
    };
    apt(&["update"])?;
    apt(&["download", "busybox-static"])?;
    let package = fs::read_dir(&work)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .ok_or("apt-get downloaded nothing")?;
    host(Command::new("dpkg-deb").arg("-x").arg(package).arg(work.join("root")))?;
    match fs::rename(work.join("root"), store) {
        Ok(()) => {}
        // Another run was faster.
        Err(_) if store.exists() => {}
        Err(error) => return Err(error.into()),
    }
    let _ = fs::remove_dir_all(work);
    Ok(())
}

/// Runs the cases again as an ordinary user. False when one failed.
pub fn again_as_user(filters: &[String]) -> bool {
    match as_user(filters) {
        Ok(good) => good,
        Err(Trouble::Skip(why)) => {
            println!("SKIP all cases as an ordinary user: {why}");
            true
        }
        Err(Trouble::Fail(why)) => {
            println!("the cases as an ordinary user FAILED to start: {why}");
            false
        }
    }
}

fn as_user(filters: &[String]) -> Result<bool, Trouble> {
    make_user()?;
    // The build directory may be closed to others: run a copy.
    let dir = tempfile::Builder::new().prefix("mlint-as-user-").tempdir()?;
    host(Command::new("chmod").arg("755").arg(dir.path()))?;
    let program = dir.path().join("sandbox");
    fs::copy(this_executable()?, &program)?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--reset-env"]);
    if let Ok(foreign) = foreign_busybox() {
        let copy = dir.path().join("fixtures");
        fs::create_dir_all(copy.join("bin"))?;
        fs::copy(foreign, copy.join("bin/busybox"))?;
        command.args(["env", &format!("MLINT_TEST_FIXTURES={}", copy.display())]);
    }
    let status = command.arg(&program).arg("--as-user").args(filters).status()?;
    Ok(status.success())
}

fn make_user() -> Outcome {
    let known = |file: &str| {
        fs::read_to_string(file)
            .unwrap_or_default()
            .lines()
            .any(|line| line.starts_with(&format!("{USER}:")))
    };
    if !known("/etc/passwd") {
        host(Command::new("useradd").args(["--no-create-home", "--shell", "/bin/sh", USER]))
            .map_err(|error| Trouble::Skip(format!("no user can be made: {error:?}")))?;
    }
    if !known("/etc/subuid") || !known("/etc/subgid") {
        let range = "2000000-2065535";
        host(Command::new("usermod").args(["--add-subuids", range, "--add-subgids", range, USER]))?;
    }
    Ok(())
}

/// Makes the session remove what the cases made.
pub const CLEAN: &str = "clean";

/// Removes the directories of all cases.
pub fn clean(session: &Session) -> Outcome {
    let cache = Root::open(session.cache_dir())?;
    for name in cache.read_dir("/")? {
        if name.to_string_lossy().starts_with("case-") {
            cache.remove_all(&name)?;
        }
    }
    Ok(())
}

/// A fresh upper and work directory.
pub fn scratch_pair(session: &Session) -> Result<(PathBuf, PathBuf), Trouble> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let base = session.cache_dir().join(format!("case-{}-{number}", std::process::id()));
    let (upper, work) = (base.join("upper"), base.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    Ok((upper, work))
}

/// A step that runs a shell line as root over one layer.
pub fn shell(session: &Session, layer: &Path, line: &str) -> Result<RunSpec, Trouble> {
    let (upper, work) = scratch_pair(session)?;
    Ok(RunSpec {
        lower: vec![layer.to_owned()],
        upper,
        work,
        mounts: Vec::new(),
        shadow: vec![ShadowFile::hosts(HOSTNAME, &[]), ShadowFile::resolv_conf()],
        argv: ["/bin/sh", "-c", line].map(str::to_owned).to_vec(),
        env: vec![("PATH".to_owned(), step::DEFAULT_PATH.to_owned())],
        cwd: "/".to_owned(),
        user: Ids::default(),
        hostname: HOSTNAME.to_owned(),
        network: Network::Host,
        shm_size: None,
        limits: Vec::new(),
    })
}

/// What a step gave.
pub struct Ran {
    pub result: StepResult,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a step and collects its output.
pub fn run(session: &Session, spec: &RunSpec) -> Result<Ran, step::StepError> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let result =
        step::run(session, spec, session.cancel(), None, &mut |stream, bytes| match stream {
            Stream::Stdout => stdout.extend_from_slice(bytes),
            Stream::Stderr => stderr.extend_from_slice(bytes),
        })?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ran { result, stdout: text(stdout), stderr: text(stderr) })
}

/// Runs a shell line as root and gives its standard output; it must succeed.
pub fn sh(session: &Session, layer: &Path, line: &str) -> Result<String, Trouble> {
    let ran = run(session, &shell(session, layer, line)?)?;
    crate::ensure!(
        ran.result.status.success(),
        "`{line}` ended with {:?}: {}{}",
        ran.result.status,
        ran.stdout,
        ran.stderr
    );
    Ok(ran.stdout)
}
