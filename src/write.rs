//! Replaces a file as a whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Why a file was not replaced. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The system says no.
    #[error("can't write {}: {source}; the file is as it was", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else wrote it after it was read.
    #[error("won't write {}: it has changed since it was read; run mlint again", .0.display())]
    Changed(PathBuf),
}

/// Replaces the text of a file, which has to hold `before`; through links, and with the same mode
/// and, where that is allowed, the same owner.
///
/// # Errors
/// When it can't be written, or holds something else.
pub fn replace(path: &Path, before: &str, after: &str) -> Result<(), WriteError> {
    match try_replace(path, before.as_bytes(), after.as_bytes()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(WriteError::Changed(path.to_owned())),
        Err(source) => Err(WriteError::Io { path: path.to_owned(), source }),
    }
}

fn try_replace(path: &Path, before: &[u8], after: &[u8]) -> io::Result<bool> {
    let target = fs::canonicalize(path)?;
    let dir = target.parent().unwrap_or(Path::new("/"));
    // A rename would replace a file that its owner has protected.
    let original = OpenOptions::new().read(true).write(true).open(&target)?;
    let meta = original.metadata()?;
    let mut temp = tempfile::Builder::new().prefix(".mlint-").tempfile_in(dir)?;
    temp.write_all(after)?;
    temp.as_file().set_permissions(meta.permissions())?;
    let temp_meta = temp.as_file().metadata()?;
    if (temp_meta.uid(), temp_meta.gid()) != (meta.uid(), meta.gid()) {
        // Only root may give files away; the group is often allowed.
        let group = Some(rustix::fs::Gid::from_raw(meta.gid()));
        let owner = Some(rustix::fs::Uid::from_raw(meta.uid()));
        if rustix::fs::fchown(temp.as_file(), owner, group).is_err() {
            let _ = rustix::fs::fchown(temp.as_file(), None, group);
        }
        // A change of the owner takes the special bits away.
        temp.as_file().set_permissions(meta.permissions())?;
    }
    temp.as_file().sync_all()?;
    if fs::read(&target)? != before {
        return Ok(false);
    }
    temp.persist(&target).map_err(|e| e.error)?;
    // The name is as durable as the bytes; a file system that can't do that is no failure.
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
    Ok(true)
}

/// Writes a file, new or in the place of another: there is the old or the new one as a whole.
///
/// # Errors
/// When it can't be written.
pub fn whole(path: &Path, text: &str) -> io::Result<()> {
    // A terminal, a pipe or a device is no file to be replaced.
    if path.symlink_metadata().is_ok_and(|m| !m.is_file()) {
        return fs::write(path, text);
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = path.metadata().map_or(0o644, |m| m.permissions().mode());
    let mut beside = tempfile::Builder::new().prefix(".mlint-").tempfile_in(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.as_file().set_permissions(fs::Permissions::from_mode(mode))?;
    beside.persist(path).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn keeps_mode_and_links_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("Dockerfile");
        let link = dir.path().join("link");
        fs::write(&file, "old").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("mode");
        symlink("Dockerfile", &link).expect("link");
        replace(&link, "old", "new").expect("replaced");
        assert_eq!(fs::read_to_string(&file).expect("there"), "new");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(fs::metadata(&file).expect("there").mode() & 0o7777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 2);
    }

    #[test]
    fn refuses_to_overwrite_what_it_has_not_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("Dockerfile");
        fs::write(&file, "somebody else's").expect("written");
        let error = replace(&file, "old", "new").expect_err("changed");
        assert!(matches!(error, WriteError::Changed(_)), "{error}");
        assert_eq!(fs::read_to_string(&file).expect("there"), "somebody else's");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
    }
}
