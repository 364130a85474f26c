//! An image's files: in a directory, or in a tar archive.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use crate::{
    error::FsError,
    exec::Exec,
    image::BuiltImage,
    layer::{
        Entry, EntryKind, Meta, View, diff::file_xattrs, entry::ImagePath, tar_stream::TarStream,
        view::Node,
    },
    problem::{BuildError, Problem},
    sandbox::safe_fs::Root,
};

/// Writes an image's files into a directory, which must be empty or missing. Owners are the caller's,
/// as in every other tool. On failure nothing is left in it.
pub fn local(exec: &Exec<'_>, image: &BuiltImage, dir: &Path) -> Result<(), BuildError> {
    let is_new = !dir.exists();
    fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
    if fs::read_dir(dir).map_err(FsError::new("read", dir))?.next().is_some() {
        let full = io::Error::from(io::ErrorKind::DirectoryNotEmpty);
        return Err(FsError::new("write the image into", dir)(full).into());
    }
    // Whoever is killed half-way leaves the half beside the directory, and the next build clears it.
    let partial = beside(dir);
    crate::store::remove_tree(&partial);
    let in_place = fs::create_dir(&partial).is_err();
    let to = if in_place { dir } else { &partial };
    let written = write_local(exec, image, to).and_then(|()| match in_place {
        true => Ok(()),
        false => Ok(move_into(&partial, dir).map_err(FsError::new("write", dir))?),
    });
    if written.is_err() && in_place {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            crate::store::remove_tree(&entry.path());
        }
    }
    if !in_place {
        crate::store::remove_tree(&partial);
    }
    if written.is_err() && is_new {
        let _ = fs::remove_dir(dir);
    }
    written
}

/// `out` becomes `.out.partial`.
fn beside(dir: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(dir.file_name().unwrap_or_default());
    name.push(".partial");
    dir.with_file_name(name)
}

/// Moves all that is in one directory into another, empty one.
fn move_into(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn write_local(exec: &Exec<'_>, image: &BuiltImage, dir: &Path) -> Result<(), BuildError> {
    let view: View = exec.view(&image.snapshot)?;
    let mut directories: Vec<(&ImagePath, u32)> = Vec::new();
    // A hard link is only ever made to a file that was written here.
    let mut written: BTreeSet<&ImagePath> = BTreeSet::new();
    for (path, node) in view.iter() {
        if exec.interrupted() {
            return Err(Problem::Interrupted.into());
        }
        let to = dir.join(path.as_path());
        let copy = |mode: u32| -> Result<u64, BuildError> {
            let (mut from, _) = opened(exec, image, path, node)?;
            let mut write = || -> io::Result<u64> {
                let mut file = File::create_new(&to)?;
                let size = io::copy(&mut from, &mut file)?;
                file.set_permissions(fs::Permissions::from_mode(mode))?;
                Ok(size)
            };
            Ok(write().map_err(FsError::new("write", &to))?)
        };
        let done = match &node.entry.kind {
            EntryKind::Directory => {
                directories.push((path, node.entry.mode));
                fs::create_dir(&to)
            }
            EntryKind::File(size) => {
                if copy(node.entry.mode)? != *size
                    && let Some(layer) = image.snapshot.layers.get(node.layer)
                {
                    return Err(exec.changed(layer, path));
                }
                Ok(())
            }
            EntryKind::Hardlink(first) if written.contains(first) => {
                fs::hard_link(dir.join(first.as_path()), &to)
            }
            // Its first name comes later, or is gone from what is shown.
            EntryKind::Hardlink(_) => {
                copy(node.entry.mode)?;
                Ok(())
            }
            EntryKind::Symlink(target) => symlink(target.as_path(), &to),
            // Devices and pipes are no files to look at.
            _ => Ok(()),
        };
        done.map_err(FsError::new("write", &to))?;
        if matches!(node.entry.kind, EntryKind::File(_)) {
            written.insert(path);
        }
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
        let mut meta = Meta { mtime: node.entry.mtime, ..Meta::default() };
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
            let (from, place) = opened(exec, image, path, node)?;
            let found = from.metadata().map_err(FsError::new("read", &place))?;
            if let EntryKind::File(known) = node.entry.kind
                && known != found.len()
                && let Some(layer) = image.snapshot.layers.get(node.layer)
            {
                return Err(exec.changed(layer, path));
            }
            *size = found.len();
            entry.meta.mtime = found.mtime();
            entry.meta.xattrs = file_xattrs(&from, &place)?;
            file = Some(from);
        }
        match &mut file {
            Some(file) => out.entry(&entry, file).map_err(failed)?,
            None => out.entry(&entry, &mut io::empty()).map_err(failed)?,
        }
        written.insert(path);
    }
    Ok(())
}

/// A file of an image, where its layer lies unpacked. Nothing in the layer leads out of it.
fn opened(
    exec: &Exec<'_>,
    image: &BuiltImage,
    path: &ImagePath,
    node: &Node,
) -> Result<(File, PathBuf), BuildError> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    let Some(layer) = image.snapshot.layers.get(node.layer) else {
        return Err(FsError::new("read", path.as_path())(gone()).into());
    };
    let layer = exec.unpacked(layer)?;
    let place = layer.join(path.as_path());
    let file = Root::open(&layer).and_then(|root| root.open_file_itself(path.as_path()));
    Ok((file.map_err(FsError::new("read", &place))?, place))
}
