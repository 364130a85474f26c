//! zip, 7z, cpio, ar, and packages taken apart.

use super::{super::options::Line, Member, archive, folder, packed, put_packed, unpack};
use crate::{
    artifact::Artifact,
    effect::Argument,
    files::join,
    shell::{Call, Interpreter},
};

pub(super) fn unzip(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let mut words = call.arguments().to_vec();
    // What is left out are words up to the next option: `-x a b -d folder`.
    if let Some(at) = words.iter().position(|w| w.value.is("-x")) {
        let left_out = |w: &Argument| !w.value.known_prefix().starts_with('-');
        let n = words[at + 1..].iter().take_while(|w| left_out(w)).count();
        words.drain(at..=at + n);
    }
    let line = Line::read(&words, &["-d", "-P"]);
    let Some((file, members)) = line.operands.split_first() else { return true };
    let Some(archive) = archive(shell, Some(file)) else { return !line.has(&["-p", "-c"]) };
    if line.has(&["-p", "-c"]) {
        shell.print_file(Artifact { content: None, ..archive }, call.span);
        return true;
    }
    if line.has(&["-l", "-t", "-Z", "-v"]) {
        return false;
    }
    let Some(folder) = folder(shell, line.value(&["-d"])) else { return true };
    // Without paths, a member lies right in the folder.
    let flat = line.has(&["-j"]);
    let member = |word: &Argument| match flat {
        true => Member::of(&last_part(word), 0),
        false => Member::of(word, 0),
    };
    let members: Vec<Member> = members.iter().filter_map(member).collect();
    unpack(shell, &archive, &folder, &members, call);
    true
}

fn last_part(member: &Argument) -> Argument {
    let value = super::super::url_file_name(&member.value).unwrap_or_else(|| member.value.clone());
    Argument { value, span: member.span }
}

/// `7z x file -ofolder`, `unrar x file folder/`.
pub(super) fn seven_zip(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let name = call.name().unwrap_or_default();
    let is_unar = name == "unar";
    // Options have their values attached, and clusters are none: `-o/folder`, `-aoa`.
    let (options, words): (Vec<&Argument>, Vec<&Argument>) =
        call.arguments().iter().partition(|w| w.value.known_prefix().starts_with('-'));
    let given = options.iter().find_map(|o| {
        let is_folder = name.starts_with('7') && o.value.known_prefix().starts_with("-o");
        let value = o.value.without_prefix(2).filter(|v| is_folder && !v.is_empty())?;
        Some(Argument { value, span: o.span })
    });
    let mut operands = words.into_iter();
    let verb = if is_unar { None } else { operands.next().and_then(|v| v.value.as_known()) };
    if !is_unar && !matches!(verb.as_deref(), Some("x" | "e")) {
        return false;
    }
    let Some(archive) = archive(shell, operands.next()) else { return true };
    if options.iter().any(|o| o.value.is("-so")) {
        shell.print_file(Artifact { content: None, ..archive }, call.span);
        return true;
    }
    let mut rest: Vec<&Argument> = operands.collect();
    let last_is_folder = rest.last().is_some_and(|l| l.value.known_suffix().ends_with('/'));
    let given = given.or_else(|| if last_is_folder { rest.pop().cloned() } else { None });
    let Some(folder) = folder(shell, given.as_ref()) else { return true };
    let flat = verb.as_deref() == Some("e");
    let member = |word: &&Argument| match flat {
        true => Member::of(&last_part(word), 0),
        false => Member::of(word, 0),
    };
    let members: Vec<Member> = rest.iter().filter_map(member).collect();
    unpack(shell, &archive, &folder, &members, call);
    true
}

/// `rpm2cpio x.rpm | cpio -idm`
pub(super) fn cpio(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-D", "--directory", "-F", "--file", "-H", "-R"]);
    if !line.has(&["-i", "--extract"]) {
        return false;
    }
    let file = line.value(&["-F", "--file"]).cloned();
    let Some(archive) = archive(shell, file.as_ref()) else { return true };
    let Some(folder) = folder(shell, line.value(&["-D", "--directory"])) else { return true };
    let members: Vec<Member> = line.operands.iter().filter_map(|m| Member::of(m, 0)).collect();
    unpack(shell, &archive, &folder, &members, call);
    true
}

/// `ar x file.deb [data.tar.xz]`
pub(super) fn ar(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["--output"]);
    let mut operands = line.operands.iter();
    let dashed = line.has(&["-x", "-p"]);
    let verb = if dashed { None } else { operands.next().and_then(|v| v.value.as_known()) };
    if !dashed && !verb.is_some_and(|v| v.starts_with(['x', 'p'])) {
        return false;
    }
    let Some(archive) = archive(shell, operands.next()) else { return true };
    let prints = line.has(&["-p"])
        || call.text(1).is_some_and(|t| t.trim_start_matches('-').starts_with('p'));
    if prints {
        shell.print_file(Artifact { content: None, ..archive }, call.span);
        return true;
    }
    let Some(folder) = folder(shell, line.value(&["--output"])) else { return true };
    let members: Vec<Member> = operands.filter_map(|m| Member::of(m, 0)).collect();
    unpack(shell, &archive, &folder, &members, call);
    true
}

/// `jar xf file [members]`, `jar cf file -C folder .`
pub(super) fn jar(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let verb = call.text(1).map(std::borrow::Cow::into_owned).unwrap_or_default();
    let letters = verb.trim_start_matches('-').to_owned();
    if letters.starts_with('x') || verb == "--extract" {
        let rest = call.argv.get(2..).unwrap_or_default();
        let rest = rest.iter().filter(|w| !w.value.known_prefix().starts_with('-'));
        let rest: Vec<&Argument> = rest.collect();
        let Some((file, members)) = rest.split_first() else { return true };
        let (Some(archive), Some(folder)) = (archive(shell, Some(file)), shell.directory.clone())
        else {
            return true;
        };
        let members: Vec<Member> = members.iter().filter_map(|m| Member::of(m, 0)).collect();
        unpack(shell, &archive, &folder, &members, call);
        return true;
    }
    !letters.starts_with('t')
}

/// `rpm2cpio file`: its contents as a stream.
pub(super) fn rpm_contents(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let file = call.arguments().iter().find(|a| !a.value.known_prefix().starts_with('-'));
    let Some(archive) = archive(shell, file) else { return false };
    shell.print_file(Artifact { content: None, ..archive }, call.span);
    true
}

/// `dpkg-deb -x file folder`, also as `dpkg -x`; `dpkg-deb --fsys-tarfile file | tar x`;
/// `dpkg-deb --build folder file`.
pub(crate) fn deb(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-Z", "-z"]);
    let Some(file) = line.operands.first() else { return false };
    if line.has(&["-b", "--build"]) {
        let contents = shell.path(&file.value).and_then(|p| packed(shell, &[p]));
        let path = line.operands.get(1).and_then(|o| shell.path(&o.value));
        if let (Some(contents), Some(path)) = (contents, path) {
            put_packed(shell, &contents, path, call);
        }
        return true;
    }
    let Some(archive) = archive(shell, Some(file)) else { return true };
    if line.has(&["--fsys-tarfile"]) {
        shell.print_file(Artifact { content: None, ..archive }, call.span);
        return true;
    }
    if !line.has(&["-x", "-X", "-R", "--extract", "--vextract", "--raw-extract"]) {
        return false;
    }
    if let Some(folder) = line.operands.get(1).and_then(|f| shell.path(&f.value)) {
        unpack(shell, &archive, &folder, &[], call);
    }
    true
}

/// `unsquashfs -d folder file`
pub(super) fn squashfs(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read_long(call.arguments(), &["-d", "-dest", "-p", "-processors"]);
    let Some(archive) = archive(shell, line.operands.first()) else { return true };
    let folder = match line.value(&["-d", "-dest"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.as_ref().map(|d| join(d, "squashfs-root")),
    };
    if let Some(folder) = folder {
        unpack(shell, &archive, &folder, &[], call);
    }
    true
}

/// `python -m zipfile -e file folder`, `python -m tarfile -e file [folder]`.
pub(crate) fn python_module(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let is_module = call.text(1).as_deref() == Some("-m")
        && matches!(call.text(2).as_deref(), Some("zipfile" | "tarfile"));
    if !is_module || !matches!(call.text(3).as_deref(), Some("-e" | "--extract")) {
        return false;
    }
    let Some(archive) = archive(shell, call.argv.get(4)) else { return true };
    if let Some(folder) = folder(shell, call.argv.get(5)) {
        unpack(shell, &archive, &folder, &[], call);
    }
    true
}
