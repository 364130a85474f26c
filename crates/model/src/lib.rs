//! What a Dockerfile does on each platform: stages, scopes, values, abstract execution, artifact
//! flow. No I/O.
//!
//! [`Prepared`] parses the scripts of a file once; [`Prepared::evaluate`] then executes the file
//! abstractly for one target platform and gives an [`Evaluation`]: the stages with what they run
//! on, the effects of each step in order, and the files that end up in each stage with the machine
//! that they are for and the way they took. [`dump::dump`] prints all of it.
//!
//! From the inside: [`scope`] holds BuildKit's ARG and ENV rules (the builder drives it, too),
//! `plan` the stage graph, `run` the instructions, `shell` the interpreter for RUN, `commands` what
//! well-known programs do, `copy` and `files` the flow of files, [`knowledge`] what image names
//! tell.
//!
//! What is not known stays unknown: a [`Value`] knows some of its pieces, a condition that is not
//! known has both its branches followed, and what they do is not [`Effect::certain`].

pub mod allowance;
pub mod artifact;
mod cache;
pub mod census;
mod commands;
pub mod context;
mod copy;
pub mod dump;
pub mod effect;
pub mod evaluation;
pub mod expand;
pub mod facts;
mod files;
pub mod foreign;
mod glob;
pub mod knowledge;
mod label;
pub mod machine;
mod plan;
pub mod prepare;
pub mod probe;
pub mod question;
mod run;
pub mod scope;
mod shell;
pub mod stage;
pub mod value;

pub use artifact::{Artifact, Made, Station};
pub use commands::is_package_index;
pub use context::{
    BuildContext, BuildContextError, ContextEntry, ContextFacts, ContextFile, ContextPath,
    ContextSource,
};
pub use effect::{
    Argument, Cgo, Command, Compile, Copy, CopyFrom, Download, Effect, EffectKind, Fetcher, Guard,
    Install, Manager, PackageTarget, Setting, Sharing, Tool,
};
pub use evaluation::{Evaluation, GlobalArg, ImageUse, ImageUser, Options};
pub use expand::{Binding, Expansion};
pub use facts::{
    ConfigQuery, Fact, FactSource, ImageFacts, ImageInfo, ImageQuery, IndexInfo, SumFacts, SumQuery,
};
pub use foreign::{Foreign, Language};
pub use knowledge::Toolchain;
pub use machine::{Libc, Linkage, Machine, MachineKind, MachineSource};
pub use prepare::{Prepared, config_queries, evaluate, image_queries};
pub use probe::Probe;
pub use question::{Branch, Comparison, Question};
pub use scope::{BaseEnv, GlobalScope, StageScope};
pub use stage::{Base, Failure, LostVariable, RunsOn, Stage, StagePlatform, Step, UnsetUse};
pub use value::{
    Content, GAP, Hop, HopKind, Origin, Piece, PlatformPart, Spelled, Trail, Truth, Value,
};
