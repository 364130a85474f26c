//! Root file systems for base images, for amd64 and arm64, from Debian's packages.
//!
//! Both architectures are made the same way and without emulation: busybox from its static package,
//! Debian by mmdebstrap in chrootless mode, where this machine's own programs configure the new tree.
//! Maintainer scripts that ignore that mode would touch this machine, so it runs where nothing but
//! its own directory is writable.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::{Apt, SUITE};
use crate::{Error, Result, packages, paths, run};

/// Changes when the way of making them does, so that older ones are not used.
const RECIPE: &str = "3";

/// The architectures, by Debian's and Docker's common name.
pub const ARCHES: [&str; 2] = ["amd64", "arm64"];

/// Which root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// busybox alone, 2 MB.
    Busybox,
    /// Debian's essential packages and apt.
    Debian,
    /// The same with gcc and the C library's headers.
    Gcc,
    /// The same with Go, for benches.
    Go,
}

impl Kind {
    /// Those that tests use, the quick one first.
    pub const ALL: [Self; 3] = [Self::Busybox, Self::Debian, Self::Gcc];

    /// The name of the image that is made of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Busybox => "busybox",
            Self::Debian => "debian",
            Self::Gcc => "gcc",
            Self::Go => "golang",
        }
    }

    /// The tag of that image.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Busybox => "1.35",
            Self::Debian => SUITE,
            Self::Gcc => "12",
            Self::Go => "1.19",
        }
    }

    fn dir(self) -> PathBuf {
        paths::cache().join("rootfs").join(format!("{}-{}-v{RECIPE}", self.name(), self.tag()))
    }
}

/// A directory with `rootfs-amd64.tar` and `rootfs-arm64.tar`, made now unless kept from before.
pub fn make(kind: Kind) -> Result<PathBuf> {
    let dir = kind.dir();
    fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
    for arch in ARCHES {
        let tar = dir.join(format!("rootfs-{arch}.tar"));
        if tar.exists() {
            continue;
        }
        // Another process may be making the same one: each works aside, the last rename wins.
        let aside = tempfile::Builder::new()
            .prefix("making-")
            .tempdir_in(&dir)
            .map_err(Error::file(&dir))?;
        let made = aside.path().join("rootfs.tar");
        match kind {
            Kind::Busybox => busybox(arch, aside.path(), &made)?,
            Kind::Debian => debian(arch, &[], aside.path(), &made)?,
            Kind::Gcc => debian(arch, &["gcc", "libc6-dev", "make"], aside.path(), &made)?,
            Kind::Go => debian(arch, &["golang-go"], aside.path(), &made)?,
        }
        fs::rename(&made, &tar).map_err(Error::file(&tar))?;
    }
    Ok(dir)
}

/// Whether it is there already.
pub fn is_made(kind: Kind) -> bool {
    ARCHES.iter().all(|arch| kind.dir().join(format!("rootfs-{arch}.tar")).exists())
}

/// The file of a static program from a Debian package, for `arch`.
pub fn static_program(package: &str, path: &str, arch: &str) -> Result<PathBuf> {
    let root = paths::cache().join("programs").join(format!("{package}-{arch}"));
    let file = root.join(path);
    if !file.exists() {
        fs::create_dir_all(&root).map_err(Error::file(&root))?;
        Apt::open(SUITE, arch)?.unpack(&[package], &root)?;
    }
    match file.exists() {
        true => Ok(file),
        false => Err(Error::unexpected(format!("package {package}"), path, "no such file")),
    }
}

fn busybox(arch: &str, aside: &Path, tar: &Path) -> Result<()> {
    let program = static_program("busybox-static", "bin/busybox", arch)?;
    // The applets are the same on every architecture, and only one of the two runs here.
    let native = static_program("busybox-static", "bin/busybox", crate::apt::native_arch())?;
    let applets = run::quiet(Command::new(native).arg("--list"))?;

    let root = aside.join("root");
    let dir = |name: &str, mode: u32| -> Result<()> {
        let path = root.join(name);
        fs::create_dir_all(&path).map_err(Error::file(&path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(Error::file(&path))
    };
    for name in ["", "bin", "etc", "home", "usr", "usr/bin", "var"] {
        dir(name, 0o755)?;
    }
    dir("root", 0o700)?;
    dir("tmp", 0o1777)?;
    let file = |name: &str, text: &str| {
        fs::write(root.join(name), text).map_err(Error::file(root.join(name)))
    };
    file(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    )?;
    file("etc/group", "root:x:0:\nnogroup:x:65534:\n")?;
    fs::copy(&program, root.join("bin/busybox")).map_err(Error::file(&program))?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        let link = root.join("bin").join(applet);
        std::os::unix::fs::symlink("busybox", &link).map_err(Error::file(&link))?;
    }
    file("usr/bin/.keep", "")?;
    fs::remove_file(root.join("usr/bin/.keep")).map_err(Error::file(&root))?;
    let env = root.join("usr/bin/env");
    std::os::unix::fs::symlink("../../bin/busybox", &env).map_err(Error::file(&env))?;
    pack(&root, tar)
}

/// Packs a tree as root's, in a fixed order and with a fixed time, so that the image has the same
/// digest on every machine.
fn pack(root: &Path, tar: &Path) -> Result<()> {
    run::quiet(
        Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-cf"])
            .arg(tar)
            .arg("-C")
            .arg(root)
            .arg("."),
    )
    .map(drop)
}

/// Everything but the directory in `$1` becomes read-only, then mmdebstrap runs.
const APART: &str = r#"
set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t tmpfs tmpfs /tmp
mount -o remount,bind,ro /
shift
exec mmdebstrap "$@"
"#;

fn debian(arch: &str, include: &[&str], aside: &Path, tar: &Path) -> Result<()> {
    packages::program("mmdebstrap")?;
    let aside = aside.canonicalize().map_err(Error::file(aside))?;
    let script = aside.join("apart.sh");
    let mut text = fs::File::create(&script).map_err(Error::file(&script))?;
    text.write_all(APART.as_bytes()).map_err(Error::file(&script))?;

    let mut command = Command::new("unshare");
    if !run::is_root() {
        command.args(["--user", "--map-root-user", "--map-auto"]);
    }
    command.arg("--mount").arg("sh").arg(&script).arg(&aside).args([
        "--quiet",
        "--mode=chrootless",
        "--variant=minbase",
        // No emulation is needed, so none is checked for; and what the warning about chrootless
        // mode is about is taken care of above.
        // Device nodes have no place in an image: who runs it brings its own.
        "--skip=check/qemu,check/chrootless,output/dev",
        "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",
    ]);
    command.arg(format!("--architectures={arch}"));
    if !include.is_empty() {
        command.arg(format!("--include={}", include.join(",")));
    }
    command.arg(SUITE).arg(tar.file_name().unwrap_or_default()).arg(crate::apt::mirror()?);
    // Newer times, those of this run, are cut to this one: the same packages give the same bytes.
    command.env("TMPDIR", &aside).env("SOURCE_DATE_EPOCH", "1767225600");
    run::quiet(&mut command).map(drop)
}
