//! Others read what mlint wrote: skopeo copies each layout into a registry, buildah pulls from it.

use std::process::Command;

use super::builders::{Builders, Place};
use crate::{Result, packages, run};

/// How many images buildah pulls: each costs it a copy of the whole image.
const PULLED: usize = 5;

/// Copies a layout with all its platforms to the registry; what skopeo says if it can't.
pub fn skopeo(builders: &Builders, place: &Place, name: &str) -> Result<Option<String>> {
    let mut command = Command::new(packages::program("skopeo")?);
    command.args(["copy", "--all", "--quiet", "--dest-tls-verify=false", "--preserve-digests"]);
    command.arg(format!("oci:{}", place.ours().display()));
    command.arg(format!("docker://{}/compared/{name}:1", builders.registry.host()));
    let out = run::output(&mut command)?;
    Ok((!out.status.success()).then(|| String::from_utf8_lossy(&out.stderr).into_owned()))
}

/// Pulls some of the copied images with buildah; what it says if it can't.
pub fn buildah(builders: &Builders, names: &[String]) -> Result<Vec<String>> {
    let program = packages::program("buildah")?;
    let storage = builders.work.path().join("buildah");
    let mut refused = Vec::new();
    let step = (names.len() / PULLED).max(1);
    for name in names.iter().step_by(step).take(PULLED) {
        let mut command = Command::new(&program);
        command.arg("--root").arg(storage.join("root")).arg("--runroot").arg(storage.join("run"));
        command.args(["--storage-driver", "vfs", "pull", "--quiet", "--tls-verify=false"]);
        command.arg(format!("docker://{}/compared/{name}:1", builders.registry.host()));
        let out = run::output(&mut command)?;
        if !out.status.success() {
            refused.push(format!("{name}: {}", String::from_utf8_lossy(&out.stderr).trim()));
        }
    }
    Ok(refused)
}
