//! The file system that a step sees, put together and entered.

use std::{
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{FileType, fstat},
    mount::{MountAttrFlags, UnmountFlags, unmount},
    process::{fchdir, pivot_root},
};

use super::{
    super::{
        error::{During, SysError},
        mounts,
        overlay::{self, Writable},
        safe_fs::Root,
        session::{PRIVATE, ROOT, STUBS},
    },
    Mount, Request, RunSpec, StepError, devices,
    stubs::{self, Wanted},
};

/// Puts the root together in this process's own mount namespace, and makes it `/`.
pub(super) fn enter(request: &Request) -> Result<(), StepError> {
    let spec = &request.spec;
    let mut private = Private { path: request.scratch.join(PRIVATE), mounted: false, files: 0 };
    let wanted = wanted(spec);
    let mut root = mount_root(request, &mut private, None)?;
    let missing: Vec<Wanted> =
        wanted.into_iter().filter(|wanted| is_missing(&root, wanted)).collect();
    if !missing.is_empty() {
        let layer = private.dir("stubs")?;
        stubs::build(&root, &request.scratch.join(ROOT), &layer, &missing)?;
        unmount(request.scratch.join(ROOT), UnmountFlags::DETACH)
            .during(|| "take off the step's root".to_owned())?;
        drop(root);
        root = mount_root(request, &mut private, Some(layer))?;
    }
    let target = |path: &str| root.resolve(path).at("find in the image", path);
    devices::mount_proc(target("/proc")?.as_fd(), &request.scratch)?;
    devices::mount_sys(target("/sys")?.as_fd(), &request.scratch)?;
    devices::mount_dev(target("/dev")?.as_fd(), request)?;
    for shadow in &spec.shadow {
        let file = private.file(shadow.contents.as_bytes(), 0o644, (0, 0))?;
        mounts::restrict(&file, MountAttrFlags::MOUNT_ATTR_RDONLY, false)
            .at("make read-only", &shadow.dest)?;
        attach(&root, file.as_fd(), &shadow.dest, false)?;
    }
    for mount in in_order(&spec.mounts) {
        add(&root, mount, request, &mut private)?;
    }
    make_it_the_root(&root)?;
    Ok(())
}

/// A tmpfs of this step alone, made when first needed.
struct Private {
    path: PathBuf,
    mounted: bool,
    files: u32,
}

impl Private {
    fn base(&mut self) -> Result<&Path, SysError> {
        if !self.mounted {
            let tmpfs = mounts::new_tmpfs(0o755, None, MountAttrFlags::empty())
                .during(|| "make a tmpfs".to_owned())?;
            mounts::attach_path(tmpfs.as_fd(), &self.path).at("mount a tmpfs at", &self.path)?;
            self.mounted = true;
        }
        Ok(&self.path)
    }

    fn dir(&mut self, name: &str) -> Result<PathBuf, SysError> {
        let path = self.base()?.join(name);
        fs::create_dir(&path).at("make the directory", &path)?;
        Ok(path)
    }

    /// A new file, as a detached mount.
    fn file(
        &mut self,
        contents: &[u8],
        mode: u32,
        (uid, gid): (u32, u32),
    ) -> Result<OwnedFd, SysError> {
        use std::os::unix::fs::PermissionsExt;
        self.files += 1;
        let name = format!("file-{}", self.files);
        let path = self.base()?.join(name);
        fs::write(&path, contents).at("write", &path)?;
        std::os::unix::fs::chown(&path, Some(uid), Some(gid)).at("set the owner of", &path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .at("set the mode of", &path)?;
        mounts::clone_path(&path, false).at("bind", &path)
    }
}

/// The layers of the image between the stub layers, attached where steps have their root.
fn mount_root(
    request: &Request,
    private: &mut Private,
    stubs: Option<PathBuf>,
) -> Result<Root, SysError> {
    let spec = &request.spec;
    let mut lower = Vec::with_capacity(spec.lower.len() + 2);
    lower.extend(stubs);
    lower.extend(spec.lower.iter().cloned());
    lower.push(request.scratch.join(STUBS));
    let writable = Writable { upper: &spec.upper, work: &spec.work };
    let root = layers(&lower, Some(writable), request, private)?;
    let place = request.scratch.join(ROOT);
    mounts::attach_path(root.as_fd(), &place).at("mount the step's root at", &place)?;
    Ok(Root::from_fd(root))
}

fn layers(
    lower: &[PathBuf],
    writable: Option<Writable<'_>>,
    request: &Request,
    private: &mut Private,
) -> Result<OwnedFd, SysError> {
    overlay::detached(lower, writable, &request.scratch, &mut |below| {
        private.files += 1;
        let name = format!("layers-{}", private.files);
        let place = private.dir(&name)?;
        mounts::attach_path(below, &place).at("mount layers at", &place)?;
        Ok(place)
    })
}

/// The mount points on the root itself. Those inside another mount are that one's affair.
fn wanted(spec: &RunSpec) -> Vec<Wanted> {
    let directory = |path: &str| Wanted { path: path.to_owned(), directory: true };
    let mut all: Vec<Wanted> = ["/proc", "/sys", "/dev"].into_iter().map(directory).collect();
    all.extend(spec.shadow.iter().map(|file| Wanted { path: file.dest.clone(), directory: false }));
    for mount in in_order(&spec.mounts) {
        let inside = all.iter().any(|outer| outer.directory && is_below(mount.dest(), &outer.path));
        if !inside {
            all.push(Wanted { path: mount.dest().to_owned(), directory: wants_directory(mount) });
        }
    }
    all
}

fn wants_directory(mount: &Mount) -> bool {
    match mount {
        Mount::File { .. } => false,
        Mount::Tmpfs { .. } => true,
        Mount::Bind { source, subpath, .. } => Root::open(source)
            .and_then(|root| root.stat(subpath.as_deref().unwrap_or("/")))
            .map_or_else(
                |_| !source.is_file(),
                |stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
            ),
        // A file of another stage is found only once its layers are mounted: see `add`, which
        // replaces the stub.
        Mount::Layers { .. } => true,
    }
}

fn is_below(path: &str, outer: &str) -> bool {
    let normal = |path: &str| -> Vec<String> {
        let mut parts = Vec::new();
        for part in Path::new(path).components() {
            match part {
                Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
                Component::ParentDir => {
                    parts.pop();
                }
                _ => {}
            }
        }
        parts
    };
    normal(path).starts_with(&normal(outer))
}

/// Parents before what is below them, else as given.
fn in_order(mounts: &[Mount]) -> Vec<&Mount> {
    let mut sorted: Vec<&Mount> = mounts.iter().collect();
    sorted.sort_by_key(|mount| {
        Path::new(mount.dest()).components().filter(|c| matches!(c, Component::Normal(_))).count()
    });
    sorted
}

fn is_missing(root: &Root, wanted: &Wanted) -> bool {
    matches!(root.resolve(&wanted.path), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

fn add(
    root: &Root,
    mount: &Mount,
    request: &Request,
    private: &mut Private,
) -> Result<(), StepError> {
    let refuse = |reason: String| StepError::Mount { dest: mount.dest().to_owned(), reason };
    let detached = match mount {
        Mount::Bind { source, subpath, read_only, recursive, .. } => {
            let bound = match subpath {
                Some(subpath) => {
                    let inside = Root::open(source)
                        .and_then(|root| root.resolve(subpath))
                        .map_err(|error| refuse(format!("source '{subpath}': {error}")))?;
                    mounts::clone_at(inside.as_fd(), "", *recursive)
                }
                None => mounts::clone_path(source, *recursive),
            };
            let bound = bound.map_err(|errno| refuse(format!("{}: {errno}", source.display())))?;
            if *read_only {
                mounts::restrict(&bound, MountAttrFlags::MOUNT_ATTR_RDONLY, *recursive)
                    .map_err(|errno| refuse(format!("cannot make it read-only: {errno}")))?;
            }
            bound
        }
        Mount::Layers { lower, writable, subpath, .. } => {
            let writable = writable.as_ref().map(|(upper, work)| Writable { upper, work });
            let mounted = layers(lower, writable, request, private)?;
            match subpath {
                None => mounted,
                Some(subpath) => {
                    // A detached mount can't be cloned on older kernels: it needs a place first.
                    private.files += 1;
                    let name = format!("layers-{}", private.files);
                    let place = private.dir(&name)?;
                    mounts::attach_path(mounted.as_fd(), &place).at("mount layers at", &place)?;
                    let inside = Root::from_fd(mounted)
                        .resolve(subpath)
                        .map_err(|error| refuse(format!("source '{subpath}': {error}")))?;
                    let bound = mounts::clone_at(inside.as_fd(), "", false)
                        .map_err(|errno| refuse(format!("source '{subpath}': {errno}")))?;
                    if writable.is_none() {
                        mounts::restrict(&bound, MountAttrFlags::MOUNT_ATTR_RDONLY, false)
                            .map_err(|errno| {
                                refuse(format!("cannot make it read-only: {errno}"))
                            })?;
                    }
                    bound
                }
            }
        }
        Mount::Tmpfs { size, mode, .. } => mounts::new_tmpfs(
            *mode,
            *size,
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV,
        )
        .map_err(|errno| refuse(format!("no tmpfs: {errno}")))?,
        Mount::File { contents, mode, uid, gid, .. } => {
            private.file(contents, *mode, (*uid, *gid))?
        }
    };
    let directory = fstat(&detached)
        .map(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
        .unwrap_or(true);
    attach(root, detached.as_fd(), mount.dest(), directory)
}

/// Attaches at a path in the image; inside another mount the mount point is made when missing.
fn attach(
    root: &Root,
    mount: BorrowedFd<'_>,
    dest: &str,
    directory: bool,
) -> Result<(), StepError> {
    let refuse = |reason: String| StepError::Mount { dest: dest.to_owned(), reason };
    let target = match root.resolve(dest) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make_mount_point(root, dest, directory)
                .map_err(|error| refuse(format!("the mount point cannot be made: {error}")))?
        }
        result => result.map_err(|error| refuse(error.to_string()))?,
    };
    mounts::attach(mount, target.as_fd()).map_err(|errno| match errno {
        rustix::io::Errno::NOTDIR if directory => {
            refuse("the image has a file there, and a directory is to be mounted".to_owned())
        }
        rustix::io::Errno::NOTDIR => {
            refuse("the image has a directory there, and a file is to be mounted".to_owned())
        }
        other => refuse(other.to_string()),
    })
}

fn make_mount_point(root: &Root, dest: &str, directory: bool) -> std::io::Result<OwnedFd> {
    let mut nobody = |_: &super::super::safe_fs::Entry| Ok(());
    if directory {
        return root.create_dir_all(dest, 0o755, &mut nobody);
    }
    if let Some(parent) = Path::new(dest).parent() {
        root.create_dir_all(parent, 0o755, &mut nobody)?;
    }
    drop(root.create_new(dest, 0o644)?);
    root.resolve(dest)
}

/// Makes the assembled root `/`, and forgets the host's.
fn make_it_the_root(root: &Root) -> Result<(), SysError> {
    fchdir(root.fd()).during(|| "enter the step's root".to_owned())?;
    // The old root lands on the same spot, on top, and is taken off it at once.
    pivot_root(".", ".").during(|| "make the step's root the root".to_owned())?;
    unmount(".", UnmountFlags::DETACH).during(|| "take off the host's root".to_owned())?;
    rustix::process::chdir("/").during(|| "enter /".to_owned())
}
