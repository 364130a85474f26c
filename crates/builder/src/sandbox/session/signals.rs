//! Signals as bytes on a descriptor.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicI32, Ordering},
};

use rustix::pipe::{PipeFlags, pipe_with};

use super::super::{
    cancel::Cancel,
    error::{During, SysError},
};

/// The signals that end a build in an orderly way.
const SIGNALS: [i32; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// Where the handlers write; -1 for nowhere. One per purpose, since a handler takes no argument.
static FORWARD_TO: AtomicI32 = AtomicI32::new(-1);
static CANCEL_ON: AtomicI32 = AtomicI32::new(-1);

/// A handler that tells the waiting parent which signal came.
extern "C" fn forward(signal: libc::c_int) {
    let fd = FORWARD_TO.load(Ordering::SeqCst);
    if fd >= 0 {
        let byte = signal as u8;
        // SAFETY: write and the errno location are async-signal-safe; the buffer is on the stack.
        // errno is put back, since the interrupted code may be about to read its own.
        unsafe {
            let errno = *libc::__errno_location();
            libc::write(fd, (&raw const byte).cast(), 1);
            *libc::__errno_location() = errno;
        }
    }
}

/// A handler that sets the session's cancellation event.
extern "C" fn cancel(_: libc::c_int) {
    let fd = CANCEL_ON.load(Ordering::SeqCst);
    if fd >= 0 {
        let one = 1_u64;
        // SAFETY: as in `forward`; the descriptor does not block.
        unsafe {
            let errno = *libc::__errno_location();
            libc::write(fd, (&raw const one).cast(), 8);
            *libc::__errno_location() = errno;
        }
    }
}

fn install(signal: i32, handler: libc::sighandler_t) -> io::Result<libc::sigaction> {
    // SAFETY: both structures are plain data for which all zeros is valid; the handler is a
    // function of the right type that lives as long as the program, or SIG_IGN/SIG_DFL.
    unsafe {
        let mut new: libc::sigaction = std::mem::zeroed();
        new.sa_sigaction = handler;
        new.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&raw mut new.sa_mask);
        let mut old: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(signal, &raw const new, &raw mut old) == 0 {
            Ok(old)
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// While it lives, the stopping signals arrive on a pipe instead of killing this process.
pub(super) struct Watch {
    reader: OwnedFd,
    _writer: OwnedFd,
    before: Vec<(i32, libc::sigaction)>,
    first: AtomicI32,
}

impl Watch {
    pub(super) fn new() -> Result<Self, SysError> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)
            .during(|| "make a pipe".to_owned())?;
        FORWARD_TO.store(writer.as_raw_fd(), Ordering::SeqCst);
        let mut before = Vec::new();
        for signal in SIGNALS {
            let handler: extern "C" fn(libc::c_int) = forward;
            let old = install(signal, handler as libc::sighandler_t)
                .during(|| format!("handle signal {signal}"))?;
            // Somebody who started us with nohup wants SIGHUP ignored: keep that.
            if old.sa_sigaction == libc::SIG_IGN {
                let _ = install(signal, libc::SIG_IGN);
            }
            before.push((signal, old));
        }
        Ok(Self { reader, _writer: writer, before, first: AtomicI32::new(0) })
    }

    /// The descriptor to poll.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.reader.as_fd()
    }

    /// The signals that came since the last look: the newest, if any.
    pub(super) fn peek(&self) -> Option<i32> {
        let mut bytes = [0_u8; 64];
        match rustix::io::read(&self.reader, &mut bytes) {
            Ok(n) if n > 0 => {
                let signal = i32::from(bytes[n - 1]);
                let _ = self.first.compare_exchange(
                    0,
                    i32::from(bytes[0]),
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                );
                Some(signal)
            }
            _ => None,
        }
    }

    /// The first signal that ever came.
    pub(super) fn seen(&self) -> Option<i32> {
        self.peek();
        match self.first.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for (signal, old) in &self.before {
            // SAFETY: `old` was filled by sigaction for the same signal.
            unsafe { libc::sigaction(*signal, old, std::ptr::null_mut()) };
        }
        FORWARD_TO.store(-1, Ordering::SeqCst);
    }
}

/// A flag that SIGINT, SIGTERM and SIGHUP set from now on, instead of ending this process: for work
/// that has something to clear away. A session that is started later has the signals for its time.
///
/// # Errors
/// When the kernel gives no event descriptor, or a signal can't be handled.
pub fn flag_on_signals() -> Result<Cancel, SysError> {
    let flag = Cancel::new()?;
    cancel_on_signals(&flag)?;
    Ok(flag)
}

/// Lets the stopping signals set the session's flag, as often as they come.
pub(super) fn cancel_on_signals(flag: &Cancel) -> Result<(), SysError> {
    // The flag's descriptor must outlive the handlers: one clone lives until the process ends.
    std::mem::forget(flag.clone());
    CANCEL_ON.store(flag.fd().as_raw_fd(), Ordering::SeqCst);
    for signal in SIGNALS {
        let handler: extern "C" fn(libc::c_int) = cancel;
        let old = install(signal, handler as libc::sighandler_t)
            .during(|| format!("handle signal {signal}"))?;
        if old.sa_sigaction == libc::SIG_IGN {
            let _ = install(signal, libc::SIG_IGN);
        }
    }
    Ok(())
}
