//! tar, unzip, gunzip: what comes out of a file is of the file's machine.

use super::options::Line;
use crate::{
    artifact::{Artifact, Made},
    effect::Argument,
    files::{file_name, join},
    shell::{Call, Interpreter},
};

/// The archive, if this Dockerfile brought it.
fn archive(shell: &Interpreter<'_, '_>, file: Option<&Argument>) -> Option<Artifact> {
    match file.filter(|f| !f.value.is("-")) {
        Some(file) => shell.path(&file.value).and_then(|p| shell.state.files.find(&p)),
        None => shell.input_file(),
    }
}

/// Puts what came out of `archive`: the named members, or something below `folder`.
fn unpack(
    shell: &mut Interpreter<'_, '_>,
    archive: &Artifact,
    folder: &str,
    members: &[Argument],
    strip: usize,
    call: &Call,
) {
    let certain = shell.is_certain();
    let made = |made: &Made| match made {
        Made::Context { .. } => Made::Context { path: None },
        Made::Downloaded { url } => Made::Downloaded { url: url.clone() },
        _ => Made::Unpacked,
    };
    let mut put = |path: String, whole: bool| {
        let station = shell.station(path.clone(), call.span);
        let moved = archive.moved(path, station, certain);
        let artifact =
            Artifact { folder: whole, content: None, made: made(&archive.made), ..moved };
        shell.state.files.put(artifact);
    };
    let names: Option<Vec<String>> = members
        .iter()
        .map(|m| {
            let text = m.value.as_known()?;
            (!text.contains(['*', '?'])).then(|| text.trim_start_matches("./").to_owned())
        })
        .collect();
    match names {
        Some(names) if !names.is_empty() => {
            for name in names {
                let kept: Vec<&str> = name.split('/').skip(strip).collect();
                if !kept.is_empty() {
                    put(join(folder, &kept.join("/")), name.ends_with('/'));
                }
            }
        }
        _ => put(folder.to_owned(), true),
    }
}

pub(super) fn tar(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    const VALUES: &[&str] = &[
        "-f",
        "--file",
        "-C",
        "--directory",
        "--strip-components",
        "--strip",
        "-T",
        "-X",
        "--exclude",
        "--transform",
        "-I",
        "--use-compress-program",
        "--owner",
        "--group",
        "--mode",
        "-s",
    ];
    let mut words = call.arguments().to_vec();
    // The first word needs no dash: `tar xzf`.
    if let Some(first) = words.first_mut() {
        let prefix = first.value.known_prefix();
        if !prefix.starts_with('-') && first.value.as_known().is_some() {
            let dash = crate::value::Value::known("-", crate::value::Origin::Literal, first.span);
            first.value = dash.concat(&first.value);
        }
    }
    let line = Line::read(&words, VALUES);
    if line.has(&["-c", "--create"]) {
        return super::carry::pack(shell, &line, call);
    }
    if !line.has(&["-x", "--extract", "--get"]) {
        // `tar c … | …`: what comes out is no download.
        return false;
    }
    if line.has(&["-O", "--to-stdout"]) {
        return false;
    }
    let file = line.value(&["-f", "--file"]).cloned();
    let Some(archive) = archive(shell, file.as_ref()) else { return true };
    let folder = match line.value(&["-C", "--directory"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let strip = line.value(&["--strip-components", "--strip"]);
    let strip = strip.and_then(|s| s.value.as_known()?.parse().ok()).unwrap_or(0);
    if let Some(folder) = folder {
        unpack(shell, &archive, &folder, &line.operands, strip, call);
    }
    true
}

pub(super) fn unzip(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-d", "-x", "-P"]);
    if line.has(&["-p", "-c"]) {
        return false;
    }
    let Some((file, members)) = line.operands.split_first() else { return true };
    let Some(archive) = archive(shell, Some(file)) else { return true };
    let folder = match line.value(&["-d"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let flat = usize::from(line.has(&["-j"])) * 64;
    if let Some(folder) = folder {
        let flattened: Vec<Argument> = match flat {
            0 => members.to_vec(),
            _ => members.iter().map(last_part).collect(),
        };
        unpack(shell, &archive, &folder, &flattened, 0, call);
    }
    true
}

fn last_part(member: &Argument) -> Argument {
    let value = super::url_file_name(&member.value).unwrap_or_else(|| member.value.clone());
    Argument { value, span: member.span }
}

pub(super) fn decompress(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-o", "-S", "-T"]);
    let unpacks = name.starts_with("un")
        || matches!(name, "gunzip" | "bunzip2")
        || line.has(&["-d", "--decompress", "--uncompress"]);
    if !unpacks {
        return false;
    }
    let file = line.operands.first();
    let Some(artifact) = archive(shell, file) else { return file.is_some() };
    if file.is_none() || line.has(&["-c", "--stdout", "--to-stdout"]) {
        shell.print_file(artifact, call.span);
        return true;
    }
    let stem = |path: &str| {
        let name = file_name(path);
        let cut = name.rsplit_once('.').map_or(name.len(), |(stem, _)| stem.len());
        path[..path.len() - name.len() + cut].to_owned()
    };
    let path = match line.value(&["-o"]) {
        Some(output) => shell.path(&output.value),
        None => Some(stem(&artifact.path)),
    };
    if let Some(path) = path {
        let (station, certain) = (shell.station(path.clone(), call.span), shell.is_certain());
        if !line.has(&["-k", "--keep"]) {
            shell.state.files.remove(&artifact.path, certain);
        }
        let unpacked = Artifact { content: None, ..artifact.moved(path, station, certain) };
        shell.state.files.put(unpacked);
    }
    true
}
