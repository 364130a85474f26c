//! `sha256sum -c`: what is compared, and sums of files that are not there.

use mlint_oci::arch::find_words;

use super::options::Line;
use crate::{
    artifact::Made,
    effect::{Argument, EffectKind},
    files::file_name,
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

/// Always prints.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    // shasum's number of bits is a word of its own.
    let line = Line::read(call.arguments(), &["-a", "--algorithm"]);
    compared(shell, call, &line);
    let checks = line.has(&["-c", "--check"]) && !line.has(&["--ignore-missing"]);
    let reads = line.operands.iter().all(|o| o.value.is("-") || o.value.is("/dev/stdin"));
    if checks
        && reads
        && let Some(list) = shell.input_text()
        && let Some(list) = list.as_known()
        && let Some((wanted, there)) = list.lines().find_map(|line| missing(shell, line))
    {
        let message = format!("{wanted} is not there: {there} was downloaded");
        shell.command_fails(call.span, message);
    }
    false
}

/// With `-c`, the list comes from a file or from the standard input.
fn compared(shell: &mut Interpreter<'_, '_>, call: &Call, line: &Line) {
    if !line.has(&["-c", "--check"]) {
        return;
    }
    let from_input = |o: &&Argument| o.value.is("-") || o.value.is("/dev/stdin");
    let sums = match line.operands.iter().find(|o| !from_input(o)) {
        None => shell.input_text(),
        Some(file) => shell
            .path(&file.value)
            .and_then(|path| shell.state.files.find(&path))
            .and_then(|file| file.content.filter(|_| file.certain)),
    };
    let sums = sums.unwrap_or_else(|| Value::unknown(Origin::CommandOutput, call.span));
    shell.effect(EffectKind::Checksum { sums }, call.span);
}

/// The file that a line of sums names, if it is not there, and a file of the same name but for its
/// architecture was downloaded instead. (Others may have come in ways that are not followed.)
fn missing(shell: &Interpreter<'_, '_>, line: &str) -> Option<(String, String)> {
    let (_, name) = line.trim().split_once(char::is_whitespace)?;
    let name = name.trim_start().trim_start_matches('*');
    let path = shell.absolute(name)?;
    if shell.state.files.find(&path).is_some() {
        return None;
    }
    let plain = without_arch(&path)?;
    let folder =
        path.rsplit_once('/').map(|(folder, _)| if folder.is_empty() { "/" } else { folder })?;
    let sibling = shell.state.files.below(folder).find(|(other, artifact)| {
        artifact.certain
            && !artifact.folder
            && matches!(artifact.made, Made::Downloaded { .. })
            && without_arch(other).is_some_and(|other| other == plain)
    })?;
    Some((path.clone(), file_name(sibling.0).to_owned()))
}

/// A path without its architecture words; `None` if there are none.
fn without_arch(path: &str) -> Option<String> {
    let words = find_words(path);
    let mut out = String::with_capacity(path.len());
    let mut at = 0;
    for word in words.iter().filter(|w| !w.platforms.is_empty()) {
        out.push_str(path.get(at..word.range.start)?);
        at = word.range.end;
    }
    out.push_str(path.get(at..)?);
    (at > 0).then_some(out)
}
