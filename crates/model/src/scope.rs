//! ARG and ENV scopes, by BuildKit's rules.
//!
//! One machine serves the linter, which knows some values, and the builder, which knows all:
//! [`GlobalScope`] holds what reaches `FROM` lines (automatic arguments, `ARG`s before the first
//! `FROM`, build arguments), [`StageScope`] what an instruction of a stage sees. Both expand words
//! to [`Value`]s; made from known values they give known values.
//!
//! The rules, as BuildKit runs and not as its manual says:
//! - a stage starts with its base's environment (for a stage base: with its ARGs, too), nothing else;
//! - ARG and ENV write into one environment: whichever comes last counts, in expansions and in RUN;
//!   only ENV goes to the image's configuration;
//! - `ARG X` without default takes the build argument, else the global value (automatic ones
//!   included), else nothing happens; `ARG X=d` takes the build argument, else `d`, so that a
//!   default on TARGETARCH hides the automatic value;
//! - all pairs of one ENV are expanded before any of them is set; the pairs of one ARG one by one;
//! - what starts from a stage has the ENVs of that stage applied once more, over its ARGs.
//!
//! What is evaluated is the build with the build arguments that are given. So an ARG without default
//! that nobody gives is not set: nothing in a word, absent from RUN's environment, and BuildKit
//! stops where it needs it. (Taking it for any text would make both ways of `[ -n "$GPU" ]` possible
//! and still leave `${GPU:-cpu}` to guess.) What comes after such a stop is told for those who give
//! it: see [`GlobalScope::expand_given`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mlint_oci::Platform;
use mlint_syntax::{
    KeyValue, Span, Word,
    word::{WordSpan, expand_words, parse_word},
};

use crate::{
    evaluation::GlobalArg,
    expand::{Binding, Expansion, expand_word},
    stage::{Failure, UnsetUse},
    value::{HopKind, Origin, PlatformPart, Value},
};

mod base;
mod ordered;

pub use base::BaseEnv;
use ordered::Ordered;

/// PATH where the base image sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Build arguments that every RUN sees without an `ARG`, and that no history or cache key shows.
pub const PROXY_ARGS: [&str; 10] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "FTP_PROXY",
    "ftp_proxy",
    "NO_PROXY",
    "no_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// The automatic arguments about the platform that builds.
const BUILD_ARGS: [&str; 5] =
    ["BUILDPLATFORM", "BUILDOS", "BUILDOSVERSION", "BUILDARCH", "BUILDVARIANT"];

/// The automatic arguments about the platform that the image is for.
const TARGET_ARGS: [&str; 5] =
    ["TARGETPLATFORM", "TARGETOS", "TARGETOSVERSION", "TARGETARCH", "TARGETVARIANT"];

/// The automatic argument of this name.
pub fn automatic_arg(name: &str) -> Option<Origin> {
    if name == "TARGETSTAGE" {
        return Some(Origin::TargetStage);
    }
    let part = |rest: &str| {
        Some(match rest {
            "PLATFORM" => PlatformPart::Platform,
            "OS" => PlatformPart::Os,
            "OSVERSION" => PlatformPart::OsVersion,
            "ARCH" => PlatformPart::Arch,
            "VARIANT" => PlatformPart::Variant,
            _ => return None,
        })
    };
    match (name.strip_prefix("TARGET"), name.strip_prefix("BUILD")) {
        (Some(rest), _) => part(rest).map(Origin::Target),
        (_, Some(rest)) => part(rest).map(Origin::Build),
        _ => None,
    }
}

/// Variables in the order in which they were last set.
#[derive(Clone, Debug, Default)]
struct Environment {
    variables: Arc<BTreeMap<Arc<str>, (u32, Value)>>,
    clock: u32,
    /// Those that are what they are because nobody gives a build argument.
    lacking: Arc<BTreeSet<String>>,
}

impl Environment {
    fn set(&mut self, name: &str, value: Value) {
        self.clock += 1;
        let entry = (self.clock, value);
        let variables = Arc::make_mut(&mut self.variables);
        match variables.get_mut(name) {
            Some(old) => *old = entry,
            None => {
                variables.insert(name.into(), entry);
            }
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.variables.get(name).map(|(_, value)| value)
    }

    /// Whether a variable is what it is because of `lacks`.
    fn mark(&mut self, name: &str, lacks: bool) {
        if lacks {
            Arc::make_mut(&mut self.lacking).insert(name.to_owned());
        } else if self.lacking.contains(name) {
            Arc::make_mut(&mut self.lacking).remove(name);
        }
    }

    /// Whether a word became what it is because nobody gives a build argument.
    fn lacks(&self, word: &Word, expansion: &Expansion, escape: char) -> bool {
        expansion.lacks_argument
            || !self.lacking.is_empty()
                && parse_word(&word.raw, escape)
                    .variables()
                    .iter()
                    .any(|v| v.op.is_none() && self.lacking.contains(&v.name))
    }
}

/// What an ARG or ENV instruction meets.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Variables that it uses and nothing sets.
    pub unset: Vec<UnsetUse>,
    /// Why BuildKit stops here.
    pub failure: Option<Failure>,
    /// The variables it set: name, value, place of the pair.
    pub set: Vec<(String, Value, Span)>,
}

impl Outcome {
    /// `Err` if BuildKit stops here.
    ///
    /// # Errors
    /// The failure.
    pub fn into_result(self) -> Result<Vec<(String, Value, Span)>, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.set),
        }
    }

    fn take(&mut self, expansion: Expansion) -> Value {
        self.unset.extend(expansion.unset);
        if self.failure.is_none() {
            self.failure = expansion.failure;
        }
        expansion.value
    }
}

/// What `FROM` lines see.
#[derive(Clone, Debug)]
pub struct GlobalScope {
    env: Environment,
    build_args: Arc<BTreeMap<String, String>>,
    declared: Vec<GlobalArg>,
    escape: char,
    /// Arguments without a value are told from what nobody declares.
    open: bool,
}

impl GlobalScope {
    /// The scope before the first instruction. `target_stage` is the name given with `--target`,
    /// else the last stage's name (in lower case), if it has one.
    pub fn new(
        target: &Platform,
        build: &Platform,
        build_args: impl IntoIterator<Item = (String, String)>,
        target_stage: Option<&str>,
        escape: char,
    ) -> Self {
        let build_args: BTreeMap<String, String> = build_args.into_iter().collect();
        let mut env = Environment::default();
        let mut set = |name: &str, text: &str| {
            let origin = automatic_arg(name).unwrap_or(Origin::Literal);
            let value = match build_args.get(name) {
                Some(given) => Value::known(given.as_str(), Origin::BuildArg, Span::default()),
                None => Value::known(text, origin, Span::default()),
            };
            env.set(name, value);
        };
        for (names, platform) in [(BUILD_ARGS, build), (TARGET_ARGS, target)] {
            let [whole, os, os_version, arch, variant] = names;
            set(whole, &platform.to_string());
            set(os, platform.os());
            set(os_version, "");
            set(arch, platform.arch());
            set(variant, platform.variant().unwrap_or_default());
        }
        set("TARGETSTAGE", target_stage.filter(|s| !s.is_empty()).unwrap_or("default"));
        Self { env, build_args: Arc::new(build_args), declared: Vec::new(), escape, open: false }
    }

    /// The scope for one who tells what is unset by mistake: what an ARG without default lets in is
    /// then [`Binding::Declared`].
    #[must_use]
    pub fn with_open_args(self) -> Self {
        Self { open: true, ..self }
    }

    /// An `ARG` before the first `FROM`.
    pub fn arg(&mut self, pairs: &[KeyValue]) -> Outcome {
        let mut outcome = Outcome::default();
        for pair in pairs {
            let name = pair.key.as_str();
            let value = if let Some(given) = self.build_args.get(name) {
                let value = Value::known(given.as_str(), Origin::BuildArg, Span::default());
                Some(value.hop(HopKind::GlobalArg, name, pair.span))
            } else {
                pair.value.as_ref().map(|default| {
                    let expansion = self.expand(default);
                    let lacks = self.env.lacks(default, &expansion, self.escape);
                    self.env.mark(name, lacks);
                    outcome.take(expansion).hop(HopKind::GlobalArg, name, pair.span)
                })
            };
            if let Some(value) = &value {
                self.env.set(name, value.clone());
                outcome.set.push((name.to_owned(), value.clone(), pair.span));
            }
            let value = value.or_else(|| self.env.get(name).cloned());
            self.declared.push(GlobalArg { name: name.to_owned(), span: pair.span, value });
        }
        outcome
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.env.get(name)
    }

    /// The `ARG`s so far, in order.
    pub fn declared(&self) -> &[GlobalArg] {
        &self.declared
    }

    /// Expands a word of `FROM` or of a global `ARG`.
    pub fn expand(&self, word: &Word) -> Expansion {
        expand_word(word, self.escape, &|name| match self.env.get(name) {
            Some(value) => Binding::Set(value.clone()),
            None if self.open && self.is_declared(name) => Binding::Declared,
            None => Binding::Unset,
        })
    }

    fn is_declared(&self, name: &str) -> bool {
        self.declared.iter().any(|d| d.name == name)
    }

    /// As [`GlobalScope::expand`], for those who give each argument that the word has no other text
    /// for: from here on, these are any text. `None` if it needs none.
    pub fn expand_given(&mut self, word: &Word) -> Option<Value> {
        let parsed = parse_word(&word.raw, self.escape);
        let mut needs = false;
        for variable in parsed.variables().into_iter().filter(|v| v.op.is_none()) {
            let name = &variable.name;
            let is_missing = self.get(name).is_none() && self.is_declared(name);
            if is_missing || self.env.lacking.contains(name) {
                let given = Value::unknown(Origin::BuildArg, variable.span);
                self.env.set(&variable.name, given);
                needs = true;
            }
        }
        needs.then(|| self.expand(word).value)
    }
}

/// What the instructions of a stage see.
#[derive(Clone, Debug)]
pub struct StageScope {
    global: Arc<GlobalScope>,
    env: Environment,
    /// The image configuration's environment.
    image: Arc<Ordered<Value>>,
    /// Variables of the image's environment over which an ARG was set.
    shadowed: BTreeSet<String>,
    /// When all of the image's environment was set again.
    applied: u32,
    /// Every ARG so far, with its last value: what RUN's history shows.
    args: Arc<Ordered<Option<Value>>>,
    complete: bool,
}

impl StageScope {
    /// The scope of a stage on an image or on scratch.
    pub fn from_image(global: &Arc<GlobalScope>, base: &BaseEnv) -> Self {
        Self::from_image_on(global, base, false)
    }

    /// As [`StageScope::from_image`]; on Windows, nobody sets a PATH that the image does not set.
    pub fn from_image_on(global: &Arc<GlobalScope>, base: &BaseEnv, is_windows: bool) -> Self {
        let known = |text: &str| Value::known(text, Origin::BaseEnv, Span::default());
        let mut image = Ordered::default();
        for (name, text) in &base.variables {
            image.set(name, known(text));
        }
        if !image.contains("PATH") && !is_windows {
            let path = match base.complete {
                true => known(DEFAULT_PATH),
                false => Value::unknown(Origin::BaseEnv, Span::default()),
            };
            image.set("PATH", path);
        }
        let mut scope = Self {
            global: Arc::clone(global),
            env: Environment::default(),
            image: Arc::new(image),
            shadowed: BTreeSet::new(),
            applied: 0,
            args: Arc::default(),
            complete: base.complete,
        };
        scope.set_image_env();
        scope
    }

    /// This scope, with variables that the image sets to something that is not known.
    #[must_use]
    pub fn with_varying(mut self, names: &[&str]) -> Self {
        for name in names {
            if !self.image.contains(name) {
                let value = Value::unknown(Origin::BaseEnv, Span::default());
                Arc::make_mut(&mut self.image).set(name, value);
            }
        }
        self.set_image_env();
        self
    }

    /// The scope of a stage on another stage, from that one's scope at its end.
    pub fn from_stage(parent: &StageScope) -> Self {
        let mut scope = parent.clone();
        // Those that an ARG was not set over are what they are.
        for name in std::mem::take(&mut scope.shadowed) {
            if let Some(value) = scope.image.get(&name) {
                scope.env.set(&name, value.clone());
            }
        }
        scope.env.clock += 1;
        scope.applied = scope.env.clock;
        scope
    }

    fn set_image_env(&mut self) {
        for (name, value) in self.image.iter() {
            self.env.set(name, value.clone());
        }
    }

    /// `ARG` in the stage.
    pub fn arg(&mut self, pairs: &[KeyValue]) -> Outcome {
        let mut outcome = Outcome::default();
        for pair in pairs {
            let name = pair.key.as_str();
            let mut lacks = false;
            let value = if let Some(given) = self.global.build_args.get(name) {
                Some(Value::known(given.as_str(), Origin::BuildArg, Span::default()))
            } else if let Some(default) = &pair.value {
                let expansion = self.expand(default);
                lacks = self.env.lacks(default, &expansion, self.global.escape);
                Some(outcome.take(expansion))
            } else {
                lacks = self.global.env.lacking.contains(name);
                self.global.get(name).cloned()
            };
            let value = value.map(|v| v.hop(HopKind::Arg, name, pair.span));
            if let Some(value) = &value {
                self.env.set(name, value.clone());
                self.env.mark(name, lacks);
                if self.image.contains(name) {
                    self.shadowed.insert(name.to_owned());
                }
                outcome.set.push((name.to_owned(), value.clone(), pair.span));
            }
            Arc::make_mut(&mut self.args).set(name, value);
        }
        outcome
    }

    /// `ENV`.
    pub fn env(&mut self, pairs: &[KeyValue]) -> Outcome {
        let mut outcome = Outcome::default();
        let mut expanded = Vec::with_capacity(pairs.len());
        let mut marks = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let name = outcome.take(self.expand(&pair.key));
            let name = name.as_known().map_or_else(|| pair.key.as_str().to_owned(), Into::into);
            let mut lacks = false;
            let value = pair.value.as_ref().map(|v| {
                let expansion = self.expand(v);
                lacks = self.env.lacks(v, &expansion, self.global.escape);
                outcome.take(expansion)
            });
            let value = value.unwrap_or_default().hop(HopKind::Env, &name, pair.span);
            marks.push(lacks);
            expanded.push((name, value, pair.span));
        }
        for ((name, value, _), lacks) in expanded.iter().zip(marks) {
            self.env.set(name, value.clone());
            self.env.mark(name, lacks);
            self.shadowed.remove(name);
            Arc::make_mut(&mut self.image).set(name, value.clone());
        }
        outcome.set = expanded;
        outcome
    }

    /// What is known of a variable. The automatic arguments are certainly unset where no ARG lets
    /// them in: base images do not set them.
    pub fn binding(&self, name: &str) -> Binding {
        match self.env.get(name) {
            Some(value) => Binding::Set(value.clone()),
            None if self.global.open && self.args.contains(name) => Binding::Declared,
            None if self.complete || automatic_arg(name).is_some() => Binding::Unset,
            None => Binding::Unknown,
        }
    }

    /// A variable's value, if an ARG, ENV or the known part of the base image's environment sets
    /// it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.env.get(name)
    }

    /// Whether a variable is what it is because nobody gives a build argument that its value was
    /// made of.
    pub fn lacks_argument(&self, name: &str) -> bool {
        self.env.lacking.contains(name)
    }

    /// Expands a word of an instruction.
    pub fn expand(&self, word: &Word) -> Expansion {
        expand_word(word, self.global.escape, &|name| self.binding(name))
    }

    /// The words that a text becomes where BuildKit splits it after it is expanded (EXPOSE), for one
    /// who knows all values; see [`mlint_syntax::word::expand_words`].
    ///
    /// # Errors
    /// The [`Failure`] where BuildKit stops.
    pub fn expand_words(&self, word: &Word) -> Result<Vec<WordSpan>, Failure> {
        let lookup = |name: &str| match self.binding(name) {
            Binding::Set(value) => value.as_known().map(std::borrow::Cow::into_owned),
            _ => None,
        };
        let parsed = parse_word(&word.raw, self.global.escape);
        expand_words(&parsed, &lookup)
            .map_err(|error| Failure::new(error.span(), error.to_string()))
    }

    /// What RUN sees: ARGs and ENVs in the order in which they were last set.
    pub fn environment(&self) -> Vec<(&str, &Value)> {
        let mut all: Vec<_> = self.env.variables.iter().collect();
        all.sort_by_key(|(name, (time, _))| match self.image.position(name) {
            Some(at) if *time <= self.applied && !self.shadowed.contains(&***name) => {
                (self.applied, at)
            }
            _ => (*time, 0),
        });
        all.into_iter().map(|(name, (_, value))| (&**name, value)).collect()
    }

    /// The image configuration's environment.
    pub fn image_env(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.image.iter().map(|(name, value)| (&**name, value))
    }

    /// The ARGs that RUN's history entry names (`|2 A=1 B=2`), in the order of their first
    /// declaration, with what they are now. An ARG without any value is the empty text.
    pub fn run_args(&self) -> Vec<(&str, Value)> {
        let now = |name: &str, declared: &Option<Value>| {
            self.env.get(name).or(declared.as_ref()).cloned().unwrap_or_default()
        };
        self.args.iter().map(|(name, value)| (&**name, now(name, value))).collect()
    }

    /// The global scope that it hangs on.
    pub fn global(&self) -> &GlobalScope {
        &self.global
    }

    /// Whether all of the base image's environment is known.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

#[cfg(test)]
mod tests;
