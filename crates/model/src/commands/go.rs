//! Go: `go build`, `go install`, and wrappers that choose the target by themselves.

use mlint_oci::Platform;

use super::options::Line;
use crate::{
    artifact::{Artifact, Made},
    effect::{Argument, Cgo, Compile, EffectKind, Setting, Tool},
    files::{UNKNOWN_NAME, file_name, join},
    knowledge::Toolchain,
    machine::{Libc, Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    value::{Truth, Value},
};

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
];

const SETTINGS: &[&str] =
    &["GOOS", "GOARCH", "GOARM", "CGO_ENABLED", "CC", "CXX", "GOFLAGS", "GOEXPERIMENT"];

/// Reads the settings that are in effect for a command.
pub(super) fn settings(shell: &Interpreter<'_, '_>, call: &Call, names: &[&str]) -> Vec<Setting> {
    names
        .iter()
        .filter_map(|name| {
            let Argument { value, span } = shell.environment(call, name)?;
            Some(Setting { name: (*name).to_owned(), value, span })
        })
        .collect()
}

pub(super) fn setting<'s>(settings: &'s [Setting], name: &str) -> Option<&'s Setting> {
    settings.iter().find(|s| s.name == name)
}

/// Whether what is made differs from what the stage runs on.
pub(super) fn crosses(shell: &Interpreter<'_, '_>, machine: &Machine) -> Truth {
    match (machine.platform(), shell.runs_on()) {
        (Some(made), Some(runs)) => {
            Truth::from(made.os() != runs.os() || made.arch() != runs.arch())
        }
        _ => Truth::Unknown,
    }
}

pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let mut words = call.arguments();
    if name == "garble" {
        let build = words.iter().position(|w| w.value.is("build"));
        words = build.map_or(&[], |at| &words[at..]);
    }
    let Some((command, words)) = words.split_first() else { return false };
    let is_build = command.value.is("build");
    if !is_build && !command.value.is("install") {
        // `go list`, `go version` print; the others print nothing that matters.
        return !matches!(
            command.value.as_known().as_deref(),
            Some("list" | "version" | "env" | "run" | "tool") | None
        );
    }
    let line = Line::read_long(words, VALUES);
    let settings = settings(shell, call, SETTINGS);
    let machine = machine(shell, name, call, &settings);
    let cross = crosses(shell, &machine);
    let cgo = cgo(shell, &settings, cross);
    let linkage = linkage(shell, &line, &settings, &cgo, cross);
    let places =
        if is_build { built(shell, &line) } else { installed(shell, call, &line, cross, &machine) };
    let outputs: Vec<String> = places.iter().map(|p| p.path.clone()).collect();
    let compile = Compile {
        tool: Tool::Go,
        machine: machine.clone(),
        cross,
        linkage,
        cgo: Some(cgo.clone()),
        outputs,
        settings,
    };
    shell.effect(EffectKind::Compile(compile), call.span);
    let made = Made::Compiled { tool: Tool::Go, cgo: Some(cgo) };
    put(shell, call, places, &made, &machine, linkage);
    true
}

/// Where a result lands.
pub(super) struct Place {
    pub(super) path: String,
    /// Any number of files below it.
    pub(super) folder: bool,
    /// Whether the name is only guessed.
    pub(super) guessed: bool,
}

impl Place {
    pub(super) fn file(path: String) -> Self {
        Self { path, folder: false, guessed: false }
    }

    pub(super) fn folder(path: String) -> Self {
        Self { path, folder: true, guessed: false }
    }
}

/// Puts the results of a compilation.
pub(super) fn put(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    places: Vec<Place>,
    made: &Made,
    machine: &Machine,
    linkage: Linkage,
) {
    for place in places {
        let artifact = Artifact {
            path: place.path.clone(),
            folder: place.folder,
            made: made.clone(),
            content: None,
            machine: machine.clone(),
            linkage,
            way: vec![shell.station(place.path, call.span)],
            certain: shell.is_certain() && !place.guessed,
        };
        shell.state.files.put(artifact);
    }
}

fn machine(shell: &Interpreter<'_, '_>, name: &str, call: &Call, settings: &[Setting]) -> Machine {
    if matches!(name, "xx-go" | "goxx-go") {
        return wrapped_machine(shell, call);
    }
    let given = |name: &str| setting(settings, name).filter(|s| !s.value.is_empty());
    let runs_on = shell.runs_on();
    let (os, arch) = (given("GOOS"), given("GOARCH"));
    let Some(decisive) = arch.or(os) else { return Machine::native(runs_on.as_ref()) };
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
    let arm = given("GOARM").and_then(|s| {
        s.value.as_known().map(|v| format!("v{}", v.split(',').next().unwrap_or("7")))
    });
    let target = shell.world.target;
    let variant = match (arch.as_str(), arm) {
        ("arm", Some(variant)) => Some(variant),
        ("arm", None) if target.arch() == "arm" => target.variant().map(str::to_owned),
        _ => None,
    };
    let platform = Platform::new(&os, &arch, variant.as_deref());
    Machine { kind: MachineKind::Platform(platform), source }
}

/// Wrappers such as xx take the target from the stage's arguments; without those, they build for
/// where they run.
pub(super) fn wrapped_machine(shell: &Interpreter<'_, '_>, call: &Call) -> Machine {
    for name in ["TARGETPLATFORM", "TARGETPAIR", "TARGETARCH"] {
        let Some(Argument { value, span }) = shell.environment(call, name) else { continue };
        let platform = value.as_known().and_then(|text| match name {
            "TARGETARCH" => Some(Platform::linux(&text)),
            "TARGETPAIR" => text.replace('-', "/").parse().ok(),
            _ => text.parse().ok(),
        });
        let kind = platform.map_or(MachineKind::Unknown, MachineKind::Platform);
        return Machine {
            kind,
            source: MachineSource::Setting { name: name.to_owned(), value, span },
        };
    }
    Machine::native(shell.runs_on().as_ref())
}

fn cgo(shell: &Interpreter<'_, '_>, settings: &[Setting], cross: Truth) -> Cgo {
    let given = setting(settings, "CGO_ENABLED").filter(|s| !s.value.is_empty());
    let has_c = shell.state.toolchains.contains(&Toolchain::C);
    let has_go = shell.state.toolchains.contains(&Toolchain::Go);
    let enabled = match given.map(|s| s.value.as_known()) {
        Some(Some(text)) => Truth::from(text == "1"),
        Some(None) => Truth::Unknown,
        // Off in a cross build, and where there is no C compiler.
        None => match cross {
            Truth::Yes => Truth::No,
            Truth::No if has_c => Truth::Yes,
            Truth::No if has_go => Truth::No,
            _ => Truth::Unknown,
        },
    };
    Cgo {
        enabled,
        setting: given.map(|s| s.value.clone()),
        cross_compiler: setting(settings, "CC").map(|s| s.value.clone()).filter(|v| !v.is_empty()),
    }
}

fn linkage(
    shell: &Interpreter<'_, '_>,
    line: &Line,
    settings: &[Setting],
    cgo: &Cgo,
    cross: Truth,
) -> Linkage {
    let mentions = |value: &Value, word: &str| value.spelled().text.contains(word);
    let flags = line.value(&["-ldflags", "--ldflags"]);
    let goflags = setting(settings, "GOFLAGS");
    let is_static = flags.is_some_and(|f| mentions(&f.value, "-static"))
        || goflags.is_some_and(|f| mentions(&f.value, "-static"));
    let special_mode =
        line.value(&["-buildmode"]).is_some_and(|m| !m.value.is("exe") && !m.value.is("pie"));
    match cgo.enabled {
        _ if special_mode => Linkage::Unknown,
        Truth::No => Linkage::Static,
        _ if is_static => Linkage::Static,
        Truth::Unknown => Linkage::Unknown,
        Truth::Yes if cross == Truth::Yes => {
            let compiler =
                cgo.cross_compiler.as_ref().map(|c| c.spelled().text).unwrap_or_default();
            match () {
                () if compiler.contains("musl") => Linkage::Musl,
                () if compiler.contains("gnu") => Linkage::Glibc,
                () => Linkage::Unknown,
            }
        }
        Truth::Yes => Linkage::dynamic(shell.state.libc),
    }
}

fn built(shell: &Interpreter<'_, '_>, line: &Line) -> Vec<Place> {
    let directory = match line.value(&["-C"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    if let Some(output) = line.value(&["-o", "--o"]) {
        let Some(text) = output.value.as_known() else { return Vec::new() };
        let Some(directory) = directory else {
            return match text.starts_with('/') {
                true => vec![Place::file(crate::files::absolute("/", &text))],
                false => Vec::new(),
            };
        };
        let path = crate::files::absolute(&directory, &text);
        let folder = text.ends_with('/') || shell.state.files.is_folder(&path);
        if !folder {
            return vec![Place::file(path)];
        }
        return match program_name(line, &directory) {
            Some(name) => vec![Place::file(join(&path, &name))],
            None => vec![Place::folder(path)],
        };
    }
    let Some(directory) = directory else { return Vec::new() };
    match program_name(line, &directory) {
        Some(name) => vec![Place::file(join(&directory, &name))],
        // The last part of the module's path, which the Dockerfile does not tell.
        None if line.operands.len() <= 1
            && !line.operands.iter().any(|o| o.value.known_suffix().ends_with("...")) =>
        {
            vec![Place { path: join(&directory, UNKNOWN_NAME), folder: false, guessed: true }]
        }
        None => Vec::new(),
    }
}

/// The program's name, where the package's path tells it.
fn program_name(line: &Line, _directory: &str) -> Option<String> {
    let [package] = &line.operands[..] else { return None };
    let text = package.value.as_known()?;
    let text = text.split('@').next().unwrap_or_default().trim_end_matches('/');
    let mut name = file_name(text);
    let is_version =
        |n: &str| n.len() > 1 && n.starts_with('v') && n[1..].bytes().all(|b| b.is_ascii_digit());
    if is_version(name) {
        name = file_name(text.strip_suffix(name)?);
    }
    let name = name.strip_suffix(".go").unwrap_or(name);
    (!matches!(name, "" | "." | ".." | "...")).then(|| name.to_owned())
}

fn installed(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    line: &Line,
    cross: Truth,
    machine: &Machine,
) -> Vec<Place> {
    let known = |name: &str| {
        let value = shell.environment(call, name)?.value;
        value.as_known().filter(|t| t.starts_with('/')).map(std::borrow::Cow::into_owned)
    };
    let folder = match known("GOBIN") {
        Some(folder) => folder,
        None => {
            let home = shell.state.home.clone().map(|h| join(&h, "go"));
            let Some(path) = known("GOPATH").or(home) else { return Vec::new() };
            let bin = join(path.split(':').next().unwrap_or_default(), "bin");
            match (cross, machine.platform()) {
                (Truth::Yes, Some(p)) => join(&bin, &format!("{}_{}", p.os(), p.arch())),
                (Truth::Yes, None) | (Truth::Unknown, _) => return vec![Place::folder(bin)],
                _ => bin,
            }
        }
    };
    match program_name(line, "") {
        Some(name) => vec![Place::file(join(&folder, &name))],
        None => vec![Place::folder(folder)],
    }
}

/// The C library that a native build in this stage is linked to.
pub(super) fn native_linkage(libc: Libc) -> Linkage {
    Linkage::dynamic(libc)
}
