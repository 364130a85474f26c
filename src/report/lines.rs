//! From byte offsets to lines and columns.

use std::cell::Cell;

/// A place for people: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Where a text's lines begin.
#[derive(Debug)]
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// The last place asked for: line's start, offset, characters between. Lines of megabytes with
    /// many findings would be counted over and over.
    last: Cell<(usize, usize, usize)>,
}

impl<'t> Lines<'t> {
    /// The lines of a text. A line ends with `\n`.
    pub fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts, last: Cell::new((0, 0, 0)) }
    }

    /// The text.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// Index of the line, from 0, that holds the byte at `offset`.
    pub fn line_of(&self, offset: u32) -> usize {
        self.starts.partition_point(|start| *start <= offset as usize).saturating_sub(1)
    }

    /// The bytes of a line, without its end (`\n` or `\r\n`).
    pub fn range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.starts.get(line).copied().unwrap_or(self.text.len());
        let next = self.starts.get(line + 1).copied().unwrap_or(self.text.len());
        let content = &self.text[start..next];
        let content = content.strip_suffix('\n').unwrap_or(content);
        let content = content.strip_suffix('\r').unwrap_or(content);
        start..start + content.len()
    }

    /// The place of a byte; one in the middle of a character is at that character, one behind the
    /// end is at the end.
    pub fn position(&self, offset: u32) -> Position {
        let mut at = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.line_of(at as u32);
        let start = self.starts[line];
        let (last_start, last_at, last_count) = self.last.get();
        let (from, count) = if last_start == start && last_at <= at {
            (last_at.max(start), last_count)
        } else {
            (start, 0)
        };
        let count = count + self.text[from..at].chars().count();
        self.last.set((start, at, count));
        Position { line: line + 1, column: count + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "\u{feff}FROM ü🦀x\r\nRUN\n";
        let lines = Lines::new(text);
        let at = |needle: &str| {
            let p = lines.position(text.find(needle).expect("there") as u32);
            (p.line, p.column)
        };
        assert_eq!(at("FROM"), (1, 2));
        assert_eq!(at("x"), (1, 9));
        assert_eq!(at("ü"), (1, 7), "an earlier place of the same line");
        assert_eq!(at("RUN"), (2, 1));
        let end = lines.position(u32::MAX);
        assert_eq!((end.line, end.column), (3, 1));
        assert_eq!(&text[lines.range(0)], "\u{feff}FROM ü🦀x");
        assert_eq!(lines.range(2), text.len()..text.len());
        assert_eq!(Lines::new("").position(0), Position { line: 1, column: 1 });
        let in_crab = text.find('🦀').expect("there") as u32 + 2;
        assert_eq!(lines.position(in_crab).column, 8);
    }
}
