//! What is written beside its place, until it is whole.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// How such names end.
const END: &[u8] = b".partial";

/// A file or directory that is not whole yet: `.NAME.UNIQUE.partial`. It is locked as long as its
/// writer lives, and what nobody locks is cleared by the next one who writes there. Dropped, it goes.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    _lock: File,
}

impl Partial {
    /// A new file in `dir` for what is to be called `name`.
    pub fn file(dir: &Path, name: &OsStr) -> io::Result<(Self, File)> {
        let partial = Self::make(dir, name, &|path| File::create_new(path).map(drop))?;
        let file = File::options().write(true).open(&partial.path)?;
        Ok((partial, file))
    }

    /// A new directory in `dir` for what is to be called `name`.
    pub fn directory(dir: &Path, name: &OsStr) -> io::Result<Self> {
        Self::make(dir, name, &|path| fs::create_dir(path))
    }

    fn make(
        dir: &Path,
        name: &OsStr,
        create: &dyn Fn(&Path) -> io::Result<()>,
    ) -> io::Result<Self> {
        sweep(dir, name);
        loop {
            let path = dir.join(unique(name));
            match create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made?,
            }
            let lock = match File::open(&path) {
                // Somebody swept here before it was locked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lock => lock?,
            };
            // Some file systems know no locks: nobody sweeps there.
            let _ = flock(&lock, FlockOperation::NonBlockingLockShared);
            if is_at(&lock, &path) {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn prefix(name: &OsStr) -> Vec<u8> {
    [b".", name.as_bytes(), b"."].concat()
}

fn unique(name: &OsStr) -> OsString {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let nanos = since.map_or(0, |d| d.as_nanos());
    let mut bytes = prefix(name);
    bytes.extend_from_slice(format!("{}-{nanos}", std::process::id()).as_bytes());
    bytes.extend_from_slice(END);
    OsStr::from_bytes(&bytes).to_owned()
}

/// Removes what writers left that were killed.
fn sweep(dir: &Path, name: &OsStr) {
    let prefix = prefix(name);
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let middle = found.as_bytes().strip_prefix(&prefix[..]).and_then(|b| b.strip_suffix(END));
        let ours = |middle: &[u8]| {
            !middle.is_empty() && middle.iter().all(|b| b.is_ascii_digit() || *b == b'-')
        };
        if !middle.is_some_and(ours) {
            continue;
        }
        let path = entry.path();
        let free = File::open(&path)
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
        if free {
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => crate::store::remove_tree(path),
        Ok(_) => drop(fs::remove_file(path)),
        Err(_) => {}
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(there)) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().flatten();
        names.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_dead_writers_left_goes_and_all_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let name = OsStr::new("out");
        for own in [".out.partial", ".out.mine.partial", ".other.1-2.partial", "out.partial"] {
            fs::write(dir.path().join(own), "mine").unwrap();
        }
        fs::write(dir.path().join(".out.1-2.partial"), "left").unwrap();
        fs::create_dir_all(dir.path().join(".out.3-4.partial/d")).unwrap();
        let first = Partial::directory(dir.path(), name).unwrap();
        let (second, _) = Partial::file(dir.path(), name).unwrap();
        assert!(first.path().is_dir(), "a living writer's stays");
        assert_eq!(names(dir.path()).len(), 6, "{:?}", names(dir.path()));
        drop((first, second));
        assert_eq!(names(dir.path()).len(), 4, "{:?}", names(dir.path()));
    }
}
