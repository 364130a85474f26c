//! Tools that run other compilers by rules which are not in the Dockerfile: make, ninja,
//! `cmake --build`, `meson compile` and others. What is known of their results is how their
//! directory was configured, and the compiler that their command line names.

use super::{
    builds::Configured,
    built::{Built, Place, asks_static, record, settings},
    configure::{self, Found, by_compiler, by_triple, given},
    options::Line,
};
use crate::{
    effect::{Argument, Setting, Tool},
    files::{Files, absolute, join},
    knowledge::Toolchain,
    machine::{Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    stage::RunsOn,
};

/// Settings that steer `make` and the compilers it starts.
const SETTINGS: &[&str] = &[
    "GOOS",
    "GOARCH",
    "CGO_ENABLED",
    "CC",
    "CXX",
    "ARCH",
    "TARGET_ARCH",
    "CROSS_COMPILE",
    "CARGO_BUILD_TARGET",
];

/// Folders below a prefix that hold machine code, and those that hold none.
const CODE_FOLDERS: &[&str] = &["bin", "sbin", "lib", "lib64", "libexec"];
const DATA_FOLDERS: &[&str] = &["share", "include", "etc"];

/// What a build tool is asked to do.
struct Job {
    /// Where it works.
    directory: Option<String>,
    /// Whether it installs.
    installs: bool,
    /// `DESTDIR`, if given; `Err` if it is given and not known.
    staging: Result<Option<String>, ()>,
    /// A prefix given for this step only.
    prefix: Option<Option<String>>,
    settings: Vec<Setting>,
    /// A compiler that the command line names.
    named: Option<Found>,
}

pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let first = call.text(1).map(std::borrow::Cow::into_owned);
    match (name, first.as_deref()) {
        ("make" | "gmake" | "bmake", _) => make(shell, call),
        ("ninja" | "ninja-build" | "samu", _) => ninja(shell, call),
        ("cmake", Some("--build")) => cmake_build(shell, call),
        ("cmake", Some("--install")) => cmake_install(shell, call),
        ("cmake", Some("-E" | "-P" | "--version" | "--help")) => return false,
        ("cmake", _) => return configure::cmake(shell, call),
        ("meson", Some("setup")) => return configure::meson(shell, call, &call.argv[2..]),
        ("meson", Some("compile" | "install")) => meson(shell, call),
        ("meson", Some("test" | "configure" | "introspect" | "--version" | "subprojects")) => {
            return false;
        }
        ("meson", Some(_)) => return configure::meson(shell, call, call.arguments()),
        _ => unknown(shell, call),
    }
    true
}

/// A tool of which nothing is known but that it builds.
fn unknown(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let mut found = settings(shell, call, SETTINGS);
    found.extend(assignments(call.arguments()));
    let job = Job {
        directory: None,
        installs: false,
        staging: Ok(None),
        prefix: None,
        settings: found,
        named: None,
    };
    work(shell, call, job);
}

/// `NAME=value` among the words.
fn assignments(words: &[Argument]) -> Vec<Setting> {
    words
        .iter()
        .filter_map(|word| {
            let prefix = word.value.known_prefix();
            let (name, _) = prefix.split_once('=').filter(|(n, _)| !n.starts_with('-'))?;
            let name = name.trim_end_matches([':', '?', '+']);
            let at = prefix.find('=')? + 1;
            Some(given(name, &word.value.without_prefix(at)?, word.span))
        })
        .collect()
}

fn make(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let line = Line::read(
        call.arguments(),
        &["-C", "-f", "-l", "-o", "-W", "-I", "--directory", "--file"],
    );
    let on_line = assignments(&line.operands);
    let mut found = settings(shell, call, SETTINGS);
    let directory = match line.value(&["-C", "--directory"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let value = |names: &[&str]| {
        let named = |s: &&Setting| names.contains(&s.name.as_str()) && !s.value.is_empty();
        on_line.iter().rev().find(named)
    };
    let named = compiler_of(shell, call, &on_line, true)
        .or_else(|| compiler_of(shell, call, &found, false).filter(|_| !is_go(&found)));
    let staging = match value(&["DESTDIR", "INSTALL_ROOT"]) {
        Some(setting) => shell.path(&setting.value).map(Some).ok_or(()),
        None => staging(shell, call),
    };
    let prefix = value(&["PREFIX", "prefix", "INSTALL_PREFIX"]);
    let prefix = prefix.map(|setting| shell.path(&setting.value));
    let installs = line
        .operands
        .iter()
        .any(|o| o.value.as_known().is_some_and(|t| t == "install" || t.starts_with("install-")));
    found.extend(on_line);
    work(shell, call, Job { directory, installs, staging, prefix, settings: found, named });
}

/// Whether the settings are for Go: its target is not the C compiler's.
fn is_go(settings: &[Setting]) -> bool {
    settings.iter().any(|s| s.name == "GOARCH" && !s.value.is_empty())
}

/// What `CC=…` and `CROSS_COMPILE=…` say. From the environment only a compiler that names its
/// machine counts: a Makefile may set `CC` by itself, but nobody exports one for another machine
/// without meaning it.
fn compiler_of(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    settings: &[Setting],
    on_line: bool,
) -> Option<Found> {
    let named = |name: &str| settings.iter().rev().find(|s| s.name == name && !s.value.is_empty());
    let found = match (named("CC").or(named("CXX")), named("CROSS_COMPILE").or(named("CROSS"))) {
        (Some(compiler), None) => by_compiler(shell, call, compiler)?,
        (_, Some(prefix)) => by_triple(shell, prefix),
        (None, None) => return None,
    };
    let says = on_line || matches!(found.machine.source, MachineSource::Setting { .. });
    (says && found.machine.kind != MachineKind::Unknown || on_line).then_some(found)
}

fn staging(shell: &Interpreter<'_, '_>, call: &Call) -> Result<Option<String>, ()> {
    match shell.environment(call, "DESTDIR").filter(|d| !d.value.is_empty()) {
        Some(given) => shell.path(&given.value).map(Some).ok_or(()),
        None => Ok(None),
    }
}

fn ninja(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let line = Line::read(call.arguments(), &["-C", "-f", "-j", "-k", "-l", "-t"]);
    let directory = match line.value(&["-C"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let installs = line.operands.iter().any(|o| o.value.is("install"));
    let (staging, settings) = (staging(shell, call), settings(shell, call, SETTINGS));
    let job = Job { directory, installs, staging, prefix: None, settings, named: None };
    work(shell, call, job);
}

fn cmake_build(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let values = ["--build", "--target", "-t", "--config", "-j", "--parallel", "--preset"];
    let line = Line::read(call.arguments(), &values);
    let directory = line.value(&["--build"]).and_then(|d| shell.path(&d.value));
    let installs = line
        .values(&["--target", "-t"])
        .chain(&line.operands)
        .any(|t| t.value.as_known().is_some_and(|t| t == "install" || t == "install/strip"));
    let (staging, settings) = (staging(shell, call), settings(shell, call, SETTINGS));
    let job = Job { directory, installs, staging, prefix: None, settings, named: None };
    work(shell, call, job);
}

fn cmake_install(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let line = Line::read(call.arguments(), &["--install", "--prefix", "--config", "--component"]);
    let directory = line.value(&["--install"]).and_then(|d| shell.path(&d.value));
    let prefix = line.value(&["--prefix"]).map(|p| shell.path(&p.value));
    let staging = staging(shell, call);
    let job = Job { directory, installs: true, staging, prefix, settings: Vec::new(), named: None };
    work(shell, call, job);
}

fn meson(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let installs = call.text(1).as_deref() == Some("install");
    let line = Line::read(&call.argv[2..], &["-C", "--destdir", "-j", "--tags"]);
    let directory = match line.value(&["-C"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let staging = match line.value(&["--destdir"]) {
        Some(given) => shell.path(&given.value).map(Some).ok_or(()),
        None => staging(shell, call),
    };
    let settings = settings(shell, call, SETTINGS);
    work(shell, call, Job { directory, installs, staging, prefix: None, settings, named: None });
}

/// Does the job: an effect, and its results.
fn work(shell: &mut Interpreter<'_, '_>, call: &Call, job: Job) {
    let configured: Option<(String, Configured)> = job
        .directory
        .as_deref()
        .and_then(|d| shell.state.builds.configured(d))
        .map(|(root, c)| (root.to_owned(), c.clone()));
    let says_what = job.named.is_some()
        || configured.is_some()
        || is_go(&job.settings)
        || shell.state.platform.role == RunsOn::Target && job.installs;
    let Found { machine, mut linkage } = match (job.named, &configured) {
        // How it is linked, and whether the program is C at all, is the Makefile's.
        (Some(found), _) => Found { linkage: Linkage::Unknown, ..found },
        (None, Some((_, c))) => Found { machine: c.machine.clone(), linkage: c.linkage },
        (None, None) => unconfigured(shell, call, &job.settings),
    };
    if machine.kind == MachineKind::Unknown {
        linkage = Linkage::Unknown;
    }
    let flags = ["LDFLAGS", "CFLAGS"].map(|name| {
        let setting = job.settings.iter().rev().find(|s| s.name == name);
        setting.map_or(String::new(), |s| s.value.spelling().into_owned())
    });
    if machine.kind != MachineKind::Unknown && flags.iter().any(|f| asks_static(f)) {
        linkage = Linkage::Static;
    }
    let prefix = match job.prefix {
        Some(given) => given,
        None => match &configured {
            Some((_, c)) => c.prefix.clone(),
            // What is staged elsewhere may have any prefix.
            None => (job.staging == Ok(None)).then(|| "/usr/local".to_owned()),
        },
    };
    let own_tree = configured.as_ref().filter(|(_, c)| c.own_tree).map(|(root, _)| root.clone());
    let mut settings = job.settings;
    if let Some((_, configured)) = configured {
        let more = configured.settings.into_iter();
        let new: Vec<Setting> =
            more.filter(|s| !settings.iter().any(|known| known.name == s.name)).collect();
        settings.extend(new);
    }
    // A Makefile may as well make what is no program.
    let is_known = machine.kind != MachineKind::Unknown && says_what;
    let mut places = Vec::new();
    if is_known {
        match (own_tree, &job.directory) {
            (Some(tree), _) => places.push(Place::folder(tree).guessed()),
            (None, Some(directory)) => places.push(Place::unnamed(directory)),
            (None, None) => {}
        }
    }
    let mut data = Vec::new();
    if job.installs
        && is_known
        && let (Ok(staging), Some(prefix)) = (&job.staging, prefix)
    {
        let root = join("/", &format!("{}/{prefix}", staging.as_deref().unwrap_or_default()));
        let (code, rest) = installed(&absolute("/", &root));
        places.extend(code);
        data = rest;
    }
    let made = crate::artifact::Made::Compiled { tool: Tool::Make, cgo: None };
    let on_target = shell.state.platform.role == RunsOn::Target;
    let unsaid = job.directory.filter(|_| on_target && !says_what);
    let unsaid = unsaid.filter(|_| machine.kind != MachineKind::Unknown);
    let built =
        Built { tool: Tool::Make, machine: machine.clone(), linkage, cgo: None, places, settings };
    record(shell, call, built);
    if let Some(directory) = unsaid {
        // Where programs are for the target anyway, what is taken from here may be one.
        let place = Place::unnamed(&directory);
        super::built::put(shell, call, vec![place], &made, &machine, linkage);
    }
    super::built::put(shell, call, data, &made, &Machine::independent(), Linkage::Unknown);
}

/// What is built where nothing says for what: by a Makefile that is not known. Where the stage runs
/// on the target, that is what it makes; and where it does not see the target, it can't follow it.
fn unconfigured(shell: &Interpreter<'_, '_>, call: &Call, settings: &[Setting]) -> Found {
    let steers =
        |name: &str| !matches!(name, "CC" | "CXX" | "CGO_ENABLED") && SETTINGS.contains(&name);
    if let Some(machine) = go_target(shell, settings, &steers) {
        return Found { machine, linkage: Linkage::Unknown };
    }
    let runs_on = shell.runs_on();
    // What it is told is what it would do by itself.
    let same = |s: &Setting| {
        let value = s.value.as_known();
        match (s.name.as_str(), &runs_on, value.as_deref()) {
            ("GOARCH", Some(here), Some(value)) => here.arch() == value,
            ("GOOS", Some(here), Some(value)) => here.os() == value,
            _ => false,
        }
    };
    let steered = settings.iter().any(|s| steers(&s.name) && !s.value.is_empty() && !same(s));
    let sees = |name: &&str| shell.environment(call, name).is_some_and(|v| !v.value.is_empty());
    let sees_target =
        ["TARGETPLATFORM", "TARGETARCH", "TARGETOS", "TARGETVARIANT"].iter().any(sees);
    let native = match shell.state.platform.role {
        RunsOn::Target => true,
        RunsOn::Build | RunsOn::Constant => !sees_target,
        RunsOn::Unknown => false,
    };
    let machine = match native && !steered {
        true => Machine::native(shell.runs_on().as_ref()),
        false => Machine::unknown(),
    };
    // In which language, nobody knows, unless there is a compiler for one only.
    let linkage = match machine.platform().is_some() && has_c_only(shell) {
        true => Linkage::dynamic(shell.state.libc),
        false => Linkage::Unknown,
    };
    Found { machine, linkage }
}

/// What `GOARCH=…` says, where nothing else steers the build: a Makefile that is called with it
/// hands it on to Go.
fn go_target(
    shell: &Interpreter<'_, '_>,
    settings: &[Setting],
    steers: &dyn Fn(&str) -> bool,
) -> Option<Machine> {
    let is_go = |name: &str| matches!(name, "GOOS" | "GOARCH");
    if settings.iter().any(|s| !is_go(&s.name) && steers(&s.name) && !s.value.is_empty()) {
        return None;
    }
    let given = |name: &str| settings.iter().rev().find(|s| s.name == name && !s.value.is_empty());
    let arch = given("GOARCH")?;
    let source = MachineSource::Setting {
        name: arch.name.clone(),
        value: arch.value.clone(),
        span: arch.span,
    };
    let os = match given("GOOS") {
        Some(os) => os.value.as_known()?.into_owned(),
        None => shell.runs_on()?.os().to_owned(),
    };
    let text = arch.value.as_known()?;
    // A variant is the target's, if it is for the target.
    let target = shell.world.target;
    let platform = match target.os() == os && target.arch() == text {
        true => target.clone(),
        false => mlint_oci::Platform::new(&os, &text, None),
    };
    let is_code = text != "wasm";
    let kind = if is_code { MachineKind::Platform(platform) } else { MachineKind::Independent };
    Some(Machine { kind, source })
}

/// Whether C is the only language that a distribution's image got a compiler for.
fn has_c_only(shell: &Interpreter<'_, '_>) -> bool {
    let state = &shell.state;
    let others = [Toolchain::Go, Toolchain::Rust, Toolchain::Zig];
    state.plain
        && state.toolchains.contains(&Toolchain::C)
        && !others.iter().any(|t| state.toolchains.contains(t))
        && !state.files.is_folder("/usr/local/go")
}

/// What an installation below `root` puts where: machine code, and what is none. A root of its own
/// is the build's with all that is in it; in one that every image has, only the usual folders are.
fn installed(root: &str) -> (Vec<Place>, Vec<Place>) {
    let below = |names: &[&str]| -> Vec<Place> {
        names.iter().map(|n| Place::folder(join(root, n)).guessed()).collect()
    };
    if Files::is_usual(root) {
        return (below(CODE_FOLDERS), Vec::new());
    }
    (vec![Place::folder(root.to_owned()).guessed()], below(DATA_FOLDERS))
}
