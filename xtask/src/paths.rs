//! Where things are.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Where downloads and root file systems are kept between runs.
pub fn cache() -> PathBuf {
    match std::env::var_os("MLINT_PARTS") {
        Some(dir) => root().join(dir),
        None => target().join("xtask"),
    }
}
