//! Lines and continuations.

use crate::span::Span;

/// The longest line that BuildKit reads, its line end included.
const MAX_LINE: usize = 65_536;

/// One line by its offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// First byte.
    pub(super) start: usize,
    /// Where its `\r`s and its `\n` begin.
    pub(super) end_of_content: usize,
    /// One past the `\n`.
    pub(super) end: usize,
}

impl Line {
    /// The line without white space before it and the line end after it.
    pub(super) fn content(self, text: &str) -> &str {
        text[self.start..self.end_of_content].trim_start()
    }
}

/// Goes through a text line by line.
pub(super) struct Lines<'t> {
    text: &'t str,
    at: usize,
    too_long: Vec<Span>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, too_long: Vec::new() }
    }

    /// Where the next line begins.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes on at `at`.
    pub(super) fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Goes on at `at`, which lies further on, and looks at the lines between.
    pub(super) fn skip_over(&mut self, at: usize) {
        if at - self.at.min(at) < MAX_LINE {
            // No line between can be too long.
            self.at = at.max(self.at);
        }
        while self.at < at && self.next().is_some() {}
    }

    /// Lines that BuildKit refuses for their length.
    pub(super) fn too_long(&self) -> &[Span] {
        &self.too_long
    }

    pub(super) fn next(&mut self) -> Option<Line> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let newline = memchr::memchr(b'\n', rest);
        let end = newline.map_or(bytes.len(), |i| start + i + 1);
        self.at = end;
        let mut content = end;
        while content > start && matches!(bytes[content - 1], b'\r' | b'\n') {
            content -= 1;
        }
        // A last line without a line end may not fill BuildKit's buffer to the brim.
        if end - start + usize::from(newline.is_none()) > MAX_LINE {
            self.too_long.push(Span::new(start as u32, content as u32));
        }
        Some(Line { start, end_of_content: content, end })
    }
}

/// Whether the line is a comment, also inside a continuation.
pub(super) fn is_comment(line: &str) -> bool {
    match line.as_bytes().first() {
        Some(b'#') => true,
        Some(b' ' | b'\t' | 0x0b..=0x0d | 0x80..) => line.trim_start().starts_with('#'),
        _ => false,
    }
}

/// For a line that goes on in the next one: how many of its bytes stand before the escape
/// character. A doubled escape character at the end does not continue the line.
pub(super) fn continued(line: &[u8], escape: u8) -> Option<usize> {
    let mut end = line.len();
    while end > 0 && matches!(line[end - 1], b' ' | b'\t') {
        end -= 1;
    }
    let kept = end.checked_sub(1).filter(|&last| line[last] == escape)?;
    (kept == 0 || line[kept - 1] != escape).then_some(kept)
}
