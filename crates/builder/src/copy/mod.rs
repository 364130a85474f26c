//! COPY and ADD: which sources a pattern names, and where they come to lie.
//!
//! Neither side is mounted: sources and destination are [`View`](crate::layer::View)s, and the
//! layer is written from the sources' files straight away.

pub mod archive;
pub mod filter;
pub mod mode;
pub mod place;
pub mod select;

pub use filter::Filter;
pub use mode::Mode;
pub use place::{Content, Owner, Placed, Placement};
pub use select::{Selected, select};

use crate::pattern::PatternError;

/// A copy that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// No such source.
    #[error("'{path}' is not there{hint}")]
    NotFound {
        /// The source as written.
        path: String,
        /// Where it was looked for, and what may be the matter.
        hint: String,
    },
    /// A broken pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Links that lead round in circles.
    #[error("'{path}' leads through more symbolic links than can be right")]
    Loop {
        /// The path.
        path: String,
    },
    /// Something that is no directory stands in the way.
    #[error("cannot copy to '{path}': it is not a directory in the image")]
    NotADirectory {
        /// What stands there.
        path: String,
    },
    /// A file would replace a directory.
    #[error("cannot copy a file to '{path}': it is a directory in the image")]
    IsADirectory {
        /// The directory.
        path: String,
    },
    /// A name that a layer cannot carry.
    #[error(
        "'{path}' cannot be put into an image: names that begin with '.wh.' mean deletions there"
    )]
    WhiteoutName {
        /// The path.
        path: String,
    },
}
