//! The shell's variables, with a journal so that a branch can be undone in the time it took.

use std::{collections::HashMap, sync::Arc};

use mlint_syntax::Span;

use crate::{expand::Binding, value::Value};

/// A variable that the shell set, over what the scope says.
#[derive(Clone, Debug)]
pub(crate) struct Var {
    pub(crate) binding: Binding,
    pub(crate) exported: bool,
    pub(crate) span: Span,
    /// The elements, for an array that is known.
    pub(crate) elements: Option<Arc<Elements>>,
}

/// The elements of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elements {
    /// Whether any text is a key (`declare -A`); else keys are numbers.
    pub(crate) keyed: bool,
    /// Each key once, numbers in their order.
    pub(crate) items: Vec<(String, Value)>,
}

impl Var {
    /// The same variable with any value.
    pub(crate) fn obscured(self) -> Self {
        let unknown = Value::unknown(crate::value::Origin::Opaque, self.span);
        Self { binding: Binding::Set(unknown), elements: None, ..self }
    }

    fn same(&self, other: &Self) -> bool {
        let same_elements = match (&self.elements, &other.elements) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (None, None) => true,
            _ => false,
        };
        same_elements && self.same_binding(other)
    }

    fn same_binding(&self, other: &Self) -> bool {
        match (&self.binding, &other.binding) {
            (Binding::Set(a), Binding::Set(b)) => a == b,
            (Binding::Unset, Binding::Unset)
            | (Binding::Unknown, Binding::Unknown)
            | (Binding::Declared, Binding::Declared) => true,
            _ => false,
        }
    }
}

/// What a branch did: each touched variable with what it is at the branch's end (`None`: as the
/// scope says).
pub(crate) type Delta = HashMap<Arc<str>, Option<Var>>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Vars {
    map: HashMap<Arc<str>, Var>,
    journal: Vec<(Arc<str>, Option<Var>)>,
}

impl Vars {
    pub(crate) fn get(&self, name: &str) -> Option<&Var> {
        self.map.get(name)
    }

    pub(crate) fn set(&mut self, name: &str, var: Option<Var>) {
        let key: Arc<str> = match self.map.get_key_value(name) {
            Some((key, _)) => Arc::clone(key),
            None => name.into(),
        };
        let old = match var {
            Some(var) => self.map.insert(Arc::clone(&key), var),
            None => self.map.remove(&key),
        };
        self.journal.push((key, old));
    }

    /// A place in the journal to come back to.
    pub(crate) fn mark(&self) -> usize {
        self.journal.len()
    }

    /// What happened since `mark`.
    pub(crate) fn since(&self, mark: usize) -> Delta {
        let touched = self.journal.get(mark..).unwrap_or_default();
        let now = |name: &Arc<str>| (Arc::clone(name), self.map.get(name).cloned());
        touched.iter().map(|(name, _)| now(name)).collect()
    }

    /// Undoes everything since `mark` and tells what it was.
    pub(crate) fn undo(&mut self, mark: usize) -> Delta {
        let mut delta = Delta::new();
        while self.journal.len() > mark {
            let Some((name, old)) = self.journal.pop() else { break };
            if !delta.contains_key(&name) {
                delta.insert(Arc::clone(&name), self.map.get(&name).cloned());
            }
            match old {
                Some(old) => self.map.insert(name, old),
                None => self.map.remove(&name),
            };
        }
        delta
    }

    /// Does what one of several branches did; which, is not known.
    pub(crate) fn apply(
        &mut self,
        deltas: Vec<Delta>,
        span: Span,
        scope: &dyn Fn(&str) -> Binding,
    ) {
        if let [_] = deltas[..] {
            for (name, var) in deltas.into_iter().flatten() {
                self.set(&name, var);
            }
            return;
        }
        let mut names: Vec<Arc<str>> = deltas.iter().flat_map(|d| d.keys().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let here = self.map.get(&name).cloned();
            let ends: Vec<Option<Var>> = deltas
                .iter()
                .map(|d| d.get(&name).cloned().unwrap_or_else(|| here.clone()))
                .collect();
            let joined = join(&name, &ends, span, scope);
            self.set(&name, joined);
        }
    }

    /// All variables that the shell holds.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Var)> {
        self.map.iter()
    }
}

fn join(
    name: &str,
    ends: &[Option<Var>],
    span: Span,
    scope: &dyn Fn(&str) -> Binding,
) -> Option<Var> {
    let first = ends.first()?;
    let all_same = ends.iter().all(|e| match (e, first) {
        (Some(a), Some(b)) => a.same(b),
        (None, None) => true,
        _ => false,
    });
    if all_same {
        return first.clone();
    }
    let mut exported = false;
    let mut last_span = span;
    let mut values = Vec::new();
    let mut unknown = false;
    for end in ends {
        let binding = match end {
            Some(var) => {
                exported |= var.exported;
                last_span = var.span;
                var.binding.clone()
            }
            None => {
                let binding = scope(name);
                exported |= matches!(binding, Binding::Set(_));
                binding
            }
        };
        match binding {
            Binding::Set(value) => values.push(value),
            Binding::Unset | Binding::Declared => values.push(Value::empty()),
            Binding::Unknown => unknown = true,
        }
    }
    if unknown {
        values.push(Value::unknown(crate::value::Origin::Unset, span));
    }
    let binding = Binding::Set(Value::one_of(values, span));
    Some(Var { binding, exported, span: last_span, elements: None })
}
