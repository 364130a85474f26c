//! cp, mv, install, ln, rm, mkdir.

use mlint_syntax::Span;

use super::options::Line;
use crate::{
    artifact::Made,
    effect::{Argument, Copy, CopyFrom, EffectKind},
    files::{Files, Selected, file_name, join},
    shell::{Call, Interpreter},
    value::GAP,
};

/// Puts what a copy took along below or at `dest`.
pub(crate) fn place(
    files: &mut Files,
    selected: Vec<Selected>,
    dest: &str,
    dest_is_folder: bool,
    certain: bool,
    station: impl Fn(String) -> crate::artifact::Station,
) {
    for Selected { artifact, top, rest } in selected {
        let path = match (top.is_empty(), dest_is_folder) {
            (true, _) if rest.is_empty() => dest.to_owned(),
            (true, _) => join(dest, &rest),
            (false, true) => join(dest, &top),
            (false, false) => dest.to_owned(),
        };
        files.put(artifact.moved(path.clone(), station(path), certain));
    }
}

/// Files that a pattern takes from a context have names like the pattern (`*.sh`) in the folder.
pub(crate) fn name_by_pattern(selected: &mut Selected, path: &str, folder: bool) {
    let name = file_name(path);
    let taken = folder
        && matches!(selected.artifact.made, Made::Context { .. })
        && !selected.artifact.folder
        && selected.top.is_empty();
    if taken && name.contains(['*', '?', '[']) {
        let stem = name.split(['*', '?', '[']).next().unwrap_or_default();
        let tail = name.rsplit(['*', '?', ']']).next().unwrap_or_default();
        selected.top = format!("{stem}{GAP}{tail}");
    }
}

pub(super) fn copy(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let values: &[&str] = match name {
        "install" => {
            &["-m", "--mode", "-o", "--owner", "-g", "--group", "-t", "--target-directory"]
        }
        "rsync" => &["-e", "--exclude", "--include", "--chmod", "--chown"],
        _ => &["-t", "--target-directory", "-S"],
    };
    let line = Line::read(call.arguments(), values);
    if name == "install" && line.has(&["-d", "--directory"]) {
        make(shell, &line.operands);
        return true;
    }
    let mut operands = line.operands.clone();
    let folder = line.value(&["-t", "--target-directory"]).cloned();
    let into_folder = folder.is_some();
    let dest = folder.or_else(|| if operands.len() > 1 { operands.pop() } else { None });
    let Some(dest) = dest.or_else(|| linked_here(name, &operands)) else { return true };
    let target = shell.path(&dest.value);
    shell.effect(
        EffectKind::Copy(Copy {
            from: CopyFrom::Here,
            sources: operands.clone(),
            dest: dest.clone(),
            target: target.clone(),
        }),
        call.span,
    );
    let Some(target) = target else { return true };
    let ends_in_slash = dest.value.known_suffix().ends_with('/');
    let many = operands.len() > 1;
    let contents = name == "rsync";
    if let [source] = &operands[..]
        && name == "mv"
        && ends_in_slash
        && !into_folder
        && !shell.state.files.is_folder(&target)
        && shell.path(&source.value).is_some_and(|p| is_release_folder(file_name(&p)))
    {
        rename(shell, source, &target, call.span);
        return true;
    }
    for source in operands {
        let sure = into_folder || ends_in_slash || many;
        one(shell, name, &source, &target, sure, contents, call.span);
    }
    true
}

/// Whether a name is what archives of releases call their folder: `gradle-9.1`.
fn is_release_folder(name: &str) -> bool {
    let version = name.rsplit_once('-').map_or("", |(_, version)| version.trim_start_matches('v'));
    version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// A folder is moved to where no folder is: it takes that name.
fn rename(shell: &mut Interpreter<'_, '_>, source: &Argument, target: &str, span: Span) {
    let Some(path) = shell.path(&source.value) else { return };
    let mut selected = shell.state.files.select(&path);
    for one in selected.iter_mut().filter(|s| !s.top.is_empty()) {
        one.top.clear();
        one.artifact.folder = true;
    }
    let certain = shell.is_certain();
    shell.state.files.remove(&path, certain);
    shell.state.files.make_folder(target);
    let (stage, instruction) = (shell.world.stage, shell.step.instruction);
    let station = move |path: String| crate::artifact::Station { stage, instruction, span, path };
    place(&mut shell.state.files, selected, target, true, certain, station);
}

/// One source of a copy or move.
fn one(
    shell: &mut Interpreter<'_, '_>,
    name: &str,
    source: &Argument,
    target: &str,
    surely_folder: bool,
    contents: bool,
    span: Span,
) {
    let Some(mut path) = shell.path(&source.value) else { return };
    if name == "ln" && !source.value.known_prefix().starts_with('/') {
        // A relative link starts from where it lies.
        let folder = target.rsplit_once('/').map_or("/", |(f, _)| f);
        let from_link = crate::files::absolute(folder, &source.value.known_prefix());
        if shell.state.files.find(&path).is_none() {
            path = from_link;
        }
    }
    let is_folder = surely_folder || shell.state.files.is_folder(target);
    let mut selected = shell.state.files.select(&path);
    let suffix = source.value.known_suffix();
    let takes_contents = contents && suffix.ends_with('/') || suffix.ends_with("/.");
    let is_pattern = path.contains(['*', '?', '[']);
    if is_folder && !takes_contents && !is_pattern {
        // A folder lands below the target under its own name.
        let own = file_name(&path).to_owned();
        for s in &mut selected {
            if s.top.is_empty() {
                s.rest = if s.rest.is_empty() { own.clone() } else { format!("{own}/{}", s.rest) };
            }
        }
    }
    if selected.iter().any(|s| s.top.is_empty()) && !is_folder {
        shell.state.files.make_folder(target);
    }
    let certain = shell.is_certain();
    if name == "mv" && is_pattern {
        for s in selected.iter().filter(|s| !s.artifact.folder) {
            shell.state.files.remove(&s.artifact.path, certain);
        }
    }
    if name == "mv" {
        shell.state.files.remove(&path, certain);
    }
    let (stage, instruction) = (shell.world.stage, shell.step.instruction);
    let station = move |path: String| crate::artifact::Station { stage, instruction, span, path };
    place(&mut shell.state.files, selected, target, is_folder, certain, station);
}

/// `ln -s /opt/x/bin/x` makes a link of the same name in the working directory.
fn linked_here(name: &str, operands: &[Argument]) -> Option<Argument> {
    let [source] = operands else { return None };
    let value = super::url_file_name(&source.value).filter(|n| !n.is_empty())?;
    (name == "ln").then_some(Argument { value, span: source.span })
}

/// `update-alternatives --install /usr/bin/x x /opt/x/bin/x 1` makes a link.
pub(super) fn alternatives(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let at = |word: &Argument| word.value.is("--install") || word.value.is("--slave");
    let mut words = call.arguments();
    while let Some(n) = words.iter().position(at) {
        words = &words[n + 1..];
        let [link, _, target, ..] = words else { break };
        if let Some(path) = shell.path(&link.value) {
            one(shell, "ln", target, &path, false, false, call.span);
        }
    }
    true
}

pub(super) fn remove(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &[]);
    let certain = shell.is_certain();
    for operand in &line.operands {
        let Some(path) = shell.path(&operand.value) else { continue };
        if let Some(folder) = path.strip_suffix("/*") {
            shell.state.files.clear(if folder.is_empty() { "/" } else { folder }, certain);
        } else if path.contains(['*', '?', '[']) {
            let selected = shell.state.files.select(&path).into_iter();
            let named = selected.filter(|s| !s.artifact.folder);
            let paths: Vec<String> = named.map(|s| s.artifact.path).collect();
            for path in paths {
                shell.state.files.remove(&path, certain);
            }
        } else {
            shell.state.files.remove(&path, certain);
        }
    }
    true
}

pub(super) fn make_folders(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-m", "--mode"]);
    make(shell, &line.operands);
    true
}

fn make(shell: &mut Interpreter<'_, '_>, operands: &[Argument]) {
    for operand in operands {
        if let Some(path) = shell.path(&operand.value) {
            shell.state.files.make_folder(&path);
        }
    }
}
