//! From the raw text of a word to its parts.

use std::ops::Range;

use super::WordErrorKind as Kind;
use super::{MAX_NESTING, Op, OpKind, ParsedWord, Part, Quoting, Variable, WordError};
use crate::text::{LogicalText, Pieces};

/// Parses a word; `escape` is [`crate::Dockerfile::escape`]. Never fails: see
/// [`ParsedWord::error`].
pub fn parse_word(raw: &LogicalText, escape: char) -> ParsedWord {
    Parser::new(raw, Mode { escape, quotes: true, ..Mode::default() }).word()
}

/// Parses the body of a here-document of COPY or ADD: quotes stand for themselves, and the escape
/// character is always the backslash.
pub fn parse_heredoc_body(body: &LogicalText) -> ParsedWord {
    Parser::new(body, Mode { escape: '\\', ..Mode::default() }).word()
}

/// How the lexer treats quotes and escapes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    pub(crate) escape: char,
    /// Quotes have their meaning.
    pub(crate) quotes: bool,
    /// Quotes stay in the text.
    pub(crate) raw_quotes: bool,
    /// Escape characters stay in the text.
    pub(crate) raw_escapes: bool,
    /// Blanks after `<<` belong to the word.
    pub(crate) markers: bool,
}

/// Parses with all switches; here-document markers are found in raw text.
pub(crate) fn parse_with(raw: &LogicalText, mode: Mode) -> ParsedWord {
    Parser::new(raw, mode).word()
}

struct Parser<'t> {
    raw: &'t LogicalText,
    text: &'t str,
    at: usize,
    mode: Mode,
    raw_escapes: bool,
    depth: usize,
}

type Parsed<T> = Result<T, WordError>;

impl<'t> Parser<'t> {
    fn new(raw: &'t LogicalText, mode: Mode) -> Self {
        Self { raw, text: raw.as_str(), at: 0, mode, raw_escapes: mode.raw_escapes, depth: 0 }
    }

    fn word(mut self) -> ParsedWord {
        let mut parts = Vec::new();
        let error = self.parts_until(None, &mut parts).err();
        ParsedWord { span: self.raw.full_span(), parts, error }
    }

    fn peek(&self) -> Option<char> {
        match self.text.as_bytes().get(self.at) {
            Some(&b) if b < 0x80 => Some(char::from(b)),
            _ => self.text[self.at..].chars().next(),
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn span(&self, start: usize, end: usize) -> crate::Span {
        self.raw.span(start as u32, end as u32)
    }

    fn error(&self, start: usize, kind: Kind) -> WordError {
        WordError { span: self.span(start, self.at.max(start)), kind }
    }

    /// A part whose text stands in the raw text as it is.
    fn literal(&self, start: usize, text: Range<usize>, quoting: Quoting) -> Part {
        let text = self.raw.slice(text.start as u32, text.end as u32);
        Part::Literal { text, span: self.span(start, self.at), quoting }
    }

    /// Reads parts up to `stop` (which is consumed) or to the end. What was read before an error
    /// stays in `parts`.
    fn parts_until(&mut self, stop: Option<char>, parts: &mut Vec<Part>) -> Parsed<()> {
        let start = self.at;
        let escape = self.mode.escape;
        loop {
            let plain = self.at;
            let special = |c: char| {
                Some(c) == stop
                    || c == '$'
                    || c == escape
                    || (self.mode.markers && c == '<')
                    || (self.mode.quotes && (c == '\'' || c == '"'))
            };
            self.at = self.text[plain..].find(special).map_or(self.text.len(), |i| plain + i);
            if self.at > plain {
                parts.push(self.literal(plain, plain..self.at, Quoting::None));
            }
            let Some(c) = self.peek() else {
                return match stop {
                    None => Ok(()),
                    Some(_) => Err(self.error(start, Kind::MissingBrace)),
                };
            };
            if Some(c) == stop {
                self.next();
                return Ok(());
            }
            match c {
                '$' => {
                    let part = self.dollar(false)?;
                    parts.push(part);
                }
                '\'' if self.mode.quotes => {
                    let part = self.single_quoted()?;
                    parts.push(part);
                }
                '"' if self.mode.quotes => self.double_quoted(parts)?,
                '<' if self.mode.markers => self.marker(parts),
                _ => self.escaped(parts),
            }
        }
    }

    /// At a `<`: with another one, the blanks after it do not end the word.
    fn marker(&mut self, parts: &mut Vec<Part>) {
        let start = self.at;
        self.next();
        if self.peek() == Some('<') {
            self.next();
            while matches!(self.peek(), Some('\t' | '\r' | ' ')) {
                self.next();
            }
        }
        parts.push(self.literal(start, start..self.at, Quoting::Escaped));
    }

    fn escaped(&mut self, parts: &mut Vec<Part>) {
        let start = self.at;
        self.next();
        let inner = if self.raw_escapes { start } else { self.at };
        // At the very end the escape character stands for nothing.
        self.next();
        parts.push(self.literal(start, inner..self.at, Quoting::Escaped));
    }

    fn single_quoted(&mut self) -> Parsed<Part> {
        let start = self.at;
        let inner = start + 1;
        let Some(len) = self.text[inner..].find('\'') else {
            self.at = self.text.len();
            return Err(self.error(start, Kind::UnclosedSingleQuote));
        };
        self.at = inner + len + 1;
        let range = if self.mode.raw_quotes { start..self.at } else { inner..inner + len };
        Ok(self.literal(start, range, Quoting::Single))
    }

    fn double_quoted(&mut self, parts: &mut Vec<Part>) -> Parsed<()> {
        let open = self.at;
        self.next();
        let mut start = open;
        let mut text = Pieces::from(if self.mode.raw_quotes { open } else { self.at });
        let escape = self.mode.escape;
        loop {
            let rest = &self.text[self.at..];
            self.at += rest.find(['"', '$', escape]).unwrap_or(rest.len());
            let here = self.at;
            match self.peek() {
                None => return Err(self.error(open, Kind::UnclosedDoubleQuote)),
                Some('"') => {
                    self.next();
                    let end = if self.mode.raw_quotes { self.at } else { here };
                    let text = text.finish(self.raw, end);
                    let span = self.span(start, self.at);
                    // An empty pair of quotes is kept: it is part of the word.
                    parts.push(Part::Literal { text, span, quoting: Quoting::Double });
                    return Ok(());
                }
                Some('$') => {
                    let before = std::mem::replace(&mut text, Pieces::from(here));
                    let literal = before.finish(self.raw, here);
                    if !literal.is_empty() {
                        let span = self.span(start, here);
                        parts.push(Part::Literal { text: literal, span, quoting: Quoting::Double });
                    }
                    let part = self.dollar(true)?;
                    parts.push(part);
                    start = self.at;
                    text = Pieces::from(self.at);
                }
                Some(_) => {
                    self.next();
                    match self.peek() {
                        Some(c) if c == '"' || c == '$' || c == escape => {
                            if !self.raw_escapes {
                                text.cut(here, self.at);
                            }
                            self.next();
                        }
                        // The escape character stands for itself before anything else, and for
                        // itself twice where escapes are kept.
                        Some(_) if self.raw_escapes => text.cut(self.at, here),
                        _ => {}
                    }
                }
            }
        }
    }

    /// At a dollar.
    fn dollar(&mut self, quoted: bool) -> Parsed<Part> {
        let start = self.at;
        self.next();
        if self.peek() == Some('{') {
            self.next();
            return self.braced(start, quoted).map(Part::Variable);
        }
        let (name, name_span) = self.name();
        if name.is_empty() {
            let quoting = if quoted { Quoting::Double } else { Quoting::None };
            return Ok(self.literal(start, start..self.at, quoting));
        }
        let span = self.span(start, self.at);
        Ok(Part::Variable(Variable { name, name_span, span, braced: false, quoted, op: None }))
    }

    /// Letters, digits and underscores; or digits alone; or one sign.
    fn name(&mut self) -> (String, crate::Span) {
        let start = self.at;
        match self.peek() {
            Some(c) if c.is_numeric() => {
                while self.peek().is_some_and(char::is_numeric) {
                    self.next();
                }
            }
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => {
                self.next();
            }
            _ => {
                while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.next();
                }
            }
        }
        (self.text[start..self.at].to_owned(), self.span(start, self.at))
    }

    /// After `${`.
    fn braced(&mut self, start: usize, quoted: bool) -> Parsed<Variable> {
        match self.peek() {
            None => return Err(self.error(start, Kind::MissingBrace)),
            Some('{' | '}' | ':') => {
                self.next();
                return Err(self.error(start, Kind::BadSubstitution));
            }
            _ => {}
        }
        let (name, name_span) = self.name();
        let op = self.operator(start)?;
        let span = self.span(start, self.at);
        Ok(Variable { name, name_span, span, braced: true, quoted, op })
    }

    fn operator(&mut self, start: usize) -> Parsed<Option<Op>> {
        let at = self.at;
        let (null, sign) = match self.next() {
            None => return Err(self.error(start, Kind::MissingBrace)),
            Some('}') => return Ok(None),
            Some('/') => return self.replacement(start).map(Some),
            Some(':') => match self.next() {
                None => return Err(self.error(start, Kind::MissingBrace)),
                Some('#' | '%') => return Err(self.unsupported(at)),
                Some(sign) => (true, sign),
            },
            Some(sign) => (false, sign),
        };
        let kind = match sign {
            '-' => OpKind::Default { null },
            '+' => OpKind::Alternative { null },
            '?' => OpKind::Required { null },
            '#' => OpKind::TrimPrefix,
            '%' => OpKind::TrimSuffix,
            _ if null => OpKind::Unsupported(sign),
            _ => return Err(self.unsupported(at)),
        };
        let raw_escapes = matches!(kind, OpKind::TrimPrefix | OpKind::TrimSuffix);
        let operand = self.operand(start, '}', raw_escapes, Kind::MissingBrace)?;
        Ok(Some(Op { kind, operand, replacement: None }))
    }

    fn unsupported(&self, at: usize) -> WordError {
        self.error(at, Kind::UnsupportedOperator(self.text[at..self.at].to_owned()))
    }

    fn replacement(&mut self, start: usize) -> Parsed<Op> {
        let all = self.peek() == Some('/');
        if all {
            self.next();
        }
        let operand = self.operand(start, '/', true, Kind::MissingSlash)?;
        let replacement = self.operand(start, '}', true, Kind::MissingBrace)?;
        Ok(Op { kind: OpKind::Replace { all }, operand, replacement: Some(replacement) })
    }

    fn operand(
        &mut self,
        start: usize,
        stop: char,
        raw_escapes: bool,
        unclosed: Kind,
    ) -> Parsed<ParsedWord> {
        if self.depth == MAX_NESTING {
            return Err(self.error(start, Kind::TooDeep));
        }
        let from = self.at;
        let outer = std::mem::replace(&mut self.raw_escapes, raw_escapes);
        self.depth += 1;
        let mut parts = Vec::new();
        let result = self.parts_until(Some(stop), &mut parts);
        self.depth -= 1;
        self.raw_escapes = outer;
        match result {
            Ok(()) => {
                let span = self.span(from, self.at - stop.len_utf8());
                Ok(ParsedWord { span, parts, error: None })
            }
            Err(error) if self.at >= self.text.len() && error.kind != Kind::TooDeep => {
                Err(self.error(start, unclosed))
            }
            Err(error) => Err(error),
        }
    }
}
