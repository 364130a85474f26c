//! `${x…}`.

use mlint_syntax::{
    Span,
    shell::{Param, ParamOp, ReplaceScope, ShellWord},
};

use super::Interpreter;
use crate::{
    expand::Binding,
    glob,
    value::{Content, HopKind, Origin, Truth, Value},
};

/// Longer texts are not matched against patterns.
const MAX_TEXT: usize = 4096;

/// Whether the operator says what happens when the variable is not set.
pub(super) fn has_fallback(op: &ParamOp) -> bool {
    matches!(
        op,
        ParamOp::Default { .. }
            | ParamOp::Assign { .. }
            | ParamOp::Required { .. }
            | ParamOp::Alternative { .. }
    )
}

impl Interpreter<'_, '_> {
    pub(super) fn operator(
        &mut self,
        param: &Param,
        op: &ParamOp,
        binding: &Binding,
        value: Value,
    ) -> Value {
        let span = param.span;
        let is_set = match binding {
            Binding::Set(_) => Truth::Yes,
            Binding::Unset | Binding::Declared => Truth::No,
            Binding::Unknown => Truth::Unknown,
        };
        let provided = |null: bool| match null {
            true => is_set.and(value.emptiness().negate()),
            false => is_set,
        };
        match op {
            ParamOp::Default { null, word } => {
                self.choose(provided(*null), value.clone(), word, span)
            }
            ParamOp::Assign { null, word } => {
                let provided = provided(*null);
                let result = self.choose(provided, value.clone(), word, span);
                if provided != Truth::Yes && param.index.is_none() {
                    self.assign(&param.name, result.clone(), span);
                }
                result
            }
            ParamOp::Required { null, word } => {
                if provided(*null) == Truth::No {
                    let message = self.single(word);
                    let text = match message.is_empty() {
                        true => format!("{} is not set", param.name),
                        false => format!("{}: {message}", param.name),
                    };
                    self.stop_at(span, text);
                }
                match binding {
                    // Whoever gets past this gives it.
                    Binding::Declared => Value::unknown(Origin::BuildArg, span),
                    _ => value,
                }
            }
            ParamOp::Alternative { null, word } => match provided(*null) {
                Truth::Yes => self.single(word).hop(HopKind::StandIn, &param.name, span),
                Truth::No => Value::empty(),
                Truth::Unknown => {
                    let word = self.single(word).hop(HopKind::StandIn, &param.name, span);
                    Value::one_of([word, Value::empty()], span)
                }
            },
            _ => self.changed(op, &value, span),
        }
    }

    /// The operators that make another text of the value.
    pub(super) fn changed(&mut self, op: &ParamOp, value: &Value, span: Span) -> Value {
        match op {
            ParamOp::TrimPrefix { longest, pattern } => {
                let pattern = self.pattern(pattern);
                value.map_values(span, &|v| {
                    let (text, pattern) = (bounded(v)?, pattern.as_ref()?);
                    let cut = glob::prefix(pattern, &text, *longest).unwrap_or(0);
                    v.slice(cut..text.len())
                })
            }
            ParamOp::TrimSuffix { longest, pattern } => {
                let pattern = self.pattern(pattern);
                value.map_values(span, &|v| {
                    let (text, pattern) = (bounded(v)?, pattern.as_ref()?);
                    let cut = glob::suffix(pattern, &text, *longest).unwrap_or(text.len());
                    v.slice(0..cut)
                })
            }
            ParamOp::Replace { scope, pattern, replacement } => {
                let pattern = self.pattern(pattern);
                let replacement = self.single(replacement);
                value.map_values(span, &|v| replace(v, pattern.as_deref()?, &replacement, *scope))
            }
            ParamOp::Substring { offset, length } => {
                let offset = self.number(offset);
                let length = length.as_ref().map(|l| self.number(l));
                value.map_values(span, &|v| substring(v, offset?, length))
            }
            ParamOp::Length => value.map_values(span, &|v| {
                Some(v.derived(bounded(v)?.chars().count().to_string(), span))
            }),
            ParamOp::Indirect => match value.as_known() {
                Some(name) => match self.lookup(&name) {
                    Binding::Set(value) => value,
                    Binding::Unset | Binding::Declared => Value::empty(),
                    Binding::Unknown => Value::unknown(Origin::Unset, span),
                },
                None => value.obscured(span),
            },
            ParamOp::Transform(sign @ ('U' | 'u' | 'L' | 'Q')) => value.map(span, |t| {
                Some(match sign {
                    'U' => change_case(t, true, true),
                    'u' => change_case(t, false, true),
                    'L' => change_case(t, true, false),
                    _ => quoted(t)?,
                })
            }),
            ParamOp::Upper { all } => value.map(span, |t| Some(change_case(t, *all, true))),
            ParamOp::Lower { all } => value.map(span, |t| Some(change_case(t, *all, false))),
            _ => value.obscured(span),
        }
    }

    fn choose(&mut self, provided: Truth, value: Value, word: &ShellWord, span: Span) -> Value {
        match provided {
            Truth::Yes => value,
            Truth::No => self.single(word),
            Truth::Unknown => {
                let word = self.single(word);
                // An alternative that certainly is empty cannot stay.
                let kept: Vec<Value> = match value.pieces() {
                    [piece] => match &piece.content {
                        Content::Alternatives(values) => {
                            values.iter().filter(|v| !v.is_empty()).cloned().collect()
                        }
                        _ => vec![value],
                    },
                    _ => vec![value],
                };
                Value::one_of(kept.into_iter().chain([word]), span)
            }
        }
    }

    pub(super) fn number(&mut self, word: &ShellWord) -> Option<i64> {
        let value = self.single(word);
        let text = value.as_known()?;
        self.arithmetic(&text, word.span)
    }
}

fn bounded(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    value.as_known().filter(|t| t.len() <= MAX_TEXT)
}

fn change_case(text: &str, all: bool, upper: bool) -> String {
    let change = |part: &str| if upper { part.to_uppercase() } else { part.to_lowercase() };
    if all {
        return change(text);
    }
    let first = text.chars().next().map_or(0, char::len_utf8);
    change(&text[..first]) + &text[first..]
}

/// As the shell would read it; control characters are not followed.
pub(super) fn quoted(text: &str) -> Option<String> {
    let plain = !text.chars().any(char::is_control);
    plain.then(|| format!("'{}'", text.replace('\'', "'\\''")))
}

fn substring(value: &Value, offset: i64, length: Option<Option<i64>>) -> Option<Value> {
    let text = bounded(value)?;
    let ends: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
    let count = ends.len() as i64 - 1;
    let start = if offset < 0 { (count + offset).max(0) } else { offset.min(count) };
    let end = match length {
        None => count,
        Some(length) => {
            let length = length?;
            if length < 0 { count + length } else { start.saturating_add(length).min(count) }
        }
    };
    value.slice(ends[start as usize]..ends[end.max(start) as usize])
}

/// `${x/pattern/replacement}`: what is not replaced keeps its origin, what is brought in has that
/// of the replacement.
fn replace(value: &Value, pattern: &str, new: &Value, scope: ReplaceScope) -> Option<Value> {
    let text = bounded(value)?;
    if pattern.is_empty() {
        return Some(value.clone());
    }
    let mut parts: Vec<Value> = Vec::new();
    match scope {
        ReplaceScope::Prefix => {
            let Some(cut) = glob::prefix(pattern, &text, true) else { return Some(value.clone()) };
            parts.extend([new.clone(), value.slice(cut..text.len())?]);
        }
        ReplaceScope::Suffix => {
            let Some(cut) = glob::suffix(pattern, &text, true) else { return Some(value.clone()) };
            parts.extend([value.slice(0..cut)?, new.clone()]);
        }
        ReplaceScope::First | ReplaceScope::All => {
            if text.len() > 512 && !glob::is_plain(pattern) {
                return None;
            }
            let (mut kept, mut at) = (0, 0);
            while at < text.len() {
                let found = glob::prefix(pattern, &text[at..], true).filter(|len| *len > 0);
                match found {
                    Some(len) => {
                        parts.extend([value.slice(kept..at)?, new.clone()]);
                        at += len;
                        kept = at;
                        if scope == ReplaceScope::First {
                            break;
                        }
                    }
                    None => at += text[at..].chars().next().map_or(1, char::len_utf8),
                }
            }
            parts.push(value.slice(kept..text.len())?);
        }
    }
    Some(Value::join(&parts))
}
