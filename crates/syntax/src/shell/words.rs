//! Words: quotes, substitutions and what stands between.

use super::ast::{Param, Quote, ShellWord, WordPart};
use super::cursor::{Broken, Parsed, Parser, ends_word, name_len};
use crate::text::{Pieces, TextBuilder};

/// Where a word ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// A blank or an operator.
    Blank,
    /// A blank outside of parentheses: the right side of `=~`.
    RegexBlank,
    /// A closing brace, or one of the bytes given: an operand in `${…}`.
    Brace {
        /// Another byte that ends it; the brace itself when there is none.
        or: u8,
        /// Whether single quotes stand for themselves.
        plain_quotes: bool,
    },
}

impl Parser<'_> {
    /// A word; the caller has made sure that one begins here.
    pub(super) fn word(&mut self) -> Parsed<ShellWord> {
        let start = self.at;
        let parts = self.parts(Until::Blank, false)?;
        if self.at == start {
            return Err(Broken);
        }
        Ok(ShellWord { span: self.span(start, self.at), parts })
    }

    /// The parts up to where the word ends; `quoted` for text that a double quote is around.
    pub(super) fn parts(&mut self, until: Until, quoted: bool) -> Parsed<Vec<WordPart>> {
        let mut parts = Vec::new();
        let quote = if quoted { Quote::Double } else { Quote::None };
        let mut parentheses = 0usize;
        loop {
            let start = self.at;
            let stop = self.plain_run(until, &mut parentheses);
            if self.at > start {
                parts.push(self.literal(start, start, self.at, quote));
            }
            if stop {
                return Ok(parts);
            }
            match self.peek() {
                None => return Ok(parts),
                Some(b'\\') => self.backslash(quoted, &mut parts),
                Some(b'\'') => parts.push(self.single_quoted()?),
                Some(b'"') => self.double_quoted(&mut parts)?,
                Some(b'$') => self.dollar(quoted, &mut parts)?,
                Some(b'`') => parts.push(self.backticks(quoted)?),
                Some(_) => parts.push(self.process_substitution()?),
            }
        }
    }

    /// Goes past text that stands for itself. Whether the word ends there.
    fn plain_run(&mut self, until: Until, parentheses: &mut usize) -> bool {
        let bytes = self.text.as_bytes();
        let start = self.at;
        while let Some(&b) = bytes.get(self.at) {
            match (b, until) {
                (b'\\' | b'"' | b'$' | b'`', _) => return false,
                (b'\'', Until::Brace { plain_quotes: true, .. }) => {}
                (b'\'', _) => return false,
                (_, Until::Brace { or, .. }) if b == b'}' || b == or => return true,
                (_, Until::Brace { .. }) => {}
                (b'(', Until::RegexBlank) => *parentheses += 1,
                (b')', Until::RegexBlank) if *parentheses > 0 => *parentheses -= 1,
                (b' ' | b'\t' | b'|' | b'<' | b'>' | b'&', Until::RegexBlank)
                    if *parentheses > 0 => {}
                (b'|', Until::RegexBlank) => {}
                (b'<' | b'>', Until::Blank) if self.at_process_substitution() => return false,
                (b'(', Until::Blank) if self.extended_glob(start) => continue,
                _ if ends_word(b) => return true,
                _ => {}
            }
            self.at += 1;
        }
        true
    }

    /// `@(a|b)` and its kin: goes past the parentheses if that is what stands here.
    fn extended_glob(&mut self, start: usize) -> bool {
        let bytes = self.text.as_bytes();
        if self.at == start || !b"?*+@!".contains(&bytes[self.at - 1]) {
            return false;
        }
        let mut depth = 0usize;
        for (i, &b) in bytes[self.at..].iter().enumerate() {
            match b {
                b'(' => depth += 1,
                b')' if depth == 1 => {
                    self.at += i + 1;
                    return true;
                }
                b')' => depth -= 1,
                b'\n' | b';' | b' ' | b'\'' | b'"' | b'$' | b'`' => return false,
                _ => {}
            }
        }
        false
    }

    fn literal(&self, start: usize, from: usize, to: usize, quote: Quote) -> WordPart {
        WordPart::Literal {
            text: self.slice(from, to),
            span: self.span(start, self.at.max(to)),
            quote,
        }
    }

    fn backslash(&mut self, quoted: bool, parts: &mut Vec<WordPart>) {
        let start = self.at;
        self.at += 1;
        let from = self.at;
        self.bump();
        let next = self.text.as_bytes().get(from).copied();
        if next == Some(b'\n') {
            return;
        }
        let part = match (quoted, next) {
            // At the end, and before most characters in double quotes, it stands for itself.
            (_, None) => self.literal(start, start, from, Quote::Escaped),
            (true, Some(b)) if !b"$`\"\\}".contains(&b) => {
                self.literal(start, start, self.at, Quote::Double)
            }
            _ => self.literal(start, from, self.at, Quote::Escaped),
        };
        parts.push(part);
    }

    fn single_quoted(&mut self) -> Parsed<WordPart> {
        let start = self.at;
        let from = start + 1;
        let len = memchr::memchr(b'\'', &self.text.as_bytes()[from..]).ok_or(Broken)?;
        self.at = from + len + 1;
        Ok(self.literal(start, from, from + len, Quote::Single))
    }

    fn double_quoted(&mut self, parts: &mut Vec<WordPart>) -> Parsed<()> {
        let open = self.at;
        self.at += 1;
        self.expanding_text(open, Some(b'"'), parts)
    }

    /// The whole text as the body of a here-document.
    pub(super) fn here_text(&mut self) -> ShellWord {
        let span = self.raw.full_span();
        let mut parts = Vec::new();
        let broken = super::cursor::MAX_DEPTH < self.depth;
        if broken || self.expanding_text(0, None, &mut parts).is_err() {
            let rest = self.span(self.at.min(self.text.len()), self.text.len());
            self.errors.push(rest);
            parts.push(WordPart::Opaque(rest));
        }
        ShellWord { span, parts }
    }

    /// Text in which only `$`, backticks and some escapes have a meaning, up to `close`.
    fn expanding_text(
        &mut self,
        open: usize,
        close: Option<u8>,
        parts: &mut Vec<WordPart>,
    ) -> Parsed<()> {
        let bytes = self.text.as_bytes();
        let first_part = parts.len();
        let mut start = open;
        let mut text = Pieces::from(self.at);
        loop {
            while let Some(&b) = bytes.get(self.at) {
                if matches!(b, b'$' | b'`' | b'\\') || Some(b) == close {
                    break;
                }
                self.at += 1;
            }
            let here = self.at;
            let flush = |parser: &Self, text: &mut Pieces, end: usize, next: usize, keep: bool| {
                let done = std::mem::replace(text, Pieces::from(next));
                let text = done.finish(parser.raw, here);
                let span = parser.span(start, end);
                (keep || !text.is_empty()).then_some(WordPart::Literal {
                    text,
                    span,
                    quote: Quote::Double,
                })
            };
            match self.peek() {
                Some(b'\\') => {
                    let next = self.peek_at(1);
                    let escaped = matches!(next, Some(b'$' | b'`' | b'\\' | b'\n'));
                    self.at += 1;
                    if next == Some(b'\n') {
                        self.at += 1;
                        text.cut(here, self.at);
                    } else if escaped || (next.is_some() && next == close) {
                        text.cut(here, self.at);
                        self.at += 1;
                    }
                }
                Some(b) if Some(b) == close => {
                    self.at += 1;
                    // A pair of quotes with nothing in it still makes a word.
                    let keep = parts.len() == first_part;
                    parts.extend(flush(self, &mut text, self.at, self.at, keep));
                    return Ok(());
                }
                Some(b) => {
                    parts.extend(flush(self, &mut text, here, here, false));
                    if b == b'$' {
                        self.dollar(true, parts)?;
                    } else {
                        let part = self.backticks(true)?;
                        parts.push(part);
                    }
                    start = self.at;
                    text = Pieces::from(self.at);
                }
                None if close.is_some() => return Err(Broken),
                None => {
                    parts.extend(flush(self, &mut text, here, here, false));
                    return Ok(());
                }
            }
        }
    }

    fn dollar(&mut self, quoted: bool, parts: &mut Vec<WordPart>) -> Parsed<()> {
        let start = self.at;
        match self.peek_at(1) {
            Some(b'(') => {
                let part = self.parenthesized(quoted)?;
                parts.push(part);
            }
            Some(b'{') => {
                let part = match self.deeper(|parser| parser.braced_param(quoted)) {
                    Ok(param) => WordPart::Param(param),
                    Err(Broken) => self.opaque_param(start)?,
                };
                parts.push(part);
            }
            Some(b'[') => {
                // Near by: the old form of arithmetic is short.
                let bytes = self.rest().as_bytes();
                let close = memchr::memchr2(b']', b'\n', &bytes[..bytes.len().min(256)]);
                match close.filter(|&i| self.peek_at(i) == Some(b']')) {
                    Some(close) => {
                        let text = self.text[start + 2..start + close].to_owned();
                        self.at = start + close + 1;
                        let span = self.span(start, self.at);
                        let inner = self.arithmetic_parts(start + 2, start + close);
                        parts.push(WordPart::Arithmetic { text, parts: inner, span, quoted });
                    }
                    None => self.lone_dollar(quoted, parts),
                }
            }
            Some(b'\'') if !quoted => {
                let part = self.ansi_quoted()?;
                parts.push(part);
            }
            Some(b'"') if !quoted => {
                self.at += 1;
                self.double_quoted(parts)?;
            }
            _ => match self.simple_param(quoted) {
                Some(param) => parts.push(WordPart::Param(param)),
                None => self.lone_dollar(quoted, parts),
            },
        }
        Ok(())
    }

    fn lone_dollar(&mut self, quoted: bool, parts: &mut Vec<WordPart>) {
        let start = self.at;
        self.at += 1;
        let quote = if quoted { Quote::Double } else { Quote::None };
        parts.push(self.literal(start, start, self.at, quote));
    }

    /// `$x`, `$1`, `$@`.
    fn simple_param(&mut self, quoted: bool) -> Option<Param> {
        let start = self.at;
        let from = start + 1;
        let rest = &self.text[from..];
        let len = match rest.as_bytes().first()? {
            b'0'..=b'9' | b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' => 1,
            _ => name_len(rest),
        };
        if len == 0 {
            return None;
        }
        self.at = from + len;
        Some(Param {
            name: rest[..len].to_owned(),
            name_span: self.span(from, self.at),
            span: self.span(start, self.at),
            braced: false,
            quoted,
            index: None,
            op: None,
        })
    }

    /// `$((…))` or `$(…)`.
    fn parenthesized(&mut self, quoted: bool) -> Parsed<WordPart> {
        let start = self.at;
        if self.looking_at("$((")
            && let Some(end) = self.arithmetic_end(start + 3)
        {
            self.at = end + 2;
            let text = self.text[start + 3..end].to_owned();
            let parts = self.arithmetic_parts(start + 3, end);
            let span = self.span(start, self.at);
            return Ok(WordPart::Arithmetic { text, parts, span, quoted });
        }
        self.at = start + 2;
        match self.substituted(start) {
            Ok(script) => {
                Ok(WordPart::CommandSub { script, span: self.span(start, self.at), quoted })
            }
            Err(Broken) => self.opaque_substitution(start, start + 2),
        }
    }

    /// What expands inside of `$((…))`, which is as if it were in double quotes.
    fn arithmetic_parts(&mut self, from: usize, to: usize) -> Vec<WordPart> {
        let inner = self.slice(from, to);
        let mut parser = Parser::new(&inner, self.depth + 1);
        let word = parser.here_text();
        self.errors.append(&mut parser.errors);
        word.parts
    }

    /// `<(…)` or `>(…)`.
    fn process_substitution(&mut self) -> Parsed<WordPart> {
        let start = self.at;
        let output = self.peek() == Some(b'>');
        self.at = start + 2;
        match self.substituted(start) {
            Ok(script) => {
                Ok(WordPart::ProcessSub { script, span: self.span(start, self.at), output })
            }
            Err(Broken) => self.opaque_substitution(start, start + 2),
        }
    }

    fn substituted(&mut self, start: usize) -> Parsed<super::Script> {
        let mut script = self.inner_script()?;
        self.expect(")")?;
        if script.commands.is_empty() {
            script.span = self.span(start, self.at);
        }
        Ok(script)
    }

    /// A substitution that cannot be read, up to the parenthesis that most likely closes it.
    fn opaque_substitution(&mut self, start: usize, from: usize) -> Parsed<WordPart> {
        let bytes = self.text.as_bytes();
        let mut depth = 1usize;
        let mut at = from;
        while depth > 0 {
            match bytes.get(at).ok_or(Broken)? {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => at += 1,
                &q @ (b'\'' | b'"') => {
                    at += 1 + memchr::memchr(q, &bytes[at + 1..]).ok_or(Broken)?;
                }
                _ => {}
            }
            at += 1;
        }
        self.at = at;
        let span = self.span(start, at);
        self.errors.push(span);
        Ok(WordPart::Opaque(span))
    }

    /// A `${…}` that means nothing, which the shell finds out only when it comes to it. It has to
    /// be plain enough for its end to be certain.
    fn opaque_param(&mut self, start: usize) -> Parsed<WordPart> {
        let inside = &self.text.as_bytes()[start + 2..];
        let len = inside.iter().position(|b| b"}'\"\\`${\n".contains(b)).ok_or(Broken)?;
        if inside[len] != b'}' {
            return Err(Broken);
        }
        self.at = start + 2 + len + 1;
        Ok(WordPart::Opaque(self.span(start, self.at)))
    }

    fn backticks(&mut self, quoted: bool) -> Parsed<WordPart> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += 1;
        let mut text = Pieces::from(self.at);
        loop {
            let rest = &bytes[self.at..];
            self.at += memchr::memchr2(b'`', b'\\', rest).ok_or(Broken)?;
            if bytes[self.at] == b'`' {
                break;
            }
            let next = self.peek_at(1).ok_or(Broken)?;
            if matches!(next, b'$' | b'`' | b'\\') || (quoted && next == b'"') {
                text.cut(self.at, self.at + 1);
                self.at += 2;
            } else {
                self.at += 1;
            }
        }
        let inner = text.finish(self.raw, self.at);
        self.at += 1;
        let mut parser = Parser::new(&inner, self.depth + 1);
        let script = parser.script();
        self.errors.append(&mut parser.errors);
        Ok(WordPart::CommandSub { script, span: self.span(start, self.at), quoted })
    }

    /// `$'…'` with its escapes decoded.
    fn ansi_quoted(&mut self) -> Parsed<WordPart> {
        let start = self.at;
        self.at += 2;
        let mut out = TextBuilder::default();
        loop {
            let from = self.at;
            let len = self.rest().find(['\'', '\\']).ok_or(Broken)?;
            self.at += len;
            out.push_text(&self.slice(from, self.at));
            if self.eat("'") {
                break;
            }
            let at = self.raw.to_file(self.at as u32);
            self.at += 1;
            if self.peek().is_some_and(|b| !b"abeEfnrtv01234567xuU\\'\"?".contains(&b)) {
                // Before any other character the backslash stays.
                out.push("\\", at);
            }
            let decoded = self.ansi_escape()?;
            out.push(decoded.encode_utf8(&mut [0; 4]), at);
        }
        let text = out.finish(self.raw.to_file(start as u32));
        Ok(WordPart::Literal { text, span: self.span(start, self.at), quote: Quote::Single })
    }

    /// After the backslash in `$'…'`.
    fn ansi_escape(&mut self) -> Parsed<char> {
        let rest = self.rest();
        let c = rest.chars().next().ok_or(Broken)?;
        let digits = |radix: u32, from: usize, most: usize| {
            let text = &rest[from..];
            let len = text.chars().take(most).take_while(|c| c.is_digit(radix)).count();
            let code = u32::from_str_radix(&text[..len], radix).ok();
            (code.and_then(char::from_u32).unwrap_or('\u{fffd}'), from + len)
        };
        let (decoded, len) = match c {
            'n' => ('\n', 1),
            't' => ('\t', 1),
            'r' => ('\r', 1),
            'a' => ('\u{7}', 1),
            'b' => ('\u{8}', 1),
            'e' | 'E' => ('\u{1b}', 1),
            'f' => ('\u{c}', 1),
            'v' => ('\u{b}', 1),
            '0'..='7' => digits(8, 0, 3),
            'x' | 'u' | 'U' => {
                let most = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                digits(16, 1, most)
            }
            c => (c, c.len_utf8()),
        };
        self.at += len;
        Ok(decoded)
    }
}
