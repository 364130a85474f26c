//! Shell patterns as BuildKit takes them in `${x#p}`, `${x%p}` and `${x/p/r}`: `*`, `?` and
//! escapes, no brackets. Neither `*` nor `?` matches a line end.

use thiserror::Error;

/// A pattern that BuildKit refuses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// A backslash before a character that needs none.
    #[error("the pattern '{pattern}' escapes something else than * ? \\ / or a closing brace")]
    InvalidEscape {
        /// The pattern.
        pattern: String,
    },
    /// Pattern and value together would take too long to match.
    #[error("the pattern and the value are too long to be matched")]
    TooLarge,
}

/// Largest product of pattern and value length that is tried.
const MAX_WORK: usize = 1 << 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyChar,
    Star,
}

fn tokens(pattern: &str) -> Result<Vec<Token>, PatternError> {
    let mut out = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' => Token::Star,
            '?' => Token::AnyChar,
            '\\' => match chars.peek() {
                // Escaped for the sake of the braces around the pattern only: what follows is
                // read as usual.
                Some('}' | '/') => continue,
                Some(&c @ ('*' | '?' | '\\')) => {
                    chars.next();
                    Token::Char(c)
                }
                _ => return Err(PatternError::InvalidEscape { pattern: pattern.to_owned() }),
            },
            c => Token::Char(c),
        });
    }
    Ok(out)
}

/// The set of pattern positions that the text read so far can stand at.
struct Positions<'p> {
    tokens: &'p [Token],
    active: Vec<bool>,
}

impl<'p> Positions<'p> {
    fn new(tokens: &'p [Token]) -> Self {
        let mut positions = Self { tokens, active: vec![false; tokens.len() + 1] };
        positions.active[0] = true;
        positions.skip_stars();
        positions
    }

    /// A star may match nothing.
    fn skip_stars(&mut self) {
        for i in 0..self.tokens.len() {
            if self.active[i] && self.tokens[i] == Token::Star {
                self.active[i + 1] = true;
            }
        }
    }

    /// Reads one more character; `false` when no position is left.
    fn step(&mut self, c: char) -> bool {
        for i in (0..=self.tokens.len()).rev() {
            let stays = i < self.tokens.len() && self.tokens[i] == Token::Star && c != '\n';
            let comes = i > 0
                && self.active[i - 1]
                && match self.tokens[i - 1] {
                    Token::Char(p) => p == c,
                    Token::AnyChar => c != '\n',
                    Token::Star => false,
                };
            self.active[i] = (self.active[i] && stays) || comes;
        }
        self.skip_stars();
        self.active.contains(&true)
    }

    fn accepts(&self) -> bool {
        self.active[self.tokens.len()]
    }
}

/// Number of characters of the shortest or longest prefix that matches.
fn match_prefix(tokens: &[Token], text: &[char], longest: bool) -> Option<usize> {
    let mut positions = Positions::new(tokens);
    let mut found = positions.accepts().then_some(0);
    for (i, &c) in text.iter().enumerate() {
        if found.is_some() && !longest {
            break;
        }
        if !positions.step(c) {
            break;
        }
        if positions.accepts() {
            found = Some(i + 1);
        }
    }
    found
}

fn check_work(pattern: usize, value: usize) -> Result<(), PatternError> {
    if (pattern + 1).saturating_mul(value + 1) > MAX_WORK {
        return Err(PatternError::TooLarge);
    }
    Ok(())
}

/// `${value#pattern}`, or `##` with `longest`.
///
/// # Errors
/// [`PatternError`] as in BuildKit, or when the work would be excessive.
pub fn trim_prefix(value: &str, pattern: &str, longest: bool) -> Result<String, PatternError> {
    let tokens = tokens(pattern)?;
    check_work(tokens.len(), value.len())?;
    let chars: Vec<char> = value.chars().collect();
    let cut = match_prefix(&tokens, &chars, longest).unwrap_or(0);
    Ok(chars[cut..].iter().collect())
}

/// `${value%pattern}`, or `%%` with `longest`.
///
/// # Errors
/// As [`trim_prefix`].
pub fn trim_suffix(value: &str, pattern: &str, longest: bool) -> Result<String, PatternError> {
    // As BuildKit does it: the text of the pattern is reversed, not its meaning, which tells when
    // it ends in a backslash.
    let tokens = tokens(&reversed(pattern))?;
    check_work(tokens.len(), value.len())?;
    let mut chars: Vec<char> = value.chars().rev().collect();
    let cut = match_prefix(&tokens, &chars, longest).unwrap_or(0);
    chars.drain(..cut);
    Ok(chars.iter().rev().collect())
}

/// The pattern back to front, with every backslash before the character that it escapes.
fn reversed(pattern: &str) -> String {
    let mut units = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        units.push((c, if c == '\\' { chars.next() } else { None }));
    }
    units.iter().rev().flat_map(|&(first, second)| [Some(first), second]).flatten().collect()
}

/// `${value/pattern/replacement}`, or `//` with `all`.
///
/// # Errors
/// As [`trim_prefix`].
pub fn replace(
    value: &str,
    pattern: &str,
    replacement: &str,
    all: bool,
) -> Result<String, PatternError> {
    let tokens = tokens(pattern)?;
    let chars: Vec<char> = value.chars().collect();
    // Each start may read to the end when a star is in the pattern.
    let reach = if tokens.contains(&Token::Star) { chars.len() } else { tokens.len() };
    check_work((tokens.len() + 1).saturating_mul(reach.max(1)), chars.len())?;
    let mut out = String::with_capacity(value.len());
    let mut at = 0;
    let mut last_end = None;
    while at <= chars.len() {
        if out.len() > super::expand::MAX_LENGTH {
            return Err(PatternError::TooLarge);
        }
        let found = match_prefix(&tokens, &chars[at..], true);
        match found {
            // Right after a match, an empty one does not count.
            Some(0) if last_end == Some(at) => {}
            Some(len) => {
                let matched: String = chars[at..at + len].iter().collect();
                if all {
                    push_template(&mut out, replacement, &matched);
                } else {
                    out.push_str(replacement);
                    out.extend(&chars[at + len..]);
                    return Ok(out);
                }
                last_end = Some(at + len);
                if len > 0 {
                    at += len;
                    continue;
                }
            }
            None => {}
        }
        out.extend(chars.get(at));
        at += 1;
    }
    Ok(out)
}

/// BuildKit hands the replacement of `//` to Go's regular expressions, where a dollar has a
/// meaning: `$0` is the match, other names are empty, `$$` is a dollar.
fn push_template(out: &mut String, template: &str, matched: &str) {
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let (name, after) = match rest.strip_prefix('{') {
            Some(inner) => match name_of(inner) {
                (name, after) if !name.is_empty() && after.starts_with('}') => (name, &after[1..]),
                _ => ("", rest),
            },
            None => name_of(rest),
        };
        match name {
            "" => out.push('$'),
            name => {
                // A number names the group; group 0 is the match, and there are no others.
                if name.bytes().all(|b| b == b'0') {
                    out.push_str(matched);
                }
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

fn name_of(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_suffixes() {
        let rows = [
            ("xxyy", "*", false, "xxyy", "xxyy"),
            ("xxyy", "*", true, "", ""),
            ("a.b.c", "*.", true, "c", "a.b.c"),
            ("a.b.c", ".*", true, "a.b.c", "a"),
            ("a.b.c", ".*", false, "a.b.c", "a.b"),
            ("aXbXc", "?X", false, "bXc", "aXbXc"),
            ("**", "\\*", false, "*", "*"),
            ("a\\b", "a\\\\", false, "b", "a\\b"),
            ("로봇x", "?", false, "봇x", "로봇"),
            ("a\nb", "a*b", true, "a\nb", "a\nb"),
        ];
        for (value, pattern, longest, prefix, suffix) in rows {
            assert_eq!(trim_prefix(value, pattern, longest).as_deref(), Ok(prefix), "{pattern}");
            assert_eq!(trim_suffix(value, pattern, longest).as_deref(), Ok(suffix), "{pattern}");
        }
    }

    #[test]
    fn replacements() {
        let rows = [
            ("linux/arm/v7", "/", "-", false, "linux-arm/v7"),
            ("linux/arm/v7", "/", "-", true, "linux-arm-v7"),
            ("abc", "", "-", false, "-abc"),
            ("abc", "", "-", true, "-a-b-c-"),
            ("abab", "a*", "x", false, "x"),
            ("abc", "z", "-", true, "abc"),
            ("aa", "a", "[$0$1${0}$$]", true, "[aa$][aa$]"),
            ("aa", "a", "$0", false, "$0a"),
            ("a", "a", "$ ${ ${0", true, "$ ${ ${0"),
        ];
        for (value, pattern, replacement, all, expected) in rows {
            let got = replace(value, pattern, replacement, all);
            assert_eq!(got.as_deref(), Ok(expected), "{value} {pattern} {replacement}");
        }
    }

    #[test]
    fn only_some_characters_can_be_escaped() {
        for pattern in ["\\", "\\x", "\\\\\\"] {
            let error = PatternError::InvalidEscape { pattern: pattern.to_owned() };
            assert_eq!(trim_prefix("x", pattern, false), Err(error));
        }
        assert_eq!(trim_prefix("}/x", "\\}\\/", false).as_deref(), Ok("x"));
    }

    #[test]
    fn excessive_work_is_refused() {
        let long = "a".repeat(1 << 14);
        assert_eq!(trim_prefix(&long, &long, false), Err(PatternError::TooLarge));
        assert_eq!(replace(&long, "a", &long, true), Err(PatternError::TooLarge));
    }
}
