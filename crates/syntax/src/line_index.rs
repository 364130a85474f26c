//! Byte offsets ↔ lines and columns, for the edges that need them (reports, editors).

/// A place for people: both 1-based, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineColumn {
    /// 1-based line.
    pub line: u32,
    /// 1-based column in characters.
    pub column: u32,
}

/// A place for editors: both 0-based, the column in UTF-16 code units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Utf16Position {
    /// 0-based line.
    pub line: u32,
    /// 0-based column in UTF-16 code units.
    pub character: u32,
}

/// Where the lines of one text begin. Lines end with `\n`; a `\r` before it belongs to its line.
#[derive(Clone, Debug)]
pub struct LineIndex {
    starts: Vec<u32>,
    len: u32,
}

impl LineIndex {
    /// Finds the lines of `text`.
    pub fn new(text: &str) -> Self {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text.as_bytes()).map(|i| i as u32 + 1));
        Self { starts, len: text.len() as u32 }
    }

    /// Number of lines; a final line end opens one more, empty line.
    pub fn line_count(&self) -> u32 {
        self.starts.len() as u32
    }

    /// 1-based line of the byte at `offset`; offsets beyond the end count as the end.
    pub fn line(&self, offset: u32) -> u32 {
        self.starts.partition_point(|&s| s <= offset.min(self.len)) as u32
    }

    /// Offset of the first byte of a 1-based line.
    pub fn line_start(&self, line: u32) -> Option<u32> {
        self.starts.get((line as usize).checked_sub(1)?).copied()
    }

    /// The bytes of a 1-based line without its line end.
    pub fn line_text<'t>(&self, text: &'t str, line: u32) -> Option<&'t str> {
        let start = self.line_start(line)?;
        let end = self.line_start(line + 1).unwrap_or(self.len);
        Some(text.get(start as usize..end as usize)?.trim_end_matches(['\r', '\n']))
    }

    /// Line and column of `offset`, which counts as the start of its character when it lies
    /// inside of one, and as the end of `text` when it lies beyond.
    pub fn line_column(&self, text: &str, offset: u32) -> LineColumn {
        let (line, before) = self.before(text, offset);
        LineColumn { line: line + 1, column: before.chars().count() as u32 + 1 }
    }

    /// The same place in UTF-16 code units.
    pub fn utf16(&self, text: &str, offset: u32) -> Utf16Position {
        let (line, before) = self.before(text, offset);
        Utf16Position { line, character: before.encode_utf16().count() as u32 }
    }

    /// Offset of a place in UTF-16 code units; a column beyond the line's end counts as its end,
    /// a line beyond the last as the end of the text.
    pub fn offset_of_utf16(&self, text: &str, position: Utf16Position) -> u32 {
        let Some(line) = position.line.checked_add(1).and_then(|l| self.line_text(text, l)) else {
            return self.len;
        };
        let start = self.starts[position.line as usize];
        let mut units = 0;
        for (i, c) in line.char_indices() {
            if units + c.len_utf16() as u32 > position.character {
                return start + i as u32;
            }
            units += c.len_utf16() as u32;
        }
        start + line.len() as u32
    }

    /// Offset of a 1-based line and column in characters, with the same clamping.
    pub fn offset_of(&self, text: &str, place: LineColumn) -> u32 {
        let Some(line) = self.line_text(text, place.line) else {
            return if place.line == 0 { 0 } else { self.len };
        };
        let start = self.starts[place.line as usize - 1];
        let column = place.column.saturating_sub(1) as usize;
        start + line.char_indices().nth(column).map_or(line.len(), |(i, _)| i) as u32
    }

    fn before<'t>(&self, text: &'t str, offset: u32) -> (u32, &'t str) {
        let mut offset = (offset.min(self.len) as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line(offset as u32) - 1;
        (line, &text[self.starts[line as usize] as usize..offset])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_utf16_units() {
        let text = "FROM a\r\n# é🚀x\n";
        let index = LineIndex::new(text);
        assert_eq!(index.line_count(), 3);
        let x = text.find('x').expect("an x") as u32;
        assert_eq!(index.line_column(text, x), LineColumn { line: 2, column: 5 });
        assert_eq!(index.utf16(text, x), Utf16Position { line: 1, character: 5 });
        assert_eq!(index.offset_of_utf16(text, Utf16Position { line: 1, character: 5 }), x);
        assert_eq!(index.offset_of(text, LineColumn { line: 2, column: 5 }), x);
        // Inside the rocket: its start.
        assert_eq!(index.utf16(text, x - 2), Utf16Position { line: 1, character: 3 });
        assert_eq!(index.offset_of_utf16(text, Utf16Position { line: 1, character: 4 }), x - 4);
    }

    #[test]
    fn places_beyond_the_text_are_clamped() {
        let index = LineIndex::new("ab\ncd");
        assert_eq!(index.line_column("ab\ncd", 99), LineColumn { line: 2, column: 3 });
        assert_eq!(index.offset_of_utf16("ab\ncd", Utf16Position { line: 0, character: 9 }), 2);
        assert_eq!(index.offset_of_utf16("ab\ncd", Utf16Position { line: 7, character: 0 }), 5);
        assert_eq!(index.offset_of("ab\ncd", LineColumn { line: 0, column: 0 }), 0);
        assert_eq!(index.line_text("ab\ncd", 2), Some("cd"));
        assert_eq!(index.line_text("ab\ncd", 3), None);
    }
}
