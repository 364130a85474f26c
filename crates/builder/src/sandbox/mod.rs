//! Where the builder runs things: a session in a user namespace of its own, and the steps in it.
//!
//! ```text
//! mlint build ──spawn──▶ __session (user + mount namespace, id map, private binfmt_misc)
//!                            ├──▶ __step ──▶ PID 1 ──▶ the command of one RUN
//!                            └──▶ __step ──▶ PID 1 ──▶ another, at the same time
//! ```
//!
//! The three are one executable: [`dispatch`] must be the first call in `main`, since a user
//! namespace can only be taken while a process has a single thread.

pub mod cancel;
pub mod emulation;
pub mod error;
mod mounts;
pub mod overlay;
pub mod probe;
pub mod safe_fs;
mod seccomp;
pub mod session;
pub mod step;
pub mod tied;
pub mod user;
mod wire;

use std::process::ExitCode;

pub use cancel::Cancel;
pub use error::SysError;
pub use session::{Session, SessionReply, cancel_on_signals};

/// What a session does, once inside: takes the request, gives the reply.
pub type SessionBody = fn(Session, Vec<u8>) -> SessionReply;

/// Runs the internal commands `__session` and `__step`; `None` for everything else.
///
/// To be called first in `main`, before any thread exists.
pub fn dispatch(body: SessionBody) -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next()?.to_str()? {
        session::ARGUMENT => Some(session::enter_and_run(arguments.next(), body)),
        step::ARGUMENT => Some(step::child_main()),
        _ => None,
    }
}
