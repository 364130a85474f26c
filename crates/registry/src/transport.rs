//! One request to a registry: where it goes, who we are, and what is tried again.
//!
//! This is our own work over `reqwest`, and not `oci-client`, because blobs must be streamed and
//! resumed after a broken connection, failures must be told apart (no network, no trust, wrong
//! password, no right, rate limit), identity tokens and mirrors must work, and a push must know
//! whether a mount was missed. With all that around it, little of the crate would be left in use.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, Once, OnceLock, PoisonError},
    time::Duration,
};

use mlint_oci::Reference;
use reqwest::{
    RequestBuilder, Response, StatusCode, Url,
    header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE},
};

use crate::{
    answer::{message_of, refused, request_line, retry_after},
    auth::{Authenticator, Challenge, Scope},
    error::{RegistryError, innermost},
    options::ClientOptions,
};

/// One server that speaks for a registry: itself, or a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The name for messages and credentials.
    pub registry: String,
    /// `https://registry-1.docker.io/`
    pub base: Url,
}

impl Endpoint {
    /// `<base>/v2/<repository>/<rest>`. Repositories, digests and tags need no escaping.
    pub fn url(&self, repository: &str, rest: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{repository}/{rest}"));
        url
    }

    fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Whether a URL is on this very server, and so may see our credentials.
    fn owns(&self, url: &Url) -> bool {
        url.scheme() == self.base.scheme()
            && url.host() == self.base.host()
            && url.port_or_known_default() == self.base.port_or_known_default()
    }
}

/// Which way the bulk of a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Down,
    /// Up, with a limit for the whole, since silence while sending says nothing.
    Up(Duration),
}

/// Sends requests.
pub(crate) struct Transport {
    pub options: ClientOptions,
    auth: Authenticator,
    /// HTTP clients: down and up, each with and without the system's proxy.
    clients: [OnceLock<reqwest::Client>; 4],
    /// What a host that may speak plain HTTP does speak.
    schemes: Mutex<HashMap<String, &'static str>>,
}

/// Makes *ring* the TLS library's cryptography, once per process. The only place that does.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Someone else's choice, made earlier, is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Whether a registry's host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Transport {
    pub fn new(options: ClientOptions) -> Self {
        let auth = Authenticator::new(options.credentials.clone());
        Self { options, auth, clients: Default::default(), schemes: Mutex::default() }
    }

    /// The server of a registry itself.
    pub async fn origin(&self, reference: &Reference) -> Result<Endpoint, RegistryError> {
        self.endpoint(reference.registry(), reference.api_host()).await
    }

    /// The servers to pull from, in order: mirrors, then the registry itself.
    pub async fn sources(&self, reference: &Reference) -> Result<Vec<Endpoint>, RegistryError> {
        let mut out = Vec::new();
        for mirror in self.options.mirrors.get(reference.registry()).into_iter().flatten() {
            match self.endpoint(mirror, mirror).await {
                Ok(endpoint) => out.push(endpoint),
                Err(e) => tracing::warn!(%mirror, error = %e, "skipping a mirror"),
            }
        }
        out.push(self.origin(reference).await?);
        Ok(out)
    }

    async fn endpoint(&self, registry: &str, host: &str) -> Result<Endpoint, RegistryError> {
        let scheme = self.scheme(registry, host).await?;
        let base =
            Url::parse(&format!("{scheme}://{host}/")).map_err(|e| RegistryError::Unreachable {
                host: registry.to_owned(),
                problem: format!("'{host}' is no host: {e}"),
            })?;
        Ok(Endpoint { registry: registry.to_owned(), base })
    }

    /// `https`, but for hosts that may speak plain HTTP what they do speak.
    async fn scheme(&self, registry: &str, host: &str) -> Result<&'static str, RegistryError> {
        if !is_loopback(host) && !self.options.plain_http.contains(registry) {
            return Ok("https");
        }
        let known = |map: &HashMap<String, &'static str>| map.get(host).copied();
        if let Some(scheme) = known(&self.schemes.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(scheme);
        }
        let client = self.client(host, Direction::Down)?;
        let scheme = match client.get(format!("http://{host}/v2/")).send().await {
            // A TLS server answers plain HTTP with 400 (Go, nginx), or hangs up.
            Ok(response) if response.status() == StatusCode::BAD_REQUEST => {
                let said = message_of(response).await;
                if said.to_ascii_uppercase().contains("HTTPS") { "https" } else { "http" }
            }
            Err(e) if !e.is_connect() && !e.is_timeout() => "https",
            // Let the real request tell what is wrong, and ask again the next time.
            Err(_) => return Ok("http"),
            Ok(_) => "http",
        };
        let mut schemes = self.schemes.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(schemes.entry(host.to_owned()).or_insert(scheme))
    }

    pub fn client(
        &self,
        host: &str,
        direction: Direction,
    ) -> Result<&reqwest::Client, RegistryError> {
        let direct = is_loopback(host);
        let up = matches!(direction, Direction::Up(_));
        let slot = &self.clients[usize::from(direct) * 2 + usize::from(up)];
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = self.build_client(direct, up)?;
        Ok(slot.get_or_init(|| client))
    }

    fn build_client(&self, direct: bool, up: bool) -> Result<reqwest::Client, RegistryError> {
        install_crypto();
        let setup = |e: reqwest::Error| RegistryError::Setup { problem: innermost(&e) };
        let redirects = reqwest::redirect::Policy::custom(|attempt| {
            let downgrade = attempt.url().scheme() != "https"
                && attempt.previous().iter().any(|url| url.scheme() == "https");
            if downgrade {
                attempt.error("a redirect from HTTPS to plain HTTP")
            } else if attempt.previous().len() > 10 {
                attempt.error("too many redirects")
            } else {
                attempt.follow()
            }
        });
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("mlint/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.options.connect_timeout)
            .redirect(redirects);
        if !up {
            builder = builder.read_timeout(self.options.read_timeout);
        }
        if direct {
            builder = builder.no_proxy();
        }
        for pem in &self.options.extra_roots {
            for certificate in reqwest::Certificate::from_pem_bundle(pem).map_err(setup)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        builder.build().map_err(setup)
    }

    /// Sends a request, answers challenges, and tries again what may go better the next time.
    /// Returns any other answer, whatever its status.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        scope: &Scope,
        direction: Direction,
        url: &Url,
        build: &(dyn Fn(&reqwest::Client, Url) -> Result<RequestBuilder, RegistryError> + Sync),
    ) -> Result<Response, RegistryError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failure = match self.send_once(endpoint, scope, direction, url, build).await? {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            let pause = self.pause(attempt, failure.wait);
            let Some(pause) = pause.filter(|_| attempt < self.options.attempts) else {
                return Err(failure.error.with_attempts(attempt));
            };
            tracing::debug!(%url, attempt, ?pause, error = %failure.error, "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a part of an upload: challenges are answered, but a failure is not tried again here,
    /// since the session's state must be asked for first.
    pub async fn send_session(
        &self,
        endpoint: &Endpoint,
        scope: &Scope,
        direction: Direction,
        url: &Url,
        build: &(dyn Fn(&reqwest::Client, Url) -> Result<RequestBuilder, RegistryError> + Sync),
    ) -> Result<Response, RegistryError> {
        let outcome = self.send_once(endpoint, scope, direction, url, build).await?;
        outcome.map_err(|failure| failure.error)
    }

    /// One try. The outer error is final, the inner one may be tried again.
    async fn send_once(
        &self,
        endpoint: &Endpoint,
        scope: &Scope,
        direction: Direction,
        url: &Url,
        build: &(dyn Fn(&reqwest::Client, Url) -> Result<RequestBuilder, RegistryError> + Sync),
    ) -> Result<Result<Response, Failure>, RegistryError> {
        let host = endpoint.registry.as_str();
        let client = self.client(url.authority(), direction)?;
        let ours = endpoint.owns(url);
        let mut header = self.auth.known(host, scope).filter(|_| ours);
        // Once to get the challenge, once for a token that was kept too long.
        let mut challenges = 0;
        loop {
            let mut request = build(client, url.clone())?;
            if let Some(header) = &header {
                request = request.header(AUTHORIZATION, header.clone());
            }
            if let Direction::Up(limit) = direction {
                request = request.timeout(limit);
            }
            let response = match request.send().await {
                Ok(response) => response,
                Err(e) => return self.connection_failure(host, direction, &e).map(Err),
            };
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED && ours {
                challenges += 1;
                let last = challenges > 2;
                header = Some(self.challenged(endpoint, scope, &response, header, last).await?);
                continue;
            }
            if status == StatusCode::TOO_MANY_REQUESTS {
                let wait = retry_after(&response);
                let error = RegistryError::RateLimited { host: host.to_owned(), retry_after: wait };
                return Ok(Err(Failure { error, wait }));
            }
            if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED
                || status == StatusCode::REQUEST_TIMEOUT
            {
                let wait = retry_after(&response);
                let error = refused(host, &request_line(&response, url), response).await;
                return Ok(Err(Failure { error, wait }));
            }
            return Ok(Ok(response));
        }
    }

    async fn challenged(
        &self,
        endpoint: &Endpoint,
        scope: &Scope,
        response: &Response,
        failed: Option<HeaderValue>,
        last: bool,
    ) -> Result<HeaderValue, RegistryError> {
        let host = endpoint.registry.as_str();
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let texts = headers.iter().filter_map(|h| h.to_str().ok());
        let Some(challenge) = Challenge::parse(texts) else {
            return Err(RegistryError::Protocol {
                host: host.to_owned(),
                problem: "it wants a login but names no way that mlint knows (Basic, Bearer)"
                    .into(),
            });
        };
        if last || challenge == Challenge::Basic && failed.is_some() {
            return Err(self.auth.refused(host, scope, &challenge).await);
        }
        // The realm is another host as a rule: take the client that minds the proxy, unless the
        // registry is on this machine.
        let client = self.client(endpoint.base.authority(), Direction::Down)?;
        self.auth
            .answer(client, host, endpoint.is_plain(), scope, &challenge, failed.as_ref())
            .await
    }

    /// Sorts out why no answer came.
    pub fn connection_failure(
        &self,
        host: &str,
        direction: Direction,
        e: &reqwest::Error,
    ) -> Result<Failure, RegistryError> {
        let host = host.to_owned();
        if let Some(error) = tls_failure(&host, e) {
            return Err(error);
        }
        if e.is_builder() || e.is_redirect() {
            return Err(RegistryError::Protocol { host, problem: innermost(e) });
        }
        let error = if e.is_timeout() {
            let after = match direction {
                Direction::Up(limit) => limit,
                Direction::Down if e.is_connect() => self.options.connect_timeout,
                Direction::Down => self.options.read_timeout,
            };
            RegistryError::Timeout { host, after }
        } else if e.is_connect() {
            RegistryError::Unreachable { host, problem: innermost(e) }
        } else {
            RegistryError::Broken { host, problem: innermost(e), attempts: 1 }
        };
        Ok(Failure { error, wait: None })
    }

    /// Waits before the next attempt after an answer's body broke off, or gives up.
    pub async fn pause_or_fail(
        &self,
        endpoint: &Endpoint,
        attempt: u32,
        problem: String,
    ) -> Result<(), RegistryError> {
        match self.pause(attempt, None).filter(|_| attempt < self.options.attempts) {
            Some(pause) => {
                tokio::time::sleep(pause).await;
                Ok(())
            }
            None => Err(RegistryError::Broken {
                host: endpoint.registry.clone(),
                problem,
                attempts: attempt,
            }),
        }
    }

    /// How long to wait after a failed attempt; nothing if the registry asks for too long.
    pub fn pause(&self, attempt: u32, wanted: Option<Duration>) -> Option<Duration> {
        if let Some(wanted) = wanted {
            return (wanted <= self.options.max_backoff).then_some(wanted);
        }
        let doubled = self.options.backoff.saturating_mul(1 << attempt.saturating_sub(1).min(16));
        let pause = doubled.min(self.options.max_backoff);
        // Between a half and the whole, so that many clients do not come back at once.
        Some(pause.mul_f64(0.5 + 0.5 * jitter()))
    }
}

/// A failure that may go away.
pub(crate) struct Failure {
    /// What failed.
    pub error: RegistryError,
    /// How long the server wants us to wait.
    pub wait: Option<Duration>,
}

impl RegistryError {
    fn with_attempts(self, attempts: u32) -> Self {
        match self {
            Self::Broken { host, problem, .. } => Self::Broken { host, problem, attempts },
            other => other,
        }
    }
}

/// A number from 0 to 1; the standard library's hash keys are random enough for a pause.
fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

/// A failure of trust, which no second try mends.
fn tls_failure(host: &str, error: &reqwest::Error) -> Option<RegistryError> {
    let host = host.to_owned();
    Some(match find_tls(error)? {
        rustls::Error::InvalidMessage(_) => RegistryError::PlainHttp { host },
        other => RegistryError::Tls { host, problem: explain(other.to_string()) },
    })
}

/// The most frequent one with home-made certificates needs more words than the library has.
fn explain(problem: String) -> String {
    if problem.contains("CaUsedAsEndEntity") {
        return "its certificate is one of an authority (CA:TRUE) used as a server's; make one with \
                CA:FALSE"
            .to_owned();
    }
    problem
}

/// The TLS library's error in a chain. `io::Error` hides what it wraps from `source`, and there may
/// be several of them.
fn find_tls<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(inner) => find_tls(inner),
        None => find_tls(error.source()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_machine() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:1", "127.8.9.1", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["ghcr.io", "localhost.evil.com", "128.0.0.1", "[::2]:1", "1270.0.0.1", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn pauses_double_within_bounds() {
        let transport = Transport::new(ClientOptions {
            backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            ..ClientOptions::default()
        });
        for (attempt, most) in [(1, 100), (2, 200), (3, 400), (9, 1000), (99, 1000)] {
            let pause = transport.pause(attempt, None).unwrap();
            assert!(pause <= Duration::from_millis(most), "{attempt}: {pause:?}");
            assert!(pause >= Duration::from_millis(most / 2), "{attempt}: {pause:?}");
        }
        assert_eq!(transport.pause(1, Some(Duration::ZERO)), Some(Duration::ZERO));
        assert_eq!(transport.pause(1, Some(Duration::from_secs(60))), None);
    }
}
