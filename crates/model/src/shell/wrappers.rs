//! Programs that run other programs.

use super::{Call, Flow, Interpreter, Status, Stream};
use crate::{
    effect::Argument,
    expand::Binding,
    value::{Origin, Value},
};

/// How such a program reads its words.
struct Wrapper {
    /// Options that take a value.
    with_value: &'static [&'static str],
    /// Words between the options and the command.
    before: usize,
}

/// Runs of one `xargs`; what more there are is not known.
const MAX_RUNS: usize = 64;

fn wrapper(name: &str) -> Option<Wrapper> {
    let plain = |with_value: &'static [&'static str]| Wrapper { with_value, before: 0 };
    Some(match name {
        "sudo" | "doas" => plain(&["-u", "-g", "-C", "-p", "-h", "-U", "-r", "-t"]),
        "nice" | "ionice" | "chrt" => plain(&["-n", "-c", "-p"]),
        "timeout" => Wrapper { with_value: &["-k", "-s"], before: 1 },
        "env" => plain(&["-u", "-C", "--unset", "--chdir"]),
        "chroot" => Wrapper { with_value: &["--userspec", "--groups"], before: 1 },
        "gosu" | "su-exec" => Wrapper { with_value: &[], before: 1 },
        "setarch" => Wrapper { with_value: &[], before: 1 },
        "runuser" => plain(&["-u", "-g", "-G", "-s"]),
        "setpriv" => plain(&["--reuid", "--regid", "--groups"]),
        "flock" => Wrapper { with_value: &["-w", "-E", "-c"], before: 1 },
        "xvfb-run" => plain(&["-n", "-e", "-f", "-s", "-p", "-w"]),
        "stdbuf" => plain(&["-i", "-o", "-e"]),
        "time" => plain(&["-o", "-f"]),
        "dumb-init" | "tini" | "catatonit" => plain(&["-p", "-e"]),
        "nohup" | "command" | "builtin" | "exec" | "linux32" | "linux64" | "i386" | "fakeroot"
        | "catchsegv" | "eatmydata" | "busybox" | "unbuffer" | "ccache" | "sccache" | "setsid"
        | "unshare" | "proxychains" | "proxychains4" | "strace" | "faketime" => plain(&[]),
        _ => return None,
    })
}

impl Interpreter<'_, '_> {
    /// Follows the command that another one runs; `None` if it runs none that can be seen.
    pub(super) fn wrapped(&mut self, name: &str, call: &Call) -> Option<Flow> {
        match name {
            "sh" | "bash" | "ash" | "dash" | "zsh" | "ksh" => return self.inner_shell(call),
            "xargs" => return self.xargs(call),
            "su" | "scl" => return self.command_word(name, call),
            "runuser" if call.argv.iter().any(|a| a.value.is("-c")) => {
                return self.command_word(name, call);
            }
            _ => {}
        }
        let wrapper = wrapper(name)?;
        let mut at = 1;
        let mut call = call.clone();
        let (mut clears, mut unset) = (false, Vec::new());
        while let Some(text) = call.text(at).map(std::borrow::Cow::into_owned) {
            if name == "env" && matches!(text.as_str(), "-i" | "-" | "--ignore-environment") {
                clears = true;
                at += 1;
            } else if name == "env" && matches!(text.as_str(), "-u" | "--unset") {
                unset.extend(call.text(at + 1).map(std::borrow::Cow::into_owned));
                at += 2;
            } else if text == "--" {
                at += 1;
                break;
            } else if wrapper.with_value.contains(&text.as_str()) {
                at += 2;
            } else if text.starts_with('-') {
                at += 1;
            } else if matches!(name, "env" | "sudo")
                && let Some((variable, _)) = text.split_once('=')
            {
                let argument = &call.argv[at];
                let value = argument.value.without_prefix(variable.len() + 1);
                let argument = Argument { value: value.unwrap_or_default(), span: argument.span };
                call.prefix.push((variable.to_owned(), argument));
                at += 1;
            } else if let Some(argument) = setting(name, &call, at) {
                call.prefix.push(argument);
                at += 1;
            } else {
                break;
            }
        }
        at += wrapper.before;
        if at >= call.argv.len() {
            return None;
        }
        let inner = call.without(at);
        if matches!(name, "exec" | "command" | "builtin" | "time") {
            return Some(self.in_place(name, inner));
        }
        // It may be a program that this file brought.
        crate::commands::execute(self, &call);
        let personality = self.other_personality;
        self.other_personality |= matches!(name, "linux32" | "linux64" | "i386" | "setarch");
        self.subshell(call.span, |this| {
            if clears || !unset.is_empty() {
                this.without_environment(clears, &unset, &inner);
            }
            if name == "chroot" {
                this.directory = None;
            }
            this.simple_call(inner)
        });
        self.other_personality = personality;
        Some(Flow::Next)
    }

    /// `command x` runs no function; after `exec x`, the shell is gone.
    fn in_place(&mut self, name: &str, inner: Call) -> Flow {
        let functions = self.functions.clone();
        if name != "time" {
            self.functions = Default::default();
        }
        let flow = self.simple_call(inner);
        self.functions = functions;
        match name {
            "exec" if flow == Flow::Next => Flow::Exit,
            _ => flow,
        }
    }

    /// `env -i`, `env -u X`.
    fn without_environment(&mut self, all: bool, names: &[String], call: &Call) {
        let mut gone: Vec<String> = names.to_vec();
        if all {
            gone.extend(self.vars.iter().map(|(name, _)| name.to_string()));
            let environment = self.state.scope.environment();
            gone.extend(environment.iter().map(|(name, _)| (*name).to_owned()));
        }
        for name in gone {
            self.bind(&name, Binding::Unset, call.span);
        }
        for (name, argument) in &call.prefix {
            self.bind(name, Binding::Set(argument.value.clone()), argument.span);
            self.export(name);
        }
    }

    /// `su user -c 'script'`, `scl enable tools 'script'`.
    fn command_word(&mut self, name: &str, call: &Call) -> Option<Flow> {
        let word = match name {
            "scl" => match call.text(1).as_deref() {
                Some("enable") => call.argv.last().filter(|_| call.argv.len() > 3),
                _ => None,
            },
            _ => {
                let is_c = |a: &Argument| {
                    matches!(a.value.as_known().as_deref(), Some("-c" | "--command" | "-lc"))
                };
                let at = call.argv.iter().position(is_c)?;
                call.argv.get(at + 1)
            }
        };
        let word = word?;
        if name == "scl"
            && let Some(at) = call.argv.iter().position(|a| a.value.is("--"))
        {
            let inner = call.without(at + 1);
            return Some(self.simple_call(inner));
        }
        let span = call.span;
        let sh = Value::known("sh", Origin::Literal, span);
        let flag = Value::known("-c", Origin::Literal, span);
        let argv = vec![Argument { value: sh, span }, Argument { value: flag, span }, word.clone()];
        self.inner_shell(&Call { argv, prefix: call.prefix.clone(), span })
    }

    /// `… | xargs cmd args`: the command with what is known of the input behind it.
    fn xargs(&mut self, call: &Call) -> Option<Flow> {
        let mut at = 1;
        let mut replace: Option<String> = None;
        let (mut each, mut lines, mut opaque) = (usize::MAX, false, false);
        while let Some(text) = call.text(at).map(std::borrow::Cow::into_owned) {
            let (flag, attached) = match text.strip_prefix('-') {
                Some(rest) if !rest.is_empty() && !rest.starts_with('-') => rest.split_at(1),
                Some(rest) if rest.starts_with('-') => ("", ""),
                _ => break,
            };
            let has_value = matches!(flag, "I" | "n" | "P" | "L" | "d" | "a" | "s" | "E");
            let value = match (has_value, attached.is_empty()) {
                (true, true) => call.text(at + 1).map(std::borrow::Cow::into_owned),
                (true, false) => Some(attached.to_owned()),
                _ => None,
            };
            at += if has_value && attached.is_empty() { 2 } else { 1 };
            match flag {
                "I" => replace = value,
                "n" => each = value.and_then(|v| v.parse().ok()).filter(|n| *n > 0)?,
                "L" => (each, lines) = (1, true),
                "i" => replace = Some("{}".to_owned()),
                "d" => {
                    lines = value.as_deref() == Some("\\n");
                    opaque |= !lines;
                }
                "a" | "0" => opaque = true,
                _ => opaque |= text.contains("null") || text.contains("arg-file"),
            }
        }
        if at >= call.argv.len() {
            return None;
        }
        let input = self.input.take().filter(|_| !opaque);
        let text =
            input.map_or_else(|| Value::unknown(Origin::CommandOutput, call.span), |s| s.text);
        let inner = call.without(at);
        let words = pieces(&text, lines || replace.is_some());
        self.run_each(&inner, words, (replace.as_deref(), each))
    }

    /// A command that `find` runs, in a process of its own.
    pub(crate) fn run_found(&mut self, call: Call) {
        self.subshell(call.span, |this| this.simple_call(call));
    }

    /// What is run for each of some things that are not known: where there are none, it is not run,
    /// and that is no failure. So nothing of it is certain, and it decides nothing.
    pub(crate) fn if_any(&mut self, run: impl FnOnce(&mut Self)) {
        let (certain, here) = (self.certain, self.here);
        (self.certain, self.here) = (false, false);
        run(self);
        (self.certain, self.here) = (certain, here);
        self.set_status(Status::Assumed);
    }

    fn run_each(
        &mut self,
        inner: &Call,
        words: Option<Vec<Value>>,
        (replace, each): (Option<&str>, usize),
    ) -> Option<Flow> {
        let span = inner.span;
        let Some(words) = words else {
            let unknown = vec![Value::unknown(Origin::CommandOutput, span)];
            let mut flow = None;
            self.if_any(|this| flow = this.run_each(inner, Some(unknown), (replace, each)));
            return flow;
        };
        let runs: Vec<Call> = match replace {
            Some(mark) => words.iter().map(|word| replaced(inner, mark, word)).collect(),
            None if words.is_empty() => vec![inner.clone()],
            None => {
                let run = |part: &[Value]| {
                    let mut call = inner.clone();
                    let extra = part.iter().map(|v| Argument { value: v.clone(), span });
                    call.argv.extend(extra);
                    call
                };
                words.chunks(each.min(words.len()).max(1)).map(run).collect()
            }
        };
        let outer = self.input.replace(Stream::default());
        let many = runs.len() > MAX_RUNS;
        for call in runs.into_iter().take(MAX_RUNS) {
            self.subshell(span, |this| this.simple_call(call));
        }
        if many {
            self.print(&Value::unknown(Origin::CommandOutput, span));
            self.set_status(Status::Assumed);
        }
        self.input = outer;
        Some(Flow::Next)
    }
}

/// `NAME=$value` in front of the command that `env` runs, where the value is not known.
fn setting(name: &str, call: &Call, at: usize) -> Option<(String, Argument)> {
    let argument = call.argv.get(at).filter(|_| matches!(name, "env" | "sudo"))?;
    let prefix = argument.value.known_prefix();
    let (variable, _) = prefix.split_once('=')?;
    let value = argument.value.without_prefix(variable.len() + 1)?;
    Some((variable.to_owned(), Argument { value, span: argument.span }))
}

/// The words, or lines, of what `xargs` reads; `None` if they are not known.
fn pieces(text: &Value, lines: bool) -> Option<Vec<Value>> {
    let known = text.as_known()?.into_owned();
    if known.contains(['\'', '"', '\\']) {
        return None;
    }
    let mut out = Vec::new();
    let mut from = 0;
    let ends = |c: char| if lines { c == '\n' } else { c.is_whitespace() };
    for part in known.split_inclusive(ends) {
        let end = from + part.trim_end_matches(ends).len();
        if end > from {
            out.push(text.slice(from..end)?);
        }
        from += part.len();
    }
    Some(out)
}

/// The command with `word` wherever the mark stands.
fn replaced(call: &Call, mark: &str, word: &Value) -> Call {
    let mut call = call.clone();
    for argument in &mut call.argv {
        let Some(text) = argument.value.as_known().map(std::borrow::Cow::into_owned) else {
            continue;
        };
        if !text.contains(mark) || mark.is_empty() {
            continue;
        }
        let mut parts: Vec<Value> = Vec::new();
        let mut from = 0;
        for (at, _) in text.match_indices(mark) {
            parts.extend(argument.value.slice(from..at));
            parts.push(word.clone());
            from = at + mark.len();
        }
        parts.extend(argument.value.slice(from..text.len()));
        argument.value = Value::join(&parts);
    }
    call
}
