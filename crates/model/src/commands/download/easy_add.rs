//! `easy-add`: one program out of an archive, whose address is a template of Go's.

use super::{super::options::Line, record};
use crate::{
    effect::{Argument, Fetcher},
    files::{file_name, join},
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

/// What templates may name without a `--var`.
const DEFAULTS: [(&str, &str); 2] = [("os", "linux"), ("arch", "amd64")];

/// `easy-add --var app=x --file {{.app}} --from https://…/{{.app}}_linux_amd64.tar.gz`.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let values = ["--var", "--from", "--file", "--to", "-var", "-from", "-file", "-to"];
    let line = Line::read_long(call.arguments(), &values);
    let mut variables: Vec<(String, Value)> = Vec::new();
    for given in line.values(&["--var", "-var"]) {
        // `--var os=linux,arch=arm64` is not told from a value with a comma.
        let prefix = given.value.known_prefix();
        let Some((name, _)) = prefix.split_once('=') else { continue };
        if let Some(value) = given.value.without_prefix(name.len() + 1) {
            variables.push((name.to_owned(), value));
        }
    }
    let Some(from) = line.value(&["--from", "-from"]) else { return false };
    let filled = |word: &Argument| fill(word, &variables);
    let url = Argument { value: filled(from), span: from.span };
    let name = line.value(&["--file", "-file"]).map(filled);
    let name = name.as_ref().and_then(Value::as_known).map(|n| file_name(&n).to_owned());
    let folder = match line.value(&["--to", "-to"]) {
        Some(folder) => shell.path(&folder.value),
        None => Some("/usr/local/bin".to_owned()),
    };
    let path = match (folder, name) {
        (Some(folder), Some(name)) => {
            Value::known(join(&folder, &name), Origin::Literal, call.span)
        }
        _ => Value::unknown(Origin::Opaque, call.span),
    };
    record(shell, Fetcher::Other, &url, Some(path), call.span);
    false
}

/// A template with its variables in place; what it calls otherwise is not known.
fn fill(template: &Argument, variables: &[(String, Value)]) -> Value {
    let span = template.span;
    let value_of = |action: &str| {
        let name = action.trim().strip_prefix('.')?;
        let given = variables.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        given.or_else(|| {
            let (_, text) = DEFAULTS.iter().find(|(n, _)| *n == name)?;
            Some(Value::known(*text, Origin::Opaque, span))
        })
    };
    let mut parts: Vec<Value> = Vec::new();
    for piece in template.value.pieces() {
        let whole = Value::new([piece.clone()]);
        let Some(text) = piece.text() else {
            parts.push(whole);
            continue;
        };
        let mut at = 0;
        while let Some(open) = text[at..].find("{{").map(|n| at + n) {
            let Some(close) = text[open..].find("}}").map(|n| open + n) else { break };
            parts.extend(whole.slice(at..open));
            let value = value_of(&text[open + 2..close]);
            parts.push(value.unwrap_or_else(|| Value::unknown(Origin::Opaque, span)));
            at = close + 2;
        }
        parts.extend(whole.slice(at..text.len()));
    }
    Value::join(&parts)
}
