//! `sed` over known text.

use regex::Regex;

use super::posix::{MAX_TEXT, compile};

/// A script.
#[derive(Debug)]
pub(super) struct Script {
    commands: Vec<Command>,
    quiet: bool,
}

/// A command with the lines that it is for.
#[derive(Debug)]
struct Command {
    from: Option<Address>,
    /// After a comma.
    to: Option<Address>,
    /// `!`: the other lines.
    others: bool,
    action: Action,
}

#[derive(Debug)]
enum Address {
    Line(usize),
    Last,
    Matching(Regex),
}

#[derive(Debug)]
enum Action {
    Substitute(Substitution),
    /// `y`: characters for characters.
    Translate(Vec<(char, char)>),
    Delete,
    Print,
    /// `q`, `Q`: whether the line is still printed.
    Quit(bool),
}

#[derive(Debug)]
struct Substitution {
    find: Find,
    replacement: String,
    global: bool,
    /// Which of the matches, from 1.
    number: usize,
    print: bool,
}

#[derive(Debug)]
enum Find {
    /// An expression without any special character.
    Plain(String),
    Regex(Regex),
}

impl Script {
    /// Reads the expressions of one `sed`; `None` if there is something in them that is not
    /// understood.
    pub(super) fn parse(expressions: &[String], extended: bool, quiet: bool) -> Option<Self> {
        let mut commands = Vec::new();
        for expression in expressions {
            let blanks = [';', ' ', '\n', '\t'];
            let mut rest = expression.trim_start_matches(blanks);
            while !rest.is_empty() {
                if rest.starts_with('#') {
                    rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                } else {
                    let (command, after) = command(rest, extended)?;
                    commands.push(command);
                    rest = after.trim_start_matches([' ', '\t']);
                    if !rest.is_empty() && !rest.starts_with([';', '\n']) {
                        return None;
                    }
                }
                rest = rest.trim_start_matches(blanks);
            }
        }
        Some(Self { commands, quiet })
    }

    /// What comes out for a text.
    pub(super) fn apply(&self, text: &str) -> Option<String> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let mut out = String::new();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut open = vec![false; self.commands.len()];
        for (at, line) in lines.iter().enumerate() {
            let (body, end) = match line.strip_suffix('\n') {
                Some(body) => (body, "\n"),
                None => (*line, ""),
            };
            let last = at + 1 == lines.len();
            let mut current = body.to_owned();
            let (mut deleted, mut quits) = (false, false);
            for (command, open) in self.commands.iter().zip(&mut open) {
                if !command.is_for(at + 1, last, &current, open) {
                    continue;
                }
                match &command.action {
                    Action::Substitute(substitution) => {
                        if let Some(changed) = substitution.apply(&current) {
                            current = changed;
                            if substitution.print {
                                out.push_str(&current);
                                out.push_str(end);
                            }
                        }
                    }
                    Action::Translate(pairs) => {
                        let change = |c: char| {
                            pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to)
                        };
                        current = current.chars().map(change).collect();
                    }
                    Action::Print => {
                        out.push_str(&current);
                        out.push_str(end);
                    }
                    Action::Delete => {
                        deleted = true;
                        break;
                    }
                    Action::Quit(prints) => {
                        deleted = !prints;
                        quits = true;
                        break;
                    }
                }
            }
            if !self.quiet && !deleted {
                out.push_str(&current);
                out.push_str(end);
            }
            if quits || out.len() > 4 * MAX_TEXT {
                break;
            }
        }
        Some(out)
    }
}

impl Address {
    fn fits(&self, number: usize, last: bool, line: &str) -> bool {
        match self {
            Self::Line(wanted) => number == *wanted,
            Self::Last => last,
            Self::Matching(regex) => regex.is_match(line),
        }
    }
}

impl Command {
    fn is_for(&self, number: usize, last: bool, line: &str, open: &mut bool) -> bool {
        let chosen = match (&self.from, &self.to) {
            (None, _) => true,
            (Some(from), None) => from.fits(number, last, line),
            (Some(_), Some(to)) if *open => {
                *open = match to {
                    Address::Line(end) => number < *end,
                    to => !to.fits(number, last, line),
                };
                // A line number that is already behind closes before this line.
                !matches!(to, Address::Line(end) if number > *end)
            }
            (Some(from), Some(to)) => {
                let starts = from.fits(number, last, line);
                *open = starts && !matches!(to, Address::Line(end) if *end <= number);
                starts
            }
        };
        chosen != self.others
    }
}

/// One command at the start of the text, and what follows it.
fn command(text: &str, extended: bool) -> Option<(Command, &str)> {
    let (from, rest) = address(text, extended)?;
    let (to, rest) = match rest.strip_prefix(',') {
        Some(rest) if from.is_some() => {
            let (to, rest) = address(rest.trim_start_matches(' '), extended)?;
            (Some(to?), rest)
        }
        _ => (None, rest),
    };
    let rest = rest.trim_start_matches(' ');
    let (others, rest) = match rest.strip_prefix('!') {
        Some(rest) => (true, rest.trim_start_matches(' ')),
        None => (false, rest),
    };
    let (action, rest) = match rest.chars().next()? {
        's' => {
            let (substitution, rest) = substitution(rest, extended)?;
            (Action::Substitute(substitution), rest)
        }
        'y' => translation(rest)?,
        'd' => (Action::Delete, &rest[1..]),
        'p' => (Action::Print, &rest[1..]),
        'q' => (Action::Quit(true), &rest[1..]),
        'Q' => (Action::Quit(false), &rest[1..]),
        '{' => return group(from, to, others, &rest[1..], extended),
        _ => return None,
    };
    Some((Command { from, to, others, action }, rest))
}

/// `{ command }` with one command and no address of its own in it.
fn group(
    from: Option<Address>,
    to: Option<Address>,
    others: bool,
    text: &str,
    extended: bool,
) -> Option<(Command, &str)> {
    let (inner, rest) = command(text.trim_start_matches([' ', '\n', ';']), extended)?;
    if inner.from.is_some() || inner.others {
        return None;
    }
    let rest = rest.trim_start_matches([' ', ';', '\n']).strip_prefix('}')?;
    Some((Command { from, to, others, action: inner.action }, rest))
}

fn address(text: &str, extended: bool) -> Option<(Option<Address>, &str)> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits > 0 {
        return Some((Some(Address::Line(text[..digits].parse().ok()?)), &text[digits..]));
    }
    if let Some(rest) = text.strip_prefix('$') {
        return Some((Some(Address::Last), rest));
    }
    let (mark, rest) = match (text.strip_prefix('/'), text.strip_prefix('\\')) {
        (Some(rest), _) => ('/', rest),
        (_, Some(rest)) => {
            let mark = rest.chars().next()?;
            (mark, &rest[mark.len_utf8()..])
        }
        _ => return Some((None, text)),
    };
    let (pattern, rest) = until(rest, mark, true)?;
    let (ignore_case, rest) = match rest.strip_prefix('I') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    Some((Some(Address::Matching(compile(&pattern, extended, ignore_case)?)), rest))
}

/// `y/abc/xyz/`.
fn translation(text: &str) -> Option<(Action, &str)> {
    let rest = &text[1..];
    let mark = rest.chars().next()?;
    let (from, rest) = until(&rest[mark.len_utf8()..], mark, false)?;
    let (to, rest) = until(rest, mark, false)?;
    if from.contains('\\') || to.contains('\\') || from.chars().count() != to.chars().count() {
        return None;
    }
    Some((Action::Translate(from.chars().zip(to.chars()).collect()), rest))
}

impl Substitution {
    /// The changed line, if anything was found.
    fn apply(&self, line: &str) -> Option<String> {
        match &self.find {
            Find::Plain(text) => {
                if !line.contains(text.as_str()) {
                    return None;
                }
                let new = self.replacement_for(text, &[]);
                if self.number > 1 {
                    let (at, _) = line.match_indices(text.as_str()).nth(self.number - 1)?;
                    return Some(format!("{}{new}{}", &line[..at], &line[at + text.len()..]));
                }
                Some(if self.global {
                    line.replace(text, &new)
                } else {
                    line.replacen(text, &new, 1)
                })
            }
            Find::Regex(regex) => {
                let limit = if self.global { 0 } else { self.number };
                let mut seen = 0;
                (regex.find_iter(line).nth(self.number - 1).is_some()).then(|| {
                    let replacer = |captures: &regex::Captures<'_>| {
                        let groups: Vec<&str> = (1..captures.len())
                            .map(|i| captures.get(i).map_or("", |m| m.as_str()))
                            .collect();
                        seen += 1;
                        if seen < self.number {
                            return captures[0].to_owned();
                        }
                        self.replacement_for(&captures[0], &groups)
                    };
                    regex.replacen(line, limit, replacer).into_owned()
                })
            }
        }
    }

    fn replacement_for(&self, whole: &str, groups: &[&str]) -> String {
        let mut out = String::new();
        let mut chars = self.replacement.chars();
        while let Some(c) = chars.next() {
            match c {
                '&' => out.push_str(whole),
                '\\' => match chars.next() {
                    Some(d) if d.is_ascii_digit() => {
                        let n = d as usize - '0' as usize;
                        out.push_str(if n == 0 {
                            whole
                        } else {
                            groups.get(n - 1).copied().unwrap_or("")
                        });
                    }
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    // Cases are not followed; see `substitution`.
                    Some(other) => out.push(other),
                    None => {}
                },
                c => out.push(c),
            }
        }
        out
    }
}

/// One `s/…/…/flags` at the start of the text, and what follows it.
fn substitution(text: &str, extended: bool) -> Option<(Substitution, &str)> {
    let rest = text.strip_prefix('s')?;
    let mark = rest.chars().next().filter(|c| !c.is_alphanumeric() && *c != '\\' && *c != '\n')?;
    let rest = &rest[mark.len_utf8()..];
    let (pattern, rest) = until(rest, mark, true)?;
    let (replacement, rest) = until(rest, mark, false)?;
    // `\U` and its kin change the case of what follows.
    if ["\\U", "\\L", "\\u", "\\l", "\\E"].iter().any(|e| replacement.contains(e)) {
        return None;
    }
    let flags_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let flags = &rest[..flags_end];
    let known = |c: char| matches!(c, 'g' | 'p' | 'i' | 'I') || c.is_ascii_digit();
    if !flags.chars().all(known) || pattern.is_empty() {
        return None;
    }
    let digits: String = flags.chars().filter(char::is_ascii_digit).collect();
    let number = if digits.is_empty() { 1 } else { digits.parse().ok().filter(|n| *n > 0)? };
    let ignore_case = flags.contains(['i', 'I']);
    let special = "\\[].*^$+?(){}|";
    let find = match !ignore_case && !pattern.contains(|c| special.contains(c)) {
        true => Find::Plain(pattern),
        false => Find::Regex(compile(&pattern, extended, ignore_case)?),
    };
    let (global, print) = (flags.contains('g'), flags.contains('p'));
    Some((Substitution { find, replacement, global, number, print }, &rest[flags_end..]))
}

/// The text before the next `mark` that is not escaped, and what follows it. An escaped mark is the
/// mark itself.
fn until(text: &str, mark: char, brackets: bool) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    let mut in_bracket = false;
    while let Some((i, c)) = chars.next() {
        if c == mark && !in_bracket {
            return Some((out, &text[i + c.len_utf8()..]));
        }
        match c {
            '\\' => {
                let (_, next) = chars.next()?;
                if next != mark {
                    out.push('\\');
                }
                out.push(next);
                continue;
            }
            '[' if brackets => in_bracket = true,
            ']' => in_bracket = false,
            _ => {}
        }
        out.push(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn sed(expressions: &[&str], extended: bool, quiet: bool, input: &str, want: Option<&str>) {
        let expressions: Vec<String> = expressions.iter().map(|e| (*e).to_owned()).collect();
        let got = Script::parse(&expressions, extended, quiet).and_then(|s| s.apply(input));
        assert_eq!(got.as_deref(), want, "{expressions:?}");
    }

    #[test]
    fn substitutions() {
        sed(&["s/x86_64/amd64/"], false, false, "x86_64\n", Some("amd64\n"));
        sed(&["s/x86_64/amd64/;s/aarch64/arm64/"], false, false, "aarch64", Some("arm64"));
        sed(&["s/x86_64/amd64/", "s/aarch64/arm64/"], false, false, "aarch64", Some("arm64"));
        sed(&["s|/|-|g"], false, false, "linux/arm/v7", Some("linux-arm-v7"));
        sed(&["s/armv\\(.\\)l/arm\\1/"], false, false, "armv7l", Some("arm7"));
        sed(&["s/armv([67])l/arm\\1/"], true, false, "armv7l", Some("arm7"));
        sed(&["s/^v//"], false, false, "v1.2", Some("1.2"));
        sed(&["s/.*/<&>/"], false, false, "a\nb\n", Some("<a>\n<b>\n"));
        sed(&["s/a/b/p"], false, true, "a\nc\n", Some("b\n"));
        sed(&["s/aarch64\\|arm64/arm/"], false, false, "aarch64", Some("arm"));
        sed(&["s/A/b/i"], false, false, "a", Some("b"));
        sed(&["s#/usr\\#x#y#"], false, false, "/usr#x", Some("y"));
        sed(&["s/a/b/2"], false, false, "a-a-a", Some("a-b-a"));
        sed(&["s/[a]/b/2"], false, false, "a-a-a", Some("a-b-a"));
    }

    #[test]
    fn addresses_and_other_commands() {
        sed(&["1d"], false, false, "a\nb\n", Some("b\n"));
        sed(&["/x/d"], false, false, "x\nb\n", Some("b\n"));
        sed(&["2!d"], false, false, "a\nb\nc\n", Some("b\n"));
        sed(&["$d"], false, false, "a\nb\n", Some("a\n"));
        sed(&["2,3p"], false, true, "a\nb\nc\nd\n", Some("b\nc\n"));
        sed(&["/b/,$d"], false, false, "a\nb\nc\n", Some("a\n"));
        sed(&["/^host: /{s///p}"], false, true, "host: x\n", None);
        sed(&["/^host:/{s/host: //p}"], false, true, "a\nhost: x\n", Some("x\n"));
        sed(&["s|host: ||p"], false, true, "release: 1\nhost: x\n", Some("x\n"));
        sed(&["y/abc/xyz/"], false, false, "cab", Some("zxy"));
        sed(&["1q"], false, false, "a\nb\n", Some("a\n"));
        sed(&["# why\ns/a/b/"], false, false, "a", Some("b"));
    }

    #[test]
    fn other_commands_are_not_understood() {
        for script in
            ["s/a/b/w file", "s/a", "s/a/b", "s/\\(a\\)\\1/b/", "a text", "s/a/\\U&/", ":l"]
        {
            sed(&[script], false, false, "a", None);
        }
    }
}
