//! A context that comes as a tar archive, packed or not.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::{
    error::FsError,
    layer::{
        Entry, EntryKind,
        entry::ImagePath,
        packed::Unpacked,
        read::{ArchiveError, Limits, Whiteouts, each_entry},
    },
    sandbox::safe_fs::Root,
};

/// Unpacks an archive into the empty directory `dir`, whoever we are: owners do not matter in a
/// context, and devices are no part of one. Nothing is written outside of it.
pub fn unpack_context(archive: &Path, dir: &Path) -> Result<(), ArchiveError> {
    let file = File::open(archive).map_err(FsError::new("read", archive))?;
    let root = Root::open(dir).map_err(FsError::new("open", dir))?;
    let mut directories: Vec<(ImagePath, u32, i64)> = Vec::new();
    let reader = Unpacked::open(file, Limits::default())?;
    each_entry(reader, Whiteouts::Literal, Limits::default(), |entry, data| {
        let at = dir.join(entry.path.as_path());
        if entry.kind == EntryKind::Directory {
            directories.push((entry.path.clone(), entry.meta.mode, entry.meta.mtime));
        }
        put(&root, &entry, data).map_err(|e| FsError::new("write", &at)(e).into())
    })?;
    // Last and from the inside out: a directory that can't be written to takes no more files.
    for (path, mode, mtime) in directories.into_iter().rev() {
        if path.is_root() {
            continue;
        }
        let set = || -> io::Result<()> {
            let entry = root.entry(path.as_path())?;
            // The owner must be able to read what is to be built.
            entry.chmod(mode | 0o700)?;
            entry.set_mtime(mtime, 0)
        };
        set().map_err(FsError::new("write", &dir.join(path.as_path())))?;
    }
    Ok(())
}

fn put(root: &Root, entry: &Entry, data: &mut dyn Read) -> io::Result<()> {
    let path = entry.path.as_path();
    if entry.path.is_root() {
        return Ok(());
    }
    let mut nobody = |_: &crate::sandbox::safe_fs::Entry| Ok(());
    if entry.kind == EntryKind::Directory {
        root.create_dir_all(path, 0o755, &mut nobody)?;
        return Ok(());
    }
    if let Some(parent) = entry.path.parent().filter(|p| !p.is_root()) {
        root.create_dir_all(parent.as_path(), 0o755, &mut nobody)?;
    }
    let place = root.entry(path)?;
    let name = place.proc_path();
    // The last of several of one name is what counts; a link is replaced, never followed.
    match std::fs::symlink_metadata(&name) {
        Ok(_) => root.remove_all(path)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    match &entry.kind {
        EntryKind::File(_) => {
            let mut file = root.create_new(path, 0o600)?;
            io::copy(data, &mut file)?;
            drop(file);
            place.chmod(entry.meta.mode & 0o7777 | 0o400)?;
            place.set_mtime(entry.meta.mtime, 0)
        }
        EntryKind::Symlink(target) => {
            std::os::unix::fs::symlink(target.as_path(), &name)?;
            place.set_mtime(entry.meta.mtime, 0)
        }
        EntryKind::Hardlink(target) => {
            let target = root.entry(target.as_path())?;
            std::fs::hard_link(target.proc_path(), &name)
        }
        // Pipes and devices are no files to copy.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Meta, tar_stream::TarStream};

    #[test]
    fn nothing_leaves_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mut tar = TarStream::new(Vec::new());
        let link = |to: &str| EntryKind::Symlink(ImagePath(to.as_bytes().to_vec()));
        let meta = |mode| Meta { mode, mtime: 1000, ..Meta::default() };
        for (path, kind, mode) in [
            ("d", EntryKind::Directory, 0o500),
            ("d/f", EntryKind::File(2), 0o755),
            ("out", link("../.."), 0o777),
            ("out/escaped", EntryKind::File(2), 0o644),
            ("abs", link("/"), 0o777),
            ("abs/tmp/escaped", EntryKind::File(2), 0o644),
            ("d/again", EntryKind::Hardlink("d/f".into()), 0o755),
            ("d/f", EntryKind::File(2), 0o640),
        ] {
            let entry = Entry { path: path.into(), kind, meta: meta(mode) };
            tar.entry(&entry, &mut &b"hi"[..]).unwrap();
        }
        let archive = dir.path().join("a.tar");
        std::fs::write(&archive, tar.finish().unwrap()).unwrap();
        let root = dir.path().join("x/y/root");
        std::fs::create_dir_all(&root).unwrap();
        unpack_context(&archive, &root).unwrap();
        let seen = |path: &str| std::fs::read(root.join(path)).ok();
        assert_eq!(seen("d/f").as_deref(), Some(&b"hi"[..]));
        assert!(root.join("escaped").exists() && root.join("tmp/escaped").exists());
        assert!(!dir.path().join("x/escaped").exists() && !dir.path().join("escaped").exists());
        let mode = |path: &str| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777
        };
        assert_eq!((mode("d"), mode("d/f"), mode("d/again")), (0o700, 0o640, 0o755));
    }
}
