//! The result of executing a Dockerfile abstractly on one platform, and questions to it.

use mlint_oci::Platform;
use mlint_syntax::Span;

use crate::{
    artifact::Artifact,
    context::{BuildContext, ContextFacts, ContextPath},
    effect::{Effect, EffectKind},
    stage::{Failure, Stage, Step, UnsetUse},
    value::Value,
};

/// What is assumed about the build.
#[derive(Clone, Debug)]
pub struct Options {
    /// The platform that the build runs on. Rules want to know what happens where it differs from
    /// the target; for the target that equals it, a stage on the build platform is native and
    /// right, for all others it is not. Evaluate each target with the same build platform.
    pub build_platform: Platform,
    /// `--build-arg`, in order; the last of a name counts.
    pub build_args: Vec<(String, String)>,
    /// `--target`: a stage's name or, in BuildKit's fashion, nothing for the last stage.
    pub target: Option<String>,
    /// `--build-context`, in order; the last of a name counts.
    pub contexts: Vec<BuildContext>,
    /// What is known about the files of the build context.
    pub context: ContextFacts,
}

impl Default for Options {
    /// A build on linux/amd64 without arguments, of the last stage.
    fn default() -> Self {
        Self {
            build_platform: Platform::linux("amd64"),
            build_args: Vec::new(),
            target: None,
            contexts: Vec::new(),
            context: ContextFacts::default(),
        }
    }
}

/// A Dockerfile, executed abstractly on one platform.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The platform that the image is made for.
    pub platform: Platform,
    /// The platform that the build runs on.
    pub build_platform: Platform,
    /// The stages, in file order.
    pub stages: Vec<Stage>,
    /// The stage that becomes the image; `None` if there is no FROM or no such stage.
    pub target: Option<usize>,
    /// The `ARG`s before the first FROM, with what they are.
    pub globals: Vec<GlobalArg>,
    /// Variables used in FROM lines and global ARGs that nothing sets.
    pub unset: Vec<UnsetUse>,
    /// Why BuildKit stops before any step runs (a stage that does not exist, `${X:?}`).
    pub failures: Vec<Failure>,
    /// Images that are needed, with where.
    pub images: Vec<ImageUse>,
    /// Paths of the build context that it would have liked to know more about: those that nobody
    /// was asked about.
    pub asked: Vec<ContextPath>,
}

/// An `ARG` before the first FROM.
#[derive(Clone, Debug)]
pub struct GlobalArg {
    /// Its name.
    pub name: String,
    /// Its place: `NAME=default`.
    pub span: Span,
    /// What it is here; `None` when it has no default, no build argument and no automatic value.
    pub value: Option<Value>,
}

/// Who needs an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageUser {
    /// `FROM`
    From,
    /// `COPY --from=`
    Copy,
    /// `RUN --mount=from=`
    Mount,
}

/// An image that a reachable stage needs.
#[derive(Clone, Debug)]
pub struct ImageUse {
    /// The reference, with the way its parts took.
    pub reference: Value,
    /// The word that names it.
    pub span: Span,
    /// Who needs it.
    pub user: ImageUser,
    /// The stage that needs it.
    pub stage: usize,
    /// The instruction's index in the file.
    pub instruction: usize,
    /// The platform it is needed for, if known.
    pub platform: Option<Platform>,
}

impl Evaluation {
    /// The stage that becomes the image.
    pub fn final_stage(&self) -> Option<&Stage> {
        self.target.map(|i| &self.stages[i])
    }

    /// The stages that the target needs.
    pub fn reachable(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter().filter(|s| s.reachable)
    }

    /// All effects of reachable stages, in file order.
    pub fn effects(&self) -> impl Iterator<Item = (&Stage, &Step, &Effect)> {
        self.reachable().flat_map(|s| s.effects().map(move |(step, e)| (s, step, e)))
    }

    /// All commands of reachable stages.
    pub fn commands(&self) -> impl Iterator<Item = (&Stage, &Step, &Effect, &crate::Command)> {
        self.effects().filter_map(|(stage, step, effect)| match &effect.kind {
            EffectKind::Command(command) => Some((stage, step, effect, command)),
            _ => None,
        })
    }

    /// The files that this Dockerfile brings into the image.
    pub fn final_artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.final_stage().into_iter().flat_map(|s| s.files.values()).map(|a| &**a)
    }

    /// Files of the image that are machine code for another machine than the image's.
    pub fn wrong_artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.final_artifacts().filter(|a| a.machine.is_wrong_for(&self.platform))
    }

    /// Files of the image that need a C library which the image does not have.
    pub fn libc_mismatches(&self) -> impl Iterator<Item = &Artifact> {
        let libc = self.final_stage().map_or(crate::Libc::Unknown, |s| s.libc);
        self.final_artifacts().filter(move |a| a.linkage.is_wrong_for(libc))
    }

    /// RUN steps of reachable stages that run on another platform than the build's.
    pub fn emulated_steps(&self) -> impl Iterator<Item = (&Stage, &Step)> {
        self.reachable()
            .flat_map(|s| s.steps.iter().filter(|step| step.emulated).map(move |step| (s, step)))
    }
}
