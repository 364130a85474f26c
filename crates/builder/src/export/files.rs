//! An image's files: in a directory, or in a tar archive.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use crate::{
    error::FsError,
    exec::Exec,
    image::BuiltImage,
    layer::{
        Entry, EntryKind, Meta, View, diff::read_meta, entry::ImagePath, tar_stream::TarStream,
    },
    problem::{BuildError, Problem},
};

/// Writes an image's files into a directory. Owners are the caller's, as in every other tool.
pub fn local(exec: &Exec<'_>, image: &BuiltImage, dir: &Path) -> Result<(), BuildError> {
    fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
    if fs::read_dir(dir).map_err(FsError::new("read", dir))?.next().is_some() {
        let full = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
        return Err(FsError::new("write the image into", dir)(full).into());
    }
    let view: View = exec.view(&image.snapshot)?;
    let mut directories: Vec<(&ImagePath, u32)> = Vec::new();
    for (path, node) in view.iter() {
        if exec.interrupted() {
            return Err(Problem::Interrupted.into());
        }
        let to = dir.join(path.as_path());
        let from = || -> Result<std::path::PathBuf, BuildError> {
            Ok(match image.snapshot.layers.get(node.layer) {
                Some(layer) => exec.unpacked(layer)?.join(path.as_path()),
                None => std::path::PathBuf::new(),
            })
        };
        let done = match &node.entry.kind {
            EntryKind::Directory => {
                directories.push((path, node.entry.mode));
                fs::create_dir(&to)
            }
            EntryKind::File(size) => {
                let mode = fs::Permissions::from_mode(node.entry.mode);
                let copied = fs::copy(from()?, &to).map_err(FsError::new("write", &to))?;
                if copied != *size
                    && let Some(layer) = image.snapshot.layers.get(node.layer)
                {
                    return Err(exec.changed(layer, path));
                }
                fs::set_permissions(&to, mode)
            }
            EntryKind::Hardlink(first) => {
                fs::hard_link(dir.join(first.as_path()), &to).or_else(|_| {
                    let from = from().map_err(|e| io::Error::other(e.problem.to_string()))?;
                    fs::copy(from, &to).map(drop)
                })
            }
            EntryKind::Symlink(target) => symlink(target.as_path(), &to),
            // Devices and pipes are no files to look at.
            _ => Ok(()),
        };
        done.map_err(FsError::new("write", &to))?;
    }
    for (path, mode) in directories.into_iter().rev() {
        let to = dir.join(path.as_path());
        fs::set_permissions(&to, fs::Permissions::from_mode(mode))
            .map_err(FsError::new("write", &to))?;
    }
    Ok(())
}

/// Writes an image's files into a tar archive, below a directory if one is given.
pub fn tar<W: Write>(
    exec: &Exec<'_>,
    image: &BuiltImage,
    below: &str,
    out: &mut TarStream<W>,
    path: &Path,
) -> Result<(), BuildError> {
    let view: View = exec.view(&image.snapshot)?;
    let base = ImagePath::from(below);
    let failed = |e| FsError::new("write", path)(e);
    if !base.is_root() {
        let meta = Meta { mode: 0o755, ..Meta::default() };
        let entry = Entry { path: base.clone(), kind: EntryKind::Directory, meta };
        out.entry(&entry, &mut io::empty()).map_err(failed)?;
    }
    let mut written: BTreeSet<&ImagePath> = BTreeSet::new();
    for (path, node) in view.iter() {
        if exec.interrupted() {
            return Err(Problem::Interrupted.into());
        }
        let Some(layer) = image.snapshot.layers.get(node.layer) else { continue };
        let from = exec.unpacked(layer)?.join(path.as_path());
        let found = fs::symlink_metadata(&from);
        let mut meta = match &found {
            Ok(found) => read_meta(&from, found)?,
            // Directories that an archive leaves out, and devices, which no user may make.
            Err(_) => Meta::default(),
        };
        (meta.mode, meta.uid, meta.gid) = (node.entry.mode, node.entry.uid, node.entry.gid);
        let mut entry = Entry { path: base.join(&path.0), kind: node.entry.kind.clone(), meta };
        let mut file = None;
        if let EntryKind::Hardlink(first) = &node.entry.kind {
            // Its first name may be gone from what is shown.
            entry.kind = match written.contains(first) {
                true => EntryKind::Hardlink(base.join(&first.0)),
                false => EntryKind::File(0),
            };
        }
        if let EntryKind::File(size) = &mut entry.kind {
            let length = found.map_err(FsError::new("read", &from))?.len();
            if matches!(node.entry.kind, EntryKind::File(known) if known != length) {
                return Err(exec.changed(layer, path));
            }
            *size = length;
            file = Some(File::open(&from).map_err(FsError::new("read", &from))?);
        }
        match &mut file {
            Some(file) => out.entry(&entry, file).map_err(failed)?,
            None => out.entry(&entry, &mut io::empty()).map_err(failed)?,
        }
        written.insert(path);
    }
    Ok(())
}
