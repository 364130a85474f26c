//! Byte spans and edits. Lines and columns exist only at the edges (reports, LSP).

use std::ops::Range;

/// A half-open range of byte offsets into one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from `start` to `end`; `end` is raised to `start` when it lies before it.
    pub fn new(start: u32, end: u32) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The empty span at `at`.
    pub fn empty(at: u32) -> Self {
        Self { start: at, end: at }
    }

    /// Length in bytes.
    pub fn len(self) -> u32 {
        self.end - self.start
    }

    /// Whether the span holds no byte.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether `other` lies within `self`.
    pub fn contains(self, other: Span) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether the two share a byte.
    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The smallest span that holds both.
    pub fn cover(self, other: Span) -> Span {
        Span::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// As an index range.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Something together with where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The thing.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts `value` at `span`.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One replacement of bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// What comes in its place; empty for a deletion.
    pub text: String,
}

/// Two edits of one set touch the same bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The edit that was already there.
    pub first: Edit,
    /// The edit that was refused.
    pub second: Edit,
}

/// Edits that are sorted and disjoint by construction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditSet(Vec<Edit>);

impl EditSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Builds a set from edits in any order; equal edits are kept once.
    ///
    /// # Errors
    /// [`Overlap`] when two edits share a byte, or insert different texts at the same place.
    pub fn from_edits(edits: impl IntoIterator<Item = Edit>) -> Result<Self, Overlap> {
        let mut set = Self::new();
        for edit in edits {
            set.insert(edit)?;
        }
        Ok(set)
    }

    /// Adds one edit.
    ///
    /// # Errors
    /// [`Overlap`] as in [`EditSet::from_edits`]; the set is then unchanged.
    pub fn insert(&mut self, edit: Edit) -> Result<(), Overlap> {
        if self.0.contains(&edit) {
            return Ok(());
        }
        let clashes = |other: &Edit| {
            other.span.overlaps(edit.span)
                || other.span == edit.span
                || (edit.span.is_empty()
                    && other.span.start < edit.span.start
                    && edit.span.start < other.span.end)
                || (other.span.is_empty()
                    && edit.span.start < other.span.start
                    && other.span.start < edit.span.end)
        };
        if let Some(first) = self.0.iter().find(|o| clashes(o)) {
            return Err(Overlap { first: first.clone(), second: edit });
        }
        let at = self
            .0
            .partition_point(|o| (o.span.start, o.span.end) < (edit.span.start, edit.span.end));
        self.0.insert(at, edit);
        Ok(())
    }

    /// Adds all edits of another set, or none.
    ///
    /// # Errors
    /// [`Overlap`] as in [`EditSet::from_edits`]; the set is then unchanged.
    pub fn insert_all(&mut self, other: &EditSet) -> Result<(), Overlap> {
        let mut added: Vec<&Edit> = Vec::new();
        for edit in other.as_slice() {
            let before = self.0.len();
            if let Err(overlap) = self.insert(edit.clone()) {
                self.0.retain(|known| !added.contains(&known));
                return Err(overlap);
            }
            if self.0.len() > before {
                added.push(edit);
            }
        }
        Ok(())
    }

    /// The edits, first byte first.
    pub fn as_slice(&self) -> &[Edit] {
        &self.0
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text after all edits.
    ///
    /// # Panics
    /// When an edit lies outside `text` or splits a character: the set belongs to another text.
    pub fn apply(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 64);
        let mut at = 0;
        for edit in &self.0 {
            out.push_str(&text[at..edit.span.start as usize]);
            out.push_str(&edit.text);
            at = edit.span.end as usize;
        }
        out.push_str(&text[at..]);
        out
    }
}
