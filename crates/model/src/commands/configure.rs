//! Tools that prepare a directory for a build: `configure`, `cmake`, `meson setup`. What they are
//! told holds for the build and the installation that follow there.

use super::{
    builds::Configured,
    built::{asks_static, settings},
    c::{self, Compiler},
    options::Line,
    triple::{triple_kind, triple_linkage},
};
use crate::{
    effect::{Argument, Setting},
    machine::{Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    value::Value,
};

/// Variables that configuring tools take from the environment.
const ENVIRONMENT: &[&str] = &["CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS"];

/// What was found out about the compiler of a build.
pub(super) struct Found {
    pub(super) machine: Machine,
    pub(super) linkage: Linkage,
}

pub(super) fn given(name: &str, value: &Value, span: mlint_syntax::Span) -> Setting {
    Setting { name: name.to_owned(), value: value.clone(), span }
}

fn source(setting: &Setting) -> MachineSource {
    MachineSource::Setting {
        name: setting.name.clone(),
        value: setting.value.clone(),
        span: setting.span,
    }
}

/// What a triple that is given says.
pub(super) fn by_triple(shell: &Interpreter<'_, '_>, setting: &Setting) -> Found {
    let text = setting.value.as_known();
    let kind = text.as_deref().and_then(|t| triple_kind(t, shell.world.target));
    let machine = Machine { kind: kind.unwrap_or(MachineKind::Unknown), source: source(setting) };
    Found { machine, linkage: triple_linkage(&setting.value.spelling()) }
}

/// What a compiler that is given says. `None` if it is no compiler that is known.
pub(super) fn by_compiler(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    setting: &Setting,
) -> Option<Found> {
    let Some(text) = setting.value.as_known() else {
        let machine = Machine { kind: MachineKind::Unknown, source: source(setting) };
        return Some(Found { machine, linkage: Linkage::Unknown });
    };
    let Compiler { machine, linkage, names_machine } = c::compiler(shell, call, &text)?;
    let source = match names_machine {
        true => source(setting),
        false => MachineSource::StagePlatform,
    };
    let machine = Machine { kind: machine.unwrap_or(MachineKind::Unknown), source };
    Some(Found { machine, linkage })
}

pub(super) fn native(shell: &Interpreter<'_, '_>) -> Found {
    let machine = Machine::native(shell.runs_on().as_ref());
    Found { machine, linkage: Linkage::dynamic(shell.state.libc) }
}

/// Flags for the compiler that change what comes out.
fn apply_flags(found: &mut Found, settings: &[Setting]) {
    let text = |name: &str| {
        let setting = settings.iter().find(|s| s.name.eq_ignore_ascii_case(name));
        setting.map_or(String::new(), |s| s.value.spelling().into_owned())
    };
    let flags = ["CFLAGS", "CXXFLAGS", "CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS"].map(text).join(" ");
    let link = ["LDFLAGS", "CMAKE_EXE_LINKER_FLAGS"].map(text).join(" ");
    if asks_static(&flags) || asks_static(&link) {
        found.linkage = Linkage::Static;
    }
    let narrow = flags.split_whitespace().any(|w| w == "-m32");
    if narrow && found.machine.platform().is_some_and(|p| p.arch() == "amd64") {
        found.machine.kind = MachineKind::Platform(mlint_oci::Platform::linux("386"));
    }
}

fn remember(
    shell: &mut Interpreter<'_, '_>,
    directory: Option<String>,
    found: Found,
    prefix: Option<String>,
    settings: Vec<Setting>,
    own_tree: bool,
) {
    let Some(directory) = directory else { return };
    let Found { machine, linkage } = found;
    let certain = shell.is_reached();
    let new = Configured { machine, linkage, prefix, settings, own_tree };
    shell.state.builds.configure(directory, new, certain);
}

/// A prefix that is given, or the usual one.
fn prefix(shell: &Interpreter<'_, '_>, given: Option<&Argument>) -> Option<String> {
    match given {
        Some(prefix) => shell.path(&prefix.value),
        None => Some("/usr/local".to_owned()),
    }
}

/// The environment, with the assignments among the words (`./configure CC=…`) over it.
fn variables(shell: &Interpreter<'_, '_>, call: &Call, words: &[Argument]) -> Vec<Setting> {
    let mut found = settings(shell, call, ENVIRONMENT);
    for word in words {
        let text = word.value.known_prefix();
        let Some((name, _)) = text.split_once('=') else { continue };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            continue;
        }
        if let Some(value) = word.value.without_prefix(name.len() + 1) {
            found.retain(|s| s.name != name);
            found.push(given(name, &value, word.span));
        }
    }
    found
}

/// `./configure --host=… --prefix=…` (autoconf's, and those that look like it).
pub(super) fn autoconf(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    const VALUES: &[&str] = &["--host", "--build", "--target", "--prefix"];
    let line = Line::read_long(call.arguments(), VALUES);
    if line.has(&["--help", "-h", "--version"]) {
        return false;
    }
    let mut found = variables(shell, call, &line.operands);
    let option = |names: &[&str]| line.value(names).filter(|v| !v.value.is_empty());
    let (host, build) = (option(&["--host", "-host"]), option(&["--build", "-build"]));
    let cross_prefix = option(&["--cross-prefix", "--cross_prefix", "--cross-compile-prefix"]);
    // OpenSSL names the target first: `./Configure linux-aarch64`.
    let target = line.operands.first().filter(|_| name == "Configure");
    let target = target.filter(|t| t.value.as_known().is_some_and(|t| t.starts_with("linux-")));
    let compiler = option(&["--cc"])
        .map(|v| given("CC", &v.value, v.span))
        .or_else(|| found.iter().find(|s| s.name == "CC" && !s.value.is_empty()).cloned());
    let native_host = host.is_some_and(|h| {
        h.value.as_known().is_some()
            && build.is_some_and(|b| b.value.as_known() == h.value.as_known())
    });
    // The compiler decides; a host without one makes configure look for `<host>-gcc`.
    let by_cc = compiler.as_ref().and_then(|c| by_compiler(shell, call, c));
    let mut result = match (host.or(cross_prefix).or(target), by_cc) {
        (Some(host), _) if !native_host => {
            let name = match () {
                () if line.has(&["--host", "-host"]) => "--host",
                () if cross_prefix.is_some() => "--cross-prefix",
                () => "target",
            };
            let setting = given(name, &host.value, host.span);
            let by_host = by_triple(shell, &setting);
            found.insert(0, setting);
            by_host
        }
        (_, Some(by_cc)) => by_cc,
        // Options of their own for the machine (ffmpeg's --arch): not followed.
        _ if line.has(&["--arch", "--enable-cross-compile", "--cpu"]) => {
            Found { machine: Machine::unknown(), linkage: Linkage::Unknown }
        }
        _ => native(shell),
    };
    apply_flags(&mut result, &found);
    let prefix = prefix(shell, line.value(&["--prefix", "-prefix"]));
    let directory = shell.directory.clone();
    remember(shell, directory, result, prefix, found, false);
    true
}

/// `cmake -S . -B build -D…`.
pub(super) fn cmake(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    const VALUES: &[&str] = &[
        "-D",
        "-B",
        "-S",
        "-G",
        "-C",
        "-U",
        "-A",
        "-T",
        "--toolchain",
        "--install-prefix",
        "--preset",
    ];
    let line = Line::read(call.arguments(), VALUES);
    let mut found = settings(shell, call, ENVIRONMENT);
    found.extend(settings(shell, call, &["CMAKE_TOOLCHAIN_FILE"]));
    for definition in line.values(&["-D"]) {
        let text = definition.value.known_prefix();
        let Some((name, _)) = text.split_once('=') else { continue };
        let Some(value) = definition.value.without_prefix(name.len() + 1) else { continue };
        // `-DNAME:TYPE=value`
        let name = name.split(':').next().unwrap_or(name);
        found.retain(|s| s.name != name);
        found.push(given(name, &value, definition.span));
    }
    if let Some(toolchain) = line.value(&["--toolchain"]) {
        found.push(given("CMAKE_TOOLCHAIN_FILE", &toolchain.value, toolchain.span));
    }
    let mut result = by_definitions(shell, call, &found);
    if line.has(&["--preset"]) && result.machine.source == MachineSource::StagePlatform {
        // What a preset says is in another file.
        result = Found { machine: Machine::unknown(), linkage: Linkage::Unknown };
    }
    apply_flags(&mut result, &found);
    let install = found.iter().find(|s| s.name == "CMAKE_INSTALL_PREFIX");
    let install = install.map(|s| Argument { value: s.value.clone(), span: s.span });
    let prefix = prefix(shell, install.as_ref().or(line.value(&["--install-prefix"])));
    let directory = match line.value(&["-B"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let source = match line.value(&["-S"]) {
        Some(folder) => shell.path(&folder.value),
        None => line.operands.first().and_then(|o| shell.path(&o.value)),
    };
    let own_tree = directory.is_some() && source != directory;
    remember(shell, directory, result, prefix, found, own_tree);
    true
}

fn by_definitions(shell: &Interpreter<'_, '_>, call: &Call, found: &[Setting]) -> Found {
    let named = |name: &str| found.iter().find(|s| s.name == name && !s.value.is_empty());
    if let Some(target) = named("CMAKE_C_COMPILER_TARGET").or(named("CMAKE_CXX_COMPILER_TARGET")) {
        return by_triple(shell, target);
    }
    if let Some(compiler) = named("CMAKE_C_COMPILER").or(named("CMAKE_CXX_COMPILER")) {
        let unknown = Found { machine: Machine::unknown(), linkage: Linkage::Unknown };
        return by_compiler(shell, call, compiler).unwrap_or(unknown);
    }
    if let Some(file) = named("CMAKE_TOOLCHAIN_FILE") {
        return by_file(shell, file, &["CMAKE_C_COMPILER", "CMAKE_SYSTEM_PROCESSOR"]);
    }
    // A processor is declared, and no compiler for it: cmake takes the native one, or one of which
    // a file says more.
    if let Some(processor) = named("CMAKE_SYSTEM_PROCESSOR") {
        let same = by_triple(shell, processor).machine.kind == native(shell).machine.kind;
        if !same {
            return Found { machine: Machine::unknown(), linkage: Linkage::Unknown };
        }
    }
    let compiler = named("CC").or(named("CXX"));
    compiler.and_then(|c| by_compiler(shell, call, c)).unwrap_or_else(|| native(shell))
}

/// A file that describes the target: by its text where that is known, else by its name.
fn by_file(shell: &Interpreter<'_, '_>, file: &Setting, keys: &[&str]) -> Found {
    let text = shell
        .path(&file.value)
        .and_then(|p| shell.state.files.find(&p)?.content)
        .and_then(|c| Some(c.as_known()?.into_owned()));
    let name = file.value.as_known().map(std::borrow::Cow::into_owned);
    let said = text.as_deref().and_then(|text| {
        keys.iter().find_map(|key| {
            let line = text.lines().find(|l| mentions_key(l, key))?;
            triple_kind(value_part(line, key), shell.world.target)
        })
    });
    let kind = match (said, text.is_some()) {
        (Some(kind), _) => Some(kind),
        (None, true) => None,
        (None, false) => name.as_deref().and_then(|n| {
            let file = crate::files::file_name(n);
            let stem = file.split('.').next().unwrap_or(file);
            let target = shell.world.target;
            triple_kind(stem, target).or_else(|| triple_kind(n, target))
        }),
    };
    let linkage = triple_linkage(text.as_deref().or(name.as_deref()).unwrap_or_default());
    let machine = Machine { kind: kind.unwrap_or(MachineKind::Unknown), source: source(file) };
    let linkage = if machine.platform().is_some() { linkage } else { Linkage::Unknown };
    Found { machine, linkage }
}

/// `set(KEY …)` of cmake, `key = …` of meson.
fn mentions_key(line: &str, key: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("set(").or(line.strip_prefix("SET(")).unwrap_or(line);
    line.trim_start()
        .strip_prefix(key)
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || c == '='))
}

fn value_part<'l>(line: &'l str, key: &str) -> &'l str {
    let after = line.split_once(key).map_or(line, |(_, rest)| rest);
    let quotes = |c: char| c.is_whitespace() || matches!(c, '=' | '\'' | '"' | ')' | '[' | ']');
    let text = after.trim_matches(quotes);
    text.rsplit('/').next().unwrap_or(text)
}

/// `meson setup builddir [source] --cross-file …`; also `meson builddir`, as it once was.
pub(super) fn meson(shell: &mut Interpreter<'_, '_>, call: &Call, words: &[Argument]) -> bool {
    const VALUES: &[&str] = &[
        "--cross-file",
        "--native-file",
        "--prefix",
        "-D",
        "--buildtype",
        "--default-library",
        "--libdir",
        "--bindir",
        "--sysconfdir",
        "--localstatedir",
        "--wrap-mode",
        "--backend",
    ];
    let line = Line::read(words, VALUES);
    let found = settings(shell, call, ENVIRONMENT);
    let keys = ["c", "cpu_family", "cpu"];
    let mut result = match line.value(&["--cross-file"]) {
        Some(file) => by_file(shell, &given("--cross-file", &file.value, file.span), &keys),
        None => {
            let cc = found.iter().find(|s| s.name == "CC" && !s.value.is_empty());
            cc.and_then(|c| by_compiler(shell, call, c)).unwrap_or_else(|| native(shell))
        }
    };
    apply_flags(&mut result, &found);
    let prefix = match line.value(&["--prefix"]) {
        Some(given) => prefix(shell, Some(given)),
        None => {
            let option = line.values(&["-D"]).find_map(|d| {
                let text = d.value.as_known()?;
                text.strip_prefix("prefix=").map(str::to_owned)
            });
            Some(option.unwrap_or_else(|| "/usr/local".to_owned()))
        }
    };
    let directory = line.operands.first().and_then(|o| shell.path(&o.value));
    remember(shell, directory, result, prefix, found, true);
    true
}
