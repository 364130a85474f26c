//! `sed` over known text, and POSIX regular expressions.

use regex::Regex;

use crate::value::Truth;

/// Longer expressions and texts are not tried.
const MAX_REGEX: usize = 512;
const MAX_TEXT: usize = 1 << 16;

/// Compiles a basic (`extended` false) or extended POSIX expression; `None` where it cannot be
/// said in our engine.
fn compile(pattern: &str, extended: bool, ignore_case: bool) -> Option<Regex> {
    if pattern.len() > MAX_REGEX {
        return None;
    }
    let translated = translate(pattern, extended)?;
    let prefix = if ignore_case { "(?i)" } else { "" };
    regex::RegexBuilder::new(&format!("{prefix}{translated}")).size_limit(1 << 18).build().ok()
}

/// From POSIX to our engine's syntax.
fn translate(pattern: &str, extended: bool) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?') => {
                    // In basic syntax these are special with the backslash, else without it.
                    if extended {
                        out.push('\\');
                    }
                    out.push(c);
                }
                c if c.is_ascii_digit() => return None,
                'n' => out.push_str("\\n"),
                't' => out.push_str("\\t"),
                's' => out.push_str("\\s"),
                'S' => out.push_str("\\S"),
                'w' => out.push_str("\\w"),
                'W' => out.push_str("\\W"),
                'b' => out.push_str("\\b"),
                c => out.push_str(&regex::escape(&c.to_string())),
            },
            '[' => bracket(&mut chars, &mut out)?,
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => {
                out.push('\\');
                out.push(c);
            }
            // A star at the start stands for itself.
            '*' if out.is_empty() => out.push_str("\\*"),
            c => out.push(c),
        }
    }
    Some(out)
}

fn bracket(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.peek() == Some(&'^') {
        out.push('^');
        chars.next();
    }
    let mut first = true;
    loop {
        let c = chars.next()?;
        match c {
            ']' if !first => break,
            '[' if chars.peek() == Some(&':') => {
                out.push_str("[:");
                chars.next();
                loop {
                    let c = chars.next()?;
                    out.push(c);
                    if c == ':' && chars.peek() == Some(&']') {
                        out.push(']');
                        chars.next();
                        break;
                    }
                }
            }
            '[' | ']' | '\\' | '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        first = false;
    }
    out.push(']');
    Some(())
}

/// Whether an extended expression is found in the text.
pub(super) fn search(pattern: &str, text: &str) -> Truth {
    match compile(pattern, true, false) {
        Some(regex) if text.len() <= MAX_TEXT => Truth::from(regex.is_match(text)),
        _ => Truth::Unknown,
    }
}

/// As [`search`], for basic expressions too; the matches, where they are asked for.
pub(super) fn matches(
    pattern: &str,
    extended: bool,
    ignore_case: bool,
    text: &str,
) -> Option<Vec<std::ops::Range<usize>>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let regex = compile(pattern, extended, ignore_case)?;
    Some(regex.find_iter(text).map(|m| m.range()).collect())
}

/// A script of `s` commands.
#[derive(Debug)]
pub(super) struct Script {
    commands: Vec<Substitution>,
    quiet: bool,
}

#[derive(Debug)]
struct Substitution {
    find: Find,
    replacement: String,
    global: bool,
    print: bool,
}

#[derive(Debug)]
enum Find {
    /// An expression without any special character.
    Plain(String),
    Regex(Regex),
}

impl Script {
    /// Reads the expressions of one `sed`; `None` if there is more in them than `s` commands.
    pub(super) fn parse(expressions: &[String], extended: bool, quiet: bool) -> Option<Self> {
        let mut commands = Vec::new();
        for expression in expressions {
            let mut rest = expression.trim_start_matches([';', ' ', '\n', '\t']);
            while !rest.is_empty() {
                let (command, after) = substitution(rest, extended)?;
                commands.push(command);
                let after = after.trim_start_matches([' ', '\t', '}']);
                if !after.is_empty() && !after.starts_with([';', '\n']) {
                    return None;
                }
                rest = after.trim_start_matches([';', ' ', '\n', '\t']);
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
        for line in text.split_inclusive('\n') {
            let (body, end) = match line.strip_suffix('\n') {
                Some(body) => (body, "\n"),
                None => (line, ""),
            };
            let mut current = body.to_owned();
            let mut printed = false;
            for command in &self.commands {
                if let Some(changed) = command.apply(&current) {
                    current = changed;
                    printed |= command.print;
                }
            }
            if !self.quiet || printed {
                out.push_str(&current);
                out.push_str(end);
            }
        }
        Some(out)
    }
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
                Some(if self.global {
                    line.replace(text, &new)
                } else {
                    line.replacen(text, &new, 1)
                })
            }
            Find::Regex(regex) => {
                let limit = if self.global { 0 } else { 1 };
                regex.is_match(line).then(|| {
                    let replacer = |captures: &regex::Captures<'_>| {
                        let groups: Vec<&str> = (1..captures.len())
                            .map(|i| captures.get(i).map_or("", |m| m.as_str()))
                            .collect();
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
    let flags_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let flags = &rest[..flags_end];
    if !flags.chars().all(|c| matches!(c, 'g' | 'p' | 'i' | 'I' | '1')) || pattern.is_empty() {
        return None;
    }
    let ignore_case = flags.contains(['i', 'I']);
    let special = "\\[].*^$+?(){}|";
    let find = match !ignore_case && !pattern.contains(|c| special.contains(c)) {
        true => Find::Plain(pattern),
        false => Find::Regex(compile(&pattern, extended, ignore_case)?),
    };
    let (global, print) = (flags.contains('g'), flags.contains('p'));
    Some((Substitution { find, replacement, global, print }, &rest[flags_end..]))
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
    }

    #[test]
    fn other_commands_are_not_understood() {
        for script in ["1d", "/x/d", "y/a/b/", "s/a/b/w file", "s/a", "s/a/b", "s/\\(a\\)\\1/b/"] {
            sed(&[script], false, false, "a", None);
        }
    }
}
