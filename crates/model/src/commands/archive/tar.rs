//! tar.

use super::{super::options::Line, Member, archive, folder, unpack};
use crate::{
    effect::Argument,
    files::{absolute, file_name},
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

#[rustfmt::skip]
const VALUES: &[&str] = &[
    "-b", "-C", "-F", "-f", "-g", "-H", "-I", "-K", "-L", "-N", "-s", "-T", "-V", "-X",
    "--after-date", "--blocking-factor", "--directory", "--exclude", "--exclude-from", "--file",
    "--files-from", "--format", "--group", "--label", "--mode", "--mtime", "--newer", "--owner",
    "--sort", "--strip", "--strip-components", "--to-command", "--transform",
    "--use-compress-program", "--warning", "--xform", "--checkpoint-action",
];

/// `tar xzfC file folder`: without a dash, each letter takes its value from the words behind, in
/// order.
fn with_dashes(words: &[Argument]) -> Vec<Argument> {
    let Some((first, rest)) = words.split_first() else { return Vec::new() };
    let Some(letters) = first.value.as_known().filter(|t| !t.starts_with('-')) else {
        return words.to_vec();
    };
    let dashed = |letter: char| Argument {
        value: Value::known(format!("-{letter}"), Origin::Literal, first.span),
        span: first.span,
    };
    let mut rest = rest.iter();
    let mut out = Vec::new();
    for letter in letters.chars() {
        let option = dashed(letter);
        let takes = VALUES.iter().any(|v| option.value.is(v));
        out.push(option);
        if takes {
            out.extend(rest.next().cloned());
        }
    }
    out.extend(rest.cloned());
    out
}

pub(super) fn tar(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(&with_dashes(call.arguments()), VALUES);
    if line.has(&["-c", "--create"]) {
        return super::super::carry::pack(shell, &line, call);
    }
    if !line.has(&["-x", "--extract", "--get"]) {
        // `tar t` prints names.
        return false;
    }
    let file = line.value(&["-f", "--file"]).cloned();
    if line.has(&["-O", "--to-stdout", "--to-command"]) {
        let Some(archive) = archive(shell, file.as_ref()) else { return false };
        shell.print_file(crate::artifact::Artifact { content: None, ..archive }, call.span);
        return true;
    }
    let Some(archive) = archive(shell, file.as_ref()) else { return true };
    let given = line.value(&["-C", "--directory"]);
    let Some(mut folder) = folder(shell, given) else { return true };
    let strip = line.value(&["--strip-components", "--strip"]);
    let strip = strip.and_then(|s| s.value.as_known()?.parse().ok()).unwrap_or(0);
    if let Some((_, own)) = line.options.iter().find(|(name, _)| name == "--one-top-level") {
        let name = match own {
            Some(own) => own.value.as_known().map(std::borrow::Cow::into_owned),
            None => Some(stem(file_name(&archive.path)).to_owned()),
        };
        match name {
            Some(name) => folder = absolute(&folder, &name),
            None => return true,
        }
    }
    // Lists of names in a file are not followed: anything may come out.
    let listed = line.has(&["-T", "--files-from"]);
    let renamed = line.has(&["--transform", "--xform", "-s"]);
    let members: Vec<Member> = match listed || renamed {
        true => Vec::new(),
        false => line.operands.iter().filter_map(|m| Member::of(m, strip)).collect(),
    };
    if members.is_empty() && !line.operands.is_empty() && !listed && !renamed {
        // Members of which the stripped parts are all there is: what is below them.
        unpack(shell, &archive, &folder, &[], call);
        return true;
    }
    unpack(shell, &archive, &folder, &members, call);
    true
}

/// `a.tar.gz` → `a`.
fn stem(name: &str) -> &str {
    let cut = name.find(".tar").or_else(|| name.rfind('.')).unwrap_or(name.len());
    &name[..cut]
}
