//! Concrete expansion: from a parsed word and the values of its variables to a text.

use thiserror::Error;

use super::pattern::{PatternError, replace, trim_prefix, trim_suffix};
use super::{Op, OpKind, ParsedWord, Part, Quoting, Variable, WordError, WordErrorKind};
use crate::span::Span;

/// Gives the value of a variable, `None` when it is unset.
pub type Lookup<'l> = dyn Fn(&str) -> Option<String> + 'l;

/// Why a word cannot be expanded: the build stops here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// The word is malformed.
    #[error("{kind}")]
    Syntax {
        /// Where.
        span: Span,
        /// Why.
        kind: WordErrorKind,
    },
    /// `${x:?message}`.
    #[error("{name}: {message}")]
    Required {
        /// The whole variable.
        span: Span,
        /// Its name.
        name: String,
        /// The message, or why it is refused.
        message: String,
    },
    /// A pattern that BuildKit refuses.
    #[error("{error}")]
    Pattern {
        /// The whole variable.
        span: Span,
        /// Why.
        error: PatternError,
    },
    /// The text would grow without reason.
    #[error("the text grows beyond {MAX_LENGTH} bytes")]
    TooLong {
        /// The whole variable.
        span: Span,
    },
}

/// Longest text that an expansion may give.
pub const MAX_LENGTH: usize = 1 << 20;

impl ExpandError {
    /// Where.
    pub fn span(&self) -> Span {
        match self {
            ExpandError::Syntax { span, .. }
            | ExpandError::Required { span, .. }
            | ExpandError::Pattern { span, .. }
            | ExpandError::TooLong { span } => *span,
        }
    }
}

impl From<&WordError> for ExpandError {
    fn from(error: &WordError) -> Self {
        ExpandError::Syntax { span: error.span, kind: error.kind.clone() }
    }
}

/// Expands a word to one text, however many blanks its values hold.
///
/// # Errors
/// [`ExpandError`] where BuildKit stops the build.
pub fn expand(word: &ParsedWord, lookup: &Lookup<'_>) -> Result<String, ExpandError> {
    let mut out = String::new();
    for part in &word.parts {
        match part {
            Part::Literal { text, .. } => out.push_str(text.as_str()),
            Part::Variable(variable) => out.push_str(&value_of(variable, lookup)?),
        }
        if out.len() > MAX_LENGTH {
            return Err(ExpandError::TooLong { span: word.span });
        }
    }
    match &word.error {
        None => Ok(out),
        Some(error) => Err(error.into()),
    }
}

fn value_of(variable: &Variable, lookup: &Lookup<'_>) -> Result<String, ExpandError> {
    let value = |name: &str| lookup(name);
    match &variable.op {
        None => Ok(value(&variable.name).unwrap_or_default()),
        Some(op) => {
            // As in BuildKit, operands are expanded even when they are not used, and an error in
            // them counts.
            let operand = expand(&op.operand, lookup)?;
            let replacement = match &op.replacement {
                Some(replacement) => expand(replacement, lookup)?,
                None => String::new(),
            };
            let value = value(&variable.name);
            op.apply(variable, value.as_deref(), &operand, &replacement)
        }
    }
}

impl Op {
    /// What `${x…}` gives for a value of x (`None`: unset) and expanded operands.
    ///
    /// # Errors
    /// [`ExpandError`] where BuildKit stops the build.
    pub fn apply(
        &self,
        variable: &Variable,
        value: Option<&str>,
        operand: &str,
        replacement: &str,
    ) -> Result<String, ExpandError> {
        let span = variable.span;
        let missing = |null: bool| value.is_none() || (null && value == Some(""));
        let text = value.unwrap_or_default();
        let pattern_error = |error| ExpandError::Pattern { span, error };
        // A doubled operator asks for the longest match, also when an operand's value brings it.
        let longest = |sign: char| match operand.strip_prefix(sign) {
            Some(pattern) => (pattern, true),
            None => (operand, false),
        };
        match self.kind {
            OpKind::Default { null } if missing(null) => Ok(operand.to_owned()),
            OpKind::Default { .. } => Ok(text.to_owned()),
            OpKind::Alternative { null } if missing(null) => Ok(String::new()),
            OpKind::Alternative { .. } => Ok(operand.to_owned()),
            OpKind::Required { null } if missing(null) => {
                let message = match (operand, value) {
                    ("", None) => "is not allowed to be unset",
                    ("", Some(_)) => "is not allowed to be empty",
                    (message, _) => message,
                };
                let (name, message) = (variable.name.clone(), message.to_owned());
                Err(ExpandError::Required { span, name, message })
            }
            OpKind::Required { .. } => Ok(text.to_owned()),
            OpKind::TrimPrefix => {
                let (pattern, longest) = longest('#');
                trim_prefix(text, pattern, longest).map_err(pattern_error)
            }
            OpKind::TrimSuffix => {
                let (pattern, longest) = longest('%');
                trim_suffix(text, pattern, longest).map_err(pattern_error)
            }
            OpKind::Replace { all } => {
                replace(text, operand, replacement, all).map_err(pattern_error)
            }
            OpKind::Unsupported(sign) => Err(ExpandError::Syntax {
                span,
                kind: WordErrorKind::UnsupportedOperator(format!(":{sign}")),
            }),
        }
    }
}

/// A word that [`expand_words`] has split off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WordSpan {
    /// Its text.
    pub text: String,
    /// From its first part to its last.
    pub span: Span,
}

/// Expands a text and splits it at blanks that are neither quoted nor escaped, those in values of
/// unquoted variables included. Empty words vanish, quoted or not. As in BuildKit, `${x-…}` with an
/// operator drops the part of its word that stands before it, so `80${x:-}` is nothing.
///
/// # Errors
/// As [`expand`].
pub fn expand_words(word: &ParsedWord, lookup: &Lookup<'_>) -> Result<Vec<WordSpan>, ExpandError> {
    split_words(word, |variable| value_of(variable, lookup))
}

/// As [`expand_words`], with the text of each variable from `value`.
pub(crate) fn split_words(
    word: &ParsedWord,
    mut value: impl FnMut(&Variable) -> Result<String, ExpandError>,
) -> Result<Vec<WordSpan>, ExpandError> {
    if let Some(error) = &word.error {
        return Err(error.into());
    }
    let mut splitter = Splitter::default();
    for part in &word.parts {
        match part {
            Part::Literal { text, quoting: Quoting::None, .. } => {
                splitter.quoted(false);
                splitter.split(text, |start, end| text.span(start as u32, end as u32));
            }
            Part::Literal { text, span, quoting } => {
                splitter.quoted(*quoting == Quoting::Double);
                splitter.add(text, *span);
                // The last part between double quotes holds the closing one, the text does not.
                if span.end > text.full_span().end {
                    splitter.quoted(false);
                }
            }
            Part::Variable(variable) => {
                let text = value(variable)?;
                splitter.quoted(variable.quoted);
                if variable.op.is_some() {
                    splitter.forget();
                }
                if variable.quoted {
                    splitter.add(&text, variable.span);
                } else {
                    splitter.split(&text, |_, _| variable.span);
                }
            }
        }
    }
    splitter.end_word();
    Ok(splitter.words)
}

#[derive(Default)]
struct Splitter {
    words: Vec<WordSpan>,
    text: String,
    span: Option<Span>,
    /// Where in `text` the double quotes began that are open.
    quotes: Option<usize>,
}

impl Splitter {
    /// What comes next stands between double quotes, or does not.
    fn quoted(&mut self, double: bool) {
        self.quotes = double.then(|| self.quotes.unwrap_or(self.text.len()));
    }

    /// BuildKit (since 0.15) reads the operand of `${x-…}` into the buffer that holds the word so
    /// far, so that what stands before it is lost, up to the double quotes that are open.
    fn forget(&mut self) {
        self.text.drain(..self.quotes.unwrap_or(self.text.len()));
        self.quotes = self.quotes.map(|_| 0);
    }

    fn add(&mut self, text: &str, span: Span) {
        self.text.push_str(text);
        self.span = Some(self.span.map_or(span, |s| s.cover(span)));
    }

    fn split(&mut self, text: &str, place: impl Fn(usize, usize) -> Span) {
        let mut at = 0;
        loop {
            let rest = &text[at..];
            let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
            if len > 0 {
                self.add(&rest[..len], place(at, at + len));
            }
            at += len;
            match text[at..].chars().next() {
                Some(blank) => at += blank.len_utf8(),
                None => return,
            }
            self.end_word();
        }
    }

    fn end_word(&mut self) {
        // BuildKit's splitter lets a blank after an empty pair of quotes pass.
        if let Some(span) = self.span.take_if(|_| !self.text.is_empty()) {
            self.words.push(WordSpan { text: std::mem::take(&mut self.text), span });
        }
    }
}
