//! Files by their address.

use std::path::Path;

use mlint_oci::Digest;
use mlint_registry::{Client, Progress, WebAnswer, WebAsk, WebFile};

use super::{RemoteError, redacted};

/// More than any file that a build fetches: 64 GiB.
const MAX_BYTES: u64 = 64 << 30;

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Still what it was when it had that mark.
    Unchanged,
    /// This, and it lies where it was to be written.
    File(WebFile),
}

/// Fetches a file into `path`, which must not exist.
pub async fn fetch(
    client: &Client,
    url: &str,
    ask: WebAsk<'_>,
    path: &Path,
    progress: Progress<'_>,
) -> Result<Page, RemoteError> {
    let answer = client.fetch_url(url, ask, path, MAX_BYTES, progress).await;
    match answer {
        Ok(WebAnswer::Unchanged) => Ok(Page::Unchanged),
        Ok(WebAnswer::File(file)) => Ok(Page::File(file)),
        Err(source) => Err(RemoteError::Http { url: redacted(url), source: Box::new(source) }),
    }
}

/// The same where nothing else runs.
pub fn fetch_blocking(url: &str, path: &Path) -> Result<WebFile, RemoteError> {
    let failed = |e| crate::error::FsError::new("start", Path::new("the network threads"))(e);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let client = Client::new(mlint_registry::ClientOptions::default());
    match runtime.block_on(fetch(&client, url, WebAsk::default(), path, None))? {
        Page::File(file) => Ok(file),
        Page::Unchanged => {
            let digest = Digest::sha256(b"");
            Ok(WebFile { digest, size: 0, mark: None, modified: None })
        }
    }
}
