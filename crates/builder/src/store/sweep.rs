//! Directories for work in progress, one per session.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{
    lease::{JOURNAL, added_by},
    lock::Lock,
};
use crate::{error::FsError, sandbox::safe_fs::Root};

/// The file that a living session keeps locked.
pub(super) const ALIVE: &str = ".alive";

/// Removes the directories whose session is gone. Gives the bytes by which these sessions had made
/// the cache grow, which nobody has counted yet.
pub fn sweep(tmp: &Path) -> Result<u64, FsError> {
    let mut added = 0u64;
    for entry in fs::read_dir(tmp).map_err(FsError::new("read", tmp))?.flatten() {
        let dir = entry.path();
        if let Ok(Some(lock)) = Lock::attempt(&dir.join(ALIVE)) {
            added = added.saturating_add(added_by(&dir));
            remove_session(&dir);
            drop(lock);
        }
    }
    Ok(added)
}

/// Makes a directory for this session.
pub fn new_session(tmp: &Path) -> Result<(PathBuf, Lock), FsError> {
    loop {
        let name = format!("{}-{}", std::process::id(), unique());
        let dir = tmp.join(name);
        match fs::create_dir(&dir) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(e) => return Err(FsError::new("create", &dir)(e)),
        }
        // Before the lock: a session that lives says what it uses.
        let journal = dir.join(JOURNAL);
        match fs::write(&journal, "") {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(FsError::new("create", &journal)(e));
            }
            _ => {}
        }
        match Lock::attempt(&dir.join(ALIVE)) {
            Ok(Some(lock)) if journal.exists() => return Ok((dir, lock)),
            Ok(Some(_)) => continue,
            // Swept by another session between its making and its locking.
            Ok(None) => continue,
            Err(e) if e.source.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        }
    }
}

/// Removes a session's directory. What can't be removed is left to the next sweep.
pub fn remove_session(dir: &Path) {
    // Steps and layers may have made directories deeper than a path can be.
    let (Some(above), Some(name)) = (dir.parent(), dir.file_name()) else { return };
    let remove = || Root::open(above).and_then(|above| above.remove_all(name));
    if remove().is_err() {
        make_removable(dir);
        let _ = remove();
    }
}

/// Overlayfs leaves directories without any permission, and builds make read-only ones.
fn make_removable(dir: &Path) {
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                todo.push(entry.path());
            }
        }
    }
}

fn unique() -> u128 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|d| d.as_nanos())
        .unwrap_or_default()
}
