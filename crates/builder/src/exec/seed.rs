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
    copy::CopyError,
    error::FsError,
    layer::{
        Entry, EntryKind, Meta, diff::file_xattrs, entry::ImagePath, read::Limits,
        tar_stream::TarStream, unpack::unpack, view::Lookup,
    },
    plan::{MountSource, Seed},
    problem::{BuildError, Problem},
};

impl Exec<'_> {
    /// Fills an empty directory. `own` are the mode, user and group of a directory that is made
    /// because the source has none.
    pub(super) fn seed(
        &self,
        dir: &Path,
        seed: &Seed,
        own: (u32, u32, u32),
    ) -> Result<(), BuildError> {
        let sources = self.sources_of(seed.from)?;
        let view = sources.view();
        let base = match view.resolve(&ImagePath::from(&*seed.source), true) {
            Lookup::Found(path) => path,
            _ if seed.or_new => return Ok(give(dir, own)?),
            _ => return Err(missing(seed).into()),
        };
        let root = view.get(&base).map(|node| &node.entry);
        if root.is_some_and(|entry| !entry.is_dir()) {
            let (what, value) = ("--mount: source".to_owned(), seed.source.clone());
            let expected = "a directory, which a cache is";
            return Err(Problem::BadValue { what, value, expected }.into());
        }
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
                kind = match below(first, &base).filter(|first| written.contains(first)) {
                    Some(first) => EntryKind::Hardlink(first),
                    None => EntryKind::File(0),
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
            let Some(inside) = below(at, &base) else { continue };
            let entry = Entry { path: inside.clone(), kind, meta };
            tar.entry(&entry, &mut *data).map_err(failed)?;
            written.insert(inside);
        }
        tar.finish().and_then(|mut out| out.flush()).map_err(failed)?;
        let archive = File::open(&path).map_err(FsError::new("read", &path))?;
        unpack(archive, dir, Limits::default(), &|| self.interrupted())?;
        // What is left goes with the session.
        let _ = fs::remove_file(&path);
        let own = root.map_or((0o755, 0, 0), |entry| (entry.mode, entry.uid, entry.gid));
        Ok(give(dir, own)?)
    }
}

/// Sets a directory's mode, user and group.
pub(super) fn give(dir: &Path, (mode, uid, gid): (u32, u32, u32)) -> Result<(), FsError> {
    chown(dir, Some(uid), Some(gid)).map_err(FsError::new("change the owner of", dir))?;
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).map_err(FsError::new("create", dir))
}

/// A path as seen from a directory above it.
fn below(path: &ImagePath, base: &ImagePath) -> Option<ImagePath> {
    if base.is_root() {
        return Some(path.clone());
    }
    let rest = path.0.strip_prefix(&base.0[..])?.strip_prefix(b"/")?;
    Some(ImagePath(rest.to_vec()))
}

fn missing(seed: &Seed) -> Problem {
    let hint = match seed.from {
        MountSource::Step(_) => " in the stage or image that from= names",
        MountSource::Context | MountSource::Named(_) => " in the context that from= names",
    };
    CopyError::NotFound { path: seed.source.clone(), hint: hint.to_owned() }.into()
}
