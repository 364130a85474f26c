//! The Dockerfile tree: what the parser returns.
//!
//! Every byte of the file lies in exactly one [`Element`]; printing the elements' spans in order
//! gives the file back. The typed view of an instruction hangs on the element and points back
//! into the file with byte spans.

use std::sync::Arc;

use crate::error::SyntaxError;
use crate::span::{Span, Spanned};
use crate::text::LogicalText;

/// A parsed Dockerfile. Parsing never fails: errors stand beside the tree.
#[derive(Clone, Debug)]
pub struct Dockerfile {
    /// The file as read (with BOM, CRLF and all).
    pub text: Arc<str>,
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
    Directive(Box<Directive>),
    /// A comment line outside any instruction.
    Comment,
    /// Empty or white space only.
    Blank,
    /// The instruction with this index in [`Dockerfile::instructions`].
    Instruction(usize),
}

/// `# name=value` at the very top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Lower-case name.
    pub name: Spanned<String>,
    /// The value as written, trimmed.
    pub value: Spanned<String>,
}

/// A word as written (quotes, escapes and variables still in it), with its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    /// The raw text and where its bytes stand.
    pub raw: LogicalText,
}

impl std::ops::Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        self.raw.as_str()
    }
}

impl Word {
    /// The raw text.
    pub fn as_str(&self) -> &str {
        self.raw.as_str()
    }

    /// Where it stands in the file.
    pub fn span(&self) -> Span {
        self.raw.full_span()
    }
}

/// One instruction.
#[derive(Clone, Debug)]
pub struct Instruction {
    /// From the first byte of the keyword (or of an escape character alone on a line before it) to the last byte of the last line (here-document bodies
    /// and their terminators included), without the final line end.
    pub span: Span,
    /// The keyword as written.
    pub keyword: LogicalText,
    /// `--name=value` flags in order.
    pub flags: Vec<Flag>,
    /// All that follows keyword and flags, before here-document bodies.
    pub rest: LogicalText,
    /// What it means.
    pub kind: InstructionKind,
    /// Here-documents in order of their markers.
    pub heredocs: Vec<Heredoc>,
    /// Comment lines and blank lines inside the instruction, each with its line end.
    pub trivia: Vec<Span>,
}

impl Instruction {
    /// The first flag of that name.
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().find(|f| f.name == name)
    }
}

/// What a shell-form RUN, CMD, ENTRYPOINT or HEALTHCHECK hands to its shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellScript {
    /// The text that the shell reads: the command with its here-documents put back, or the body
    /// when the whole command is one here-document.
    pub text: LogicalText,
    /// The first line without `#!`, trimmed, when the body begins with one: the text then runs as
    /// a file with this interpreter and not in the shell.
    pub shebang: Option<LogicalText>,
}

/// `--name=value` or `--name`.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The whole flag.
    pub span: Span,
    /// The name without dashes, as written.
    pub name: LogicalText,
    /// The value after `=`, if there was one, without the quotes and escapes that the flag's own
    /// syntax consumes (so a second layer of quotes is still in it).
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
    /// The body as it stands in the file, tabs and all.
    pub raw_body: LogicalText,
    /// The body's lines in the file.
    pub body_span: Span,
    /// The line that ends it, without its line end; empty when the end is missing.
    pub terminator: Span,
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
