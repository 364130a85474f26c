//! Programs that turn known text into known text.

use super::{Call, Interpreter, Status, sed};
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
            match path.and_then(|p| self.state.files.find(&p)) {
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

type Change = Box<dyn Fn(&str) -> Option<String>>;

/// What a filter with these arguments does to a text; `None` where that is not understood, or where
/// it reads files.
fn transformation(name: &str, args: &[&str]) -> Option<Change> {
    match name {
        "sed" => sed_change(args),
        "tr" => tr(args),
        "cut" => cut(args),
        "awk" | "gawk" | "mawk" => awk(args),
        "head" | "tail" => head_tail(name == "head", args),
        "sort" | "uniq" if args.is_empty() => {
            let sorts = name == "sort";
            Some(Box::new(move |text| {
                let mut lines: Vec<&str> = text.lines().collect();
                if sorts {
                    lines.sort_unstable();
                } else {
                    lines.dedup();
                }
                Some(lines.iter().map(|l| format!("{l}\n")).collect())
            }))
        }
        "rev" if args.is_empty() => Some(Box::new(|text| {
            Some(text.lines().map(|l| l.chars().rev().collect::<String>() + "\n").collect())
        })),
        "xargs" if args.is_empty() => Some(Box::new(|text| {
            Some(text.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        })),
        _ => None,
    }
}

fn sed_change(args: &[&str]) -> Option<Change> {
    let (mut extended, mut quiet) = (false, false);
    let mut expressions: Vec<String> = Vec::new();
    let mut operands: Vec<&str> = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "-E" | "-r" | "--regexp-extended" => extended = true,
            "-n" | "--quiet" | "--silent" => quiet = true,
            "-e" | "--expression" => expressions.push((*args.next()?).to_owned()),
            "-ne" | "-en" => {
                quiet = true;
                expressions.push((*args.next()?).to_owned());
            }
            "-nE" | "-En" | "-nr" | "-rn" => (quiet, extended) = (true, true),
            "-Ee" | "-re" => {
                extended = true;
                expressions.push((*args.next()?).to_owned());
            }
            arg if arg.starts_with('-') && arg.len() > 1 => return None,
            arg => operands.push(arg),
        }
    }
    if expressions.is_empty() && !operands.is_empty() {
        expressions.push(operands.remove(0).to_owned());
    }
    if !operands.is_empty() {
        return None;
    }
    let script = sed::Script::parse(&expressions, extended, quiet)?;
    Some(Box::new(move |text| script.apply(text)))
}

/// The characters of a `tr` set, in order.
fn tr_set(set: &str) -> Option<Vec<char>> {
    let mut out = Vec::new();
    let set = super::printf::unescape(set);
    let set = match set.as_str() {
        "[:upper:]" => "A-Z",
        "[:lower:]" => "a-z",
        "[:digit:]" => "0-9",
        "[:space:]" => " \t\n\r\u{b}\u{c}",
        other if other.contains("[:") => return None,
        other => other,
    };
    let chars: Vec<char> = set.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        if i + 2 < chars.len() && chars[i + 1] == '-' && chars[i] <= chars[i + 2] {
            out.extend((chars[i]..=chars[i + 2]).take(512));
            i += 3;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    Some(out)
}

fn tr(args: &[&str]) -> Option<Change> {
    match args {
        ["-d", set] => {
            let set = tr_set(set)?;
            Some(Box::new(move |text| Some(text.chars().filter(|c| !set.contains(c)).collect())))
        }
        [from, to] if !from.starts_with('-') => {
            let (from, to) = (tr_set(from)?, tr_set(to)?);
            Some(Box::new(move |text| {
                let change = |c: char| match from.iter().position(|f| *f == c) {
                    Some(i) => to.get(i).or(to.last()).copied().unwrap_or(c),
                    None => c,
                };
                Some(text.chars().map(change).collect())
            }))
        }
        _ => None,
    }
}

/// `1`, `2-`, `-3`, `1-2`, in a list: numbers from 1.
fn in_list(list: &str, number: usize) -> Option<bool> {
    let mut found = false;
    for item in list.split(',') {
        let (from, to) = match item.split_once('-') {
            None => (item.parse().ok()?, item.parse().ok()?),
            Some((from, to)) => (
                if from.is_empty() { 1 } else { from.parse().ok()? },
                if to.is_empty() { usize::MAX } else { to.parse().ok()? },
            ),
        };
        found |= (from..=to).contains(&number);
    }
    Some(found)
}

fn cut(args: &[&str]) -> Option<Change> {
    let (mut delimiter, mut fields, mut columns) = ("\t".to_owned(), None, None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = |prefix: &str| match arg.strip_prefix(prefix) {
            Some("") => args.next().map(|v| (*v).to_owned()),
            Some(attached) => Some(attached.to_owned()),
            None => None,
        };
        match &arg[..arg.len().min(2)] {
            "-d" => delimiter = value("-d")?,
            "-f" => fields = Some(value("-f")?),
            "-c" | "-b" => columns = Some(value(&arg[..2])?),
            _ => return None,
        }
    }
    let by_fields = fields.is_some();
    let list = fields.or(columns)?;
    in_list(&list, 1)?;
    Some(Box::new(move |text| {
        let mut out = String::new();
        for line in text.lines() {
            if by_fields && line.contains(&delimiter) {
                let kept: Vec<&str> = line
                    .split(&delimiter)
                    .enumerate()
                    .filter(|(i, _)| in_list(&list, i + 1) == Some(true))
                    .map(|(_, f)| f)
                    .collect();
                out.push_str(&kept.join(&delimiter));
            } else if by_fields {
                out.push_str(line);
            } else {
                let kept =
                    line.chars().enumerate().filter(|(i, _)| in_list(&list, i + 1) == Some(true));
                out.extend(kept.map(|(_, c)| c));
            }
            out.push('\n');
        }
        Some(out)
    }))
}

/// `awk '{print $N}'`, with `-F`.
fn awk(args: &[&str]) -> Option<Change> {
    let mut separator: Option<String> = None;
    let mut program: Option<&str> = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "-F" => separator = Some((*args.next()?).to_owned()),
            arg if arg.starts_with("-F") => separator = Some(arg[2..].to_owned()),
            arg if arg.starts_with('-') || program.is_some() => return None,
            arg => program = Some(arg),
        }
    }
    let compact: String = program?.chars().filter(|c| !c.is_whitespace() && *c != ';').collect();
    let field = compact.strip_prefix("{print$")?.strip_suffix('}')?.to_owned();
    let from_end = match field.as_str() {
        "NF" => Some(0),
        other => {
            other.strip_prefix("(NF-").and_then(|n| n.strip_suffix(')')?.parse::<usize>().ok())
        }
    };
    let number: Option<usize> = field.parse().ok();
    let separator = separator.map(|s| s.trim_matches(['[', ']', '\'', '"']).replace("\\", ""));
    if (from_end.is_none() && number.is_none())
        || separator.as_ref().is_some_and(|s| s.chars().count() != 1)
    {
        return None;
    }
    Some(Box::new(move |text| {
        let mut out = String::new();
        for line in text.lines() {
            let fields: Vec<&str> = match &separator {
                Some(separator) => line.split(separator.as_str()).collect(),
                None => line.split_whitespace().collect(),
            };
            let picked = match (from_end, number) {
                (Some(n), _) => fields.len().checked_sub(n + 1).map_or("", |i| fields[i]),
                (_, Some(0)) => line,
                (_, Some(n)) => fields.get(n - 1).copied().unwrap_or(""),
                _ => "",
            };
            out.push_str(picked);
            out.push('\n');
        }
        Some(out)
    }))
}

fn head_tail(head: bool, args: &[&str]) -> Option<Change> {
    let (unit, count) = match args {
        [] => ('n', "10"),
        [flag, count] if matches!(*flag, "-n" | "-c") => (flag.chars().last()?, *count),
        [arg] => match arg.strip_prefix("-n").or(arg.strip_prefix("-c")) {
            Some(count) => (arg.chars().nth(1)?, count),
            None => ('n', arg.strip_prefix('-')?),
        },
        _ => return None,
    };
    let count: usize = count.parse().ok()?;
    Some(Box::new(move |text| {
        if unit == 'c' {
            let chars: Vec<char> = text.chars().collect();
            let range = if head {
                0..count.min(chars.len())
            } else {
                chars.len().saturating_sub(count)..chars.len()
            };
            return Some(chars[range].iter().collect());
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let range = if head {
            0..count.min(lines.len())
        } else {
            lines.len().saturating_sub(count)..lines.len()
        };
        Some(lines[range].concat())
    }))
}

#[cfg(test)]
mod tests {
    use super::transformation;

    #[test]
    fn filters_over_known_text() {
        for (name, args, input, want) in [
            ("tr", &["-d", "\\n"][..], "a\nb\n", Some("ab")),
            ("tr", &["A-Z", "a-z"], "Linux", Some("linux")),
            ("tr", &["[:upper:]", "[:lower:]"], "Linux", Some("linux")),
            ("tr", &["/", "-"], "linux/arm64", Some("linux-arm64")),
            ("tr", &["-s", " "], "a  b", None),
            ("cut", &["-d/", "-f2"], "linux/arm64\n", Some("arm64\n")),
            ("cut", &["-d", "-", "-f", "1,3"], "a-b-c\n", Some("a-c\n")),
            ("cut", &["-c2-"], "v1.2\n", Some("1.2\n")),
            ("awk", &["{print $2}"], "a b c\n", Some("b\n")),
            ("awk", &["-F", "/", "{ print $NF }"], "x/y/z\n", Some("z\n")),
            ("awk", &["-F.", "{print $1}"], "1.2.3\n", Some("1\n")),
            ("awk", &["NR==1"], "a\n", None),
            ("head", &["-n1"], "a\nb\n", Some("a\n")),
            ("head", &["-1"], "a\nb\n", Some("a\n")),
            ("tail", &["-n", "1"], "a\nb\n", Some("b\n")),
            ("sed", &["-e", "s/a/b/", "-e", "s/b/c/"], "a", Some("c")),
            ("sed", &["-E", "s/(a)(b)/\\2\\1/"], "ab", Some("ba")),
            ("sed", &["-n", "s/^x=//p"], "y=1\nx=2\n", Some("2\n")),
            ("sed", &["s/a/b/", "file"], "a", None),
        ] {
            let got = transformation(name, args).and_then(|change| change(input));
            assert_eq!(got.as_deref(), want, "{name} {args:?}");
        }
    }
}
