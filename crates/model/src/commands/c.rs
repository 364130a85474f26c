//! C compilers and what is built with them.

use super::{
    go::{Place, crosses, put},
    names::platform_in,
    options::Line,
    rust::triple_machine,
};
use crate::{
    artifact::Made,
    effect::{Argument, Compile, EffectKind, Setting, Tool},
    files::join,
    machine::{Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    value::Truth,
};

const VALUES: &[&str] = &[
    "-o",
    "-I",
    "-L",
    "-D",
    "-U",
    "-x",
    "-target",
    "--target",
    "-isystem",
    "-include",
    "-MF",
    "-MT",
    "-MQ",
    "-arch",
    "-Xlinker",
    "-T",
    "-idirafter",
    "--sysroot",
    "-framework",
];

/// Whether a program is a C or C++ compiler, maybe for another machine.
pub(super) fn is_compiler(name: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let base = stem.rsplit('-').next().unwrap_or(stem);
    matches!(base, "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++")
}

pub(super) fn compile(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    compile_words(shell, name, call.arguments(), call)
}

/// `zig cc`, `zig c++`, `zig build`, `zig build-exe`.
pub(super) fn zig(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let Some((command, words)) = call.arguments().split_first() else { return false };
    match command.value.as_known().as_deref() {
        Some("cc" | "c++" | "build-exe") => compile_words(shell, "zig", words, call),
        Some("build") => {
            let target = words.iter().find_map(|w| {
                let prefix = w.value.known_prefix();
                let at = prefix.strip_prefix("-Dtarget=").map(|_| "-Dtarget=".len())?;
                let value = w.value.without_prefix(at)?;
                Some(Setting { name: "-Dtarget".to_owned(), value, span: w.span })
            });
            let machine = match &target {
                Some(target) => triple_machine(shell, target),
                None => Machine::native(shell.runs_on().as_ref()),
            };
            let places = shell.directory.as_ref().map(|d| Place::folder(join(d, "zig-out")));
            let places: Vec<Place> = places.into_iter().collect();
            let compile = Compile {
                tool: Tool::Zig,
                cross: crosses(shell, &machine),
                machine: machine.clone(),
                linkage: Linkage::Unknown,
                cgo: None,
                outputs: places.iter().map(|p| p.path.clone()).collect(),
                settings: target.into_iter().collect(),
            };
            shell.effect(EffectKind::Compile(compile), call.span);
            let made = Made::Compiled { tool: Tool::Zig, cgo: None };
            put(shell, call, places, &made, &machine, Linkage::Unknown);
            true
        }
        _ => false,
    }
}

fn compile_words(
    shell: &mut Interpreter<'_, '_>,
    name: &str,
    words: &[Argument],
    call: &Call,
) -> bool {
    let line = Line::read_long(words, VALUES);
    if line.operands.is_empty() {
        return !line.has(&["--version", "-v", "-dumpversion", "-dumpmachine"]);
    }
    let target = line.value(&["--target", "-target"]).map(|t| Setting {
        name: "--target".to_owned(),
        value: t.value.clone(),
        span: t.span,
    });
    let machine = match &target {
        Some(target) => triple_machine(shell, target),
        None => machine_by_name(shell, name, call, &line),
    };
    let cross = crosses(shell, &machine);
    let triple = target.as_ref().map_or_else(|| name.to_owned(), |t| t.value.spelled().text);
    let linkage = match () {
        () if line.has(&["-c", "-E", "-S", "-shared"]) => Linkage::Unknown,
        () if line.has(&["-static", "--static", "-static-pie"]) => Linkage::Static,
        () if name == "zig" && triple.contains("musl") => Linkage::Static,
        () if triple.contains("musl") => Linkage::Musl,
        () if triple.contains("gnu") => Linkage::Glibc,
        () if cross == Truth::No => Linkage::dynamic(shell.state.libc),
        () => Linkage::Unknown,
    };
    let output = match line.value(&["-o"]) {
        Some(output) => shell.path(&output.value),
        None if line.has(&["-c", "-E", "-S"]) => None,
        None => shell.absolute("a.out"),
    };
    let compile = Compile {
        tool: Tool::C,
        machine: machine.clone(),
        cross,
        linkage,
        cgo: None,
        outputs: output.iter().cloned().collect(),
        settings: target.into_iter().collect(),
    };
    shell.effect(EffectKind::Compile(compile), call.span);
    let places: Vec<Place> = output.into_iter().map(Place::file).collect();
    put(shell, call, places, &Made::Compiled { tool: Tool::C, cgo: None }, &machine, linkage);
    true
}

fn machine_by_name(shell: &Interpreter<'_, '_>, name: &str, call: &Call, line: &Line) -> Machine {
    let native = shell.runs_on();
    match platform_in(name, shell.world.target) {
        Some(platform) => {
            let value = call.argv.first().map(|a| a.value.clone()).unwrap_or_default();
            let span = call.argv.first().map_or(call.span, |a| a.span);
            let source = MachineSource::Setting { name: "compiler".to_owned(), value, span };
            Machine { kind: MachineKind::Platform(platform), source }
        }
        None if line.has(&["-m32"]) && native.as_ref().is_some_and(|p| p.arch() == "amd64") => {
            Machine {
                kind: MachineKind::Platform(mlint_oci::Platform::linux("386")),
                source: MachineSource::StagePlatform,
            }
        }
        // `aarch64-none-elf-gcc` and the like: not for Linux.
        None if name.matches('-').count() >= 2 => Machine::unknown(),
        None => Machine::native(native.as_ref()),
    }
}
