//! Addresses in one-liners of other languages: `python -c`, `pwsh -Command`.

use super::{own_name, record};
use crate::{
    effect::{Argument, Fetcher},
    shell::{Call, Interpreter},
    value::Value,
};

/// Quoted texts in a piece of code, with where they are.
fn quoted(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut open: Option<(usize, char)> = None;
    for (at, c) in code.char_indices() {
        match open {
            Some((start, quote)) if c == quote => {
                out.push(start..at);
                open = None;
            }
            None if matches!(c, '"' | '\'') => open = Some((at + 1, c)),
            _ => {}
        }
    }
    out
}

/// `python -c "…urlretrieve('https://…', 'file')"`: `false` if the code fetches nothing that can be
/// seen.
pub(crate) fn python(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let Some(at) = call.argv.iter().position(|a| a.value.is("-c")) else { return false };
    let Some(code) = call.argv.get(at + 1) else { return false };
    let Some(text) = code.value.as_known() else { return false };
    if !["urlretrieve", "urlopen", "requests.get", "urllib2", "httpx.get"]
        .iter()
        .any(|call| text.contains(call))
    {
        return false;
    }
    let texts = quoted(&text);
    let mut found = false;
    for (i, range) in texts.iter().enumerate() {
        if !text[range.clone()].starts_with("http") {
            continue;
        }
        let Some(url) = code.value.slice(range.clone()) else { continue };
        // A file is named right behind the address, or somewhere in `open('file', 'wb')`.
        let behind = texts.get(i + 1).filter(|next| {
            text[range.end..next.start].trim_matches(['"', '\'', ' ']).eq(",")
                && text.contains("urlretrieve")
        });
        let opened = texts.iter().find(|r| text[..r.start - 1].trim_end().ends_with("open("));
        let file = behind.or(opened.filter(|r| *r != range));
        let output = file.and_then(|r| code.value.slice(r.clone()));
        let url = Argument { value: url, span: code.span };
        record(shell, Fetcher::Other, &url, output, call.span);
        found = true;
    }
    found
}

const WEB_REQUESTS: &[&str] =
    &["invoke-webrequest", "iwr", "wget", "curl", "invoke-restmethod", "irm", "start-bitstransfer"];

/// `pwsh -Command "Invoke-WebRequest -Uri https://… -OutFile x"`.
pub(super) fn powershell(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let mut words: Vec<Argument> = Vec::new();
    for argument in call.arguments() {
        split(argument, &mut words);
    }
    let is = |word: &Argument, names: &[&str]| {
        let text = word.value.known_prefix().to_ascii_lowercase();
        word.value.as_known().is_some() && names.contains(&text.as_str())
    };
    let mut at = 0;
    let mut found = false;
    while at < words.len() {
        if !is(&words[at], WEB_REQUESTS) {
            at += 1;
            continue;
        }
        let end = words[at..].iter().position(|w| w.value.is(";") || w.value.is("|"));
        let end = end.map_or(words.len(), |n| at + n);
        let command = &words[at + 1..end];
        let after = |names: &[&str]| {
            let n = command.iter().position(|w| is(w, names))?;
            command.get(n + 1)
        };
        let output = after(&["-outfile", "-o", "-destination"]).map(|o| o.value.clone());
        let url = after(&["-uri", "-source"])
            .or_else(|| command.iter().find(|w| w.value.spelling().contains("://")));
        if let Some(url) = url.cloned() {
            let output =
                output.map(|o| if o.is_empty() { own_name(&url.value, call.span) } else { o });
            record(shell, Fetcher::PowerShell, &url, output, call.span);
            found = true;
        }
        at = end;
    }
    found
}

/// Cuts a word that holds a script into that script's words.
fn split(argument: &Argument, out: &mut Vec<Argument>) {
    let Some(text) = argument.value.as_known() else {
        out.push(argument.clone());
        return;
    };
    let mut push = |range: std::ops::Range<usize>| {
        let value: Option<Value> = argument.value.slice(range);
        out.extend(value.map(|value| Argument { value, span: argument.span }));
    };
    let mut start = None;
    for (at, c) in text.char_indices() {
        let ends = c.is_whitespace() || matches!(c, ';' | '|' | '"' | '\'' | '(' | ')');
        match (start, ends) {
            (None, false) => start = Some(at),
            (Some(from), true) => {
                push(from..at);
                start = None;
            }
            _ => {}
        }
        if matches!(c, ';' | '|') {
            push(at..at + 1);
        }
    }
    if let Some(from) = start {
        push(from..text.len());
    }
}
