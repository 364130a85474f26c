//! Simple commands: assignments, words, and who gets them.

use std::borrow::Cow;

use mlint_syntax::{
    Span,
    shell::{Assignment, AssignmentValue, SimpleCommand},
};

use super::{Flow, Interpreter, Status};
use crate::{
    artifact::{Artifact, Station},
    commands,
    effect::{Argument, Command, EffectKind},
    expand::Binding,
    files::last_part,
    value::{HopKind, Origin, Value},
};

/// Builtins that keep the assignments in front of them.
const SPECIAL_BUILTINS: &[&str] = &[
    ":", ".", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set",
    "shift", "trap", "unset",
];

/// A command about to be run.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its words, the name first.
    pub(crate) argv: Vec<Argument>,
    /// The assignments in front of it.
    pub(crate) prefix: Vec<(String, Argument)>,
    pub(crate) span: Span,
}

impl Call {
    /// The name without its folder.
    pub(crate) fn name(&self) -> Option<Cow<'_, str>> {
        Some(match self.argv.first()?.value.as_known()? {
            Cow::Borrowed(text) => Cow::Borrowed(last_part(text)),
            Cow::Owned(text) => Cow::Owned(last_part(&text).to_owned()),
        })
    }

    /// The words after the name.
    pub(crate) fn arguments(&self) -> &[Argument] {
        self.argv.get(1..).unwrap_or_default()
    }

    /// A word's text, if known.
    pub(crate) fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        self.argv.get(index)?.value.as_known()
    }

    /// The same command without its first `n` words.
    pub(super) fn without(&self, n: usize) -> Self {
        let argv = self.argv.get(n..).unwrap_or_default().to_vec();
        Self { argv, prefix: self.prefix.clone(), span: self.span }
    }
}

impl Interpreter<'_, '_> {
    pub(super) fn simple(&mut self, simple: &SimpleCommand, span: Span) -> Flow {
        if simple.words.is_empty() {
            // The status is that of the last substitution, if there is one.
            self.status = Status::Success;
            for assignment in &simple.assignments {
                self.assignment(assignment);
            }
            return Flow::Next;
        }
        let prefix: Vec<(String, Argument)> = simple
            .assignments
            .iter()
            .filter_map(|a| {
                let AssignmentValue::Word(word) = &a.value else { return None };
                let value = self.single(word).hop(HopKind::Assigned, &a.name.value, a.span);
                Some((a.name.value.clone(), Argument { value, span: a.span }))
            })
            .collect();
        let argv = self.arguments(&simple.words);
        if argv.is_empty() {
            self.status = Status::Success;
            return Flow::Next;
        }
        self.simple_call(Call { argv, prefix, span })
    }

    pub(super) fn assignment(&mut self, assignment: &Assignment) {
        let name = &assignment.name.value;
        if let Some(index) = &assignment.index {
            return self.assign_element(assignment, index);
        }
        match &assignment.value {
            AssignmentValue::Word(word) => {
                let mut value = self.single(word);
                if assignment.append {
                    let before = match self.lookup(name) {
                        Binding::Set(value) => value,
                        Binding::Unset | Binding::Declared => Value::empty(),
                        Binding::Unknown => Value::unknown(Origin::Unset, assignment.span),
                    };
                    value = before.concat(&value);
                }
                self.assign(name, value, assignment.span);
            }
            AssignmentValue::Array(words) => self.assign_array(assignment, words),
        }
    }

    /// A command whose words are expanded.
    pub(crate) fn simple_call(&mut self, call: Call) -> Flow {
        self.steps = self.steps.saturating_add(1);
        if self.steps > super::MAX_STEPS || self.depth >= super::MAX_DEPTH {
            self.lose_track();
            self.set_status(Status::Assumed);
            return Flow::Next;
        }
        self.depth += 1;
        let flow = self.called(call);
        self.depth -= 1;
        flow
    }

    fn called(&mut self, call: Call) -> Flow {
        let Some(name) = call.name() else {
            return self.opaque(&call);
        };
        let plain = call.text(0).is_some_and(|t| !t.contains('/'));
        let function = if plain { self.functions.get(&*name).cloned() } else { None };
        // What stands before a function or a special builtin stays set (in a POSIX shell).
        if function.is_some() || SPECIAL_BUILTINS.contains(&&*name) {
            for (variable, argument) in &call.prefix {
                self.bind(variable, Binding::Set(argument.value.clone()), argument.span);
                if function.is_some() {
                    self.export(variable);
                }
            }
        }
        if let Some(body) = function {
            let arguments = call.arguments().iter().map(|a| a.value.clone()).collect();
            return self.call_function(&body, arguments);
        }
        // `./scripts/test` is somebody's own program.
        let is_own =
            || call.text(0).is_some_and(|t| !t.starts_with("/bin/") && !t.starts_with("/usr/bin/"));
        if (plain || !is_own())
            && let Some(flow) = self.builtin(&name, &call)
        {
            return flow;
        }
        if let Some(flow) = self.wrapped(&name, &call) {
            return flow;
        }
        self.external(&name, &call)
    }

    /// A program that is not followed.
    fn opaque(&mut self, call: &Call) -> Flow {
        self.command_effect(call);
        self.subject = None;
        self.print(&Value::unknown(Origin::CommandOutput, call.span));
        self.status = Status::Assumed;
        Flow::Next
    }

    pub(super) fn command_effect(&mut self, call: &Call) {
        let command = Command {
            argv: call.argv.clone(),
            prefix: call.prefix.clone(),
            directory: self.directory.clone(),
        };
        self.effect(EffectKind::Command(command), call.span);
    }

    fn external(&mut self, name: &str, call: &Call) -> Flow {
        self.command_effect(call);
        self.subject = None;
        self.status = Status::Assumed;
        if self.probe(name, call) {
            // Who answers may be a program that was fetched.
            commands::execute(self, call);
            return Flow::Next;
        }
        if self.filter(name, call) {
            return Flow::Next;
        }
        self.foreign_program(name, call);
        commands::execute(self, call);
        if self.follow(name, call) {
            return Flow::Next;
        }
        let before = self.printed_so_far();
        let is_told = commands::run(self, name, call);
        // Most programs say what they do, whatever else is known of them.
        if !is_told || !is_silent(name) && before == self.printed_so_far() {
            self.print(&Value::unknown(Origin::CommandOutput, call.span));
        }
        self.foreign_question(name, call);
        Flow::Next
    }

    /// How much was printed, where somebody listens.
    fn printed_so_far(&self) -> Option<(usize, bool)> {
        self.output.as_ref().map(|output| (output.text.pieces().len(), output.file.is_some()))
    }

    /// This place as a station on an artifact's way.
    pub(crate) fn station(&self, path: String, span: Span) -> Station {
        Station { stage: self.world.stage, instruction: self.step.instruction, span, path }
    }

    /// What the current command gets on its standard input.
    pub(crate) fn input_text(&self) -> Option<Value> {
        self.input.as_ref().map(|s| s.text.clone())
    }

    /// The file that comes through the pipe.
    pub(crate) fn input_file(&self) -> Option<Artifact> {
        self.input.as_ref().and_then(|s| s.file.as_deref().cloned())
    }

    pub(crate) fn set_status(&mut self, status: Status) {
        self.status = status;
    }
}

/// Whether a program that is understood prints nothing but what it is understood to print.
fn is_silent(name: &str) -> bool {
    #[rustfmt::skip]
    const SILENT: [&str; 33] = [
        "cp", "mv", "install", "ln", "rm", "rmdir", "unlink", "mkdir", "touch", "chmod", "chown",
        "chgrp", "setcap", "ldconfig", "strip", "objcopy", "patchelf", "curl", "wget", "tar", "bsdtar",
        "gzip", "gunzip", "zcat", "xz", "unxz", "xzcat", "bzip2", "bunzip2", "bzcat", "zstd", "find",
        "xx-info",
    ];
    SILENT.contains(&name)
}
