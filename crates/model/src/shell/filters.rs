//! Programs that turn known text into known text.

use super::{Call, Interpreter, Status, posix, transform::transformation};
use crate::{
    effect::Argument,
    value::{Origin, Value},
};

impl Interpreter<'_, '_> {
    /// `false` if the program is not one of these.
    pub(super) fn filter(&mut self, name: &str, call: &Call) -> bool {
        let span = call.span;
        let in_place = |a: &Argument| {
            a.value.as_known().is_some_and(|w| w.starts_with("-i") || w == "--in-place")
        };
        match name {
            "cat" => {
                self.cat(call);
                return true;
            }
            "tee" => {
                self.tee(call);
                return true;
            }
            "grep" | "egrep" | "fgrep" => {
                self.grep(name, call);
                return true;
            }
            "basename" | "dirname" => {
                self.path_part(name, call);
                return true;
            }
            "sed"
                if call.arguments().iter().any(in_place)
                    && call.arguments().iter().all(|a| a.value.as_known().is_some()) =>
            {
                self.edit_in_place(call);
                return true;
            }
            "sed" | "tr" | "cut" | "awk" | "gawk" | "mawk" | "head" | "tail" | "sort" | "uniq"
            | "rev" | "tac" | "wc" | "paste" | "xargs" => {}
            "seq" | "expr" | "printenv" | "realpath" | "readlink" => return self.told(name, call),
            _ => return false,
        }
        let known = |a: &Argument| a.value.as_known().map(std::borrow::Cow::into_owned);
        let mut words: Vec<Option<String>> = call.arguments().iter().map(known).collect();
        let input = self.input_or_file(name, &mut words);
        let texts: Option<Vec<&str>> = words.iter().map(Option::as_deref).collect();
        let unknown = || Value::unknown(Origin::CommandOutput, span);
        let result = match (input, texts) {
            (Some(input), Some(texts)) => match transformation(name, &texts) {
                Some(change) => input.map(span, |t| change(t)),
                None => {
                    if name.ends_with("awk") {
                        self.foreign_program(name, call);
                    }
                    input.obscured(span)
                }
            },
            (Some(input), None) => input.obscured(span),
            (None, _) => unknown(),
        };
        self.print(&result);
        true
    }

    /// What the filter reads: its input, or the one file that its last word names, if what is in
    /// that is known.
    fn input_or_file(&mut self, name: &str, words: &mut Vec<Option<String>>) -> Option<Value> {
        let programs = usize::from(matches!(name, "sed" | "awk" | "gawk" | "mawk"));
        let operands = words.iter().flatten().filter(|w| !w.starts_with('-')).count();
        if let Some(Some(path)) = words.last()
            && operands > programs
            && !matches!(name, "tr" | "xargs")
            && let Some(path) = self.absolute(path)
            && let Some(file) = self.state.files.at(&path)
            && let Some(content) = file.content.clone().filter(|_| file.certain)
        {
            words.pop();
            return Some(content);
        }
        self.input_text()
    }

    /// Programs that print by themselves.
    fn told(&mut self, name: &str, call: &Call) -> bool {
        let texts: Option<Vec<String>> = call
            .arguments()
            .iter()
            .map(|a| a.value.as_known().map(std::borrow::Cow::into_owned))
            .collect();
        let texts = texts.unwrap_or_default();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let value = match (name, &texts[..]) {
            ("printenv", [variable]) => {
                self.environment(call, variable).map(|argument| argument.value)
            }
            ("seq", [to]) => numbers(1, to.parse().ok(), call),
            ("seq", [from, to]) => match from.parse() {
                Ok(from) => numbers(from, to.parse().ok(), call),
                Err(_) => None,
            },
            ("expr", [a, "+" | "-" | "*" | "/" | "%", b])
                if a.parse::<i64>().is_ok() && b.parse::<i64>().is_ok() =>
            {
                let number = self.arithmetic(&texts.join(" "), call.span);
                number.map(|n| Value::known(n.to_string(), Origin::Literal, call.span))
            }
            ("readlink" | "realpath", [.., path]) if path.starts_with('/') => {
                // It may be a link in the image.
                let path = self.absolute(path).unwrap_or_default();
                let plain = self.state.files.at(&path).is_some_and(|f| f.certain);
                plain.then(|| Value::known(path, Origin::Literal, call.span))
            }
            _ => None,
        };
        let line_end = Value::known("\n", Origin::Literal, call.span);
        let value = match value {
            Some(value) => value.concat(&line_end),
            None => Value::unknown(Origin::CommandOutput, call.span),
        };
        self.print(&value);
        true
    }

    fn cat(&mut self, call: &Call) {
        let is_option = |a: &&Argument| a.value.known_prefix().starts_with('-');
        let files: Vec<&Argument> = call.arguments().iter().filter(|a| !is_option(a)).collect();
        if files.is_empty() {
            match self.input_file() {
                Some(file) => self.print_file(file, call.span),
                None => {
                    let text = self.input_text();
                    let text =
                        text.unwrap_or_else(|| Value::unknown(Origin::CommandOutput, call.span));
                    self.print(&text);
                }
            }
            return;
        }
        for argument in files {
            let path = self.path(&argument.value);
            if path.as_deref() == Some("/etc/apk/arch") {
                self.answer(crate::probe::Probe::ApkArch, call, true);
                continue;
            }
            if path.as_deref() == Some("/proc/sys/kernel/arch") {
                self.answer(crate::probe::Probe::UnameMachine, call, true);
                continue;
            }
            match path.and_then(|p| self.file(&p, argument.span)) {
                Some(file) => self.print_file(file, argument.span),
                None => self.print(&Value::unknown(Origin::File, argument.span)),
            }
        }
    }

    fn tee(&mut self, call: &Call) {
        let input = self.input_text();
        let text = input.unwrap_or_else(|| Value::unknown(Origin::CommandOutput, call.span));
        let append = call.arguments().iter().any(|a| a.value.is("-a"));
        for argument in call.arguments() {
            if argument.value.known_prefix().starts_with('-') {
                continue;
            }
            if let Some(path) = self.path(&argument.value) {
                let stream =
                    super::Stream { text: text.clone(), file: self.input_file().map(Box::new) };
                self.write_file(path, stream, append, call.span);
            }
        }
        self.print(&text);
    }

    /// What was known of a file is not known any more.
    fn edit_in_place(&mut self, call: &Call) {
        for argument in call.arguments() {
            if let Some(path) = self.path(&argument.value) {
                self.state.files.blur(&path, Value::unknown(Origin::File, call.span));
            }
        }
    }

    fn grep(&mut self, name: &str, call: &Call) {
        let span = call.span;
        let mut pattern: Option<Value> = None;
        let mut flags = String::new();
        let mut has_file = false;
        let mut file: Option<Value> = None;
        let mut args = call.arguments().iter();
        while let Some(argument) = args.next() {
            let text = argument.value.as_known();
            match text.as_deref() {
                Some("-e" | "--regexp") => pattern = args.next().map(|a| a.value.clone()),
                Some("-m" | "-A" | "-B" | "-C") => {
                    flags.push('?');
                    args.next();
                }
                Some(t) if t.starts_with("--") => flags.push_str(match t {
                    "--quiet" | "--silent" => "q",
                    "--only-matching" => "o",
                    "--extended-regexp" => "E",
                    "--ignore-case" => "i",
                    "--invert-match" => "v",
                    "--fixed-strings" => "F",
                    _ => "?",
                }),
                Some(t) if t.starts_with('-') && t.len() > 1 => flags.push_str(&t[1..]),
                _ if pattern.is_none() => pattern = Some(argument.value.clone()),
                _ => {
                    let path = self.path(&argument.value);
                    let found = path.and_then(|p| self.state.files.at(&p).cloned());
                    match found.filter(|f| f.certain && !has_file).and_then(|f| f.content) {
                        Some(content) => file = Some(content),
                        None => has_file = true,
                    }
                }
            }
        }
        let input = match file {
            _ if has_file => None,
            Some(file) => Some(file),
            None => self.input_text(),
        };
        self.subject = input.clone();
        let known = input.as_ref().and_then(|i| {
            let text = i.as_known()?;
            let pattern = pattern.as_ref()?.as_known()?.into_owned();
            let understood = flags.chars().all(|c| "qoEivFsxwh".contains(c));
            let fixed = name == "fgrep" || flags.contains('F');
            let pattern = if fixed { regex::escape(&pattern) } else { pattern };
            let extended = fixed || name == "egrep" || flags.contains('E');
            let pattern = match (flags.contains('x'), flags.contains('w'), extended) {
                (false, false, _) => pattern,
                (true, _, true) => format!("^({pattern})$"),
                (true, _, false) => format!("^\\({pattern}\\)$"),
                (false, true, true) => format!("\\b({pattern})\\b"),
                (false, true, false) => format!("\\b\\({pattern}\\)\\b"),
            };
            let found = posix::matches(&pattern, extended, flags.contains('i'), "")?;
            drop(found);
            understood.then(|| selected(&text, &pattern, extended, &flags))?
        });
        match known {
            Some(text) => {
                self.set_status(if text.is_empty() { Status::Failure } else { Status::Success });
                if !flags.contains('q') {
                    let value = input.unwrap_or_default().derived(text, span);
                    self.print(&value);
                }
            }
            None => {
                self.set_status(Status::Unknown);
                let unknown = match &input {
                    Some(input) => input.obscured(span),
                    None => Value::unknown(Origin::CommandOutput, span),
                };
                if !flags.contains('q') {
                    self.print(&unknown);
                }
            }
        }
    }

    fn path_part(&mut self, name: &str, call: &Call) {
        let args = call.arguments();
        let suffix = args.get(1).and_then(|a| a.value.as_known()).unwrap_or_default().into_owned();
        let Some(argument) = args.first() else { return };
        let value = argument.value.map_values(call.span, &|value| {
            let text = value.as_known()?;
            let trimmed = text.trim_end_matches('/');
            let cut = trimmed.rfind('/');
            if name == "dirname" {
                return match cut {
                    Some(0) => value.slice(0..1),
                    Some(at) => value.slice(0..at),
                    None => Some(value.derived(".", call.span)),
                };
            }
            let start = cut.map_or(0, |at| at + 1);
            let base = &trimmed[start..];
            let kept = match base.strip_suffix(suffix.as_str()) {
                Some(kept) if !kept.is_empty() => kept.len(),
                _ => base.len(),
            };
            value.slice(start..start + kept)
        });
        let line_end = Value::known("\n", Origin::Literal, call.span);
        self.print(&value.concat(&line_end));
    }
}

/// The most lines that `seq` prints.
const MAX_NUMBERS: i64 = 1000;

fn numbers(from: i64, to: Option<i64>, call: &Call) -> Option<Value> {
    let to = to?;
    if to.saturating_sub(from) > MAX_NUMBERS {
        return None;
    }
    let lines: Vec<String> = (from..=to).map(|n| n.to_string()).collect();
    Some(Value::known(lines.join("\n"), Origin::Literal, call.span))
}

/// The lines (or, with `-o`, the matches) that grep prints.
fn selected(text: &str, pattern: &str, extended: bool, flags: &str) -> Option<String> {
    let mut out = String::new();
    for line in text.lines() {
        let found = posix::matches(pattern, extended, flags.contains('i'), line)?;
        if flags.contains('o') && !flags.contains('v') {
            for range in found {
                out.push_str(&line[range]);
                out.push('\n');
            }
        } else if found.is_empty() == flags.contains('v') {
            out.push_str(line);
            out.push('\n');
        }
    }
    Some(out)
}
