//! Words: quoting, splitting, variables, substitutions.

use mlint_syntax::{
    Span,
    shell::{Param, ParamOp, Quote, Script, ShellWord, WordPart},
};

use super::Interpreter;
use crate::{
    expand::Binding,
    glob,
    stage::UnsetUse,
    value::{HopKind, Origin, Value},
};

/// Variables that the shell or every container sets: using them says nothing.
pub(super) const SHELL_VARIABLES: &[&str] = &[
    "HOME",
    "PWD",
    "OLDPWD",
    "IFS",
    "USER",
    "LOGNAME",
    "HOSTNAME",
    "SHELL",
    "TERM",
    "RANDOM",
    "UID",
    "EUID",
    "PPID",
    "LINENO",
    "SECONDS",
    "OPTARG",
    "OPTIND",
    "REPLY",
    "BASH",
    "BASH_VERSION",
    "BASH_SOURCE",
    "FUNCNAME",
    "PIPESTATUS",
    "SHLVL",
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
];

impl Interpreter<'_, '_> {
    /// A word that stays one: in an assignment, after `case`, in quotes.
    pub(super) fn single(&mut self, word: &ShellWord) -> Value {
        if let [WordPart::Literal { text, quote: Quote::None, .. }] = &word.parts[..]
            && !text.starts_with('~')
        {
            return self.literal(text);
        }
        let parts: Vec<Value> = (0..word.parts.len()).map(|i| self.part(word, i)).collect();
        Value::join(&parts)
    }

    pub(super) fn part(&mut self, word: &ShellWord, index: usize) -> Value {
        match &word.parts[index] {
            WordPart::Literal { text, quote, .. } => {
                let tilde = index == 0
                    && *quote == Quote::None
                    && (text.as_str() == "~" || text.starts_with("~/"));
                if !tilde {
                    return self.literal(text);
                }
                let home = self.home(word.span);
                home.concat(&self.literal(&text.slice(1, text.len())))
            }
            WordPart::Param(param) => self.param(param),
            WordPart::CommandSub { script, span, .. } => self.substitution(script, *span),
            WordPart::Arithmetic { text, parts, span, .. } => {
                // What expands in it comes first; plain variables are read where they stand.
                let plain = parts.iter().all(|p| match p {
                    WordPart::Literal { .. } => true,
                    WordPart::Param(param) => param.op.is_none() && param.index.is_none(),
                    _ => false,
                });
                let number = match plain {
                    true => self.arithmetic(text, *span),
                    false => {
                        let inner = ShellWord { span: *span, parts: parts.clone() };
                        let value = self.single(&inner);
                        value.as_known().and_then(|text| self.arithmetic(&text, *span))
                    }
                };
                match number {
                    Some(number) => Value::known(number.to_string(), Origin::Literal, *span),
                    None => Value::unknown(Origin::Opaque, *span),
                }
            }
            WordPart::ProcessSub { script, span, .. } => {
                let _ = self.substitution(script, *span);
                Value::unknown(Origin::Opaque, *span)
            }
            WordPart::Opaque(span) => Value::unknown(Origin::Opaque, *span),
            _ => Value::unknown(Origin::Opaque, word.span),
        }
    }

    fn home(&self, span: Span) -> Value {
        match self.lookup("HOME") {
            Binding::Set(value) => value,
            _ => match &self.state.home {
                Some(home) => Value::known(home.as_str(), Origin::BaseEnv, span),
                None => Value::unknown(Origin::BaseEnv, span),
            },
        }
    }

    /// A word as a pattern; `None` if it is not known. Quoted parts stand for themselves.
    pub(super) fn pattern(&mut self, word: &ShellWord) -> Option<String> {
        let mut out = String::new();
        for index in 0..word.parts.len() {
            let quoted = match &word.parts[index] {
                WordPart::Literal { quote, .. } => *quote != Quote::None,
                WordPart::Param(param) => param.quoted,
                WordPart::CommandSub { quoted, .. } | WordPart::Arithmetic { quoted, .. } => {
                    *quoted
                }
                _ => false,
            };
            let value = self.part(word, index);
            let text = value.as_known()?;
            if quoted {
                out.push_str(&glob::escape(&text));
            } else {
                out.push_str(&text);
            }
        }
        Some(out)
    }

    /// `$(…)`.
    fn substitution(&mut self, script: &Script, span: Span) -> Value {
        let outer = self.input.take();
        let stream = self.capture(|this| this.subshell(span, |this| this.script(script)));
        self.input = outer;
        trim_line_ends(&stream.text).hop(HopKind::Printed, "", span)
    }

    fn param(&mut self, param: &Param) -> Value {
        let span = param.span;
        if matches!(param.op.as_deref(), Some(ParamOp::Length))
            && let Some(count) = self.count(param)
        {
            return count;
        }
        if let Some(values) = self.words_of(param) {
            return match values {
                Some(values) => self.joined(&values, span),
                None => Value::unknown(Origin::Opaque, span),
            };
        }
        if let Some(value) = self.special(param) {
            return value;
        }
        let binding = match &param.index {
            None => self.lookup(&param.name),
            Some(index) => self.element(&param.name, index),
        };
        self.lacks_argument |=
            matches!(binding, Binding::Declared) || self.state.scope.lacks_argument(&param.name);
        let has_fallback = param.op.as_ref().is_some_and(|op| super::operators::has_fallback(op));
        if param.index.is_none()
            && !has_fallback
            && !matches!(binding, Binding::Set(_) | Binding::Declared)
        {
            self.note_unset(&param.name, span);
        }
        let is_unset = matches!(binding, Binding::Unset | Binding::Declared);
        if is_unset && self.nounset && !has_fallback {
            self.stop_at(
                span,
                format!("{} is not set, and the script forbids that (set -u)", param.name),
            );
        }
        let value = match &binding {
            Binding::Set(value) => value.hop(HopKind::Used, &param.name, span),
            Binding::Unset | Binding::Declared => Value::empty(),
            Binding::Unknown if param.name == "HOME" => self.home(span),
            Binding::Unknown if param.name == "PWD" => match &self.directory {
                Some(directory) => Value::known(directory.as_str(), Origin::BaseEnv, span),
                None => Value::unknown(Origin::Unset, span),
            },
            Binding::Unknown => {
                Value::unknown(Origin::Unset, span).hop(HopKind::Used, &param.name, span)
            }
        };
        match &param.op {
            None => value,
            Some(op) => self.operator(param, op, &binding, value),
        }
    }

    fn note_unset(&mut self, name: &str, span: Span) {
        let known = SHELL_VARIABLES.contains(&name) || self.sourced;
        let noted = UnsetUse { name: name.to_owned(), span };
        if !known && !self.step.unset.contains(&noted) {
            self.step.unset.push(noted);
        }
    }

    /// The shell stops in the middle of an expansion.
    pub(super) fn stop_at(&mut self, span: Span, message: String) {
        if self.is_reached() && self.failure.is_none() && self.step.failure.is_none() {
            self.step.failure = Some(crate::stage::Failure::new(span, message));
        }
    }

    /// Parameters that are no variables.
    fn special(&mut self, param: &Param) -> Option<Value> {
        let span = param.span;
        let value = match param.name.as_str() {
            _ if self.lost_track
                && !param.name.starts_with(|c: char| c == '_' || c.is_alphabetic()) =>
            {
                Value::unknown(Origin::Opaque, span)
            }
            "#" => Value::known(self.positional.len().to_string(), Origin::Literal, span),
            "?" | "$" | "!" | "-" | "_" => Value::unknown(Origin::Opaque, span),
            "0" => match &self.zero {
                Some(zero) => zero.hop(HopKind::Used, "0", span),
                None => Value::unknown(Origin::Opaque, span),
            },
            digits if digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() => {
                let number: usize = digits.parse().ok()?;
                let binding = match self.positional.get(number.checked_sub(1)?) {
                    Some(value) => Binding::Set(value.hop(HopKind::Used, digits, span)),
                    None => Binding::Unset,
                };
                let value = match &binding {
                    Binding::Set(value) => value.clone(),
                    _ => Value::empty(),
                };
                return Some(match &param.op {
                    None => value,
                    Some(op) => self.operator(param, op, &binding, value),
                });
            }
            _ => return None,
        };
        Some(value)
    }
}

/// `$(…)` drops line ends at the end.
fn trim_line_ends(value: &Value) -> Value {
    match value.as_known() {
        Some(text) => {
            let kept = text.trim_end_matches('\n').len();
            value.slice(0..kept).unwrap_or_else(|| value.clone())
        }
        None => {
            let mut pieces = value.pieces().to_vec();
            while let Some(last) = pieces.pop() {
                match last.text() {
                    Some(text) if text.ends_with('\n') => {
                        let trimmed = text.trim_end_matches('\n').to_owned();
                        if !trimmed.is_empty() {
                            let content = crate::value::Content::Known(trimmed.into());
                            pieces.push(crate::value::Piece { content, source: None, ..last });
                            break;
                        }
                    }
                    Some(_) => {
                        pieces.push(last);
                        break;
                    }
                    None => {
                        let content = match &last.content {
                            crate::value::Content::Alternatives(values) => {
                                let values = values.iter().map(trim_line_ends).collect();
                                crate::value::Content::Alternatives(values)
                            }
                            other => other.clone(),
                        };
                        pieces.push(crate::value::Piece { content, ..last });
                        break;
                    }
                }
            }
            Value::new(pieces)
        }
    }
}
