//! `.dockerignore`: which paths of the context the build sees.

use crate::pattern::{Pattern, PatternError};

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {source}")]
pub struct IgnoreError {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong.
    pub source: PatternError,
}

/// The rules of one file.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Pattern,
    /// The cleaned text.
    text: String,
    /// `!`: what matches is taken in again.
    include: bool,
}

/// Which rules match a directory: those hold for all that is below it.
#[derive(Clone, Debug, Default)]
pub struct Inherited(Vec<bool>);

impl Ignore {
    /// Reads the rules.
    pub fn parse(file: &str, text: &str) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in text.lines().enumerate() {
            // The comment sign counts in the first column only.
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (include, line) = match line.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, line),
            };
            if line.is_empty() && !include {
                continue;
            }
            let text = clean(line);
            let failed = |source| IgnoreError { file: file.to_owned(), line: number + 1, source };
            if text.is_empty() || text == "." {
                // A lone `/` or `.` says nothing; a lone `!` is a mistake.
                if line.is_empty() {
                    let problem = "nothing follows the exclamation mark";
                    return Err(failed(PatternError { pattern: "!".to_owned(), problem }));
                }
                continue;
            }
            let pattern = Pattern::ignore(&text).map_err(failed)?;
            rules.push(Rule { pattern, text, include });
        }
        Ok(Self { rules })
    }

    /// Rules from bare patterns, as `--exclude` and `--parents` have them: there are no comments, and
    /// a leading slash is a slash.
    pub fn of_patterns<'p>(
        patterns: impl IntoIterator<Item = &'p str>,
    ) -> Result<Self, PatternError> {
        let mut rules = Vec::new();
        for given in patterns {
            let trimmed = given.trim();
            if trimmed.is_empty() {
                continue;
            }
            let (include, rest) = match trimmed.strip_prefix('!') {
                Some(rest) => (true, rest),
                None => (false, trimmed),
            };
            if rest.is_empty() {
                let problem = "nothing follows the exclamation mark";
                return Err(PatternError { pattern: given.to_owned(), problem });
            }
            let mut text = clean(rest);
            if rest.starts_with('/') {
                text.insert(0, '/');
            }
            let pattern = Pattern::ignore(&text)?;
            rules.push(Rule { pattern, text, include });
        }
        Ok(Self { rules })
    }

    /// Whether some rule takes paths in again.
    pub fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.include)
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether `path` (relative, with slashes) is left out, given what holds for its directory;
    /// and what holds for what is below it. The last rule that matches wins.
    pub fn excludes(&self, path: &str, parent: &Inherited) -> (bool, Inherited) {
        let mut excluded = false;
        let mut here = Vec::with_capacity(self.rules.len());
        for (i, rule) in self.rules.iter().enumerate() {
            let matched = parent.0.get(i) == Some(&true) || rule.pattern.matches(path);
            if matched {
                excluded = !rule.include;
            }
            here.push(matched);
        }
        (excluded, Inherited(here))
    }

    /// Whether something below the excluded directory `dir` may be taken in again.
    pub fn may_include_below(&self, dir: &str) -> bool {
        self.rules.iter().filter(|rule| rule.include).any(|rule| {
            let plain = rule.text.trim_end_matches("/**");
            if plain.contains(['*', '?', '[', '\\']) {
                return true;
            }
            plain.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

/// Cleans like Go's `filepath.Clean`, and takes a leading slash away.
fn clean(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." if text.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks down a path as the context walker does.
    fn excluded(rules: &str, path: &str) -> bool {
        let ignore = Ignore::parse(".dockerignore", rules).unwrap();
        let mut inherited = Inherited::default();
        let mut excluded = false;
        let mut so_far = String::new();
        for part in path.split('/') {
            if !so_far.is_empty() {
                so_far.push('/');
            }
            so_far.push_str(part);
            (excluded, inherited) = ignore.excludes(&so_far, &inherited);
        }
        excluded
    }

    #[test]
    fn the_last_match_wins() {
        for (rules, path, want) in [
            ("*.md", "README.md", true),
            ("*.md", "docs/README.md", false),
            ("**/*.md", "docs/README.md", true),
            ("*.md\n!README.md", "README.md", false),
            ("*.md\n!README.md\nREADME*", "README.md", true),
            ("docs", "docs/a/b", true),
            ("docs\n!docs/a", "docs/a/b", false),
            ("docs\n!docs/a", "docs/b", true),
            ("docs/", "docs/x", true),
            ("/docs", "docs/x", true),
            ("./docs/../src", "src/x", true),
            ("*\n!src", "src/x/y", false),
            ("*\n!src", "other", true),
            ("*\n!**/*.go", "a/b/c.go", false),
            ("!src\n*", "src", true),
            ("# comment\n  # not one", "# not one", true),
            ("  spaced  ", "spaced", true),
            ("! spaced\nspaced", "spaced", true),
            ("", "anything", false),
            (".", "anything", false),
            ("/", "anything", false),
            ("node_modules", "a/node_modules", false),
            ("**/node_modules", "a/node_modules/x", true),
            ("a/b\n!a", "a/b", false),
            ("dir/*\n!dir/keep", "dir/keep/x", false),
            ("dir/*\n!dir/keep", "dir/gone/x", true),
            (".git*", ".gitignore", true),
            ("\u{feff}x", "x", true),
            ("a\r\nb\r\n", "b", true),
        ] {
            assert_eq!(excluded(rules, path), want, "{rules:?} {path}");
        }
    }

    #[test]
    fn excluded_directories_are_entered_only_when_it_can_matter() {
        let below =
            |rules: &str, dir: &str| Ignore::parse("f", rules).unwrap().may_include_below(dir);
        assert!(!below("docs", "docs"));
        assert!(below("docs\n!docs/a", "docs"));
        assert!(!below("docs\n!src/a", "docs"));
        assert!(below("*\n!**/*.go", "docs"));
        assert!(below("*\n!docs/a/**", "docs/a") || !below("*\n!docs/a/**", "docs/a/b"));
    }

    #[test]
    fn mistakes_name_their_line() {
        let error = Ignore::parse(".dockerignore", "ok\n[x").unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.to_string().starts_with(".dockerignore:2: '[x' is no pattern"));
        assert!(Ignore::parse("f", "!").is_err());
    }
}
