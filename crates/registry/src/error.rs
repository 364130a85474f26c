//! What can go wrong between here and a registry: what, why, and what to do next.

use std::{io, path::PathBuf, time::Duration};

use mlint_oci::{Digest, ManifestError, Reference, ReferenceError};

use crate::credentials::CredentialError;

/// A failed registry operation.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No connection.
    #[error("can't reach {host}: {problem}; check its name, the network and any proxy")]
    Unreachable {
        /// The registry.
        host: String,
        /// The innermost reason.
        problem: String,
    },
    /// A connection, but no answer in time.
    #[error("registry {host} did not answer within {} s; try again later", after.as_secs_f32())]
    Timeout {
        /// The registry.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke again and again.
    #[error("the connection to {host} broke: {problem}; tried {attempts} times, try again later")]
    Broken {
        /// The registry.
        host: String,
        /// The innermost reason.
        problem: String,
        /// How many times it was tried.
        attempts: u32,
    },
    /// No trust.
    #[error(
        "no TLS connection to {host}: {problem}; if its certificate is from an authority of your own, add that to the system's certificates (or point SSL_CERT_FILE at it)"
    )]
    Tls {
        /// The registry.
        host: String,
        /// The TLS library's words.
        problem: String,
    },
    /// HTTPS was spoken to a server of plain HTTP.
    #[error(
        "{host} speaks plain HTTP, no TLS; if the network between is yours, allow plain HTTP for this registry"
    )]
    PlainHttp {
        /// The registry.
        host: String,
    },
    /// 401 without credentials: Docker Hub also answers so for what does not exist.
    #[error(
        "{host} wants a login for {repository} (or it does not exist); none is stored: run 'docker login {host}' or 'podman login {host}' and check the name"
    )]
    LoginNeeded {
        /// The registry.
        host: String,
        /// The repository.
        repository: String,
    },
    /// 401 with credentials.
    #[error(
        "{host} refuses the user name or password from {origin}; log in again with 'docker login {host}' or 'podman login {host}'"
    )]
    WrongPassword {
        /// The registry.
        host: String,
        /// Where the credentials came from.
        origin: String,
    },
    /// 403, or a token without the right.
    #[error(
        "{host} does not allow to {action} {repository}{}; the login is right but may not do this, or the name is wrong", said(.message)
    )]
    Denied {
        /// The registry.
        host: String,
        /// The repository.
        repository: String,
        /// `pull` or `push`.
        action: &'static str,
        /// The registry's words.
        message: String,
    },
    /// There is no such tag, manifest or repository.
    #[error("{} does not exist: registry {} has no such image or tag", reference.familiar(), reference.registry())]
    NotFound {
        /// What was asked for.
        reference: Reference,
    },
    /// A blob that a manifest names is gone.
    #[error(
        "{host}/{repository} has no blob {digest}, although a manifest names it: the image is incomplete there, push it again"
    )]
    BlobNotFound {
        /// The registry.
        host: String,
        /// The repository.
        repository: String,
        /// The blob.
        digest: Digest,
    },
    /// 429 to the end.
    #[error(
        "{host} limits the rate of requests{}; a login often raises the limit", wait(.retry_after)
    )]
    RateLimited {
        /// The registry.
        host: String,
        /// When it may be tried again.
        retry_after: Option<Duration>,
    },
    /// An answer that says no in another way.
    #[error("{host} answered {status} to {request}{}", said(.message))]
    Refused {
        /// The registry.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What was asked: `PUT /v2/…`.
        request: String,
        /// The registry's words.
        message: String,
    },
    /// An answer outside the protocol.
    #[error("{host} does not answer as a registry should: {problem}")]
    Protocol {
        /// The registry.
        host: String,
        /// What is missing or wrong.
        problem: String,
    },
    /// A manifest, index or config that can't be used.
    #[error("{reference}: {source}")]
    Manifest {
        /// The image.
        reference: String,
        /// What is wrong.
        source: ManifestError,
    },
    /// A blob with other content than its digest says.
    #[error(
        "the blob {want} from {host} has digest {found}: it was changed or damaged on the way; try again, and if it stays, the registry's copy is bad"
    )]
    BlobDigest {
        /// The registry.
        host: String,
        /// The digest asked for.
        want: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// A blob that is longer than said.
    #[error("the blob {digest} from {host} is longer than the {size} bytes that its manifest says")]
    BlobSize {
        /// The registry.
        host: String,
        /// The blob.
        digest: Digest,
        /// The size said.
        size: u64,
    },
    /// A file on this side.
    #[error("can't {action} {}: {source}", path.display())]
    File {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A file on this side that is not what it was.
    #[error("the file {} was damaged: its digest is {found}, not {want}", path.display())]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// The digest that it had.
        want: Digest,
        /// The digest that it has.
        found: Digest,
    },
    /// The consumer of a blob failed.
    #[error("can't store what comes from {host}: {source}")]
    Sink {
        /// The registry.
        host: String,
        /// The consumer's words.
        source: io::Error,
    },
    /// Credentials were needed and could not be had.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// A reference that can't be read.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A push needs a tag and has none.
    #[error("{reference} has no tag to push to; write {reference}:<tag>")]
    NoTag {
        /// What was given.
        reference: String,
    },
    /// The HTTP client could not be made.
    #[error("can't set up HTTPS: {problem}")]
    Setup {
        /// The HTTP library's words.
        problem: String,
    },
}

impl RegistryError {
    /// Whether the registry gave a definite answer, which no other try and no table can better.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}

fn said(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" (it says: {message})") }
}

fn wait(after: &Option<Duration>) -> String {
    match after {
        Some(after) => format!("; try again in {} s", after.as_secs()),
        None => "; try again later".to_owned(),
    }
}

/// The innermost cause of an error, which says most: "connection refused".
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}
