//! Bytes, spans and edits; the lossless Dockerfile tree; words and their expansion; the shell
//! inside RUN. No I/O.

pub mod span;
pub mod tree;

pub use span::{Edit, EditSet, Overlap, Span, Spanned};
pub use tree::*;
