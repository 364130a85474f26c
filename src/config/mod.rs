//! `mlint.toml`: where it is found, what it says, and what holds without it.

mod parse;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use mlint_lint::{CheckOptions, Level};
use mlint_model::{BuildContext, ContextSource};
use mlint_oci::Platform;

use crate::{
    args::{FailOn, Global},
    commands::{Failure, build::BuildDefaults},
    report::text::snippet,
};

pub use parse::parse;

/// The file's name.
pub const FILE_NAME: &str = "mlint.toml";

/// No sensible `mlint.toml` is longer; what is may be no text at all.
const MAX_BYTES: u64 = 1 << 20;

/// What `mlint.toml` says. Empty where it is silent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The file it was read from.
    pub path: Option<PathBuf>,
    /// The platforms to check and to build for.
    pub platforms: Vec<Platform>,
    /// The image's names, for `build`.
    pub tags: Vec<String>,
    /// The stage that becomes the image.
    pub target: Option<String>,
    /// Build arguments, by name.
    pub build_args: Vec<(String, String)>,
    /// The build context's directory.
    pub context: Option<PathBuf>,
    /// What names stand for in FROM, COPY and mounts.
    pub build_contexts: Vec<BuildContext>,
    /// The platform that the build runs on.
    pub build_platform: Option<Platform>,
    /// The size that the builder's cache is kept within.
    pub cache_max: Option<u64>,
    /// Rules that are off or have another severity.
    pub levels: BTreeMap<String, Level>,
    /// The severity from which on findings make the exit status 1.
    pub fail_on: Option<FailOn>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is there, or was named, and can't be read.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no text, or too long to be a configuration.
    #[error("can't use {}: {reason}", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: &'static str,
    },
    /// The file says what it can't say.
    #[error("{0}")]
    Invalid(Box<Invalid>),
}

/// A mistake in `mlint.toml`, at its place.
#[derive(Debug)]
pub struct Invalid {
    /// The file's name as shown.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The place.
    pub span: mlint_syntax::Span,
    /// What is wrong: a sentence without a final stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&snippet::plain(
            &self.name,
            &self.text,
            self.span,
            &self.message,
            self.help.as_deref(),
        ))
    }
}

impl Config {
    /// The platforms to check and to build for: the configured ones, else linux/amd64 and
    /// linux/arm64.
    pub fn platforms_or_default(&self) -> Vec<Platform> {
        match &self.platforms[..] {
            [] => CheckOptions::default().platforms,
            some => some.to_vec(),
        }
    }

    /// How to check by this configuration.
    pub fn check_options(&self) -> CheckOptions {
        let defaults = CheckOptions::default();
        CheckOptions {
            platforms: self.platforms_or_default(),
            build_platform: self
                .build_platform
                .clone()
                .unwrap_or_else(|| defaults.build_platform.clone()),
            build_args: self.build_args.clone(),
            target: self.target.clone(),
            contexts: self.build_contexts.clone(),
            levels: self.levels.clone(),
            ..defaults
        }
    }

    /// Reads one file.
    ///
    /// # Errors
    /// When it can't be read or says what it can't say.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Read { path: path.to_owned(), source };
        let no_text = |reason| ConfigError::NoText { path: path.to_owned(), reason };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_BYTES + 1), &mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(no_text("it is longer than 1 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| no_text("it is not valid UTF-8"))?;
        let config = parse(&path.display().to_string(), &text)
            .map_err(|invalid| ConfigError::Invalid(Box::new(invalid)))?;
        Ok(config.beside(path))
    }

    /// The configuration as a file at `path`: directories in it are relative to its own.
    fn beside(mut self, path: &Path) -> Self {
        let dir = path.parent().unwrap_or(Path::new(""));
        self.context = self.context.map(|context| dir.join(context));
        for context in &mut self.build_contexts {
            if let ContextSource::Directory(named) = &mut context.source {
                *named = dir.join(&*named).display().to_string();
            }
        }
        Self { path: Some(path.to_owned()), ..self }
    }

    /// The nearest `mlint.toml` in `dir` or above.
    pub fn find(dir: &Path) -> Option<PathBuf> {
        let absolute = std::path::absolute(dir).ok()?;
        let found = absolute.ancestors().map(|d| d.join(FILE_NAME)).find(|p| p.is_file())?;
        // Said as short as it can be: `mlint.toml`, not `/home/…/mlint.toml`.
        let here = std::env::current_dir().ok();
        let short = here.and_then(|here| found.strip_prefix(here).ok().map(Path::to_owned));
        Some(short.unwrap_or(found))
    }
}

/// What the configuration says where the arguments of `build` are silent. The nearest `mlint.toml`
/// counts from the build context, or, if there is none, from the current directory.
///
/// # Errors
/// When the configuration can't be used.
pub fn build_defaults(context: &Path, global: &Global) -> Result<BuildDefaults, Failure> {
    let mut configs = Configs::new(global.config_choice());
    let mut config = configs.for_dir(context)?;
    if config.path.is_none() {
        config = configs.for_dir(Path::new("."))?;
    }
    Ok(BuildDefaults {
        platforms: config.platforms.iter().map(ToString::to_string).collect(),
        tags: config.tags,
        target: config.target,
        build_args: config.build_args,
        build_contexts: config.build_contexts,
        levels: config.levels,
        cache_max: config.cache_max,
    })
}

/// Which configuration holds, by the command's arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The nearest above each file.
    Nearest,
    /// This one for all.
    This(PathBuf),
    /// None.
    None,
}

/// Finds configurations, each read once.
#[derive(Debug)]
pub struct Configs {
    choice: Choice,
    by_path: BTreeMap<PathBuf, Config>,
    by_dir: BTreeMap<PathBuf, Option<PathBuf>>,
}

impl Configs {
    /// Nothing read yet.
    pub fn new(choice: Choice) -> Self {
        Self { choice, by_path: BTreeMap::new(), by_dir: BTreeMap::new() }
    }

    /// The configuration for files in `dir`.
    ///
    /// # Errors
    /// When there is one that can't be used.
    pub fn for_dir(&mut self, dir: &Path) -> Result<Config, ConfigError> {
        let path = match &self.choice {
            Choice::None => None,
            Choice::This(path) => Some(path.clone()),
            Choice::Nearest => {
                let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
                self.by_dir.entry(dir.to_owned()).or_insert_with(|| Config::find(dir)).clone()
            }
        };
        let Some(path) = path else { return Ok(Config::default()) };
        if let Some(config) = self.by_path.get(&path) {
            return Ok(config.clone());
        }
        let config = Config::load(&path)?;
        self.by_path.insert(path, config.clone());
        Ok(config)
    }
}
