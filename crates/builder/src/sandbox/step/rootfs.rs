//! The file system that a step sees, put together and entered.

use std::{
    ffi::OsString,
    fs,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{FileType, fstat},
    io::Errno,
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
    Mount, Request, StepError, devices,
    stubs::{self, Wanted},
};

/// Puts the root together in this process's own mount namespace, and makes it `/`.
pub(super) fn enter(request: &Request) -> Result<(), StepError> {
    let mut private = Private { path: request.scratch.join(PRIVATE), mounted: false, files: 0 };
    let parts = prepare(request, &mut private)?;
    let mut root = mount_root(request, &mut private, None)?;
    let missing = missing(&root, &parts);
    if !missing.is_empty() {
        let layer = private.dir("stubs")?;
        stubs::build(&root, &request.scratch.join(ROOT), &layer, &missing)?;
        unmount(request.scratch.join(ROOT), UnmountFlags::DETACH)
            .during(|| "take off the step's root".to_owned())?;
        drop(root);
        forget_first_mount(&request.spec.work)?;
        root = mount_root(request, &mut private, Some(layer))?;
    }
    let target = |path: &str| root.resolve(path).at("find in the image", path);
    devices::mount_proc(target("/proc")?.as_fd(), &request.scratch)?;
    devices::mount_sys(target("/sys")?.as_fd(), &request.scratch, request.spec.network)?;
    devices::mount_dev(target("/dev")?.as_fd(), request)?;
    for part in &parts {
        attach(&root, part)?;
    }
    make_it_the_root(&root)?;
    Ok(())
}

/// Something to be attached below the root, already made.
struct Part<'a> {
    dest: &'a str,
    mount: OwnedFd,
    directory: bool,
}

/// Makes all that is mounted besides the system's own, parents before what is below them.
fn prepare<'a>(request: &'a Request, private: &mut Private) -> Result<Vec<Part<'a>>, StepError> {
    let spec = &request.spec;
    let mut parts = Vec::with_capacity(spec.shadow.len() + spec.mounts.len());
    for shadow in &spec.shadow {
        let mount = private.file(shadow.contents.as_bytes(), 0o644, (0, 0))?;
        mounts::restrict(&mount, MountAttrFlags::MOUNT_ATTR_RDONLY, false)
            .at("make read-only", &shadow.dest)?;
        parts.push(Part { dest: &shadow.dest, mount, directory: false });
    }
    for mount in in_order(&spec.mounts) {
        let dest = mount.dest();
        let mount = make(mount, request, private)?;
        let kind = fstat(&mount).at("look at what is mounted at", dest)?.st_mode;
        let directory = FileType::from_raw_mode(kind) == FileType::Directory;
        parts.push(Part { dest, mount, directory });
    }
    Ok(parts)
}

/// The mount points that the root lacks. Those inside another mount are that one's affair.
fn missing(root: &Root, parts: &[Part<'_>]) -> Vec<Wanted> {
    let mut missing = Vec::new();
    let system = ["/proc", "/sys", "/dev"].map(|dest| (dest, true));
    let all = system.into_iter().chain(parts.iter().map(|part| (part.dest, part.directory)));
    let mut outer: Vec<&str> = Vec::new();
    for (dest, directory) in all {
        let inside = outer.iter().any(|outer| is_below(dest, outer));
        let absent =
            || matches!(root.resolve(dest), Err(e) if e.kind() == std::io::ErrorKind::NotFound);
        if !inside && absent() {
            missing.push(Wanted { path: dest.to_owned(), directory });
        }
        if directory {
            outer.push(dest);
        }
    }
    missing
}

/// A volatile overlay forbids a second one over the same work directory, since a crash in between
/// would go unnoticed. Here nothing was written to the first one.
fn forget_first_mount(work: &Path) -> Result<(), SysError> {
    let mark = work.join("work/incompat/volatile");
    match fs::remove_dir_all(&mark) {
        // This kernel knows no volatile overlays.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result.at("remove the mark", &mark),
    }
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

    /// A new directory with a number in its name.
    fn next_dir(&mut self, name: &str) -> Result<PathBuf, SysError> {
        self.files += 1;
        let name = format!("{name}-{}", self.files);
        self.dir(&name)
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
        let place = private.next_dir("layers")?;
        mounts::attach_path(below, &place).at("mount layers at", &place)?;
        Ok(place)
    })
}

/// Whether one path lies in another, by their texts.
fn is_below(path: &str, outer: &str) -> bool {
    let normal = |path: &str| -> Vec<OsString> {
        let mut parts = Vec::new();
        for part in Path::new(path).components() {
            match part {
                Component::Normal(name) => parts.push(name.to_owned()),
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

/// Makes one mount, attached nowhere yet.
fn make(mount: &Mount, request: &Request, private: &mut Private) -> Result<OwnedFd, StepError> {
    let refuse = |reason: String| StepError::Mount { dest: mount.dest().to_owned(), reason };
    match mount {
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
            let bound =
                bound.map_err(|errno| refuse(format!("{}: {}", source.display(), text(errno))))?;
            if *read_only {
                read_only_mount(&bound, *recursive).map_err(refuse)?;
            }
            Ok(bound)
        }
        Mount::Layers { lower, writable, subpath, .. } => {
            let writable = writable.as_ref().map(|(upper, work)| Writable { upper, work });
            let mounted = layers(lower, writable, request, private)?;
            let Some(subpath) = subpath else { return Ok(mounted) };
            // A detached mount can't be cloned on older kernels: it needs a place first.
            let place = private.next_dir("layers")?;
            mounts::attach_path(mounted.as_fd(), &place).at("mount layers at", &place)?;
            let inside = Root::from_fd(mounted)
                .resolve(subpath)
                .map_err(|error| refuse(format!("source '{subpath}': {error}")))?;
            let bound = mounts::clone_at(inside.as_fd(), "", false)
                .map_err(|errno| refuse(format!("source '{subpath}': {}", text(errno))))?;
            if writable.is_none() {
                read_only_mount(&bound, false).map_err(refuse)?;
            }
            Ok(bound)
        }
        Mount::Tmpfs { size, mode, .. } => {
            let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
            mounts::new_tmpfs(*mode, *size, attributes)
                .map_err(|errno| refuse(format!("no tmpfs: {}", text(errno))))
        }
        Mount::File { contents, mode, uid, gid, program, .. } => {
            let file = private.file(contents, *mode, (*uid, *gid))?;
            let mut attributes = MountAttrFlags::MOUNT_ATTR_RDONLY;
            if !program {
                attributes |= MountAttrFlags::MOUNT_ATTR_NODEV
                    | MountAttrFlags::MOUNT_ATTR_NOSUID
                    | MountAttrFlags::MOUNT_ATTR_NOEXEC;
            }
            let restricted = mounts::restrict(&file, attributes, false);
            restricted
                .map_err(|errno| refuse(format!("it cannot be restricted: {}", text(errno))))?;
            Ok(file)
        }
    }
}

/// The kernel's reason in words.
fn text(errno: Errno) -> String {
    std::io::Error::from(errno).to_string()
}

fn read_only_mount(mount: &OwnedFd, recursive: bool) -> Result<(), String> {
    mounts::restrict(mount, MountAttrFlags::MOUNT_ATTR_RDONLY, recursive)
        .map_err(|errno| format!("it cannot be made read-only: {}", text(errno)))
}

/// Attaches at a path in the image; inside another mount the mount point is made when missing.
fn attach(root: &Root, part: &Part<'_>) -> Result<(), StepError> {
    let refuse = |reason: String| StepError::Mount { dest: part.dest.to_owned(), reason };
    let target = match root.resolve(part.dest) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            make_mount_point(root, part.dest, part.directory)
                .map_err(|error| refuse(format!("the mount point cannot be made: {error}")))?
        }
        result => result.map_err(|error| refuse(error.to_string()))?,
    };
    let look = |fd: BorrowedFd<'_>| fstat(fd).map_err(|errno| refuse(text(errno)));
    let (there, top) = (look(target.as_fd())?, look(root.fd())?);
    if (there.st_dev, there.st_ino) == (top.st_dev, top.st_ino) {
        return Err(refuse("in this image it is the root itself".to_owned()));
    }
    let onto_directory = FileType::from_raw_mode(there.st_mode) == FileType::Directory;
    if onto_directory != part.directory {
        let (there, here) =
            if onto_directory { ("directory", "file") } else { ("file", "directory") };
        return Err(refuse(format!(
            "the image has a {there} there, and a {here} is to be mounted"
        )));
    }
    mounts::attach(part.mount.as_fd(), target.as_fd()).map_err(|errno| refuse(text(errno)))
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
