//! A private apt: packages of any architecture and suite are downloaded and unpacked beside the
//! system, whose own package lists and foreign architectures stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result, paths, run};

/// One suite for one architecture.
#[derive(Clone, Debug)]
pub struct Apt {
    dir: PathBuf,
    arch: String,
}

/// The suite of the base images: the current stable's predecessor is what most images still use,
/// and mmdebstrap on any Debian since can make it.
pub const SUITE: &str = "bookworm";

impl Apt {
    /// Opens (and the first time fills) the package lists of `suite` for `arch`.
    pub fn open(suite: &str, arch: &str) -> Result<Self> {
        let dir = paths::cache().join("apt").join(format!("{suite}-{arch}"));
        for sub in ["lists/partial", "cache/archives/partial", "debs"] {
            fs::create_dir_all(dir.join(sub)).map_err(Error::file(dir.join(sub)))?;
        }
        let write = |name: &str, text: String| {
            fs::write(dir.join(name), text).map_err(Error::file(dir.join(name)))
        };
        write("status", String::new())?;
        write("sources.list", format!("{}\n", source_line(suite)?))?;
        let apt = Self { dir, arch: arch.to_owned() };
        if !apt.dir.join("updated").exists() {
            run::quiet(apt.get().args(["-qq", "update"]))?;
            fs::write(apt.dir.join("updated"), "").map_err(Error::file(&apt.dir))?;
        }
        Ok(apt)
    }

    /// Downloads packages (kept between runs) and unpacks them into `root`.
    pub fn unpack(&self, packages: &[&str], root: &Path) -> Result<()> {
        for package in packages {
            run::quiet(
                Command::new("dpkg-deb").arg("--extract").arg(self.deb(package)?).arg(root),
            )?;
        }
        Ok(())
    }

    /// The downloaded file of a package.
    fn deb(&self, package: &str) -> Result<PathBuf> {
        let dir = self.dir.join("debs").join(package);
        if let Some(deb) = only_deb(&dir) {
            return Ok(deb);
        }
        fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
        let mut download = self.get();
        download.args(["-qq", "download", package]).current_dir(&dir);
        if run::quiet(&mut download).is_err() {
            // The lists may be older than the archive: the file they name is gone.
            run::quiet(self.get().args(["-qq", "update"]))?;
            run::quiet(&mut download)?;
        }
        only_deb(&dir).ok_or_else(|| {
            Error::unexpected(format!("the download of {package}"), "one .deb", "none")
        })
    }

    fn get(&self) -> Command {
        let mut command = Command::new("apt-get");
        let mut option = |name: &str, value: &std::ffi::OsStr| {
            let mut word = std::ffi::OsString::from(format!("{name}="));
            word.push(value);
            command.arg("-o").arg(word);
        };
        option("APT::Architecture", self.arch.as_ref());
        option("APT::Architectures", self.arch.as_ref());
        option("APT::Sandbox::User", "root".as_ref());
        option("Dir::Etc::sourcelist", self.dir.join("sources.list").as_ref());
        option("Dir::Etc::sourceparts", "-".as_ref());
        option("Dir::State::lists", self.dir.join("lists").as_ref());
        option("Dir::State::status", self.dir.join("status").as_ref());
        option("Dir::Cache", self.dir.join("cache").as_ref());
        command
    }
}

fn only_deb(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
}

/// The archive that this machine uses.
pub fn mirror() -> Result<String> {
    let targets = run::quiet(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(REPO_URI) $(LABEL)",
        "Created-By: Packages",
    ]))?;
    let debian = targets.lines().filter_map(|line| line.split_once(' '));
    let mut debian = debian.filter(|(_, label)| *label == "Debian").map(|(uri, _)| uri);
    let found = debian.next().map(str::to_owned);
    found.ok_or_else(|| Error::unexpected("apt's sources", "an archive of Debian's", "none"))
}

fn source_line(suite: &str) -> Result<String> {
    let key = "/usr/share/keyrings/debian-archive-keyring.gpg";
    Ok(format!("deb [signed-by={key}] {} {suite} main", mirror()?))
}

/// Debian's name for the machine that we run on.
pub fn native_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
