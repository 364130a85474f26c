//! Answers to a registry's challenges: basic credentials, or bearer tokens from its token service,
//! which are kept until shortly before they expire.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{Url, header::HeaderValue};
use serde::Deserialize;

use crate::{
    answer::{bounded_body, message_of, retry_after},
    credentials::{Credential, CredentialError, Credentials, Found},
    error::RegistryError,
    transport::is_loopback,
};

/// Tokens without a stated life live this long, says the specification.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// What a call needs to be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope {
    pub repository: String,
    pub push: bool,
    /// Another repository of the registry to read blobs from.
    pub mount_from: Option<String>,
}

impl Scope {
    pub fn pull(repository: &str) -> Self {
        Self { repository: repository.to_owned(), push: false, mount_from: None }
    }

    pub fn push(repository: &str) -> Self {
        Self { repository: repository.to_owned(), push: true, mount_from: None }
    }

    pub fn action(&self) -> &'static str {
        if self.push { "push to" } else { "pull from" }
    }

    fn parameters(&self) -> Vec<String> {
        let actions = if self.push { "pull,push" } else { "pull" };
        let own = format!("repository:{}:{actions}", self.repository);
        let other = self.mount_from.as_ref().map(|from| format!("repository:{from}:pull"));
        std::iter::once(own).chain(other).collect()
    }
}

/// One challenge of a `WWW-Authenticate` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// The first challenge that we can answer; bearer before basic.
    pub fn parse<'h>(headers: impl Iterator<Item = &'h str>) -> Option<Self> {
        let mut basic = None;
        for header in headers {
            let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Self::Basic);
            } else if scheme.eq_ignore_ascii_case("bearer") {
                let mut parameters = parameters(rest);
                if let Some(realm) = parameters.remove("realm") {
                    let (service, scope) =
                        (parameters.remove("service"), parameters.remove("scope"));
                    return Some(Self::Bearer { realm, service, scope });
                }
            }
        }
        basic
    }
}

/// `a="x,y",b=z`
fn parameters(text: &str) -> HashMap<String, String> {
    let mut out = HashMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([',', ' ']).to_ascii_lowercase();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        out.insert(name, value.trim().to_owned());
        rest = next;
    }
    out
}

#[derive(Clone)]
struct Kept {
    header: HeaderValue,
    until: Option<Instant>,
}

/// What a token service answers.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<u64>,
}

/// A registry, and what is to be allowed there.
type Key = (String, Scope);

/// Keeps what proved to work, per registry and scope.
pub(crate) struct Authenticator {
    credentials: Credentials,
    kept: Mutex<HashMap<Key, Kept>>,
    /// Held while a token is fetched, so that many layers fetch one.
    fetching: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

impl Authenticator {
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, kept: Mutex::default(), fetching: Mutex::default() }
    }

    /// What worked before for this scope.
    pub fn known(&self, registry: &str, scope: &Scope) -> Option<HeaderValue> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let live = |scope: &Scope| {
            kept.get(&(registry.to_owned(), scope.clone()))
                .filter(|k| k.until.is_none_or(|until| Instant::now() < until))
                .map(|k| k.header.clone())
        };
        // Who may push may pull.
        live(scope).or_else(|| live(&Scope { push: true, ..scope.clone() }))
    }

    /// Answers a challenge. `failed` is the header that was refused, if any was sent.
    pub async fn answer(
        &self,
        http: &reqwest::Client,
        registry: &str,
        plain_http: bool,
        scope: &Scope,
        challenge: &Challenge,
        failed: Option<&HeaderValue>,
    ) -> Result<HeaderValue, RegistryError> {
        let key = (registry.to_owned(), scope.clone());
        let turn = {
            let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            fetching.entry(key.clone()).or_default().clone()
        };
        let _turn = turn.lock().await;
        if let Some(header) = self.known(registry, scope)
            && Some(&header) != failed
        {
            return Ok(header);
        }
        let found = self.credentials.find(registry, &scope.repository).await;
        let kept = match challenge {
            Challenge::Basic => basic(registry, scope, found?)?,
            Challenge::Bearer { realm, service, scope: asked } => {
                let service = TokenService { http, registry, plain_http, realm, service, asked };
                service.token(scope, found).await?
            }
        };
        let header = kept.header.clone();
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(key, kept);
        Ok(header)
    }

    /// The error for a 401 that stayed after the challenge was answered. A token service that gave
    /// a token has accepted the password, so what is missing then is the right.
    pub async fn refused(
        &self,
        registry: &str,
        scope: &Scope,
        challenge: &Challenge,
    ) -> RegistryError {
        match self.credentials.find(registry, &scope.repository).await {
            Ok(Some(Found { origin, .. })) if *challenge == Challenge::Basic => {
                RegistryError::WrongPassword { host: registry.to_owned(), origin }
            }
            Ok(Some(_)) => RegistryError::Denied {
                host: registry.to_owned(),
                repository: scope.repository.clone(),
                action: scope.action(),
                message: String::new(),
            },
            Ok(None) => login_needed(registry, scope),
            Err(e) => e.into(),
        }
    }
}

fn login_needed(registry: &str, scope: &Scope) -> RegistryError {
    RegistryError::LoginNeeded { host: registry.to_owned(), repository: scope.repository.clone() }
}

fn secret(text: &str) -> Result<HeaderValue, RegistryError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| RegistryError::Setup { problem: "a token has control characters".into() })?;
    value.set_sensitive(true);
    Ok(value)
}

fn basic(registry: &str, scope: &Scope, found: Option<Found>) -> Result<Kept, RegistryError> {
    use base64::Engine as _;
    let header = match found {
        None => return Err(login_needed(registry, scope)),
        Some(Found { credential: Credential::Password { user, password }, .. }) => {
            let pair =
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            secret(&format!("Basic {pair}"))?
        }
        Some(Found {
            credential: Credential::IdentityToken(token) | Credential::RegistryToken(token),
            ..
        }) => secret(&format!("Bearer {token}"))?,
    };
    Ok(Kept { header, until: None })
}

/// The service that a bearer challenge names.
struct TokenService<'a> {
    http: &'a reqwest::Client,
    registry: &'a str,
    plain_http: bool,
    realm: &'a str,
    service: &'a Option<String>,
    asked: &'a Option<String>,
}

impl TokenService<'_> {
    async fn token(
        &self,
        scope: &Scope,
        found: Result<Option<Found>, CredentialError>,
    ) -> Result<Kept, RegistryError> {
        let (found, trouble) = match found {
            Ok(found) => (found, None),
            // Reading public images must not depend on a helper that is not there.
            Err(e) if !scope.push => {
                tracing::debug!(error = %e, "trying without credentials");
                (None, Some(e))
            }
            Err(e) => return Err(e.into()),
        };
        if let Some(Found { credential: Credential::RegistryToken(token), .. }) = &found {
            return Ok(Kept { header: secret(&format!("Bearer {token}"))?, until: None });
        }
        let request = self.request(scope, found.as_ref())?;
        let response = request.send().await.map_err(|e| RegistryError::Unreachable {
            host: format!("{} (token service {})", self.registry, self.realm),
            problem: crate::error::innermost(&e),
        })?;
        let status = response.status().as_u16();
        match (status, found, trouble) {
            (200..=299, ..) => {}
            (_, _, Some(trouble)) => return Err(trouble.into()),
            (400 | 401, Some(found), _) => {
                return Err(RegistryError::WrongPassword {
                    host: self.registry.to_owned(),
                    origin: found.origin,
                });
            }
            (401, None, _) => return Err(login_needed(self.registry, scope)),
            (403, ..) => {
                return Err(RegistryError::Denied {
                    host: self.registry.to_owned(),
                    repository: scope.repository.clone(),
                    action: scope.action(),
                    message: message_of(response).await,
                });
            }
            (429, ..) => {
                return Err(RegistryError::RateLimited {
                    host: self.registry.to_owned(),
                    retry_after: retry_after(&response),
                });
            }
            (status, ..) => {
                return Err(RegistryError::Refused {
                    host: self.registry.to_owned(),
                    status,
                    request: format!("the request for a token at {}", self.realm),
                    message: message_of(response).await,
                });
            }
        }
        self.read(response).await
    }

    /// Whether a host is the registry's own, or this machine.
    fn is_beside(&self, host: &str) -> bool {
        let own = match self.registry.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => self.registry,
        };
        host.eq_ignore_ascii_case(own) || is_loopback(host)
    }

    fn request(
        &self,
        scope: &Scope,
        found: Option<&Found>,
    ) -> Result<reqwest::RequestBuilder, RegistryError> {
        let problem =
            |problem: String| RegistryError::Protocol { host: self.registry.to_owned(), problem };
        let mut url = Url::parse(self.realm)
            .map_err(|e| problem(format!("its token service '{}' is no URL: {e}", self.realm)))?;
        // A registry that is spoken to in the clear may have its tokens beside it, but not where it likes.
        let beside = url.host_str().is_some_and(|host| self.is_beside(host));
        if url.scheme() != "https" && found.is_some() && !(self.plain_http && beside) {
            let realm = self.realm;
            return Err(problem(format!("it wants a password sent in the clear to {realm}")));
        }
        let mut scopes = scope.parameters();
        // Some registries know the repository by another name.
        if let Some(asked) = self.asked {
            let same = |s: &String| s.split(':').nth(1) == asked.split(':').nth(1);
            if !scopes.iter().any(same) {
                scopes.push(asked.clone());
            }
        }
        if let Some(Found { credential: Credential::IdentityToken(token), .. }) = found {
            let mut form = url::form(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", token),
                ("client_id", "mlint"),
                ("scope", &scopes.join(" ")),
            ]);
            if let Some(service) = self.service {
                form.push('&');
                form.push_str(&url::form(&[("service", service)]));
            }
            let kind = "application/x-www-form-urlencoded";
            return Ok(self.http.post(url).header("content-type", kind).body(form));
        }
        {
            let mut query = url.query_pairs_mut();
            if let Some(service) = self.service {
                query.append_pair("service", service);
            }
            for scope in &scopes {
                query.append_pair("scope", scope);
            }
            if let Some(Found { credential: Credential::Password { user, .. }, .. }) = found {
                query.append_pair("account", user);
            }
        }
        let request = self.http.get(url);
        Ok(match found {
            Some(Found { credential: Credential::Password { user, password }, .. }) => {
                request.basic_auth(user, Some(password))
            }
            _ => request,
        })
    }

    async fn read(&self, response: reqwest::Response) -> Result<Kept, RegistryError> {
        let problem = |problem: &str| RegistryError::Protocol {
            host: self.registry.to_owned(),
            problem: format!("its token service {} {problem}", self.realm),
        };
        let body = bounded_body(response, 1024 * 1024)
            .await
            .map_err(|_| problem("sends no whole answer"))?;
        let answer: TokenAnswer =
            serde_json::from_slice(&body).map_err(|_| problem("does not send JSON"))?;
        let token = answer
            .token
            .or(answer.access_token)
            .filter(|t| !t.is_empty())
            .ok_or_else(|| problem("sends no token"))?;
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        // A tenth is spared for clocks and slow requests.
        let until = Instant::now().checked_add(life.mul_f32(0.9).min(Duration::from_secs(86_400)));
        Ok(Kept { header: secret(&format!("Bearer {token}"))?, until })
    }
}

/// Form encoding with the URL library that is there anyway.
mod url {
    use reqwest::Url;

    pub fn form(pairs: &[(&str, &str)]) -> String {
        let mut url = Url::parse("http://form/").expect("a constant URL");
        url.query_pairs_mut().extend_pairs(pairs);
        url.query().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_challenges() {
        let bearer = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull,push""#;
        assert_eq!(
            Challenge::parse(["Basic realm=x", bearer].into_iter()),
            Some(Challenge::Bearer {
                realm: "https://auth.docker.io/token".to_owned(),
                service: Some("registry.docker.io".to_owned()),
                scope: Some("repository:library/debian:pull,push".to_owned()),
            })
        );
        assert_eq!(Challenge::parse(["basic"].into_iter()), Some(Challenge::Basic));
        assert_eq!(Challenge::parse(["Negotiate", "Bearer x=\""].into_iter()), None);
        assert_eq!(Challenge::parse(std::iter::empty()), None);
    }

    #[test]
    fn scopes_name_what_is_needed() {
        let mut scope = Scope::push("a/b");
        scope.mount_from = Some("c/d".to_owned());
        assert_eq!(scope.parameters(), ["repository:a/b:pull,push", "repository:c/d:pull"]);
        assert_eq!(Scope::pull("a").parameters(), ["repository:a:pull"]);
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(url::form(&[("a b", "c&d"), ("e", "ü")]), "a+b=c%26d&e=%C3%BC");
    }
}
