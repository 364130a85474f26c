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
    file: File,
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
                return Ok(Self { file, path: path.to_owned() });
            }
        }
    }

    /// Takes the lock if it is free.
    pub fn attempt(path: &Path) -> Result<Option<Self>, FsError> {
        Self::attempt_as(path, FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the lock together with others that share it, unless somebody has it alone.
    pub fn attempt_shared(path: &Path) -> Result<Option<Self>, FsError> {
        Self::attempt_as(path, FlockOperation::NonBlockingLockShared)
    }

    fn attempt_as(path: &Path, operation: FlockOperation) -> Result<Option<Self>, FsError> {
        let file = open(path)?;
        match flock(&file, operation) {
            Ok(()) if is_current(&file, path) => Ok(Some(Self { file, path: path.to_owned() })),
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
        // Whoever waits on the removed file notices and opens the new one. Who shares it would not.
        if flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = std::fs::remove_file(&self.path);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_a_lock_keeps_out_who_wants_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let one = Lock::attempt_shared(&path).unwrap().unwrap();
        let two = Lock::attempt_shared(&path).unwrap().unwrap();
        assert!(Lock::attempt(&path).unwrap().is_none());
        drop(one);
        assert!(Lock::attempt(&path).unwrap().is_none());
        drop(two);
        let alone = Lock::attempt(&path).unwrap().unwrap();
        assert!(Lock::attempt_shared(&path).unwrap().is_none());
        drop(alone);
        assert!(!path.exists());
    }
}
