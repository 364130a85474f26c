//! Walks the context once; every COPY and ADD is answered from what was seen.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use rustix::fs::{FileType, MemfdFlags, memfd_create};

use super::dockerignore::{Ignore, Inherited};
use crate::{
    error::FsError,
    layer::{EntryKind, IndexEntry, LayerIndex, View, entry::ImagePath, view::Node},
    sandbox::safe_fs::Root,
};

/// What identifies a file's content without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    /// Inode.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change of content, nanoseconds.
    pub mtime: i64,
    /// Time of the last change at all, nanoseconds.
    pub ctime: i64,
}

impl Stamp {
    /// The stamp of a file.
    pub fn of(found: &Metadata) -> Self {
        let nanos = |s: i64, n: i64| s.saturating_mul(1_000_000_000).saturating_add(n);
        Self {
            inode: found.ino(),
            size: found.size(),
            mtime: nanos(found.mtime(), found.mtime_nsec()),
            ctime: nanos(found.ctime(), found.ctime_nsec()),
        }
    }
}

/// The context as it was when the build began.
#[derive(Debug)]
pub struct Context {
    /// Where it is.
    pub root: PathBuf,
    /// What it shows.
    pub view: View,
    /// What identifies each file's content.
    pub stamps: HashMap<ImagePath, Stamp>,
    /// What is left out, topmost paths only.
    pub excluded: Vec<ImagePath>,
    /// Whether something in it belongs to somebody else than root, as it is seen here: in images
    /// everything of a context is root's.
    pub has_other_owners: bool,
}

impl Context {
    /// Walks the directory.
    pub fn read(root: &Path, ignore: &Ignore) -> Result<Self, FsError> {
        let mut walk = Walk {
            ignore,
            names: HashMap::new(),
            index: LayerIndex::default(),
            stamps: HashMap::new(),
            excluded: Vec::new(),
            has_other_owners: false,
        };
        walk.directory(root, &ImagePath::default(), &Inherited::default())?;
        Ok(Self {
            root: root.to_owned(),
            view: View::of([&walk.index]),
            stamps: walk.stamps,
            excluded: walk.excluded,
            has_other_owners: walk.has_other_owners,
        })
    }

    /// Whether a later look at the same context found the same at a path and below it.
    pub fn shows_the_same(&self, later: &Self, path: &ImagePath) -> bool {
        let all = |of: &Self| {
            let own = of.view.get(path).map(|node| (path, node));
            let nodes = own.into_iter().chain(of.view.below(path));
            let line = |(path, node): (&ImagePath, &Node)| {
                let entry = &node.entry;
                (path.clone(), entry.kind.clone(), entry.mode, of.stamps.get(path).copied())
            };
            nodes.map(line).collect::<Vec<_>>()
        };
        all(self) == all(later)
    }
}

/// Opens a file of a context to read it. A socket is an empty file, as it is for BuildKit, which sends
/// a context by its kinds and makes a file of this one.
pub fn open_file(root: &Root, path: &Path) -> io::Result<File> {
    let opened = root.open_file_itself(path);
    let Err(error) = &opened else { return opened };
    if error.raw_os_error() != Some(rustix::io::Errno::NXIO.raw_os_error()) {
        return opened;
    }
    match root.lstat(path)? {
        Some(found) if FileType::from_raw_mode(found.st_mode) == FileType::Socket => {
            let empty = File::from(memfd_create("socket", MemfdFlags::CLOEXEC)?);
            let seconds = u64::try_from(found.st_mtime).unwrap_or_default();
            empty.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))?;
            Ok(empty)
        }
        _ => opened,
    }
}

/// How deep a context may nest: several times what is seen, and well within the stack.
const DEEPEST: usize = 256;

struct Walk<'a> {
    ignore: &'a Ignore,
    /// The first name of each file that has several.
    names: HashMap<(u64, u64), ImagePath>,
    index: LayerIndex,
    stamps: HashMap<ImagePath, Stamp>,
    excluded: Vec<ImagePath>,
    has_other_owners: bool,
}

impl Walk<'_> {
    fn directory(
        &mut self,
        dir: &Path,
        at: &ImagePath,
        inherited: &Inherited,
    ) -> Result<(), FsError> {
        if at.components().count() > DEEPEST {
            let problem = format!("it is below more than {DEEPEST} directories");
            return Err(FsError::new("read", dir)(io::Error::other(problem)));
        }
        let mut children = Vec::new();
        let found = match fs::read_dir(dir) {
            // Gone since the directory above was read.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !at.is_root() => return Ok(()),
            found => found.map_err(FsError::new("read", dir))?,
        };
        for child in found {
            children.push(child.map_err(FsError::new("read", dir))?);
        }
        children.sort_by_key(fs::DirEntry::file_name);
        for child in children {
            let path = child.path();
            let image_path = at.join(child.file_name().as_bytes());
            let found = match child.metadata() {
                Ok(found) => found,
                // Gone since the directory was read: somebody's temporary file.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(FsError::new("read", &path)(e)),
            };
            self.child(&path, image_path, &found, inherited)?;
        }
        Ok(())
    }

    fn child(
        &mut self,
        path: &Path,
        image_path: ImagePath,
        found: &Metadata,
        inherited: &Inherited,
    ) -> Result<(), FsError> {
        let text = String::from_utf8_lossy(&image_path.0).into_owned();
        let (excluded, here) = self.ignore.excludes(&text, inherited);
        if !found.is_dir() {
            if excluded {
                self.excluded.push(image_path);
            } else {
                self.add(path, image_path, found)?;
            }
            return Ok(());
        }
        if excluded && !self.ignore.may_include_below(&text) {
            self.excluded.push(image_path);
            return Ok(());
        }
        // An excluded directory is part of the context as soon as something in it is.
        let before = self.index.entries.len();
        self.add(path, image_path.clone(), found)?;
        self.directory(path, &image_path, &here)?;
        if excluded && self.index.entries.len() == before + 1 {
            self.index.entries.truncate(before);
            self.excluded.retain(|p| !p.is_below(&image_path));
            self.excluded.push(image_path);
        }
        Ok(())
    }

    /// The first name of a file that was met before.
    fn linked(&mut self, path: &ImagePath, found: &Metadata) -> Option<ImagePath> {
        if found.nlink() < 2 {
            return None;
        }
        let file = (found.dev(), found.ino());
        let known = self.names.get(&file).cloned();
        if known.is_none() {
            self.names.insert(file, path.clone());
        }
        known
    }

    fn add(&mut self, path: &Path, image_path: ImagePath, found: &Metadata) -> Result<(), FsError> {
        let kind = found.file_type();
        let kind = if kind.is_dir() {
            EntryKind::Directory
        } else if kind.is_symlink() {
            let target = fs::read_link(path).map_err(FsError::new("read", path))?;
            EntryKind::Symlink(ImagePath(target.into_os_string().as_bytes().to_vec()))
        } else if kind.is_file() {
            self.stamps.insert(image_path.clone(), Stamp::of(found));
            match self.linked(&image_path, found) {
                Some(first) => EntryKind::Hardlink(first),
                None => EntryKind::File(found.size()),
            }
        } else if kind.is_fifo() {
            EntryKind::Fifo
        } else if kind.is_socket() {
            EntryKind::File(0)
        } else {
            // Devices are no part of a context.
            return Ok(());
        };
        self.has_other_owners |= (found.uid(), found.gid()) != (0, 0);
        self.index.entries.push(IndexEntry {
            path: image_path,
            kind,
            mode: found.mode() & 0o7777,
            uid: 0,
            gid: 0,
            mtime: found.mtime(),
            elf: None,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(rules: &str, files: &[&str]) -> (Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let ignore = Ignore::parse(".dockerignore", rules).unwrap();
        let context = Context::read(dir.path(), &ignore).unwrap();
        let seen = context.view.iter().map(|(p, _)| p.display()).collect();
        (seen, context.excluded.iter().map(ImagePath::display).collect())
    }

    #[test]
    fn excluded_directories_reappear_with_what_is_in_them() {
        let (seen, excluded) = context("*\n!src/keep", &["src/keep", "src/drop", "docs/a", "top"]);
        assert_eq!(seen, ["/src", "/src/keep"]);
        assert_eq!(excluded, ["/docs", "/src/drop", "/top"]);
        let (seen, excluded) = context("*\n!**/*.go", &["a/b/x.c", "a/y.go"]);
        assert_eq!(seen, ["/a", "/a/y.go"]);
        assert_eq!(excluded, ["/a/b"]);
    }

    #[test]
    fn a_socket_is_an_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let context = Context::read(dir.path(), &Ignore::default()).unwrap();
        let kind = context.view.get(&"s".into()).map(|node| node.entry.kind.clone());
        assert_eq!(kind, Some(EntryKind::File(0)));
        let file = open_file(&Root::open(dir.path()).unwrap(), Path::new("s")).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
    }

    #[test]
    fn everything_without_rules() {
        let (seen, excluded) = context("", &["a/x", ".dockerignore"]);
        assert_eq!(seen, ["/.dockerignore", "/a", "/a/x"]);
        assert!(excluded.is_empty());
    }
}
