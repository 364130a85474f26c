//! What `graph` draws: one picture of a Dockerfile, a panel for each platform that differs. Stages
//! are boxes, what they start from and fetch are sources, and what goes from one to the other are
//! files on arrows.

mod build;
pub mod dot;
mod fit;
mod fold;
mod layout;
mod loads;
mod merge;
pub mod mermaid;
mod order;
pub mod svg;
#[cfg(test)]
mod tests;

pub use build::picture;

use crate::report::trace::words;

/// Characters of a path or reference; longer ones lose their middle.
const PATH: usize = 34;

/// A whole picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The file's name.
    pub name: String,
    /// The platform that the build runs on.
    pub build: String,
    /// One for each platform that differs from the others.
    pub panels: Vec<Panel>,
}

/// What happens on some platforms, if on all of them the same happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// The platforms.
    pub platforms: Vec<String>,
    /// Boxes and sources.
    pub nodes: Vec<Node>,
    /// Arrows.
    pub edges: Vec<Edge>,
    /// What is not drawn because there is too much of it.
    pub notes: Vec<String>,
}

impl Panel {
    /// Nodes that are stages; they stand before all others.
    pub fn stages(&self) -> usize {
        self.nodes.iter().take_while(|n| n.kind.is_stage()).count()
    }
}

/// The machine that something runs on or is for: what decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hue {
    /// amd64
    Amd64,
    /// arm64
    Arm64,
    /// arm
    Arm,
    /// 386
    I386,
    /// riscv64
    Riscv64,
    /// s390x
    S390x,
    /// ppc64le
    Ppc64le,
    /// The target's, where a panel is for several.
    Target,
    /// Some other machine.
    Other,
    /// It runs anywhere, or is no program.
    Any,
    /// Not known.
    Unknown,
}

impl Hue {
    /// The name of its class.
    pub fn class(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
            Self::Arm => "arm",
            Self::I386 => "i386",
            Self::Riscv64 => "riscv64",
            Self::S390x => "s390x",
            Self::Ppc64le => "ppc64le",
            Self::Target => "target",
            Self::Other => "other",
            Self::Any => "any",
            Self::Unknown => "unknown",
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Target => "the target platform",
            Self::Other => "another machine",
            Self::Any => "runs anywhere, or data",
            Self::Unknown => "machine not known",
            Self::I386 => "386",
            machine => machine.class(),
        }
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A stage.
    Stage,
    /// The stage that becomes the image.
    Final,
    /// A base image, or one that files are copied from.
    Image,
    /// The build context.
    Context,
    /// The network.
    Download,
    /// Files on their way.
    Files,
}

impl Kind {
    /// Whether it is a stage, and no source of one.
    pub fn is_stage(self) -> bool {
        matches!(self, Self::Stage | Self::Final)
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: Kind,
    /// The node of the stage that it is or belongs to.
    pub stage: usize,
    /// Its text; the first line is its name.
    pub lines: Vec<Line>,
    /// The machine.
    pub hue: Hue,
    /// Something is wrong with it.
    pub wrong: bool,
    /// Its programs are emulated.
    pub emulated: bool,
    /// The target does not need it.
    pub dim: bool,
    /// All there is to say about it, for who points at it.
    pub title: String,
    /// What a source brings, as long as sources may still become one.
    pub list: Option<List>,
}

/// What a source brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// What it is, above the names.
    pub head: Option<String>,
    /// The first of the names.
    pub names: Vec<String>,
    /// How many names there are.
    pub total: usize,
    /// The machine, below them.
    pub tail: Option<Line>,
}

impl List {
    /// Names in a node; more are counted only.
    pub const NAMES: usize = 4;

    /// As text.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.head.iter().map(|h| Line::new(Style::Plain, h)).collect();
        for name in self.names.iter().take(Self::NAMES) {
            lines.push(Line::new(Style::Path, words::shortened(name, PATH)));
        }
        let more = self.total - self.names.len().min(Self::NAMES);
        if more > 0 {
            lines.push(Line::new(Style::Plain, format!("and {more} more")));
        }
        lines.extend(self.tail.clone());
        lines
    }
}

/// A line of text in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// How it is written.
    pub style: Style,
}

impl Line {
    fn new(style: Style, text: impl Into<String>) -> Self {
        Self { text: text.into(), style }
    }
}

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// A name.
    Name,
    /// Plain words.
    Plain,
    /// A path, a reference.
    Path,
    /// Something is wrong.
    Wrong,
}

/// An arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Index of a node.
    pub from: usize,
    /// Index of a node.
    pub to: usize,
    /// The machine of what goes there.
    pub hue: Hue,
    /// A file of the wrong machine goes there.
    pub wrong: bool,
    /// `FROM`, not files.
    pub base: bool,
    /// Nothing goes there for this target.
    pub dim: bool,
}
