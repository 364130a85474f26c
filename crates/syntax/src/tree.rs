//! The Dockerfile tree: what the parser returns.
//!
//! Every byte of the file lies in exactly one [`Element`]; printing the elements' spans in order
//! gives the file back. The typed view of an instruction hangs on the element and points back
//! into the file with byte spans.

use crate::span::{Span, Spanned};

/// A parsed Dockerfile. Parsing never fails: errors stand beside the tree.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    /// The file as read (with BOM, CRLF and all).
    pub text: String,
    /// Contiguous pieces that cover the file from its first byte to its last.
    pub elements: Vec<Element>,
    /// The escape character: `\` or, after `# escape=`, a backtick.
    pub escape: char,
    /// The instructions in file order.
    pub instructions: Vec<Instruction>,
    /// What BuildKit would reject, at its place.
    pub errors: Vec<SyntaxError>,
}

/// One contiguous piece of the file, with its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// What it is.
    pub kind: ElementKind,
    /// All of its bytes, the final line end included.
    pub span: Span,
}

/// The kinds of [`Element`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// A byte order mark at the start.
    Bom,
    /// `# syntax=`, `# escape=`, `# check=` at the very top (BuildKit `parser/directives.go`).
    Directive {
        /// Lower-case name.
        name: Spanned<String>,
        /// The value as written, trimmed.
        value: Spanned<String>,
    },
    /// A comment line outside any instruction.
    Comment,
    /// Empty or white space only.
    Blank,
    /// The instruction with this index in [`Dockerfile::instructions`].
    Instruction(usize),
}

/// An error at its place; the tree around it is intact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What is wrong, in one sentence without a final stop.
    pub message: String,
}

/// Text of an instruction as BuildKit sees it, continuations joined and comment lines dropped,
/// that knows where each of its bytes stands in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogicalText {
    /// The joined text.
    pub text: String,
    /// `(offset in text, offset in file)`, ascending; each holds until the next.
    pub segments: Vec<(u32, u32)>,
}

impl LogicalText {
    /// A text that stands in the file as it is, from `start`.
    pub fn contiguous(text: impl Into<String>, start: u32) -> Self {
        Self { text: text.into(), segments: vec![(0, start)] }
    }

    /// File offset of the byte at `at` (or of the end, for `at == len`).
    pub fn to_file(&self, at: u32) -> u32 {
        let i = self.segments.partition_point(|&(logical, _)| logical <= at);
        match i.checked_sub(1).map(|i| self.segments[i]) {
            Some((logical, file)) => file + (at - logical),
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
        self.span(0, self.text.len() as u32)
    }

    /// The part `start..end` as a text of its own.
    pub fn slice(&self, start: u32, end: u32) -> LogicalText {
        let mut segments = vec![(0, self.to_file(start))];
        segments.extend(
            self.segments
                .iter()
                .filter(|&&(logical, _)| logical > start && logical < end)
                .map(|&(logical, file)| (logical - start, file)),
        );
        LogicalText { text: self.text[start as usize..end as usize].to_owned(), segments }
    }
}

/// A word as written (quotes, escapes and variables still in it), with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The raw text and where its bytes stand.
    pub raw: LogicalText,
}

impl Word {
    /// The raw text.
    pub fn as_str(&self) -> &str {
        &self.raw.text
    }

    /// Where it stands in the file.
    pub fn span(&self) -> Span {
        self.raw.full_span()
    }
}

/// One instruction.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// From the first byte of the keyword to the last byte of the last line (here-document bodies
    /// and their terminators included), without the final line end.
    pub span: Span,
    /// The keyword as written.
    pub keyword: Spanned<String>,
    /// `--name=value` flags in order.
    pub flags: Vec<Flag>,
    /// All that follows keyword and flags, before here-document bodies.
    pub rest: LogicalText,
    /// What it means.
    pub kind: InstructionKind,
    /// Here-documents in order of their markers.
    pub heredocs: Vec<Heredoc>,
}

impl Instruction {
    /// The first flag of that name.
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|f| f.name.value == name)
    }
}

/// `--name=value` or `--name`.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The whole flag.
    pub span: Span,
    /// The name without dashes, as written.
    pub name: Spanned<String>,
    /// The value after `=`, if there was one.
    pub value: Option<Word>,
}

/// `key=value` or a bare `key` (with `value` `None`).
#[derive(Clone, Debug)]
pub struct KeyValue {
    /// The whole pair.
    pub span: Span,
    /// The key as written.
    pub key: Word,
    /// The value as written.
    pub value: Option<Word>,
}

/// How RUN, CMD, ENTRYPOINT and HEALTHCHECK CMD give their command.
#[derive(Clone, Debug)]
pub enum CommandLine {
    /// Shell form. The text is what the shell gets; for a RUN whose whole command is one
    /// here-document, see [`Instruction::heredocs`].
    Shell(LogicalText),
    /// Exec form: the decoded JSON strings, each with the span of its quoted source.
    Exec(Vec<Spanned<String>>),
}

/// A here-document.
#[derive(Clone, Debug)]
pub struct Heredoc {
    /// The delimiter without quotes; also the file name for COPY and ADD.
    pub name: String,
    /// The marker as written (`<<-"EOF"`).
    pub marker: Span,
    /// Whether variables in the body expand (no part of the delimiter was quoted).
    pub expand: bool,
    /// Whether leading tabs are stripped (`<<-`).
    pub strip_tabs: bool,
    /// The body as the instruction gets it, leading tabs stripped if asked for.
    pub body: LogicalText,
}

/// A source of COPY or ADD.
#[derive(Clone, Debug)]
pub enum CopySource {
    /// A path, pattern or URL as written.
    Path(Word),
    /// The here-document with this index in [`Instruction::heredocs`].
    Heredoc(usize),
}

/// The instruction's meaning.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum InstructionKind {
    /// `FROM [--platform=P] image [AS name]`
    From {
        /// Image reference or stage name.
        image: Word,
        /// The name after `AS`, as written.
        name: Option<Word>,
    },
    /// `ARG a[=b] …`
    Arg(Vec<KeyValue>),
    /// `ENV a=b …` or `ENV a b c`
    Env(Vec<KeyValue>),
    /// `LABEL a=b …` or `LABEL a b c`
    Label(Vec<KeyValue>),
    /// `RUN`
    Run(CommandLine),
    /// `CMD`
    Cmd(CommandLine),
    /// `ENTRYPOINT`
    Entrypoint(CommandLine),
    /// `COPY`
    Copy {
        /// At least one unless there was an error.
        sources: Vec<CopySource>,
        /// The last argument.
        dest: Word,
    },
    /// `ADD`
    Add {
        /// At least one unless there was an error.
        sources: Vec<CopySource>,
        /// The last argument.
        dest: Word,
    },
    /// `EXPOSE port[/proto] …`
    Expose(Vec<Word>),
    /// `USER name[:group]`
    User(Word),
    /// `WORKDIR path`
    Workdir(Word),
    /// `VOLUME ["/a"]` or `VOLUME /a /b`
    Volume(Vec<Word>),
    /// `STOPSIGNAL`
    StopSignal(Word),
    /// `SHELL ["a", "b"]`
    Shell(Vec<Spanned<String>>),
    /// `HEALTHCHECK NONE`, or `CMD …`
    Healthcheck(Option<CommandLine>),
    /// `ONBUILD instruction`
    Onbuild(Box<Instruction>),
    /// `MAINTAINER text`
    Maintainer(LogicalText),
    /// A known keyword whose arguments are wrong (an error tells why), or an unknown keyword.
    Invalid,
}
