//! What the formats for other programs have in common.

use std::fmt::Write as _;

use mlint_lint::{Applicability, Diagnostic};

/// The message as a text of its own: what happens, then what to do.
pub fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        let _ = write!(text, ". {}", capital(help));
    }
    text
}

/// How `mlint fix` would repair it, if it can.
pub fn repair(diagnostic: &Diagnostic) -> Option<String> {
    let fix = diagnostic.fixes.iter().max_by_key(|fix| fix.reach())?;
    Some(match fix.reach() {
        Applicability::Safe => format!("`mlint fix` can {}", fix.title),
        Applicability::Unsafe => format!("`mlint fix --unsafe` can {}", fix.title),
        Applicability::Display => format!("to do by hand: {}", fix.title),
    })
}

/// With a capital, unless it begins with code.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A path as a URI reference (RFC 3986): relative ones stay relative, absolute ones get `file://`.
pub fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte as char);
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Tells findings apart that would else have the same fingerprint: those of one rule on lines of
/// one text, counted from the top of the file. Lines that move keep theirs.
#[derive(Debug, Default)]
pub struct Fingerprints {
    seen: std::collections::HashMap<(&'static str, String), usize>,
}

impl Fingerprints {
    /// A fingerprint in hexadecimal: of the path, the rule, the line's text and the count.
    pub fn of(&mut self, path: &str, diagnostic: &Diagnostic, line: &str) -> String {
        let line = line.trim();
        let count = self.seen.entry((diagnostic.rule, line.to_owned())).or_default();
        let text = format!("{path}\0{}\0{line}\0{count}", diagnostic.rule);
        *count += 1;
        mlint_oci::Digest::sha256(text).hex()[..32].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_as_uris() {
        assert_eq!(uri("./a b/Dockerfile"), "a%20b/Dockerfile");
        assert_eq!(uri("/srv/ü%"), "file:///srv/%C3%BC%25");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
    }
}
