//! Who we are to a registry: given credentials, Docker's config, Podman's, and credential helpers.
//!
//! Read here and not through a crate, because the message must say which file or helper failed, a
//! hanging helper must not hang mlint, and Podman's files name repositories, too.

use std::{
    collections::BTreeMap,
    env, fmt, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use mlint_oci::reference::DOCKER_HUB;
use serde::Deserialize;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// How long a credential helper may think; some ask the user.
const HELPER_TIMEOUT: Duration = Duration::from_secs(60);

/// What Docker Hub is called in Docker's config and to helpers.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Proof of who we are.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// User and password (or access token).
    Password {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// A refresh token from a browser login; traded for access tokens.
    IdentityToken(String),
    /// A bearer token to be used as it is.
    RegistryToken(String),
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password(…)",
            Self::IdentityToken(_) => "IdentityToken(…)",
            Self::RegistryToken(_) => "RegistryToken(…)",
        })
    }
}

/// A credential, and where it came from (for messages).
#[derive(Clone, Debug)]
pub struct Found {
    /// The credential.
    pub credential: Credential,
    /// `/home/me/.docker/config.json`, `docker-credential-pass`, `the command line`.
    pub origin: String,
}

/// Why credentials could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A config file can't be read.
    #[error("can't read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A config file is no JSON of the right shape.
    #[error("{} is no valid registry config: {problem}; log in again or mend the file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong (never the content).
        problem: String,
    },
    /// A helper that a config names can't be started.
    #[error(
        "can't run {helper}, which {} names: {source}; install it or remove it from there", path.display()
    )]
    HelperMissing {
        /// The program.
        helper: String,
        /// The file that names it.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A helper failed.
    #[error("{helper} could not give the credentials of {server}: {problem}")]
    HelperFailed {
        /// The program.
        helper: String,
        /// The registry.
        server: String,
        /// Its words.
        problem: String,
    },
}

/// Where credentials are looked for, in this order: given ones, then the files.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    given: BTreeMap<String, Credential>,
    files: Vec<PathBuf>,
}

impl Credentials {
    /// None at all.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// Docker's config (`DOCKER_CONFIG`, else `~/.docker`), then Podman's (`REGISTRY_AUTH_FILE`,
    /// `XDG_RUNTIME_DIR`, `XDG_CONFIG_HOME`, else `~/.config`).
    pub fn from_environment() -> Self {
        let dir = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let home = dir("HOME");
        let under_home = |path: &str| home.as_ref().map(|h| h.join(path));
        let docker = dir("DOCKER_CONFIG").or_else(|| under_home(".docker"));
        let config = dir("XDG_CONFIG_HOME").or_else(|| under_home(".config"));
        let files = [
            docker.map(|d| d.join("config.json")),
            dir("REGISTRY_AUTH_FILE"),
            dir("XDG_RUNTIME_DIR").map(|d| d.join("containers/auth.json")),
            config.map(|d| d.join("containers/auth.json")),
        ];
        Self { given: BTreeMap::new(), files: files.into_iter().flatten().collect() }
    }

    /// Adds a config file to look in, after those already there.
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Adds a credential for a registry; it wins over all files.
    pub fn with(mut self, registry: &str, credential: Credential) -> Self {
        self.given.insert(normal_key(registry), credential);
        self
    }

    /// The credential for a repository, if there is one.
    pub async fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Found>, CredentialError> {
        let registry = normal_key(registry);
        if let Some(credential) = self.given.get(&registry) {
            let origin = "the command line".to_owned();
            return Ok(Some(Found { credential: credential.clone(), origin }));
        }
        for path in &self.files {
            let Some(config) = Config::read(path)? else { continue };
            if let Some(found) = config.find(path, &registry, repository).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// `https://index.docker.io/v1/` → `docker.io`, `https://ghcr.io/` → `ghcr.io`.
fn normal_key(key: &str) -> String {
    let key = key.trim();
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    match key.split_once('/') {
        None if is_hub(key) => DOCKER_HUB.to_owned(),
        Some((host, rest)) if is_hub(host) => format!("{DOCKER_HUB}/{rest}"),
        _ => key.to_owned(),
    }
}

fn is_hub(host: &str) -> bool {
    matches!(host, "docker.io" | "index.docker.io" | "registry-1.docker.io" | "registry.docker.io")
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Config {
    fn read(path: &Path) -> Result<Option<Self>, CredentialError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(source) => {
                return Err(CredentialError::Unreadable { path: path.to_owned(), source });
            }
        };
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        // The JSON reader's own words may quote a secret; place and kind do not.
        let problem = |e: serde_json::Error| CredentialError::Malformed {
            path: path.to_owned(),
            problem: format!(
                "{:?} error at line {}, column {}",
                e.classify(),
                e.line(),
                e.column()
            ),
        };
        serde_json::from_slice(&text).map(Some).map_err(problem)
    }

    async fn find(
        &self,
        path: &Path,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Found>, CredentialError> {
        let helper = self.cred_helpers.iter().find(|(key, _)| normal_key(key) == registry);
        if let Some((key, helper)) = helper {
            let server = if registry == DOCKER_HUB { HUB_KEY } else { key };
            return ask_helper(helper, server, path).await;
        }
        if let Some(found) = self.stored(path, registry, repository)? {
            return Ok(Some(found));
        }
        match &self.creds_store {
            Some(helper) if !helper.is_empty() => {
                let server = if registry == DOCKER_HUB { HUB_KEY } else { registry };
                ask_helper(helper, server, path).await
            }
            _ => Ok(None),
        }
    }

    /// The entry with the longest matching key: Podman allows `registry/owner/name`.
    fn stored(
        &self,
        path: &Path,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Found>, CredentialError> {
        let full = format!("{registry}/{repository}");
        let covers = |key: &str| {
            key == full || full.strip_prefix(key).is_some_and(|rest| rest.starts_with('/'))
        };
        let mut matching: Vec<(String, &Entry)> = self
            .auths
            .iter()
            .map(|(key, entry)| (normal_key(key), entry))
            .filter(|(key, _)| covers(key))
            .collect();
        matching.sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
        for (key, entry) in matching {
            let malformed = |problem: &str| CredentialError::Malformed {
                path: path.to_owned(),
                problem: format!("the entry of {key} {problem}"),
            };
            if let Some(credential) = entry.credential().map_err(malformed)? {
                return Ok(Some(Found { credential, origin: path.display().to_string() }));
            }
        }
        Ok(None)
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, &'static str> {
        let filled = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
        if let Some(token) = filled(&self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(token)));
        }
        if let Some(token) = filled(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(token)));
        }
        if let Some(auth) = filled(&self.auth) {
            let decoded = STANDARD_NO_PAD
                .decode(auth.trim().trim_end_matches('='))
                .map_err(|_| "is not valid base64")?;
            let text = String::from_utf8(decoded).map_err(|_| "is not UTF-8 inside")?;
            let (user, password) = text.split_once(':').ok_or("has no ':' inside")?;
            // Old Dockers padded the password with zero bytes.
            let password = password.trim_end_matches('\0');
            return Ok(Some(Credential::Password {
                user: user.to_owned(),
                password: password.to_owned(),
            }));
        }
        match (filled(&self.username), filled(&self.password)) {
            (Some(user), Some(password)) => Ok(Some(Credential::Password { user, password })),
            _ => Ok(None),
        }
    }
}

/// Runs `docker-credential-<name> get`.
async fn ask_helper(
    name: &str,
    server: &str,
    path: &Path,
) -> Result<Option<Found>, CredentialError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let helper = format!("docker-credential-{name}");
    let failed = |problem: String| CredentialError::HelperFailed {
        helper: helper.clone(),
        server: server.to_owned(),
        problem,
    };
    if name.contains('/') {
        return Err(failed("its name has a slash".to_owned()));
    }
    let run = async {
        let mut child = Command::new(&helper)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper that does not read is found out by what it answers.
            let _ = stdin.write_all(server.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = tokio::time::timeout(HELPER_TIMEOUT, run)
        .await
        .map_err(|_| failed(format!("no answer within {} s", HELPER_TIMEOUT.as_secs())))?
        .map_err(|source| CredentialError::HelperMissing {
            helper: helper.clone(),
            path: path.to_owned(),
            source,
        })?;
    if !output.status.success() {
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (out, err) = (said(&output.stdout), said(&output.stderr));
        // The protocol's way to say that there are none, and the words of some helpers.
        if out.contains("credentials not found") || err.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed(if err.is_empty() { out } else { err }));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("its answer is not the JSON of the protocol".to_owned()))?;
    let credential = if answer.username == "<token>" {
        Credential::IdentityToken(answer.secret)
    } else {
        Credential::Password { user: answer.username, password: answer.secret }
    };
    Ok(Some(Found { credential, origin: helper }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, registry: &str, repository: &str) -> Result<Option<Credential>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime
            .block_on(Credentials::anonymous().with_file(&path).find(registry, repository))
            .map(|found| found.map(|f| f.credential))
            .map_err(|e| e.to_string())
    }

    fn password(user: &str, password: &str) -> Result<Option<Credential>, String> {
        Ok(Some(Credential::Password { user: user.to_owned(), password: password.to_owned() }))
    }

    #[test]
    fn reads_docker_and_podman_files() {
        // "me:se:cret"
        let docker = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6c2U6Y3JldA=="},
            "ghcr.io":{"identitytoken":"idt"},"https://x.io/v2/":{"username":"u","password":"p"}}}"#;
        assert_eq!(find(docker, "docker.io", "library/debian"), password("me", "se:cret"));
        assert_eq!(
            find(docker, "ghcr.io", "a/b"),
            Ok(Some(Credential::IdentityToken("idt".to_owned())))
        );
        assert_eq!(find(docker, "x.io", "a"), password("u", "p"));
        assert_eq!(find(docker, "other.io", "a"), Ok(None));
        let podman = r#"{"auths":{"q.io":{"username":"all","password":"1"},
            "q.io/me":{"username":"mine","password":"2"}}}"#;
        assert_eq!(find(podman, "q.io", "me/x"), password("mine", "2"));
        assert_eq!(find(podman, "q.io", "mean/x"), password("all", "1"));
        assert_eq!(find("", "q.io", "x"), Ok(None));
        assert_eq!(find("{}", "q.io", "x"), Ok(None));
    }

    #[test]
    fn broken_files_are_named_but_not_quoted() {
        let error = find(r#"{"auths":{"x.io":{"auth":"secret!"}}}"#, "x.io", "a").unwrap_err();
        assert!(error.contains("config.json") && error.contains("x.io"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        let error = find(r#"{"auths":"hunter2"}"#, "x.io", "a").unwrap_err();
        assert!(error.contains("line 1") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn missing_helpers_are_named() {
        let error = find(r#"{"credsStore":"mlint-no-such-helper"}"#, "x.io", "a").unwrap_err();
        assert!(error.contains("docker-credential-mlint-no-such-helper"), "{error}");
        let error = find(r#"{"credHelpers":{"x.io":"../evil"}}"#, "x.io", "a").unwrap_err();
        assert!(error.contains("slash"), "{error}");
    }

    #[test]
    fn given_credentials_win_and_stay_out_of_debug_output() {
        let credential =
            Credential::Password { user: "u".to_owned(), password: "hunter2".to_owned() };
        assert!(!format!("{credential:?}").contains("hunter2"));
        let credentials =
            Credentials::anonymous().with("https://index.docker.io/v1/", credential.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(credentials.find("docker.io", "x")).unwrap().unwrap();
        assert_eq!((found.credential, found.origin.as_str()), (credential, "the command line"));
    }
}
