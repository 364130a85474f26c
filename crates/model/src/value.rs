//! Values: what a variable, a URL or an argument is on one platform, as far as it is known, and
//! how it came to be.
//!
//! A [`Value`] is a sequence of [`Piece`]s. `https://host/v$VERSION/tool-$(uname -m).tgz` has five:
//! a literal, the text of VERSION (with the place of its `ARG` default), a literal, the probe's
//! answer for the platform that the stage runs on, and a literal.

use std::{borrow::Cow, fmt, ops::Range, sync::Arc};

use mlint_syntax::{LogicalText, Span, TextBuilder};

mod piece;

pub use piece::{Content, Hop, HopKind, Origin, Piece, PlatformPart, Trail, Truth};

/// Stands for text that is not known in [`Spelled::text`]: no letter, digit or blank of any script.
pub const GAP: char = '\u{fffd}';

/// A value's text with gaps.
#[derive(Clone, Debug)]
pub struct Spelled<'v> {
    /// The text.
    pub text: String,
    /// The pieces, with the bytes of the text that each gives.
    pub pieces: Vec<(Range<usize>, &'v Piece)>,
}

impl<'v> Spelled<'v> {
    /// The pieces that give the bytes `range`, each with its part of them as a range of its own
    /// text.
    pub fn pieces_at(
        &self,
        range: Range<usize>,
    ) -> impl Iterator<Item = (&'v Piece, Range<usize>)> + '_ {
        self.pieces.iter().filter_map(move |(at, piece)| {
            let (start, end) = (range.start.max(at.start), range.end.min(at.end));
            (start < end).then(|| (*piece, start - at.start..end - at.start))
        })
    }
}

/// A text as far as it is known, with where its parts come from. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    pieces: Arc<[Piece]>,
    /// How many pieces there are, those of alternatives included.
    weight: usize,
}

/// How many alternatives a piece may have, and how many texts [`Value::texts`] lists; more make
/// the value unknown.
pub const MAX_ALTERNATIVES: usize = 16;

/// A value longer than this, in pieces (those of alternatives included) or bytes, becomes unknown.
const MAX_PIECES: usize = 512;

/// The way of a value with more pieces is not written down any more.
const MAX_FOLLOWED: usize = 64;
const MAX_BYTES: usize = 1 << 20;

impl Value {
    /// The empty text.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A value of these pieces; empty ones vanish.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut pieces = pieces.into_iter();
        let mut kept: Vec<Piece> = Vec::new();
        // Most values are of one piece, which needs no list to be put together.
        if pieces.size_hint() == (1, Some(1)) {
            return match pieces.next() {
                Some(piece) => Self::of(piece),
                None => Self::empty(),
            };
        }
        let (mut bytes, mut weight) = (0, 0);
        for piece in pieces {
            match &piece.content {
                Content::Known(text) if text.is_empty() => continue,
                Content::Known(text) => bytes += text.len(),
                _ => {}
            }
            weight += piece.weight();
            kept.push(piece);
        }
        if weight > MAX_PIECES || bytes > MAX_BYTES {
            let span = kept.first().map_or(Span::empty(0), |p| p.span);
            kept = vec![Piece::unknown(Origin::Opaque, span)];
            weight = 1;
        }
        Self { pieces: kept.into(), weight }
    }

    /// A value of this piece.
    fn of(piece: Piece) -> Self {
        let len = piece.text().map(str::len);
        if len == Some(0) {
            return Self::empty();
        }
        let weight = piece.weight();
        if weight > MAX_PIECES || len.is_some_and(|len| len > MAX_BYTES) {
            let unknown = Piece::unknown(Origin::Opaque, piece.span);
            return Self { pieces: Arc::new([unknown]), weight: 1 };
        }
        Self { pieces: Arc::new([piece]), weight }
    }

    /// How many pieces it has, those of alternatives included.
    fn weight(&self) -> usize {
        self.weight
    }

    /// Text that stands in the file.
    pub fn literal(text: &LogicalText) -> Self {
        Self::new([Piece::literal(text)])
    }

    /// Known text.
    pub fn known(text: impl Into<Arc<str>>, origin: Origin, span: Span) -> Self {
        Self::new([Piece::known(text, origin, span)])
    }

    /// Any text.
    pub fn unknown(origin: Origin, span: Span) -> Self {
        Self::new([Piece::unknown(origin, span)])
    }

    /// The pieces in order; none of them is the empty text.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// All pieces, those of alternatives included.
    pub fn all_pieces(&self) -> Vec<&Piece> {
        fn walk<'v>(value: &'v Value, out: &mut Vec<&'v Piece>) {
            for piece in value.pieces.iter() {
                out.push(piece);
                if let Content::Alternatives(values) = &piece.content {
                    values.iter().for_each(|v| walk(v, out));
                }
            }
        }
        let mut out = Vec::new();
        walk(self, &mut out);
        out
    }

    /// The whole text, if all of it is known.
    pub fn as_known(&self) -> Option<Cow<'_, str>> {
        match &*self.pieces {
            [] => Some(Cow::Borrowed("")),
            [one] => one.text().map(Cow::Borrowed),
            many => {
                let len = many.iter().try_fold(0, |len, p| Some(len + p.text()?.len()))?;
                let mut text = String::with_capacity(len);
                many.iter().filter_map(Piece::text).for_each(|part| text.push_str(part));
                Some(Cow::Owned(text))
            }
        }
    }

    /// Whether the whole text is known and equals `text`.
    pub fn is(&self, text: &str) -> bool {
        self.as_known().is_some_and(|t| t == text)
    }

    /// Whether it is certainly the empty text.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The known text at its start.
    pub fn known_prefix(&self) -> Cow<'_, str> {
        let known = self.pieces.iter().take_while(|p| p.text().is_some()).count();
        text_of(&self.pieces[..known])
    }

    /// The known text at its end.
    pub fn known_suffix(&self) -> Cow<'_, str> {
        let known = self.pieces.iter().rev().take_while(|p| p.text().is_some()).count();
        text_of(&self.pieces[self.pieces.len() - known..])
    }

    /// All texts that it may be, if they are known and few.
    pub fn texts(&self) -> Option<Vec<String>> {
        let mut texts = vec![String::new()];
        for piece in self.pieces.iter() {
            match &piece.content {
                Content::Known(t) => texts.iter_mut().for_each(|s| s.push_str(t)),
                Content::Unknown => return None,
                Content::Alternatives(values) => {
                    let mut next = Vec::new();
                    for value in values.iter() {
                        for tail in value.texts()? {
                            next.extend(texts.iter().map(|head| format!("{head}{tail}")));
                        }
                        if next.len() > MAX_ALTERNATIVES {
                            return None;
                        }
                    }
                    texts = next;
                }
            }
        }
        texts.sort_unstable();
        texts.dedup();
        Some(texts)
    }

    /// Pieces of literal text, with those of alternatives: the ones that a file's author wrote.
    pub fn literals(&self) -> Vec<&Piece> {
        self.all_pieces().into_iter().filter(|p| p.is_literal()).collect()
    }

    /// Whether some piece follows the platform (`TARGET…`, `BUILD…`, a probe).
    pub fn follows_platform(&self) -> bool {
        self.all_pieces().iter().any(|p| p.origin.follows_platform())
    }

    /// Where it stands: from its first to its last piece's own place. Pieces may come from far
    /// apart; the place where the value is *used* is the effect's or argument's span.
    pub fn written_at(&self) -> Option<Span> {
        self.pieces.iter().map(|p| p.span).reduce(Span::cover)
    }

    /// This value with a hop added to the trail of each of its pieces.
    #[must_use]
    pub fn hop(&self, kind: HopKind, name: &str, span: Span) -> Self {
        // A text that is put together from very many parts is not followed any further.
        if self.pieces.is_empty() || self.pieces.len() > MAX_FOLLOWED {
            return self.clone();
        }
        let hop = Hop { kind, name: name.into(), span };
        let pieces = self.pieces.iter().map(|piece| Piece {
            content: match &piece.content {
                Content::Alternatives(values) => {
                    Content::Alternatives(values.iter().map(|v| v.hop(kind, name, span)).collect())
                }
                other => other.clone(),
            },
            trail: piece.trail.then(hop.clone()),
            ..piece.clone()
        });
        Self { pieces: pieces.collect(), weight: self.weight }
    }

    /// This followed by `other`.
    #[must_use]
    pub fn concat(&self, other: &Value) -> Self {
        match (self.pieces.is_empty(), other.pieces.is_empty()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => Self::new(self.pieces.iter().chain(other.pieces.iter()).cloned()),
        }
    }

    /// All values one after the other.
    pub fn join<'v>(values: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return Self::empty() };
        let Some(second) = values.next() else { return first.clone() };
        Self::new([first, second].into_iter().chain(values).flat_map(|v| v.pieces.iter()).cloned())
    }

    /// The bytes `range` of a value that is known, each part with its own origin and place. `None`
    /// if the value is not known or the range is no part of it.
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        let mut out = Vec::new();
        let mut at = 0;
        for piece in self.pieces.iter() {
            let len = piece.text()?.len();
            let (from, to) = (range.start.clamp(at, at + len), range.end.clamp(at, at + len));
            if from < to {
                out.push(piece.slice(from - at..to - at)?);
            }
            at += len;
        }
        (range.start <= range.end && range.end <= at).then(|| Self::new(out))
    }

    /// Its text with [`GAP`] for every part that is not known, and which piece stands where. For
    /// searches: words do not reach over a gap.
    pub fn spelled(&self) -> Spelled<'_> {
        let mut text = String::with_capacity(self.text_len());
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces.iter() {
            let start = text.len();
            match piece.text() {
                Some(known) => text.push_str(known),
                None => text.push(GAP),
            }
            pieces.push((start..text.len(), piece));
        }
        Spelled { text, pieces }
    }

    /// Bytes of [`Value::spelling`].
    fn text_len(&self) -> usize {
        self.pieces.iter().map(|p| p.text().map_or(GAP.len_utf8(), str::len)).sum()
    }

    /// The text of [`Value::spelled`] alone.
    pub fn spelling(&self) -> Cow<'_, str> {
        match &*self.pieces {
            [] => Cow::Borrowed(""),
            [one] if one.text().is_some() => text_of(&self.pieces),
            many => {
                let mut text = String::with_capacity(self.text_len());
                for piece in many {
                    match piece.text() {
                        Some(known) => text.push_str(known),
                        None => text.push(GAP),
                    }
                }
                Cow::Owned(text)
            }
        }
    }

    /// The value without its first `len` bytes, which must be known; `None` if they are not.
    pub fn without_prefix(&self, len: usize) -> Option<Self> {
        let mut left = len;
        let mut out = Vec::new();
        for piece in self.pieces.iter() {
            if left == 0 {
                out.push(piece.clone());
                continue;
            }
            let text = piece.text()?;
            if text.len() <= left {
                left -= text.len();
            } else {
                out.push(piece.slice(left..text.len())?);
                left = 0;
            }
        }
        (left == 0).then(|| Self::new(out))
    }

    /// What becomes of it when its text goes through `change`: each alternative is changed on its
    /// own, an unknown value stays unknown. The result has the origin of what it was made from.
    #[must_use]
    pub fn map(&self, span: Span, change: impl Fn(&str) -> Option<String>) -> Self {
        self.map_values(span, &|value| {
            let before = value.as_known()?;
            let after = change(&before)?;
            Some(if after == *before { value.clone() } else { value.derived(after, span) })
        })
    }

    /// As [`Value::map`], with a function from known value to value.
    #[must_use]
    pub fn map_values(&self, span: Span, change: &dyn Fn(&Value) -> Option<Value>) -> Self {
        if self.as_known().is_some() {
            return change(self).unwrap_or_else(|| self.obscured(span));
        }
        match &*self.pieces {
            [Piece { content: Content::Alternatives(values), .. }] => {
                Self::one_of(values.iter().map(|v| v.map_values(span, change)), span)
            }
            pieces if pieces.iter().all(|p| p.content != Content::Unknown) => match self.spread() {
                Some(values) => {
                    Self::one_of(values.iter().map(|v| v.map_values(span, change)), span)
                }
                None => self.obscured(span),
            },
            _ => self.obscured(span),
        }
    }

    /// All known values that it may be, if they are few: `a{b|c}` gives `ab` and `ac`.
    fn spread(&self) -> Option<Vec<Value>> {
        let mut heads = vec![Value::empty()];
        for piece in self.pieces.iter() {
            let tails = match &piece.content {
                Content::Known(_) => vec![Value::new([piece.clone()])],
                Content::Unknown => return None,
                Content::Alternatives(values) => {
                    let mut tails = Vec::new();
                    for value in values.iter() {
                        tails.extend(value.spread()?);
                    }
                    tails
                }
            };
            if heads.len() * tails.len() > MAX_ALTERNATIVES {
                return None;
            }
            heads = heads.iter().flat_map(|h| tails.iter().map(|t| h.concat(t))).collect();
        }
        Some(heads)
    }

    /// Another text made from this value: it has this value's origin, and the place and trail of
    /// the piece that decided it.
    #[must_use]
    pub fn derived(&self, text: impl Into<Arc<str>>, span: Span) -> Self {
        let hop = Hop { kind: HopKind::Transformed, name: "".into(), span };
        match self.leading_piece() {
            Some(piece) => Self::new([Piece {
                content: Content::Known(text.into()),
                origin: piece.origin.clone(),
                span: piece.span,
                source: None,
                trail: piece.trail.then(hop),
            }]),
            None => Self::known(text, Origin::Literal, span),
        }
    }

    /// An unknown text made from this value.
    #[must_use]
    pub fn obscured(&self, span: Span) -> Self {
        let unknown = self.all_pieces().into_iter().find(|p| p.content == Content::Unknown);
        let origin = match unknown.or_else(|| self.leading_piece()) {
            Some(piece) if piece.origin != Origin::Literal && piece.origin != Origin::Join => {
                piece.origin.clone()
            }
            _ => Origin::Opaque,
        };
        Self::unknown(origin, span)
    }

    /// The piece that says most about where the value comes from: one that follows the platform,
    /// else one that is not literal, else the first.
    fn leading_piece(&self) -> Option<&Piece> {
        let pieces = &self.pieces;
        pieces
            .iter()
            .find(|p| p.origin.follows_platform())
            .or_else(|| pieces.iter().find(|p| p.origin != Origin::Literal))
            .or_else(|| pieces.first())
    }

    /// A value that is one of these, by a condition that is not known; equal texts melt together.
    pub fn one_of(values: impl IntoIterator<Item = Value>, span: Span) -> Self {
        let mut kept: Vec<Value> = Vec::new();
        for value in values {
            if kept.len() > MAX_ALTERNATIVES {
                break;
            }
            let parts = match &*value.pieces {
                [Piece { content: Content::Alternatives(inner), .. }] => inner.to_vec(),
                _ => vec![value],
            };
            for part in parts {
                let text = part.as_known();
                if !kept.iter().any(|k| *k == part || (text.is_some() && k.as_known() == text)) {
                    drop(text);
                    kept.push(part);
                }
            }
            if kept.len() > MAX_ALTERNATIVES {
                return Self::unknown(Origin::Join, span);
            }
        }
        match kept.len() {
            0 => Self::empty(),
            1 => kept.remove(0),
            n if n > MAX_ALTERNATIVES => Self::unknown(Origin::Join, span),
            _ => {
                let content = Content::Alternatives(kept.into());
                let trail = Trail::default();
                let joined = Piece { content, origin: Origin::Join, span, source: None, trail };
                match joined.weight() > MAX_PIECES {
                    true => Self::unknown(Origin::Join, span),
                    false => Self::new([joined]),
                }
            }
        }
    }

    /// Whether it equals `other`.
    pub fn equals(&self, other: &Value) -> Truth {
        if let (Some(a), Some(b)) = (self.as_known(), other.as_known()) {
            return Truth::from(a == b);
        }
        if let (Some(a), Some(b)) = (self.texts(), other.texts()) {
            return if a.iter().any(|t| b.contains(t)) { Truth::Unknown } else { Truth::No };
        }
        let prefix_clash = |a: &str, b: &str| {
            let n = a.len().min(b.len());
            a.as_bytes()[..n] != b.as_bytes()[..n]
        };
        let suffix_clash = |a: &str, b: &str| {
            let n = a.len().min(b.len());
            a.as_bytes()[a.len() - n..] != b.as_bytes()[b.len() - n..]
        };
        if prefix_clash(&self.known_prefix(), &other.known_prefix())
            || suffix_clash(&self.known_suffix(), &other.known_suffix())
        {
            return Truth::No;
        }
        Truth::Unknown
    }

    /// Whether it is empty.
    pub fn emptiness(&self) -> Truth {
        if self.pieces.is_empty() {
            return Truth::Yes;
        }
        if self.pieces.iter().any(|p| p.text().is_some()) {
            return Truth::No;
        }
        match self.texts() {
            Some(texts) if texts.iter().all(|t| !t.is_empty()) => Truth::No,
            _ => Truth::Unknown,
        }
    }
}

/// The text of pieces that are known.
fn text_of(pieces: &[Piece]) -> Cow<'_, str> {
    match pieces {
        [] => Cow::Borrowed(""),
        [one] => Cow::Borrowed(one.text().unwrap_or_default()),
        many => Cow::Owned(many.iter().filter_map(Piece::text).collect()),
    }
}

impl fmt::Display for Value {
    /// Known text as it is, alternatives as `{a|b}`, unknown text as `?`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in self.pieces.iter() {
            match &piece.content {
                Content::Known(text) => f.write_str(text)?,
                Content::Unknown => f.write_str("?")?,
                Content::Alternatives(values) => {
                    f.write_str("{")?;
                    for (i, value) in values.iter().enumerate() {
                        write!(f, "{}{value}", if i > 0 { "|" } else { "" })?;
                    }
                    f.write_str("}")?;
                }
            }
        }
        Ok(())
    }
}

/// Text that does not stand in the file as it is, with every byte placed at the start of `span`, so
/// that what is parsed from it has places within the file.
pub(crate) fn text_at(text: &str, span: Span) -> LogicalText {
    let mut builder = TextBuilder::with_capacity(text.len());
    push_at(&mut builder, text, span);
    builder.finish(span.start)
}

/// Appends such a text.
pub(crate) fn push_at(builder: &mut TextBuilder, text: &str, span: Span) {
    let mut buffer = [0; 4];
    for c in text.chars() {
        builder.push(c.encode_utf8(&mut buffer), span.start);
    }
}

#[cfg(test)]
mod tests;
