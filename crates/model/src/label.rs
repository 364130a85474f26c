//! LABEL: what an image says about itself.

use mlint_syntax::{KeyValue, Word};

use crate::{
    effect::{Argument, Effect, EffectKind},
    scope::StageScope,
    stage::Step,
    value::Value,
};

/// Records what a LABEL says.
pub(crate) fn label(scope: &StageScope, step: &mut Step, pair: &KeyValue) {
    let expand = |word: &Word| scope.expand(word).value;
    let value = match &pair.value {
        Some(word) => Argument { value: expand(word), span: word.span() },
        None => Argument { value: Value::empty(), span: pair.span },
    };
    step.effects.push(Effect {
        kind: EffectKind::Label { key: expand(&pair.key), value },
        span: pair.span,
        certain: true,
        guards: Vec::new(),
    });
}
