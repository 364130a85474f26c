//! An image's files: in a directory, or in a tar archive.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use super::partial::Partial;
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

/// Writes an image's files into a directory, over what is there: what has another name stays. Owners
/// are the caller's, as in every other tool. What can be known to fail fails before anything there is
/// changed.
pub fn local(
    exec: &Exec<'_>,
    image: &BuiltImage,
    statements: &[(String, Vec<u8>)],
    dir: &Path,
) -> Result<(), BuildError> {
    let is_new = !dir.exists();
    fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
    // Whoever is killed half-way leaves the half there, and the next build clears it.
    let partial = partial(dir).map_err(FsError::new("write the image into", dir))?;
    let written = write_local(exec, image, partial.path()).and_then(|()| {
        for (name, bytes) in statements {
            let to = partial.path().join(name);
            put_beside(&to, bytes).map_err(FsError::new("write", &to))?;
        }
        let mut moves = Vec::new();
        plan_moves(partial.path(), dir, &mut moves)?;
        carry_out(&moves)?;
        Ok(())
    });
    drop(partial);
    if written.is_err() && is_new {
        let _ = fs::remove_dir(dir);
    }
    written
}

/// Writes a file of ours among an image's. What the image has by that name gives way, and is never
/// written through: it may be a link to anywhere.
fn put_beside(to: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(to)?.write_all(bytes),
    }
}

/// Refuses images that have different files at the same place: in one directory there is room for one
/// of them (BuildKit's `exporter/local/export.go`).
pub fn no_two_of_a_name(exec: &Exec<'_>, images: &[BuiltImage]) -> Result<(), BuildError> {
    let mut owners: HashMap<ImagePath, &BuiltImage> = HashMap::new();
    for image in images {
        let view: View = exec.view(&image.snapshot)?;
        for (path, _) in view.iter().filter(|(_, node)| !node.entry.is_dir()) {
            if let Some(other) = owners.insert(path.clone(), image) {
                let (one, two) = (other.platform.clone(), image.platform.clone());
                return Err(Problem::NoRoomForTwo { path: path.display(), one, two }.into());
            }
        }
    }
    Ok(())
}

/// A new directory to write to: beside `dir`, or in it if that is a file system of its own or beside
/// it nobody may write.
fn partial(dir: &Path) -> io::Result<Partial> {
    let own = fs::metadata(dir)?.dev();
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
    if let (Some(above), Some(name)) = (above, dir.file_name())
        && fs::metadata(above).is_ok_and(|above| above.dev() == own)
        && let Ok(partial) = Partial::directory(above, name)
    {
        return Ok(partial);
    }
    Partial::directory(dir, "mlint".as_ref())
}

/// A change of the directory that is written to.
enum Move {
    /// This comes there, in the place of a file or of nothing.
    Rename(PathBuf, PathBuf),
    /// A directory that is there has this mode from now on.
    Mode(PathBuf, fs::Permissions),
}

/// Finds out what is to be moved where. Nothing is moved if a directory would have to go for a file,
/// or the other way round.
fn plan_moves(from: &Path, to: &Path, moves: &mut Vec<Move>) -> Result<(), FsError> {
    for entry in fs::read_dir(from).map_err(FsError::new("read", from))? {
        let entry = entry.map_err(FsError::new("read", from))?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let new = fs::symlink_metadata(&from).map_err(FsError::new("read", &from))?;
        let there = match fs::symlink_metadata(&to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            found => Some(found.map_err(FsError::new("read", &to))?),
        };
        match there {
            Some(there) if there.is_dir() && new.is_dir() => {
                plan_moves(&from, &to, moves)?;
                if there.permissions() != new.permissions() {
                    moves.push(Move::Mode(to, new.permissions()));
                }
            }
            Some(there) if there.is_dir() => {
                let kind = io::Error::other("a directory is there, and the image has a file");
                return Err(FsError::new("write", &to)(kind));
            }
            Some(_) if new.is_dir() => {
                let kind = io::Error::other("a file is there, and the image has a directory");
                return Err(FsError::new("write", &to)(kind));
            }
            _ => moves.push(Move::Rename(from, to)),
        }
    }
    Ok(())
}

fn carry_out(moves: &[Move]) -> Result<(), FsError> {
    for change in moves {
        match change {
            Move::Rename(from, to) => {
                fs::rename(from, to).map_err(FsError::new("write", to))?;
            }
            Move::Mode(dir, mode) => {
                fs::set_permissions(dir, mode.clone()).map_err(FsError::new("write", dir))?;
            }
        }
    }
    Ok(())
}

fn write_local(exec: &Exec<'_>, image: &BuiltImage, dir: &Path) -> Result<(), BuildError> {
    let view: View = exec.view(&image.snapshot)?;
    // All files are as old as the build is told to be.
    let time = |node: &Node| exec.request.epoch.unwrap_or(node.entry.mtime);
    let mut directories: Vec<(&ImagePath, &Node)> = Vec::new();
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
                let found = from.metadata()?.mtime();
                date(&to, exec.request.epoch.unwrap_or(found))?;
                Ok(size)
            };
            Ok(write().map_err(FsError::new("write", &to))?)
        };
        let done = match &node.entry.kind {
            EntryKind::Directory => {
                directories.push((path, node));
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
            EntryKind::Hardlink(first) if written.contains(first) && is_it(&view, first, node) => {
                fs::hard_link(dir.join(first.as_path()), &to)
            }
            // Its first name comes later, or is gone from what is shown.
            EntryKind::Hardlink(_) => {
                copy(node.entry.mode)?;
                Ok(())
            }
            EntryKind::Symlink(target) => {
                symlink(target.as_path(), &to).and_then(|()| date(&to, time(node)))
            }
            EntryKind::Fifo => {
                let mode = rustix::fs::Mode::from_raw_mode(node.entry.mode);
                rustix::fs::mknodat(rustix::fs::CWD, &to, rustix::fs::FileType::Fifo, mode, 0)
                    .map_err(io::Error::from)
                    .and_then(|()| date(&to, time(node)))
            }
            // Devices are no files to look at.
            _ => Ok(()),
        };
        done.map_err(FsError::new("write", &to))?;
        if matches!(node.entry.kind, EntryKind::File(_)) {
            written.insert(path);
        }
    }
    for (path, node) in directories.into_iter().rev() {
        let to = dir.join(path.as_path());
        fs::set_permissions(&to, fs::Permissions::from_mode(node.entry.mode))
            .and_then(|()| date(&to, time(node)))
            .map_err(FsError::new("write", &to))?;
    }
    Ok(())
}

/// Whether the first name of a file is still that file's: a later layer may have put another there.
fn is_it(view: &View, first: &ImagePath, other: &Node) -> bool {
    view.get(first).is_some_and(|node| node.layer == other.layer)
}

/// Gives a file, or a link itself, its time in seconds since 1970.
fn date(path: &Path, time: i64) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let time = Timespec { tv_sec: time, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Writes an image's files into a tar archive, below a directory if one is given.
pub fn tar<W: Write>(
    exec: &Exec<'_>,
    image: &BuiltImage,
    statements: &[(String, Vec<u8>)],
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
        if statements.iter().any(|(name, _)| path.0 == name.as_bytes()) {
            continue;
        }
        let mut meta = Meta { mtime: node.entry.mtime, ..Meta::default() };
        (meta.mode, meta.uid, meta.gid) = (node.entry.mode, node.entry.uid, node.entry.gid);
        let mut entry = Entry { path: base.join(&path.0), kind: node.entry.kind.clone(), meta };
        let mut file = None;
        if let EntryKind::Hardlink(first) = &node.entry.kind {
            // Its first name may be gone from what is shown.
            entry.kind = match written.contains(first) && is_it(&view, first, node) {
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
        entry.meta.mtime = exec.request.epoch.unwrap_or(entry.meta.mtime);
        match &mut file {
            Some(file) => out.entry(&entry, file).map_err(failed)?,
            None => out.entry(&entry, &mut io::empty()).map_err(failed)?,
        }
        written.insert(path);
    }
    for (name, bytes) in statements {
        let meta = Meta { mode: 0o644, mtime: exec.request.epoch.unwrap_or(0), ..Meta::default() };
        let kind = EntryKind::File(bytes.len() as u64);
        let entry = Entry { path: base.join(name.as_bytes()), kind, meta };
        out.entry(&entry, &mut &bytes[..]).map_err(failed)?;
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
