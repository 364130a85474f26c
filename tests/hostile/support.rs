//! A place outside, and what is left of it afterwards.

use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

/// A directory that nobody may read or touch.
pub struct Outside {
    dir: tempfile::TempDir,
    before: Vec<String>,
}

/// What must never turn up anywhere.
pub const SECRET: &str = "nobody-may-read-this";

impl Outside {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret"), SECRET).unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/shadow"), SECRET).unwrap();
        let before = state(dir.path());
        Self { dir, before }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn text(&self) -> String {
        self.dir.path().display().to_string()
    }

    #[track_caller]
    pub fn is_untouched(&self, case: &str) {
        assert_eq!(state(self.dir.path()), self.before, "{case}: something outside was touched");
    }
}

/// Everything below with its content, owner, mode, times and number of links.
fn state(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for path in all(dir) {
        let found = fs::symlink_metadata(&path).unwrap();
        let text = if found.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        out.push(format!(
            "{path:?} {:o} {}:{} {} {} {text:?}",
            found.mode(),
            found.uid(),
            found.gid(),
            found.mtime_nsec(),
            found.nlink()
        ));
    }
    out
}

/// All paths below a directory and itself, sorted.
fn all(dir: &Path) -> Vec<PathBuf> {
    let mut out = vec![dir.to_owned()];
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                todo.push(entry.path());
            }
            out.push(entry.path());
        }
    }
    out.sort();
    out
}

/// What is below a directory: `d/`, `f`, `l -> t`, `p|`; a whiteout is `w~`, an opaque directory `d/!`.
/// Devices are left out: only root can make them.
pub fn listing(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for path in all(dir) {
        let name = path.strip_prefix(dir).unwrap().as_os_str().as_bytes();
        let name = String::from_utf8_lossy(name).into_owned();
        let found = fs::symlink_metadata(&path).unwrap();
        let kind = found.file_type();
        if kind.is_dir() {
            let mut value = [0; 1];
            let opaque = rustix::fs::lgetxattr(&path, "user.overlay.opaque", &mut value).is_ok();
            let mark = if opaque { "/!" } else { "/" };
            if !name.is_empty() || opaque {
                out.push(format!("{name}{mark}"));
            }
        } else if kind.is_symlink() {
            out.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
        } else if kind.is_fifo() {
            out.push(format!("{name}|"));
        } else if kind.is_char_device() && found.rdev() == 0 {
            out.push(format!("{name}~"));
        } else if kind.is_file() {
            out.push(name);
        }
    }
    out
}
