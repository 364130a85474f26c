//! The parts of values, where they come from and which way they took.

use std::{ops::Range, sync::Arc};

use mlint_syntax::{LogicalText, Span};

use super::Value;
use crate::probe::Probe;

/// Answers of questions about values that need not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Truth {
    /// Certainly.
    Yes,
    /// Certainly not.
    No,
    /// It depends on something that is not known.
    Unknown,
}

impl Truth {
    /// The opposite; unknown stays unknown.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    /// At least one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.negate().and(other.negate()).negate()
    }
}

impl From<bool> for Truth {
    fn from(b: bool) -> Self {
        if b { Self::Yes } else { Self::No }
    }
}

/// One of the automatic platform arguments, without its `TARGET` or `BUILD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlatformPart {
    /// `…PLATFORM`: `linux/arm/v7`.
    Platform,
    /// `…OS`: `linux`.
    Os,
    /// `…OSVERSION`: empty outside Windows.
    OsVersion,
    /// `…ARCH`: `arm`.
    Arch,
    /// `…VARIANT`: `v7`, mostly empty.
    Variant,
}

/// Where the text of a piece comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// It stands in the file.
    Literal,
    /// An automatic `TARGET…` argument.
    Target(PlatformPart),
    /// An automatic `BUILD…` argument.
    Build(PlatformPart),
    /// `TARGETSTAGE`.
    TargetStage,
    /// The answer of a command that tells the machine it runs on.
    Probe(Probe),
    /// Given with `--build-arg` or `--build-context`.
    BuildArg,
    /// The environment of the base image.
    BaseEnv,
    /// What an opaque command prints.
    CommandOutput,
    /// Read from a file.
    File,
    /// A variable that nothing in the file sets; the base image or the shell may.
    Unset,
    /// The interpreter gave up (a bound was reached, a construct is not understood).
    Opaque,
    /// Different branches give different texts; see [`Content::Alternatives`].
    Join,
}

impl Origin {
    /// Whether the text follows the platform that the image is made for or the step runs on.
    pub fn follows_platform(&self) -> bool {
        matches!(self, Self::Target(_) | Self::Build(_) | Self::Probe(_))
    }
}

/// What happened to a piece on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HopKind {
    /// The default of an `ARG` before the first `FROM`.
    GlobalArg,
    /// The default of an `ARG` in a stage, or a bare `ARG` that lets a value in.
    Arg,
    /// `ENV`.
    Env,
    /// `NAME=value` in a shell, also `export`, `read`, `for`.
    Assigned,
    /// Printed by `$(…)`.
    Printed,
    /// Changed by an operator (`${x#v}`), `sed`, `tr`, `cut` and the like.
    Transformed,
    /// Expanded: `$NAME`.
    Used,
    /// It stands in for a variable that is set: `${NAME:+here}`; the name is the variable's.
    StandIn,
    /// It stands in a script of the build context, not in the file; the name is the script's path.
    Script,
    /// Assigned in a branch that asks for the platform; the name is that of the platform argument
    /// if its own default gives the answer, else empty.
    Guarded,
}

/// One station of the way that a piece took through the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// What happened.
    pub kind: HopKind,
    /// The variable's name; empty where none is involved.
    pub name: Arc<str>,
    /// Where it happened.
    pub span: Span,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TrailNode {
    hop: Hop,
    before: Trail,
}

/// The way of a piece, from where it was written to where it is used. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trail(Option<Arc<TrailNode>>);

/// Longer trails (a variable appended to in a loop) keep their newest and oldest hops.
const MAX_HOPS: usize = 32;

impl Trail {
    /// The trail with one more hop at its end.
    #[must_use]
    pub fn then(&self, hop: Hop) -> Self {
        if self.newest_first().take(MAX_HOPS).count() == MAX_HOPS {
            return self.clone();
        }
        Self(Some(Arc::new(TrailNode { hop, before: self.clone() })))
    }

    fn newest_first(&self) -> impl Iterator<Item = &Hop> {
        let mut at = self;
        std::iter::from_fn(move || {
            let node = at.0.as_deref()?;
            at = &node.before;
            Some(&node.hop)
        })
    }

    /// The hops, the oldest first.
    pub fn hops(&self) -> Vec<&Hop> {
        let mut hops: Vec<&Hop> = self.newest_first().collect();
        hops.reverse();
        hops
    }

    /// Whether the piece is used where it was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// What is known of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// This text.
    Known(Arc<str>),
    /// One of these, depending on a condition that is not known.
    Alternatives(Arc<[Value]>),
    /// Any text.
    Unknown,
}

/// A part of a value with one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What is known.
    pub content: Content,
    /// Where it comes from.
    pub origin: Origin,
    /// Where it stands in the file: the literal's own bytes, the `$(uname -m)`, the place where
    /// something unknown came in. Empty for what does not stand in the file (automatic and build
    /// arguments, the base image's environment): their trail tells where the file let them in.
    pub span: Span,
    /// The same text as it stands in the file, when it was not changed on its way; a part of it
    /// then has a span of its own.
    pub source: Option<LogicalText>,
    /// The way from `span` to where the value is used.
    pub trail: Trail,
}

impl Piece {
    /// A known piece.
    pub fn known(text: impl Into<Arc<str>>, origin: Origin, span: Span) -> Self {
        let content = Content::Known(text.into());
        Self { content, origin, span, source: None, trail: Trail::default() }
    }

    /// Text that stands in the file.
    pub fn literal(text: &LogicalText) -> Self {
        Self {
            content: Content::Known(text.as_str().into()),
            origin: Origin::Literal,
            span: text.full_span(),
            source: Some(text.clone()),
            trail: Trail::default(),
        }
    }

    /// A piece that may be any text.
    pub fn unknown(origin: Origin, span: Span) -> Self {
        Self { content: Content::Unknown, origin, span, source: None, trail: Trail::default() }
    }

    /// The text, if it is known.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Known(text) => Some(text),
            _ => None,
        }
    }

    /// How many pieces it is, with those of its alternatives.
    pub(super) fn weight(&self) -> usize {
        match &self.content {
            Content::Alternatives(values) => 1 + values.iter().map(Value::weight).sum::<usize>(),
            _ => 1,
        }
    }

    /// Whether it is text that stands in the file.
    pub fn is_literal(&self) -> bool {
        self.origin == Origin::Literal && self.text().is_some()
    }

    /// The file span of the bytes `range` of the text; the whole piece's where the text was
    /// changed on its way.
    pub fn subspan(&self, range: Range<usize>) -> Span {
        match &self.source {
            Some(source) if range.start <= range.end && range.end <= source.len() as usize => {
                source.span(range.start as u32, range.end as u32)
            }
            _ => self.span,
        }
    }

    /// The piece's bytes `range`; the text must be known, the range on character boundaries.
    pub(super) fn slice(&self, range: Range<usize>) -> Option<Self> {
        let text = self.text()?.get(range.clone())?;
        let source = self.source.as_ref().map(|s| s.slice(range.start as u32, range.end as u32));
        Some(Self {
            content: Content::Known(text.into()),
            origin: self.origin.clone(),
            span: source.as_ref().map_or(self.span, LogicalText::full_span),
            source,
            trail: self.trail.clone(),
        })
    }
}
