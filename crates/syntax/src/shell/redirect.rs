//! Redirections and here-documents.

use super::ast::{Quote, Redirect, RedirectKind, ShellWord, WordPart};
use super::cursor::{Broken, Parsed, Parser};
use crate::text::{LogicalText, TextBuilder};

impl Parser<'_> {
    /// A redirection, if one begins here.
    pub(super) fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        let start = self.at;
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        match self.peek_at(digits) {
            Some(b'<' | b'>') => {}
            Some(b'&') if digits == 0 && self.peek_at(1) == Some(b'>') => {}
            _ => return Ok(None),
        }
        self.at += digits;
        if self.at_process_substitution() {
            self.at = start;
            return Ok(None);
        }
        let fd = self.text[start..self.at].parse().ok();
        let wrap: fn(ShellWord) -> RedirectKind = if self.eat("&>>") {
            |target| RedirectKind::OutputAndError { append: true, target }
        } else if self.eat("&>") {
            |target| RedirectKind::OutputAndError { append: false, target }
        } else if self.eat("<<<") {
            RedirectKind::HereString
        } else if self.looking_at("<<") {
            return self.here_document(start, fd).map(Some);
        } else if self.eat("<&") || self.eat(">&") {
            RedirectKind::Duplicate
        } else if self.eat("<>") {
            RedirectKind::ReadWrite
        } else if self.eat("<") {
            RedirectKind::Input
        } else if self.eat(">>") {
            RedirectKind::Append
        } else {
            self.expect(">")?;
            self.eat("|");
            RedirectKind::Output
        };
        self.blanks();
        if self.at_word_end() && !self.at_process_substitution() {
            return Err(Broken);
        }
        let target = self.word()?;
        let span = self.span(start, self.at);
        Ok(Some(Redirect { span, fd, kind: wrap(target) }))
    }

    /// At `<<`. The body is read at once, from the line after this one; the place stays.
    fn here_document(&mut self, start: usize, fd: Option<u32>) -> Parsed<Redirect> {
        self.at += 2;
        let strip_tabs = self.eat("-");
        self.blanks();
        if self.at_word_end() {
            return Err(Broken);
        }
        let (delimiter, expand) = self.delimiter();
        let span = self.span(start, self.at);
        let line_end = match self.skip {
            Some((line_end, _)) if line_end >= self.at => line_end,
            _ => self.line_end(self.at),
        };
        let from = match self.skip {
            Some((_, resume)) if resume > line_end => resume,
            _ => (line_end + 1).min(self.text.len()),
        };
        let (to, resume) = self.body_end(from, &delimiter, strip_tabs);
        self.skip = Some((line_end, resume));
        let body = self.here_body(from, to, expand, strip_tabs);
        Ok(Redirect {
            span,
            fd,
            kind: RedirectKind::HereDoc { delimiter, expand, strip_tabs, body },
        })
    }

    /// The delimiter without quotes, and whether there were none.
    fn delimiter(&mut self) -> (String, bool) {
        let mut name = String::new();
        let mut expand = true;
        while !self.at_word_end() {
            match self.peek() {
                Some(b'\\') => {
                    expand = false;
                    self.at += 1;
                    let from = self.at;
                    self.bump();
                    name.push_str(&self.text[from..self.at]);
                }
                Some(quote @ (b'\'' | b'"')) => {
                    expand = false;
                    let from = self.at + 1;
                    let len = memchr::memchr(quote, &self.text.as_bytes()[from..]);
                    let to = len.map_or(self.text.len(), |len| from + len);
                    name.push_str(&self.text[from..to]);
                    self.at = (to + 1).min(self.text.len());
                }
                _ => {
                    let from = self.at;
                    self.bump();
                    name.push_str(&self.text[from..self.at]);
                }
            }
        }
        (name, expand)
    }

    /// Where the body ends, and where the line after its terminator begins. Without a terminator
    /// it goes to the end, as in the shell.
    fn body_end(&self, from: usize, delimiter: &str, strip_tabs: bool) -> (usize, usize) {
        let mut at = from;
        for line in self.text[from..].split_inclusive('\n') {
            let content = line.strip_suffix('\n').unwrap_or(line);
            let content = if strip_tabs { content.trim_start_matches('\t') } else { content };
            if content == delimiter {
                return (at, at + line.len());
            }
            at += line.len();
        }
        (at, at)
    }

    fn here_body(&mut self, from: usize, to: usize, expand: bool, strip: bool) -> ShellWord {
        let body = if strip { self.stripped(from, to) } else { self.slice(from, to) };
        let span = body.full_span();
        if expand {
            let mut parser = Parser::new(&body, self.depth + 1);
            let word = parser.here_text();
            self.errors.append(&mut parser.errors);
            return word;
        }
        let parts = match body.is_empty() {
            true => Vec::new(),
            false => vec![WordPart::Literal { text: body, span, quote: Quote::Single }],
        };
        ShellWord { span, parts }
    }

    fn stripped(&self, from: usize, to: usize) -> LogicalText {
        let mut builder = TextBuilder::with_capacity(to - from);
        let mut at = from;
        for line in self.text[from..to].split_inclusive('\n') {
            let end = at + line.len();
            let start = end - line.trim_start_matches('\t').len();
            builder.push_text(&self.slice(start, end));
            at = end;
        }
        builder.finish(self.raw.to_file(from as u32))
    }
}
