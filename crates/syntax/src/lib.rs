//! Bytes, spans and edits; the lossless Dockerfile tree; words and their expansion; the shell
//! inside RUN. No I/O.

pub mod dump;
pub mod error;
pub mod line_index;
mod parser;
mod script;
pub mod shell;
pub mod span;
pub mod text;
pub mod tree;
pub mod word;

pub use error::{SyntaxError, SyntaxErrorKind};
pub use line_index::{LineColumn, LineIndex, Utf16Position};
pub use parser::{FieldsError, mount_options, parse};
pub use span::{Edit, EditSet, Overlap, Span, Spanned};
pub use text::{LogicalText, TextBuilder};
pub use tree::*;
