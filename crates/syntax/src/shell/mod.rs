//! The shell inside RUN: a compact tree, every node with its span in the file.
//!
//! The grammar is POSIX's with what bash adds to it. A script that the shell would refuse is read
//! up to the command in which it breaks; the rest is [`CommandKind::Opaque`], as it never runs.

mod ast;
mod commands;
mod compound;
mod condition;
mod cursor;
mod dump;
mod param;
mod redirect;
mod visit;
mod words;

use crate::text::LogicalText;

pub use ast::*;
use cursor::Parser;
pub use dump::dump;
pub use visit::{Visitor, walk_command, walk_part, walk_script, walk_word};

/// Parses a shell script. Never fails: what cannot be read is opaque, and stands in
/// [`Script::errors`].
pub fn parse_shell(text: &LogicalText) -> Script {
    let mut parser = Parser::new(text, 0);
    let mut script = parser.script();
    script.errors = parser.errors;
    script
}

#[cfg(test)]
mod tests;
