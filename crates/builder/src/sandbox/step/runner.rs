//! The session's side of a step: start it, read what it says, wait until all of it is gone.

use std::{
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{
    super::{
        Cancel, Session,
        error::{During, SysError},
        wire::{self, Tag},
    },
    ARGUMENT, Request, RunSpec, StepError, StepResult, StepStatus, Stream,
};

/// How much is read at once: what a pipe holds.
const CHUNK: usize = 64 << 10;

/// Runs one step to its end, in the calling thread. Any number may run at the same time.
///
/// Output goes to `output` as it comes; while that does not return the step waits, so memory
/// stays bounded. When this returns, every process of the step is gone and its mounts with them.
pub fn run(
    session: &Session,
    spec: &RunSpec,
    cancel: &Cancel,
    timeout: Option<Duration>,
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<StepResult, StepError> {
    check(spec)?;
    if cancel.is_cancelled() {
        return Err(StepError::Cancelled);
    }
    let start = Instant::now();
    let request = Request {
        spec: spec.clone(),
        scratch: session.scratch().to_owned(),
        parent: rustix::process::getpid().as_raw_nonzero().get(),
        flattened: session.id_map().flattens_ownership(),
    };
    let text = serde_json::to_vec(&request)
        .map_err(|error| StepError::Invalid(format!("it cannot be passed on: {error}")))?;
    let mut running = Running::start()?;
    // A step that died already says why on the same socket.
    let _ = wire::send(&running.socket, Tag::Request, &text);
    let deadline = timeout.map(|timeout| (timeout, start + timeout));
    let ended = running.follow(cancel, deadline, output);
    let messages = running.finish();
    ended?;
    let status = outcome(messages)?;
    Ok(StepResult { status, duration: start.elapsed() })
}

fn check(spec: &RunSpec) -> Result<(), StepError> {
    let refuse = |reason: &str| Err(StepError::Invalid(reason.to_owned()));
    if spec.argv.is_empty() {
        return refuse("no program is given");
    }
    let texts = spec.argv.iter().chain(spec.env.iter().flat_map(|(name, value)| [name, value]));
    if texts.chain([&spec.cwd, &spec.hostname]).any(|text| text.contains('\0')) {
        return refuse("an argument, variable or path holds a zero byte");
    }
    if spec.env.iter().any(|(name, _)| name.is_empty() || name.contains('=')) {
        return refuse("an environment variable has an empty name, or one with '=' in it");
    }
    if !spec.cwd.is_empty() && !spec.cwd.starts_with('/') {
        return refuse("the working directory is not absolute");
    }
    if spec.hostname.len() > 64 {
        return refuse("the host name is longer than 64 bytes");
    }
    let dests = spec.mounts.iter().map(super::Mount::dest);
    for dest in dests.chain(spec.shadow.iter().map(|file| file.dest.as_str())) {
        if !dest.starts_with('/') || dest.contains('\0') {
            return Err(StepError::Mount {
                dest: dest.to_owned(),
                reason: "the destination is no absolute path".to_owned(),
            });
        }
        // What is missing on the way comes into being: the way must not lead back out of it.
        if dest.split('/').any(|part| part == "..") {
            return Err(StepError::Mount {
                dest: dest.to_owned(),
                reason: "the destination goes up again ('..')".to_owned(),
            });
        }
        if dest.split('/').all(|part| matches!(part, "" | ".")) {
            return Err(StepError::Mount {
                dest: dest.to_owned(),
                reason: "the root itself cannot be a mount's destination".to_owned(),
            });
        }
    }
    Ok(())
}

/// The step's messages in order: the first failure counts, else how the command ended.
fn outcome(messages: Vec<(Tag, Vec<u8>)>) -> Result<StepStatus, StepError> {
    for (tag, body) in messages {
        let garbled = |error: serde_json::Error| StepError::Died(error.to_string());
        match tag {
            Tag::Failed => return Err(serde_json::from_slice(&body).map_err(garbled)?),
            Tag::Ended => return serde_json::from_slice(&body).map_err(garbled),
            _ => {}
        }
    }
    Err(StepError::Died("it was killed from outside, or the machine ran out of memory".to_owned()))
}

/// A step's process and the three ways to it. Never left behind: dropping it ends the step.
struct Running {
    child: Child,
    socket: UnixStream,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Running {
    fn start() -> Result<Self, SysError> {
        let (socket, theirs) = UnixStream::pair().during(|| "make a pair of sockets".to_owned())?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("mlint")
            .arg(ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().during(|| "start /proc/self/exe as a step".to_owned())?;
        let stdout = child.stdout.take().map(OwnedFd::from);
        let stderr = child.stderr.take().map(OwnedFd::from);
        Ok(Self { child, socket, stdout, stderr })
    }

    /// Passes the output on until the step is over.
    fn follow(
        &mut self,
        cancel: &Cancel,
        deadline: Option<(Duration, Instant)>,
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<(), StepError> {
        let mut buffer = vec![0_u8; CHUNK];
        while self.stdout.is_some() || self.stderr.is_some() {
            let timeout = match deadline {
                None => None,
                Some((limit, at)) => match at.checked_duration_since(Instant::now()) {
                    Some(left) => Some(timespec(left)),
                    None => return Err(StepError::TimedOut { seconds: limit.as_secs() }),
                },
            };
            let [cancelled, out, err] = self.wait(cancel, timeout.as_ref())?;
            if cancelled {
                return Err(StepError::Cancelled);
            }
            if out {
                pass_on(&mut self.stdout, Stream::Stdout, &mut buffer, output)?;
            }
            if err {
                pass_on(&mut self.stderr, Stream::Stderr, &mut buffer, output)?;
            }
        }
        Ok(())
    }

    /// Waits for something to happen: cancellation, standard output, standard error.
    fn wait(&self, cancel: &Cancel, timeout: Option<&Timespec>) -> Result<[bool; 3], SysError> {
        let mut fds = vec![PollFd::from_borrowed_fd(cancel.fd(), PollFlags::IN)];
        for stream in [&self.stdout, &self.stderr].into_iter().flatten() {
            fds.push(PollFd::from_borrowed_fd(stream.as_fd(), PollFlags::IN));
        }
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok([false; 3]),
            Err(errno) => return Err(SysError::new("wait for the step's output", errno)),
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut next = |present: bool| present && ready.next().unwrap_or(false);
        let cancelled = next(true);
        Ok([cancelled, next(self.stdout.is_some()), next(self.stderr.is_some())])
    }

    /// Ends the step if it has not ended, waits for it, and reads what it had to say.
    fn finish(mut self) -> Vec<(Tag, Vec<u8>)> {
        // To a step that still runs this is the word to kill all; one that is over does not care.
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        self.stdout = None;
        self.stderr = None;
        let _ = self.child.wait();
        let mut messages = Vec::new();
        while let Ok(Some(message)) = wire::receive(&self.socket) {
            messages.push(message);
        }
        messages
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both are no-ops after `finish`. A caller's callback that panics comes here directly.
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
        let _ = self.child.wait();
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

/// Reads once and passes it on; at the end of the stream closes it.
fn pass_on(
    from: &mut Option<OwnedFd>,
    stream: Stream,
    buffer: &mut [u8],
    output: &mut dyn FnMut(Stream, &[u8]),
) -> Result<(), SysError> {
    let Some(fd) = from else { return Ok(()) };
    match rustix::io::read(&*fd, &mut *buffer) {
        Ok(0) => *from = None,
        Ok(length) => output(stream, &buffer[..length]),
        Err(Errno::INTR | Errno::AGAIN) => {}
        Err(errno) => return Err(SysError::new("read the step's output", errno)),
    }
    Ok(())
}
