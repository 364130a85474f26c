//! wget, and fetchers that few use.

use super::{
    super::options::{Line, below},
    addresses_of, own_name, record, text_of,
};
use crate::{
    effect::{Argument, Fetcher},
    shell::{Call, Interpreter},
    value::Value,
};

/// wget's options that take a value, by its manual.
#[rustfmt::skip]
const VALUES: &[&str] = &[
    "-A", "-a", "-B", "-D", "-e", "-I", "-i", "-l", "-O", "-o", "-P", "-Q", "-R", "-T", "-t", "-U",
    "-w", "-X",
    "--accept", "--append-output", "--base", "--bind-address", "--body-data", "--body-file",
    "--ca-certificate", "--ca-directory", "--certificate", "--ciphers", "--connect-timeout",
    "--cut-dirs", "--default-page", "--directory-prefix", "--dns-timeout", "--domains",
    "--exclude-directories", "--execute", "--header", "--http-password", "--http-user",
    "--include-directories", "--input-file", "--level", "--limit-rate", "--load-cookies",
    "--max-redirect", "--method", "--output-document", "--output-file", "--password", "--post-data",
    "--post-file", "--prefer-family", "--private-key", "--progress", "--quota", "--read-timeout",
    "--referer", "--reject", "--save-cookies", "--secure-protocol", "--timeout", "--tries",
    "--user", "--user-agent", "--wait", "--waitretry",
];

pub(super) fn wget(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    // `-nv`, `-nc`, `-np` are no clusters of `-n`.
    let no_n = |a: &&Argument| !a.value.known_prefix().starts_with("-n");
    let words: Vec<Argument> = call.arguments().iter().filter(no_n).cloned().collect();
    let line = Line::read(&words, VALUES);
    if line.has(&["--spider"]) {
        return false;
    }
    let output = line.value(&["-O", "--output-document"]).map(|o| o.value.clone());
    let folder = line.value(&["-P", "--directory-prefix"]).map(|f| f.value.clone());
    let mut urls = addresses_of(&line);
    for list in line.values(&["-i", "--input-file"]) {
        listed(shell, list, line.value(&["-B", "--base"]), &mut urls);
    }
    let to_pipe = output.as_ref().is_some_and(|o| o.is("-") || o.is("/dev/stdout"));
    for url in &urls {
        let output = match (&output, to_pipe) {
            (_, true) => None,
            (Some(output), _) => Some(output.clone()),
            (None, _) => {
                let name = own_name(&url.value, call.span);
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

/// `-i file`: an address a line, if the file's text is known.
fn listed(
    shell: &Interpreter<'_, '_>,
    list: &Argument,
    base: Option<&Argument>,
    urls: &mut Vec<Argument>,
) {
    let Some(content) = text_of(shell, list) else { return };
    let Some(text) = content.as_known() else { return };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, kept) = (at + line.len() - line.trim_start().len(), line.trim());
        at += line.len();
        if kept.is_empty() || kept.starts_with('#') {
            continue;
        }
        let Some(mut value) = content.slice(start..start + kept.len()) else { continue };
        if let (Some(base), false) = (base, kept.contains("://")) {
            value = base.value.concat(&value);
        }
        urls.push(Argument { value, span: list.span });
    }
}

pub(super) fn other(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let values: &[&str] = match name {
        "aria2c" => &["-o", "-d", "-x", "-s", "-j", "-k", "-i", "--out", "--dir", "--header"],
        "axel" => &["-o", "-n", "-s", "-H", "-U", "--output", "--num-connections"],
        _ => &["-o", "--output", "-a", "--auth"],
    };
    let line = Line::read(call.arguments(), values);
    let address = |o: &&Argument| o.value.spelling().contains("://");
    let urls: Vec<Argument> = line.operands.iter().filter(address).cloned().collect();
    let given = line.value(&["-o", "--out", "--output"]).map(|o| o.value.clone());
    // HTTPie prints unless it is told otherwise; its `-d` takes no folder.
    let prints = matches!(name, "http" | "https" | "xh")
        && given.is_none()
        && !line.has(&["-d", "--download"]);
    let second = line.operands.get(1).filter(|_| name == "lwp-download").map(|o| o.value.clone());
    for url in &urls {
        let name = given.clone().or_else(|| second.clone());
        let name = name.unwrap_or_else(|| own_name(&url.value, call.span));
        let output: Value = match line.value(&["-d", "--dir"]) {
            Some(folder) => below(&folder.value, &name, call.span),
            None => name,
        };
        record(shell, Fetcher::Other, url, (!prints).then_some(output), call.span);
    }
    !urls.is_empty()
}
