//! What a Dockerfile does on each platform: stages, scopes, values, abstract execution, artifact
//! flow. No I/O.

pub mod facts;

pub use facts::{Fact, FactSource, ImageFacts, ImageInfo, ImageQuery};
