//! Programs in other languages: looked at, not followed.

use mlint_syntax::Span;

use super::{Call, Interpreter};
use crate::{
    commands,
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
        match (program, from_input()) {
            // What Python's one-liners fetch, is seen where their options are read.
            (Some(program), _) if language == Language::Python => {
                self.foreign_literals(language, &program, call.span);
            }
            (Some(program), _) | (None, Some(program)) => {
                self.foreign_text(language, &program, call.span);
            }
            (None, None) => {}
        }
    }

    /// What a program's text names and fetches.
    pub(super) fn foreign_text(&mut self, language: Language, program: &Value, span: Span) {
        self.foreign_literals(language, program, span);
        commands::fetches(self, language, program, span);
    }

    fn foreign_literals(&mut self, language: Language, program: &Value, span: Span) {
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
