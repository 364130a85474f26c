//! The outside of a session: start it, map its ids, pass signals on, wait.

use std::{
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt, process::ExitStatusExt},
    },
    process::{Child, Command},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{
    super::{
        error::During,
        probe::ProbeRequest,
        wire::{self, Tag},
    },
    ARGUMENT, Handshake, IdMap, IdMapMode, SessionError, SessionExit, SessionOptions, idmap,
    signals::Watch,
};

/// A second Ctrl-C within this time is the same one seen twice; after it, the user means it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs a session to its end.
///
/// The calling thread waits; SIGINT, SIGTERM and SIGHUP are passed on, once. A later second one
/// kills the session. When this thread dies, so does the session with all that runs in it.
pub fn spawn(request: &[u8], options: &SessionOptions) -> Result<SessionExit, SessionError> {
    run(request, options, None)
}

/// The same, with the session probing instead of building.
pub(in super::super) fn spawn_probe(
    probe: ProbeRequest,
    options: &SessionOptions,
) -> Result<SessionExit, SessionError> {
    run(&[], options, Some(probe))
}

fn run(
    request: &[u8],
    options: &SessionOptions,
    probe: Option<ProbeRequest>,
) -> Result<SessionExit, SessionError> {
    let scratch = options.cache_dir.join("session");
    std::fs::create_dir_all(&scratch).at("make the directory", &scratch)?;
    let cache_dir = options.cache_dir.canonicalize().at("resolve", &options.cache_dir)?;
    let scratch = cache_dir.join("session");
    let watch = Watch::new()?;
    let (mut running, id_map) = start_mapped(options.id_map)?;
    let handshake = Handshake {
        parent: rustix::process::getpid().as_raw_nonzero().get(),
        id_map,
        cache_dir,
        scratch,
        qemu: options.qemu.clone(),
        probe,
    };
    let handshake = serde_json::to_vec(&handshake)
        .map_err(|error| SessionError::Protocol(error.to_string()))?;
    let sent = wire::send(&running.socket, Tag::Mapped, &handshake)
        .and_then(|()| wire::send(&running.socket, Tag::Request, request));
    // A child that died while we wrote explains itself in what it sent, or in its status.
    let reply = match sent {
        Ok(()) => running.await_reply(&watch),
        Err(_) => running.receive(),
    };
    running.finish(reply, &watch)
}

/// Starts children until one has its ids mapped: a map, once half written, can't be replaced.
fn start_mapped(wanted: IdMap) -> Result<(Running, IdMapMode), SessionError> {
    let mut reasons = Vec::new();
    for how in idmap::candidates(wanted) {
        let mut running = Running::start()?;
        match running.receive()? {
            Some((Tag::Unshared, _)) => {}
            Some((Tag::Failed, body)) => {
                let error = read_error(&body);
                running.reap();
                return Err(error);
            }
            _ => return Err(running.died()),
        }
        match idmap::write(running.pid(), how, &reasons) {
            Ok(mode) => return Ok((running, mode)),
            Err(reason) => reasons.push(reason),
        }
        running.kill();
    }
    Err(SessionError::IdMap { reason: reasons.join("; ") })
}

fn read_error(body: &[u8]) -> SessionError {
    serde_json::from_slice(body).unwrap_or_else(|error| SessionError::Protocol(error.to_string()))
}

/// A session process and the socket to it. Never left behind: dropping it kills and reaps.
struct Running {
    child: Child,
    pidfd: OwnedFd,
    socket: UnixStream,
    reaped: bool,
}

impl Running {
    fn start() -> Result<Self, SessionError> {
        let (ours, theirs) = UnixStream::pair().during(|| "make a pair of sockets".to_owned())?;
        let fd = theirs.as_raw_fd();
        let mut command = Command::new("/proc/self/exe");
        command.arg0("mlint").arg(ARGUMENT).arg(fd.to_string());
        // SAFETY: fcntl is async-signal-safe, and nothing else happens between fork and exec. The
        // descriptor is open: `theirs` lives until after the spawn.
        unsafe {
            command.pre_exec(move || {
                if libc::fcntl(fd, libc::F_SETFD, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let mut child =
            command.spawn().during(|| "start /proc/self/exe as the build session".to_owned())?;
        drop(theirs);
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { child, pidfd, socket: ours, reaped: false }),
            Err(errno) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(errno).during(|| "watch the build session".to_owned())?
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn receive(&mut self) -> Result<Option<(Tag, Vec<u8>)>, SessionError> {
        wire::receive(&self.socket).map_err(|error| SessionError::Protocol(error.to_string()))
    }

    /// Waits for the answer, passing signals on meanwhile.
    fn await_reply(&mut self, watch: &Watch) -> Result<Option<(Tag, Vec<u8>)>, SessionError> {
        let mut told: Option<Instant> = None;
        loop {
            let mut fds = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::from_borrowed_fd(watch.fd(), PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => Err(errno).during(|| "wait for the build session".to_owned())?,
            }
            let (answer, signalled) = (fds[0].revents(), fds[1].revents());
            if !signalled.is_empty() && watch.peek().is_some() {
                match told {
                    None => {
                        // The terminal may have told it already: being told twice is harmless.
                        let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
                        told = Some(Instant::now());
                    }
                    Some(first) if first.elapsed() > PATIENCE => {
                        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
                    }
                    Some(_) => {}
                }
            }
            if !answer.is_empty() {
                return self.receive();
            }
        }
    }

    /// Turns the answer and the wait status into the result.
    fn finish(
        mut self,
        reply: Result<Option<(Tag, Vec<u8>)>, SessionError>,
        watch: &Watch,
    ) -> Result<SessionExit, SessionError> {
        match reply? {
            Some((Tag::Reply, body)) => {
                let status = self.reap();
                let interrupted_by = watch.seen();
                match status.and_then(|status| status.code()) {
                    Some(code) => Ok(SessionExit {
                        reply: body,
                        status: u8::try_from(code).unwrap_or(u8::MAX),
                        interrupted_by,
                    }),
                    None => Err(SessionError::Died { how: describe(status) }),
                }
            }
            Some((Tag::Failed, body)) => {
                self.reap();
                Err(read_error(&body))
            }
            Some((tag, _)) => Err(SessionError::Protocol(format!("a {tag:?} out of turn"))),
            None => match watch.seen() {
                Some(signal) => {
                    self.reap();
                    Err(SessionError::Interrupted { signal })
                }
                None => Err(self.died()),
            },
        }
    }

    fn reap(&mut self) -> Option<std::process::ExitStatus> {
        self.reaped = true;
        self.child.wait().ok()
    }

    fn died(&mut self) -> SessionError {
        let status = self.reap();
        SessionError::Died { how: describe(status) }
    }

    fn kill(mut self) {
        let _ = self.child.kill();
        self.reap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn describe(status: Option<std::process::ExitStatus>) -> String {
    match status {
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => status.to_string(),
        },
        None => "unknown status".to_owned(),
    }
}
