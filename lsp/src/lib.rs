//! The language server: diagnostics as one types and a quick fix for each fix.
//!
//! It is synchronous: one loop owns the documents and takes messages in the order in which they
//! come, so that changes are never reordered. What it has to know of the outside (settings beside
//! the file, facts about images) comes through [`Host`]; the crate itself reads no file and opens
//! no connection.

mod actions;
mod convert;
mod document;
mod facts;
mod handlers;
mod server;
mod transport;
mod uri;

use std::{io, path::Path};

use lsp_server::Connection;
use mlint_lint::CheckOptions;
use mlint_model::{ConfigQuery, ImageFacts, ImageQuery};
use mlint_syntax::Dockerfile;

pub use convert::Encoding;
pub use server::ServerError;

/// What the server has to know of the outside. The command provides it.
pub trait Host: Send + Sync {
    /// How to check the file at `path` (`None` for a buffer without a file): the settings of the
    /// nearest `mlint.toml`, or the defaults.
    ///
    /// # Errors
    /// A message for the user when the settings can't be read; the file is then checked with the
    /// defaults.
    fn options(&self, path: Option<&Path>) -> Result<CheckOptions, String>;

    /// Facts that are at hand at once, without a network.
    fn facts_at_hand(&self, queries: &Queries) -> ImageFacts;

    /// Facts that may take a while. Called on a thread of its own.
    fn facts(&self, queries: &Queries) -> ImageFacts;

    /// Adds to `options.context` what the evaluation of the file at `path` asks about its build
    /// context. Called before each check; what is known already is not asked again.
    fn look(
        &self,
        path: Option<&Path>,
        file: &Dockerfile,
        options: &mut CheckOptions,
        images: &ImageFacts,
    ) {
        let _ = (path, file, options, images);
    }
}

/// What a text needs to know about images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queries {
    /// The images that it needs.
    pub images: Vec<ImageQuery>,
    /// The configurations of its base images.
    pub configs: Vec<ConfigQuery>,
}

/// Serves one client over standard input and output until it says goodbye.
///
/// # Errors
/// [`ServerError`] when the client breaks the protocol or goes away without `shutdown`.
pub fn run_stdio(host: Box<dyn Host>) -> Result<(), ServerError> {
    let (connection, writer) = transport::connect(io::BufReader::new(io::stdin()), io::stdout());
    let outcome = run(&connection, host);
    // The writer thread ends when the last sender is gone.
    drop(connection);
    let written = writer.join().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
    outcome.and(written.map_err(ServerError::from))
}

/// Serves one client over `connection`.
///
/// # Errors
/// As [`run_stdio`].
pub fn run(connection: &Connection, host: Box<dyn Host>) -> Result<(), ServerError> {
    server::serve(connection, host.into())
}
