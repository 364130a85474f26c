//! The shell inside RUN: tree-sitter's bash grammar turned into a compact tree of our own, every
//! node with its span in the file.

mod ast;
mod convert;

pub use ast::*;
pub use convert::parse_shell;
