//! What BuildKit rejects, each with its place.

use thiserror::Error;

use crate::span::Span;

/// An error at its place; the tree around it is intact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: SyntaxErrorKind,
    /// The error lies in an `ONBUILD` trigger and does not stop this build, only those based on
    /// its image.
    pub in_trigger: bool,
}

impl SyntaxError {
    /// What is wrong, in one sentence without a final stop.
    pub fn message(&self) -> String {
        self.kind.to_string()
    }
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for SyntaxError {}

/// The kinds of [`SyntaxError`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// The file does not fit 32-bit offsets.
    #[error("the file is larger than 4 GiB, which no Dockerfile is; check the path")]
    FileTooLarge,
    /// BuildKit reads lines of at most 65,535 bytes.
    #[error(
        "this line has {length} bytes, but BuildKit reads at most 65535 in a line; split it with continuations"
    )]
    LineTooLong {
        /// Bytes without the line end.
        length: usize,
    },
    /// Nothing but comments and blank lines.
    #[error("the file has no instructions")]
    NoInstructions,
    /// Only ARG before the end of the file.
    #[error("the file has no FROM, so there is no stage to build")]
    NoStages,
    /// An instruction other than ARG before the first FROM.
    #[error("{keyword} before the first FROM: only ARG may stand there")]
    BeforeFirstFrom {
        /// In capitals.
        keyword: String,
    },
    /// `# escape=` with another value.
    #[error("the escape directive takes ` or \\, not '{value}'")]
    InvalidEscape {
        /// As written.
        value: String,
    },
    /// A directive for the second time.
    #[error("the {name} directive can be given only once")]
    RepeatedDirective {
        /// Lower-case name.
        name: &'static str,
    },
    /// No instruction has this name.
    #[error("unknown instruction {keyword}{}", did_you_mean(*.suggestion))]
    UnknownInstruction {
        /// As written.
        keyword: String,
        /// An instruction with a similar name.
        suggestion: Option<&'static str>,
    },
    /// The instruction has no flag of this name.
    #[error("{instruction} has no flag --{flag}{}", did_you_mean_flag(*.suggestion))]
    UnknownFlag {
        /// In capitals.
        instruction: &'static str,
        /// Without dashes.
        flag: String,
        /// A flag with a similar name.
        suggestion: Option<&'static str>,
    },
    /// A flag that may stand once stands twice.
    #[error("--{flag} is given twice")]
    DuplicateFlag {
        /// Without dashes.
        flag: String,
    },
    /// A flag without its value.
    #[error("--{flag} needs a value: --{flag}=…")]
    MissingFlagValue {
        /// Without dashes.
        flag: String,
    },
    /// A flag with a value that BuildKit does not take.
    #[error("--{flag} takes {expected}, not '{value}'")]
    InvalidFlagValue {
        /// Without dashes.
        flag: String,
        /// As written.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
    /// Bad quoting in the comma-separated value of a flag.
    #[error("the value of --{flag} has a stray or unclosed double quote")]
    InvalidFlagFields {
        /// Without dashes.
        flag: String,
    },
    /// `--mount=from=$x`.
    #[error("from= of --mount takes no variables; name a stage FROM that image and use its name")]
    VariableInMountFrom,
    /// Nothing after the keyword.
    #[error("{instruction} needs at least one argument")]
    MissingArgument {
        /// In capitals.
        instruction: &'static str,
    },
    /// COPY or ADD with one argument.
    #[error("{instruction} needs at least one source and a destination")]
    MissingDestination {
        /// In capitals.
        instruction: &'static str,
    },
    /// A here-document in the place of the destination.
    #[error("the destination of {instruction} cannot be a here-document")]
    HeredocDestination {
        /// In capitals.
        instruction: &'static str,
    },
    /// Neither one nor three words after FROM.
    #[error("FROM takes an image, or an image followed by AS and a name")]
    FromArguments,
    /// The name after AS.
    #[error(
        "'{name}' is no name for a stage: a letter comes first, then letters, digits, -, _ and ."
    )]
    InvalidStageName {
        /// As written.
        name: String,
    },
    /// `ENV name` or `LABEL name`.
    #[error("{instruction} needs a name and a value: name=value")]
    MissingValue {
        /// In capitals.
        instruction: &'static str,
    },
    /// A word without `=` after words with one.
    #[error("'{word}' has no =; write name=value, with quotes around a value that has blanks")]
    MissingEquals {
        /// As written.
        word: String,
    },
    /// `=value`.
    #[error("{instruction} needs a name before the =")]
    BlankName {
        /// In capitals.
        instruction: &'static str,
    },
    /// A JSON array with something else than strings.
    #[error("the exec form takes strings only; put every element in double quotes")]
    NotStrings,
    /// SHELL without a JSON array.
    #[error("SHELL takes a JSON array, such as [\"/bin/bash\", \"-c\"]")]
    ShellNotJson,
    /// `VOLUME [""]`.
    #[error("VOLUME cannot be an empty string")]
    EmptyVolume,
    /// HEALTHCHECK with neither CMD nor NONE.
    #[error("HEALTHCHECK takes CMD or NONE, not '{word}'")]
    HealthcheckType {
        /// As written.
        word: String,
    },
    /// `HEALTHCHECK CMD` alone.
    #[error("HEALTHCHECK CMD needs a command")]
    HealthcheckCommand,
    /// `HEALTHCHECK NONE x`.
    #[error("HEALTHCHECK NONE takes no arguments")]
    HealthcheckNoneArguments,
    /// `ONBUILD ONBUILD`.
    #[error("ONBUILD cannot hold another ONBUILD")]
    ChainedOnbuild,
    /// `ONBUILD FROM` or `ONBUILD MAINTAINER`.
    #[error("ONBUILD cannot hold {instruction}")]
    OnbuildTrigger {
        /// In capitals.
        instruction: String,
    },
    /// The line that ends a here-document is missing.
    #[error("the here-document has no end: a line that holds {name} alone is missing")]
    UnterminatedHeredoc {
        /// The delimiter.
        name: String,
    },
    /// The delimiter of a here-document is malformed.
    #[error("the delimiter of this here-document cannot be read: {0}")]
    HeredocDelimiter(crate::word::WordErrorKind),
}

fn did_you_mean(name: Option<&'static str>) -> String {
    name.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

fn did_you_mean_flag(name: Option<&'static str>) -> String {
    name.map(|name| format!("; did you mean --{name}?")).unwrap_or_default()
}
