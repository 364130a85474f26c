//! Go: `go build`, `go install` and their kin, and wrappers that choose the target by themselves.

mod env;
mod output;

use mlint_oci::Platform;

use super::{
    built::{Built, asks_static, base_image, record},
    options::Line,
    xx,
};
use crate::{
    effect::{Argument, Cgo, EffectKind, Setting, Tool},
    files::join,
    knowledge::Toolchain,
    machine::{Libc, Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    value::Truth,
};

pub(super) use super::built::{Place, crosses, setting};
pub(crate) use env::go_setting;

const VALUES: &[&str] = &[
    "-o",
    "-ldflags",
    "-tags",
    "-mod",
    "-gcflags",
    "-asmflags",
    "-buildmode",
    "-p",
    "-C",
    "-pgo",
    "-toolexec",
    "-compiler",
    "-installsuffix",
    "-pkgdir",
    "-modfile",
    "-overlay",
    "-gccgoflags",
    "-exec",
    "-run",
    "-count",
    "-timeout",
    "-coverprofile",
    "-covermode",
    "-coverpkg",
    "-bench",
    "-benchtime",
    "-cpu",
    "-parallel",
    "-vet",
    "-outputdir",
    "-target",
];

const SETTINGS: &[&str] = &[
    "GOOS",
    "GOARCH",
    "GOARM",
    "GOAMD64",
    "GOARM64",
    "CGO_ENABLED",
    "CC",
    "CXX",
    "GOFLAGS",
    "GOEXPERIMENT",
];

/// What a `go` command is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Build,
    Install,
    /// `go test -c`
    TestBinary,
}

/// What is known before the output's place.
struct Target {
    settings: Vec<Setting>,
    machine: Machine,
    cross: Truth,
    cgo: Cgo,
}

pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let mut words = call.arguments();
    if name == "garble" {
        let build = words.iter().position(|w| w.value.is("build"));
        words = build.map_or(&[], |at| &words[at..]);
    }
    let Some((command, words)) = words.split_first() else { return false };
    match command.value.as_known().as_deref() {
        Some("build") => compile(shell, name, call, words, Verb::Build),
        Some("install") => compile(shell, name, call, words, Verb::Install),
        // Until Go 1.17 `go get` also installed.
        Some("get")
            if toolchain(shell).is_some_and(|v| v.is_some_and(|v| v < (1, 18)))
                && !words.iter().any(|w| w.value.is("-d")) =>
        {
            compile(shell, name, call, words, Verb::Install);
        }
        Some("test") if words.iter().any(|w| w.value.is("-c")) => {
            compile(shell, name, call, words, Verb::TestBinary);
        }
        Some("run" | "test") => {
            execute(shell, name, call, words);
            return false;
        }
        Some("env") => return env::run(shell, call, words),
        Some("mod") if words.first().is_some_and(|w| w.value.is("init")) => {
            output::init_module(shell, words.get(1), call);
        }
        Some("--wrap") if name == "xx-go" => env::wrap(shell, call),
        Some("--unwrap") if name == "xx-go" => env::unwrap(shell),
        Some("clean" | "fix" | "generate" | "get" | "vet") => {}
        // `go list`, `go version`, `go telemetry` and what is not known here print.
        _ => return false,
    }
    true
}

fn read(words: &[Argument], settings: &[Setting]) -> Line {
    // GOFLAGS come first, so that the command line wins.
    let mut all = Vec::new();
    if let Some(flags) = setting(settings, "GOFLAGS") {
        all.extend(env::split(&flags.value, flags.span));
    }
    all.extend(words.iter().cloned());
    Line::read_long(&all, VALUES)
}

fn target(shell: &Interpreter<'_, '_>, name: &str, call: &Call) -> Target {
    let settings: Vec<Setting> = SETTINGS
        .iter()
        .filter_map(|name| {
            let Argument { value, span } = go_setting(shell, call, name)?;
            Some(Setting { name: (*name).to_owned(), value, span })
        })
        .collect();
    let machine = machine(shell, name, call, &settings);
    let cross = crosses(shell, &machine);
    let mut cgo = cgo(shell, &settings, cross);
    if matches!(name, "xx-go" | "goxx-go") && cgo.cross_compiler.is_none() {
        cgo.cross_compiler = Some(xx::compiler(shell, call));
    }
    Target { settings, machine, cross, cgo }
}

fn compile(
    shell: &mut Interpreter<'_, '_>,
    name: &str,
    call: &Call,
    words: &[Argument],
    verb: Verb,
) {
    let Target { settings, machine, cross, mut cgo } = target(shell, name, call);
    let line = read(words, &settings);
    // The run-time of these detectors is C, and go refuses them without cgo.
    if cgo.enabled == Truth::Unknown && line.has(&["-race", "-msan", "-asan"]) {
        cgo.enabled = Truth::Yes;
    }
    let linkage = linkage(shell, &line, &cgo, cross);
    let places = match verb {
        Verb::Build => output::built(shell, &line, &machine),
        Verb::Install => output::installed(shell, call, &line, cross, &machine),
        Verb::TestBinary => output::test_binary(shell, &line),
    };
    let refused = verb == Verb::Install
        && cross == Truth::Yes
        && go_setting(shell, call, "GOBIN").is_some_and(|b| b.value.as_known().is_some());
    record(
        shell,
        call,
        Built { tool: Tool::Go, machine, linkage, cgo: Some(cgo), places, settings },
    );
    if refused {
        shell.command_fails(
            call.span,
            "`go install` refuses to write to GOBIN what it compiles for another platform",
        );
    }
}

/// `go run` and `go test` start what they compile, also where that is for another machine.
fn execute(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call, words: &[Argument]) {
    let Target { settings, machine, cross, .. } = target(shell, name, call);
    let line = read(words, &settings);
    // Here it runs, or somebody else starts it, or nobody.
    if cross != Truth::Yes || line.has(&["-exec", "-n"]) {
        return;
    }
    let package = line.operand(0).unwrap_or(".".into()).into_owned();
    shell.effect(EffectKind::Execute { path: package, machine }, call.span);
}

fn machine(shell: &Interpreter<'_, '_>, name: &str, call: &Call, settings: &[Setting]) -> Machine {
    if matches!(name, "xx-go" | "goxx-go") {
        return xx::machine(shell, call);
    }
    let given = |name: &str| setting(settings, name).filter(|s| !s.value.is_empty());
    let runs_on = shell.runs_on();
    let (os, arch) = (given("GOOS"), given("GOARCH"));
    let Some(decisive) = arch.or(os) else {
        let native = Machine::native(runs_on.as_ref());
        return match (native.platform(), given("GOAMD64")) {
            (Some(p), Some(level)) if p.arch() == "amd64" => leveled(p, level),
            _ => native,
        };
    };
    let source = MachineSource::Setting {
        name: decisive.name.clone(),
        value: decisive.value.clone(),
        span: decisive.span,
    };
    let text = |setting: Option<&Setting>, default: Option<String>| match setting {
        Some(setting) => setting.value.as_known().map(std::borrow::Cow::into_owned),
        None => default,
    };
    let os = text(os, runs_on.as_ref().map(|p| p.os().to_owned()));
    let arch = text(arch, runs_on.as_ref().map(|p| p.arch().to_owned()));
    let (Some(os), Some(arch)) = (os, arch) else {
        return Machine { kind: MachineKind::Unknown, source };
    };
    if arch == "wasm" {
        return Machine { kind: MachineKind::Independent, source };
    }
    let first = |setting: &Setting| {
        let text = setting.value.as_known()?;
        Some(text.split(',').next().unwrap_or_default().trim_start_matches('v').to_owned())
    };
    let target = shell.world.target;
    let variant = match arch.as_str() {
        "arm" => match given("GOARM") {
            Some(version) => match first(version) {
                Some(version) => Some(format!("v{version}")),
                None => return Machine { kind: MachineKind::Unknown, source },
            },
            None if target.arch() == "arm" => target.variant().map(str::to_owned),
            None => None,
        },
        "amd64" => given("GOAMD64").and_then(first).map(|level| format!("v{level}")),
        "arm64" => given("GOARM64")
            .and_then(first)
            .map(|version| format!("v{}", version.split('.').next().unwrap_or_default())),
        _ => None,
    };
    let platform = Platform::new(&os, &arch, variant.as_deref());
    Machine { kind: MachineKind::Platform(platform), source }
}

/// A native build for a newer processor.
fn leveled(native: &Platform, level: &Setting) -> Machine {
    let platform =
        level.value.as_known().map(|text| Platform::new(native.os(), native.arch(), Some(&text)));
    Machine {
        kind: MachineKind::Platform(platform.unwrap_or_else(|| native.clone())),
        source: MachineSource::StagePlatform,
    }
}

/// The version of Go that the stage's image brings, if that is Go's own: `Some(None)` if its tag
/// does not tell the version.
fn toolchain(shell: &Interpreter<'_, '_>) -> Option<Option<(u32, u32)>> {
    let image = base_image(shell)?;
    let reference = mlint_oci::Reference::parse(&image).ok()?;
    if reference.official_name() != Some("golang") {
        return None;
    }
    let mut parts = reference.tag().unwrap_or_default().split(['.', '-']);
    let major = parts.next().and_then(|p| p.parse().ok());
    let minor = parts.next().and_then(|p| p.parse().ok());
    Some(major.zip(minor))
}

fn cgo(shell: &Interpreter<'_, '_>, settings: &[Setting], cross: Truth) -> Cgo {
    let given = setting(settings, "CGO_ENABLED").filter(|s| !s.value.is_empty());
    let compiler = setting(settings, "CC").map(|s| s.value.clone()).filter(|v| !v.is_empty());
    let has_c = shell.state.toolchains.contains(&Toolchain::C);
    let enabled = match given.map(|s| s.value.as_known()) {
        Some(Some(text)) => Truth::from(text == "1"),
        Some(None) => Truth::Unknown,
        // Off in a cross build, and (since Go 1.20) where there is no C compiler.
        None => match cross {
            Truth::Yes => Truth::No,
            Truth::No if has_c || compiler.is_some() => Truth::Yes,
            Truth::No => match toolchain(shell) {
                Some(version) if version.is_none_or(|v| v >= (1, 20)) => Truth::No,
                _ => Truth::Unknown,
            },
            Truth::Unknown => Truth::Unknown,
        },
    };
    Cgo { enabled, setting: given.map(|s| s.value.clone()), cross_compiler: compiler }
}

fn linkage(shell: &Interpreter<'_, '_>, line: &Line, cgo: &Cgo, cross: Truth) -> Linkage {
    let text =
        |value: Option<&Argument>| value.map_or(String::new(), |f| f.value.spelling().into_owned());
    let flags = text(line.value(&["-ldflags", "--ldflags"]));
    let mode = line.value(&["-buildmode", "--buildmode"]);
    let is_pie = mode.is_some_and(|m| m.value.is("pie"));
    if mode.is_some_and(|m| !m.value.is("exe") && !m.value.is("default")) && !is_pie {
        return Linkage::Unknown;
    }
    let tags = text(line.value(&["-tags", "--tags"]));
    // The linker's own flags count only if it leaves the work to the C linker, which it does by
    // itself only for programs with C code other than the standard library's.
    let external = flags.split_whitespace().any(|w| w.trim_start_matches('-') == "external")
        || flags.contains("linkmode=external");
    let is_static = asks_static(&flags);
    let pure = ["netgo", "osusergo"].iter().all(|tag| tags.split([',', ' ']).any(|t| t == *tag));
    match cgo.enabled {
        // Such a program names the loader, although it needs no library.
        Truth::No if is_pie => match cross {
            Truth::No => Linkage::dynamic(shell.state.libc),
            Truth::Yes => Linkage::Glibc,
            Truth::Unknown => Linkage::Unknown,
        },
        Truth::No => Linkage::Static,
        _ if is_static && external => Linkage::Static,
        _ if is_static || pure => Linkage::Unknown,
        Truth::Unknown => Linkage::Unknown,
        Truth::Yes => {
            let compiler = cgo.cross_compiler.as_ref().map(|c| c.spelling()).unwrap_or_default();
            match () {
                // zig links musl statically, if it is not told otherwise.
                () if compiler.contains("zig") => Linkage::Unknown,
                () if compiler.contains("musl") => Linkage::Musl,
                () if cross == Truth::Yes => super::triple::triple_linkage(&compiler),
                () => Linkage::dynamic(shell.state.libc),
            }
        }
    }
}

/// The C library that a native build in this stage is linked to.
pub(super) fn native_linkage(libc: Libc) -> Linkage {
    Linkage::dynamic(libc)
}

/// `goreleaser build`: all targets of its configuration, or the one of the settings.
pub(super) fn goreleaser(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &["-f", "--config", "-o", "--output", "--id", "-p"]);
    if !matches!(line.operand(0).as_deref(), Some("build" | "release")) {
        return line.operand(0).is_some();
    }
    let Target { settings, machine, cgo, .. } = target(shell, "goreleaser", call);
    let single = line.has(&["--single-target"]);
    let machine = if single { machine } else { Machine::unknown() };
    let places = match line.value(&["-o", "--output"]) {
        Some(output) if single => shell.path(&output.value).map(Place::file),
        _ => shell.directory.as_ref().map(|d| Place::folder(join(d, "dist")).guessed()),
    };
    let places = places.into_iter().collect();
    let linkage = Linkage::Unknown;
    record(
        shell,
        call,
        Built { tool: Tool::Go, machine, linkage, cgo: Some(cgo), places, settings },
    );
    true
}

/// `tinygo build`: LLVM, and no cgo of the usual kind.
pub(super) fn tinygo(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let words = call.arguments();
    if !words.first().is_some_and(|w| w.value.is("build")) {
        return !words.is_empty();
    }
    let Target { settings, machine, .. } = target(shell, "tinygo", call);
    let line = Line::read_long(&words[1..], VALUES);
    let machine = match line.value(&["-target"]).map(|t| t.value.spelling()) {
        Some(text) if text.starts_with("was") => Machine::independent(),
        Some(_) => Machine::unknown(),
        None => machine,
    };
    let places = output::built(shell, &line, &machine);
    let linkage = Linkage::Unknown;
    record(shell, call, Built { tool: Tool::Go, machine, linkage, cgo: None, places, settings });
    true
}
