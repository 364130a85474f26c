//! .NET.
//!
//! Assemblies run wherever .NET does. What `build` and `publish` add is native: the launcher
//! (`apphost`) that is named after the project and is for the runtime identifier given, else for
//! the SDK's own machine; with `--self-contained`, the runtime; with `PublishAot` and
//! `PublishSingleFile`, the whole program. SDKs before 8 take an identifier for
//! `--self-contained`, later ones do not.

use super::{
    build::{
        Build, Installed, first_setting, folder_variable, in_home, install, option_setting,
        variable,
    },
    built::Place,
    options::Line,
};
use crate::{
    effect::{Argument, Manager, Setting, Tool},
    files::{UNKNOWN_NAME, join},
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    value::Truth,
};

#[rustfmt::skip]
const VALUES: &[&str] = &[
    "-r", "--runtime", "-a", "--arch", "--os", "-o", "--output", "-c", "--configuration", "-f",
    "--framework", "-v", "--verbosity", "--version-suffix", "-s", "--source", "--tool-path",
    "--version", "--configfile", "--packages", "--project", "--add-source", "--artifacts-path",
    "--manifest", "--ucr", "--logger", "-l", "--filter", "--collect", "--results-directory",
];

const RUNTIME: &[&str] = &["-r", "--runtime", "--ucr"];
const ARCH: &[&str] = &["-a", "--arch"];

pub(super) fn run(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read_long(call.arguments(), VALUES);
    let command = line.operand(0).map(std::borrow::Cow::into_owned);
    match command.as_deref() {
        Some("publish" | "build" | "msbuild") => program(shell, call, &line),
        Some("pack") => {
            let places = output(shell, &line, "bin").into_iter().map(Place::folder).collect();
            Build::independent(Tool::DotNet).make(shell, call, places);
        }
        Some("tool") => tool(shell, call, &line),
        Some("run" | "exec" | "nuget" | "ef" | "--info" | "--version") | None => return false,
        Some(_) => {}
    }
    true
}

/// A property given with `-p:NAME=value` in any of its spellings, or by the environment, where
/// MSBuild takes properties from as well.
fn property(shell: &Interpreter<'_, '_>, call: &Call, line: &Line, name: &str) -> Option<Setting> {
    let spelled = |option: &str| {
        let option = option.to_ascii_lowercase();
        ["-p:", "--property:", "-property:"]
            .iter()
            .any(|p| option.strip_prefix(p).is_some_and(|n| n.eq_ignore_ascii_case(name)))
    };
    let given = line.options.iter().rev().find(|(option, _)| spelled(option));
    if let Some((_, Some(argument))) = given {
        return Some(option_setting(name, argument));
    }
    // `/p:NAME=value` looks like an operand, and `-p NAME=value` leaves one behind.
    let lower = name.to_ascii_lowercase();
    let found = line.operands.iter().find_map(|word| {
        let prefix = word.value.known_prefix();
        let (key, _) = prefix.split_once('=')?;
        let bare = key.trim_start_matches("/p:").trim_start_matches("/property:");
        let value = word.value.without_prefix(key.len() + 1)?;
        (bare.to_ascii_lowercase() == lower)
            .then(|| option_setting(name, &Argument { value, span: word.span }))
    });
    found.or_else(|| variable(shell, call, &[name]))
}

/// Whether a property is on, as far as the command tells.
fn flag(shell: &Interpreter<'_, '_>, call: &Call, line: &Line, name: &str) -> Truth {
    match property(shell, call, line, name) {
        Some(setting) if setting.value.as_known().is_none() => Truth::Unknown,
        Some(setting) => {
            Truth::from(setting.value.as_known().is_some_and(|v| v.eq_ignore_ascii_case("true")))
        }
        None => Truth::Unknown,
    }
}

/// Whether the runtime comes along, as far as the command and the SDK's version tell.
fn self_contained(shell: &Interpreter<'_, '_>, call: &Call, line: &Line) -> Truth {
    if line.has(&["--no-self-contained"]) {
        return Truth::No;
    }
    for (name, value) in line.options.iter().rev() {
        match (name.as_str(), value) {
            ("--self-contained" | "--sc", None) => {
                // `--self-contained false` leaves its word among the operands.
                let off = line.operands.iter().any(|o| o.value.is("false"));
                return Truth::from(!off);
            }
            ("--self-contained" | "--sc", Some(value)) => {
                return match value.value.as_known().as_deref() {
                    Some("false") => Truth::No,
                    Some("true") => Truth::Yes,
                    _ => Truth::Unknown,
                };
            }
            _ => {}
        }
    }
    let whole = ["PublishAot", "PublishSingleFile"];
    if whole.iter().any(|name| flag(shell, call, line, name) == Truth::Yes) {
        return Truth::Yes;
    }
    let given = flag(shell, call, line, "SelfContained");
    if given != Truth::Unknown {
        return given;
    }
    let told = line.value(RUNTIME).is_some() || line.value(ARCH).is_some();
    match super::image::version(shell) {
        Some(version) if version.major < 8 && told => Truth::Yes,
        _ => Truth::Unknown,
    }
}

/// Where results land without `--output`, relative to the project's folder.
fn output(shell: &Interpreter<'_, '_>, line: &Line, default: &str) -> Option<String> {
    if let Some(folder) = line.value(&["-o", "--output", "--artifacts-path"]) {
        return shell.path(&folder.value);
    }
    let project = line.operands.iter().skip(1).find(|o| {
        let start = o.value.known_prefix();
        !start.starts_with('/') || !start.contains('=')
    });
    let folder = match project.and_then(|p| shell.path(&p.value)) {
        Some(path) if path.ends_with("proj") || path.ends_with(".sln") => {
            path.rsplit_once('/').map(|(folder, _)| folder.to_owned())
        }
        Some(path) => Some(path),
        None => shell.directory.clone(),
    };
    folder.map(|f| join(&f, default))
}

fn program(shell: &mut Interpreter<'_, '_>, call: &Call, line: &Line) {
    let runtime = first_setting(line, RUNTIME)
        .or_else(|| property(shell, call, line, "RuntimeIdentifier"))
        .or_else(|| first_setting(line, ARCH));
    let system = first_setting(line, &["--os"]);
    let told = runtime.clone().or_else(|| system.clone());
    let mut build = match &runtime {
        Some(setting) => Build::told(shell, Tool::DotNet, Some(setting.clone())),
        None => Build::native(shell, Tool::DotNet),
    };
    build.linkage = linkage(shell, runtime.as_ref(), system.as_ref());
    if system.as_ref().is_some_and(|s| !s.value.known_prefix().starts_with("linux")) {
        // For Windows, macOS, or what is not known.
        build.machine = Machine::unknown();
    }
    build.settings.extend(system.filter(|_| runtime.is_some()));
    let complete = self_contained(shell, call, line);
    let launcher = flag(shell, call, line, "UseAppHost");
    let folder = output(shell, line, "bin");
    let Some(told) = told else {
        let places = folder.iter().cloned().map(Place::folder).collect();
        if complete == Truth::Yes {
            return build.make(shell, call, places);
        }
        let native = build;
        Build::independent(Tool::DotNet).make(shell, call, places);
        if let Some(folder) = folder.filter(|_| launcher != Truth::No) {
            put_launcher(shell, call, &native, &folder);
        }
        return;
    };
    let sure = complete == Truth::Yes;
    if !build.settings.iter().any(|s| s.name == told.name) {
        build.settings.push(told);
    }
    // Without the runtime, the assemblies run elsewhere as well; what native parts there are don't.
    let place = |path: String| Place { path, folder: true, guessed: !sure };
    build.make(shell, call, folder.into_iter().map(place).collect());
}

/// The program that starts the assembly of its name.
fn put_launcher(shell: &mut Interpreter<'_, '_>, call: &Call, build: &Build, folder: &str) {
    let place = Place { path: join(folder, UNKNOWN_NAME), folder: false, guessed: true };
    let made = crate::artifact::Made::Compiled { tool: Tool::DotNet, cgo: None };
    super::built::put(shell, call, vec![place], &made, &build.machine, build.linkage);
}

/// An identifier names its C library; `--arch` and `--os linux` keep the SDK's own.
fn linkage(
    shell: &Interpreter<'_, '_>,
    runtime: Option<&Setting>,
    system: Option<&Setting>,
) -> Linkage {
    let text = |s: Option<&Setting>| s.map(|s| s.value.spelling().into_owned()).unwrap_or_default();
    let (runtime_text, system_text) = (text(runtime), text(system));
    if runtime_text.contains("musl")
        || system_text.contains("musl")
        || runtime_text.contains("alpine")
    {
        return Linkage::Musl;
    }
    match runtime.map(|s| s.name.as_str()) {
        Some("-a" | "--arch") | None => Linkage::dynamic(shell.state.libc),
        Some(_) if runtime_text.starts_with("linux-") => Linkage::Glibc,
        Some(_) => Linkage::Unknown,
    }
}

/// `dotnet tool install -g NAME`: a launcher for the SDK's machine, and assemblies.
fn tool(shell: &mut Interpreter<'_, '_>, call: &Call, line: &Line) {
    if !matches!(line.operand(1).as_deref(), Some("install" | "update")) {
        return;
    }
    install(shell, call, Manager::NuGet, line.operands.iter().skip(2).cloned().collect());
    let folder = match line.value(&["--tool-path"]) {
        Some(folder) => shell.path(&folder.value),
        None if line.has(&["-g", "--global"]) => folder_variable(shell, call, "DOTNET_CLI_HOME")
            .map(|home| join(&home, ".dotnet/tools"))
            .or_else(|| in_home(shell, ".dotnet/tools")),
        None => None,
    };
    let Some(folder) = folder else { return };
    let installed = Installed::native(shell, Manager::NuGet);
    let told = first_setting(line, ARCH).or_else(|| first_setting(line, RUNTIME));
    let installed = match told {
        Some(setting) => Installed::told(shell, Manager::NuGet, &setting),
        None => installed,
    };
    installed.put(shell, call, folder, false);
}
