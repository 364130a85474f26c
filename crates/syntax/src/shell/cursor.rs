//! The parser's state, and the characters between words.

use super::ast::{Command, CommandKind, Script};
use crate::span::Span;
use crate::text::LogicalText;

/// How deep commands, substitutions and here-documents may nest. Deeper parts are opaque.
pub(super) const MAX_DEPTH: usize = 64;

/// The script breaks here; what was being read cannot be used.
#[derive(Debug)]
pub(super) struct Broken;

pub(super) type Parsed<T> = Result<T, Broken>;

/// Reads one text; backticks and bodies of here-documents get a parser of their own.
pub(super) struct Parser<'t> {
    pub(super) raw: &'t LogicalText,
    pub(super) text: &'t str,
    pub(super) at: usize,
    pub(super) depth: usize,
    /// The bodies of here-documents are read ahead: the line end before them, and where the
    /// script goes on.
    pub(super) skip: Option<(usize, usize)>,
    pub(super) errors: Vec<Span>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(raw: &'t LogicalText, depth: usize) -> Self {
        Self { raw, text: raw.as_str(), at: 0, depth, skip: None, errors: Vec::new() }
    }

    /// Reads all of the text. What stands before a break stays.
    pub(super) fn script(&mut self) -> Script {
        let span = self.raw.full_span();
        let mut commands = Vec::new();
        let broken = self.depth > MAX_DEPTH || self.commands(&mut commands).is_err();
        if broken || self.at < self.text.len() {
            // Also a closing word or parenthesis that nothing has opened.
            let rest = self.span(self.at, self.text.len());
            self.errors.push(rest);
            commands.push(Command {
                span: rest,
                kind: CommandKind::Opaque,
                redirects: Vec::new(),
                background: false,
            });
        }
        Script { span, commands, errors: Vec::new() }
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        self.raw.span(start as u32, end as u32)
    }

    /// The part `start..end` of the text, with its places.
    pub(super) fn slice(&self, start: usize, end: usize) -> LogicalText {
        self.raw.slice(start as u32, end as u32)
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    pub(super) fn looking_at(&self, token: &str) -> bool {
        self.text.as_bytes()[self.at..].starts_with(token.as_bytes())
    }

    /// Goes past `token` if it comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let eaten = self.looking_at(token);
        if eaten {
            self.at += token.len();
        }
        eaten
    }

    pub(super) fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { Err(Broken) }
    }

    /// Goes past one character.
    pub(super) fn bump(&mut self) {
        self.at += self.rest().chars().next().map_or(0, char::len_utf8);
    }

    /// Goes past blanks, continued lines and a comment.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.peek_at(1) == Some(b'\n') => self.at += 2,
                Some(b'#') => {
                    self.at = self.line_end(self.at);
                    return;
                }
                _ => return,
            }
        }
    }

    /// Goes past blanks, comments and line ends, and past the here-documents after them.
    pub(super) fn newlines(&mut self) {
        loop {
            self.blanks();
            if self.peek() != Some(b'\n') {
                return;
            }
            self.newline();
        }
    }

    /// At a line end.
    pub(super) fn newline(&mut self) {
        match self.skip {
            Some((line_end, resume)) if line_end <= self.at => {
                self.at = resume.max(self.at + 1).min(self.text.len());
                self.skip = None;
            }
            _ => self.at += 1,
        }
    }

    pub(super) fn line_end(&self, from: usize) -> usize {
        memchr::memchr(b'\n', &self.text.as_bytes()[from..]).map_or(self.text.len(), |i| from + i)
    }

    /// Runs `read` one level deeper.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Broken);
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// Whether a word ends here.
    pub(super) fn at_word_end(&self) -> bool {
        self.peek().is_none_or(ends_word)
    }
}

/// Whether the byte ends a word.
pub(super) fn ends_word(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')')
}

/// Whether the text is a variable's name.
pub(super) fn is_name(text: &str) -> bool {
    name_len(text) == text.len() && !text.is_empty()
}

/// Length of the variable name at the start of the text.
pub(super) fn name_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes.first().is_none_or(|b| b.is_ascii_digit()) {
        return 0;
    }
    bytes.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_')).unwrap_or(bytes.len())
}
