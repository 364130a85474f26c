//! What a Dockerfile does on each platform: stages, scopes, values, abstract execution, artifact
//! flow. No I/O.

pub mod artifact;
mod commands;
mod copy;
pub mod dump;
pub mod effect;
pub mod evaluation;
pub mod expand;
pub mod facts;
mod files;
mod glob;
pub mod knowledge;
pub mod machine;
mod plan;
pub mod prepare;
pub mod probe;
mod run;
pub mod scope;
mod shell;
pub mod stage;
pub mod value;

pub use artifact::{Artifact, Made, Station};
pub use effect::{
    Argument, Cgo, Command, Compile, Copy, CopyFrom, Download, Effect, EffectKind, Fetcher, Guard,
    Install, Manager, Setting, Tool,
};
pub use evaluation::{Evaluation, GlobalArg, ImageUse, ImageUser, Options};
pub use expand::{Binding, Expansion};
pub use facts::{Fact, FactSource, ImageFacts, ImageInfo, ImageQuery};
pub use knowledge::Toolchain;
pub use machine::{Libc, Linkage, Machine, MachineKind, MachineSource};
pub use prepare::{Prepared, evaluate, image_queries};
pub use probe::Probe;
pub use scope::{BaseEnv, GlobalScope, StageScope};
pub use stage::{Base, Failure, LostVariable, RunsOn, Stage, StagePlatform, Step, UnsetUse};
pub use value::{
    Content, GAP, Hop, HopKind, Origin, Piece, PlatformPart, Spelled, Trail, Truth, Value,
};
