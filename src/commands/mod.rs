//! One file per command.

pub mod build;
pub mod cache;
pub mod check;
pub mod completions;
pub mod explain;
pub mod fix;
pub mod graph;
pub mod lsp;
pub mod rules;
pub mod session;
pub mod trace;
pub mod verify;

use std::io;

use crate::config::ConfigError;

/// Why a command gives up.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Standard output can't be written.
    #[error("can't write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Whether the reader of our output has gone away, which is its good right.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Writes to standard output as a whole. A reader that has seen enough is no failure.
///
/// # Errors
/// When standard output can't be written.
pub fn print(write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| io::Write::flush(&mut out)) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
            // What is still in the buffer has no reader.
            let _ = out.into_parts();
            Ok(())
        }
        other => Ok(other?),
    }
}
