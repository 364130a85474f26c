//! Path patterns: those of `.dockerignore` and those of COPY's sources.

/// One element of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Char(char),
    /// Any character but a slash.
    One,
    /// Any number of characters but slashes.
    Many,
    /// Anything, slashes included.
    Rest,
    /// Nothing, or anything that ends in a slash.
    Directories,
    /// One of a class, never a slash.
    Class { negated: bool, ranges: Vec<(char, char)> },
}

/// A pattern that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{pattern}' is no pattern: {problem}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A compiled pattern. Matching takes time linear in the text for any pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

impl Pattern {
    /// A pattern of `.dockerignore`: `**` stands for any number of directories.
    pub fn ignore(text: &str) -> Result<Self, PatternError> {
        Self::compile(text, true)
    }

    /// A pattern of COPY and ADD, as Go's `filepath.Match` reads it.
    pub fn path(text: &str) -> Result<Self, PatternError> {
        Self::compile(text, false)
    }

    fn compile(text: &str, double_star: bool) -> Result<Self, PatternError> {
        let chars: Vec<char> = text.chars().collect();
        let error = |problem| PatternError { pattern: text.to_owned(), problem };
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            match chars[at] {
                '*' if double_star && chars.get(at + 1) == Some(&'*') => {
                    at += 2;
                    if chars.get(at) == Some(&'/') {
                        at += 1;
                    }
                    tokens.push(if at == chars.len() { Token::Rest } else { Token::Directories });
                }
                '*' => {
                    at += 1;
                    if tokens.last() != Some(&Token::Many) {
                        tokens.push(Token::Many);
                    }
                }
                '?' => {
                    at += 1;
                    tokens.push(Token::One);
                }
                '\\' => {
                    let c = chars.get(at + 1).ok_or_else(|| error("it ends in a backslash"))?;
                    tokens.push(Token::Char(*c));
                    at += 2;
                }
                '[' => {
                    let (token, next) = class(&chars, at + 1).map_err(error)?;
                    tokens.push(token);
                    at = next;
                }
                c => {
                    tokens.push(Token::Char(c));
                    at += 1;
                }
            }
        }
        Ok(Self { tokens })
    }

    /// Whether it matches the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        let n = self.tokens.len();
        // `at[i]`: the first i tokens are done; `within[i]`: in the middle of token i.
        let mut at = vec![false; n + 1];
        let mut within = vec![false; n + 1];
        at[0] = true;
        self.pass_empty(&mut at);
        for c in text.chars() {
            let mut next = vec![false; n + 1];
            let mut next_within = vec![false; n + 1];
            for (i, token) in self.tokens.iter().enumerate() {
                if !at[i] && !within[i] {
                    continue;
                }
                match token {
                    Token::Char(want) => next[i + 1] |= at[i] && *want == c,
                    Token::One => next[i + 1] |= at[i] && c != '/',
                    Token::Class { negated, ranges } => {
                        let found = ranges.iter().any(|(low, high)| (*low..=*high).contains(&c));
                        next[i + 1] |= at[i] && c != '/' && found != *negated;
                    }
                    Token::Many => next[i] |= at[i] && c != '/',
                    Token::Rest => next[i] |= at[i],
                    Token::Directories => {
                        next_within[i] = true;
                        next[i + 1] |= c == '/';
                    }
                }
            }
            self.pass_empty(&mut next);
            (at, within) = (next, next_within);
        }
        at[n]
    }

    /// Steps over the tokens that match nothing at all.
    fn pass_empty(&self, at: &mut [bool]) {
        for (i, token) in self.tokens.iter().enumerate() {
            if at[i] && matches!(token, Token::Many | Token::Rest | Token::Directories) {
                at[i + 1] = true;
            }
        }
    }
}

/// Whether COPY takes this path for a pattern.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// Reads a class after its bracket; gives the place behind it.
fn class(chars: &[char], mut at: usize) -> Result<(Token, usize), &'static str> {
    const OPEN: &str = "a bracket is not closed";
    let negated = matches!(chars.get(at), Some('^' | '!'));
    if negated {
        at += 1;
    }
    let mut ranges = Vec::new();
    let single = |at: &mut usize| -> Result<char, &'static str> {
        if chars.get(*at) == Some(&'\\') {
            *at += 1;
        }
        let c = *chars.get(*at).ok_or(OPEN)?;
        *at += 1;
        Ok(c)
    };
    loop {
        match chars.get(at) {
            None => return Err(OPEN),
            Some(']') if !ranges.is_empty() => break,
            Some(']' | '-') => return Err("a class is empty or begins with a dash"),
            Some(_) => {}
        }
        let low = single(&mut at)?;
        let high = if chars.get(at) == Some(&'-') {
            at += 1;
            single(&mut at)?
        } else {
            low
        };
        ranges.push((low, high));
    }
    Ok((Token::Class { negated, ranges }, at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignore_patterns() {
        for (pattern, text, want) in [
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "file", true),
            ("**/", "dir/file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir/dir2/file", true),
            ("dir/**", "dir", false),
            ("**/dir", "dir", true),
            ("**/dir", "a/b/dir", true),
            ("**/dir", "xdir", false),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/*", "dir/dir2/dir2/file", true),
            ("**/dir2/**", "dir/dir2/dir2/file", true),
            ("**file", "file", true),
            ("**file", "dir/file", true),
            ("**/file", "dir/dir/file", true),
            ("**/file*", "dir/dir/file.txt", true),
            ("**/file*txt", "dir/dir/file.txt", true),
            ("**/**/*.txt", "dir/dir/file.txt", true),
            ("**/**/*.txt2", "dir/dir/file.txt", false),
            ("**/*.txt", "file.txt", true),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/dir/file.txt", true),
            ("a/*.txt", "a/dir/file.txt", false),
            ("a/*.txt", "a/file.txt", true),
            ("a/*.txt**", "a/file.txt", true),
            ("a[b-d]e", "ace", true),
            ("a[b-d]e", "aae", false),
            ("[^a-c]x", "dx", true),
            ("[^a-c]x", "ax", false),
            (".*", ".foo", true),
            (".*", "foo", false),
            ("abc.def", "abcXdef", false),
            ("abc?def", "abcZdef", true),
            ("abc?def", "abc/def", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a\\\\", "a\\", true),
            ("**/foo/bar", "foo/bar", true),
            ("**/foo/bar", "dir/foo/bar", true),
            ("foo/**/bar", "foo/bar", true),
            ("foo/**/bar", "foo/a/b/bar", true),
            ("foo/**/bar", "fooXbar", false),
            ("ü?", "üß", true),
        ] {
            assert_eq!(Pattern::ignore(pattern).unwrap().matches(text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn path_patterns_never_cross_slashes() {
        for (pattern, text, want) in [
            ("*", "a", true),
            ("*", "a/b", false),
            ("**", "a/b", false),
            ("*/x", "a/x", true),
            ("a*b?c", "aXXbYc", true),
            ("[]a]", "]", false),
        ] {
            let got = Pattern::path(pattern).map(|p| p.matches(text)).unwrap_or(false);
            assert_eq!(got, want, "{pattern} {text}");
        }
    }

    #[test]
    fn broken_patterns_say_why() {
        for pattern in ["a[", "a[b-", "a\\", "[]", "[-x]"] {
            assert!(Pattern::ignore(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn hostile_patterns_stay_fast() {
        let pattern = Pattern::ignore(&"**/*a".repeat(40)).unwrap();
        assert!(!pattern.matches(&"a/".repeat(2000)));
    }
}
