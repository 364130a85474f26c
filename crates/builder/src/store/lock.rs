//! Locks between threads and processes. The kernel drops them when their holder dies.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::error::FsError;

/// A lock that is held.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for the lock.
    pub fn wait(path: &Path) -> Result<Self, FsError> {
        loop {
            let file = open(path)?;
            loop {
                match flock(&file, FlockOperation::LockExclusive) {
                    Err(Errno::INTR) => continue,
                    other => break other,
                }
            }
            .map_err(|e| FsError::new("lock", path)(e.into()))?;
            if is_current(&file, path) {
                return Ok(Self { _file: file, path: path.to_owned() });
            }
        }
    }

    /// Takes the lock if it is free.
    pub fn attempt(path: &Path) -> Result<Option<Self>, FsError> {
        let file = open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) if is_current(&file, path) => {
                Ok(Some(Self { _file: file, path: path.to_owned() }))
            }
            Ok(()) | Err(Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(FsError::new("lock", path)(e.into())),
        }
    }
}

impl Lock {
    /// Whether nobody holds the lock. Leaves no file behind where there was none.
    pub fn is_free(path: &Path) -> bool {
        let Ok(file) = File::options().write(true).open(path) else { return true };
        flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever waits on the removed file notices and opens the new one.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn open(path: &Path) -> Result<File, FsError> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(FsError::new("lock", path))
}

/// Whether the locked file is still the one at that path.
fn is_current(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}
