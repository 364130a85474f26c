//! `cargo xtask setup`: the Debian packages that the demo and the tests need.

use std::process::Command;

use crate::run::{self, which};
use crate::{Error, Result};

/// A program that a part needs, and the package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// The program.
    pub program: &'static str,
    /// Debian's package.
    pub package: &'static str,
    /// What it is for.
    pub purpose: &'static str,
}

/// Everything, in the order in which it is explained.
pub const NEEDS: &[Need] = &[
    Need { program: "cc", package: "gcc", purpose: "compiling and linking mlint" },
    Need { program: "docker-registry", package: "docker-registry", purpose: "a real registry" },
    Need {
        program: "skopeo",
        package: "skopeo",
        purpose: "an independent reader of what was pushed",
    },
    Need {
        program: "qemu-aarch64-static",
        package: "qemu-user-static",
        purpose: "arm64 steps on this machine",
    },
    Need { program: "buildah", package: "buildah", purpose: "another reader of what was built" },
    Need { program: "mmdebstrap", package: "mmdebstrap", purpose: "Debian base images" },
    Need {
        program: "busybox",
        package: "busybox-static",
        purpose: "the root file system of the sandbox's tests",
    },
    Need { program: "newuidmap", package: "uidmap", purpose: "rootless builds" },
    Need { program: "git", package: "git", purpose: "repositories that builds take files from" },
    Need { program: "ssh-keygen", package: "openssh-client", purpose: "keys for an ssh agent" },
    Need { program: "htpasswd", package: "apache2-utils", purpose: "a registry with a password" },
    Need {
        program: "runc",
        package: "runc",
        purpose: "the Docker engine that runs what was pushed",
    },
    Need {
        program: "unshare",
        package: "util-linux",
        purpose: "making base images off to the side",
    },
];

/// Files, not programs, that are needed too.
const FILES: &[(&str, &str)] = &[
    ("/usr/include/stdio.h", "libc6-dev"),
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
    ("/etc/ssl/certs/ca-certificates.crt", "ca-certificates"),
];

/// The packages that are missing here.
pub fn missing() -> Vec<String> {
    let programs =
        NEEDS.iter().filter(|need| which(need.program).is_none()).map(|need| need.package);
    let files = FILES.iter().filter(|(file, _)| !std::path::Path::new(file).exists()).map(|f| f.1);
    programs.chain(files).map(str::to_owned).collect()
}

/// The path of a program, or an error that says how to get it.
pub fn program(name: &str) -> Result<std::path::PathBuf> {
    which(name).ok_or_else(|| {
        let package =
            NEEDS.iter().find(|need| need.program == name).map_or(name, |need| need.package);
        Error::MissingProgram { program: name.to_owned(), package: package.to_owned() }
    })
}

/// Installs what is missing, as root on Debian; else says what is missing.
pub fn install() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        println!("packages: all there");
        return Ok(());
    }
    if !run::is_root() || which("apt-get").is_none() {
        return Err(Error::MissingPackages(missing));
    }
    println!("packages: installing {}", missing.join(" "));
    apt_get().args(["-qq", "update"]).quiet()?;
    apt_get()
        .args(["-qq", "install", "--no-install-recommends", "--yes"])
        .args(&missing)
        .quiet()?;
    // The packages start a registry of their own on port 5000; the tests start theirs when needed.
    if missing.iter().any(|package| package == "docker-registry") && which("systemctl").is_some() {
        let _ =
            run::output(Command::new("systemctl").args(["disable", "--now", "docker-registry"]));
    }
    match self::missing() {
        still if still.is_empty() => Ok(()),
        still => Err(Error::MissingPackages(still)),
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

trait Quiet {
    fn quiet(&mut self) -> Result<()>;
}

impl Quiet for Command {
    fn quiet(&mut self) -> Result<()> {
        run::quiet(self).map(drop)
    }
}
