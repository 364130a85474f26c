//! Here-documents: which markers BuildKit sees in a line, and the lines that belong to them.

use std::collections::HashMap;
use std::ops::Range;

use crate::error::SyntaxErrorKind as Kind;
use crate::span::Span;
use crate::text::{LogicalText, TextBuilder};
use crate::tree::Heredoc;
use crate::word::{self, Mode, Part, Variable, WordSpan};

use super::Parser;
use super::keyword::begins_instruction;

/// A here-document marker such as `<<-"EOF"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) name: String,
    pub(crate) expand: bool,
    pub(crate) strip_tabs: bool,
}

/// Reads a word as a here-document marker, as BuildKit does: perhaps a number, `<<`, perhaps a
/// dash, then one word without another `<`.
pub(crate) fn heredoc_marker(word: &str) -> Option<Marker> {
    marker(word).ok().flatten()
}

fn marker(text: &str) -> Result<Option<Marker>, word::WordErrorKind> {
    let Some(rest) = text.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")
    else {
        return Ok(None);
    };
    let (strip_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let rest = rest.trim_start_matches(['\t', '\n', '\x0c', '\r', ' ']);
    if rest.is_empty() || rest.contains('<') {
        return Ok(None);
    }
    if is_plain(rest) {
        let one = !rest.contains(char::is_whitespace);
        return Ok(one.then(|| Marker { name: rest.to_owned(), expand: true, strip_tabs }));
    }
    let rest = LogicalText::contiguous(rest, 0);
    let lex = |raw_quotes| {
        let mode =
            Mode { escape: '\\', quotes: true, raw_quotes, raw_escapes: false, markers: true };
        raw_words(&rest, mode)
    };
    let mut words = lex(false)?;
    let raw = lex(true)?;
    let ([_], [raw]) = (words.as_slice(), raw.as_slice()) else { return Ok(None) };
    let name = words.remove(0).text;
    // Quotes that were there and are gone tell that the delimiter was quoted.
    let expand = quotes_in(&name) == quotes_in(&raw.text);
    Ok(Some(Marker { name, expand, strip_tabs }))
}

/// Whether the lexer would find nothing in the text but words and blanks.
fn is_plain(text: &str) -> bool {
    !text.bytes().any(|b| matches!(b, b'\'' | b'"' | b'\\' | b'$'))
}

/// The words of a plain text from the first one with `<<` in it, as offsets. The blanks after `<<`
/// do not end a word.
fn plain_words(text: &str) -> PlainWords<'_> {
    let first = memchr::memmem::find(text.as_bytes(), b"<<").unwrap_or(text.len());
    let blank = text[..first].char_indices().rfind(|(_, c)| c.is_whitespace());
    PlainWords { text, at: blank.map_or(0, |(at, c)| at + c.len_utf8()) }
}

struct PlainWords<'t> {
    text: &'t str,
    at: usize,
}

impl Iterator for PlainWords<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let mut chars = self.text[start..].char_indices().peekable();
        let mut end = self.text.len();
        while let Some((at, c)) = chars.next() {
            if c.is_whitespace() {
                end = start + at;
                break;
            }
            if c == '<' && chars.next_if(|&(_, c)| c == '<').is_some() {
                while chars.next_if(|&(_, c)| matches!(c, '\t' | '\r' | ' ')).is_some() {}
            }
        }
        self.at = end;
        (start < end).then_some(start..end)
    }
}

fn quotes_in(text: &str) -> usize {
    text.bytes().filter(|b| matches!(b, b'\'' | b'"')).count()
}

/// Splits text into words with variables left as they are written.
fn raw_words(text: &LogicalText, mode: Mode) -> Result<Vec<WordSpan>, word::WordErrorKind> {
    let parsed = word::parse_with(text, mode);
    if let Some(error) = &parsed.error {
        return Err(error.kind.clone());
    }
    Ok(word::split_words(&parsed, |variable| Ok(written(variable))).unwrap_or_default())
}

/// A variable as BuildKit writes one that is not set.
fn written(variable: &Variable) -> String {
    let name = &variable.name;
    let Some(op) = &variable.op else {
        return if variable.braced { format!("${{{name}}}") } else { format!("${name}") };
    };
    let inner = |word: &word::ParsedWord| {
        let mut out = String::new();
        for part in &word.parts {
            match part {
                Part::Literal { text, .. } => out.push_str(text),
                Part::Variable(variable) => out.push_str(&written(variable)),
            }
        }
        out
    };
    let operand = inner(&op.operand);
    match &op.replacement {
        Some(replacement) => format!("${{{name}/{operand}/{}}}", inner(replacement)),
        None => format!("${{{name}{}{operand}}}", op.kind.sign()),
    }
}

/// The markers in an instruction's line.
fn markers(line: &LogicalText) -> Result<Vec<(Marker, Span)>, (Span, word::WordErrorKind)> {
    if is_plain(line) {
        let found = plain_words(line).filter_map(|range| {
            let marker = heredoc_marker(&line[range.clone()])?;
            Some((marker, line.span(range.start as u32, range.end as u32)))
        });
        return Ok(found.collect());
    }
    let mode =
        Mode { escape: '\\', quotes: true, raw_quotes: true, raw_escapes: true, markers: true };
    // BuildKit sees no marker in a line that its lexer cannot read, `${x^^}` for example.
    let words = raw_words(line, mode).unwrap_or_default();
    let mut found = Vec::new();
    for word in words {
        match marker(&word.text) {
            Ok(None) => {}
            Ok(Some(marker)) => found.push((marker, word.span)),
            Err(error) => return Err((word.span, error)),
        }
    }
    Ok(found)
}

/// Where lines with a given text stand. Built when a here-document without an end is met for the
/// first time, so that a file full of them does not read its end again and again.
#[derive(Default)]
pub(super) struct Terminators<'t> {
    index: Option<HashMap<&'t str, Vec<usize>>>,
}

impl<'t> Terminators<'t> {
    /// Notes every line from `at` on, as it is and without leading tabs.
    fn build(&mut self, text: &'t str, at: usize) {
        let mut index: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut start = at;
        for line in text[at..].split_inclusive('\n') {
            let content = trim_line_end(line);
            index.entry(content).or_default().push(start);
            let stripped = content.trim_start_matches('\t');
            if stripped.len() < content.len() {
                index.entry(stripped).or_default().push(start);
            }
            start += line.len();
        }
        self.index = Some(index);
    }
}

fn trim_line_end(line: &str) -> &str {
    let kept = line.bytes().rev().position(|b| !matches!(b, b'\r' | b'\n'));
    &line[..kept.map_or(0, |dropped| line.len() - dropped)]
}

fn ends(line: &str, marker: &Marker) -> bool {
    let line = trim_line_end(line);
    let line = if marker.strip_tabs { line.trim_start_matches('\t') } else { line };
    line == marker.name
}

impl<'t> Parser<'t> {
    /// Reads the here-documents that `line` announces from the lines after it.
    pub(super) fn heredocs(&mut self, line: &LogicalText) -> Vec<Heredoc> {
        if memchr::memmem::find(line.as_bytes(), b"<<").is_none() {
            return Vec::new();
        }
        let markers = match markers(line) {
            Ok(markers) => markers,
            Err((span, error)) => {
                self.error(span, Kind::HeredocDelimiter(error));
                return Vec::new();
            }
        };
        let mut heredocs = Vec::with_capacity(markers.len());
        let mut broken = false;
        for (marker, span) in markers {
            let heredoc = self.heredoc(marker, span, broken);
            if heredoc.terminator.is_empty() && !broken {
                broken = true;
                let name = super::keyword::excerpt(&heredoc.name);
                self.error(span, Kind::UnterminatedHeredoc { name });
            }
            heredocs.push(heredoc);
        }
        heredocs
    }

    fn heredoc(&mut self, marker: Marker, span: Span, broken: bool) -> Heredoc {
        let text: &'t str = self.file;
        let start = self.lines.position();
        let found = if broken { None } else { self.find_end(&marker) };
        let (body_end, terminator) = match found {
            Some(at) => {
                self.lines.skip_over(at);
                let line = self.lines.next();
                let end = line.map_or(at, |l| l.end_of_content);
                // The tabs that are stripped are no part of it.
                let tabs = end - marker.name.len() - at;
                (at, Span::new((at + tabs) as u32, end as u32))
            }
            None => {
                let end = if broken { start } else { self.recovery_point() };
                self.lines.skip_over(end);
                (end, Span::empty(end as u32))
            }
        };
        let body_span = Span::new(start as u32, body_end as u32);
        let raw_body = self.whole.cut(start..body_end);
        let body = if marker.strip_tabs { strip_tabs(text, body_span) } else { raw_body.clone() };
        Heredoc {
            name: marker.name,
            marker: span,
            expand: marker.expand,
            strip_tabs: marker.strip_tabs,
            body,
            raw_body,
            body_span,
            terminator,
        }
    }

    /// Where the line that ends the here-document begins.
    fn find_end(&mut self, marker: &Marker) -> Option<usize> {
        let text: &'t str = self.file;
        let from = self.lines.position();
        if self.terminators.index.is_none() {
            let mut at = from;
            for newline in memchr::memchr_iter(b'\n', &text.as_bytes()[from..]) {
                let next = from + newline + 1;
                if ends(&text[at..next], marker) {
                    return Some(at);
                }
                at = next;
            }
            if at < text.len() && ends(&text[at..], marker) {
                return Some(at);
            }
            self.terminators.build(text, from);
            return None;
        }
        let candidates = self.terminators.index.as_ref()?.get(marker.name.as_str())?;
        let first = candidates.partition_point(|&at| at < from);
        candidates[first..]
            .iter()
            .copied()
            .find(|&at| ends(text[at..].split_inclusive('\n').next().unwrap_or_default(), marker))
    }

    /// Where a here-document without an end is taken to end: before the next line that looks like
    /// an instruction, so that the rest of the file is still understood.
    fn recovery_point(&self) -> usize {
        let from = self.lines.position();
        let mut at = from;
        for line in self.file[from..].split_inclusive('\n') {
            if begins_instruction(line) {
                break;
            }
            at += line.len();
        }
        at
    }
}

fn strip_tabs(text: &str, span: Span) -> LogicalText {
    let mut builder = TextBuilder::with_capacity(span.len() as usize);
    let mut at = span.start as usize;
    for line in text[span.range()].split_inclusive('\n') {
        let stripped = line.trim_start_matches('\t');
        builder.push(stripped, (at + line.len() - stripped.len()) as u32);
        at += line.len();
    }
    builder.finish(span.start)
}
