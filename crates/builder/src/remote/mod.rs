//! What a build takes from elsewhere: files by their address, and git repositories.

mod address;
mod checkout;
mod git;
mod http;

use mlint_oci::Digest;
use mlint_registry::RegistryError;

pub use address::{GitAddress, masked, redacted, without_credentials};
pub use checkout::tidy;
pub use git::{Commit, Git, GitLogin};
pub use http::{Page, fetch, fetch_blocking};

use crate::error::FsError;

/// Something that can't be fetched. Addresses in here hold no credentials.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// There is no git.
    #[error("{remote} is a git repository, and there is no git here: install git")]
    NoGit {
        /// The repository.
        remote: String,
    },
    /// git could not do it.
    #[error("git cannot {action} {remote}: {problem}")]
    Git {
        /// What it was to do.
        action: &'static str,
        /// The repository.
        remote: String,
        /// Its last words.
        problem: String,
    },
    /// There is no such branch, tag or commit.
    #[error("{remote} has no branch, tag or commit '{reference}'")]
    NoReference {
        /// The repository.
        remote: String,
        /// What was asked for.
        reference: String,
    },
    /// The commit is another one.
    #[error("{remote} is at commit {found}, and {expected} was expected")]
    OtherCommit {
        /// The repository.
        remote: String,
        /// Where it is.
        found: String,
        /// Where it should be.
        expected: String,
    },
    /// The repository has no such directory.
    #[error("{remote} has no directory '{subdir}'")]
    NoSubdir {
        /// The repository.
        remote: String,
        /// The directory.
        subdir: String,
    },
    /// A git address that says what it can't say.
    #[error("{address} is no git address: {problem}")]
    Address {
        /// The address.
        address: String,
        /// What is wrong.
        problem: String,
    },
    /// A file can't be fetched.
    #[error("cannot fetch {url}: {source}")]
    Http {
        /// Its address.
        url: String,
        /// Why.
        source: Box<RegistryError>,
    },
    /// The file is another one.
    #[error("{url} is {found}, and {expected} was expected")]
    OtherContent {
        /// Its address.
        url: String,
        /// What it is.
        found: Digest,
        /// What it should be.
        expected: Digest,
    },
    /// Somebody has stopped the build.
    #[error("interrupted")]
    Interrupted,
    /// The local end failed.
    #[error(transparent)]
    Fs(#[from] FsError),
}
