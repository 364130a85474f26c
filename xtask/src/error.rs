//! What can go wrong in a task.

use std::path::PathBuf;

/// The result of a task or of bringing up a part.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a task stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not on this machine.
    #[error(
        "{program} is not installed; as root, `cargo xtask setup` installs it (Debian package {package})"
    )]
    MissingProgram {
        /// Its name.
        program: String,
        /// The Debian package that has it.
        package: String,
    },
    /// Packages are missing and we may not install them.
    #[error("these Debian packages are missing; as root, run: apt-get install --no-install-recommends {}", .0.join(" "))]
    MissingPackages(Vec<String>),
    /// A program could not be started.
    #[error("could not start `{command}`: {source}")]
    Start {
        /// The command line.
        command: String,
        /// The reason.
        source: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` ended with {status}{}", tail(.stderr))]
    Failed {
        /// The command line.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said, where that was captured.
        stderr: String,
    },
    /// A file operation failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A part did not come up.
    #[error("{part} did not come up within {seconds} s{}", tail(.log))]
    NotUp {
        /// Which part.
        part: &'static str,
        /// How long we waited.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// Something that was to be shown was not so.
    #[error("{0}")]
    Unexpected(#[from] Unexpected),
}

/// An expectation that did not hold.
#[derive(Debug, thiserror::Error)]
#[error("{what}: expected {expected}, found {found}")]
pub struct Unexpected {
    /// What was looked at.
    pub what: String,
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

impl Error {
    /// For `map_err` on file operations.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// An expectation that did not hold.
    pub fn unexpected(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Unexpected { what: what.into(), expected: expected.into(), found: found.into() }.into()
    }
}

/// The last lines of what a program said, indented below the message.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let from = lines.len().saturating_sub(20);
    lines[from..].iter().map(|line| format!("\n    {line}")).collect()
}
