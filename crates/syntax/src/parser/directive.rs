//! `# syntax=`, `# escape=` and `# check=` at the very top.

use crate::error::{SyntaxError, SyntaxErrorKind};
use crate::span::{Span, Spanned};
use crate::tree::{Directive, ElementKind};

const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// Which directives may still come.
#[derive(Default)]
pub(super) struct Directives {
    closed: bool,
    /// After `#!`, BuildKit's parser takes no directive, but its front end still looks for syntax
    /// and check.
    after_shebang: bool,
    any_line: bool,
    /// After a line with white space before it, BuildKit's front end looks for nothing more; its
    /// parser goes on.
    indented: bool,
    seen: [bool; 3],
    backtick: bool,
}

impl Directives {
    /// The escape character.
    pub(super) fn escape(&self) -> char {
        char::from(self.escape_byte())
    }

    pub(super) fn escape_byte(&self) -> u8 {
        if self.backtick { b'`' } else { b'\\' }
    }

    /// No directive after this line.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// A line that begins with `#`, without the white space before it (`indented` tells of that);
    /// `start` is where it stands.
    pub(super) fn comment_line(
        &mut self,
        line: &str,
        start: u32,
        indented: bool,
    ) -> (ElementKind, Option<SyntaxError>) {
        let first = !std::mem::replace(&mut self.any_line, true);
        if self.closed {
            return (ElementKind::Comment, None);
        }
        if first && line.starts_with("#!") {
            self.after_shebang = true;
            return (ElementKind::Comment, None);
        }
        let Some((which, value)) = split(line) else {
            self.close();
            return (ElementKind::Comment, None);
        };
        let spanned = |part: &str| {
            let at = start + (part.as_ptr() as usize - line.as_ptr() as usize) as u32;
            Span::new(at, at + part.len() as u32)
        };
        self.indented |= indented;
        let name = NAMES[which];
        let written = line[1..].trim_start();
        let kind = ElementKind::Directive(Box::new(Directive {
            name: Spanned::new(name.to_owned(), spanned(&written[..name.len()])),
            value: Spanned::new(value.to_owned(), spanned(value)),
        }));
        let error = |kind| {
            let span = Span::new(start, start + line.len() as u32);
            Some(SyntaxError { span, kind, in_trigger: false })
        };
        if std::mem::replace(&mut self.seen[which], true) {
            return (kind, error(SyntaxErrorKind::RepeatedDirective { name }));
        }
        if name != "escape" && self.indented {
            return (ElementKind::Comment, None);
        }
        if name == "escape" {
            match value {
                _ if self.after_shebang => return (ElementKind::Comment, None),
                "`" => self.backtick = true,
                "\\" => {}
                _ => {
                    let value = super::keyword::excerpt(value);
                    return (kind, error(SyntaxErrorKind::InvalidEscape { value }));
                }
            }
        }
        (kind, None)
    }
}

/// The directive's number and its value.
fn split(line: &str) -> Option<(usize, &str)> {
    let blank = |c: char| matches!(c, '\t' | '\n' | '\x0c' | '\r' | ' ');
    let (name, value) = line[1..].trim_start().split_once('=')?;
    let name = name.trim_end_matches(blank);
    // Of blanks alone, the last is the value.
    let value = match value.trim_matches(blank) {
        "" => value.get(value.len().saturating_sub(1)..).unwrap_or_default(),
        trimmed => trimmed,
    };
    let which = NAMES.iter().position(|n| name.eq_ignore_ascii_case(n))?;
    (!value.is_empty()).then_some((which, value))
}
