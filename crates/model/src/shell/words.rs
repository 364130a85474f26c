//! Words: quoting, splitting, variables, substitutions.

use mlint_syntax::{
    Span,
    shell::{Param, Quote, Script, ShellWord, WordPart},
};

use super::{Flow, Interpreter, scripts};
use crate::{
    effect::Argument,
    expand::Binding,
    glob,
    stage::UnsetUse,
    value::{HopKind, Origin, Value},
};

/// Variables that the shell or every container sets: using them says nothing.
const SHELL_VARIABLES: &[&str] = &[
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

    fn part(&mut self, word: &ShellWord, index: usize) -> Value {
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
            WordPart::Arithmetic { text, span, .. } => match self.arithmetic(text, *span) {
                Some(number) => Value::known(number.to_string(), Origin::Literal, *span),
                None => Value::unknown(Origin::Opaque, *span),
            },
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

    /// The words that a word becomes: unquoted values are split at blanks, and vanish if empty.
    pub(super) fn fields(&mut self, word: &ShellWord) -> Vec<Argument> {
        let span = word.span;
        if let [WordPart::Param(p)] = &word.parts[..]
            && matches!(p.name.as_str(), "@" | "*")
            && p.op.is_none()
        {
            let values = self.positional.clone();
            return values.into_iter().map(|value| Argument { value, span }).collect();
        }
        let mut fields: Vec<Value> = Vec::new();
        let mut current: Option<Value> = None;
        for index in 0..word.parts.len() {
            let unquoted = match &word.parts[index] {
                WordPart::Literal { .. } | WordPart::ProcessSub { .. } => false,
                WordPart::Param(param) => !param.quoted,
                WordPart::CommandSub { quoted, .. } | WordPart::Arithmetic { quoted, .. } => {
                    !quoted
                }
                _ => false,
            };
            let value = self.part(word, index);
            if !unquoted {
                current = Some(current.unwrap_or_default().concat(&value));
                continue;
            }
            let Some(text) = value.as_known() else {
                current = Some(current.unwrap_or_default().concat(&value));
                continue;
            };
            let mut at = 0;
            for piece in text.split_inclusive(char::is_whitespace) {
                let trimmed = piece.trim_end_matches(char::is_whitespace);
                if let Some(part) = value.slice(at..at + trimmed.len())
                    && !trimmed.is_empty()
                {
                    current = Some(current.unwrap_or_default().concat(&part));
                }
                if trimmed.len() < piece.len() {
                    fields.extend(current.take());
                }
                at += piece.len();
            }
        }
        fields.extend(current);
        fields.into_iter().map(|value| Argument { value, span }).collect()
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
        let failure = self.failure.take();
        let stream = self.capture(|this| {
            this.subshell(|this| {
                this.script(script);
            });
        });
        self.failure = failure;
        self.input = outer;
        trim_line_ends(&stream.text).hop(HopKind::Printed, "", span)
    }

    fn param(&mut self, param: &Param) -> Value {
        let span = param.span;
        if let Some(value) = self.special(param) {
            return value;
        }
        let binding = match &param.index {
            None => self.lookup(&param.name),
            Some(index) => self.element(&param.name, index),
        };
        let has_fallback = param.op.as_ref().is_some_and(|op| super::operators::has_fallback(op));
        if param.index.is_none()
            && !has_fallback
            && !matches!(binding, Binding::Set(_) | Binding::Declared)
        {
            self.note_unset(&param.name, span);
        }
        if matches!(binding, Binding::Unset) && self.nounset && !has_fallback {
            self.stop_at(
                span,
                format!("{} is not set, and the script forbids that (set -u)", param.name),
            );
        }
        let value = match &binding {
            Binding::Set(value) => value.hop(HopKind::Used, &param.name, span),
            Binding::Unset => Value::empty(),
            Binding::Unknown if param.name == "HOME" => self.home(span),
            Binding::Unknown if param.name == "PWD" => match &self.directory {
                Some(directory) => Value::known(directory.as_str(), Origin::BaseEnv, span),
                None => Value::unknown(Origin::Unset, span),
            },
            Binding::Unknown | Binding::Declared => {
                let declared = matches!(binding, Binding::Declared);
                let origin = if declared { Origin::BuildArg } else { Origin::Unset };
                Value::unknown(origin, span).hop(HopKind::Used, &param.name, span)
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
        if self.is_certain() && self.failure.is_none() && self.step.failure.is_none() {
            self.step.failure = Some(crate::stage::Failure { span, message });
        }
    }

    /// Parameters that are no variables.
    fn special(&mut self, param: &Param) -> Option<Value> {
        let span = param.span;
        let value = match param.name.as_str() {
            "@" | "*" => {
                let blank = Value::known(" ", Origin::Literal, span);
                let mut parts: Vec<Value> = Vec::new();
                for value in &self.positional {
                    if !parts.is_empty() {
                        parts.push(blank.clone());
                    }
                    parts.push(value.clone());
                }
                Value::join(&parts)
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

    /// `${name[index]}`.
    fn element(&mut self, name: &str, index: &ShellWord) -> Binding {
        let key = self.single(index);
        let Some(elements) = self.vars.get(name).and_then(|v| v.elements.clone()) else {
            return Binding::Unknown;
        };
        let Some(key) = key.as_known() else {
            let all = elements.iter().map(|(_, v)| v.clone());
            return Binding::Set(Value::one_of(all, index.span));
        };
        if matches!(&*key, "@" | "*") {
            let blank = Value::known(" ", Origin::Literal, index.span);
            let mut parts: Vec<Value> = Vec::new();
            for (_, value) in elements.iter() {
                if !parts.is_empty() {
                    parts.push(blank.clone());
                }
                parts.push(value.clone());
            }
            return Binding::Set(Value::join(&parts));
        }
        match elements.iter().rev().find(|(k, _)| *k == *key) {
            Some((_, value)) => Binding::Set(value.clone()),
            None => Binding::Unset,
        }
    }

    /// The words of a command.
    pub(super) fn arguments(&mut self, words: &[ShellWord]) -> Vec<Argument> {
        words.iter().flat_map(|word| self.fields(word)).collect()
    }

    /// Runs text as a script, where it is known.
    pub(super) fn run_text(&mut self, value: &Value, span: Span) -> Flow {
        let mut builder = mlint_syntax::TextBuilder::default();
        for piece in value.pieces() {
            match (&piece.source, piece.text()) {
                (Some(source), _) => builder.push_text(source),
                (None, Some(text)) if text.len() <= scripts::MAX_BYTES => {
                    let at = if piece.span.is_empty() { span } else { piece.span };
                    crate::value::push_at(&mut builder, text, at);
                }
                _ => {
                    self.sourced = true;
                    self.status = super::Status::Assumed;
                    self.print(&Value::unknown(Origin::CommandOutput, span));
                    return Flow::Next;
                }
            }
        }
        let script = mlint_syntax::shell::parse_shell(&builder.finish(span.start));
        self.depth += 1;
        let flow = match self.depth < super::MAX_DEPTH {
            true => self.script(&script),
            false => Flow::Next,
        };
        self.depth -= 1;
        flow
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
