//! Arrays and the positional parameters.

use std::sync::Arc;

use mlint_syntax::{
    Span,
    shell::{Assignment, AssignmentValue, Param, ParamOp, ShellWord},
};

use super::{
    Interpreter,
    vars::{Elements, Var},
};
use crate::{
    effect::Argument,
    expand::Binding,
    value::{HopKind, Origin, Value},
};

/// Longer arrays are not known.
const MAX_ELEMENTS: usize = 1000;

impl Interpreter<'_, '_> {
    /// `$@`, `${a[@]}`, `${!a[@]}` with what an operator does to them. `None` if the parameter is
    /// no list, `Some(None)` if its words are not known.
    #[expect(clippy::option_option, reason = "not a list, and a list that is not known")]
    pub(super) fn words_of(&mut self, param: &Param) -> Option<Option<Vec<Value>>> {
        let is_all = |t: &str| matches!(t, "@" | "*");
        let index = param.index.as_ref().and_then(|i| i.as_literal());
        let positional = is_all(&param.name);
        if !positional && !index.as_deref().is_some_and(is_all) {
            return None;
        }
        let op = param.op.as_deref();
        if matches!(op, Some(ParamOp::Length)) {
            return None;
        }
        if self.lost_track {
            return Some(None);
        }
        let elements = match positional {
            true => Some(self.numbered_positional()),
            false => self.all_elements(&param.name),
        };
        let Some(elements) = elements else { return Some(None) };
        if matches!(op, Some(ParamOp::Indirect)) {
            let key = |k: &String| Value::known(k.as_str(), Origin::Literal, param.span);
            return Some(Some(elements.iter().map(|(k, _)| key(k)).collect()));
        }
        let hop = |v: &Value| v.hop(HopKind::Used, &param.name, param.span);
        let values: Vec<Value> = elements.iter().map(|(_, v)| hop(v)).collect();
        Some(self.words_changed(param, values))
    }

    fn words_changed(&mut self, param: &Param, values: Vec<Value>) -> Option<Vec<Value>> {
        let none = values.is_empty();
        Some(match param.op.as_deref() {
            None => values,
            Some(ParamOp::Default { word, .. } | ParamOp::Assign { word, .. }) => match none {
                true => vec![self.single(word)],
                false => values,
            },
            Some(ParamOp::Alternative { word, .. }) => match none {
                true => Vec::new(),
                false => self.fields(word).into_iter().map(|a| a.value).collect(),
            },
            Some(ParamOp::Required { .. }) => values,
            Some(ParamOp::Substring { offset, length }) => {
                let count = values.len() as i64;
                // `$0` comes before `$1`.
                let first = i64::from(param.name == "@" || param.name == "*");
                let offset = self.number(offset)? - first;
                let start = if offset < 0 && first == 0 { count + offset } else { offset };
                let end = match length {
                    Some(length) => start.saturating_add(self.number(length)?),
                    None => count,
                };
                let (start, end) = (start.clamp(0, count), end.clamp(0, count));
                values.get(start as usize..end.max(start) as usize)?.to_vec()
            }
            Some(op) => values.iter().map(|v| self.changed(op, v, param.span)).collect(),
        })
    }

    fn numbered_positional(&self) -> Vec<(String, Value)> {
        let numbered = self.positional.iter().enumerate();
        numbered.map(|(i, v)| ((i + 1).to_string(), v.clone())).collect()
    }

    /// The elements of an array, or the one of a plain variable; `None` if they are not known.
    fn all_elements(&self, name: &str) -> Option<Vec<(String, Value)>> {
        if let Some(elements) = self.vars.get(name).and_then(|v| v.elements.clone()) {
            return Some(elements.items.clone());
        }
        match self.lookup(name) {
            Binding::Set(value) if value.as_known().is_some() => {
                Some(vec![("0".to_owned(), value)])
            }
            Binding::Unset | Binding::Declared => Some(Vec::new()),
            _ => None,
        }
    }

    /// `${#a[@]}`, `${#@}`: how many there are. `None` if the parameter is no list.
    pub(super) fn count(&mut self, param: &Param) -> Option<Value> {
        let unknown = || Value::unknown(Origin::Opaque, param.span);
        let list = Param { op: None, ..param.clone() };
        let values = self.words_of(&list)?;
        Some(match values {
            Some(values) => Value::known(values.len().to_string(), Origin::Literal, param.span),
            None => unknown(),
        })
    }

    /// `${name[index]}`.
    pub(super) fn element(&mut self, name: &str, index: &ShellWord) -> Binding {
        let Some(elements) = self.vars.get(name).and_then(|v| v.elements.clone()) else {
            return match self.key(false, index).as_deref() {
                Some("0") => self.lookup(name),
                _ => Binding::Unknown,
            };
        };
        let Some(key) = self.key(elements.keyed, index) else {
            let all = elements.items.iter().map(|(_, v)| v.clone());
            return Binding::Set(Value::one_of(all, index.span));
        };
        let found = match key.strip_prefix('-').and_then(|k| k.parse::<usize>().ok()) {
            Some(back) if !elements.keyed => {
                elements.items.len().checked_sub(back).and_then(|at| elements.items.get(at))
            }
            _ => elements.items.iter().rev().find(|(k, _)| *k == key),
        };
        found.map_or(Binding::Unset, |(_, value)| Binding::Set(value.clone()))
    }

    /// What stands in brackets: a text for keyed arrays, else a number.
    fn key(&mut self, keyed: bool, index: &ShellWord) -> Option<String> {
        let value = self.single(index);
        let text = value.as_known()?;
        if keyed || text.bytes().all(|b| b.is_ascii_digit()) {
            return Some(text.into_owned());
        }
        self.arithmetic(&text, index.span).map(|n| n.to_string())
    }

    /// `name[index]=value`.
    pub(super) fn assign_element(&mut self, assignment: &Assignment, index: &ShellWord) {
        let (name, span) = (&assignment.name.value, assignment.span);
        let mut value = match &assignment.value {
            AssignmentValue::Word(word) => self.single(word),
            AssignmentValue::Array(_) => Value::unknown(Origin::Opaque, span),
        };
        let exists = self.vars.get(name).is_some();
        let before = self.vars.get(name).and_then(|v| v.elements.clone());
        let mut elements = match before {
            Some(elements) => (*elements).clone(),
            None => {
                let items = match self.all_elements(name) {
                    Some(items) => items,
                    // It may be an array with more in it.
                    None if exists => return self.set_array(name, None, span),
                    None => Vec::new(),
                };
                Elements { keyed: false, items }
            }
        };
        let Some(key) = self.key(elements.keyed, index) else {
            // Any of them may be this one.
            return self.set_array(name, None, span);
        };
        if assignment.append
            && let Some((_, old)) = elements.items.iter().find(|(k, _)| *k == key)
        {
            value = old.concat(&value);
        }
        put(&mut elements, key, value.hop(HopKind::Assigned, name, span));
        self.set_array(name, Some(elements), span);
    }

    /// `name=(…)`, `name+=(…)`.
    pub(super) fn assign_array(&mut self, assignment: &Assignment, words: &[ShellWord]) {
        let (name, span) = (&assignment.name.value, assignment.span);
        let old = self.vars.get(name).and_then(|v| v.elements.clone());
        let mut elements = match (assignment.append, old) {
            (true, Some(old)) => (*old).clone(),
            (true, None) => match self.all_elements(name) {
                Some(items) => Elements { keyed: false, items },
                None => return self.set_array(name, None, span),
            },
            (false, old) => Elements { keyed: old.is_some_and(|o| o.keyed), items: Vec::new() },
        };
        for argument in self.arguments(words) {
            if self.add_element(&mut elements, name, &argument).is_none() {
                return self.set_array(name, None, span);
            }
        }
        self.set_array(name, Some(elements), span);
    }

    fn add_element(
        &mut self,
        elements: &mut Elements,
        name: &str,
        argument: &Argument,
    ) -> Option<()> {
        let hop = |v: &Value| v.hop(HopKind::Assigned, name, argument.span);
        // `[key]=value`
        let prefix = argument.value.known_prefix();
        let keyed = prefix.strip_prefix('[').and_then(|t| t.find("]=")).map(|at| at + 1);
        if let Some(at) = keyed {
            let key = prefix[1..at].trim_matches(['"', '\'']).to_owned();
            put(elements, key, hop(&argument.value.without_prefix(at + 2)?));
            return Some(());
        }
        // One word that is not known may be several or none.
        argument.value.texts()?;
        let next = elements.items.last().and_then(|(k, _)| k.parse::<usize>().ok());
        let next = next.map_or(0, |last| last.saturating_add(1));
        put(elements, next.to_string(), hop(&argument.value));
        Some(())
    }

    pub(super) fn set_array(&mut self, name: &str, elements: Option<Elements>, span: Span) {
        let elements = elements.filter(|e| e.items.len() <= MAX_ELEMENTS);
        let first = elements.as_ref().and_then(|e| e.items.iter().find(|(k, _)| k == "0"));
        let binding = first.map_or(Binding::Unknown, |(_, v)| Binding::Set(v.clone()));
        let elements = elements.map(Arc::new);
        self.vars.set(name, Some(Var { binding, exported: false, span, elements }));
    }
}

fn put(elements: &mut Elements, key: String, value: Value) {
    match elements.items.iter_mut().find(|(k, _)| *k == key) {
        Some((_, old)) => *old = value,
        None => elements.items.push((key, value)),
    }
}
