//! Files that a Dockerfile makes or fetches, and the way they take to the image.

use mlint_syntax::Span;

use crate::{
    context::ContextPath,
    machine::{Linkage, Machine},
    value::Value,
};

/// A file or folder that the Dockerfile brings, as it stands in some stage.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Where it is, absolute.
    pub path: String,
    /// It stands for all files below `path`, whose names are not known.
    pub folder: bool,
    /// What made it.
    pub made: Made,
    /// What is in it, for a file that the Dockerfile itself wrote.
    pub content: Option<Value>,
    /// Which machine it is for.
    pub machine: Machine,
    /// How it is linked.
    pub linkage: Linkage,
    /// The chain of instructions that brought it here, the maker first.
    pub way: Vec<Station>,
    /// Whether it certainly is there.
    pub certain: bool,
}

/// What made an artifact.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Made {
    /// A compiler.
    Compiled {
        /// Which.
        tool: crate::effect::Tool,
        /// For Go: whether cgo may be in it.
        cgo: Option<crate::effect::Cgo>,
    },
    /// A download.
    Downloaded {
        /// From there.
        url: Value,
    },
    /// A package manager put it there (a Python environment, `node_modules`).
    Installed {
        /// Which.
        manager: crate::effect::Manager,
    },
    /// It came out of an archive or another file that is known.
    Unpacked,
    /// From the build context.
    Context {
        /// From there, if it is a file or folder of the context and no part of an archive.
        path: Option<ContextPath>,
    },
    /// Written by the Dockerfile itself (`echo … > file`, here-document).
    Written,
    /// It belongs to a base image.
    Image {
        /// Which.
        reference: String,
    },
}

/// One station on an artifact's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// The stage it is in.
    pub stage: usize,
    /// The instruction's index in the file.
    pub instruction: usize,
    /// The command or instruction that brought it.
    pub span: Span,
    /// Where it then is.
    pub path: String,
}
