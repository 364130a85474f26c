//! Shell patterns: `*`, `?`, `[…]`, backslash.

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    Any,
    Star,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

fn tokens(pattern: &str) -> Vec<Token> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let token = match chars[i] {
            '*' => Token::Star,
            '?' => Token::Any,
            '\\' if i + 1 < chars.len() => {
                i += 1;
                Token::Char(chars[i])
            }
            '[' => match set(&chars[i..]) {
                Some((token, len)) => {
                    i += len - 1;
                    token
                }
                None => Token::Char('['),
            },
            c => Token::Char(c),
        };
        if !(token == Token::Star && out.last() == Some(&Token::Star)) {
            out.push(token);
        }
        i += 1;
    }
    out
}

/// `[…]` at the start of `chars`, with its length.
fn set(chars: &[char]) -> Option<(Token, usize)> {
    let mut i = 1;
    let negated = matches!(chars.get(i), Some('!' | '^'));
    if negated {
        i += 1;
    }
    let first = i;
    let mut ranges = Vec::new();
    loop {
        let c = *chars.get(i)?;
        if c == ']' && i > first {
            return Some((Token::Set { negated, ranges }, i + 1));
        }
        match (chars.get(i + 1), chars.get(i + 2)) {
            (Some('-'), Some(&end)) if end != ']' => {
                ranges.push((c, end));
                i += 3;
            }
            _ => {
                ranges.push((c, c));
                i += 1;
            }
        }
    }
}

/// Whether the whole of `text` matches `pattern`. Time is bounded by the product of their lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let tokens = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let fits = match tokens.get(p) {
            Some(Token::Star) => {
                retry = Some((p, t));
                p += 1;
                continue;
            }
            Some(Token::Any) => true,
            Some(Token::Char(c)) => *c == text[t],
            Some(Token::Set { negated, ranges }) => {
                ranges.iter().any(|(a, b)| (*a..=*b).contains(&text[t])) != *negated
            }
            None => false,
        };
        if fits {
            p += 1;
            t += 1;
        } else if let Some((star, at)) = retry {
            retry = Some((star, at + 1));
            p = star + 1;
            t = at + 1;
        } else {
            return false;
        }
    }
    tokens[p..].iter().all(|t| *t == Token::Star)
}

/// Length in bytes of the shortest or longest prefix of `text` that matches.
pub(crate) fn prefix(pattern: &str, text: &str, longest: bool) -> Option<usize> {
    let ends = text.char_indices().map(|(i, _)| i).chain([text.len()]);
    let found = |at: &usize| matches(pattern, &text[..*at]);
    if longest { ends.filter(found).max() } else { { ends }.find(found) }
}

/// Start of the shortest or longest suffix of `text` that matches.
pub(crate) fn suffix(pattern: &str, text: &str, longest: bool) -> Option<usize> {
    let starts = text.char_indices().map(|(i, _)| i).chain([text.len()]);
    let found = |at: &usize| matches(pattern, &text[*at..]);
    if longest { { starts }.find(found) } else { starts.filter(found).max() }
}

/// The text without a meaning as a pattern.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Whether the pattern stands for one text only.
pub(crate) fn is_plain(pattern: &str) -> bool {
    tokens(pattern).iter().all(|t| matches!(t, Token::Char(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("*", "", true),
            ("arm*", "armv7l", true),
            ("arm*", "aarch64", false),
            ("i?86", "i686", true),
            ("i[3-6]86", "i586", true),
            ("i[!3]86", "i386", false),
            ("*64", "x86_64", true),
            ("a*b*c", "a-b-b-c", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("[", "[", true),
            ("x86_64", "x86_64", true),
            ("**", "abc", true),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
        assert_eq!(prefix("*-", "a-b-c", false), Some(2));
        assert_eq!(prefix("*-", "a-b-c", true), Some(4));
        assert_eq!(suffix("-*", "a-b-c", false), Some(3));
        assert_eq!(suffix("-*", "a-b-c", true), Some(1));
        assert!(matches(&escape("a*[b]\\"), "a*[b]\\"));
    }

    #[test]
    fn no_blow_up() {
        let pattern = "a*".repeat(50) + "b";
        assert!(!matches(&pattern, &"a".repeat(2000)));
    }
}
