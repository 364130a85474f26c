//! Errors that every part of the builder shares.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// An operation on the local file system that failed.
#[derive(Debug)]
pub struct FsError {
    /// What was tried: `write`, `create`.
    pub action: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

impl FsError {
    /// Wraps an I/O error; made for `map_err`.
    pub fn new(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }
}

impl fmt::Display for FsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.source.kind() {
            io::ErrorKind::StorageFull => write!(
                f,
                "no space left to {} {path}: free some there, or choose another place (--cache-dir, --output)",
                self.action
            ),
            io::ErrorKind::QuotaExceeded => write!(
                f,
                "the disk quota is used up, cannot {} {path}: free some there, or choose another place (--cache-dir, --output)",
                self.action
            ),
            _ => write!(f, "cannot {} {path}: {}", self.action, self.source),
        }
    }
}

impl std::error::Error for FsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
