//! What a new cache mount begins with: the files of a stage, an image or a context.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
};

use super::Exec;
use crate::{
    error::FsError,
    layer::{
        Entry, EntryKind, Meta, diff::file_xattrs, entry::ImagePath, read::Limits,
        tar_stream::TarStream, unpack::unpack,
    },
    plan::{MountSource, OWN_PART, Own, Seed},
    problem::{BuildError, Problem},
    sandbox::safe_fs::Root,
};

impl Exec<'_> {
    /// Fills an empty directory.
    pub(super) fn seed(&self, dir: &Path, seed: &Seed) -> Result<(), BuildError> {
        match seed.from {
            Some(from) => self.fill(dir, from)?,
            None => give(dir, USUAL)?,
        }
        let Some(own) = seed.own else { return Ok(()) };
        let root = Root::open(dir).map_err(FsError::new("create", dir))?;
        // A link is as good as what it leads to; where that is nothing, whoever mounts it says so.
        let there = root.lstat(OWN_PART).map_err(FsError::new("read", dir))?;
        if there.is_none() {
            root.create_dir(OWN_PART, 0o700).map_err(FsError::new("create", dir))?;
            give(&dir.join(OWN_PART.trim_start_matches('/')), own)?;
        }
        Ok(())
    }

    /// All that a stage, an image or a context has.
    pub(super) fn fill(&self, dir: &Path, from: MountSource) -> Result<(), BuildError> {
        let sources = self.sources_of(from)?;
        let view = sources.view();
        let base = ImagePath::default();
        let root = view.get(&base).map(|node| &node.entry);
        let path = self.store.temporary("seed.tar");
        let failed = |e| FsError::new("write", &path)(e);
        let mut tar = TarStream::new(BufWriter::new(File::create_new(&path).map_err(failed)?));
        let mut written: BTreeSet<ImagePath> = BTreeSet::new();
        for (at, node) in view.below(&base) {
            if self.interrupted() {
                return Err(Problem::Interrupted.into());
            }
            let mut meta = Meta { mtime: node.entry.mtime, ..Meta::default() };
            (meta.mode, meta.uid, meta.gid) = (node.entry.mode, node.entry.uid, node.entry.gid);
            let mut kind = node.entry.kind.clone();
            if let EntryKind::Hardlink(first) = &kind {
                // A later layer may have put another file there.
                let is_it = view.get(first).is_some_and(|there| there.layer == node.layer);
                kind = match is_it && written.contains(first) {
                    true => EntryKind::Hardlink(first.clone()),
                    false => EntryKind::File(0),
                };
            }
            let mut data: Box<dyn io::Read> = Box::new(io::empty());
            match &mut kind {
                EntryKind::File(size) => {
                    let disk = self.on_disk(&sources, at)?;
                    let file = disk.open()?;
                    let found = file.metadata().map_err(FsError::new("read", &disk.path()))?;
                    (*size, meta.mtime) = (found.len(), found.mtime());
                    meta.xattrs = file_xattrs(&file, &disk.path())?;
                    data = Box::new(file);
                }
                EntryKind::Directory
                | EntryKind::Hardlink(_)
                | EntryKind::Symlink(_)
                | EntryKind::Fifo => {}
                // Nobody may make a device here.
                _ => continue,
            }
            let entry = Entry { path: at.clone(), kind, meta };
            tar.entry(&entry, &mut *data).map_err(failed)?;
            written.insert(at.clone());
        }
        tar.finish().and_then(|mut out| out.flush()).map_err(failed)?;
        let archive = File::open(&path).map_err(FsError::new("read", &path))?;
        unpack(archive, dir, Limits::default(), &|| self.interrupted())?;
        // What is left goes with the session.
        let _ = fs::remove_file(&path);
        let own = root.map_or(USUAL, |entry| (entry.mode, entry.uid, entry.gid));
        Ok(give(dir, own)?)
    }
}

/// Mode, user and group of a directory that says nothing of them.
pub(super) const USUAL: Own = (0o755, 0, 0);

/// Sets a directory's mode, user and group.
pub(super) fn give(dir: &Path, (mode, uid, gid): Own) -> Result<(), FsError> {
    chown(dir, Some(uid), Some(gid)).map_err(FsError::new("change the owner of", dir))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(FsError::new("create", dir))
}
