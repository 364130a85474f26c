//! What the shell does by itself.

use std::sync::Arc;

use super::{Call, Dialect, Flow, Interpreter, Status};
use crate::{
    effect::Argument,
    expand::Binding,
    value::{Origin, Value},
};

impl Interpreter<'_, '_> {
    /// `None` if there is no builtin of that name.
    pub(super) fn builtin(&mut self, name: &str, call: &Call) -> Option<Flow> {
        let args = call.arguments();
        if let Some(flow) = self.control(name, call) {
            return Some(flow);
        }
        self.subject = match name {
            "[" | "test" => self.subject.take(),
            _ => None,
        };
        match name {
            ":" | "true" | "wait" | "umask" | "ulimit" | "alias" | "unalias" | "shopt"
            | "setopt" | "disown" | "enable" | "bind" | "complete" => {
                self.status = Status::Success;
            }
            "exec" if args.is_empty() => {
                self.status = Status::Success;
            }
            "trap" => self.trap(args),
            "false" => {
                self.status = Status::Failure;
            }
            "[" | "test" => {
                let words = match args.split_last() {
                    Some((last, words)) if name == "[" && last.value.is("]") => words,
                    _ => args,
                };
                self.status = self.test(words).into();
            }
            "echo" => self.echo(call),
            "printf" => self.printf(call),
            "cd" => self.cd(args),
            "pushd" => {
                self.cd(args);
                self.print(&Value::unknown(Origin::CommandOutput, call.span));
            }
            "popd" => {
                self.directory = None;
                self.status = Status::Success;
            }
            "pwd" => {
                let value = match &self.directory {
                    Some(d) => Value::known(format!("{d}\n"), Origin::BaseEnv, call.span),
                    None => Value::unknown(Origin::CommandOutput, call.span),
                };
                self.print(&value);
                self.status = Status::Success;
            }
            "shift" => {
                let n =
                    args.first().and_then(|a| a.value.as_known()?.parse().ok()).unwrap_or(1usize);
                self.positional.drain(..n.min(self.positional.len()));
                self.status = Status::Success;
            }
            "set" => self.set_options(args),
            "unset" => {
                self.unset(call);
            }
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                self.late_declaration(name, args, call.span);
            }
            "read" => self.read(call),
            "mapfile" | "readarray" => self.mapfile(call),
            "getopts" => self.getopts(call),
            "let" => self.let_(call),
            "command" | "type" | "which" | "hash" => {
                let asks = match name {
                    "command" => args.first().is_some_and(|a| {
                        a.value.as_known().is_some_and(|t| matches!(&*t, "-v" | "-V" | "-pv"))
                    }),
                    _ => true,
                };
                if !asks {
                    return None;
                }
                self.ask_for_commands(call);
            }
            _ => return None,
        }
        Some(Flow::Next)
    }

    /// Builtins that steer where control goes, or run other text.
    fn control(&mut self, name: &str, call: &Call) -> Option<Flow> {
        let args = call.arguments();
        Some(match name {
            "exit" => self.exit(call),
            "return" => {
                self.status = self.status_of(args.first());
                Flow::Return
            }
            "break" => Flow::Break(levels(args)),
            "continue" => Flow::Continue(levels(args)),
            "eval" => self.eval(call),
            "." | "source" => self.source(call),
            _ => return None,
        })
    }

    fn status_of(&self, argument: Option<&Argument>) -> Status {
        let Some(argument) = argument else { return self.status };
        match argument.value.as_known().as_deref() {
            Some("0") => Status::Success,
            Some(text) if text.parse::<i64>().is_ok() => Status::Failure,
            _ => Status::Unknown,
        }
    }

    fn exit(&mut self, call: &Call) -> Flow {
        let status = self.status_of(call.arguments().first());
        if status == Status::Failure {
            let code = call.text(1).unwrap_or("1".into()).into_owned();
            return self.fail(call.span, format!("the script ends here with status {code}"));
        }
        self.status = status;
        Flow::Exit
    }

    fn echo(&mut self, call: &Call) {
        self.status = Status::Success;
        let mut args = call.arguments();
        let (mut newline, mut escapes) = (true, false);
        // Only dash and `sh` of the same kind take backslashes without being asked, and no options
        // but `-n`.
        let dash = self.dialect == Dialect::Dash;
        let options = if dash { "n" } else { "neE" };
        while let Some(text) = args.first().and_then(|a| a.value.as_known())
            && text.len() > 1
            && text.starts_with('-')
            && text[1..].chars().all(|c| options.contains(c))
        {
            newline &= !text.contains('n');
            escapes |= text.contains('e');
            args = &args[1..];
        }
        let blank = Value::known(" ", Origin::Literal, call.span);
        let mut parts: Vec<Value> = Vec::new();
        for argument in args {
            if !parts.is_empty() {
                parts.push(blank.clone());
            }
            let has_backslash = || argument.value.spelling().contains('\\');
            let value = match (escapes || dash, self.dialect) {
                (true, _) if has_backslash() => {
                    argument.value.map(call.span, |t| Some(super::printf::unescape(t)))
                }
                (false, Dialect::Unknown) if has_backslash() => argument.value.obscured(call.span),
                _ => argument.value.clone(),
            };
            parts.push(value);
        }
        if newline {
            parts.push(Value::known("\n", Origin::Literal, call.span));
        }
        let text = Value::join(&parts);
        self.print(&text);
    }

    fn cd(&mut self, args: &[Argument]) {
        self.status = Status::Success;
        let before = self.directory.clone();
        let target =
            args.iter().find(|a| a.value.is("-") || !a.value.known_prefix().starts_with('-'));
        self.directory = match target {
            Some(argument) if argument.value.is("-") => match self.lookup("OLDPWD") {
                Binding::Set(value) => value.as_known().map(std::borrow::Cow::into_owned),
                _ => None,
            },
            Some(argument) => self.path(&argument.value),
            None => self.state.home.clone(),
        };
        let span = args.first().map_or(self.step.span, |a| a.span);
        let old = match before {
            Some(directory) => Value::known(directory, Origin::BaseEnv, span),
            None => Value::unknown(Origin::Opaque, span),
        };
        self.bind("OLDPWD", Binding::Set(old), span);
    }

    fn set_options(&mut self, args: &[Argument]) {
        self.status = Status::Success;
        let mut args = args.iter();
        while let Some(argument) = args.next() {
            let Some(text) = argument.value.as_known() else { return };
            let on = text.starts_with('-');
            if !on && !text.starts_with('+') {
                // `set a b c` sets the positional parameters.
                self.positional =
                    std::iter::once(argument).chain(args).map(|a| a.value.clone()).collect();
                return;
            }
            if text == "--" {
                self.positional = args.map(|a| a.value.clone()).collect();
                return;
            }
            for flag in text[1..].chars() {
                match flag {
                    'e' => self.errexit = on,
                    'u' => self.nounset = on,
                    'o' => match args.next().and_then(|a| a.value.as_known()).as_deref() {
                        Some("errexit") => self.errexit = on,
                        Some("nounset") => self.nounset = on,
                        Some("pipefail") => self.pipefail = on,
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
    }

    fn unset(&mut self, call: &Call) {
        let functions = call.arguments().first().is_some_and(|a| a.value.is("-f"));
        for argument in call.arguments() {
            let Some(name) = argument.value.as_known().filter(|n| !n.starts_with('-')) else {
                continue;
            };
            if functions {
                Arc::make_mut(&mut self.functions).remove(&*name);
            } else if let Some((array, _)) = name.split_once('[') {
                self.set_array(array, None, call.span);
            } else {
                self.bind(&name, Binding::Unset, call.span);
            }
        }
        self.status = Status::Success;
    }

    /// `trap 'commands' EXIT`: they run when the shell ends.
    fn trap(&mut self, args: &[Argument]) {
        self.status = Status::Success;
        let args: Vec<&Argument> = args.iter().filter(|a| !a.value.is("--")).collect();
        let Some((command, signals)) = args.split_first() else { return };
        let at_exit = |a: &&Argument| matches!(a.value.as_known().as_deref(), Some("EXIT" | "0"));
        if signals.iter().any(at_exit) {
            let nothing = command.value.is("-") || command.value.is_empty();
            self.at_exit = (!nothing && self.is_certain()).then(|| (*command).clone());
        }
    }

    fn getopts(&mut self, call: &Call) {
        let name = call.text(2).map(std::borrow::Cow::into_owned);
        for name in name.into_iter().chain(["OPTARG", "OPTIND"].map(str::to_owned)) {
            let value = Value::unknown(Origin::Opaque, call.span);
            self.bind(&name, Binding::Set(value), call.span);
        }
        self.status = Status::Unknown;
    }

    fn let_(&mut self, call: &Call) {
        self.status = Status::Unknown;
        for argument in call.arguments() {
            let number = argument.value.as_known().and_then(|t| self.arithmetic(&t, argument.span));
            self.status = match number {
                Some(0) => Status::Failure,
                Some(_) => Status::Success,
                None => Status::Unknown,
            };
        }
    }
}

fn levels(args: &[Argument]) -> u32 {
    args.first().and_then(|a| a.value.as_known()?.parse().ok()).unwrap_or(1)
}
