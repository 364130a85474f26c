//! What the shell does by itself.

use super::{Call, Flow, Interpreter, Status, Stream};
use crate::{
    effect::Argument,
    expand::Binding,
    value::{HopKind, Origin, Truth, Value},
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
            ":" | "true" | "wait" | "umask" | "ulimit" | "hash" | "alias" | "unalias" | "trap"
            | "shopt" | "setopt" => {
                self.status = Status::Success;
            }
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
            "pushd" => self.cd(args),
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
                for argument in args {
                    if let Some(name) = argument.value.as_known() {
                        self.bind(&name, Binding::Unset, call.span);
                    }
                }
                self.status = Status::Success;
            }
            "export" | "declare" | "local" | "readonly" | "typeset" => {
                self.late_declaration(name, args)
            }
            "read" => self.read(call),
            "getopts" | "mapfile" | "readarray" | "let" => {
                self.status = Status::Unknown;
            }
            "command" | "type" | "which" => {
                let asks = name != "command"
                    || args.first().is_some_and(|a| a.value.is("-v") || a.value.is("-V"));
                if !asks {
                    return None;
                }
                self.print(&Value::unknown(Origin::CommandOutput, call.span));
                self.status = Status::Unknown;
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
            "eval" => {
                let blank = Value::known(" ", Origin::Literal, call.span);
                let mut parts: Vec<Value> = Vec::new();
                for argument in args {
                    if !parts.is_empty() {
                        parts.push(blank.clone());
                    }
                    parts.push(argument.value.clone());
                }
                self.run_text(&Value::join(&parts), call.span)
            }
            "." | "source" => match args.first().and_then(|a| self.read_in(a, call.span)) {
                Some(flow) => flow,
                None => {
                    self.sourced = true;
                    self.status = Status::Assumed;
                    Flow::Next
                }
            },
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
        while let Some(text) = args.first().and_then(|a| a.value.as_known())
            && text.len() > 1
            && text.starts_with('-')
            && text[1..].chars().all(|c| matches!(c, 'n' | 'e' | 'E'))
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
            let value = match escapes {
                true => argument.value.map(call.span, |t| Some(super::printf::unescape(t))),
                false => argument.value.clone(),
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
        let target = args.iter().find(|a| !a.value.known_prefix().starts_with('-'));
        self.directory = match target {
            Some(argument) => self.path(&argument.value),
            None => self.state.home.clone(),
        };
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
                        _ => {}
                    },
                    _ => {}
                }
            }
        }
    }

    /// `export` and its kin where they are not seen as such (`command export …`).
    fn late_declaration(&mut self, keyword: &str, args: &[Argument]) {
        self.status = Status::Success;
        for argument in args {
            let Some(text) = argument.value.as_known() else { continue };
            if let Some((name, _)) = text.split_once('=') {
                let value = argument.value.slice(name.len() + 1..text.len()).unwrap_or_default();
                self.assign(name, value, argument.span);
                if keyword == "export" {
                    self.export(name);
                }
            } else if keyword == "export" {
                self.export(&text);
            }
        }
    }

    /// `read a b <<< text`.
    fn read(&mut self, call: &Call) {
        let names: Vec<String> = call
            .arguments()
            .iter()
            .filter_map(|a| a.value.as_known().map(std::borrow::Cow::into_owned))
            .filter(|n| !n.starts_with('-'))
            .collect();
        let names = if names.is_empty() { vec!["REPLY".to_owned()] } else { names };
        let input = self.input.take();
        let text = input.as_ref().map(|s| s.text.clone());
        let line = text.as_ref().and_then(|t| {
            let known = t.as_known()?;
            let end = known.find('\n').unwrap_or(known.len());
            Some((t.slice(0..end)?, t.slice((end + 1).min(known.len())..known.len())?))
        });
        let Some((line, rest)) = line else {
            for name in names {
                let value = Value::unknown(Origin::CommandOutput, call.span);
                self.assign(&name, value, call.span);
            }
            self.input = input;
            self.status = Status::Unknown;
            return;
        };
        self.status = Truth::from(!text.as_ref().is_some_and(Value::is_empty)).into();
        self.input = Some(Stream { text: rest, file: None });
        let known = line.as_known().unwrap_or_default().into_owned();
        let mut at = 0;
        for (i, name) in names.iter().enumerate() {
            let start = at + known[at..].len() - known[at..].trim_start().len();
            let end = match i + 1 == names.len() {
                true => start + known[start..].trim_end().len(),
                false => {
                    known[start..].find(char::is_whitespace).map_or(known.len(), |n| start + n)
                }
            };
            let value = line.slice(start..end).unwrap_or_default();
            let value = value.hop(HopKind::Assigned, name, call.span);
            self.bind(name, Binding::Set(value), call.span);
            at = end;
        }
    }
}

fn levels(args: &[Argument]) -> u32 {
    args.first().and_then(|a| a.value.as_known()?.parse().ok()).unwrap_or(1)
}
