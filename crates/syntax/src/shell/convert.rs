//! From tree-sitter's tree to ours.

use super::{Command, CommandKind, Script};
use crate::text::LogicalText;

/// Parses a shell script. Never fails: what cannot be read is opaque.
pub fn parse_shell(text: &LogicalText) -> Script {
    let span = text.full_span();
    let opaque =
        Command { span, kind: CommandKind::Opaque, redirects: Vec::new(), background: false };
    Script { span, commands: vec![opaque], errors: vec![] }
}
