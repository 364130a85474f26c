//! Files that are in no registry, by their address: streamed, bounded, and not fetched again if the
//! server says that nothing has changed.

use std::{io::Write as _, path::Path};

use flate2::write::MultiGzDecoder;
use mlint_oci::{Algorithm, Digest, Hasher};
use reqwest::{
    Response, StatusCode, Url,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, ETAG, HeaderMap, HeaderValue,
        IF_NONE_MATCH, LAST_MODIFIED,
    },
};
use tokio::io::AsyncWriteExt as _;

use crate::{
    answer::{Pace, refused, retry_after},
    blob::Progress,
    client::Client,
    error::{RegistryError, innermost},
    transport::{Direction, Failure},
};

/// A file as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebFile {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// The server's mark for this content (`ETag`).
    pub mark: Option<String>,
    /// When it was changed, in seconds since 1970 (`Last-Modified`).
    pub modified: Option<i64>,
}

/// What a request for a file says besides its address.
#[derive(Clone, Copy, Default)]
pub struct WebAsk<'a> {
    /// The mark (`ETag`) of what is known.
    pub mark: Option<&'a str>,
    /// Who asks: the value of `Authorization`.
    pub authorization: Option<&'a str>,
}

/// What a server says to a request for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebAnswer {
    /// It is what it was when it had the mark.
    Unchanged,
    /// Here it is.
    File(WebFile),
}

impl Client {
    /// Fetches what is at an http or https address into the new file `path`. With a mark the server
    /// is asked whether the content is still the one with that mark. A user and password in the
    /// address are used, and no message holds them; an authorization goes to no other server that
    /// this one points at.
    ///
    /// # Errors
    /// When the server can't be reached, says no, sends more than `limit` bytes, or breaks off again
    /// and again; then there is no file.
    pub async fn fetch_url(
        &self,
        url: &str,
        ask: WebAsk<'_>,
        path: &Path,
        limit: u64,
        progress: Progress<'_>,
    ) -> Result<WebAnswer, RegistryError> {
        let algorithm = Algorithm::Sha256;
        let order = Order { ask, path: Some(path), algorithm, limit, progress };
        self.fetch_in_tries(url, &order).await
    }

    /// As [`Client::fetch_url`], for who wants the file's digest only: it is kept nowhere.
    pub(crate) async fn read_url(
        &self,
        url: &str,
        algorithm: Algorithm,
        limit: u64,
        progress: Progress<'_>,
    ) -> Result<WebAnswer, RegistryError> {
        let order = Order { ask: WebAsk::default(), path: None, algorithm, limit, progress };
        self.fetch_in_tries(url, &order).await
    }

    async fn fetch_in_tries(
        &self,
        url: &str,
        order: &Order<'_>,
    ) -> Result<WebAnswer, RegistryError> {
        let bad =
            |problem: String| RegistryError::Protocol { host: "this address".into(), problem };
        let url = Url::parse(url).map_err(|e| bad(format!("it can't be read: {e}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(format!("'{}' is not http", url.scheme())));
        }
        let host = host_of(&url);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failure = match self.fetch_once(&host, &url, order).await? {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            // Whatever came is worthless.
            order.discard().await;
            let pause = self.transport.pause(attempt, failure.wait);
            match pause.filter(|_| attempt < self.transport.options.attempts) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure.error),
            }
        }
    }

    /// One try. The outer error is final, the inner one may be tried again.
    async fn fetch_once(
        &self,
        host: &str,
        url: &Url,
        order: &Order<'_>,
    ) -> Result<Result<WebAnswer, Failure>, RegistryError> {
        let client = self.transport.client(host, Direction::Down)?;
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(mark) = order.ask.mark {
            request = request.header(IF_NONE_MATCH, mark);
        }
        if let Some(authorization) = order.ask.authorization {
            let wrong = |_| RegistryError::Protocol {
                host: host.to_owned(),
                problem: "the authorization that was given for it is no header".to_owned(),
            };
            let mut value = HeaderValue::from_str(authorization).map_err(wrong)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => {
                let e = e.without_url();
                return self.transport.connection_failure(host, Direction::Down, &e).map(Err);
            }
        };
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED && order.ask.mark.is_some() {
            return Ok(Ok(WebAnswer::Unchanged));
        }
        if !status.is_success() {
            let again = status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            let wait = retry_after(&response);
            let error = refused(host, &format!("the request for {}", url.path()), response).await;
            return if again { Ok(Err(Failure { error, wait })) } else { Err(error) };
        }
        let pace = Pace::new(self.transport.options.read_timeout);
        take(host, response, order, pace).await
    }
}

/// What is to be fetched, and what becomes of it.
struct Order<'o> {
    ask: WebAsk<'o>,
    /// The new file that it goes to; without one it is only looked at.
    path: Option<&'o Path>,
    algorithm: Algorithm,
    limit: u64,
    progress: Progress<'o>,
}

impl Order<'_> {
    async fn discard(&self) {
        if let Some(path) = self.path {
            let _ = tokio::fs::remove_file(path).await;
        }
    }
}

async fn take(
    host: &str,
    mut response: Response,
    order: &Order<'_>,
    mut pace: Pace,
) -> Result<Result<WebAnswer, Failure>, RegistryError> {
    let protocol = |problem: String| RegistryError::Protocol { host: host.to_owned(), problem };
    let encoding = text(response.headers(), CONTENT_ENCODING.as_str()).unwrap_or_default();
    let mut unpacked = match encoding.to_ascii_lowercase().as_str() {
        // The second is how some servers call an archive's own form.
        "" | "identity" | "x-gzip" => None,
        // As stores of objects do, which keep files like this.
        "gzip" => Some(MultiGzDecoder::new(Vec::new())),
        _ => {
            let problem = format!("it sends the file encoded as '{encoding}', unasked");
            return Err(protocol(problem));
        }
    };
    let broken = |e: std::io::Error| protocol(format!("what it sends is no gzip: {e}"));
    let mark = text(response.headers(), ETAG.as_str());
    let modified = text(response.headers(), LAST_MODIFIED.as_str()).and_then(|t| http_date(&t));
    let file = |source| RegistryError::File {
        action: "write",
        path: order.path.map(Path::to_owned).unwrap_or_default(),
        source,
    };
    let mut out = match order.path {
        Some(path) => {
            let out = tokio::fs::File::create(path).await.map_err(file)?;
            Some(tokio::io::BufWriter::with_capacity(256 * 1024, out))
        }
        None => None,
    };
    let mut hasher = Hasher::new(order.algorithm);
    let mut size = 0u64;
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(e) => {
                let problem = innermost(&e.without_url());
                let error = RegistryError::Broken { host: host.to_owned(), problem, attempts: 1 };
                return Ok(Err(Failure { error, wait: None }));
            }
        };
        if let Err(problem) = pace.more(chunk.len()) {
            let error = RegistryError::Broken { host: host.to_owned(), problem, attempts: 1 };
            return Ok(Err(Failure { error, wait: None }));
        }
        let more = chunk.len() as u64;
        let chunk = match &mut unpacked {
            None => chunk,
            Some(decoder) => {
                decoder.write_all(&chunk).map_err(broken)?;
                std::mem::take(decoder.get_mut()).into()
            }
        };
        size += chunk.len() as u64;
        if size > order.limit {
            drop(out);
            order.discard().await;
            return Err(protocol(format!("it sends more than {} bytes", order.limit)));
        }
        hasher.update(&chunk);
        if let Some(out) = &mut out {
            out.write_all(&chunk).await.map_err(file)?;
        }
        if let Some(progress) = order.progress {
            progress(more);
        }
    }
    if let Some(decoder) = unpacked {
        let rest = decoder.finish().map_err(broken)?;
        size += rest.len() as u64;
        hasher.update(&rest);
        if let Some(out) = &mut out {
            out.write_all(&rest).await.map_err(file)?;
        }
    }
    if let Some(out) = &mut out {
        out.flush().await.map_err(file)?;
    }
    Ok(Ok(WebAnswer::File(WebFile { digest: hasher.finish(), size, mark, modified })))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Host and port, without a login.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A date as HTTP writes it (`Sun, 06 Nov 1994 08:49:37 GMT`), in seconds since 1970.
fn http_date(text: &str) -> Option<i64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = text.split_once(", ")?;
    let parts: Vec<&str> = rest.split([' ', '-']).collect();
    let [day, month, year, time, "GMT"] = parts[..] else { return None };
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? as i64 / 3 + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let clock: Vec<i64> = time.split(':').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = clock[..] else { return None };
    let fits = (1..=31).contains(&day) && (0..24).contains(&hour) && (0..60).contains(&minute);
    if !fits || !(0..=60).contains(&second) || !(1600..10_000).contains(&year) {
        return None;
    }
    // Years begin in March, so that the leap day is the last of its year.
    let shifted = if month > 2 { year } else { year - 1 };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http() {
        for (text, want) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 29 Feb 2024 00:00:00 GMT", Some(1_709_164_800)),
            ("Sat, 21 Nov 2026 08:04:05 GMT", Some(1_795_248_245)),
            ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
            ("Sun, 06 Nov 1994 08:49:37", None),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sun, 06 anF 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 28:49:37 GMT", None),
            ("", None),
        ] {
            assert_eq!(http_date(text), want, "{text}");
        }
    }

    #[test]
    fn a_login_is_no_part_of_the_host() {
        let url = Url::parse("https://me:pw@h.example:8443/x").unwrap();
        assert_eq!(host_of(&url), "h.example:8443");
    }
}
