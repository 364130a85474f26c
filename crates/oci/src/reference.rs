//! Image references by Docker's grammar: `[registry/]repository[:tag][@digest]`.

use std::{fmt, str::FromStr};

use crate::digest::{Digest, DigestError};

/// The registry that a reference without one means.
pub const DOCKER_HUB: &str = "docker.io";

/// The longest repository name (registry included) that registries take.
const MAX_NAME: usize = 255;

/// A reference that cannot be read: what is wrong, and how it reads right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{input}' is no image reference: {problem}")]
pub struct ReferenceError {
    /// What was given.
    pub input: String,
    /// What is wrong with it.
    pub problem: ReferenceProblem,
}

/// What is wrong with a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceProblem {
    /// Nothing is there.
    #[error("it is empty; expected something like debian:12 or ghcr.io/owner/name:tag")]
    Empty,
    /// Blanks inside.
    #[error("it contains a blank")]
    Blank,
    /// A variable that was not expanded.
    #[error("it still contains '$': a variable in it was not expanded")]
    Variable,
    /// `https://` in front.
    #[error("leave out '{scheme}': a reference is no URL")]
    Scheme {
        /// The scheme as written.
        scheme: String,
    },
    /// Capitals in the repository.
    #[error("repository names are lower-case; write '{lower}'")]
    Uppercase {
        /// The name in lower case.
        lower: String,
    },
    /// The part before the first slash is no host.
    #[error("'{host}' is no registry host; expected host, host:port or [ipv6]:port")]
    Host {
        /// The part.
        host: String,
    },
    /// A path component breaks the grammar.
    #[error(
        "'{component}' is no name component; allowed are a-z, 0-9 and, between them, '.', '_', '__' and '-'"
    )]
    Component {
        /// The component.
        component: String,
    },
    /// The tag breaks the grammar.
    #[error(
        "'{tag}' is no tag; allowed are up to 128 of A-Z, a-z, 0-9, '_', '.' and '-', not starting with '.' or '-'"
    )]
    Tag {
        /// The tag.
        tag: String,
    },
    /// The digest breaks the grammar.
    #[error(transparent)]
    Digest(DigestError),
    /// A bare image id.
    #[error("a bare 64-digit id names no repository; write name@sha256:<id>")]
    BareId,
    /// Too long.
    #[error("the name has {len} characters; registries take {MAX_NAME}")]
    TooLong {
        /// Its length.
        len: usize,
    },
}

/// A reference with its defaults filled in: `debian` is `docker.io/library/debian`, without tag.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference.
    pub fn parse(input: &str) -> Result<Self, ReferenceError> {
        Self::read(input).map_err(|problem| ReferenceError { input: input.to_owned(), problem })
    }

    fn read(input: &str) -> Result<Self, ReferenceProblem> {
        if input.is_empty() {
            return Err(ReferenceProblem::Empty);
        }
        if !is_ordinary(input) {
            if input.contains(|c: char| c.is_whitespace()) {
                return Err(ReferenceProblem::Blank);
            }
            if let Some(at) = input.find("://") {
                return Err(ReferenceProblem::Scheme { scheme: input[..at + 3].to_owned() });
            }
            if input.contains('$') {
                return Err(ReferenceProblem::Variable);
            }
        }
        let (rest, digest) = match input.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(Digest::parse(digest).map_err(ReferenceProblem::Digest)?))
            }
            None => (input, None),
        };
        let (registry, path) = split_registry(rest)?;
        // After the registry is gone, a colon can only start the tag.
        let (path, tag) = match path.split_once(':') {
            Some((path, tag)) => (path, Some(check_tag(tag)?)),
            None => (path, None),
        };
        if is_bare_id(rest) {
            return Err(ReferenceProblem::BareId);
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ReferenceProblem::Uppercase { lower: path.to_ascii_lowercase() });
        }
        for component in path.split('/') {
            if !is_component(component) {
                return Err(ReferenceProblem::Component { component: component.to_owned() });
            }
        }
        let repository = if registry == DOCKER_HUB && !path.contains('/') {
            ["library/", path].concat()
        } else {
            path.to_owned()
        };
        let len = registry.len() + 1 + repository.len();
        if len > MAX_NAME {
            return Err(ReferenceProblem::TooLong { len });
        }
        Ok(Self { registry, repository, tag, digest })
    }

    /// The registry as people write it: `docker.io`, `ghcr.io`, `localhost:5000`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The host (and port) that serves the registry's API: Docker Hub's differs from its name.
    pub fn api_host(&self) -> &str {
        if self.registry == DOCKER_HUB { "registry-1.docker.io" } else { &self.registry }
    }

    /// The repository, with Docker Hub's `library/` filled in.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, if one is written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if one is written; it wins over the tag.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What to ask the registry for: the digest, the tag, or `latest`.
    pub fn target(&self) -> &str {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.as_str(),
            (None, Some(tag)) => tag,
            (None, None) => "latest",
        }
    }

    /// The name of a Docker official image (`debian` of `docker.io/library/debian`).
    pub fn official_name(&self) -> Option<&str> {
        if self.registry != DOCKER_HUB {
            return None;
        }
        self.repository.strip_prefix("library/").filter(|name| !name.contains('/'))
    }

    /// The same repository with this tag and no digest. The tag must be well-formed.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        let tag = check_tag(tag)
            .map_err(|problem| ReferenceError { input: format!("{self}:{tag}"), problem })?;
        Ok(Self { tag: Some(tag), digest: None, ..self.clone() })
    }

    /// The same repository (and tag) pinned to a digest.
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// The same without its digest.
    pub fn without_digest(&self) -> Self {
        Self { digest: None, ..self.clone() }
    }

    /// The repository alone.
    pub fn without_target(&self) -> Self {
        Self { tag: None, digest: None, ..self.clone() }
    }

    /// As Docker's users write it: without `docker.io/` and `library/`.
    pub fn familiar(&self) -> String {
        let name = match (self.registry.as_str(), self.official_name()) {
            (_, Some(name)) => name.to_owned(),
            (DOCKER_HUB, None) => self.repository.clone(),
            (registry, None) => format!("{registry}/{}", self.repository),
        };
        self.decorate(name)
    }

    fn decorate(&self, mut name: String) -> String {
        if let Some(tag) = &self.tag {
            name.push(':');
            name.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            name.push('@');
            name.push_str(digest.as_str());
        }
        name
    }
}

impl fmt::Display for Reference {
    /// The full form: `docker.io/library/debian:12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decorate(format!("{}/{}", self.registry, self.repository)))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(input: &str) -> Result<Self, ReferenceError> {
        Self::parse(input)
    }
}

/// Whether nothing in a reference needs a word of its own: no blank, no scheme, no variable.
fn is_ordinary(input: &str) -> bool {
    let mut before = 0;
    input.bytes().all(|b| {
        let doubled = b == b'/' && before == b'/';
        before = b;
        b.is_ascii_graphic() && b != b'$' && !doubled
    })
}

/// Splits off the registry as Docker does: the first component is a host when it has a dot, a
/// colon or a capital, or is `localhost`.
fn split_registry(text: &str) -> Result<(String, &str), ReferenceProblem> {
    let Some((first, rest)) = text.split_once('/') else {
        return Ok((DOCKER_HUB.to_owned(), text));
    };
    let is_host = first == "localhost"
        || first.contains(['.', ':', '['])
        || first.bytes().any(|b| b.is_ascii_uppercase());
    if !is_host {
        return Ok((DOCKER_HUB.to_owned(), text));
    }
    if !is_registry_host(first) {
        return Err(ReferenceProblem::Host { host: first.to_owned() });
    }
    let registry = match first {
        "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        other => other,
    };
    Ok((registry.to_owned(), rest))
}

fn is_registry_host(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, tail)) = rest.split_once(']') else { return false };
        if address.parse::<core::net::Ipv6Addr>().is_err() {
            return false;
        }
        match tail.strip_prefix(':') {
            Some(port) => (None, Some(port)),
            None if tail.is_empty() => (None, None),
            None => return false,
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(text), None),
        }
    };
    let host_ok = host.is_none_or(|host| {
        host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
    });
    host_ok && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|p| p > 0))
}

fn check_tag(tag: &str) -> Result<String, ReferenceProblem> {
    let ok = !tag.is_empty()
        && tag.len() <= 128
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if ok { Ok(tag.to_owned()) } else { Err(ReferenceProblem::Tag { tag: tag.to_owned() }) }
}

fn is_bare_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let bytes = text.as_bytes();
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut at = 0;
    loop {
        let start = at;
        while at < bytes.len() && alnum(bytes[at]) {
            at += 1;
        }
        if at == start {
            return false;
        }
        if at == bytes.len() {
            return true;
        }
        let from = at;
        while at < bytes.len() && !alnum(bytes[at]) {
            at += 1;
        }
        let separator = &bytes[from..at];
        let ok = matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|b| *b == b'-');
        if !ok {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn full(text: &str) -> String {
        Reference::parse(text).unwrap_or_else(|e| panic!("{e}")).to_string()
    }

    #[test]
    fn fills_in_what_docker_fills_in() {
        for (given, want) in [
            ("debian", "docker.io/library/debian"),
            ("debian:12", "docker.io/library/debian:12"),
            ("grafana/loki:3", "docker.io/grafana/loki:3"),
            ("docker.io/debian", "docker.io/library/debian"),
            ("index.docker.io/library/debian", "docker.io/library/debian"),
            ("ghcr.io/a/b/c:x", "ghcr.io/a/b/c:x"),
            ("localhost/x", "localhost/x"),
            ("localhost:5000/x", "localhost:5000/x"),
            ("127.0.0.1:5000/a/b:t", "127.0.0.1:5000/a/b:t"),
            ("[::1]:5000/a:t", "[::1]:5000/a:t"),
            ("Upper/x", "Upper/x"),
            ("g/a__b.c-d--e/f_g", "docker.io/g/a__b.c-d--e/f_g"),
            ("x:Tag_1.2-rc", "docker.io/library/x:Tag_1.2-rc"),
            // Without a slash, what looks like host:port is name:tag.
            ("localhost:5000", "docker.io/library/localhost:5000"),
        ] {
            assert_eq!(full(given), want, "{given}");
        }
        assert_eq!(full(&format!("debian:12@{D}")), format!("docker.io/library/debian:12@{D}"));
    }

    #[test]
    fn knows_its_parts() {
        let r = Reference::parse(&format!("debian:12@{D}")).unwrap();
        assert_eq!((r.registry(), r.api_host()), ("docker.io", "registry-1.docker.io"));
        assert_eq!((r.repository(), r.tag(), r.target()), ("library/debian", Some("12"), D));
        assert_eq!(r.official_name(), Some("debian"));
        assert_eq!(r.familiar(), format!("debian:12@{D}"));
        assert_eq!(r.with_tag("13").unwrap().familiar(), "debian:13");
        assert_eq!(Reference::parse("a/b").unwrap().official_name(), None);
        assert_eq!(Reference::parse("library/debian").unwrap().official_name(), Some("debian"));
        assert_eq!(Reference::parse("ghcr.io/library/debian").unwrap().official_name(), None);
        assert_eq!(Reference::parse("debian").unwrap().target(), "latest");
    }

    #[test]
    fn says_what_is_wrong() {
        for (given, want) in [
            ("", "it is empty"),
            ("a b", "contains a blank"),
            ("https://ghcr.io/a/b", "leave out 'https://'"),
            ("Debian", "write 'debian'"),
            ("ghcr.io/Owner/x", "write 'owner/x'"),
            ("debian:${V}", "was not expanded"),
            ("debian:", "'' is no tag"),
            ("debian:.x", "'.x' is no tag"),
            ("a//b", "'' is no name component"),
            ("-a", "'-a' is no name component"),
            ("a___b", "'a___b' is no name component"),
            ("a._b", "no name component"),
            ("debian@sha256:abc", "this one has 3"),
            ("host:port/x", "'host:port' is no registry host"),
            ("ho..st/x", "'ho..st' is no registry host"),
            ("[::1/x", "is no registry host"),
            ("a:b:c", "'b:c' is no tag"),
        ] {
            let e = Reference::parse(given).unwrap_err().to_string();
            assert!(e.contains(want), "{given}: {e}");
        }
        let long = format!("debian:{}", "x".repeat(129));
        assert!(Reference::parse(&long).unwrap_err().to_string().contains("is no tag"));
        let long = "a".repeat(300);
        assert!(Reference::parse(&long).unwrap_err().to_string().contains("registries take 255"));
        let id = "a".repeat(64);
        assert!(Reference::parse(&id).unwrap_err().to_string().contains("bare 64-digit id"));
    }
}
