//! Programs that carry machine code on under another name: `strip -o`, `objcopy`, `tar c`,
//! `find -exec`.

use super::options::Line;
use crate::{
    artifact::Artifact,
    effect::Argument,
    files::{UNKNOWN_NAME, file_name, join},
    machine::{Linkage, MachineKind},
    shell::{Call, Interpreter, Status},
    value::{Origin, Value},
};

/// Commands that one `find -exec` is followed into.
const MAX_FOUND: usize = 16;

/// `strip`, `upx`, `objcopy`, `dd`, `patchelf`. They print nothing.
pub(super) fn rewrite(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let base = name.rsplit('-').next().unwrap_or(name);
    match base {
        "dd" => {
            let part = |key: &str| {
                let word =
                    call.arguments().iter().find(|w| w.value.known_prefix().starts_with(key))?;
                shell.path(&word.value.without_prefix(key.len())?)
            };
            if let (Some(from), Some(to)) = (part("if="), part("of=")) {
                copy(shell, &from, to, call);
            }
        }
        "patchelf" => {
            let values = ["--set-interpreter", "--set-rpath", "--add-needed", "--remove-needed"];
            let line = Line::read(call.arguments(), &values);
            if line.has(&["--set-interpreter"]) {
                relink(shell, &line.operands);
            }
        }
        "objcopy" => {
            let values = ["-O", "-I", "-j", "-R", "-B", "--output-target", "--only-section"];
            let line = Line::read(call.arguments(), &values);
            if let [from, to] = &line.operands[..]
                && let (Some(from), Some(to)) = (shell.path(&from.value), shell.path(&to.value))
            {
                copy(shell, &from, to, call);
            }
        }
        _ => {
            let line = Line::read(call.arguments(), &["-o", "-R", "-K", "-N", "--output"]);
            let to = line.value(&["-o", "--output"]).and_then(|o| shell.path(&o.value));
            let from = line.operands.last().and_then(|o| shell.path(&o.value));
            if let (Some(from), Some(to)) = (from, to) {
                copy(shell, &from, to, call);
            }
        }
    }
    true
}

fn copy(shell: &mut Interpreter<'_, '_>, from: &str, to: String, call: &Call) {
    let Some(artifact) = shell.state.files.find(from) else { return };
    let (station, certain) = (shell.station(to.clone(), call.span), shell.is_certain());
    let moved = Artifact { folder: false, ..artifact.moved(to, station, certain) };
    shell.state.files.put(moved);
}

/// Another loader is written into programs: which library that belongs to, is not followed.
fn relink(shell: &mut Interpreter<'_, '_>, programs: &[Argument]) {
    for program in programs {
        let found = shell.path(&program.value).and_then(|p| shell.state.files.at(&p).cloned());
        if let Some(artifact) = found {
            shell.state.files.put(Artifact { linkage: Linkage::Unknown, ..artifact });
        }
    }
}

/// `tar c…`, its line read: an archive is for the machine of what is in it.
pub(super) fn pack(shell: &mut Interpreter<'_, '_>, line: &Line, call: &Call) -> bool {
    let folder = match line.value(&["-C", "--directory"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let mut members = Vec::new();
    for operand in &line.operands {
        let Some(path) = shell.path_from(folder.as_deref(), &operand.value) else { return false };
        members.extend(shell.state.files.select(&path).into_iter().map(|s| s.artifact));
    }
    let Some(archive) = common(members) else { return false };
    match line.value(&["-f", "--file"]).filter(|f| !f.value.is("-")) {
        Some(file) => {
            let Some(path) = shell.path(&file.value) else { return true };
            let (station, certain) = (shell.station(path.clone(), call.span), shell.is_certain());
            shell.state.files.put(archive.moved(path, station, certain));
        }
        None => shell.print_file(archive, call.span),
    }
    true
}

/// What several files have in common, as one.
fn common(members: Vec<Artifact>) -> Option<Artifact> {
    let is_code = |a: &Artifact| a.machine.kind != MachineKind::Independent;
    let code: Vec<&Artifact> = members.iter().filter(|a| is_code(a)).collect();
    let first = code.first().copied().or(members.first())?;
    let mut archive = Artifact { folder: false, content: None, ..first.clone() };
    for other in code {
        if other.machine.kind != archive.machine.kind {
            archive.machine = crate::machine::Machine::unknown();
        }
        if other.linkage != archive.linkage {
            archive.linkage = Linkage::Unknown;
        }
        archive.certain &= other.certain;
    }
    Some(archive)
}

/// Conditions of `find` of which nothing is known: which files they choose, cannot be told.
#[rustfmt::skip]
const CHOOSING: &[&str] = &[
    "!", "-not", "-executable", "-perm", "-size", "-empty", "-newer", "-mtime", "-mmin", "-ctime",
    "-atime", "-user", "-group", "-links", "-regex", "-path", "-wholename",
];

/// `find ROOT… -name NAME -exec COMMAND {} …`. `false` if it prints.
pub(super) fn find(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let words = call.arguments();
    let texts: Vec<String> = words.iter().map(|w| w.value.spelling().into_owned()).collect();
    let Some(at) = texts.iter().position(|t| t == "-exec") else {
        return texts.iter().any(|t| t == "-delete");
    };
    let end = texts[at..].iter().position(|t| matches!(t.as_str(), ";" | "+"));
    let end = end.map_or(words.len(), |n| at + n);
    let roots = texts.iter().take_while(|t| !t.starts_with(['-', '(', '!'])).count();
    let name = texts.iter().position(|t| t == "-name").and_then(|n| words.get(n + 1));
    let name = match name.map(|n| n.value.as_known()) {
        Some(Some(name)) => Some(name.into_owned()),
        Some(None) => return true,
        None => None,
    };
    let mut found = Vec::new();
    for root in &words[..roots] {
        let Some(root) = shell.path(&root.value) else { return true };
        found.extend(below(shell, &root, name.as_deref()));
    }
    found.truncate(MAX_FOUND);
    let command = &words[at + 1..end];
    if texts[roots..at].iter().any(|t| CHOOSING.contains(&t.as_str())) {
        let argv = command
            .iter()
            .map(|word| match word.value.is("{}") {
                true => {
                    let value = Value::unknown(Origin::CommandOutput, word.span);
                    Argument { value, span: word.span }
                }
                false => word.clone(),
            })
            .collect();
        let inner = Call { argv, prefix: call.prefix.clone(), span: call.span };
        shell.if_any(|shell| shell.run_found(inner));
        return true;
    }
    for path in found {
        let argv = command
            .iter()
            .map(|word| match word.value.is("{}") {
                true => {
                    let value = Value::known(path.as_str(), Origin::CommandOutput, word.span);
                    Argument { value, span: word.span }
                }
                false => word.clone(),
            })
            .collect();
        shell.run_found(Call { argv, prefix: call.prefix.clone(), span: call.span });
    }
    // With `;`, a failure is not told; with `+`, it is that of the last group.
    shell.set_status(Status::Assumed);
    true
}

/// The files below a folder that have a name.
fn below(shell: &Interpreter<'_, '_>, root: &str, name: Option<&str>) -> Vec<String> {
    let files = &shell.state.files;
    let fits = |path: &str| {
        let own = file_name(path);
        own != UNKNOWN_NAME && name.is_none_or(|n| crate::glob::matches(n, own))
    };
    let known = files.below(root).filter(|(_, a)| !a.folder).map(|(path, _)| path.clone());
    let mut found: Vec<String> = known.filter(|p| fits(p)).collect();
    if let Some(name) = name.filter(|n| found.is_empty() && !n.contains(['*', '?', '['])) {
        // In a folder of unknown names, at the top or further down.
        let direct = join(root, name);
        let folder = || files.below(root).find(|(_, a)| a.folder).map(|(_, a)| join(&a.path, name));
        let there = files.find(&direct).filter(|a| a.machine.platform().is_some());
        found.extend(there.map(|_| direct).or_else(folder));
    }
    found
}
