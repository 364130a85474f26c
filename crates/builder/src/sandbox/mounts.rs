//! The new mount API, in the few shapes that the sandbox uses.
//!
//! Everything here works on descriptors: a mount is made detached, configured, and only then
//! attached to a directory that was resolved safely, so no path is looked up twice.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::CWD,
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
        fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
    },
    path::Arg,
};

/// Makes a file system instance and a detached mount of it.
pub(crate) fn new_fs(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, *value)?;
    }
    fsconfig_create(&context)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// A tmpfs, detached.
pub(crate) fn new_tmpfs(
    mode: u32,
    size: Option<u64>,
    attributes: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let mode = format!("{mode:o}");
    let size = size.map(|bytes| bytes.to_string());
    let mut options = vec![("source", "tmpfs"), ("mode", &mode)];
    if let Some(size) = &size {
        options.push(("size", size));
    }
    new_fs("tmpfs", &options, attributes)
}

/// A detached copy of what is mounted at a path, itself possibly a subdirectory or file.
pub(crate) fn clone_path(path: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    clone_at(CWD, path, recursive)
}

/// The same, relative to a directory. The path must not be one that a step controls, unless it
/// was resolved before: use an empty path and the resolved descriptor for that.
pub(crate) fn clone_at(
    dir: BorrowedFd<'_>,
    path: impl Arg,
    recursive: bool,
) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(dir, path, flags)
}

/// Attaches a detached mount on the directory or file that a descriptor names.
pub(crate) fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<(), Errno> {
    move_mount(
        mount,
        "",
        target,
        "",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )
}

/// Attaches below a directory whose contents we made ourselves.
pub(crate) fn attach_at(
    mount: BorrowedFd<'_>,
    dir: BorrowedFd<'_>,
    path: impl Arg,
) -> Result<(), Errno> {
    move_mount(mount, "", dir, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Attaches at a path of the host.
pub(crate) fn attach_path(mount: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    attach_at(mount, CWD, path)
}

/// Adds attributes to a mount, and to those below it when `recursive`.
pub(crate) fn restrict(
    mount: impl AsFd,
    attributes: MountAttrFlags,
    recursive: bool,
) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let request = libc::mount_attr {
        attr_set: u64::from(attributes.bits()),
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a static empty C string, `request` outlives the call, and its size is
    // passed with it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const request,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

/// The error of the libc call just made.
pub(crate) fn last_errno() -> Errno {
    Errno::from_raw_os_error(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}
