//! Text that knows where each of its bytes stands in the file.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::{Arc, LazyLock};

use crate::span::Span;

/// One stretch of joined text that stands in the file without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// Offset of its first byte in the joined buffer.
    logical: u32,
    /// Offset of its first byte in the file.
    file: u32,
}

/// What a [`LogicalText`] is a view of.
enum Source {
    /// The file itself.
    File(Arc<str>),
    /// Text that stands in the file as it is, from `file` on.
    Moved { text: Arc<str>, file: u32 },
    /// Text put together from stretches of the file.
    Joined { text: String, map: Vec<Segment> },
}

impl Source {
    fn text(&self) -> &str {
        match self {
            Source::File(text) | Source::Moved { text, .. } => text,
            Source::Joined { text, .. } => text,
        }
    }
}

/// Text of an instruction as BuildKit sees it (continuations joined, comment lines dropped, …)
/// that knows where each of its bytes stands in the file.
///
/// It is a view: cloning and slicing share the buffer and the map, and cost no copy. A text that
/// stands in the file as it is shares the file's own buffer. Joining with a map was chosen over
/// masking with blanks since it is exact where a continuation stands inside a word.
#[derive(Clone)]
pub struct LogicalText {
    // One thin pointer: a tree holds very many of these.
    source: Arc<Source>,
    start: u32,
    end: u32,
}

impl LogicalText {
    /// A text on its own that stands in the file as it is, from `start`.
    pub fn contiguous(text: impl Into<Arc<str>>, start: u32) -> Self {
        let text = text.into();
        let end = clamp(text.len());
        let source = match start {
            0 => Source::File(text),
            file => Source::Moved { text, file },
        };
        Self { source: Arc::new(source), start: 0, end }
    }

    /// The part `span` of the whole file `file`.
    ///
    /// # Panics
    /// When `span` lies outside the file or splits a character.
    pub fn of_file(file: &Arc<str>, span: Span) -> Self {
        assert!(file.get(span.range()).is_some(), "span {span:?} is no part of the file");
        let source = Arc::new(Source::File(Arc::clone(file)));
        Self { source, start: span.start, end: span.end }
    }

    /// As [`LogicalText::slice`], for ranges that the parser has cut itself.
    pub(crate) fn cut(&self, range: Range<usize>) -> Self {
        let (start, end) = (range.start as u32, range.end as u32);
        let source = Arc::clone(&self.source);
        Self { source, start: self.start + start, end: self.start + end }
    }

    /// A decoded text whose bytes cannot be told apart in the file: each of them stands for the
    /// whole of `span`, as far as offsets can say it (the first byte at its start, all others at
    /// its end).
    pub(crate) fn spread(text: &str, span: Span) -> Self {
        let end = clamp(text.len());
        let mut map = vec![Segment { logical: 0, file: span.start }];
        map.extend((1..end).map(|logical| Segment { logical, file: span.end.saturating_sub(1) }));
        let source = Source::Joined { text: text.to_owned(), map };
        Self { source: Arc::new(source), start: 0, end }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.source.text()[self.start as usize..self.end as usize]
    }

    /// Length in bytes.
    pub fn len(&self) -> u32 {
        self.end - self.start
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// File offset of the byte at `at` (or of the end, for `at == len`).
    pub fn to_file(&self, at: u32) -> u32 {
        let at = self.start.saturating_add(at);
        let map = match &*self.source {
            Source::File(_) => return at,
            Source::Moved { file, .. } => return at.saturating_add(*file),
            Source::Joined { map, .. } => map,
        };
        let i = map.partition_point(|s| s.logical <= at);
        match i.checked_sub(1).map(|i| map[i]) {
            Some(segment) => segment.file + (at - segment.logical),
            None => at,
        }
    }

    /// File span of the bytes `start..end`: from the first byte to just after the last one, so a
    /// span that ends before a continuation does not swallow it.
    pub fn span(&self, start: u32, end: u32) -> Span {
        if end <= start {
            return Span::empty(self.to_file(start));
        }
        Span::new(self.to_file(start), self.to_file(end - 1) + 1)
    }

    /// File span of the whole text.
    pub fn full_span(&self) -> Span {
        if self.is_empty() && self.start > 0 && matches!(*self.source, Source::Joined { .. }) {
            // An empty text at a seam belongs to what stands before it.
            return Span::empty(Self { start: 0, ..self.clone() }.to_file(self.start - 1) + 1);
        }
        self.span(0, self.len())
    }

    /// The pieces of `start..end` that stand in the file without a gap, as file spans in order. An
    /// edit of that text has to touch each of them.
    pub fn pieces(&self, start: u32, end: u32) -> Vec<Span> {
        if end <= start {
            return Vec::new();
        }
        let Source::Joined { map, .. } = &*self.source else {
            return vec![self.span(start, end)];
        };
        let (from, to) = (self.start + start, self.start + end);
        let first = map.partition_point(|s| s.logical <= from);
        let mut at = from;
        let mut pieces: Vec<Span> = Vec::new();
        let cuts = map[first..].iter().map(|s| s.logical).take_while(|&l| l < to);
        for cut in cuts.chain([to]) {
            let span = self.span(at - self.start, cut - self.start);
            match pieces.last_mut() {
                Some(last) if last.end == span.start => last.end = span.end,
                _ => pieces.push(span),
            }
            at = cut;
        }
        pieces
    }

    /// Whether the whole text stands in the file as it is, without a continuation, a dropped
    /// quote or a stripped tab in it.
    pub fn is_contiguous(&self) -> bool {
        self.pieces(0, self.len()).len() <= 1
    }

    /// The part `start..end` as a text of its own. Costs no copy.
    ///
    /// # Panics
    /// When the range lies outside the text or splits a character.
    pub fn slice(&self, start: u32, end: u32) -> LogicalText {
        assert!(
            self.as_str().get(start as usize..end as usize).is_some(),
            "{start}..{end} is no part of the text"
        );
        self.cut(start as usize..end as usize)
    }

    /// The text without white space at both ends.
    pub fn trim(&self) -> LogicalText {
        let text = self.as_str();
        let end = text.trim_end().len();
        let start = text[..end].len() - text[..end].trim_start().len();
        self.cut(start..end)
    }
}

impl Default for LogicalText {
    fn default() -> Self {
        static EMPTY: LazyLock<LogicalText> = LazyLock::new(|| LogicalText::contiguous("", 0));
        EMPTY.clone()
    }
}

impl Deref for LogicalText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for LogicalText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for LogicalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for LogicalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.full_span();
        write!(f, "{:?}@{}..{}", self.as_str(), span.start, span.end)
    }
}

/// Equal text at the same place.
impl PartialEq for LogicalText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.full_span() == other.full_span()
    }
}

impl Eq for LogicalText {}

impl PartialEq<str> for LogicalText {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for LogicalText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

/// Builds a [`LogicalText`] piece by piece.
#[derive(Debug, Default)]
pub struct TextBuilder {
    text: String,
    segments: Vec<Segment>,
}

impl TextBuilder {
    /// An empty builder with room for `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), segments: Vec::new() }
    }

    /// Appends `text`, which stands at `file` in the file.
    pub fn push(&mut self, text: &str, file: u32) {
        if text.is_empty() {
            return;
        }
        let logical = clamp(self.text.len());
        let follows = self
            .segments
            .last()
            .is_some_and(|s| u64::from(s.file) + u64::from(logical - s.logical) == u64::from(file));
        if !follows {
            self.segments.push(Segment { logical, file });
        }
        self.text.push_str(text);
    }

    /// Appends another text with its places.
    pub fn push_text(&mut self, text: &LogicalText) {
        let Source::Joined { map, .. } = &*text.source else {
            return self.push(text, text.to_file(0));
        };
        let first = map.partition_point(|s| s.logical <= text.start);
        let mut at = text.start;
        let cuts = map[first..].iter().map(|s| s.logical).take_while(|&l| l < text.end);
        for cut in cuts.chain([text.end]) {
            self.push(
                &text.source.text()[at as usize..cut as usize],
                text.to_file(at - text.start),
            );
            at = cut;
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The finished text; `at` is where it stands if nothing was appended.
    pub fn finish(mut self, at: u32) -> LogicalText {
        if self.segments.is_empty() {
            self.segments.push(Segment { logical: 0, file: at });
        }
        let end = clamp(self.text.len());
        let source = Source::Joined { text: self.text, map: self.segments };
        LogicalText { source: Arc::new(source), start: 0, end }
    }
}

/// Ranges of a text that make up another one, quotes and escape characters left out.
pub(crate) struct Pieces {
    done: Vec<Range<usize>>,
    from: usize,
}

impl Pieces {
    pub(crate) fn from(from: usize) -> Self {
        Self { done: Vec::new(), from }
    }

    /// Ends a piece at `end` and goes on at `next`.
    pub(crate) fn cut(&mut self, end: usize, next: usize) {
        self.done.push(self.from..end);
        self.from = next;
    }

    /// Ends the last piece at `end`. One piece alone is a view of `raw`.
    pub(crate) fn finish(mut self, raw: &LogicalText, end: usize) -> LogicalText {
        let slice = |r: &Range<usize>| raw.slice(r.start as u32, r.end as u32);
        let last = self.from..end.max(self.from);
        if self.done.is_empty() {
            return slice(&last);
        }
        self.done.push(last);
        let mut builder = TextBuilder::default();
        for range in &self.done {
            builder.push_text(&slice(range));
        }
        builder.finish(raw.to_file(end as u32))
    }
}

/// Lengths as offsets. The parser refuses files beyond 4 GiB, so nothing is lost here.
fn clamp(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
