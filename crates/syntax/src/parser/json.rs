//! The exec form: JSON arrays of strings, read as strictly as Go's decoder reads them.

use crate::span::Spanned;
use crate::text::LogicalText;
use crate::tree::Word;

/// A string of the array.
pub(super) struct JsonString {
    value: String,
    /// Offsets of its quotes in the text that was read.
    start: u32,
    end: u32,
}

impl JsonString {
    /// With its place in the file.
    pub(super) fn spanned(self, rest: &LogicalText) -> Spanned<String> {
        let span = rest.span(self.start, self.end);
        Spanned::new(self.value, span)
    }

    /// As a word; it stands in the file as it is unless escapes are in it.
    pub(super) fn word(&self, rest: &LogicalText) -> Word {
        let (start, end) = (self.start + 1, self.end - 1);
        let raw = if (end - start) as usize == self.value.len() {
            rest.slice(start, end)
        } else {
            LogicalText::spread(&self.value, rest.span(start, end))
        };
        Word { raw }
    }
}

/// How an argument that may be JSON turned out.
pub(super) enum Json {
    /// An array of strings.
    Strings(Vec<JsonString>),
    /// A JSON array with something else in it, which BuildKit refuses.
    Mixed,
    /// No JSON array: it is taken as plain text.
    No,
}

/// Go refuses deeper nesting.
const MAX_DEPTH: usize = 10_000;

/// Reads `rest` as a JSON array of strings.
pub(super) fn parse(rest: &LogicalText) -> Json {
    let text = rest.as_str();
    let at = text.len() - text.trim_start().len();
    if !text[at..].starts_with('[') {
        return Json::No;
    }
    let mut reader = Reader { text, bytes: text.as_bytes(), at: at + 1 };
    match reader.array() {
        Some((strings, true)) => Json::Strings(strings),
        Some((_, false)) => Json::Mixed,
        None => Json::No,
    }
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, b: u8) -> bool {
        let eaten = self.peek() == Some(b);
        self.at += usize::from(eaten);
        eaten
    }

    /// After the opening bracket; the strings, and whether there was nothing else.
    fn array(&mut self) -> Option<(Vec<JsonString>, bool)> {
        let mut strings = Vec::new();
        let mut only_strings = true;
        self.blanks();
        if !self.eat(b']') {
            loop {
                self.blanks();
                let start = self.at;
                if self.peek() == Some(b'"') {
                    let value = self.string()?;
                    let (start, end) = (start as u32, self.at as u32);
                    strings.push(JsonString { value, start, end });
                } else {
                    only_strings = false;
                    self.skip_value()?;
                }
                self.blanks();
                if self.eat(b']') {
                    break;
                }
                if !self.eat(b',') {
                    return None;
                }
            }
        }
        self.blanks();
        (self.at == self.bytes.len()).then_some((strings, only_strings))
    }

    /// At an opening quote.
    fn string(&mut self) -> Option<String> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let start = self.at;
            while !matches!(self.peek()?, b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(out);
                }
                b'\\' => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                _ => return None,
            }
        }
    }

    /// After a backslash.
    fn escape(&mut self) -> Option<char> {
        let b = self.peek()?;
        self.at += 1;
        Some(match b {
            b'"' | b'\\' | b'/' => char::from(b),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let rest = &self.bytes[self.at..];
                if (0xd800..0xdc00).contains(&high) && rest.starts_with(b"\\u") {
                    let back = self.at;
                    self.at += 2;
                    let low = self.hex()?;
                    if (0xdc00..0xe000).contains(&low) {
                        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                        return char::from_u32(code);
                    }
                    self.at = back;
                }
                // Half a pair stands for the replacement character.
                char::from_u32(high).unwrap_or('\u{fffd}')
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.bytes.get(self.at..self.at + 4)?;
        let mut value = 0;
        for &b in digits {
            value = value * 16 + char::from(b).to_digit(16)?;
        }
        self.at += 4;
        Some(value)
    }

    /// Any value, only to know that it is one. Without recursion: nesting is the file's choice.
    fn skip_value(&mut self) -> Option<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.blanks();
            match self.peek()? {
                b'[' | b'{' if open.len() + 1 >= MAX_DEPTH => return None,
                b @ (b'[' | b'{') => {
                    self.at += 1;
                    self.blanks();
                    let close = if b == b'[' { b']' } else { b'}' };
                    if !self.eat(close) {
                        open.push(close);
                        if b == b'{' {
                            self.key()?;
                        }
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => self.number()?,
            }
            loop {
                let Some(&close) = open.last() else { return Some(()) };
                self.blanks();
                if self.eat(close) {
                    open.pop();
                    continue;
                }
                if !self.eat(b',') {
                    return None;
                }
                if close == b'}' {
                    self.key()?;
                }
                break;
            }
        }
    }

    fn key(&mut self) -> Option<()> {
        self.blanks();
        if self.peek()? != b'"' {
            return None;
        }
        self.string()?;
        self.blanks();
        self.eat(b':').then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.bytes[self.at..].starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    fn number(&mut self) -> Option<()> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}
