//! Unpacks a layer into a directory that serves as an overlay's lower directory: whiteouts become
//! character devices 0:0, opaque marks become attributes. Nothing is written outside of it.

use std::{
    ffi::OsStr,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags,
    },
    io::Errno,
};

use super::{
    entry::{Entry, EntryKind, ImagePath, Meta},
    index::{IndexEntry, LayerIndex},
    places::Places,
    read::{ArchiveError, Limits, Whiteouts, each_entry},
};
use crate::{error::FsError, proof::elf::Sniffer, sandbox::safe_fs};

/// Unpacks the (uncompressed) archive into the empty directory `root` and returns its index.
pub fn unpack(
    archive: impl Read,
    root: &Path,
    limits: Limits,
    interrupted: &dyn Fn() -> bool,
) -> Result<LayerIndex, ArchiveError> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(root, flags, Mode::empty())
        .map_err(|e| FsError::new("open", root)(e.into()))?;
    let mut unpacker = Unpacker { root, fd, parent: None, directories: Vec::new() };
    let mut index = LayerIndex::default();
    each_settled(archive, limits, |entry, data| {
        if interrupted() {
            return Err(ArchiveError::Interrupted);
        }
        let mut sniffer = Sniffer::new(data);
        unpacker.entry(&entry, &mut sniffer)?;
        index.entries.push(IndexEntry::new(&entry, sniffer.facts()));
        Ok(())
    })?;
    unpacker.finish()?;
    Ok(index)
}

/// Reads an archive for its index only.
pub fn scan(archive: impl Read, limits: Limits) -> Result<LayerIndex, ArchiveError> {
    let mut index = LayerIndex::default();
    each_settled(archive, limits, |entry, data| {
        let mut sniffer = Sniffer::new(data);
        if matches!(entry.kind, EntryKind::File(_)) {
            io::copy(&mut sniffer, &mut io::sink())?;
        }
        index.entries.push(IndexEntry::new(&entry, sniffer.facts()));
        Ok(())
    })?;
    Ok(index)
}

/// The entries of a layer, each at the place that it has once the layer's own links are followed.
fn each_settled(
    archive: impl Read,
    limits: Limits,
    mut visit: impl FnMut(Entry, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut places = Places::default();
    each_entry(archive, Whiteouts::Layer, limits, |entry, data| {
        let (path, kind) = (entry.path.clone(), entry.kind.clone());
        let Some(entry) = places.settle(entry) else {
            let target = match kind {
                EntryKind::Hardlink(target) => target.display(),
                _ => String::new(),
            };
            return Err(ArchiveError::LinkTarget { path: path.display(), target });
        };
        visit(entry, data)
    })
}

struct Unpacker<'a> {
    root: &'a Path,
    fd: OwnedFd,
    /// The directory that the last entry was made in.
    parent: Option<(ImagePath, OwnedFd)>,
    /// Directories whose times are set at the end, when nothing changes them any more.
    directories: Vec<(ImagePath, i64)>,
}

impl Unpacker<'_> {
    fn entry(&mut self, entry: &Entry, data: &mut dyn Read) -> Result<(), ArchiveError> {
        if entry.path.is_root() {
            return self.root_entry(entry);
        }
        if entry.kind == EntryKind::Opaque {
            return self.opaque(&entry.path);
        }
        let dir = entry.path.parent().unwrap_or_default();
        self.open_parent(&dir)?;
        let Some((_, parent)) = &self.parent else { return Ok(()) };
        let (parent, name) = (parent.as_fd(), entry.path.file_name());
        let failed = |e: Errno| self.error("write", &entry.path, e);
        match &entry.kind {
            EntryKind::Directory => {
                make_directory(parent, name).map_err(failed)?;
                let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(parent, name, flags, Mode::empty()).map_err(failed)?;
                apply_meta(fd.as_fd(), &entry.meta).map_err(failed)?;
                self.directories.push((entry.path.clone(), entry.meta.mtime));
            }
            EntryKind::File(_) => {
                remove(parent, name).map_err(failed)?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))
                    .map_err(failed)?;
                let mut file = std::fs::File::from(fd);
                io::copy(data, &mut file).map_err(|e| self.copy_error(&entry.path, e))?;
                file.flush()?;
                apply_meta(file.as_fd(), &entry.meta).map_err(failed)?;
                rustix::fs::futimens(&file, &times(entry.meta.mtime)).map_err(failed)?;
            }
            EntryKind::Hardlink(target) => self.hard_link(entry, target)?,
            EntryKind::Whiteout => {
                // An entry of the layer itself wins over its own whiteout, which then means what was
                // there below.
                match kind_of(parent, name).map_err(failed)? {
                    None => {
                        make_node(parent, name, FileType::CharacterDevice, 0).map_err(failed)?;
                    }
                    Some(FileType::Directory) => {
                        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                        rustix::fs::openat(parent, name, flags, Mode::empty())
                            .and_then(|fd| set_opaque(fd.as_fd()))
                            .map_err(failed)?;
                    }
                    Some(_) => {}
                }
            }
            EntryKind::Symlink(target) => {
                remove(parent, name).map_err(failed)?;
                rustix::fs::symlinkat(&target.0[..], parent, name).map_err(failed)?;
                finish_node(parent, name, &entry.meta, false).map_err(failed)?;
            }
            EntryKind::Fifo => {
                remove(parent, name).map_err(failed)?;
                make_node(parent, name, FileType::Fifo, 0).map_err(failed)?;
                finish_node(parent, name, &entry.meta, true).map_err(failed)?;
            }
            EntryKind::CharDevice(major, minor) | EntryKind::BlockDevice(major, minor) => {
                let kind = match entry.kind {
                    EntryKind::CharDevice(..) => FileType::CharacterDevice,
                    _ => FileType::BlockDevice,
                };
                remove(parent, name).map_err(failed)?;
                match make_node(parent, name, kind, rustix::fs::makedev(*major, *minor)) {
                    Ok(()) => finish_node(parent, name, &entry.meta, true).map_err(failed)?,
                    // No user namespace may make devices; a step gets those it needs in /dev.
                    Err(Errno::PERM) => {}
                    Err(e) => return Err(failed(e)),
                }
            }
            EntryKind::Opaque => {}
        }
        Ok(())
    }

    /// The archive's own entry for the root.
    fn root_entry(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let failed = |e: Errno| self.error("write", &entry.path, e);
        match entry.kind {
            EntryKind::Directory => apply_meta(self.fd.as_fd(), &entry.meta).map_err(failed)?,
            EntryKind::Opaque => set_opaque(self.fd.as_fd()).map_err(failed)?,
            _ => return Ok(()),
        }
        Ok(())
    }

    fn opaque(&mut self, dir: &ImagePath) -> Result<(), ArchiveError> {
        self.open_parent(dir)?;
        let Some((_, fd)) = &self.parent else { return Ok(()) };
        set_opaque(fd.as_fd()).map_err(|e| self.error("mark", dir, e))
    }

    fn hard_link(&self, entry: &Entry, target: &ImagePath) -> Result<(), ArchiveError> {
        let Some((_, parent)) = &self.parent else { return Ok(()) };
        let name = entry.path.file_name();
        if *target == entry.path {
            return Ok(());
        }
        let missing =
            || ArchiveError::LinkTarget { path: entry.path.display(), target: target.display() };
        let dir = target.parent().unwrap_or_default();
        let from = match open_in_root(self.fd.as_fd(), &dir) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(missing()),
            Err(e) => return Err(self.error("open", &dir, e)),
        };
        remove(parent.as_fd(), name).map_err(|e| self.error("write", &entry.path, e))?;
        match rustix::fs::linkat(&from, target.file_name(), parent, name, AtFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::NOENT | Errno::PERM) => Err(missing()),
            Err(e) => Err(self.error("link", &entry.path, e)),
        }
    }

    /// Makes `dir` the current parent; what is missing of it comes into being with 0755.
    fn open_parent(&mut self, dir: &ImagePath) -> Result<(), ArchiveError> {
        if self.parent.as_ref().is_some_and(|(path, _)| path == dir) {
            return Ok(());
        }
        let fd = match open_in_root(self.fd.as_fd(), dir) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => self.make_parents(dir)?,
            Err(e) => return Err(self.error("open", dir, e)),
        };
        self.parent = Some((dir.clone(), fd));
        Ok(())
    }

    fn make_parents(&self, dir: &ImagePath) -> Result<OwnedFd, ArchiveError> {
        let parts: Vec<&[u8]> = dir.components().collect();
        let upto = |depth: usize| ImagePath(parts[..depth].join(&b'/'));
        // What is there of it: if a path can be opened, all above it can.
        let (mut there, mut missing) = (0, parts.len());
        while there + 1 < missing {
            let middle = there.midpoint(missing);
            match open_in_root(self.fd.as_fd(), &upto(middle)) {
                Ok(_) => there = middle,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => missing = middle,
                Err(e) => return Err(self.error("open", &upto(middle), e)),
            }
        }
        let at = upto(there);
        let mut fd = open_in_root(self.fd.as_fd(), &at).map_err(|e| self.error("open", &at, e))?;
        for (depth, part) in parts.iter().enumerate().skip(there) {
            let failed = |e: Errno| self.error("make", &upto(depth + 1), e);
            make_directory(fd.as_fd(), part).map_err(failed)?;
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            fd = rustix::fs::openat(&fd, *part, flags, Mode::empty()).map_err(failed)?;
        }
        Ok(fd)
    }

    fn finish(self) -> Result<(), ArchiveError> {
        for (path, mtime) in self.directories.iter().rev() {
            // Replaced by something else later in the archive: nothing to set.
            let Ok(fd) = open_in_root(self.fd.as_fd(), path) else { continue };
            rustix::fs::futimens(&fd, &times(*mtime))
                .map_err(|e| self.error("set the time of", path, e))?;
        }
        Ok(())
    }

    fn error(&self, action: &'static str, path: &ImagePath, e: Errno) -> ArchiveError {
        FsError::new(action, &self.root.join(path.as_path()))(e.into()).into()
    }

    /// Copying fails on either side; what the disk says is told with the path.
    fn copy_error(&self, path: &ImagePath, e: io::Error) -> ArchiveError {
        match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                FsError::new("write", &self.root.join(path.as_path()))(e).into()
            }
            _ => e.into(),
        }
    }
}

/// Opens a directory. Its links were followed before; one that is there all the same is refused.
fn open_in_root(root: BorrowedFd<'_>, dir: &ImagePath) -> Result<OwnedFd, Errno> {
    let path: &[u8] = if dir.is_root() { b"." } else { &dir.0 };
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)
}

fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => {}
        other => return other,
    }
    let there = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(there.st_mode) == FileType::Directory {
        return Ok(());
    }
    rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    let is_whiteout =
        FileType::from_raw_mode(there.st_mode) == FileType::CharacterDevice && there.st_rdev == 0;
    if is_whiteout {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        set_opaque(rustix::fs::openat(parent, name, flags, Mode::empty())?.as_fd())?;
    }
    Ok(())
}

fn kind_of(parent: BorrowedFd<'_>, name: &[u8]) -> Result<Option<FileType>, Errno> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(FileType::from_raw_mode(found.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Removes what an entry replaces; a tree only if it is empty or of this layer's own making.
fn remove(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {
            let parent = rustix::io::fcntl_dupfd_cloexec(parent, 0)?;
            safe_fs::remove_tree(parent, OsStr::from_bytes(name))
                .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
        }
        Err(e) => Err(e),
    }
}

fn make_node(parent: BorrowedFd<'_>, name: &[u8], kind: FileType, dev: u64) -> Result<(), Errno> {
    rustix::fs::mknodat(parent, name, kind, Mode::from_raw_mode(0o600), dev)
}

fn finish_node(
    parent: BorrowedFd<'_>,
    name: &[u8],
    meta: &Meta,
    with_mode: bool,
) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
    rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if with_mode {
        rustix::fs::chmodat(parent, name, Mode::from_raw_mode(meta.mode), AtFlags::empty())?;
    }
    rustix::fs::utimensat(parent, name, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)
}

/// Owner first: a change of owner clears setuid and file capabilities.
fn apply_meta(fd: BorrowedFd<'_>, meta: &Meta) -> Result<(), Errno> {
    rustix::fs::fchown(fd, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))?;
    rustix::fs::fchmod(fd, Mode::from_raw_mode(meta.mode))?;
    for (name, value) in &meta.xattrs {
        match rustix::fs::fsetxattr(fd, &name[..], value, XattrFlags::empty()) {
            // A file system without such attributes loses them, as with every other tool.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

fn set_opaque(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::fs::fsetxattr(fd, "user.overlay.opaque", b"y", XattrFlags::empty())
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt};

    use super::*;
    use crate::layer::{diff::read_upper, tar_stream::TarStream};

    fn entry(path: &str, kind: EntryKind) -> Entry {
        let me = rustix::process::getuid().as_raw();
        let group = rustix::process::getgid().as_raw();
        let meta =
            Meta { mode: 0o755, uid: me, gid: group, mtime: 1_600_000_000, ..Meta::default() };
        Entry { path: path.into(), kind, meta }
    }

    fn link(to: &str) -> EntryKind {
        EntryKind::Symlink(ImagePath(to.as_bytes().to_vec()))
    }

    fn archive(entries: &[Entry]) -> Vec<u8> {
        let mut stream = TarStream::new(Vec::new());
        for entry in entries {
            let data = match entry.kind {
                EntryKind::File(n) => vec![b'x'; n as usize],
                _ => Vec::new(),
            };
            stream.entry(entry, &mut &data[..]).unwrap();
        }
        stream.finish().unwrap()
    }

    fn unpacked(entries: &[Entry]) -> (tempfile::TempDir, Result<LayerIndex, ArchiveError>) {
        let dir = tempfile::tempdir().unwrap();
        let result = unpack(&archive(entries)[..], dir.path(), Limits::default(), &|| false);
        (dir, result)
    }

    #[test]
    fn round_trips_through_the_difference() {
        let entries = [
            entry("d", EntryKind::Directory),
            entry("d", EntryKind::Opaque),
            entry("d/f", EntryKind::File(3)),
            entry("d/g", EntryKind::Hardlink("d/f".into())),
            entry("d/l", link("/nowhere")),
            entry("gone", EntryKind::Whiteout),
            entry("pipe", EntryKind::Fifo),
        ];
        let (dir, index) = unpacked(&entries);
        assert_eq!(index.unwrap().entries.len(), entries.len());
        let back = read_upper(dir.path(), &BTreeSet::new()).unwrap();
        let kinds = |entries: &[Entry]| -> Vec<(String, EntryKind)> {
            entries.iter().map(|e| (e.path.display(), e.kind.clone())).collect()
        };
        assert_eq!(kinds(&back), kinds(&entries));
        assert_eq!(fs::metadata(dir.path().join("d")).unwrap().mtime(), 1_600_000_000);
    }

    #[test]
    fn links_cannot_lead_out() {
        let outside = tempfile::tempdir().unwrap();
        let to = outside.path().to_str().unwrap();
        let (dir, result) = unpacked(&[
            entry("out", link(to)),
            entry("out/file", EntryKind::File(1)),
            entry("up", link("../../../../..")),
            entry("up/tmp-file", EntryKind::File(1)),
        ]);
        result.unwrap();
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(dir.path().join("tmp-file").exists());
        // A hard link to a file outside of the archive is no way either.
        fs::write(outside.path().join("secret"), "s").unwrap();
        let (_dir, result) = unpacked(&[
            entry("out", link(to)),
            entry("copy", EntryKind::Hardlink("out/secret".into())),
        ]);
        assert!(matches!(result, Err(ArchiveError::LinkTarget { .. })));
    }

    #[test]
    fn later_entries_replace_earlier_ones() {
        let (dir, result) = unpacked(&[
            entry("a", EntryKind::Directory),
            entry("a/b", EntryKind::File(1)),
            entry("a", EntryKind::File(2)),
            entry("l", link("a")),
            entry("l", EntryKind::Directory),
            entry("l/x", EntryKind::File(1)),
        ]);
        result.unwrap();
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"xx");
        assert!(dir.path().join("l/x").is_file());
    }
}
