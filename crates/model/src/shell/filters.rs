//! Programs that turn known text into known text.

use super::{Call, Interpreter, Status, sed, transform::transformation};
use crate::{
    effect::Argument,
    value::{Origin, Value},
};

impl Interpreter<'_, '_> {
    /// `false` if the program is not one of these.
    pub(super) fn filter(&mut self, name: &str, call: &Call) -> bool {
        let span = call.span;
        let words: Vec<Option<String>> = call
            .arguments()
            .iter()
            .map(|a| a.value.as_known().map(std::borrow::Cow::into_owned))
            .collect();
        let texts: Option<Vec<&str>> = words.iter().map(Option::as_deref).collect();
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
                if texts.as_ref().is_some_and(|t| {
                    t.iter().any(|w| w.starts_with("-i") || *w == "--in-place")
                }) =>
            {
                self.edit_in_place(call);
                return true;
            }
            "sed" | "tr" | "cut" | "awk" | "gawk" | "mawk" | "head" | "tail" | "sort" | "uniq"
            | "rev" | "xargs" => {}
            _ => return false,
        }
        let input = self.input_text();
        let unknown = || Value::unknown(Origin::CommandOutput, span);
        let result = match (input, texts) {
            (Some(input), Some(texts)) => match transformation(name, &texts) {
                Some(change) => input.map(span, |t| change(t)),
                None => input.obscured(span),
            },
            (Some(input), None) => input.obscured(span),
            (None, _) => unknown(),
        };
        self.print(&result);
        true
    }

    fn cat(&mut self, call: &Call) {
        let files: Vec<&Argument> = call.arguments().iter().filter(|a| !a.value.is("-")).collect();
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
        let mut args = call.arguments().iter();
        while let Some(argument) = args.next() {
            let text = argument.value.as_known();
            match text.as_deref() {
                Some("-e" | "--regexp") => pattern = args.next().map(|a| a.value.clone()),
                Some("-m" | "-A" | "-B" | "-C") => drop(args.next()),
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
                _ => has_file = true,
            }
        }
        let input = if has_file { None } else { self.input_text() };
        self.subject = input.clone();
        let known = input.as_ref().and_then(|i| {
            let text = i.as_known()?;
            let pattern = pattern.as_ref()?.as_known()?.into_owned();
            let understood =
                flags.chars().all(|c| "qoEivFsxw".contains(c)) && !flags.contains(['x', 'w']);
            let fixed = name == "fgrep" || flags.contains('F');
            let pattern = if fixed { regex::escape(&pattern) } else { pattern };
            let extended = fixed || name == "egrep" || flags.contains('E');
            let found = sed::matches(&pattern, extended, flags.contains('i'), "")?;
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

/// The lines (or, with `-o`, the matches) that grep prints.
fn selected(text: &str, pattern: &str, extended: bool, flags: &str) -> Option<String> {
    let mut out = String::new();
    for line in text.lines() {
        let found = sed::matches(pattern, extended, flags.contains('i'), line)?;
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
