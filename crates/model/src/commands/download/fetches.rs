//! What programs in other languages fetch, as far as one call says it all.

use mlint_syntax::Span;

use super::record;
use crate::{
    effect::{Argument, Fetcher},
    foreign::Language,
    shell::Interpreter,
    value::Value,
};

/// Functions that fetch what their first argument names.
const PYTHON: &[&str] = &["urlretrieve", "urlopen", "requests.get", "httpx.get", "wget.download"];
const JAVASCRIPT: &[&str] = &["fetch", "https.get", "http.get", "axios.get"];

/// Longer programs are looked at in their first part only.
const MAX_TEXT: usize = 1 << 16;
/// Downloads of one program.
const MAX_FETCHES: usize = 16;

/// `urlretrieve("https://…", "file")` and its kin in the text of a program. Whether the program
/// comes there, nobody knows.
pub(crate) fn fetches(
    shell: &mut Interpreter<'_, '_>,
    language: Language,
    program: &Value,
    span: Span,
) {
    let functions = match language {
        Language::Python => PYTHON,
        Language::JavaScript => JAVASCRIPT,
        _ => return,
    };
    let Some(text) = program.as_known().filter(|t| t.len() <= MAX_TEXT) else { return };
    let found: Vec<Fetch> = calls(&text, functions).take(MAX_FETCHES).collect();
    for fetch in found {
        let Some(url) = program.slice(fetch.url) else { continue };
        let output = fetch.file.and_then(|file| program.slice(file));
        let before = shell.step.effects.len();
        let path = output.as_ref().and_then(|o| shell.path(o));
        // What it does with it otherwise is its own.
        let output = output.unwrap_or_else(|| Value::unknown(crate::value::Origin::Opaque, span));
        record(shell, Fetcher::Other, &Argument { value: url, span }, Some(output), span);
        for effect in &mut shell.step.effects[before..] {
            effect.certain = false;
        }
        if let Some(path) = path {
            shell.state.files.remove(&path, false);
        }
    }
}

/// Where an address stands, and the name under which the same call keeps it.
struct Fetch {
    url: std::ops::Range<usize>,
    file: Option<std::ops::Range<usize>>,
}

fn calls(text: &str, functions: &'static [&'static str]) -> impl Iterator<Item = Fetch> {
    text.match_indices("http").filter_map(move |(at, _)| {
        let quote = text[..at].chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        let url = at..at + text[at..].find([quote, '\n'])?;
        let literal = &text[url.clone()];
        let is_address = literal.starts_with("https://") || literal.starts_with("http://");
        // `f"…{x}"` and `${x}` are no plain text.
        if !is_address || !text[url.end..].starts_with(quote) || literal.contains(['{', '\\']) {
            return None;
        }
        let before = text[..at - 1].trim_end().strip_suffix('(')?.trim_end();
        let name_ends = |function: &&str| {
            let rest = before.strip_suffix(*function);
            rest.is_some_and(|r| !r.ends_with(|c: char| c == '_' || c.is_alphanumeric()))
        };
        functions.iter().find(|f| name_ends(f))?;
        Some(Fetch { file: second_argument(text, url.end + 1), url })
    })
}

/// The literal that follows behind a comma.
fn second_argument(text: &str, from: usize) -> Option<std::ops::Range<usize>> {
    let rest = text[from..].trim_start().strip_prefix(',')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let start = text.len() - rest.len() + 1;
    let end = start + text[start..].find([quote, '\n'])?;
    (text[end..].starts_with(quote) && end > start).then_some(start..end)
}
