//! curl.

use mlint_syntax::Span;

use super::{
    super::options::{Line, below},
    addresses_of, own_name, record, text_of,
};
use crate::{
    effect::{Argument, Fetcher},
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

/// Options that take a value, by curl's manual.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "-A", "-b", "-C", "-c", "-D", "-d", "-E", "-e", "-F", "-H", "-K", "-m", "-o", "-P", "-Q", "-r",
    "-T", "-t", "-U", "-u", "-w", "-X", "-x", "-Y", "-y", "-z",
    "--alt-svc", "--aws-sigv4", "--cacert", "--capath", "--cert", "--cert-type", "--ciphers",
    "--config", "--connect-timeout", "--connect-to", "--continue-at", "--cookie", "--cookie-jar",
    "--create-file-mode", "--crlfile", "--curves", "--data", "--data-ascii", "--data-binary",
    "--data-raw", "--data-urlencode", "--dns-servers", "--doh-url", "--dump-header",
    "--etag-compare", "--etag-save", "--expect100-timeout", "--form", "--form-string", "--header",
    "--interface", "--json", "--keepalive-time", "--key", "--key-type", "--limit-rate",
    "--local-port", "--max-filesize", "--max-redirs", "--max-time", "--netrc-file", "--noproxy",
    "--oauth2-bearer", "--output", "--output-dir", "--parallel-max", "--pass", "--pinnedpubkey",
    "--preproxy", "--proto", "--proto-default", "--proto-redir", "--proxy", "--proxy-header",
    "--proxy-user", "--quote", "--range", "--rate", "--referer", "--request", "--request-target",
    "--resolve", "--retry", "--retry-delay", "--retry-max-time", "--speed-limit", "--speed-time",
    "--stderr", "--time-cond", "--tls-max", "--tls13-ciphers", "--trace", "--trace-ascii",
    "--unix-socket", "--upload-file", "--url", "--url-query", "--user", "--user-agent",
    "--variable", "--write-out",
];

/// How many addresses one pattern may stand for; beyond that its value is not known.
const MAX_ADDRESSES: usize = 32;

pub(super) fn curl(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), VALUES);
    // Neither a form that is sent nor a head that is asked for is a download.
    if line.has(&["-I", "--head", "-T", "--upload-file", "-F", "--form"]) {
        return false;
    }
    let mut wanted = Wanted::of(&line);
    for file in line.values(&["-K", "--config"]) {
        wanted.read_config(shell, file);
    }
    let literal = line.has(&["-g", "--globoff"]);
    let mut printed = false;
    let requests = std::mem::take(&mut wanted.urls);
    for (i, url) in requests.iter().enumerate() {
        let output = match wanted.outputs.get(i) {
            Some(output) => output.clone(),
            None if wanted.all_remote => Output::Remote,
            None => Output::Printed,
        };
        for (address, parts) in
            if literal { vec![(url.value.clone(), vec![])] } else { globbed(url) }
        {
            let name = match &output {
                Output::Printed => None,
                Output::Remote => Some(own_name(&address, call.span)),
                Output::Named(name) => Some(numbered(name, &parts, call.span)),
            };
            let name = name.filter(|n| !n.is("-"));
            let path = match (&name, &wanted.folder) {
                (Some(name), Some(folder)) => Some(below(folder, name, call.span)),
                _ => name,
            };
            printed |= path.is_none();
            let url = Argument { value: address, span: url.span };
            record(shell, Fetcher::Curl, &url, path, call.span);
        }
    }
    printed || !requests.is_empty()
}

/// Where one address goes.
#[derive(Clone)]
enum Output {
    Printed,
    Remote,
    Named(Value),
}

/// Addresses and outputs: the first output belongs to the first address, and so on.
struct Wanted {
    urls: Vec<Argument>,
    outputs: Vec<Output>,
    all_remote: bool,
    folder: Option<Value>,
}

impl Wanted {
    fn of(line: &Line) -> Self {
        let mut urls: Vec<Argument> = line.values(&["--url"]).cloned().collect();
        urls.extend(addresses_of(line));
        let outputs = line.options.iter().filter_map(|(name, value)| match name.as_str() {
            "-o" | "--output" => Some(Output::Named(value.as_ref()?.value.clone())),
            "-O" | "--remote-name" => Some(Output::Remote),
            _ => None,
        });
        Self {
            urls,
            outputs: outputs.collect(),
            all_remote: line.has(&["--remote-name-all"]),
            folder: line.value(&["--output-dir"]).map(|f| f.value.clone()),
        }
    }

    /// `-K file` with lines such as `url = "https://…"`, if the Dockerfile itself wrote the file.
    fn read_config(&mut self, shell: &Interpreter<'_, '_>, file: &Argument) {
        let Some(content) = text_of(shell, file) else { return };
        let Some(text) = content.as_known() else { return };
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let Some((key, rest)) = line.split_once(['=', ' ', ':']) else { continue };
            let value = rest.trim_matches(|c: char| c.is_whitespace() || matches!(c, '=' | '"'));
            let Some(offset) = line.find(value).filter(|_| !value.is_empty()) else { continue };
            let from = start + offset;
            let Some(value) = content.slice(from..from + value.len()) else { continue };
            match key.trim().trim_start_matches('-') {
                "url" => self.urls.push(Argument { value, span: file.span }),
                "output" | "o" => self.outputs.push(Output::Named(value)),
                "output-dir" => self.folder = Some(value),
                _ => {}
            }
        }
    }
}

/// The addresses that a pattern with `{a,b}` and `[1-3]` stands for, each with what its sets were
/// replaced by.
fn globbed(url: &Argument) -> Vec<(Value, Vec<String>)> {
    let whole = || vec![(url.value.clone(), Vec::new())];
    let Some(text) = url.value.as_known() else { return whole() };
    let mut done: Vec<(Value, Vec<String>)> = vec![(Value::empty(), Vec::new())];
    let mut at = 0;
    while at < text.len() {
        let next = text[at..].find(['{', '[']).map_or(text.len(), |n| at + n);
        let Some(plain) = url.value.slice(at..next) else { return whole() };
        for (value, _) in &mut done {
            *value = value.concat(&plain);
        }
        if next == text.len() {
            break;
        }
        let close = if text[next..].starts_with('{') { '}' } else { ']' };
        let Some(end) = text[next..].find(close).map(|n| next + n) else { return whole() };
        let inner = &text[next + 1..end];
        let choices: Vec<(Value, String)> = if close == '}' {
            let mut from = next + 1;
            inner
                .split(',')
                .filter_map(|part| {
                    let value = url.value.slice(from..from + part.len())?;
                    from += part.len() + 1;
                    Some((value, part.to_owned()))
                })
                .collect()
        } else {
            let Some(parts) = range(inner) else { return whole() };
            parts
                .into_iter()
                .map(|p| (Value::known(p.as_str(), Origin::Literal, url.span), p))
                .collect()
        };
        if done.len() * choices.len() > MAX_ADDRESSES || choices.is_empty() {
            return vec![(Value::unknown(Origin::Opaque, url.span), Vec::new())];
        }
        let step = |(head, parts): &(Value, Vec<String>)| {
            let (head, parts) = (head.clone(), parts.clone());
            choices
                .iter()
                .map(|(choice, text)| {
                    let mut parts = parts.clone();
                    parts.push(text.clone());
                    (head.concat(choice), parts)
                })
                .collect::<Vec<_>>()
        };
        done = done.iter().flat_map(step).collect();
        at = end + 1;
    }
    done
}

/// `1-3`, `001-100`, `a-e`, each maybe with a `:step`.
fn range(text: &str) -> Option<Vec<String>> {
    let (bounds, step) = text.split_once(':').unwrap_or((text, "1"));
    let (first, last) = bounds.split_once('-')?;
    let step: usize = step.parse().ok().filter(|s| *s > 0)?;
    if let (Ok(a), Ok(b)) = (first.parse::<u32>(), last.parse::<u32>()) {
        let width = if first.starts_with('0') { first.len() } else { 0 };
        let all = (a..=b).step_by(step).take(MAX_ADDRESSES + 1);
        return Some(all.map(|n| format!("{n:0width$}")).collect());
    }
    let (&[a], &[b]) = (first.as_bytes(), last.as_bytes()) else { return None };
    (a.is_ascii_alphabetic() && b.is_ascii_alphabetic())
        .then(|| (a..=b).step_by(step).map(|c| char::from(c).to_string()).collect())
}

/// `-o file_#1`: the number stands for what the first set was replaced by.
fn numbered(name: &Value, parts: &[String], span: Span) -> Value {
    if parts.is_empty() || !name.spelling().contains('#') {
        return name.clone();
    }
    name.map(span, |text| {
        let mut text = text.to_owned();
        for (i, part) in parts.iter().enumerate() {
            text = text.replace(&format!("#{}", i + 1), part);
        }
        Some(text)
    })
}
