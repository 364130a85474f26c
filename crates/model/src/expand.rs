//! The Dockerfile language's expansion over values that need not be known.

use mlint_syntax::{
    Span,
    word::{self, Op, OpKind, ParsedWord, Part, Variable},
};

use crate::{
    stage::{Failure, UnsetUse},
    value::{HopKind, Origin, Truth, Value},
};

/// What a scope knows of a variable.
#[derive(Clone, Debug)]
pub enum Binding {
    /// It is set to this.
    Set(Value),
    /// It is certainly not set.
    Unset,
    /// It may be set by the base image.
    Unknown,
    /// An ARG without default lets it in, and nobody gives it: it is not set, and that is no
    /// mistake.
    Declared,
}

/// An expanded word.
#[derive(Clone, Debug, Default)]
pub struct Expansion {
    /// The text, as far as it is known.
    pub value: Value,
    /// Variables in it that nothing in the file sets, unless an operator provides for that.
    pub unset: Vec<UnsetUse>,
    /// Why BuildKit stops here.
    pub failure: Option<Failure>,
    /// Whether something in it is empty because nobody gives a build argument.
    pub lacks_argument: bool,
}

impl Expansion {
    /// The text, for one who knows all values.
    ///
    /// # Errors
    /// The [`Failure`] where BuildKit stops; also if the value is not known, which does not happen
    /// in a scope that was made with a complete environment.
    pub fn into_text(self) -> Result<String, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        match self.value.as_known() {
            Some(text) => Ok(text.into_owned()),
            None => Err(Failure::new(
                self.value.written_at().unwrap_or_default(),
                format!("the value of '{}' is not known", self.value),
            )),
        }
    }
}

/// Expands a word with `lookup`.
pub fn expand(word: &ParsedWord, lookup: &dyn Fn(&str) -> Binding) -> Expansion {
    let mut expander = Expander { lookup, unset: Vec::new(), failure: None, lacks_argument: false };
    let value = expander.word(word);
    let Expander { unset, failure, lacks_argument, .. } = expander;
    Expansion { value, unset, failure, lacks_argument }
}

struct Expander<'l> {
    lookup: &'l dyn Fn(&str) -> Binding,
    unset: Vec<UnsetUse>,
    failure: Option<Failure>,
    lacks_argument: bool,
}

impl Expander<'_> {
    fn word(&mut self, word: &ParsedWord) -> Value {
        let parts: Vec<Value> = word
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal { text, .. } => Value::literal(text),
                Part::Variable(variable) => self.variable(variable),
            })
            .collect();
        if let Some(error) = &word.error {
            self.fail(error.span, error.kind.to_string());
        }
        Value::join(&parts)
    }

    fn fail(&mut self, span: Span, message: String) {
        let lacks_argument = self.lacks_argument;
        self.failure.get_or_insert(Failure { span, message, lacks_argument });
    }

    fn variable(&mut self, variable: &Variable) -> Value {
        let binding = (self.lookup)(&variable.name);
        let provides = matches!(
            variable.op.as_ref().map(|op| op.kind),
            Some(OpKind::Default { .. } | OpKind::Alternative { .. } | OpKind::Required { .. })
        );
        let required =
            matches!(variable.op.as_ref().map(|op| op.kind), Some(OpKind::Required { .. }));
        if !provides && !matches!(binding, Binding::Set(_) | Binding::Declared) {
            self.unset.push(UnsetUse { name: variable.name.clone(), span: variable.span });
        }
        self.lacks_argument |= matches!(binding, Binding::Declared) && (!provides || required);
        let unknown = |origin| {
            let value = Value::unknown(origin, variable.span);
            value.hop(HopKind::Used, &variable.name, variable.span)
        };
        let (is_set, value) = match binding {
            Binding::Set(value) => {
                (Truth::Yes, value.hop(HopKind::Used, &variable.name, variable.span))
            }
            Binding::Unset => (Truth::No, Value::empty()),
            Binding::Unknown => (Truth::Unknown, unknown(Origin::Unset)),
            // Whoever gets past this gives it.
            Binding::Declared if required => (Truth::No, unknown(Origin::BuildArg)),
            Binding::Declared => (Truth::No, Value::empty()),
        };
        match &variable.op {
            None => value,
            Some(op) => self.operator(variable, op, is_set, &value),
        }
    }

    fn operator(&mut self, variable: &Variable, op: &Op, is_set: Truth, value: &Value) -> Value {
        // BuildKit expands operands even when they are not used, and an error in them counts.
        let operand = self.word(&op.operand);
        let replacement = op.replacement.as_ref().map(|r| self.word(r)).unwrap_or_default();
        let span = variable.span;
        let provided = |null: bool| match null {
            true => is_set.and(value.emptiness().negate()),
            false => is_set,
        };
        let choose = |truth: Truth, yes: &Value, no: &Value| match truth {
            Truth::Yes => yes.clone(),
            Truth::No => no.clone(),
            Truth::Unknown => Value::one_of([yes.clone(), no.clone()], span),
        };
        match op.kind {
            OpKind::Default { null } => choose(provided(null), value, &operand),
            OpKind::Alternative { null } => {
                let operand = operand.hop(HopKind::StandIn, &variable.name, span);
                choose(provided(null), &operand, &Value::empty())
            }
            OpKind::Required { null } => {
                if provided(null) == Truth::No {
                    let text = operand.as_known();
                    let set = (is_set == Truth::Yes).then_some("");
                    let message = op.apply(variable, set, text.as_deref().unwrap_or("?"), "");
                    let message = message.map_or_else(|e| e.to_string(), |_| String::new());
                    self.fail(span, message);
                }
                value.clone()
            }
            OpKind::Unsupported(_) => {
                if let Err(e) = op.apply(variable, Some(""), "", "") {
                    self.fail(span, e.to_string());
                }
                Value::empty()
            }
            OpKind::TrimPrefix | OpKind::TrimSuffix | OpKind::Replace { .. } => {
                self.pattern(variable, op, value, &operand, &replacement)
            }
        }
    }

    /// The operators that change the text.
    fn pattern(
        &mut self,
        variable: &Variable,
        op: &Op,
        value: &Value,
        operand: &Value,
        replacement: &Value,
    ) -> Value {
        let span = variable.span;
        let (Some(pattern), Some(new)) = (operand.as_known(), replacement.as_known()) else {
            return value.obscured(span);
        };
        if value.is_empty() || value.as_known().is_some() {
            let text = value.as_known().unwrap_or_default();
            if let Err(e) = op.apply(variable, Some(&text), &pattern, &new) {
                self.fail(span, e.to_string());
                return Value::empty();
            }
        }
        value.map_values(span, &|v| {
            let before = v.as_known()?;
            let after = op.apply(variable, Some(&before), &pattern, &new).ok()?;
            Some(match op.kind {
                OpKind::TrimPrefix => v.slice(before.len() - after.len()..before.len())?,
                OpKind::TrimSuffix => v.slice(0..after.len())?,
                _ if after == *before => v.clone(),
                _ => v.derived(after, span),
            })
        })
    }
}

/// Parses and expands a raw word.
pub fn expand_word(
    word: &mlint_syntax::Word,
    escape: char,
    lookup: &dyn Fn(&str) -> Binding,
) -> Expansion {
    let is_special = |c: char| matches!(c, '$' | '\'' | '"') || c == escape;
    if !word.raw.contains(is_special) {
        // Most words stand for themselves.
        return Expansion { value: Value::literal(&word.raw), ..Expansion::default() };
    }
    expand(&word::parse_word(&word.raw, escape), lookup)
}
