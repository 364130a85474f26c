//! `/dev`, `/proc` and `/sys` of a step.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, mkdirat, openat, symlinkat},
    io::Errno,
    mount::MountAttrFlags,
};

use super::{
    super::{
        error::{During, SysError},
        mounts,
        session::{EMPTY, MASKED_SYS, SYS},
    },
    Network, Request,
};

/// The nodes that every container has.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// What a container must not see of the host's kernel.
const MASKED_FILES: [&str; 7] =
    ["kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "interrupts"];
const MASKED_DIRS: [&str; 3] = ["acpi", "asound", "scsi"];
/// What it may read but not change. With the identity map, root in a step is the host's root to
/// the files in here.
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Where the host's network interfaces show.
const HOST_INTERFACES: [&str; 2] = ["class/net", "devices/virtual/net"];

/// As large as Docker makes it.
const SHM_SIZE: u64 = 64 << 20;

const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;
const RDONLY: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_RDONLY;

/// Mounts a `/dev` of its own on the target.
pub(super) fn mount_dev(target: BorrowedFd<'_>, request: &Request) -> Result<(), SysError> {
    let failed = |errno: Errno| SysError::new("make /dev", errno);
    let dev = mounts::new_tmpfs(0o755, Some(64 << 20), NOSUID | NOEXEC).map_err(failed)?;
    mounts::attach(dev.as_fd(), target).map_err(failed)?;
    for node in NODES {
        let host = Path::new("/dev").join(node);
        // Nodes can't be made in a user namespace: the host's own are bound.
        let bound = mounts::clone_path(&host, false).at("bind", &host)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        openat(&dev, node, flags, Mode::from_raw_mode(0o666)).map_err(failed)?;
        mounts::attach_at(bound.as_fd(), dev.as_fd(), node).at("mount", &host)?;
    }
    for (name, target) in LINKS {
        symlinkat(target, &dev, name).map_err(failed)?;
    }
    for name in ["pts", "shm", "mqueue"] {
        mkdirat(&dev, name, Mode::from_raw_mode(0o755)).map_err(failed)?;
    }
    let pts = new_devpts(request.flattened).during(|| "make /dev/pts".to_owned())?;
    mounts::attach_at(pts.as_fd(), dev.as_fd(), "pts").during(|| "mount /dev/pts".to_owned())?;
    let size = request.spec.shm_size.unwrap_or(SHM_SIZE);
    let shm = mounts::new_tmpfs(0o1777, Some(size), NOSUID | NODEV | NOEXEC)
        .during(|| "make /dev/shm".to_owned())?;
    mounts::attach_at(shm.as_fd(), dev.as_fd(), "shm").during(|| "mount /dev/shm".to_owned())?;
    // A kernel may lack message queues, and next to nothing needs them.
    if let Ok(queues) = mounts::new_fs("mqueue", &[], NOSUID | NODEV | NOEXEC) {
        let _ = mounts::attach_at(queues.as_fd(), dev.as_fd(), "mqueue");
    }
    Ok(())
}

fn new_devpts(flattened: bool) -> Result<OwnedFd, Errno> {
    let mut options = vec![("mode", "620"), ("ptmxmode", "666")];
    if !flattened {
        // The group "tty" by its number in every distribution; with a single id there is none.
        options.push(("gid", "5"));
    }
    mounts::new_fs("devpts", &options, NOSUID | NOEXEC)
}

/// Mounts a `/proc` for this pid namespace on the target, with the usual parts hidden.
pub(super) fn mount_proc(target: BorrowedFd<'_>, scratch: &Path) -> Result<(), SysError> {
    let harmless = NOSUID | NODEV | NOEXEC;
    let proc = match mounts::new_fs("proc", &[], harmless) {
        Ok(proc) => proc,
        // Inside a container whose own /proc is masked the kernel refuses a fresh one.
        Err(Errno::PERM) => {
            let host = mounts::clone_path(Path::new("/proc"), true).at("bind", "/proc")?;
            mounts::restrict(&host, harmless, true).at("restrict", "/proc")?;
            host
        }
        Err(errno) => return Err(SysError::new("make /proc", errno)),
    };
    mounts::attach(proc.as_fd(), target).during(|| "mount /proc".to_owned())?;
    let mask = |source: &Path, name: &str| -> Result<(), Errno> {
        let cover = mounts::clone_path(source, false)?;
        if source.ends_with(EMPTY) {
            mounts::restrict(&cover, RDONLY | harmless, false)?;
        }
        absent_is_fine(mounts::attach_at(cover.as_fd(), proc.as_fd(), name))
    };
    for name in MASKED_FILES {
        mask(Path::new("/dev/null"), name).during(|| format!("mask /proc/{name}"))?;
    }
    let empty = scratch.join(EMPTY);
    for name in MASKED_DIRS {
        mask(&empty, name).during(|| format!("mask /proc/{name}"))?;
    }
    for name in READ_ONLY {
        let result = match mounts::clone_at(proc.as_fd(), name, false) {
            Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno),
            Ok(part) => mounts::restrict(&part, RDONLY | harmless, false)
                .and_then(|()| mounts::attach_at(part.as_fd(), proc.as_fd(), name)),
        };
        result.during(|| format!("make read-only /proc/{name}"))?;
    }
    Ok(())
}

fn absent_is_fine(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Mounts a read-only `/sys` on the target. A step without network gets one of its own network
/// namespace; else it is the session's view. Without one `/sys` stays empty.
pub(super) fn mount_sys(
    target: BorrowedFd<'_>,
    scratch: &Path,
    network: Network,
) -> Result<(), SysError> {
    let harmless = RDONLY | NOSUID | NODEV | NOEXEC;
    let own = match network {
        Network::Host => None,
        // Inside a container whose own /sys is masked the kernel refuses a fresh one.
        Network::None => mounts::new_fs("sysfs", &[], harmless).ok(),
    };
    let masked: &[&str] = match (&own, network) {
        (Some(_), _) => &MASKED_SYS,
        (None, Network::Host) => &[],
        (None, Network::None) => &HOST_INTERFACES,
    };
    let sys = match own {
        Some(own) => own,
        None => {
            let path = scratch.join(SYS);
            let view = mounts::clone_path(&path, true).at("bind", &path)?;
            // Where there is none this is an empty directory of the session's.
            mounts::restrict(&view, harmless, false).at("make read-only", &path)?;
            view
        }
    };
    mounts::attach(sys.as_fd(), target).during(|| "mount /sys".to_owned())?;
    for name in masked {
        let cover = || -> Result<(), Errno> {
            let empty = mounts::clone_path(&scratch.join(EMPTY), false)?;
            mounts::restrict(&empty, harmless, false)?;
            absent_is_fine(mounts::attach_at(empty.as_fd(), sys.as_fd(), *name))
        };
        cover().during(|| format!("mask /sys/{name}"))?;
    }
    Ok(())
}
