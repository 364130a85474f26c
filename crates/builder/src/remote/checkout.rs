//! Makes a checkout look the same wherever it was made.

use std::{
    fs::{self, File, FileTimes, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    time::SystemTime,
};

use crate::error::FsError;

/// Gives all files and directories the modes that git knows, whatever the umask was; takes `.git`
/// away unless it is kept, everywhere; sets times if they are given.
pub fn tidy(dir: &Path, keep_git_dir: bool, time: Option<SystemTime>) -> Result<(), FsError> {
    let entries = fs::read_dir(dir).map_err(FsError::new("read", dir))?;
    for entry in entries {
        let entry = entry.map_err(FsError::new("read", dir))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(FsError::new("read", &path))?;
        if entry.file_name() == ".git" {
            if !keep_git_dir {
                let removed =
                    if kind.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                removed.map_err(FsError::new("remove", &path))?;
            }
            continue;
        }
        if kind.is_dir() {
            tidy(&path, keep_git_dir, time)?;
        } else if kind.is_file() {
            tidy_file(&path, time).map_err(FsError::new("change", &path))?;
        }
    }
    let set = || -> io::Result<()> {
        fs::set_permissions(dir, Permissions::from_mode(0o755))?;
        match time {
            Some(time) => File::open(dir)?.set_times(times(time)),
            None => Ok(()),
        }
    };
    set().map_err(FsError::new("change", dir))
}

fn tidy_file(path: &Path, time: Option<SystemTime>) -> io::Result<()> {
    let file = File::open(path)?;
    let runs = file.metadata()?.permissions().mode() & 0o111 != 0;
    file.set_permissions(Permissions::from_mode(if runs { 0o755 } else { 0o644 }))?;
    match time {
        Some(time) => file.set_times(times(time)),
        None => Ok(()),
    }
}

fn times(time: SystemTime) -> FileTimes {
    FileTimes::new().set_modified(time).set_accessed(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkouts_look_the_same_everywhere() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("c");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        for (name, mode) in [("a", 0o600), ("sub/run", 0o700), ("sub/.git", 0o644)] {
            fs::write(root.join(name), "x").unwrap();
            fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", root.join("sub/link")).unwrap();
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        tidy(&root, false, Some(time)).unwrap();
        let mode =
            |name: &str| fs::metadata(root.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("a"), mode("sub/run"), mode("sub")), (0o644, 0o755, 0o755));
        assert!(!root.join(".git").exists() && !root.join("sub/.git").exists());
        assert_eq!(fs::metadata(root.join("a")).unwrap().modified().unwrap(), time);
        assert!(root.join("sub/link").is_symlink());
    }
}
