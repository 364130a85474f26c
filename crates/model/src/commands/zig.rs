//! Zig: a compiler for every target, and a C compiler besides.

use super::{
    built::{Built, Place, record},
    c,
    options::Line,
    triple::triple_machine,
};
use crate::{
    effect::{Argument, Setting, Tool},
    files::{file_name, join},
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
};

pub(super) fn run(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let Some((command, words)) = call.arguments().split_first() else { return false };
    match command.value.as_known().as_deref() {
        Some("cc" | "c++") => c::compile_words(shell, "zig", words, call),
        Some("build-exe" | "build-lib" | "build-obj") => {
            let is_program = command.value.is("build-exe");
            compile(shell, call, words, is_program);
            true
        }
        Some("build") => {
            build(shell, call, words);
            true
        }
        _ => false,
    }
}

fn machine(shell: &Interpreter<'_, '_>, target: Option<&Setting>) -> Machine {
    match target {
        Some(target) if !target.value.is("native") => triple_machine(shell, target),
        _ => Machine::native(shell.runs_on().as_ref()),
    }
}

/// Zig links no C library unless it is asked to, and musl statically.
fn linkage(shell: &Interpreter<'_, '_>, target: Option<&Setting>, wants_c: bool) -> Linkage {
    let triple = target.map(|t| t.value.spelling()).unwrap_or_default();
    match () {
        () if triple.contains("musl") => Linkage::Static,
        () if !wants_c => Linkage::Unknown,
        () if triple.contains("gnu") => Linkage::Glibc,
        () if triple.is_empty() => Linkage::dynamic(shell.state.libc),
        () => Linkage::Unknown,
    }
}

/// `zig build-exe -target … main.zig`: the program is called like the source, or `--name`.
fn compile(shell: &mut Interpreter<'_, '_>, call: &Call, words: &[Argument], is_program: bool) {
    const VALUES: &[&str] = &["-target", "--name", "-O", "-mcpu", "--mod", "--deps", "-I", "-L"];
    let line = Line::read_long(words, VALUES);
    let target = line.value(&["-target", "--target"]).map(|t| Setting {
        name: "-target".to_owned(),
        value: t.value.clone(),
        span: t.span,
    });
    let emitted =
        line.value(&["-femit-bin"]).map(|o| o.value.clone()).and_then(|value| shell.path(&value));
    let name = line.value(&["--name"]).map(|n| n.value.as_known().map(|t| t.into_owned()));
    let stem = || {
        let source = line.operand(0)?;
        Some(file_name(&source).rsplit_once('.')?.0.to_owned())
    };
    let named = match name {
        Some(name) => name,
        None => stem(),
    };
    let path = emitted.or_else(|| shell.absolute(&named.filter(|_| is_program)?));
    let machine = machine(shell, target.as_ref());
    let linkage = linkage(shell, target.as_ref(), line.has(&["-lc"]));
    let places = path.into_iter().map(Place::file).collect();
    let settings = target.into_iter().collect();
    record(shell, call, Built { tool: Tool::Zig, machine, linkage, cgo: None, places, settings });
}

/// `zig build -Dtarget=…`: into `zig-out`, or below `--prefix`.
fn build(shell: &mut Interpreter<'_, '_>, call: &Call, words: &[Argument]) {
    let target = words.iter().rev().find_map(|w| {
        let prefix = w.value.known_prefix();
        let at = prefix.strip_prefix("-Dtarget=").map(|_| "-Dtarget=".len())?;
        let value = w.value.without_prefix(at)?;
        Some(Setting { name: "-Dtarget".to_owned(), value, span: w.span })
    });
    let line = Line::read_long(words, &["--prefix", "-p", "--build-file", "--cache-dir"]);
    let folder = match line.value(&["--prefix", "-p"]) {
        Some(prefix) => shell.path(&prefix.value),
        None => shell.directory.as_ref().map(|d| join(d, "zig-out")),
    };
    let machine = machine(shell, target.as_ref());
    let musl = target.as_ref().is_some_and(|t| t.value.spelling().contains("musl"));
    let linkage = if musl { Linkage::Static } else { Linkage::Unknown };
    let places = folder.into_iter().map(Place::folder).collect();
    let settings = target.into_iter().collect();
    record(shell, call, Built { tool: Tool::Zig, machine, linkage, cgo: None, places, settings });
}
