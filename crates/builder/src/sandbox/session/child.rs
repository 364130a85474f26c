//! The inside of a session, from the first instruction to the reply.

use std::{
    ffi::OsString,
    fs,
    os::{
        fd::{FromRawFd, RawFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::ExitCode,
};

use rustix::{
    io::Errno,
    mount::{MountAttrFlags, MountPropagationFlags, mount_change},
    process::{Signal, getppid, set_parent_process_death_signal},
    thread::{UnshareFlags, set_thread_groups, unshare_unsafe},
};

use super::{
    super::{
        SessionBody,
        cancel::Cancel,
        error::{During, SysError},
        mounts, probe, seccomp,
        wire::{self, Tag},
    },
    Handshake, Session, SessionError, SessionReply, signals, sys,
};

/// The exit status of a session that could not be set up; the reason goes over the socket.
const SETUP_FAILED: u8 = 125;

/// Where, below the scratch directory, a step's root is put together.
pub(in super::super) const ROOT: &str = "root";
/// An empty directory: masks others, and stands for "no layer".
pub(in super::super) const EMPTY: &str = "empty";
/// Mount points that every step needs, as a lowest layer.
pub(in super::super) const STUBS: &str = "stubs";
/// Where one step's private tmpfs goes.
pub(in super::super) const PRIVATE: &str = "step";
/// Where an overlay is mounted for a moment by the old call.
pub(in super::super) const LEGACY: &str = "legacy";
/// Where overlays of the session itself are attached.
pub(in super::super) const OVERLAYS: &str = "overlays";

/// Runs the session named by the descriptor argument.
pub(in super::super) fn enter_and_run(fd: Option<OsString>, body: SessionBody) -> ExitCode {
    let Some(socket) = fd.and_then(|fd| adopt(&fd)) else {
        // Somebody typed the internal command: there is nobody to answer to.
        return ExitCode::from(SETUP_FAILED);
    };
    match enter(&socket) {
        Ok(Entered { session, request, probe: Some(wanted) }) => {
            let reply = probe::inside(&session, &wanted);
            drop(request);
            answer(&socket, &SessionReply { bytes: reply, status: 0 })
        }
        Ok(Entered { session, request, probe: None }) => {
            let reply = body(session, request);
            answer(&socket, &reply)
        }
        Err(error) => {
            let text = serde_json::to_vec(&error).unwrap_or_default();
            // If the parent is gone, nobody needs to know.
            let _ = wire::send(&socket, Tag::Failed, &text);
            ExitCode::from(SETUP_FAILED)
        }
    }
}

fn answer(socket: &UnixStream, reply: &SessionReply) -> ExitCode {
    match wire::send(socket, Tag::Reply, &reply.bytes) {
        Ok(()) => ExitCode::from(reply.status),
        Err(_) => ExitCode::from(SETUP_FAILED),
    }
}

/// Takes over the inherited descriptor, if it is one and is a socket.
fn adopt(text: &OsString) -> Option<UnixStream> {
    let fd: RawFd = text.to_str()?.parse().ok().filter(|fd| *fd > 2)?;
    // SAFETY: fcntl on a number that may not be open fails harmlessly.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return None;
    }
    // SAFETY: the descriptor is open (fcntl succeeded), was inherited for this purpose, and
    // nothing else in this fresh process owns it.
    let socket = unsafe { UnixStream::from_raw_fd(fd) };
    socket.peer_addr().ok().map(|_| socket)
}

struct Entered {
    session: Session,
    request: Vec<u8>,
    probe: Option<probe::ProbeRequest>,
}

fn enter(socket: &UnixStream) -> Result<Entered, SessionError> {
    // SAFETY: only UnshareFlags::FILES is dangerous, and it is not among the flags.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS) }.map_err(|errno| {
        SessionError::NoUserNamespace {
            cause: SysError::new("take a user and a mount namespace", errno),
            hint: namespace_hint(errno),
        }
    })?;
    let protocol = |error: std::io::Error| SessionError::Protocol(error.to_string());
    wire::send(socket, Tag::Unshared, &[]).map_err(protocol)?;
    let handshake: Handshake = match wire::receive(socket).map_err(protocol)? {
        Some((Tag::Mapped, body)) => serde_json::from_slice(&body)
            .map_err(|error| SessionError::Protocol(error.to_string()))?,
        _ => return Err(SessionError::Protocol("no id map came".to_owned())),
    };
    // Before anything that lives on: nothing of us survives the parent. Taking the namespace
    // changed our credentials, which clears this setting, so it can't come earlier.
    set_parent_process_death_signal(Some(Signal::KILL))
        .during(|| "tie the session's life to its parent's".to_owned())?;
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(handshake.parent) {
        return Err(SessionError::Protocol("the parent is gone".to_owned()));
    }
    leave_keyring();
    // So that a step sees its own control group as the root of all. A kernel may lack them.
    // SAFETY: as above.
    let _ = unsafe { unshare_unsafe(UnshareFlags::NEWCGROUP) };
    let cancel = Cancel::new()?;
    signals::cancel_on_signals(&cancel)?;
    if handshake.id_map.flattens_ownership() {
        seccomp::fake_ownership().during(|| "install the filter that fakes chown".to_owned())?;
    } else {
        set_thread_groups(&[]).during(|| "drop the supplementary groups".to_owned())?;
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .map_err(|errno| mount_refused(errno, "make the mounts private"))?;
    furnish(&handshake.scratch)?;
    let request = match wire::receive(socket).map_err(protocol)? {
        Some((Tag::Request, body)) => body,
        _ => return Err(SessionError::Protocol("no request came".to_owned())),
    };
    let session = Session {
        cancel,
        id_map: handshake.id_map,
        scratch: handshake.scratch,
        cache_dir: handshake.cache_dir,
        qemu: handshake.qemu,
    };
    Ok(Entered { session, request, probe: handshake.probe })
}

/// Gives up the user's session keyring for an empty one: the kernel would use the keys in it
/// (network file systems, encrypted directories) on behalf of every step. Where keyrings are not to
/// be had, in a container whose filter refuses them, there is none to give up either.
fn leave_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: plain numbers and a null pointer, which asks for a keyring without a name.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<u8>()) };
}

/// What to do when the kernel gives no namespace.
fn namespace_hint(errno: Errno) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    if read("/proc/sys/user/max_user_namespaces") == "0" {
        return "they are switched off; as root: sysctl -w user.max_user_namespaces=15000"
            .to_owned();
    }
    if read("/proc/sys/kernel/unprivileged_userns_clone") == "0" {
        return "they are root's only; as root: sysctl -w kernel.unprivileged_userns_clone=1"
            .to_owned();
    }
    match errno {
        Errno::NOSPC => "the limit of user namespaces is reached: see \
                         /proc/sys/user/max_user_namespaces"
            .to_owned(),
        _ => "inside a container: run it with a seccomp profile that allows unshare, as in \
              --security-opt seccomp=unconfined, or hand the build to BuildKit with --builder"
            .to_owned(),
    }
}

/// A user namespace without power over mounts is what AppArmor's restriction gives.
fn mount_refused(errno: Errno, action: &str) -> SessionError {
    let cause = SysError::new(action, errno);
    let restricted = fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
        .is_ok_and(|text| text.trim() == "1");
    if restricted && matches!(errno, Errno::PERM | Errno::ACCESS) {
        return SessionError::NoUserNamespace {
            cause,
            hint: "AppArmor takes away what the namespace needs; as root: sysctl -w \
                   kernel.apparmor_restrict_unprivileged_userns=0"
                .to_owned(),
        };
    }
    SessionError::Setup(cause)
}

/// Mounts the scratch tmpfs and puts in it what every step starts from.
fn furnish(scratch: &Path) -> Result<(), SessionError> {
    let tmpfs =
        mounts::new_tmpfs(0o755, None, MountAttrFlags::empty()).at("make a tmpfs for", scratch)?;
    mounts::attach_path(rustix::fd::AsFd::as_fd(&tmpfs), scratch)
        .at("mount a tmpfs at", scratch)?;
    let directories = [
        ROOT,
        EMPTY,
        LEGACY,
        sys::SYS,
        PRIVATE,
        OVERLAYS,
        STUBS,
        "stubs/proc",
        "stubs/sys",
        "stubs/dev",
        "stubs/etc",
    ];
    for name in directories {
        let path = scratch.join(name);
        fs::create_dir(&path).at("make the directory", &path)?;
    }
    for name in ["stubs/etc/hosts", "stubs/etc/resolv.conf"] {
        let path = scratch.join(name);
        fs::write(&path, "").at("make the file", &path)?;
    }
    sys::furnish(scratch);
    Ok(())
}
