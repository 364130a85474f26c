//! Stages and their steps, on one platform.

use std::{collections::BTreeMap, sync::Arc};

use mlint_oci::{ContainerConfig, Platform};
use mlint_syntax::Span;

use crate::{
    artifact::Artifact,
    effect::{Effect, EffectKind},
    knowledge::Toolchain,
    machine::Libc,
    question::Question,
    value::Value,
};

/// What a stage starts from.
#[derive(Clone, Debug)]
pub enum Base {
    /// `scratch`.
    Scratch,
    /// An image, by its expanded reference.
    Image {
        /// The reference.
        reference: Value,
    },
    /// An earlier stage, by index.
    Stage(usize),
    /// Files without a configuration: a directory or an address that `--build-context` gives this
    /// name to.
    Context {
        /// The name.
        name: String,
    },
}

/// Which platform a stage runs on, seen from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunsOn {
    /// The platform that the image is made for: no flag, or `--platform=$TARGETPLATFORM`.
    Target,
    /// The platform that the build runs on: `--platform=$BUILDPLATFORM`.
    Build,
    /// A fixed one, whatever the target is: `--platform=linux/amd64`.
    Constant,
    /// It can't be told.
    Unknown,
}

/// The platform that a stage runs on.
#[derive(Clone, Debug)]
pub struct StagePlatform {
    /// In this evaluation; `None` if it is not known.
    pub platform: Option<Platform>,
    /// Seen from the file.
    pub role: RunsOn,
    /// The value of `--platform`, with its way; also when the flag is ignored.
    pub flag: Option<Value>,
    /// The whole `--platform=…`.
    pub flag_span: Option<Span>,
    /// `--platform` stands there but BuildKit ignores it: the base is a stage, or scratch.
    pub ignored: bool,
}

/// A stage.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Its number.
    pub index: usize,
    /// Its name in lower case.
    pub name: Option<String>,
    /// The FROM in the file's instructions.
    pub from: usize,
    /// The FROM line.
    pub span: Span,
    /// The image or stage word of FROM.
    pub base_span: Span,
    /// What it starts from.
    pub base: Base,
    /// What it runs on.
    pub platform: StagePlatform,
    /// The machine of its programs, and so of what is installed and compiled in it. It is another
    /// than the platform asked for where the base image is for one machine by its own name
    /// (`arm64v8/debian`); `None` if it is not known.
    pub userland: Option<Platform>,
    /// Whether the target needs it. The steps of others are not evaluated.
    pub reachable: bool,
    /// The configuration of its base image, where a registry told it.
    pub config: Option<Arc<ContainerConfig>>,
    /// Its C library, by its base image's name.
    pub libc: Libc,
    /// Toolchains that its base image brings.
    pub toolchains: Vec<Toolchain>,
    /// Its instructions after FROM, in order.
    pub steps: Vec<Step>,
    /// Files that this Dockerfile brought into it, by absolute path, as they are at its end;
    /// those of its parent stage included. A folder that is known to hold one artifact, under
    /// unknown names, stands under its own path.
    pub files: Arc<BTreeMap<String, Arc<Artifact>>>,
}

/// An instruction of a stage.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its index in the file's instructions.
    pub instruction: usize,
    /// Its place.
    pub span: Span,
    /// What it does, in order.
    pub effects: Vec<Effect>,
    /// Text that is never reached on this platform: branches not taken.
    pub dead: Vec<Span>,
    /// Whether it runs programs on a platform other than the build platform.
    pub emulated: bool,
    /// Variables that it expands although nothing sets them.
    pub unset: Vec<UnsetUse>,
    /// Why the builder stops here, if it certainly does (`${VERSION:?}` with no VERSION).
    pub failure: Option<Failure>,
    /// Variables that its shell knew at the end and that are gone with it.
    pub lost: Vec<LostVariable>,
    /// What its shell asks about the platform, in order; a place that is come by again with the
    /// same answer is told once.
    pub questions: Vec<Question>,
}

/// A variable that is used and that nothing sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsetUse {
    /// Its name.
    pub name: String,
    /// The `$NAME`.
    pub span: Span,
}

/// A shell variable that ends with its RUN.
#[derive(Clone, Debug)]
pub struct LostVariable {
    /// Its name.
    pub name: String,
    /// Its last value.
    pub value: Value,
    /// Where it was last assigned.
    pub span: Span,
}

/// The build certainly stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where.
    pub span: Span,
    /// Why, in one sentence without a final stop.
    pub message: String,
    /// Whether it may be for want of a build argument only: one without default had a say, and
    /// nobody gives it. Whoever builds the file gives it, so this is no fault of the file.
    pub lacks_argument: bool,
}

impl Failure {
    /// A failure that no build argument helps.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), lacks_argument: false }
    }
}

impl Stage {
    /// All effects of its steps, in order, each with its step.
    pub fn effects(&self) -> impl Iterator<Item = (&Step, &Effect)> {
        self.steps.iter().flat_map(|s| s.effects.iter().map(move |e| (s, e)))
    }

    /// Whether a step runs programs (RUN).
    pub fn runs_commands(&self) -> bool {
        self.effects().any(|(_, e)| matches!(e.kind, EffectKind::Command(_)))
    }
}
