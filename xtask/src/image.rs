//! What is in a pushed image, read without mlint: skopeo fetches it, tar and our own ELF reader look
//! into it.

use std::path::Path;
use std::process::Command;

use crate::elf::{self, Elf};
use crate::{Error, Result, packages, run};

/// The layers of one platform's image, unpacked one over the other.
#[derive(Debug)]
pub struct Unpacked {
    dir: tempfile::TempDir,
}

/// Fetches the image for `platform` (`linux/arm64`) and unpacks it.
pub fn unpack(image: &str, platform: &str) -> Result<Unpacked> {
    let dir = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    let copy = dir.path().join("copy");
    let root = dir.path().join("root");
    std::fs::create_dir(&root).map_err(Error::file(&root))?;
    let arch = platform.split('/').nth(1).unwrap_or(platform);
    run::quiet(
        Command::new(packages::program("skopeo")?)
            .args(["--override-os", "linux", "--override-arch", arch])
            .args(["copy", "--quiet", "--src-tls-verify=false"])
            .arg(format!("docker://{image}"))
            .arg(format!("dir:{}", copy.display())),
    )?;
    let manifest = std::fs::read(copy.join("manifest.json")).map_err(Error::file(&copy))?;
    let manifest: serde_json::Value = serde_json::from_slice(&manifest)
        .map_err(|e| Error::unexpected(image, "a manifest", e.to_string()))?;
    for layer in manifest["layers"].as_array().into_iter().flatten() {
        let digest = layer["digest"].as_str().unwrap_or_default();
        let blob = copy.join(digest.trim_start_matches("sha256:"));
        // Whiteouts stay as files named `.wh.`: nobody looks for those here.
        run::quiet(
            Command::new("tar")
                .args(["--no-same-owner", "--no-same-permissions", "--delay-directory-restore"])
                .args(["--exclude=dev/*", "-xf"])
                .arg(&blob)
                .arg("-C")
                .arg(&root),
        )?;
    }
    Ok(Unpacked { dir })
}

impl Unpacked {
    /// The root of its files.
    pub fn root(&self) -> std::path::PathBuf {
        self.dir.path().join("root")
    }

    /// What the ELF file at `path` says of itself; none if there is no ELF file.
    pub fn elf(&self, path: &str) -> Option<Elf> {
        let bytes = std::fs::read(self.root().join(path.trim_start_matches('/'))).ok()?;
        elf::read(&bytes)
    }

    /// Whether there is a file at `path`, links inside the image followed.
    pub fn has(&self, path: &str) -> bool {
        let mut at = Path::new(path.trim_start_matches('/')).to_owned();
        for _ in 0..32 {
            let here = self.root().join(&at);
            match std::fs::read_link(&here) {
                Ok(to) if to.is_absolute() => {
                    at = to.strip_prefix("/").unwrap_or(&to).to_owned();
                }
                Ok(to) => at = at.parent().unwrap_or(Path::new("")).join(to),
                // A link higher up, as in /lib → usr/lib, is relative in Debian and just works.
                Err(_) => return here.exists(),
            }
        }
        false
    }
}
