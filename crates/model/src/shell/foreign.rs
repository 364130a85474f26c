//! Programs in other languages: looked at, not followed.

use mlint_syntax::Span;

use super::{Call, Interpreter, Status};
use crate::{
    commands,
    effect::EffectKind,
    foreign::{Foreign, Language, literals},
    probe::Probe,
    value::{Origin, Value},
};

/// Words of programs that ask for the machine.
const MACHINE: &[(&str, Probe)] = &[
    ("process.arch", Probe::NodeArch),
    ("os.arch()", Probe::NodeArch),
    (").arch()", Probe::NodeArch),
    ("platform.machine", Probe::PythonMachine),
    ("platform.uname", Probe::PythonMachine),
    ("platform.processor", Probe::PythonMachine),
    ("os.uname", Probe::PythonMachine),
    ("get_platform()", Probe::PythonMachine),
    ("RUBY_PLATFORM", Probe::UnameMachine),
    ("host_cpu", Probe::UnameMachine),
    ("php_uname", Probe::UnameMachine),
    ("archname", Probe::UnameMachine),
    ("runtime.GOARCH", Probe::GoArch),
];

/// Words of programs that end with a status of their choice.
const ENDS: &[&str] = &["exit", "raise", "assert", "throw", "die", "abort", "fail"];

/// The program that is a word of the command.
fn written(language: Language, call: &Call) -> Option<Value> {
    let words = call.arguments();
    match language {
        Language::Jq | Language::Awk => {
            let is_option = |v: &Value| v.known_prefix().starts_with('-');
            words.iter().find(|a| !is_option(&a.value)).map(|a| a.value.clone())
        }
        _ => {
            let takes = |text: &str| language.takes_program_after(text);
            let at = words.iter().position(|a| a.value.as_known().is_some_and(|t| takes(&t)));
            at.and_then(|at| words.get(at + 1)).map(|a| a.value.clone())
        }
    }
}

impl Interpreter<'_, '_> {
    /// `python3 -c '…'`, `node <<EOF`, `jq '…'`.
    pub(super) fn foreign_program(&mut self, name: &str, call: &Call) {
        let language = Language::of_program(name);
        if language == Language::Other {
            return;
        }
        match (written(language, call), self.piped(language, call)) {
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

    /// A program that asks for the machine and ends as it likes: `node -e
    /// "process.exit(process.arch === 'x64' ? 0 : 1)"`. How it ends is not known, and what depends
    /// on it depends on the platform.
    pub(super) fn foreign_question(&mut self, name: &str, call: &Call) {
        let language = Language::of_program(name);
        if matches!(language, Language::Other | Language::Jq | Language::Awk) {
            return;
        }
        let program = written(language, call).or_else(|| self.piped(language, call));
        let Some(program) = program else { return };
        let text = program.spelling();
        let Some((_, probe)) = MACHINE.iter().find(|(word, _)| text.contains(word)) else { return };
        // Where its output is what is wanted, it is taken to give one.
        if self.output.is_none() && ENDS.iter().any(|word| text.contains(word)) {
            self.subject = Some(Value::unknown(Origin::Probe(*probe), call.span));
            self.set_status(Status::Unknown);
        }
    }

    /// The program that an interpreter reads from its standard input.
    fn piped(&self, language: Language, call: &Call) -> Option<Value> {
        let no_file = call.arguments().iter().all(|a| a.value.known_prefix().starts_with('-'));
        let reads = no_file && !matches!(language, Language::Jq | Language::Awk);
        self.input.as_ref().filter(|i| reads && i.file.is_none()).map(|i| i.text.clone())
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
