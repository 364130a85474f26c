//! What comes from the network.

mod clone;
mod code;
mod curl;
mod easy_add;
mod fetches;
mod wget;

use mlint_syntax::Span;

use super::{machine_of_name, names::linkage_of_name, options::Line};
use crate::{
    artifact::{Artifact, Made},
    effect::{Argument, Download, EffectKind, Fetcher},
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

/// `None` if the program fetches nothing; else whether it printed, or prints nothing.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> Option<bool> {
    Some(match name {
        "curl" | "curl.exe" => curl::curl(shell, call),
        "wget" | "wget2" => wget::wget(shell, call),
        "aria2c" | "axel" | "http" | "https" | "fetch" | "xh" | "lwp-download" | "ftp" => {
            wget::other(shell, name, call)
        }
        "git" => clone::git(shell, call),
        "svn" | "hg" | "bzr" | "fossil" => clone::other(shell, name, call),
        "gh" | "glab" => clone::release(shell, call),
        "easy-add" => easy_add::run(shell, call),
        "pwsh" | "powershell" | "powershell.exe" => code::powershell(shell, call),
        _ => return None,
    })
}

pub(super) use code::python;
pub(crate) use fetches::fetches;

/// Whether a word is an address (or nothing is known that speaks against it).
fn is_address(value: &Value) -> bool {
    let text = value.spelling();
    text.contains("://") || text.starts_with("www.") || {
        // `curl $URL`, and hosts without a scheme: `get.example.com/x`
        let host = text.split('/').next().unwrap_or_default();
        value.as_known().is_none()
            || (host.contains('.') && !host.starts_with('.') && text.contains('/'))
    }
}

/// The operands that are addresses; one alone is, whatever it looks like.
fn addresses_of(line: &Line) -> Vec<Argument> {
    let only = line.operands.len() == 1;
    line.operands.iter().filter(|o| only || is_address(&o.value)).cloned().collect()
}

/// The text of a file that is named, if the Dockerfile itself wrote it; `-` is what is piped in.
fn text_of(shell: &Interpreter<'_, '_>, file: &Argument) -> Option<Value> {
    if file.value.is("-") {
        return shell.input_text();
    }
    let path = shell.path(&file.value)?;
    shell.state.files.find(&path)?.content
}

/// The last part of an address: the file's name.
pub(crate) fn url_file_name(url: &Value) -> Option<Value> {
    let mut kept = Vec::new();
    for piece in url.pieces().iter().rev() {
        match piece.text().and_then(|t| t.rfind('/').map(|at| at + 1..t.len())) {
            Some(range) => {
                kept.extend(Value::new([piece.clone()]).slice(range)?.pieces().first().cloned());
                kept.reverse();
                let name = Value::new(kept);
                let query = name.as_known().and_then(|t| t.find(['?', '#']));
                return match query {
                    Some(at) => name.slice(0..at),
                    None => Some(name),
                };
            }
            None => kept.push(piece.clone()),
        }
    }
    None
}

/// The name under which a file is kept when nobody gives one.
fn own_name(url: &Value, span: Span) -> Value {
    let name = url_file_name(url).filter(|n| !n.is_empty());
    name.unwrap_or_else(|| Value::unknown(Origin::Opaque, span))
}

/// A file that came from `url` to `path`.
fn fetched(shell: &Interpreter<'_, '_>, url: &Value, path: String, span: Span) -> Artifact {
    let machine = machine_of_name(url, shell.world.target);
    let linkage = match machine.platform() {
        Some(_) => linkage_of_name(url),
        None => Linkage::Unknown,
    };
    Artifact {
        path: path.clone(),
        folder: false,
        made: Made::Downloaded { url: url.clone() },
        content: None,
        machine,
        linkage,
        way: vec![shell.station(path, span)],
        certain: shell.is_certain(),
    }
}

/// One file from the network: to `output`, or to standard output.
fn record(
    shell: &mut Interpreter<'_, '_>,
    tool: Fetcher,
    url: &Argument,
    output: Option<Value>,
    span: Span,
) {
    let path = output.as_ref().and_then(|o| shell.path(o));
    let path = path.map(|path| match shell.state.files.is_folder(&path) {
        true => url_file_name(&url.value)
            .and_then(|n| Some(crate::files::join(&path, &n.as_known()?)))
            .unwrap_or(path),
        false => path,
    });
    let whole = path.as_ref().filter(|p| !p.contains(crate::value::GAP));
    let absolute = whole.map(|p| Value::known(p.as_str(), Origin::Literal, span));
    let kind = EffectKind::Download(Download {
        tool,
        url: url.value.clone(),
        url_span: url.span,
        output: output.clone().map(|o| absolute.unwrap_or(o)),
    });
    shell.effect(kind, span);
    match (output, path) {
        (None, _) => {
            let file = fetched(shell, &url.value, String::new(), span);
            shell.print_file(file, span);
        }
        (Some(_), Some(path)) if !path.starts_with("/dev/") => {
            let artifact = fetched(shell, &url.value, path, span);
            shell.state.files.put(artifact);
        }
        _ => {}
    }
}

/// A tree of files from the network, of which nothing more is known.
fn record_tree(
    shell: &mut Interpreter<'_, '_>,
    tool: Fetcher,
    url: &Argument,
    output: Option<Value>,
    span: Span,
) {
    if let Some(path) = output.as_ref().and_then(|o| shell.path(o)) {
        shell.state.files.make_folder(&path);
        let station = shell.station(path.clone(), span);
        let certain = shell.is_certain();
        shell.state.files.put(Artifact {
            path,
            folder: true,
            made: Made::Downloaded { url: url.value.clone() },
            content: None,
            machine: Machine::unknown(),
            linkage: Linkage::Unknown,
            way: vec![station],
            certain,
        });
    }
    let kind =
        EffectKind::Download(Download { tool, url: url.value.clone(), url_span: url.span, output });
    shell.effect(kind, span);
}

/// Addresses among the words of an installation.
pub(super) fn addresses(
    shell: &mut Interpreter<'_, '_>,
    tool: Fetcher,
    words: &[Argument],
    span: Span,
) {
    for word in words {
        let Some(url) = address_in(&word.value) else { continue };
        let kind = EffectKind::Download(Download { tool, url, url_span: word.span, output: None });
        shell.effect(kind, span);
    }
}

/// The address that a package's word is, or has behind an `@`: `name @ https://…`.
fn address_in(word: &Value) -> Option<Value> {
    const SCHEMES: &[&str] = &["http://", "https://", "git+"];
    let text = word.spelling();
    if SCHEMES.iter().any(|s| text.starts_with(s)) {
        return Some(word.clone());
    }
    let at = text.find('@')?;
    let url = at + 1 + text[at + 1..].len() - text[at + 1..].trim_start().len();
    let known = word.known_prefix().len() >= url;
    (known && SCHEMES.iter().any(|s| text[url..].starts_with(s)))
        .then(|| word.without_prefix(url))
        .flatten()
}
