//! Simple commands: assignments, words, and who gets them.

use std::sync::Arc;

use mlint_syntax::{
    Span,
    shell::{
        Assignment, AssignmentValue, Declaration, DeclarationArgument, ShellWord, SimpleCommand,
    },
};

use super::{Flow, Interpreter, Status, Var};
use crate::{
    artifact::{Artifact, Station},
    commands,
    effect::{Argument, Command, EffectKind},
    expand::Binding,
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
    pub(crate) fn name(&self) -> Option<String> {
        let text = self.argv.first()?.value.as_known()?;
        Some(text.rsplit('/').next().unwrap_or_default().to_owned())
    }

    /// The words after the name.
    pub(crate) fn arguments(&self) -> &[Argument] {
        self.argv.get(1..).unwrap_or_default()
    }

    /// A word's text, if known.
    pub(crate) fn text(&self, index: usize) -> Option<std::borrow::Cow<'_, str>> {
        self.argv.get(index)?.value.as_known()
    }

    /// The same command without its first `n` words.
    fn without(&self, n: usize) -> Self {
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

    fn assignment(&mut self, assignment: &Assignment) {
        let name = &assignment.name.value;
        if let Some(index) = &assignment.index {
            let value = match &assignment.value {
                AssignmentValue::Word(word) => self.single(word),
                AssignmentValue::Array(_) => Value::unknown(Origin::Opaque, assignment.span),
            };
            let key = index.value.trim_matches(['"', '\'']).to_owned();
            let mut elements = match self.vars.get(name).and_then(|v| v.elements.clone()) {
                Some(elements) => (*elements).clone(),
                None => Vec::new(),
            };
            elements.retain(|(k, _)| *k != key);
            elements.push((key.clone(), value.hop(HopKind::Assigned, name, assignment.span)));
            // A key that is computed may be any.
            let elements = (!key.contains('$') && elements.len() < 1000).then_some(elements);
            return self.set_array(name, elements, assignment.span);
        }
        match &assignment.value {
            AssignmentValue::Word(word) => {
                let mut value = self.single(word);
                if assignment.append {
                    let before = match self.lookup(name) {
                        Binding::Set(value) => value,
                        Binding::Unset => Value::empty(),
                        Binding::Unknown | Binding::Declared => {
                            Value::unknown(Origin::Unset, assignment.span)
                        }
                    };
                    value = before.concat(&value);
                }
                self.assign(name, value, assignment.span);
            }
            AssignmentValue::Array(words) => {
                let elements = self.array(name, words, assignment);
                self.set_array(name, elements, assignment.span);
            }
        }
    }

    fn array(
        &mut self,
        name: &str,
        words: &[ShellWord],
        assignment: &Assignment,
    ) -> Option<Vec<(String, Value)>> {
        let mut elements = match assignment.append {
            true => (*self.vars.get(name)?.elements.clone()?).clone(),
            false => Vec::new(),
        };
        for argument in self.arguments(words) {
            let hop = |v: &Value| v.hop(HopKind::Assigned, name, argument.span);
            let text = argument.value.as_known()?;
            // `[key]=value`
            let keyed = text.strip_prefix('[').and_then(|t| t.find("]=")).map(|at| at + 1);
            match keyed {
                Some(at) => {
                    let key = text[1..at].trim_matches(['"', '\'']).to_owned();
                    elements.push((key, hop(&argument.value.slice(at + 2..text.len())?)));
                }
                None => elements.push((elements.len().to_string(), hop(&argument.value))),
            }
        }
        (elements.len() <= 1000).then_some(elements)
    }

    fn set_array(&mut self, name: &str, elements: Option<Vec<(String, Value)>>, span: Span) {
        let first = elements.as_ref().and_then(|e| e.iter().find(|(k, _)| k == "0"));
        let binding = first.map_or(Binding::Unknown, |(_, v)| Binding::Set(v.clone()));
        let elements = elements.map(Arc::new);
        self.vars.set(name, Some(Var { binding, exported: false, span, elements }));
    }

    pub(super) fn declaration(&mut self, declaration: &Declaration) -> Flow {
        self.status = Status::Success;
        let keyword = declaration.keyword.value.as_str();
        let mut exports = keyword == "export";
        let mut unexports = false;
        for argument in &declaration.arguments {
            match argument {
                DeclarationArgument::Assignment(assignment) => {
                    self.assignment(assignment);
                    if exports {
                        self.export(&assignment.name.value);
                    }
                }
                DeclarationArgument::Word(word) => {
                    for argument in self.fields(word) {
                        let Some(text) = argument.value.as_known() else { continue };
                        if let Some(options) = text.strip_prefix('-') {
                            exports |= options.contains('x');
                            unexports |= keyword == "export" && options.contains('n');
                        } else if let Some((name, _)) = text.split_once('=') {
                            // `export "A=b"`
                            let from = name.len() + 1;
                            let value = argument.value.slice(from..text.len()).unwrap_or_default();
                            self.assign(name, value, argument.span);
                            if exports {
                                self.export(name);
                            }
                        } else if exports && !unexports {
                            self.export_existing(&text, argument.span);
                        }
                    }
                }
            }
        }
        Flow::Next
    }

    fn export_existing(&mut self, name: &str, span: Span) {
        if self.vars.get(name).is_none()
            && let binding @ Binding::Set(_) = self.state.scope.binding(name)
        {
            self.vars.set(name, Some(Var { binding, exported: true, span, elements: None }));
        }
        self.export(name);
    }

    /// A command whose words are expanded.
    pub(crate) fn simple_call(&mut self, call: Call) -> Flow {
        self.steps += 1;
        self.depth += 1;
        let flow = match self.steps > super::MAX_STEPS || self.depth > super::MAX_DEPTH {
            true => Flow::Next,
            false => self.called(call),
        };
        self.depth -= 1;
        flow
    }

    fn called(&mut self, call: Call) -> Flow {
        let Some(name) = call.name() else {
            return self.opaque(&call);
        };
        let is_function = self.functions.contains_key(&name);
        // What stands before a function or a special builtin stays set (in a POSIX shell).
        if is_function || SPECIAL_BUILTINS.contains(&name.as_str()) {
            for (variable, argument) in &call.prefix {
                self.bind(variable, Binding::Set(argument.value.clone()), argument.span);
                if is_function {
                    self.export(variable);
                }
            }
        }
        if let Some(body) = self.functions.get(&name).cloned() {
            let arguments = call.arguments().iter().map(|a| a.value.clone()).collect();
            return self.call_function(&body, arguments);
        }
        if let Some(flow) = self.builtin(&name, &call) {
            return flow;
        }
        if let Some(inner) = self.unwrap(&name, &call) {
            return match inner {
                Inner::Command(call) => self.simple_call(call),
                Inner::Script(text) => {
                    let flow = self.subshell(|this| this.run_text(&text, call.span));
                    if flow == Flow::Exit { self.left_inner_shell() } else { Flow::Next }
                }
            };
        }
        self.external(&name, &call);
        Flow::Next
    }

    fn left_inner_shell(&mut self) -> Flow {
        self.failure = None;
        Flow::Next
    }

    /// A program that is not followed.
    fn opaque(&mut self, call: &Call) -> Flow {
        self.command_effect(call);
        self.print(&Value::unknown(Origin::CommandOutput, call.span));
        self.status = Status::Assumed;
        Flow::Next
    }

    fn command_effect(&mut self, call: &Call) {
        let command = Command {
            argv: call.argv.clone(),
            prefix: call.prefix.clone(),
            directory: self.directory.clone(),
        };
        self.effect(EffectKind::Command(command), call.span);
    }

    fn external(&mut self, name: &str, call: &Call) {
        self.command_effect(call);
        self.subject = None;
        self.status = Status::Assumed;
        if self.probe(name, call) || self.filter(name, call) {
            return;
        }
        commands::execute(self, call);
        if self.follow(name, call) {
            return;
        }
        let printed = commands::run(self, name, call);
        if !printed {
            self.print(&Value::unknown(Origin::CommandOutput, call.span));
        }
    }

    /// Takes off programs that run other programs.
    fn unwrap(&mut self, name: &str, call: &Call) -> Option<Inner> {
        let options_with_value: &[&str] = match name {
            "sudo" => &["-u", "-g", "-C", "-p"],
            "nice" | "ionice" => &["-n", "-c"],
            "timeout" => &["-k", "-s"],
            "env" => &["-u", "-C"],
            "chroot" => &["--userspec"],
            "time" | "nohup" | "stdbuf" | "command" | "builtin" | "exec" | "setarch"
            | "linux32" | "linux64" | "fakeroot" | "tini" | "dumb-init" | "catchsegv"
            | "eatmydata" | "busybox" | "gosu" | "su-exec" | "setpriv" | "unbuffer" | "ccache"
            | "sccache" => &[],
            "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" => return self.inner_shell(call),
            "xargs" => return self.xargs(call),
            _ => return None,
        };
        let mut at = 1;
        let mut call = call.clone();
        while let Some(text) = call.text(at).map(std::borrow::Cow::into_owned) {
            if name == "command" && matches!(text.as_str(), "-v" | "-V") {
                return None;
            }
            if options_with_value.contains(&text.as_str()) {
                at += 2;
            } else if text.starts_with('-') {
                at += 1;
            } else if name == "env"
                && let Some((variable, _)) = text.split_once('=')
            {
                let argument = &call.argv[at];
                let value = argument.value.slice(variable.len() + 1..text.len());
                let argument = Argument { value: value.unwrap_or_default(), span: argument.span };
                call.prefix.push((variable.to_owned(), argument));
                at += 1;
            } else {
                break;
            }
        }
        // What comes before the command itself.
        at += match name {
            "timeout" | "chroot" | "gosu" | "su-exec" | "setarch" => 1,
            _ => 0,
        };
        (at < call.argv.len()).then(|| Inner::Command(call.without(at)))
    }

    /// `sh -c '…'`.
    fn inner_shell(&mut self, call: &Call) -> Option<Inner> {
        let is_c = |a: &Argument| {
            a.value
                .as_known()
                .is_some_and(|t| t.starts_with('-') && !t.starts_with("--") && t.ends_with('c'))
        };
        let at = call.argv.iter().position(is_c)?;
        let script = call.argv.get(at + 1)?;
        Some(Inner::Script(script.value.clone()))
    }

    /// `… | xargs cmd args`: the command once, with what is known of the input behind it.
    fn xargs(&mut self, call: &Call) -> Option<Inner> {
        let mut at = 1;
        let mut replace: Option<String> = None;
        while let Some(text) = call.text(at).map(std::borrow::Cow::into_owned) {
            match text.as_str() {
                "-I" => {
                    replace = Some(call.text(at + 1)?.into_owned());
                    at += 2;
                }
                "-n" | "-P" | "-L" | "-d" | "-a" | "-s" => at += 2,
                t if t.starts_with("-I") => {
                    replace = Some(t[2..].to_owned());
                    at += 1;
                }
                t if t.starts_with('-') => at += 1,
                _ => break,
            }
        }
        if at >= call.argv.len() {
            return None;
        }
        let input = self
            .input
            .take()
            .map_or_else(|| Value::unknown(Origin::CommandOutput, call.span), |stream| stream.text);
        let mut inner = call.without(at);
        match replace {
            Some(mark) => {
                for argument in &mut inner.argv {
                    if argument.value.as_known().is_some_and(|t| t.contains(&mark)) {
                        argument.value = Value::unknown(Origin::CommandOutput, argument.span);
                    }
                }
            }
            None => match input.as_known() {
                Some(text) => {
                    let mut from = 0;
                    for word in text.split_inclusive(char::is_whitespace) {
                        let end = from + word.trim_end().len();
                        if end > from {
                            let value = input.slice(from..end).unwrap_or_default();
                            inner.argv.push(Argument { value, span: call.span });
                        }
                        from += word.len();
                    }
                }
                None => inner.argv.push(Argument { value: input, span: call.span }),
            },
        }
        Some(Inner::Command(inner))
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

enum Inner {
    Command(Call),
    Script(Value),
}
