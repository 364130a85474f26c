//! The words that a word becomes: braces, `"$@"`, splitting.

use std::borrow::Cow;

use mlint_syntax::{
    LogicalText, Span,
    shell::{Param, Quote, ShellWord, WordPart},
};

use super::{Dialect, Interpreter, braces};
use crate::{
    effect::Argument,
    expand::Binding,
    value::{Origin, Value},
};

/// What a part of a word gives.
enum Part {
    /// Text that is not split.
    Whole(Value),
    /// Text that is split at blanks, and vanishes if empty.
    Split(Value),
    /// `"$@"`: words of their own.
    Words(Vec<Value>),
}

/// Words of one command; more become one that is not known.
const MAX_FIELDS: usize = 4096;

impl Interpreter<'_, '_> {
    /// The words of a command.
    pub(super) fn arguments(&mut self, words: &[ShellWord]) -> Vec<Argument> {
        let mut out = Vec::with_capacity(words.len());
        for word in words {
            match plain(word) {
                Some(text) => out.push(Argument { value: self.literal(text), span: word.span }),
                None => out.extend(self.fields(word)),
            }
            if out.len() > MAX_FIELDS {
                out.truncate(MAX_FIELDS);
                let value = Value::unknown(Origin::Opaque, word.span);
                out.push(Argument { value, span: word.span });
                break;
            }
        }
        out
    }

    /// The words that a word becomes: braces come first, unquoted values are split at blanks, and
    /// vanish if empty.
    pub(super) fn fields(&mut self, word: &ShellWord) -> Vec<Argument> {
        let span = word.span;
        if let Some(text) = plain(word) {
            return vec![Argument { value: self.literal(text), span }];
        }
        if !braces::has_braces(word) || matches!(self.dialect, Dialect::Dash | Dialect::Ash) {
            return self.split(word);
        }
        match braces::expand(word) {
            Some(words) if self.dialect == Dialect::Bash || words.len() == 1 => {
                words.iter().flat_map(|w| self.split(w)).collect()
            }
            _ => vec![Argument { value: Value::unknown(Origin::Opaque, span), span }],
        }
    }

    fn split(&mut self, word: &ShellWord) -> Vec<Argument> {
        let separators = self.separators();
        let mut fields: Vec<Value> = Vec::new();
        let mut current: Option<Value> = None;
        for index in 0..word.parts.len() {
            match self.expanded(word, index) {
                Part::Whole(value) => {
                    current = Some(current.unwrap_or_default().concat(&value));
                }
                Part::Split(value) => {
                    split_at(&value, &separators, &mut current, &mut fields);
                }
                Part::Words(values) => {
                    for (i, value) in values.iter().enumerate() {
                        if i > 0 {
                            fields.extend(current.take());
                        }
                        current = Some(current.unwrap_or_default().concat(value));
                    }
                }
            }
        }
        fields.extend(current);
        fields.into_iter().map(|value| Argument { value, span: word.span }).collect()
    }

    fn expanded(&mut self, word: &ShellWord, index: usize) -> Part {
        if let WordPart::Param(param) = &word.parts[index]
            && let Some(values) = self.words_of(param)
        {
            let joins = param.quoted && is_star(param);
            return match values {
                None => Part::Whole(Value::unknown(Origin::Opaque, param.span)),
                Some(values) if joins => Part::Whole(self.joined(&values, param.span)),
                Some(values) if param.quoted => Part::Words(values),
                Some(values) => {
                    let blank = Value::known(" ", Origin::Literal, param.span);
                    let parts = values.iter().flat_map(|v| [v, &blank]);
                    let count = (values.len() * 2).saturating_sub(1);
                    Part::Split(Value::join(parts.take(count)))
                }
            };
        }
        let unquoted = match &word.parts[index] {
            WordPart::Param(param) => !param.quoted,
            WordPart::CommandSub { quoted, .. } | WordPart::Arithmetic { quoted, .. } => !quoted,
            _ => false,
        };
        let value = self.part(word, index);
        if unquoted { Part::Split(value) } else { Part::Whole(value) }
    }

    /// All values with the first separator between them: `"$*"`.
    pub(super) fn joined(&self, values: &[Value], span: Span) -> Value {
        let separator = self.separators().chars().next().map(String::from).unwrap_or_default();
        let between = Value::known(separator, Origin::Literal, span);
        let mut parts: Vec<&Value> = Vec::new();
        for value in values {
            if !parts.is_empty() {
                parts.push(&between);
            }
            parts.push(value);
        }
        Value::join(parts)
    }

    /// What IFS holds.
    pub(super) fn separators(&self) -> Cow<'static, str> {
        match self.vars.get("IFS").map(|var| &var.binding) {
            Some(Binding::Set(value)) => match value.as_known() {
                Some(text) => Cow::Owned(text.into_owned()),
                None => Cow::Borrowed(" \t\n"),
            },
            _ => Cow::Borrowed(" \t\n"),
        }
    }
}

/// A word that stands for itself.
fn plain(word: &ShellWord) -> Option<&LogicalText> {
    match &word.parts[..] {
        [WordPart::Literal { text, quote: Quote::None, .. }] => {
            (!text.starts_with('~') && !text.contains('{')).then_some(text)
        }
        _ => None,
    }
}

fn is_star(param: &Param) -> bool {
    let index = param.index.as_ref().and_then(|i| i.as_literal());
    param.name == "*" || index.as_deref() == Some("*")
}

/// Splits a value: text that is not known stays in one piece.
pub(super) fn split_at(
    value: &Value,
    separators: &str,
    current: &mut Option<Value>,
    fields: &mut Vec<Value>,
) {
    for piece in value.pieces() {
        let part = Value::new([piece.clone()]);
        let Some(text) = piece.text() else {
            *current = Some(current.take().unwrap_or_default().concat(&part));
            continue;
        };
        let mut from = 0;
        for (at, c) in text.char_indices().filter(|(_, c)| separators.contains(*c)) {
            if from < at {
                let slice = part.slice(from..at).unwrap_or_default();
                *current = Some(current.take().unwrap_or_default().concat(&slice));
            } else if !c.is_whitespace() && current.is_none() {
                // Between two separators that are no blanks, there is an empty word.
                *current = Some(Value::empty());
            }
            fields.extend(current.take());
            from = at + c.len_utf8();
        }
        if from < text.len() {
            let slice = part.slice(from..text.len()).unwrap_or_default();
            *current = Some(current.take().unwrap_or_default().concat(&slice));
        }
    }
}
