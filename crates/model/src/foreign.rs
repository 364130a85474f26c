//! Programs in other languages than the shell's. They are not followed; what their text names is
//! listed, so that a rule may ask for it.

use mlint_oci::arch::{WordKind, find_words};

use crate::{effect::Argument, value::Value};

/// A language that the interpreter does not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript: node, deno, bun.
    JavaScript,
    /// Perl.
    Perl,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// PowerShell.
    PowerShell,
    /// `cmd.exe`.
    Cmd,
    /// A jq filter.
    Jq,
    /// An awk program that is not understood.
    Awk,
    /// Anything else.
    Other,
}

/// A program in such a language.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The language.
    pub language: Language,
    /// Its string literals that name an architecture or hold an address, as they stand.
    pub literals: Vec<Argument>,
}

/// Longer programs are looked at in their first part only.
const MAX_TEXT: usize = 1 << 18;
/// Literals of one program.
const MAX_LITERALS: usize = 64;

impl Language {
    /// The language that a program of that name reads.
    pub(crate) fn of_program(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let name = name.strip_suffix(".exe").unwrap_or(name);
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        match plain {
            "python" | "pypy" => Self::Python,
            "node" | "nodejs" | "deno" | "bun" => Self::JavaScript,
            "perl" => Self::Perl,
            "ruby" => Self::Ruby,
            "php" => Self::Php,
            "pwsh" | "powershell" => Self::PowerShell,
            "cmd" => Self::Cmd,
            "jq" => Self::Jq,
            "awk" | "gawk" | "mawk" => Self::Awk,
            _ => Self::Other,
        }
    }

    /// The option after which the program stands in the command line.
    pub(crate) fn takes_program_after(self, option: &str) -> bool {
        match self {
            Self::Python => option == "-c",
            Self::JavaScript => {
                matches!(option, "-e" | "-p" | "-pe" | "--eval" | "--print" | "eval")
            }
            // `-ne`, `-pe`, but not `-MSome::Module`.
            Self::Perl | Self::Ruby => option.strip_prefix('-').is_some_and(|cluster| {
                cluster.ends_with(['e', 'E']) && cluster.chars().all(|c| "nplaiweE0".contains(c))
            }),
            Self::Php => option == "-r",
            Self::PowerShell => matches!(
                option.to_ascii_lowercase().as_str(),
                "-c" | "-command" | "/c" | "/command"
            ),
            Self::Cmd => matches!(option.to_ascii_lowercase().as_str(), "/c" | "/s" | "/k"),
            _ => false,
        }
    }
}

/// The literals of a program that say something about machines or where files come from.
pub(crate) fn literals(program: &Value) -> Vec<Argument> {
    let mut out: Vec<Argument> = Vec::new();
    for piece in program.pieces() {
        let Some(text) = piece.text().filter(|t| t.len() <= MAX_TEXT) else { continue };
        let part = Value::new([piece.clone()]);
        for range in spoken(text) {
            if out.len() == MAX_LITERALS {
                return out;
            }
            let span = piece.subspan(range.clone());
            if let Some(value) = part.slice(range) {
                out.push(Argument { value, span });
            }
        }
    }
    out
}

/// Where the literals stand that are worth telling.
fn spoken(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let range = match bytes[at] {
            quote @ (b'\'' | b'"' | b'`') => {
                let Some(len) = quoted_len(&bytes[at + 1..], quote) else {
                    at += 1;
                    continue;
                };
                at + 1..at + 1 + len
            }
            b'h' | b'f' if is_address(&text[at..]) => {
                let len = text[at..].find(|c: char| c.is_whitespace() || "'\"`)>|;,".contains(c));
                at..at + len.unwrap_or(text.len() - at)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        at = range.end + 1;
        let literal = text.get(range.clone()).unwrap_or_default();
        if !literal.contains('\n') && (literal.contains("://") || names_machine(literal)) {
            out.push(range);
        }
    }
    out
}

fn is_address(text: &str) -> bool {
    ["https://", "http://", "ftp://"].iter().any(|scheme| text.starts_with(scheme))
}

/// Up to the closing quote on the same line.
fn quoted_len(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        match b {
            b if b == quote => return Some(at),
            b'\n' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

fn names_machine(text: &str) -> bool {
    text.len() <= 1024
        && find_words(text).iter().any(|word| word.kind != WordKind::System && !word.weak)
}

#[cfg(test)]
mod tests {
    use mlint_syntax::LogicalText;

    use super::*;

    #[test]
    fn literals_that_name_machines_or_addresses() {
        for (program, want) in [
            ("import os\nurl = 'https://h/x-amd64.tgz'\n", &["https://h/x-amd64.tgz"][..]),
            ("m = {\"x86_64\": \"amd64\", 'a\\'b': 1}", &["x86_64", "amd64"]),
            ("print('hello', \"it's\")", &[]),
            ("iwr https://h/a.zip -OutFile a.zip", &["https://h/a.zip"]),
            ("# it's\nx = 'arm64'", &["arm64"]),
        ] {
            let value = Value::literal(&LogicalText::contiguous(program, 10));
            let found = literals(&value);
            let texts: Vec<String> = found.iter().map(|a| a.value.to_string()).collect();
            assert_eq!(texts, want, "{program}");
            for literal in found {
                let at = program.find(&literal.value.to_string()).expect("it") as u32 + 10;
                assert_eq!(literal.span.start, at, "{program}");
            }
        }
    }
}
