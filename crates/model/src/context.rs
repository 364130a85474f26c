//! What is known about the build context, and the contexts that `--build-context` gives names to.
//! The model lists what it would like to know; whoever may read files answers; the model evaluates
//! again with the answers.

use std::{collections::BTreeMap, fmt, sync::Arc};

use mlint_oci::{Platform, Reference};

use crate::{facts::Fact, files::absolute, machine::Linkage};

/// A path in the build context, or in a directory that `--build-context` names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextPath {
    /// The named context; `None` for the build context itself.
    pub context: Option<Arc<str>>,
    /// The path from the context's root: clean, with a leading slash, `/` for all of it.
    pub path: String,
}

impl ContextPath {
    /// A path in the build context.
    pub fn main(path: &str) -> Self {
        Self { context: None, path: absolute("/", path) }
    }

    /// What lies at `rest` below this path.
    #[must_use]
    pub fn below(&self, rest: &str) -> Self {
        let path = if rest.is_empty() { self.path.clone() } else { absolute(&self.path, rest) };
        Self { context: self.context.clone(), path }
    }
}

impl fmt::Display for ContextPath {
    /// `scripts/build.sh`, or `tools:scripts/build.sh` in a named context.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(context) = &self.context {
            write!(f, "{context}:")?;
        }
        match self.path.trim_start_matches('/') {
            "" => f.write_str("."),
            path => f.write_str(path),
        }
    }
}

/// What lies at a path of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextEntry {
    /// Nothing, or what `.dockerignore` keeps out.
    Missing,
    /// A directory.
    Folder,
    /// A regular file.
    File(ContextFile),
}

/// A file of the context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextFile {
    /// What is in it, if it is UTF-8 text and no longer than [`MAX_TEXT`].
    pub text: Option<Arc<str>>,
    /// The machine of a program or library, by its ELF header.
    pub machine: Option<Platform>,
    /// How such a file is linked.
    pub linkage: Linkage,
}

/// Longer texts are not handed over: 256 KiB.
pub const MAX_TEXT: u64 = 256 * 1024;

/// How many paths one evaluation asks about at the most.
pub(crate) const MAX_ASKED: usize = 512;

/// All answers about one file's contexts; immutable once built, and cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ContextFacts {
    entries: Arc<BTreeMap<ContextPath, Fact<ContextEntry>>>,
}

impl ContextFacts {
    /// Facts from answers.
    pub fn new(answers: impl IntoIterator<Item = (ContextPath, Fact<ContextEntry>)>) -> Self {
        Self { entries: Arc::new(answers.into_iter().collect()) }
    }

    /// These facts and more.
    #[must_use]
    pub fn with(
        &self,
        answers: impl IntoIterator<Item = (ContextPath, Fact<ContextEntry>)>,
    ) -> Self {
        let mut entries = (*self.entries).clone();
        entries.extend(answers);
        Self { entries: Arc::new(entries) }
    }

    /// What is known about a path.
    pub fn entry(&self, path: &ContextPath) -> Fact<&ContextEntry> {
        match self.entries.get(path) {
            Some(Fact::Known(entry)) => Fact::Known(entry),
            Some(Fact::Unavailable(why)) => Fact::Unavailable(why.clone()),
            Some(Fact::NotAsked) | None => Fact::NotAsked,
        }
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// `--build-context NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildContext {
    /// The name as BuildKit keeps it: familiar, without `:latest` (`alpine` for
    /// `docker.io/library/alpine:latest`).
    pub name: String,
    /// Only for stages and images of this platform; from `NAME::PLATFORM`.
    pub platform: Option<Platform>,
    /// What the name stands for.
    pub source: ContextSource,
}

/// What a named context is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextSource {
    /// `docker-image://REF`: an image.
    Image(String),
    /// `oci-layout://PATH[:TAG|@DIGEST]`: an image whose name tells nothing.
    Layout(String),
    /// `https://…`, `git@…`: files from elsewhere.
    Remote(String),
    /// `target:NAME`: the image that another target of a bake file makes.
    Target(String),
    /// A directory.
    Directory(String),
}

/// Why `NAME=VALUE` names no context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildContextError {
    /// There is no `=`, or nothing on one of its sides.
    #[error("expected NAME=VALUE, as in base=docker-image://debian:12 or src=../src")]
    Shape,
    /// The name is no image name, and so BuildKit never looks for it.
    #[error("'{name}' can't be a context's name: {reason}")]
    Name {
        /// As given.
        name: String,
        /// Why.
        reason: String,
    },
}

impl BuildContext {
    /// Reads `NAME=VALUE`.
    ///
    /// # Errors
    /// When BuildKit would refuse it, too.
    pub fn parse(text: &str) -> Result<Self, BuildContextError> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Self::new(name, value),
            _ => Err(BuildContextError::Shape),
        }
    }

    /// A context by its name (`NAME` or `NAME::PLATFORM`) and its value.
    ///
    /// # Errors
    /// When the name can't be one.
    pub fn new(name: &str, value: &str) -> Result<Self, BuildContextError> {
        let wrong = |reason: String| BuildContextError::Name { name: name.to_owned(), reason };
        let (plain, platform) = match name.split_once("::") {
            Some((plain, platform)) => {
                let platform = platform.parse::<Platform>().map_err(|e| wrong(e.to_string()))?;
                (plain, Some(platform))
            }
            None => (name, None),
        };
        let name = context_name(plain).map_err(wrong)?;
        Ok(Self { name, platform, source: ContextSource::of(value) })
    }
}

impl ContextSource {
    /// Which kind of value it is, by its scheme, as buildx tells them apart.
    pub fn of(value: &str) -> Self {
        let remote = ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
        if let Some(image) = value.strip_prefix("docker-image://") {
            Self::Image(image.to_owned())
        } else if let Some(layout) = value.strip_prefix("oci-layout://") {
            Self::Layout(layout.to_owned())
        } else if let Some(target) = value.strip_prefix("target:") {
            Self::Target(target.to_owned())
        } else if remote.iter().any(|prefix| value.starts_with(prefix)) {
            Self::Remote(value.to_owned())
        } else {
            Self::Directory(value.to_owned())
        }
    }
}

/// A name as BuildKit looks contexts up by it.
pub(crate) fn context_name(name: &str) -> Result<String, String> {
    let reference = Reference::parse(name).map_err(|e| e.to_string())?;
    let familiar = reference.familiar();
    Ok(familiar.strip_suffix(":latest").unwrap_or(&familiar).to_owned())
}

/// The context that stands for a stage's or an image's name on a platform. One that is given for
/// this very platform wins; `scratch` and `context` are never replaced.
pub(crate) fn find<'c>(
    contexts: &'c [BuildContext],
    name: &str,
    platform: Option<&Platform>,
) -> Option<&'c BuildContext> {
    if contexts.is_empty()
        || name.eq_ignore_ascii_case("scratch")
        || name.eq_ignore_ascii_case("context")
    {
        return None;
    }
    let name = context_name(name).ok()?;
    let named = || contexts.iter().rev().filter(|c| c.name == name);
    named()
        .find(|c| c.platform.is_some() && c.platform.as_ref() == platform)
        .or_else(|| named().find(|c| c.platform.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_familiar_and_without_latest() {
        for (given, want) in [
            ("base", "base"),
            ("alpine:latest", "alpine"),
            ("docker.io/library/alpine", "alpine"),
            ("alpine:3.20", "alpine:3.20"),
            ("ghcr.io/a/b:latest", "ghcr.io/a/b"),
        ] {
            assert_eq!(BuildContext::new(given, "x").unwrap().name, want, "{given}");
        }
        for bad in ["=x", "a=", "a", "Base=x", "a b=x", "base::bogus=x"] {
            assert!(BuildContext::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_told_apart_by_their_scheme() {
        let of = |value: &str| format!("{:?}", BuildContext::new("n", value).unwrap().source);
        assert_eq!(of("docker-image://debian:12"), "Image(\"debian:12\")");
        assert_eq!(of("oci-layout://out:1"), "Layout(\"out:1\")");
        assert_eq!(of("target:base"), "Target(\"base\")");
        assert_eq!(of("https://h/r.git#main"), "Remote(\"https://h/r.git#main\")");
        assert_eq!(of("git@h:r.git"), "Remote(\"git@h:r.git\")");
        assert_eq!(of("../src"), "Directory(\"../src\")");
    }

    #[test]
    fn the_platforms_own_context_wins() {
        let contexts = [
            BuildContext::new("base", "a").unwrap(),
            BuildContext::new("base::linux/arm64/v8", "b").unwrap(),
        ];
        let found = |name: &str, platform: &str| {
            let platform: Platform = platform.parse().unwrap();
            find(&contexts, name, Some(&platform)).map(|c| format!("{:?}", c.source))
        };
        assert_eq!(found("base", "linux/arm64").as_deref(), Some("Directory(\"b\")"));
        assert_eq!(found("base:latest", "linux/amd64").as_deref(), Some("Directory(\"a\")"));
        assert_eq!(found("base:1", "linux/amd64"), None);
        assert_eq!(found("scratch", "linux/amd64"), None);
    }

    #[test]
    fn paths_read_as_one_writes_them() {
        let path = ContextPath::main("./bin/../scripts");
        assert_eq!(path.below("build.sh").to_string(), "scripts/build.sh");
        assert_eq!(ContextPath::main(".").to_string(), ".");
        let named = ContextPath { context: Some("tools".into()), path: "/x".to_owned() };
        assert_eq!(named.to_string(), "tools:x");
    }
}
