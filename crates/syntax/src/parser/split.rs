//! An instruction's line into keyword, flags and the rest; the rest into words.

use crate::text::{LogicalText, TextBuilder};
use crate::tree::{Flag, Word};

/// What [`split_command`] finds.
pub(super) struct Parts {
    pub(super) keyword: LogicalText,
    pub(super) flags: Vec<Flag>,
    pub(super) rest: LogicalText,
}

/// White space between words, BuildKit's `[\t\v\f\r ]`.
pub(super) fn is_blank(b: u8) -> bool {
    matches!(b, b'\t' | 0x0b | 0x0c | b'\r' | b' ')
}

/// Bytes before the first blank.
fn word_len(text: &str) -> usize {
    text.bytes().position(is_blank).unwrap_or(text.len())
}

/// Bytes before the first that is none.
fn blanks_len(text: &str) -> usize {
    text.bytes().position(|b| !is_blank(b)).unwrap_or(text.len())
}

/// Splits a whole line.
pub(super) fn split_command(line: &LogicalText, escape: char) -> Parts {
    let text = line.as_str().trim_end();
    let blanks = text.len() - text.trim_start().len();
    let end = blanks + word_len(&text[blanks..]);
    let keyword = line.cut(blanks..end);
    let start = end + blanks_len(&text[end..]);
    let mut flags = Vec::new();
    // Most instructions have no flags: the cheap look comes first.
    let at = if text[start..].starts_with("--") {
        start + extract_flags(&line.cut(start..text.len()), escape, &mut flags)
    } else {
        start
    };
    let rest = text[at..].trim_start();
    Parts { keyword, flags, rest: line.cut(text.len() - rest.len()..text.len()) }
}

/// Reads the flags at the start and returns where the rest begins.
///
/// BuildKit reads them byte by byte, so only ASCII blanks end them. (It also takes the bytes 0x85
/// and 0xa0 inside of a character for blanks, which tears that character; nobody can mean that.)
fn extract_flags(line: &LogicalText, escape: char, flags: &mut Vec<Flag>) -> usize {
    let text = line.as_str();
    let mut at = 0;
    loop {
        at += blanks_len(&text[at..]);
        if !text[at..].starts_with("--") {
            return at;
        }
        let word = flag_word(text, at, escape);
        let end = word.end;
        if word.is_double_dash(text) {
            return end;
        }
        flags.push(flag(line, at, &word));
        at = end;
    }
}

/// One word with its quotes and escapes found.
struct FlagWord {
    /// The ranges that remain without quotes and escape characters.
    kept: Vec<(usize, usize)>,
    end: usize,
}

impl FlagWord {
    fn is_double_dash(&self, text: &str) -> bool {
        let bytes: usize = self.kept.iter().map(|(from, to)| to - from).sum();
        bytes == 2 && self.kept.iter().all(|&(from, to)| text[from..to].bytes().all(|b| b == b'-'))
    }
}

fn flag_word(text: &str, start: usize, escape: char) -> FlagWord {
    let mut kept = Vec::new();
    let mut from = start;
    let mut quote = None;
    let mut chars = text[start..].char_indices().map(|(i, c)| (start + i, c));
    let end = loop {
        let Some((at, c)) = chars.next() else { break text.len() };
        if c == escape {
            // It takes the next character as it is; at the end it stands for nothing.
            kept.push((from, at));
            from = at + c.len_utf8();
            chars.next();
            continue;
        }
        match quote {
            None if c.is_ascii() && is_blank(c as u8) => break at,
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(q) if c == q => quote = None,
            _ => continue,
        }
        kept.push((from, at));
        from = at + 1;
    };
    kept.push((from.min(end), end));
    kept.retain(|(from, to)| from < to);
    FlagWord { kept, end }
}

fn flag(line: &LogicalText, start: usize, word: &FlagWord) -> Flag {
    let text = join(line, &word.kept, word.end);
    let span = line.span(start as u32, word.end as u32);
    let (name_end, value) = match memchr::memchr(b'=', text.as_bytes()) {
        Some(at) => {
            let raw = text.slice(at as u32 + 1, text.len());
            (at as u32, Some(Word { raw }))
        }
        None => (text.len(), None),
    };
    Flag { span, name: text.slice(2.min(name_end), name_end), value }
}

/// The ranges of `line` as one text; `end` is where it ends.
pub(super) fn join(line: &LogicalText, ranges: &[(usize, usize)], end: usize) -> LogicalText {
    match ranges {
        [] => line.cut(end..end),
        &[(from, to)] => line.cut(from..to),
        ranges => {
            let mut builder = TextBuilder::with_capacity(ranges.iter().map(|r| r.1 - r.0).sum());
            for &(from, to) in ranges {
                builder.push_text(&line.cut(from..to));
            }
            builder.finish(line.to_file(end as u32))
        }
    }
}

/// Words at white space only, as FROM, EXPOSE and the list forms take them.
pub(super) fn blank_separated(rest: &LogicalText) -> Vec<Word> {
    let text = rest.as_str();
    let mut words = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = at + word_len(&text[at..]);
        words.push(Word { raw: rest.cut(at..end) });
        at = end + blanks_len(&text[end..]);
    }
    words
}

/// Words with their quotes and escapes still in them, as ENV, LABEL and ARG take them.
pub(super) fn quoted_words(rest: &LogicalText, escape: char) -> Vec<Word> {
    let text = rest.as_str();
    let mut words = Vec::new();
    let mut push = |from: usize, to: usize| {
        if from < to {
            words.push(Word { raw: rest.cut(from..to) });
        }
    };
    let mut start = None;
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if start.is_none() && c.is_whitespace() {
            continue;
        }
        let from = *start.get_or_insert(at);
        // Nothing escapes inside single quotes.
        if c == escape && quote != Some('\'') {
            if chars.next().is_none() {
                // At the very end the escape character is dropped.
                push(from, at);
                return words;
            }
            continue;
        }
        match quote {
            None if c.is_whitespace() => {
                push(from, at);
                start = None;
            }
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(q) if c == q => quote = None,
            _ => {}
        }
    }
    if let Some(from) = start {
        push(from, text.len());
    }
    words
}
