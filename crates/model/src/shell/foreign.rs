//! Programs in other languages: looked at, not followed.

use mlint_syntax::Span;

use super::{Call, Interpreter};
use crate::{
    effect::EffectKind,
    foreign::{Foreign, Language, literals},
    value::Value,
};

impl Interpreter<'_, '_> {
    /// `python3 -c '…'`, `node <<EOF`, `jq '…'`.
    pub(super) fn foreign_program(&mut self, name: &str, call: &Call) {
        let language = Language::of_program(name);
        if language == Language::Other {
            return;
        }
        let words = call.arguments();
        let program = match language {
            Language::Jq | Language::Awk => {
                let is_option = |v: &Value| v.known_prefix().starts_with('-');
                words.iter().find(|a| !is_option(&a.value)).map(|a| a.value.clone())
            }
            _ => {
                let takes = |text: &str| language.takes_program_after(text);
                let at = words.iter().position(|a| a.value.as_known().is_some_and(|t| takes(&t)));
                at.and_then(|at| words.get(at + 1)).map(|a| a.value.clone())
            }
        };
        let from_input = || {
            let no_file = words.iter().all(|a| a.value.known_prefix().starts_with('-'));
            let reads = no_file && !matches!(language, Language::Jq | Language::Awk);
            self.input.as_ref().filter(|i| reads && i.file.is_none()).map(|i| i.text.clone())
        };
        if let Some(program) = program.or_else(from_input) {
            self.foreign_text(language, &program, call.span);
        }
    }

    /// What a program's text names.
    pub(super) fn foreign_text(&mut self, language: Language, program: &Value, span: Span) {
        let literals = literals(program);
        if literals.is_empty() {
            return;
        }
        let before = self.step.effects.len();
        self.effect(EffectKind::Foreign(Foreign { language, literals }), span);
        for effect in &mut self.step.effects[before..] {
            effect.certain = false;
        }
    }
}
