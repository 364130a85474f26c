//! curl, wget, git and their kin.

use mlint_syntax::Span;

use super::{
    machine_of_name,
    options::{Line, below},
};
use crate::{
    artifact::{Artifact, Made},
    effect::{Argument, Download, EffectKind, Fetcher},
    machine::Linkage,
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

const CURL_VALUES: &[&str] = &[
    "-o",
    "--output",
    "-H",
    "--header",
    "-d",
    "--data",
    "--data-raw",
    "--data-binary",
    "-u",
    "--user",
    "-A",
    "--user-agent",
    "-e",
    "--referer",
    "-x",
    "--proxy",
    "-X",
    "--request",
    "-m",
    "--max-time",
    "--retry",
    "--retry-delay",
    "--retry-max-time",
    "--connect-timeout",
    "-w",
    "--write-out",
    "-b",
    "--cookie",
    "-c",
    "--cookie-jar",
    "-T",
    "--upload-file",
    "-F",
    "--form",
    "--cacert",
    "--capath",
    "-E",
    "--cert",
    "--key",
    "--resolve",
    "-C",
    "--continue-at",
    "-K",
    "--config",
    "-Y",
    "-y",
    "-r",
    "--range",
    "--proto",
    "--proto-redir",
    "--output-dir",
    "--url",
    "-z",
    "--limit-rate",
    "--ciphers",
    "--max-redirs",
    "--speed-limit",
    "--speed-time",
];

const WGET_VALUES: &[&str] = &[
    "-O",
    "--output-document",
    "-o",
    "--output-file",
    "-a",
    "-P",
    "--directory-prefix",
    "-t",
    "--tries",
    "-T",
    "--timeout",
    "-U",
    "--user-agent",
    "--header",
    "-e",
    "--execute",
    "-i",
    "--input-file",
    "-D",
    "-A",
    "-R",
    "-X",
    "-B",
    "--post-data",
    "--user",
    "--password",
    "-w",
    "--wait",
    "--waitretry",
    "--read-timeout",
    "--dns-timeout",
    "--connect-timeout",
    "--method",
    "--body-data",
    "--ca-certificate",
    "--max-redirect",
    "-Q",
    "-l",
];

/// Whether a word is an address (or nothing is known that speaks against it).
fn is_address(value: &Value) -> bool {
    let text = value.spelled().text;
    text.contains("://") || text.starts_with("www.") || {
        // `curl $URL`, and hosts without a scheme: `get.example.com/x`
        let host = text.split('/').next().unwrap_or_default();
        value.as_known().is_none()
            || (host.contains('.') && !host.starts_with('.') && text.contains('/'))
    }
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

/// A file that came from `url` to `path`.
fn fetched(shell: &Interpreter<'_, '_>, url: &Value, path: String, span: Span) -> Artifact {
    Artifact {
        path: path.clone(),
        folder: false,
        made: Made::Downloaded { url: url.clone() },
        content: None,
        machine: machine_of_name(url, shell.world.target),
        linkage: Linkage::Unknown,
        way: vec![shell.station(path, span)],
        certain: shell.is_certain(),
    }
}

fn record(
    shell: &mut Interpreter<'_, '_>,
    tool: Fetcher,
    url: &Argument,
    output: Option<Value>,
    span: Span,
) {
    let path = output.as_ref().and_then(|o| shell.path(o));
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
        (Some(_), Some(path)) if path != "/dev/null" => {
            let path = match shell.state.files.is_folder(&path) {
                true => url_file_name(&url.value)
                    .and_then(|n| Some(crate::files::join(&path, &n.as_known()?)))
                    .unwrap_or(path),
                false => path,
            };
            let artifact = fetched(shell, &url.value, path, span);
            shell.state.files.put(artifact);
        }
        _ => {}
    }
}

pub(super) fn curl(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), CURL_VALUES);
    let mut urls: Vec<Argument> = line.values(&["--url"]).cloned().collect();
    let only = line.operands.len() == 1;
    urls.extend(line.operands.iter().filter(|o| only || is_address(&o.value)).cloned());
    // Neither a form that is sent nor a head that is asked for is a download.
    if line.has(&["-I", "--head", "-T", "--upload-file", "-F", "--form"]) {
        return false;
    }
    let outputs: Vec<&Argument> = line.values(&["-o", "--output"]).collect();
    let folder = line.value(&["--output-dir"]);
    let remote = line.has(&["-O", "--remote-name", "--remote-name-all"]);
    let mut printed = false;
    for (i, url) in urls.iter().enumerate() {
        let named = outputs.get(i).map(|o| o.value.clone());
        let mut output = named.filter(|o| !o.is("-"));
        if output.is_none() && remote {
            let unknown = || Value::unknown(Origin::Opaque, call.span);
            output = Some(url_file_name(&url.value).unwrap_or_else(unknown));
        }
        if let (Some(name), Some(folder)) = (&output, folder) {
            output = Some(below(&folder.value, name, call.span));
        }
        printed |= output.is_none();
        record(shell, Fetcher::Curl, url, output, call.span);
    }
    printed || !urls.is_empty()
}

pub(super) fn wget(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    // `-nv`, `-nc`, `-np` are no clusters of `-n`.
    let no_n = |a: &&Argument| !a.value.known_prefix().starts_with("-n");
    let words: Vec<Argument> = call.arguments().iter().filter(no_n).cloned().collect();
    let line = Line::read(&words, WGET_VALUES);
    if line.has(&["--spider"]) {
        return false;
    }
    let output = line.value(&["-O", "--output-document"]).map(|o| o.value.clone());
    let folder = line.value(&["-P", "--directory-prefix"]).map(|f| f.value.clone());
    let only = line.operands.len() == 1;
    let urls: Vec<&Argument> =
        line.operands.iter().filter(|o| only || is_address(&o.value)).collect();
    let to_pipe = output.as_ref().is_some_and(|o| o.is("-") || o.is("/dev/stdout"));
    for url in &urls {
        let output = match (&output, to_pipe) {
            (_, true) => None,
            (Some(output), _) => Some(output.clone()),
            (None, _) => {
                let name = url_file_name(&url.value);
                let name = name.unwrap_or_else(|| Value::unknown(Origin::Opaque, call.span));
                Some(match &folder {
                    Some(folder) => below(folder, &name, call.span),
                    None => name,
                })
            }
        };
        record(shell, Fetcher::Wget, url, output, call.span);
    }
    !urls.is_empty()
}

pub(super) fn other(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line =
        Line::read(call.arguments(), &["-o", "-d", "--out", "--dir", "-x", "-s", "--output"]);
    let address = |o: &&Argument| o.value.spelled().text.contains("://");
    let urls: Vec<Argument> = line.operands.iter().filter(address).cloned().collect();
    for url in &urls {
        let name = line.value(&["-o", "--out", "--output"]).map(|o| o.value.clone());
        let name = name.or_else(|| url_file_name(&url.value));
        let name = name.unwrap_or_else(|| Value::unknown(Origin::Opaque, call.span));
        let output = match line.value(&["-d", "--dir"]) {
            Some(folder) => below(&folder.value, &name, call.span),
            None => name,
        };
        record(shell, Fetcher::Other, url, Some(output), call.span);
    }
    !urls.is_empty()
}

pub(super) fn git(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let values = ["-b", "--branch", "--depth", "-c", "-C", "-o", "--origin", "-j", "--jobs"];
    let line = Line::read(call.arguments(), &values);
    if line.operand(0).as_deref() != Some("clone") {
        return false;
    }
    let Some(url) = line.operands.get(1) else { return true };
    let output = match line.operands.get(2) {
        Some(folder) => Some(folder.value.clone()),
        None => url_file_name(&url.value)
            .map(|n| n.map(call.span, |t| Some(t.strip_suffix(".git").unwrap_or(t).to_owned()))),
    };
    if let Some(path) = output.as_ref().and_then(|o| shell.path(o)) {
        shell.state.files.make_folder(&path);
    }
    let kind = EffectKind::Download(Download {
        tool: Fetcher::Git,
        url: url.value.clone(),
        url_span: url.span,
        output,
    });
    shell.effect(kind, call.span);
    true
}

/// Addresses among the words of an installation.
pub(super) fn addresses(
    shell: &mut Interpreter<'_, '_>,
    tool: Fetcher,
    words: &[Argument],
    span: Span,
) {
    for word in words {
        let text = word.value.spelled().text;
        if text.starts_with("http://") || text.starts_with("https://") || text.starts_with("git+") {
            let kind = EffectKind::Download(Download {
                tool,
                url: word.value.clone(),
                url_span: word.span,
                output: None,
            });
            shell.effect(kind, span);
        }
    }
}
