//! `[ … ]`, `test`, `[[ … ]]`: three-valued.

use mlint_syntax::shell::{Condition, Quote, ShellWord, WordPart};

use super::{
    Interpreter,
    questions::{argument, is_text},
    vars::Elements,
};
use crate::{
    effect::Argument,
    expand::Binding,
    glob,
    value::{Truth, Value},
};

/// Whether a value fits a pattern.
pub(super) fn fits(value: &Value, pattern: &str) -> Truth {
    if pattern.chars().all(|c| c == '*') && !pattern.is_empty() {
        return Truth::Yes;
    }
    if let Some(texts) = value.texts() {
        let hits = texts.iter().filter(|t| glob::matches(pattern, t)).count();
        return match hits {
            0 => Truth::No,
            n if n == texts.len() => Truth::Yes,
            _ => Truth::Unknown,
        };
    }
    // A plain start or end that contradicts the known start or end of the value.
    let plain: String = pattern.chars().take_while(|c| !"*?[\\".contains(*c)).collect();
    let prefix = value.known_prefix();
    let common = plain.len().min(prefix.len());
    if plain.as_bytes()[..common] != prefix.as_bytes()[..common] {
        return Truth::No;
    }
    Truth::Unknown
}

impl Interpreter<'_, '_> {
    /// `[ … ]` and `test …`, without the closing bracket.
    pub(super) fn test(&mut self, words: &[Argument]) -> Truth {
        let mut at = 0;
        let truth = self.test_or(words, &mut at);
        if at < words.len() { Truth::Unknown } else { truth }
    }

    fn test_or(&mut self, words: &[Argument], at: &mut usize) -> Truth {
        let mut truth = self.test_and(words, at);
        while words.get(*at).is_some_and(|w| w.value.is("-o")) {
            *at += 1;
            truth = truth.or(self.test_and(words, at));
        }
        truth
    }

    fn test_and(&mut self, words: &[Argument], at: &mut usize) -> Truth {
        let mut truth = self.test_one(words, at);
        while words.get(*at).is_some_and(|w| w.value.is("-a")) {
            *at += 1;
            truth = truth.and(self.test_one(words, at));
        }
        truth
    }

    fn test_one(&mut self, words: &[Argument], at: &mut usize) -> Truth {
        let text = |i: usize| words.get(i).and_then(|w| w.value.as_known());
        let rest = words.len().saturating_sub(*at);
        if rest == 0 {
            return Truth::No;
        }
        if text(*at).as_deref() == Some("!") && rest > 1 {
            *at += 1;
            return self.test_one(words, at).negate();
        }
        if text(*at).as_deref() == Some("(") && rest > 2 {
            *at += 1;
            let truth = self.test_or(words, at);
            if text(*at).as_deref() == Some(")") {
                *at += 1;
            }
            return truth;
        }
        if rest >= 3
            && let Some(op) = text(*at + 1)
            && is_binary(&op)
        {
            let (left, right) = (&words[*at], &words[*at + 2]);
            *at += 3;
            return self.compare(&op, left, right, None);
        }
        if rest >= 2
            && let Some(op) = text(*at)
            && op.len() == 2
            && op.starts_with('-')
        {
            let operand = words[*at + 1].value.clone();
            *at += 2;
            return self.unary(&op, &operand);
        }
        let value = &words[*at].value;
        *at += 1;
        value.emptiness().negate()
    }

    /// `[[ … ]]`.
    pub(super) fn condition(&mut self, condition: &Condition) -> Truth {
        match condition {
            Condition::Unary { op, operand } => {
                let value = self.single(operand);
                self.unary(&op.value, &value)
            }
            Condition::Binary { op, left, right } => {
                let left = argument(&self.single(left), left.span);
                if op.value == "=~" {
                    self.subject = Some(left.value.clone());
                    let regex = argument(&self.regex(right), right.span);
                    let found = self.search(&left.value, &regex.value);
                    self.compared(&left, &regex, true, found);
                    return found;
                }
                let pattern = self.pattern(right);
                let right = argument(&self.single(right), right.span);
                self.compare(&op.value, &left, &right, Some(pattern))
            }
            Condition::Word(word) => self.single(word).emptiness().negate(),
            Condition::Not(inner) => self.condition(inner).negate(),
            // What follows a decided part is not looked at.
            Condition::And(parts) => parts.iter().fold(Truth::Yes, |truth, part| match truth {
                Truth::No => Truth::No,
                truth => truth.and(self.condition(part)),
            }),
            Condition::Or(parts) => parts.iter().fold(Truth::No, |truth, part| match truth {
                Truth::Yes => Truth::Yes,
                truth => truth.or(self.condition(part)),
            }),
        }
    }

    /// The right side of `=~`: quoted parts stand for themselves.
    fn regex(&mut self, word: &ShellWord) -> Value {
        let parts: Vec<Value> = (0..word.parts.len())
            .map(|index| {
                let quoted = match &word.parts[index] {
                    WordPart::Literal { quote, .. } => *quote != Quote::None,
                    WordPart::Param(param) => param.quoted,
                    _ => false,
                };
                let value = self.part(word, index);
                match quoted {
                    true => value.map(word.span, |t| Some(regex::escape(t))),
                    false => value,
                }
            })
            .collect();
        Value::join(&parts)
    }

    fn unary(&mut self, op: &str, value: &Value) -> Truth {
        match op {
            "-z" => {
                self.subject = Some(value.clone());
                value.emptiness()
            }
            "-n" => {
                self.subject = Some(value.clone());
                value.emptiness().negate()
            }
            "-v" => match value.as_known().map(|name| self.lookup(&name)) {
                Some(Binding::Set(_)) => Truth::Yes,
                Some(Binding::Unset | Binding::Declared) => Truth::No,
                _ => Truth::Unknown,
            },
            "-e" | "-f" | "-s" | "-x" | "-r" | "-d" => match self.path(value) {
                Some(path) => self.exists(op, &path),
                None => Truth::Unknown,
            },
            _ => Truth::Unknown,
        }
    }

    /// `=~`, which sets BASH_REMATCH.
    fn search(&mut self, left: &Value, right: &Value) -> Truth {
        let span = right.written_at().or(left.written_at()).unwrap_or_default();
        let found = match (left.as_known(), right.as_known()) {
            (Some(text), Some(regex)) => super::posix::groups(&regex, &text),
            _ => None,
        };
        let Some(found) = found else {
            // Each text that it may be has an answer of its own.
            self.set_array("BASH_REMATCH", None, span);
            let (Some(texts), Some(regex)) = (left.texts(), right.as_known()) else {
                return Truth::Unknown;
            };
            let all: Vec<Truth> =
                texts.iter().map(|text| super::posix::search(&regex, text)).collect();
            let first = all.first().copied().unwrap_or(Truth::Unknown);
            return if all.iter().all(|t| *t == first) { first } else { Truth::Unknown };
        };
        let Some(groups) = found else {
            let elements = Elements::default();
            self.set_array("BASH_REMATCH", Some(elements), span);
            return Truth::No;
        };
        let value = |range: Option<std::ops::Range<usize>>| {
            range.and_then(|range| left.slice(range)).unwrap_or_default()
        };
        let items = groups.into_iter().enumerate().map(|(i, g)| (i.to_string(), value(g)));
        let elements = Elements { keyed: false, items: items.collect() };
        self.set_array("BASH_REMATCH", Some(elements), span);
        Truth::Yes
    }

    /// `pattern`: the right side as a pattern, inside `[[ … ]]`.
    fn compare(
        &mut self,
        op: &str,
        left_word: &Argument,
        right_word: &Argument,
        pattern: Option<Option<String>>,
    ) -> Truth {
        let (left, right) = (&left_word.value, &right_word.value);
        // The side that is not just literal is what the question is about.
        let is_literal = |v: &Value| v.pieces().iter().all(crate::value::Piece::is_literal);
        let subject = if is_literal(left) && !is_literal(right) { right } else { left };
        self.subject = Some(subject.clone());
        let bracket = pattern.is_some();
        let number = |v: &Value| match v.as_known() {
            Some(text) if bracket && text.is_empty() => Some(0),
            text => text.and_then(|t| t.trim().parse::<i64>().ok()),
        };
        let numbers = |compare: fn(&i64, &i64) -> bool| match (number(left), number(right)) {
            (Some(a), Some(b)) => Truth::from(compare(&a, &b)),
            _ => Truth::Unknown,
        };
        let equal = || match &pattern {
            None => left.equals(right),
            Some(Some(pattern)) => fits(left, pattern),
            Some(None) => Truth::Unknown,
        };
        if matches!(op, "=" | "==" | "!=") {
            let plain =
                pattern.as_ref().is_none_or(|p| p.as_ref().is_some_and(|p| is_text(p, right)));
            self.compared(left_word, right_word, !plain, equal());
        }
        match op {
            "<" | ">" => match (left.as_known(), right.as_known()) {
                (Some(a), Some(b)) => Truth::from(if op == "<" { a < b } else { a > b }),
                _ => Truth::Unknown,
            },
            "=" | "==" => equal(),
            "!=" => equal().negate(),
            "=~" => self.search(left, right),
            "-eq" => numbers(|a, b| a == b),
            "-ne" => numbers(|a, b| a != b),
            "-lt" => numbers(|a, b| a < b),
            "-le" => numbers(|a, b| a <= b),
            "-gt" => numbers(|a, b| a > b),
            "-ge" => numbers(|a, b| a >= b),
            _ => Truth::Unknown,
        }
    }
}

fn is_binary(op: &str) -> bool {
    matches!(
        op,
        "=" | "=="
            | "!="
            | "<"
            | ">"
            | "-eq"
            | "-ne"
            | "-lt"
            | "-le"
            | "-gt"
            | "-ge"
            | "-nt"
            | "-ot"
            | "-ef"
    )
}
