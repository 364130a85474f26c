//! C compilers, assemblers and linkers.

use super::{
    built::{Built, Place, record},
    options::Line,
    triple::{triple_kind, triple_linkage, triple_machine},
    xx,
};
use crate::{
    artifact::{Artifact, Made},
    effect::{Argument, Setting, Tool},
    files::file_name,
    machine::{Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
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
    "-z",
    "-soname",
    "-rpath",
    "-m",
    "-dynamic-linker",
];

/// A name without its version: `gcc` of `gcc-12`, `clang++` of `clang++15`.
fn unversioned(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-')
}

/// Whether a program is a C, C++ or Fortran compiler, maybe for another machine.
pub(super) fn is_compiler(name: &str) -> bool {
    let stem = unversioned(name);
    let base = stem.rsplit('-').next().unwrap_or(stem);
    matches!(base, "gcc" | "g++" | "cc" | "c++" | "clang" | "clang++" | "gfortran" | "gdc" | "tcc")
        || matches!(name, "c89" | "c99" | "nvcc" | "icx" | "icpx")
}

/// Whether a program writes object files or archives of them.
pub(super) fn is_binutil(name: &str) -> bool {
    const NAMES: &[&str] = &["ld", "as", "ar", "ld.lld", "ld.bfd", "ld.gold", "llvm-ar"];
    let has_triple = name.matches('-').count() >= 2;
    let base = name.rsplit('-').next().filter(|_| has_triple).unwrap_or(name);
    NAMES.contains(&base) || matches!(name, "nasm" | "yasm")
}

pub(super) fn compile(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    if name.starts_with("xx-") && xx::clang(shell, call) {
        return true;
    }
    compile_words(shell, name, call.arguments(), call)
}

pub(super) fn compile_words(
    shell: &mut Interpreter<'_, '_>,
    name: &str,
    words: &[Argument],
    call: &Call,
) -> bool {
    let line = Line::read_long(words, VALUES);
    if line.operands.is_empty() {
        return !line.has(&["--version", "-v", "-dumpversion", "-dumpmachine", "--help"]);
    }
    let target = line.value(&["--target", "-target"]).map(|t| Setting {
        name: "--target".to_owned(),
        value: t.value.clone(),
        span: t.span,
    });
    let is_xx = name.starts_with("xx-");
    let machine = match &target {
        Some(target) if target.value.is("native") => Machine::native(shell.runs_on().as_ref()),
        Some(target) => triple_machine(shell, target),
        None if is_xx => xx::machine(shell, call),
        None => machine_by_name(shell, name, call, &line),
    };
    let linkage = match () {
        () if is_xx && target.is_none() => xx::linkage(shell, &line),
        () => {
            let triple = target.as_ref().map(|t| t.value.spelling());
            let native = machine.source == MachineSource::StagePlatform;
            linkage(shell, name, triple.as_deref(), &line, native)
        }
    };
    let mut settings: Vec<Setting> = target.into_iter().collect();
    if is_xx && settings.is_empty() {
        settings = xx::found_settings(shell, call);
    }
    let places = places(shell, &line);
    record(shell, call, Built { tool: Tool::C, machine, linkage, cgo: None, places, settings });
    true
}

/// `-o`, `a.out`, or an object file for each source.
fn places(shell: &Interpreter<'_, '_>, line: &Line) -> Vec<Place> {
    if let Some(output) = line.value(&["-o"]) {
        return shell.path(&output.value).map(Place::file).into_iter().collect();
    }
    if line.has(&["-E", "-fsyntax-only", "-M", "-MM"]) {
        return Vec::new();
    }
    let extension = match () {
        () if line.has(&["-c"]) => "o",
        () if line.has(&["-S"]) => "s",
        () => return shell.absolute("a.out").map(Place::file).into_iter().collect(),
    };
    let object = |source: &Argument| {
        let text = source.value.as_known()?;
        let (stem, _) = file_name(&text).rsplit_once('.')?;
        if stem.contains(['*', '?']) {
            return None;
        }
        Some(Place::file(shell.absolute(&format!("{stem}.{extension}"))?))
    };
    line.operands.iter().filter_map(object).collect()
}

fn linkage(
    shell: &Interpreter<'_, '_>,
    name: &str,
    target: Option<&str>,
    line: &Line,
    native: bool,
) -> Linkage {
    let triple = target.unwrap_or(name);
    match () {
        // A shared library does not name a loader, and musl's stands in for glibc's libc.so.6.
        () if line.has(&["-c", "-E", "-S", "-shared", "-nostdlib", "-r"]) => Linkage::Unknown,
        () if line.has(&["-static", "--static", "-static-pie"]) => Linkage::Static,
        () if name == "zig" && triple.contains("musl") => Linkage::Static,
        () if triple.contains("musl") || triple.contains("gnu") => triple_linkage(triple),
        () if native => Linkage::dynamic(shell.state.libc),
        () => Linkage::Unknown,
    }
}

fn machine_by_name(shell: &Interpreter<'_, '_>, name: &str, call: &Call, line: &Line) -> Machine {
    let native = shell.runs_on();
    let kind = triple_kind(name, shell.world.target);
    let narrow = |arch: &str| Machine {
        kind: MachineKind::Platform(mlint_oci::Platform::linux(arch)),
        source: MachineSource::StagePlatform,
    };
    match (kind, native.as_ref().map(mlint_oci::Platform::arch)) {
        (Some(MachineKind::Platform(p)), _) if line.has(&["-m32"]) && p.arch() == "amd64" => {
            narrow("386")
        }
        (Some(kind), _) => {
            let value = call.argv.first().map(|a| a.value.clone()).unwrap_or_default();
            let span = call.argv.first().map_or(call.span, |a| a.span);
            Machine {
                kind,
                source: MachineSource::Setting { name: "compiler".to_owned(), value, span },
            }
        }
        (None, Some("amd64")) if line.has(&["-m32"]) => narrow("386"),
        (None, Some("386")) if line.has(&["-m64"]) => narrow("amd64"),
        // `aarch64-none-elf-gcc` and the like: not for Linux.
        (None, _) if unversioned(name).matches('-').count() >= 2 => Machine::unknown(),
        (None, _) => Machine::native(native.as_ref()),
    }
}

/// A compiler given as a text: `CC='aarch64-linux-gnu-gcc --sysroot=/x'`, `CC='zig cc -target …'`.
pub(super) struct Compiler {
    /// `None` if it can't be told.
    pub(super) machine: Option<MachineKind>,
    pub(super) linkage: Linkage,
    /// It names a machine: nobody writes that by accident.
    pub(super) names_machine: bool,
}

/// What a compiler given by `CC` is for. `None` if the text is not known to be a compiler.
pub(super) fn compiler(shell: &Interpreter<'_, '_>, call: &Call, text: &str) -> Option<Compiler> {
    let mut words = text.split_whitespace().peekable();
    while words.next_if(|w| matches!(*w, "ccache" | "sccache" | "distcc" | "env")).is_some() {}
    let name = file_name(words.next()?).to_owned();
    let rest: Vec<&str> = words.collect();
    let is_zig = name == "zig";
    if !is_zig && !is_compiler(&name) {
        return None;
    }
    let native = Machine::native(shell.runs_on().as_ref()).kind;
    if name.starts_with("xx-") {
        let machine = Some(xx::machine(shell, call).kind);
        let linkage = Linkage::dynamic(shell.state.libc);
        return Some(Compiler { machine, linkage, names_machine: true });
    }
    let after = |option: &str| {
        let at = rest.iter().position(|w| *w == option)?;
        rest.get(at + 1).copied()
    };
    let target = after("-target")
        .or_else(|| after("--target"))
        .or_else(|| rest.iter().find_map(|w| w.strip_prefix("--target=")));
    let triple = target.unwrap_or(&name);
    let mut machine = triple_kind(triple, shell.world.target);
    let names_machine = machine.is_some() || unversioned(triple).matches('-').count() >= 2;
    if !names_machine && name != "zig" || target == Some("native") {
        machine = Some(native);
    }
    if rest.contains(&"-m32")
        && matches!(&machine, Some(MachineKind::Platform(p)) if p.arch() == "amd64")
    {
        machine = Some(MachineKind::Platform(mlint_oci::Platform::linux("386")));
    }
    let linkage = match () {
        () if rest.iter().any(|w| matches!(*w, "-static" | "-static-pie")) => Linkage::Static,
        () if is_zig && triple.contains("musl") => Linkage::Static,
        () if triple.contains("musl") || triple.contains("gnu") => triple_linkage(triple),
        () if !names_machine => Linkage::dynamic(shell.state.libc),
        () => Linkage::Unknown,
    };
    Some(Compiler { machine, linkage, names_machine })
}

/// `ld`, `as`, `ar`: of what goes in.
pub(super) fn binutil(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let line = Line::read_long(call.arguments(), VALUES);
    let is_ar = name.ends_with("ar");
    let (output, inputs) = match (is_ar, line.value(&["-o"])) {
        // `ar rcs lib.a a.o b.o`
        (true, _) => {
            let skip = usize::from(
                !call.arguments().first().is_some_and(|w| w.value.known_prefix().starts_with('-')),
            );
            let mut operands = line.operands.iter().skip(skip);
            (operands.next().cloned(), operands.cloned().collect::<Vec<_>>())
        }
        (false, output) => (output.cloned(), line.operands.clone()),
    };
    let Some(path) = output.and_then(|o| shell.path(&o.value)) else { return true };
    let known: Vec<Artifact> = inputs
        .iter()
        .filter_map(|i| shell.path(&i.value).and_then(|p| shell.state.files.find(&p)))
        .filter(|a| a.machine.platform().is_some())
        .collect();
    let machine = match (&known[..], triple_kind(name, shell.world.target)) {
        ([first, rest @ ..], _) if rest.iter().all(|a| a.machine.kind == first.machine.kind) => {
            first.machine.clone()
        }
        ([_, ..], _) => Machine::unknown(),
        ([], Some(_)) => machine_by_name(shell, name, call, &line),
        ([], None) if is_ar || name.matches('-').count() >= 2 => Machine::unknown(),
        ([], None) => Machine::native(shell.runs_on().as_ref()),
    };
    let linkage = match name.ends_with("ld") && line.has(&["-static", "-Bstatic"]) {
        true => Linkage::Static,
        false => Linkage::Unknown,
    };
    let made = Made::Compiled { tool: Tool::C, cgo: None };
    super::built::put(shell, call, vec![Place::file(path)], &made, &machine, linkage);
    true
}
