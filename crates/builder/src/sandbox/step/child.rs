//! The process of a step: it waits outside, PID 1 inside sets up and reaps, the command runs.

use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::ExitCode,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
    process::{
        DumpableBehavior, Pid, PidfdFlags, Signal, WaitOptions, getppid, kill_process, pidfd_open,
        set_dumpable_behavior, set_parent_process_death_signal, wait, waitpid,
    },
    system::sethostname,
    thread::{UnshareFlags, unshare_unsafe},
};

use super::{
    super::{
        error::{During, SysError},
        mounts::last_errno,
        seccomp,
        wire::{self, Tag},
    },
    Network, Request, StepError, StepStatus, capabilities, exec, rootfs, scope,
};

/// The status of a step process that could not do its work; the reason goes over the socket.
const FAILED: u8 = 125;

/// Runs one step as told on standard input.
pub(in super::super) fn main() -> ExitCode {
    let Some(socket) = take_socket() else {
        // Somebody typed the internal command.
        return ExitCode::from(FAILED);
    };
    match watch_over(&socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&socket, &error);
            ExitCode::from(FAILED)
        }
    }
}

fn report(socket: &UnixStream, error: &StepError) {
    let text = serde_json::to_vec(error).unwrap_or_default();
    // Whoever started us may be gone: then nobody needs to know.
    let _ = wire::send(socket, Tag::Failed, &text);
}

/// Moves the socket away from standard input and puts /dev/null there.
fn take_socket() -> Option<UnixStream> {
    let stdin = rustix::stdio::stdin();
    let moved = rustix::io::fcntl_dupfd_cloexec(stdin, 3).ok()?;
    let socket = UnixStream::from(moved);
    socket.peer_addr().ok()?;
    let null =
        rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::stdio::dup2_stdin(&null).ok()?;
    // Whatever else was inherited (shells leave descriptors open) must not reach the command.
    // SAFETY: closes nothing now; it marks descriptors to be closed by exec.
    let marked = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    (marked == 0).then_some(socket)
}

/// Forks PID 1 of a new pid namespace, and waits until it is gone and all in there with it.
fn watch_over(socket: &UnixStream) -> Result<(), StepError> {
    let request: Request = match wire::receive(socket) {
        Ok(Some((Tag::Request, body))) => serde_json::from_slice(&body)
            .map_err(|error| StepError::Invalid(format!("unreadable request: {error}")))?,
        _ => return Err(StepError::Died("no request came".to_owned())),
    };
    set_parent_process_death_signal(Some(Signal::KILL))
        .during(|| "tie the step's life to the session's".to_owned())?;
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(request.parent) {
        return Err(StepError::Died("the session is gone".to_owned()));
    }
    // SAFETY: only UnshareFlags::FILES is dangerous, and it is not among the flags.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID) }.during(|| "take a pid namespace".to_owned())?;
    // Closed by our death, which tells PID 1 if it comes before PID 1 has asked to be told.
    let (life, alive) = pipe_with(PipeFlags::CLOEXEC).during(|| "make a pipe".to_owned())?;
    // SAFETY: this process has one thread, so the child may do anything the parent may.
    match unsafe { libc::fork() } {
        -1 => Err(SysError::new("start the step's first process", last_errno()).into()),
        0 => {
            drop(alive);
            init(&request, socket, &life)
        }
        pid => {
            drop(life);
            let result = wait_for_init(pid, socket);
            drop(alive);
            result
        }
    }
}

/// Waits for PID 1; kills it when the session says so or is gone.
fn wait_for_init(pid: libc::pid_t, socket: &UnixStream) -> Result<(), StepError> {
    let Some(pid) = Pid::from_raw(pid) else {
        return Err(StepError::Died("fork gave no process".to_owned()));
    };
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).during(|| "watch the step".to_owned())?;
    loop {
        let mut fds = [
            PollFd::new(&pidfd, PollFlags::IN),
            PollFd::new(socket, PollFlags::IN | PollFlags::RDHUP),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(SysError::new("wait for the step", errno).into()),
        }
        let (ended, told) = (fds[0].revents(), fds[1].revents());
        if ended.is_empty() && !told.is_empty() {
            // It takes the whole namespace with it, and is waited for below.
            let _ = kill_process(pid, Signal::KILL);
        }
        if !ended.is_empty() || !told.is_empty() {
            // PID 1 becomes a zombie only after all others in its namespace are gone.
            return match waitpid(Some(pid), WaitOptions::empty()) {
                Ok(_) => Ok(()),
                Err(errno) => Err(SysError::new("wait for the step", errno).into()),
            };
        }
    }
}

/// PID 1: sets the sandbox up, starts the command, reaps, reports.
fn init(request: &Request, socket: &UnixStream, life: &OwnedFd) -> ! {
    let code = match set_up(request, life).and_then(|()| run_command(request, socket)) {
        Ok(status) => {
            let text = serde_json::to_vec(&status).unwrap_or_default();
            let _ = wire::send(socket, Tag::Ended, &text);
            0
        }
        Err(error) => {
            report(socket, &error);
            libc::c_int::from(FAILED)
        }
    };
    // SAFETY: ends this process without running what the parent registered for its own end.
    unsafe { libc::_exit(code) }
}

fn set_up(request: &Request, life: &OwnedFd) -> Result<(), StepError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .during(|| "tie the step's life to the session's".to_owned())?;
    let mut fds = [PollFd::new(life, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut fds, Some(&now)) != Ok(0) {
        return Err(StepError::Died("the session is gone".to_owned()));
    }
    let spec = &request.spec;
    let mut namespaces =
        UnshareFlags::NEWNS | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS | UnshareFlags::NEWCGROUP;
    if spec.network == Network::None {
        namespaces |= UnshareFlags::NEWNET;
    }
    // SAFETY: as above.
    unsafe { unshare_unsafe(namespaces) }
        .during(|| "take mount, ipc, uts, cgroup and network namespaces".to_owned())?;
    if spec.network == Network::None {
        raise_loopback().during(|| "bring the loopback device up".to_owned())?;
    }
    sethostname(spec.hostname.as_bytes())
        .during(|| format!("set the host name {}", spec.hostname))?;
    rootfs::enter(request)?;
    // Nobody in the step looks into this process: not its memory, not its descriptors.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .during(|| "shield the step's first process".to_owned())?;
    // In this order: these two need capabilities that are given up right after, and all of it comes
    // before the command exists, which could look at this process otherwise.
    scope::leave_foreign_sockets_alone();
    seccomp::install_default().during(|| "install the system call filter".to_owned())?;
    capabilities::drop_bounding().during(|| "drop capabilities".to_owned())?;
    capabilities::keep_default().during(|| "drop capabilities".to_owned())?;
    Ok(())
}

/// Starts the command and reaps until it ends. What it leaves running dies with this process.
fn run_command(request: &Request, socket: &UnixStream) -> Result<StepStatus, StepError> {
    // SAFETY: as above, one thread.
    let command = match unsafe { libc::fork() } {
        -1 => return Err(SysError::new("start the command", last_errno()).into()),
        0 => {
            let error = exec::become_program(&request.spec);
            report(socket, &error);
            // SAFETY: as above.
            unsafe { libc::_exit(127) }
        }
        pid => pid,
    };
    loop {
        // Any child: the command has a process group of its own, and orphans have theirs.
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get() == command => {
                return Ok(match status.terminating_signal() {
                    Some(signal) => StepStatus::Signal(signal),
                    None => StepStatus::Code(status.exit_status().unwrap_or(-1)),
                });
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(SysError::new("wait for the command", errno).into()),
        }
    }
}

/// Switches the one device of a new network namespace on.
fn raise_loopback() -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let socket = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        None,
    )?;
    // SAFETY: ifreq is plain data for which all zeros is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: the descriptor is a socket, and the structure outlives the call.
    let result =
        unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}
