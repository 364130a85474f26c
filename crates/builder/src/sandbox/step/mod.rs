//! One `RUN`: a command in namespaces of its own over a stack of layers.

mod capabilities;
mod child;
mod devices;
mod exec;
mod rootfs;
mod runner;
mod scope;
mod stubs;

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::error::SysError;

pub(super) use child::main as child_main;
pub use runner::run;
pub use scope::foreign_sockets_can_be_left_alone;

/// The first argument that makes this executable a step.
pub(super) const ARGUMENT: &str = "__step";

/// The host name that builds see, as in BuildKit.
pub const HOSTNAME: &str = "buildkitsandbox";

/// The search path of an image that sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All that defines one step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunSpec {
    /// The layers below, topmost first. May be empty.
    pub lower: Vec<PathBuf>,
    /// The directory that collects what the step changes.
    pub upper: PathBuf,
    /// An empty directory on the file system of `upper`, for the kernel. Fresh for each step: one
    /// that was used before is refused.
    pub work: PathBuf,
    /// What else is mounted. The order does not matter: parents come before what is below them.
    pub mounts: Vec<Mount>,
    /// Files that lie over the image's own for the time of the step, read-only, without a trace.
    pub shadow: Vec<ShadowFile>,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The whole environment, in order.
    pub env: Vec<(String, String)>,
    /// The working directory, absolute; made for the user when missing.
    pub cwd: String,
    /// Who runs it.
    pub user: Ids,
    /// The host name.
    pub hostname: String,
    /// Which network it sees.
    pub network: Network,
    /// Size of `/dev/shm` in bytes; 64 MiB when not given.
    pub shm_size: Option<u64>,
    /// Resource limits to set.
    pub limits: Vec<Limit>,
}

/// User and groups, as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids.
    pub groups: Vec<u32>,
}

impl From<&super::user::User> for Ids {
    fn from(user: &super::user::User) -> Self {
        Self { uid: user.uid, gid: user.gid, groups: user.groups.clone() }
    }
}

/// Which network a step sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The host's.
    #[default]
    Host,
    /// A loopback device alone.
    None,
}

/// A resource limit, as in `--ulimit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Which one.
    pub resource: Resource,
    /// The soft limit; `None` for unlimited.
    pub soft: Option<u64>,
    /// The hard limit; `None` for unlimited.
    pub hard: Option<u64>,
}

/// The resources that can be limited.
#[allow(missing_docs, reason = "the names are the kernel's, described in setrlimit(2)")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resource {
    As,
    Core,
    Cpu,
    Data,
    Fsize,
    Locks,
    Memlock,
    Msgqueue,
    Nice,
    Nofile,
    Nproc,
    Rss,
    Rtprio,
    Rttime,
    Sigpending,
    Stack,
}

/// Something mounted into a step besides its root.
///
/// Where the mount point is missing in the image it is there for the time of the step and leaves
/// no trace in the layer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Mount {
    /// A directory or file of the host: the build context, a cache directory.
    Bind {
        /// Where it is on the host.
        source: PathBuf,
        /// A path below `source`, resolved without leaving it.
        subpath: Option<String>,
        /// Where it appears.
        dest: String,
        /// Whether the step can't write to it.
        read_only: bool,
        /// Whether what is mounted below `source` comes along.
        recursive: bool,
    },
    /// The file system of another stage or image.
    Layers {
        /// Its layers, topmost first.
        lower: Vec<PathBuf>,
        /// Upper and work directory when the step may write; what it writes stays there.
        writable: Option<(PathBuf, PathBuf)>,
        /// A path in it.
        subpath: Option<String>,
        /// Where it appears.
        dest: String,
    },
    /// A file system in memory.
    Tmpfs {
        /// Where it appears.
        dest: String,
        /// The most it may hold, in bytes.
        size: Option<u64>,
        /// The mode of its root.
        mode: u32,
    },
    /// A file that exists in memory only: a secret, a script. Nobody can write to it.
    File {
        /// Where it appears.
        dest: String,
        /// What it holds.
        contents: Vec<u8>,
        /// Its mode.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
        /// Whether it may be executed, as a script is.
        program: bool,
    },
}

impl Mount {
    /// Where it appears.
    pub fn dest(&self) -> &str {
        match self {
            Self::Bind { dest, .. }
            | Self::Layers { dest, .. }
            | Self::Tmpfs { dest, .. }
            | Self::File { dest, .. } => dest,
        }
    }
}

/// A file that lies over the image's own, read-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowFile {
    /// The path in the image.
    pub dest: String,
    /// What is read there.
    pub contents: String,
}

impl ShadowFile {
    /// `/etc/hosts` as builds see it, with more lines when given (`address name`).
    pub fn hosts(hostname: &str, extra: &[(String, String)]) -> Self {
        let mut contents =
            format!("127.0.0.1\tlocalhost {hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        for (name, address) in extra {
            contents.push_str(&format!("{address}\t{name}\n"));
        }
        Self { dest: "/etc/hosts".to_owned(), contents }
    }

    /// The host's `/etc/resolv.conf`. The network is the host's, so its name servers hold.
    pub fn resolv_conf() -> Self {
        let contents = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        Self { dest: "/etc/resolv.conf".to_owned(), contents }
    }
}

/// Which of the two outputs a chunk came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepStatus {
    /// By itself, with this exit status.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl StepStatus {
    /// Whether it ended with 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// The status as a shell would say it: signals are 128 more.
    pub fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// A step that ran.
#[derive(Clone, Copy, Debug)]
pub struct StepResult {
    /// How the command ended.
    pub status: StepStatus,
    /// From the start of its process to its end, set-up included.
    pub duration: Duration,
}

/// Why a step did not run, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum StepError {
    /// The build was cancelled; everything in the step is dead.
    #[error("the step was cancelled")]
    Cancelled,
    /// It took longer than allowed; everything in it is dead.
    #[error("the step was stopped after {seconds} s")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// The program can't be started.
    #[error("cannot run '{program}' in the image: {reason}")]
    Exec {
        /// `argv[0]`.
        program: String,
        /// The exit status that a shell gives for it: 127 not found, 126 not executable.
        status: i32,
        /// What is the matter.
        reason: String,
    },
    /// A mount that can't be made.
    #[error("cannot mount at {dest}: {reason}")]
    Mount {
        /// The mount's destination.
        dest: String,
        /// What is the matter.
        reason: String,
    },
    /// Another part of the set-up failed.
    #[error("the step's sandbox cannot be set up: {0}")]
    Setup(SysError),
    /// The sandbox process died or talked nonsense.
    #[error("the step's sandbox ended unexpectedly: {0}")]
    Died(String),
    /// The specification itself can't be used.
    #[error("the step cannot be run: {0}")]
    Invalid(String),
}

impl From<SysError> for StepError {
    fn from(error: SysError) -> Self {
        Self::Setup(error)
    }
}

/// What the step's process is told.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    spec: RunSpec,
    scratch: PathBuf,
    parent: i32,
    /// Whether the session has one id only.
    flattened: bool,
}
