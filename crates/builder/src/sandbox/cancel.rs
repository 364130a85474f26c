//! A flag that many threads and poll loops can watch, set once.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::event::{EventfdFlags, eventfd};

use super::error::{During, SysError};

/// Whether the build was told to stop. Clones share one state.
///
/// The descriptor becomes readable when it is set and stays so: nobody reads it, all poll it.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<State>);

#[derive(Debug)]
struct State {
    set: AtomicBool,
    event: OwnedFd,
}

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Result<Self, SysError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .during(|| "make an event descriptor".to_owned())?;
        Ok(Self(Arc::new(State { set: AtomicBool::new(false), event })))
    }

    /// Sets it. Any number of calls are one.
    pub fn cancel(&self) {
        if !self.0.set.swap(true, Ordering::SeqCst) {
            // Cannot fail: the counter goes from 0 to 1 once.
            let _ = rustix::io::write(&self.0.event, &1_u64.to_ne_bytes());
        }
    }

    /// Whether it is set.
    pub fn is_cancelled(&self) -> bool {
        if self.0.set.load(Ordering::SeqCst) {
            return true;
        }
        // A signal handler writes the descriptor alone.
        let mut fds = [rustix::event::PollFd::new(&self.0.event, rustix::event::PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        if matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1)) {
            self.0.set.store(true, Ordering::SeqCst);
        }
        self.0.set.load(Ordering::SeqCst)
    }

    /// The descriptor to poll: readable means cancelled.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_set_once_and_seen_by_all() {
        let flag = Cancel::new().unwrap();
        let other = flag.clone();
        assert!(!other.is_cancelled());
        flag.cancel();
        flag.cancel();
        assert!(other.is_cancelled());
        // What a signal handler does: write the descriptor without touching the flag.
        let by_signal = Cancel::new().unwrap();
        rustix::io::write(by_signal.fd(), &1_u64.to_ne_bytes()).unwrap();
        assert!(by_signal.is_cancelled());
    }
}
