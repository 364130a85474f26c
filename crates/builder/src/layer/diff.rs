//! The difference that a step made, read from its overlay's upper directory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::{self, File, Metadata},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

use super::{
    entry::{Entry, EntryKind, ImagePath, Meta},
    tar_stream::sort_entries,
    writer::LayerWriter,
};
use crate::error::FsError;

/// The attribute by which overlayfs (mounted with `userxattr`) marks an opaque directory.
const OPAQUE_XATTR: &str = "user.overlay.opaque";
/// The one extended attribute that a layer carries.
pub const CAPABILITY_XATTR: &str = "security.capability";

/// Reads the upper directory. `skip` are paths that the sandbox made for its own purposes; they
/// and what lies below them are left out.
pub fn read_upper(upper: &Path, skip: &BTreeSet<ImagePath>) -> Result<Vec<Entry>, FsError> {
    let mut walk = Walk { skip, entries: Vec::new(), inodes: HashMap::new() };
    let root = fs::symlink_metadata(upper).map_err(FsError::new("read", upper))?;
    if is_opaque(upper)? {
        walk.entries.push(Entry {
            path: ImagePath::default(),
            kind: EntryKind::Opaque,
            meta: Meta { mode: 0o644, mtime: root.mtime(), ..Meta::default() },
        });
    }
    walk.tree(upper)?;
    let mut entries = walk.entries;
    sort_entries(&mut entries);
    Ok(entries)
}

/// Writes the entries of an upper directory into a layer.
pub fn write_upper(
    upper: &Path,
    entries: &[Entry],
    layer: &mut LayerWriter,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), FsError> {
    for entry in entries {
        if interrupted() {
            let gone = io::Error::from(io::ErrorKind::Interrupted);
            return Err(FsError::new("read", upper)(gone));
        }
        let path = upper.join(entry.path.as_path());
        let written = match entry.kind {
            EntryKind::File(_) => {
                let mut file = File::open(&path).map_err(FsError::new("read", &path))?;
                layer.add(entry, &mut file)
            }
            _ => layer.add(entry, &mut io::empty()),
        };
        written.map_err(FsError::new("write a layer with", &path))?;
    }
    Ok(())
}

struct Walk<'a> {
    skip: &'a BTreeSet<ImagePath>,
    entries: Vec<Entry>,
    /// First name of each inode that has several.
    inodes: HashMap<(u64, u64), ImagePath>,
}

impl Walk<'_> {
    /// In order, without recursion: a step may nest directories as deep as it likes.
    fn tree(&mut self, root: &Path) -> Result<(), FsError> {
        let mut todo = self.children(root, &ImagePath::default())?;
        while let Some((path, image_path)) = todo.pop() {
            if self.entry(&path, &image_path)? {
                todo.extend(self.children(&path, &image_path)?);
            }
        }
        Ok(())
    }

    /// What is in a directory, the last name first.
    fn children(&self, dir: &Path, at: &ImagePath) -> Result<Vec<(PathBuf, ImagePath)>, FsError> {
        let mut names: Vec<PathBuf> = Vec::new();
        for child in fs::read_dir(dir).map_err(FsError::new("read", dir))? {
            names.push(child.map_err(FsError::new("read", dir))?.path());
        }
        // Sorted, so that of several hard links always the same one carries the content.
        names.sort();
        let named = names.into_iter().rev().map(|path| {
            let name = path.file_name().map(|n| n.as_bytes().to_vec()).unwrap_or_default();
            (path, at.join(&name))
        });
        Ok(named.filter(|(_, path)| !self.skip.contains(path)).collect())
    }

    /// Gives whether it is a directory.
    fn entry(&mut self, path: &Path, image_path: &ImagePath) -> Result<bool, FsError> {
        let found = fs::symlink_metadata(path).map_err(FsError::new("read", path))?;
        let Some(kind) = self.kind(path, image_path, &found)? else { return Ok(false) };
        let is_dir = kind == EntryKind::Directory;
        let meta = match kind {
            EntryKind::Whiteout => Meta { mode: 0o644, mtime: found.mtime(), ..Meta::default() },
            _ => read_meta(path, &found)?,
        };
        self.entries.push(Entry { path: image_path.clone(), kind, meta });
        if is_dir && is_opaque(path)? {
            let meta = Meta { mode: 0o644, mtime: found.mtime(), ..Meta::default() };
            let path = image_path.clone();
            self.entries.push(Entry { path, kind: EntryKind::Opaque, meta });
        }
        Ok(is_dir)
    }

    fn kind(
        &mut self,
        path: &Path,
        image_path: &ImagePath,
        found: &Metadata,
    ) -> Result<Option<EntryKind>, FsError> {
        let kind = found.file_type();
        // Whiteouts come before hard links: overlayfs makes many of them one inode.
        if kind.is_char_device() && found.rdev() == 0 {
            return Ok(Some(EntryKind::Whiteout));
        }
        if kind.is_dir() {
            return Ok(Some(EntryKind::Directory));
        }
        if kind.is_socket() {
            return Ok(None);
        }
        if found.nlink() > 1 {
            let inode = (found.dev(), found.ino());
            if let Some(first) = self.inodes.get(&inode) {
                return Ok(Some(EntryKind::Hardlink(first.clone())));
            }
            self.inodes.insert(inode, image_path.clone());
        }
        Ok(Some(if kind.is_symlink() {
            let target = fs::read_link(path).map_err(FsError::new("read", path))?;
            EntryKind::Symlink(ImagePath(target.into_os_string().as_bytes().to_vec()))
        } else if kind.is_fifo() {
            EntryKind::Fifo
        } else if kind.is_char_device() {
            EntryKind::CharDevice(major(found.rdev()), minor(found.rdev()))
        } else if kind.is_block_device() {
            EntryKind::BlockDevice(major(found.rdev()), minor(found.rdev()))
        } else {
            EntryKind::File(found.size())
        }))
    }
}

/// Owner, mode, time and file capabilities of something on disk.
pub fn read_meta(path: &Path, found: &Metadata) -> Result<Meta, FsError> {
    let mut meta = Meta {
        mode: found.mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        mtime: found.mtime(),
        ..Meta::default()
    };
    if found.is_file()
        && let Some(value) = get_xattr(path, CAPABILITY_XATTR)?
    {
        meta.xattrs.insert(CAPABILITY_XATTR.into(), value);
    }
    Ok(meta)
}

/// The extended attributes of an open file that a layer carries.
pub fn file_xattrs(file: &File, path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, FsError> {
    let mut value = [0u8; 256];
    let found = rustix::fs::fgetxattr(file, CAPABILITY_XATTR, &mut value);
    let found = value_of(found, &value, path)?;
    Ok(found.map(|value| (CAPABILITY_XATTR.into(), value)).into_iter().collect())
}

fn is_opaque(dir: &Path) -> Result<bool, FsError> {
    Ok(get_xattr(dir, OPAQUE_XATTR)?.as_deref() == Some(b"y"))
}

fn get_xattr(path: &Path, name: &str) -> Result<Option<Vec<u8>>, FsError> {
    let mut value = [0u8; 256];
    value_of(rustix::fs::lgetxattr(path, name, &mut value), &value, path)
}

/// What was asked for, if it is there and can be had.
fn value_of(
    found: Result<usize, rustix::io::Errno>,
    value: &[u8],
    path: &Path,
) -> Result<Option<Vec<u8>>, FsError> {
    match found {
        Ok(n) => Ok(Some(value[..n].to_vec())),
        Err(
            rustix::io::Errno::NODATA
            | rustix::io::Errno::OPNOTSUPP
            | rustix::io::Errno::PERM
            | rustix::io::Errno::RANGE,
        ) => Ok(None),
        Err(e) => Err(FsError::new("read the attributes of", path)(e.into())),
    }
}

fn major(device: u64) -> u32 {
    rustix::fs::major(device)
}

fn minor(device: u64) -> u32 {
    rustix::fs::minor(device)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn shown(entries: &[Entry]) -> Vec<String> {
        entries
            .iter()
            .map(|e| match &e.kind {
                EntryKind::Hardlink(to) => format!("{} = {}", e.path.display(), to.display()),
                EntryKind::Symlink(to) => {
                    format!("{} -> {}", e.path.display(), String::from_utf8_lossy(&to.0))
                }
                kind => format!("{} {kind:?}", e.path.display()),
            })
            .collect()
    }

    #[test]
    fn keeps_hard_links_and_leaves_out_sockets_and_stubs() {
        let dir = tempfile::tempdir().unwrap();
        let upper = dir.path();
        write(&upper.join("b/two"), "x");
        fs::hard_link(upper.join("b/two"), upper.join("b/one")).unwrap();
        symlink("one", upper.join("b/link")).unwrap();
        fs::set_permissions(upper.join("b/two"), fs::Permissions::from_mode(0o4711)).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(upper.join("sock")).unwrap();
        write(&upper.join("etc/resolv.conf"), "");
        let skip = BTreeSet::from([ImagePath::from("etc/resolv.conf")]);
        let entries = read_upper(upper, &skip).unwrap();
        assert_eq!(
            shown(&entries),
            [
                "/b Directory",
                "/b/link -> one",
                "/b/one File(1)",
                "/b/two = /b/one",
                "/etc Directory"
            ]
        );
        assert_eq!(entries[2].meta.mode, 0o4711);
    }

    #[test]
    fn whiteouts_of_one_inode_are_whiteouts() {
        let dir = tempfile::tempdir().unwrap();
        let upper = dir.path();
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            upper.join("a"),
            rustix::fs::FileType::CharacterDevice,
            rustix::fs::Mode::empty(),
            0,
        );
        // Whiteouts need no privilege since Linux 5.8, but the file system may not know them.
        made.expect("a character device 0:0");
        fs::hard_link(upper.join("a"), upper.join("b")).unwrap();
        fs::create_dir(upper.join("d")).unwrap();
        rustix::fs::lsetxattr(upper.join("d"), OPAQUE_XATTR, b"y", rustix::fs::XattrFlags::empty())
            .unwrap();
        let entries = read_upper(upper, &BTreeSet::new()).unwrap();
        assert_eq!(shown(&entries), ["/a Whiteout", "/b Whiteout", "/d Directory", "/d Opaque"]);
    }
}
