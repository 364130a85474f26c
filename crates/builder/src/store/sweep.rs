//! Directories for work in progress, one per session.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::lock::Lock;
use crate::error::FsError;

/// The file that a living session keeps locked.
const ALIVE: &str = ".alive";

/// Makes a directory for this session; removes those whose session is gone.
pub fn new_session(tmp: &Path) -> Result<(PathBuf, Lock), FsError> {
    for entry in fs::read_dir(tmp).map_err(FsError::new("read", tmp))?.flatten() {
        let dir = entry.path();
        if let Ok(Some(lock)) = Lock::attempt(&dir.join(ALIVE)) {
            remove_session(&dir);
            drop(lock);
        }
    }
    loop {
        let name = format!("{}-{}", std::process::id(), unique());
        let dir = tmp.join(name);
        match fs::create_dir(&dir) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(FsError::new("create", &dir)(e)),
        }
        match Lock::attempt(&dir.join(ALIVE)) {
            Ok(Some(lock)) => return Ok((dir, lock)),
            // Swept by another session between its making and its locking.
            Ok(None) => continue,
            Err(e) if e.source.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        }
    }
}

/// Removes a session's directory. What can't be removed is left to the next sweep.
pub fn remove_session(dir: &Path) {
    if fs::remove_dir_all(dir).is_err() {
        make_removable(dir);
        let _ = fs::remove_dir_all(dir);
    }
}

/// Overlayfs leaves directories without any permission, and builds make read-only ones.
fn make_removable(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            make_removable(&entry.path());
        }
    }
}

fn unique() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|d| d.as_nanos())
        .unwrap_or_default()
}
