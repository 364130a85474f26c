//! The session: the process that owns the namespaces in which a build happens.

mod child;
mod idmap;
mod parent;
mod signals;
mod sys;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{cancel::Cancel, error::SysError};

pub(super) use child::{EMPTY, LEGACY, OVERLAYS, PRIVATE, ROOT, STUBS, enter_and_run};
pub use parent::spawn;
pub(super) use parent::spawn_probe;
pub use signals::flag_on_signals as cancel_on_signals;
pub(super) use sys::{MASKED as MASKED_SYS, SYS};

/// The first argument that makes this executable a session.
pub(super) const ARGUMENT: &str = "__session";

/// How the session should get its ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdMap {
    /// The best that works: identity as root, else a range, else a single id.
    #[default]
    Auto,
    /// All ids that this process sees, unchanged. Needs root.
    Identity,
    /// The ranges of `/etc/subuid` and `/etc/subgid`, by `newuidmap` and `newgidmap`.
    Range,
    /// The calling user as root, and nobody else. Ownership is flattened.
    Single,
}

/// Which ids the session got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdMapMode {
    /// Every id of the surrounding namespace, unchanged.
    Identity,
    /// The user as 0, and this many subordinate ids from 1 on.
    Range {
        /// Number of subordinate user ids.
        count: u32,
    },
    /// One id only; chown and its kin are faked.
    Single {
        /// Why it was not better, and what would make it so.
        reason: String,
    },
}

impl IdMapMode {
    /// Whether all files end up owned by root in the images.
    pub fn flattens_ownership(&self) -> bool {
        matches!(self, Self::Single { .. })
    }
}

/// What a session needs to know before it starts.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// Where the builder keeps its data; made when missing.
    pub cache_dir: PathBuf,
    /// How to get ids.
    pub id_map: IdMap,
    /// Emulators given by the user: architecture in GOARCH words, and the program.
    pub qemu: Vec<(String, PathBuf)>,
}

/// A session that ended by itself.
#[derive(Clone, Debug)]
pub struct SessionExit {
    /// What its body answered.
    pub reply: Vec<u8>,
    /// The exit status that its body asked for.
    pub status: u8,
    /// The signal that this process was told to stop with, if any.
    pub interrupted_by: Option<i32>,
}

/// What a session's body gives back.
#[derive(Clone, Debug)]
pub struct SessionReply {
    /// The answer, for [`SessionExit::reply`].
    pub bytes: Vec<u8>,
    /// The exit status, for [`SessionExit::status`].
    pub status: u8,
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SessionError {
    /// The kernel gives no user namespace.
    #[error("no user namespace can be made here: {cause}\n{hint}")]
    NoUserNamespace {
        /// The failed call.
        cause: SysError,
        /// What to do about it.
        hint: String,
    },
    /// The ids could not be mapped.
    #[error("the build's user namespace got no id map: {reason}")]
    IdMap {
        /// What was tried and how to repair it.
        reason: String,
    },
    /// A step of the set-up failed.
    #[error("the build session cannot be set up: {0}")]
    Setup(SysError),
    /// The session ended without an answer.
    #[error(
        "the build session ended unexpectedly ({how}); this is a defect in mlint or it was killed from outside"
    )]
    Died {
        /// Its wait status in words.
        how: String,
    },
    /// Stopped by a signal before it could answer.
    #[error("interrupted")]
    Interrupted {
        /// The signal.
        signal: i32,
    },
    /// The two processes do not understand each other.
    #[error("the build session sent what cannot be read: {0}")]
    Protocol(String),
}

impl From<SysError> for SessionError {
    fn from(error: SysError) -> Self {
        Self::Setup(error)
    }
}

/// The inside of a session: what the builder holds while it works in the namespaces.
///
/// The directories below [`Session::scratch`] and every mount vanish with the process, however
/// it ends.
#[derive(Debug)]
pub struct Session {
    cancel: Cancel,
    id_map: IdMapMode,
    scratch: PathBuf,
    cache_dir: PathBuf,
    qemu: Vec<(String, PathBuf)>,
}

impl Session {
    /// Set when the user interrupts the build.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// The ids at hand.
    pub fn id_map(&self) -> &IdMapMode {
        &self.id_map
    }

    /// A directory in memory (tmpfs), seen by this session alone.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Where the builder keeps its data.
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// Emulators that the user gave.
    pub fn qemu(&self) -> &[(String, PathBuf)] {
        &self.qemu
    }
}

/// What the parent tells the child once the ids are mapped.
#[derive(Debug, Serialize, Deserialize)]
struct Handshake {
    parent: i32,
    id_map: IdMapMode,
    cache_dir: PathBuf,
    scratch: PathBuf,
    qemu: Vec<(String, PathBuf)>,
    /// Answer with a probe instead of running the body.
    probe: Option<super::probe::ProbeRequest>,
}
