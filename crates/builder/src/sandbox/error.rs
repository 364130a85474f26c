//! One failed system call, with what it was for.

use std::{fmt, path::Path};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A system call that failed, said as what was being done.
///
/// It crosses process borders (a step reports to its session as JSON), hence plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SysError {
    /// What was being done, as in `mount the overlay at /x`.
    pub action: String,
    /// The error number.
    pub errno: i32,
}

impl SysError {
    pub(crate) fn new(action: impl Into<String>, errno: Errno) -> Self {
        Self { action: action.into(), errno: errno.raw_os_error() }
    }

    /// The error as the standard library knows it.
    pub fn io(&self) -> std::io::Error {
        std::io::Error::from_raw_os_error(self.errno)
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.action, self.io())
    }
}

impl std::error::Error for SysError {}

impl From<SysError> for std::io::Error {
    fn from(error: SysError) -> Self {
        let kind = error.io().kind();
        Self::new(kind, error)
    }
}

/// Says what a system call was for.
pub(crate) trait During<T> {
    /// `action` reads after "cannot".
    fn during(self, action: impl FnOnce() -> String) -> Result<T, SysError>;

    /// The same for a path.
    fn at(self, verb: &str, path: impl AsRef<Path>) -> Result<T, SysError>
    where
        Self: Sized,
    {
        self.during(|| format!("{verb} {}", path.as_ref().display()))
    }
}

impl<T> During<T> for Result<T, Errno> {
    fn during(self, action: impl FnOnce() -> String) -> Result<T, SysError> {
        self.map_err(|errno| SysError::new(action(), errno))
    }
}

impl<T> During<T> for std::io::Result<T> {
    fn during(self, action: impl FnOnce() -> String) -> Result<T, SysError> {
        self.map_err(|error| SysError {
            action: action(),
            errno: error.raw_os_error().unwrap_or(libc::EIO),
        })
    }
}
