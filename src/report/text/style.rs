//! Colours, and text made fit for a terminal.

use std::fmt;

use anstyle::{AnsiColor, Style};
use mlint_lint::{Severity, Verdict};
use unicode_width::UnicodeWidthChar;

/// A text with a style, if colours are wanted.
pub struct Painted<'t> {
    text: &'t str,
    style: Option<Style>,
}

impl fmt::Display for Painted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style {
            Some(style) => write!(f, "{style}{}{style:#}", self.text),
            None => f.write_str(self.text),
        }
    }
}

/// Paints with colours or without.
#[derive(Clone, Copy, Debug)]
pub struct Paint(pub bool);

impl Paint {
    /// The text in that style.
    pub fn with(self, style: Style, text: &str) -> Painted<'_> {
        Painted { text, style: self.0.then_some(style) }
    }

    /// Bold.
    pub fn strong(self, text: &str) -> Painted<'_> {
        self.with(Style::new().bold(), text)
    }

    /// Line numbers, bars, arrows.
    pub fn frame(self, text: &str) -> Painted<'_> {
        self.with(AnsiColor::Blue.on_default().bold(), text)
    }
}

/// The style of a severity.
pub fn severity(severity: Severity) -> Style {
    match severity {
        Severity::Error => AnsiColor::Red,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Advice => AnsiColor::Cyan,
        Severity::Note => AnsiColor::Green,
    }
    .on_default()
    .bold()
}

/// The style of a verdict.
pub fn verdict(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Ok => AnsiColor::Green,
        Verdict::Emulated => AnsiColor::Cyan,
        Verdict::AtRisk => AnsiColor::Yellow,
        Verdict::WrongBinary | Verdict::BuildFails => AnsiColor::Red,
    }
    .on_default()
    .bold()
}

/// How a character of a file is shown: tabs as four blanks, control characters (which would
/// command the terminal) and those that turn the writing direction as a picture.
pub fn shown(c: char) -> Shown {
    match c {
        '\t' => Shown::Text("    "),
        '\0'..='\x1f' => Shown::Char(
            char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        ),
        '\x7f' => Shown::Char('\u{2421}'),
        '\u{80}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => Shown::Char(char::REPLACEMENT_CHARACTER),
        '\u{feff}' => Shown::Text(""),
        c => Shown::Char(c),
    }
}

/// See [`shown`].
pub enum Shown {
    /// One character.
    Char(char),
    /// Some other text.
    Text(&'static str),
}

impl Shown {
    /// Columns on a terminal.
    pub fn width(&self) -> usize {
        match self {
            Self::Char(c) => c.width().unwrap_or(1),
            Self::Text(text) => text.len(),
        }
    }

    /// Appends it.
    pub fn push_to(&self, out: &mut String) {
        match self {
            Self::Char(c) => out.push(*c),
            Self::Text(text) => out.push_str(text),
        }
    }
}

/// A text of one line, fit for a terminal. Line ends become blanks.
pub fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(' '),
            '\r' => {}
            c => shown(c).push_to(&mut out),
        }
    }
    out
}

/// Columns of a text that [`one_line`] has passed.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(1)).sum()
}

/// Breaks at blanks so that the first line has at most `first` columns, and each other at most
/// `rest`. A longer word stands alone, unbroken.
pub fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let room = if lines.len() == 1 { first } else { rest };
        let wide = width(word);
        if used > 0 && used + 1 + wide > room {
            lines.push(String::new());
            used = 0;
        }
        if let Some(line) = lines.last_mut() {
            if used > 0 {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
            used += wide;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_the_terminal() {
        assert_eq!(one_line("a\x1b[31mb\u{202e}c\r\nd\te"), "a␛[31mb\u{fffd}c d    e");
    }

    #[test]
    fn wraps_at_blanks_and_breaks_no_word() {
        assert_eq!(wrap("one two three", 7, 5), ["one two", "three"]);
        assert_eq!(wrap("https://a.very/long/one x", 5, 5), ["https://a.very/long/one", "x"]);
        assert_eq!(wrap("日本 語", 4, 4), ["日本", "語"]);
        assert_eq!(wrap("", 4, 4), [""]);
    }
}
