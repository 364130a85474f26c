//! What answers say, read within bounds.

use std::time::{Duration, Instant};

use reqwest::{Response, Url, header::RETRY_AFTER};

use crate::error::{RegistryError, innermost};

/// Error answers longer than this are cut.
const MAX_MESSAGE: usize = 64 * 1024;

/// A server that sends less than this many bytes a second, over so long a time, is as good as gone.
const SLOWEST: u64 = 1024;

/// Watches how fast an answer comes: a server that sends a byte now and then would keep us for ever.
pub(crate) struct Pace {
    start: Instant,
    grace: Duration,
    bytes: u64,
}

impl Pace {
    /// From now on. `grace` is how long it may take its time.
    pub fn new(grace: Duration) -> Self {
        Self { start: Instant::now(), grace, bytes: 0 }
    }

    /// So much more came. An error says that it is too slow.
    pub fn more(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes += bytes as u64;
        let elapsed = self.start.elapsed();
        if elapsed > self.grace && self.bytes < SLOWEST.saturating_mul(elapsed.as_secs().max(1)) {
            return Err(format!("it sends less than {SLOWEST} bytes a second"));
        }
        Ok(())
    }
}

/// What was asked, for messages.
pub(crate) fn request_line(response: &Response, url: &Url) -> String {
    format!("the request for {}", if response.url() == url { url } else { response.url() }.path())
}

/// `Retry-After` in seconds. A date is rare here, and treated as absent.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// An answer's body, up to a limit, from a server that is not too slow.
pub(crate) async fn bounded_body(mut response: Response, limit: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let mut pace = Pace::new(Duration::from_secs(60));
    while let Some(chunk) = response.chunk().await.map_err(|e| innermost(&e))? {
        pace.more(chunk.len())?;
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(body)
}

/// What an error answer says: the registry protocol's messages, or the first line of its text.
pub(crate) async fn message_of(response: Response) -> String {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<One>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let body = bounded_body(response, MAX_MESSAGE).await.unwrap_or_default();
    if let Ok(Errors { errors }) = serde_json::from_slice(&body) {
        let texts: Vec<String> = errors
            .into_iter()
            .map(|e| if e.message.is_empty() { e.code } else { e.message })
            .collect();
        return texts.join("; ");
    }
    let text = String::from_utf8_lossy(&body);
    let line = text.lines().next().unwrap_or_default().trim();
    // Control characters of a hostile answer have no business on a terminal.
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The error for an answer that says no.
pub(crate) async fn refused(host: &str, request: &str, response: Response) -> RegistryError {
    RegistryError::Refused {
        host: host.to_owned(),
        status: response.status().as_u16(),
        request: request.to_owned(),
        message: message_of(response).await,
    }
}
