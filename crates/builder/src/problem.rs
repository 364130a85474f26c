//! Why a build fails, and at which place of the Dockerfile.

use mlint_oci::{Platform, ReferenceError};
use mlint_registry::RegistryError;
use mlint_syntax::Span;

use crate::{
    context::IgnoreError,
    copy::CopyError,
    error::FsError,
    layer::read::ArchiveError,
    proof::ForeignFiles,
    request::Failure,
    sandbox::{emulation::EmulationError, step::StepError, user::UserError},
    store::LayerStoreError,
};

/// A problem at its place.
#[derive(Debug)]
pub struct BuildError {
    /// Where in the Dockerfile; `None` if no line is to blame.
    pub span: Option<Span>,
    /// What is wrong.
    pub problem: Box<Problem>,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum Problem {
    #[error("{0}")]
    Syntax(String),
    #[error("{0}")]
    Expansion(String),
    #[error("the file has no FROM: there is nothing to build")]
    NoStage,
    #[error(
        "{what} is not supported by mlint's own builder yet; BuildKit builds it: docker buildx build"
    )]
    Unsupported { what: String },
    #[error(
        "docker load reads one platform's archive at a time: name a file, and each platform gets its own, \
         or choose one with --platforms"
    )]
    OneArchiveEach,
    #[error("{flag} is no flag of {instruction}")]
    UnknownFlag { flag: String, instruction: String },
    #[error("{what}: '{value}' is not {expected}")]
    BadValue { what: String, value: String, expected: &'static str },
    #[error(transparent)]
    Platform(#[from] mlint_oci::PlatformError),
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    #[error(
        "the image's name is empty after expansion: a variable in it has no value here (only ARGs before the first FROM count)"
    )]
    EmptyImage,
    #[error("{image} has no image for {}; it offers {offered}", listed(platforms))]
    NoPlatform { image: String, platforms: Vec<Platform>, offered: String },
    #[error("{image} is for {offered}, not for {platform}")]
    OtherPlatform { image: String, platform: Platform, offered: String },
    #[error("{image} is no image: {reason}")]
    NoImage { image: String, reason: String },
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("{first}")]
    SeveralBases { first: Box<Problem>, others: Vec<(Span, String)> },
    #[error("all stands alone: --platforms all, or the names of platforms")]
    AllAndMore,
    #[error(
        "nothing here says which platforms there are: the image starts from scratch or from one platform's image; name them with --platforms"
    )]
    NothingDecides,
    #[error("the base images have no platform in common")]
    NothingInCommon,
    #[error("this allowance does not say why: add the reason after a colon")]
    NoReason,
    #[error("there is no stage '{name}'; the file has {known}")]
    NoTarget { name: String, known: String },
    #[error("stage '{name}' is defined further down: a stage can only use those above it")]
    LaterStage { name: String },
    #[error("stage '{name}' can't use itself: only the stages above it")]
    OwnStage { name: String },
    #[error("stage {number} is not above this line: there are {count} stages above")]
    NoStageNumber { number: usize, count: usize },
    #[error(
        "variables do not work in --from; give the image a stage of its own: FROM {value} AS name"
    )]
    VariableInFrom { value: String },
    #[error("there is no build context, and this line needs one")]
    NoContext,
    #[error("COPY takes no addresses; ADD fetches {address}")]
    RemoteCopy { address: String },
    #[error("--checksum is for one source, and one that is fetched: an http or git address")]
    ChecksumOfMany,
    #[error("the address and the flag say different things about {what}")]
    GitDisagrees { what: &'static str },
    #[error("the secret '{id}' is required and not given: --secret id={id},src=FILE")]
    NoSecret { id: String },
    #[error("the secret '{id}' is no text, and this line wants it in a variable")]
    SecretIsNoText { id: String },
    #[error("an ssh agent '{id}' is required and not given: --ssh {id}")]
    NoAgent { id: String },
    #[error(transparent)]
    Remote(#[from] crate::remote::RemoteError),
    #[error(transparent)]
    Ignore(#[from] IgnoreError),
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Fs(#[from] FsError),
    #[error(transparent)]
    Layer(#[from] LayerStoreError),
    #[error(
        "what lies in the cache at {} is damaged again and again, so its disk is not sound: choose another place (--cache-dir)",
        .place.display()
    )]
    BadDisk { place: std::path::PathBuf },
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Emulation(#[from] EmulationError),
    #[error("the command failed with exit status {status} on {place}")]
    Exit { status: i32, place: String },
    #[error("{0}")]
    Foreign(ForeignFiles),
    #[error(
        "there is no index to annotate: the image of a single platform has none (a second platform or an attestation makes one)"
    )]
    NoIndex,
    #[error(
        "none of these platforms is this machine's, {0}, so there is none to load: choose one with \
         --platforms, or write archives of all with --output type=docker,dest=FILE"
    )]
    NothingToLoad(String),
    #[error("{0}, and what was written so far is no whole archive: build again")]
    BrokenOff(String),
    #[error("a registry can't have two images at {name}: two outputs push different ones there")]
    TwoForOneName { name: String },
    #[error("the annotation {key} is for {platform}, which is not built here")]
    AnnotatesNothing { key: String, platform: String },
    #[error(
        "platform-split=false: {path} is in the image of {one} and in that of {two}, and in one \
         directory there is room for one of them"
    )]
    NoRoomForTwo { path: String, one: Platform, two: Platform },
    #[error("rewrite-timestamp needs SOURCE_DATE_EPOCH: set it, or give it as a build argument")]
    NoEpoch,
    #[error("the image of {platform} cannot be described: {reason}")]
    Image { platform: Platform, reason: String },
    #[error("{}", .0.problem)]
    Shared(std::sync::Arc<BuildError>),
    #[error(transparent)]
    Push(Box<mlint_registry::PushError>),
    #[error(
        "{place} is {what}, not a cache of mlint's: give the cache a name of its own, as in ref=registry.example.com/team/app:cache"
    )]
    OtherContent { place: String, what: &'static str },
    #[error(
        "the build is done, but its cache could not be written to {place}: {reason} (with ignore-error=true this is no failure)"
    )]
    CacheNotWritten { place: String, reason: String },
    #[error("others keep writing to {place}: try again")]
    CacheContended { place: String },
    #[error("interrupted: nothing was tagged, and nothing is left running")]
    Interrupted,
}

fn listed(platforms: &[Platform]) -> String {
    platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ")
}

impl Problem {
    /// At a place.
    pub fn at(self, span: Span) -> BuildError {
        BuildError { span: Some(span), problem: Box::new(self) }
    }

    /// Not supported: `what`, as in "COPY --parents".
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into() }
    }

    fn is_removed_damage(&self) -> bool {
        match self {
            Self::Shared(error) => error.is_removed_damage(),
            Self::Layer(LayerStoreError::Damaged { .. } | LayerStoreError::Changed { .. }) => true,
            _ => false,
        }
    }

    fn is_interrupt(&self) -> bool {
        if let Self::Shared(error) = self {
            return error.is_interrupt();
        }
        matches!(
            self,
            Self::Interrupted
                | Self::Step(StepError::Cancelled)
                | Self::Layer(LayerStoreError::Interrupted)
                | Self::Archive(ArchiveError::Interrupted)
                | Self::Remote(crate::remote::RemoteError::Interrupted)
        ) || matches!(self, Self::Fs(e) if e.source.kind() == std::io::ErrorKind::Interrupted)
    }
}

impl<P: Into<Problem>> From<P> for BuildError {
    fn from(problem: P) -> Self {
        Self { span: None, problem: Box::new(problem.into()) }
    }
}

impl BuildError {
    /// At this place, if it has none yet.
    pub fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// Whether somebody stopped the build.
    pub fn is_interrupt(&self) -> bool {
        self.problem.is_interrupt()
    }

    /// Whether something in the cache was damaged, which is removed now: the same build can work.
    pub fn is_removed_damage(&self) -> bool {
        self.problem.is_removed_damage()
    }

    /// Whether something was found where a cache was looked for.
    pub fn is_other_content(&self) -> bool {
        matches!(*self.problem, Problem::OtherContent { .. })
    }

    /// In words.
    pub fn into_failure(self) -> Failure {
        let interrupted = self.is_interrupt();
        if interrupted {
            return Failure {
                message: Problem::Interrupted.to_string(),
                place: None,
                related: Vec::new(),
                notes: Vec::new(),
                interrupted,
            };
        }
        let (notes, related) = match &*self.problem {
            Problem::Foreign(foreign) => (foreign.notes(), foreign.related()),
            Problem::SeveralBases { others, .. } => (Vec::new(), others.clone()),
            _ => (Vec::new(), Vec::new()),
        };
        let place = |span: Span| (span.start, span.end);
        Failure {
            message: self.problem.to_string(),
            place: self.span.map(place),
            related: related.into_iter().map(|(span, text)| (place(span), text)).collect(),
            notes,
            interrupted,
        }
    }
}

/// Puts a place on errors that have none.
pub trait At<T> {
    /// At this place.
    fn at(self, span: Span) -> Result<T, BuildError>;
}

impl<T, E: Into<BuildError>> At<T> for Result<T, E> {
    fn at(self, span: Span) -> Result<T, BuildError> {
        self.map_err(|e| e.into().or_at(span))
    }
}
