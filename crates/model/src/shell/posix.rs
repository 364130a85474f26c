//! POSIX regular expressions.

use std::ops::Range;

use regex::Regex;

use crate::value::Truth;

/// Longer expressions and texts are not tried.
const MAX_REGEX: usize = 512;
pub(super) const MAX_TEXT: usize = 1 << 16;

/// Compiles a basic (`extended` false) or extended POSIX expression; `None` where it cannot be
/// said in our engine.
pub(super) fn compile(pattern: &str, extended: bool, ignore_case: bool) -> Option<Regex> {
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
) -> Option<Vec<Range<usize>>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let regex = compile(pattern, extended, ignore_case)?;
    Some(regex.find_iter(text).map(|m| m.range()).collect())
}

/// The whole match and the groups of an extended expression in a text: `Some(None)` if it is not
/// found, `None` if that cannot be told.
#[expect(clippy::option_option, reason = "not found, and not known")]
pub(super) fn groups(pattern: &str, text: &str) -> Option<Option<Vec<Option<Range<usize>>>>> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let regex = compile(pattern, true, false)?;
    let found = regex.captures(text);
    Some(found.map(|c| c.iter().map(|m| m.map(|m| m.range())).collect()))
}
