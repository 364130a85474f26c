//! Mount points that an image lacks, without touching the layer.
//!
//! The usual ones (`/proc`, `/etc/hosts`, …) lie in a lowest layer that every step gets. What is
//! missing even so is put in a topmost *lower* layer: the directories on the way there look
//! exactly like the image's own, and the upper directory never hears of it.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, CWD, Timespec, Timestamps, utimensat},
    io::Errno,
};

use super::super::{
    error::{During, SysError},
    safe_fs::Root,
};

/// How many links to missing things one path leads through at the most, as for the kernel.
const LINKS: usize = 40;

/// A mount point to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Absolute path in the image.
    pub(super) path: String,
    /// Whether it is a directory; else a file.
    pub(super) directory: bool,
}

/// Builds the layer in `layer` for what `root`, mounted at `mounted`, lacks.
pub(super) fn build(
    root: &Root,
    mounted: &Path,
    layer: &Path,
    missing: &[Wanted],
) -> Result<(), SysError> {
    let mut copied = Vec::new();
    for wanted in missing {
        let (existing, rest) = deepest_existing(root, mounted, Path::new(&wanted.path))?;
        mirror(mounted, layer, &existing, &mut copied)?;
        let mut here = layer.join(existing.strip_prefix("/").unwrap_or(&existing));
        let (last, parents) = match rest.split_last() {
            Some(parts) => parts,
            None => continue,
        };
        for parent in parents {
            here.push(parent);
            if !here.is_dir() {
                fs::create_dir(&here).at("make the directory", &here)?;
            }
        }
        here.push(last);
        if wanted.directory {
            if !here.is_dir() {
                fs::create_dir(&here).at("make the directory", &here)?;
            }
        } else {
            fs::write(&here, "").at("make the file", &here)?;
        }
    }
    // Times last: making entries changed them. Deepest first does not matter for that.
    for (original, copy) in &copied {
        copy_times(original, copy)?;
    }
    Ok(())
}

/// The real path (links resolved, inside the root) of the deepest directory on the way that
/// exists, and the names that are missing below it. A link to what is missing is followed: what is
/// mounted comes where it leads, and the link stays.
fn deepest_existing(
    root: &Root,
    mounted: &Path,
    path: &Path,
) -> Result<(PathBuf, Vec<OsString>), SysError> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let (existing, missing) = without_links(root, mounted, &path)?;
        let Some(first) = missing.first() else { return Ok((existing, missing)) };
        let link = mounted.join(existing.strip_prefix("/").unwrap_or(&existing)).join(first);
        let Ok(target) = fs::read_link(&link) else { return Ok((existing, missing)) };
        // Joining takes an absolute target for what it is.
        path = existing.join(target).join(missing[1..].iter().collect::<PathBuf>());
    }
    Err(SysError::new(format!("resolve in the image {}", path.display()), Errno::LOOP))
}

fn without_links(
    root: &Root,
    mounted: &Path,
    path: &Path,
) -> Result<(PathBuf, Vec<OsString>), SysError> {
    let parts: Vec<Component<'_>> = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .collect();
    for depth in (0..=parts.len()).rev() {
        let prefix = Path::new("/").join(parts[..depth].iter().collect::<PathBuf>());
        match root.resolve(&prefix) {
            Ok(fd) => {
                let mut existing = real_path(&fd, mounted)?;
                let mut names: Vec<OsString> = Vec::new();
                // What is missing will be directories: there the way up is the way back.
                for part in &parts[depth..] {
                    match part {
                        Component::Normal(name) => names.push((*name).to_owned()),
                        _ if names.pop().is_none() => drop(existing.pop()),
                        _ => {}
                    }
                }
                return Ok((existing, names));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).at("resolve in the image", &prefix),
        }
    }
    Err(SysError::new(format!("resolve in the image {}", path.display()), Errno::NOENT))
}

fn real_path(fd: &std::os::fd::OwnedFd, mounted: &Path) -> Result<PathBuf, SysError> {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let real = fs::read_link(&link).at("read", &link)?;
    let inside = real.strip_prefix(mounted).map_err(|_| {
        SysError::new(format!("find {} below the step's root", real.display()), Errno::XDEV)
    })?;
    Ok(Path::new("/").join(inside))
}

/// Makes the directories from the root to `path` in the layer, each like the image's.
fn mirror(
    mounted: &Path,
    layer: &Path,
    path: &Path,
    copied: &mut Vec<(PathBuf, PathBuf)>,
) -> Result<(), SysError> {
    let mut inside = PathBuf::new();
    for part in path.components() {
        if let Component::Normal(name) = part {
            inside.push(name);
        }
        let (original, copy) = (mounted.join(&inside), layer.join(&inside));
        if copied.iter().any(|(_, known)| *known == copy) {
            continue;
        }
        if !inside.as_os_str().is_empty() {
            fs::create_dir(&copy).at("make the directory", &copy)?;
        }
        copy_attributes(&original, &copy)?;
        copied.push((original, copy));
    }
    Ok(())
}

fn copy_attributes(original: &Path, copy: &Path) -> Result<(), SysError> {
    let meta = fs::symlink_metadata(original).at("look at", original)?;
    if meta.is_dir() {
        chown(copy, Some(meta.uid()), Some(meta.gid())).at("set the owner of", copy)?;
        let mode = fs::Permissions::from_mode(meta.mode() & 0o7777);
        fs::set_permissions(copy, mode).at("set the mode of", copy)?;
    } else {
        lchown(copy, Some(meta.uid()), Some(meta.gid())).at("set the owner of", copy)?;
    }
    // Access lists and the like. What the layer's file system can't hold is not worth failing for.
    for name in xattr::list(original).into_iter().flatten() {
        if let Ok(Some(value)) = xattr::get(original, &name) {
            let _ = xattr::set(copy, &name, &value);
        }
    }
    Ok(())
}

fn copy_times(original: &Path, copy: &Path) -> Result<(), SysError> {
    let meta = fs::symlink_metadata(original).at("look at", original)?;
    let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    let times = Timestamps {
        last_access: time(meta.atime(), meta.atime_nsec()),
        last_modification: time(meta.mtime(), meta.mtime_nsec()),
    };
    utimensat(CWD, copy, &times, AtFlags::SYMLINK_NOFOLLOW).at("set the times of", copy)
}
