//! Words of the Dockerfile language: quotes, escapes and variables, as BuildKit's own lexer reads
//! them (ENV, ARG, LABEL, WORKDIR, COPY, FROM, …; the shell inside RUN is another language, see
//! [`crate::shell`]).

mod expand;
mod parse;
mod pattern;

use thiserror::Error;

use crate::span::Span;
use crate::text::LogicalText;

pub(crate) use expand::split_words;
pub use expand::{ExpandError, Lookup, WordSpan, expand, expand_words};
pub(crate) use parse::{Mode, parse_with};
pub use parse::{parse_heredoc_body, parse_word};
pub use pattern::{PatternError, replace, trim_prefix, trim_suffix};

/// A word with its quotes resolved and its variables found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedWord {
    /// Where it stands.
    pub span: Span,
    /// Its parts in order; with an error, those before it.
    pub parts: Vec<Part>,
    /// Why BuildKit refuses the word.
    pub error: Option<WordError>,
}

/// One part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text that stands for itself.
    Literal {
        /// The text without quotes and escapes; it knows where each of its bytes stands.
        text: LogicalText,
        /// Where it stands, with the quotes or the escape character.
        span: Span,
        /// How it was quoted.
        quoting: Quoting,
    },
    /// `$x` or `${x…}`.
    Variable(Variable),
}

/// How a part was quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quoting {
    /// Not at all.
    None,
    /// One character after the escape character.
    Escaped,
    /// Between single quotes.
    Single,
    /// Between double quotes.
    Double,
}

/// `$x` or `${x…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name; a digit string or one of `@*#?-$!0` for the parameters that have no name.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// From the dollar to the end.
    pub span: Span,
    /// Whether it stands in braces.
    pub braced: bool,
    /// Whether it stands between double quotes.
    pub quoted: bool,
    /// The operator in the braces.
    pub op: Option<Op>,
}

/// The operator of `${x…}` with its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Op {
    /// Which.
    pub kind: OpKind,
    /// The word after the operator. For the two `Trim…`s, a first character equal to the operator
    /// (after expansion, as in BuildKit) means "the longest match".
    pub operand: ParsedWord,
    /// For [`OpKind::Replace`], what comes after the second slash.
    pub replacement: Option<ParsedWord>,
}

/// The operators of `${x…}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpKind {
    /// `-`, or `:-` with `null`.
    Default {
        /// An empty value counts as unset.
        null: bool,
    },
    /// `+`, or `:+` with `null`.
    Alternative {
        /// An empty value counts as unset.
        null: bool,
    },
    /// `?`, or `:?` with `null`.
    Required {
        /// An empty value counts as unset.
        null: bool,
    },
    /// `#` and `##`.
    TrimPrefix,
    /// `%` and `%%`.
    TrimSuffix,
    /// `/`, or `//` with `all`.
    Replace {
        /// Every match, not just the first.
        all: bool,
    },
    /// `:` with another character: parsed, but never expanded.
    Unsupported(char),
}

impl OpKind {
    /// As it is written.
    pub fn sign(self) -> String {
        let with_colon = |null: bool, sign: char| match null {
            true => format!(":{sign}"),
            false => sign.to_string(),
        };
        match self {
            OpKind::Default { null } => with_colon(null, '-'),
            OpKind::Alternative { null } => with_colon(null, '+'),
            OpKind::Required { null } => with_colon(null, '?'),
            OpKind::TrimPrefix => "#".to_owned(),
            OpKind::TrimSuffix => "%".to_owned(),
            OpKind::Replace { all: false } => "/".to_owned(),
            OpKind::Replace { all: true } => "//".to_owned(),
            OpKind::Unsupported(sign) => format!(":{sign}"),
        }
    }
}

/// Why a word is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordError {
    /// Where.
    pub span: Span,
    /// Why.
    pub kind: WordErrorKind,
}

/// Why a word is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WordErrorKind {
    /// `'abc`
    #[error("the single quote is not closed")]
    UnclosedSingleQuote,
    /// `"abc`
    #[error("the double quote is not closed")]
    UnclosedDoubleQuote,
    /// `${abc`
    #[error("the brace is not closed: }} is missing")]
    MissingBrace,
    /// `${abc/x}`
    #[error("the replacement has no second slash: ${{name/pattern/replacement}}")]
    MissingSlash,
    /// `${}`, `${{x}`, `${:x}`
    #[error("there is no variable name after ${{")]
    BadSubstitution,
    /// `${x^}`
    #[error("BuildKit knows no operator '{0}' in ${{…}}; it knows :- - :+ + :? ? # ## % %% / //")]
    UnsupportedOperator(String),
    /// More than [`MAX_NESTING`] levels of `${x-${x-…}}`.
    #[error("more than {MAX_NESTING} variables are nested in each other")]
    TooDeep,
}

/// How deep `${x-${x-…}}` may nest.
pub const MAX_NESTING: usize = 100;

impl ParsedWord {
    /// The text, when no variable is in it and BuildKit takes it.
    pub fn as_literal(&self) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Literal { text, .. } => out.push_str(text.as_str()),
                Part::Variable(_) => return None,
            }
        }
        self.error.is_none().then_some(out)
    }

    /// All variables in it, those in operands included, in the order of the text.
    pub fn variables(&self) -> Vec<&Variable> {
        let mut out = Vec::new();
        self.collect_variables(&mut out);
        out
    }

    fn collect_variables<'w>(&'w self, out: &mut Vec<&'w Variable>) {
        for part in &self.parts {
            let Part::Variable(variable) = part else { continue };
            out.push(variable);
            if let Some(op) = &variable.op {
                op.operand.collect_variables(out);
                if let Some(replacement) = &op.replacement {
                    replacement.collect_variables(out);
                }
            }
        }
    }
}

/// Parses the raw text of a [`crate::Word`] and expands it with `lookup`.
///
/// # Errors
/// As [`expand`].
pub fn expand_text(
    raw: &LogicalText,
    escape: char,
    lookup: &Lookup<'_>,
) -> Result<String, ExpandError> {
    expand(&parse_word(raw, escape), lookup)
}

#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
