//! Rust: cargo, cross, rustc.

use super::{
    go::{Place, crosses, native_linkage, put, settings, wrapped_machine},
    names::platform_in,
    options::Line,
};
use crate::{
    artifact::Made,
    effect::{Argument, Compile, EffectKind, Install, Manager, Setting, Tool},
    files::{absolute, join},
    machine::{Libc, Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    value::Value,
};

const VALUES: &[&str] = &[
    "--target",
    "--target-dir",
    "--bin",
    "--package",
    "-p",
    "--features",
    "-F",
    "--profile",
    "--manifest-path",
    "--root",
    "--path",
    "-Z",
    "--config",
    "--git",
    "--version",
    "--branch",
    "--tag",
    "--rev",
    "-j",
    "--jobs",
    "--example",
    "--out-dir",
    "--artifact-dir",
    "--index",
    "--registry",
    "--recipe-path",
    "-o",
    "--edition",
    "--crate-type",
    "--crate-name",
    "-C",
    "-L",
    "-l",
    "--emit",
    "--message-format",
    "--color",
];

pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let skip_toolchain = |a: &&Argument| !a.value.known_prefix().starts_with('+');
    let words: Vec<Argument> = call.arguments().iter().filter(skip_toolchain).cloned().collect();
    let line = Line::read(&words, VALUES);
    let command = match (name, line.operand(0).as_deref()) {
        ("rustc", _) => "rustc",
        (_, Some("build" | "b" | "zigbuild" | "rustc")) => "build",
        (_, Some("auditable" | "chef" | "xwin" | "ndk" | "leptos")) => "build",
        (_, Some("install")) => "install",
        _ => return !line.has(&["--version", "-V", "--print"]),
    };
    let mut found = settings(shell, call, &["CARGO_BUILD_TARGET", "RUSTFLAGS", "CARGO_TARGET_DIR"]);
    if let Some(target) = line.value(&["--target"]) {
        let (value, span) = (target.value.clone(), target.span);
        found.insert(0, Setting { name: "--target".to_owned(), value, span });
    }
    let target = found
        .iter()
        .find(|s| {
            matches!(s.name.as_str(), "--target" | "CARGO_BUILD_TARGET") && !s.value.is_empty()
        })
        .cloned();
    let machine = match (&target, name) {
        (_, "xx-cargo") => wrapped_machine(shell, call),
        (Some(target), _) => triple_machine(shell, target),
        (None, _) => Machine::native(shell.runs_on().as_ref()),
    };
    let linkage = linkage(shell, target.as_ref().map(|t| &t.value), &found);
    let places = match command {
        "install" => installed(shell, call, &line),
        "rustc" => line
            .value(&["-o"])
            .and_then(|o| shell.path(&o.value))
            .map(Place::file)
            .into_iter()
            .collect(),
        _ => built(shell, name, &line, &found, target.as_ref()),
    };
    if command == "install" {
        let packages = line.operands.iter().skip(1).cloned().collect();
        let install = Install { manager: Manager::Cargo, packages };
        shell.effect(EffectKind::Install(install), call.span);
    }
    let compile = Compile {
        tool: Tool::Rust,
        cross: crosses(shell, &machine),
        machine: machine.clone(),
        linkage,
        cgo: None,
        outputs: places.iter().map(|p| p.path.clone()).collect(),
        settings: found,
    };
    shell.effect(EffectKind::Compile(compile), call.span);
    put(shell, call, places, &Made::Compiled { tool: Tool::Rust, cgo: None }, &machine, linkage);
    true
}

/// The machine of a triple given by a setting.
pub(super) fn triple_machine(shell: &Interpreter<'_, '_>, setting: &Setting) -> Machine {
    let source = MachineSource::Setting {
        name: setting.name.clone(),
        value: setting.value.clone(),
        span: setting.span,
    };
    let text = setting.value.as_known();
    let platform = text.and_then(|t| platform_in(&t, shell.world.target));
    Machine { kind: platform.map_or(MachineKind::Unknown, MachineKind::Platform), source }
}

fn linkage(shell: &Interpreter<'_, '_>, triple: Option<&Value>, settings: &[Setting]) -> Linkage {
    let flags = settings.iter().find(|s| s.name == "RUSTFLAGS").map(|s| s.value.spelled().text);
    let flags = flags.unwrap_or_default();
    if flags.contains("+crt-static") {
        return Linkage::Static;
    }
    let musl = match triple.map(|t| t.spelled().text) {
        Some(triple) if triple.contains("musl") => true,
        Some(triple) if triple.contains("gnu") => return Linkage::Glibc,
        Some(_) => return Linkage::Unknown,
        None => shell.state.libc == Libc::Musl,
    };
    match musl {
        true if flags.contains("-crt-static") => Linkage::Musl,
        true => Linkage::Static,
        false => native_linkage(shell.state.libc),
    }
}

fn built(
    shell: &Interpreter<'_, '_>,
    name: &str,
    line: &Line,
    settings: &[Setting],
    triple: Option<&Setting>,
) -> Vec<Place> {
    let given = line.value(&["--target-dir"]).map(|d| d.value.clone());
    let from_env = settings.iter().find(|s| s.name == "CARGO_TARGET_DIR").map(|s| s.value.clone());
    let folder = match given.or(from_env) {
        Some(folder) => shell.path(&folder),
        None => {
            let manifest = line.value(&["--manifest-path"]).and_then(|m| shell.path(&m.value));
            let base = match manifest {
                Some(path) => path.rsplit_once('/').map(|(folder, _)| absolute("/", folder)),
                None => shell.directory.clone(),
            };
            base.map(|b| join(&b, "target"))
        }
    };
    let Some(folder) = folder else { return Vec::new() };
    if name == "xx-cargo" {
        return vec![Place::folder(folder)];
    }
    let profile = match line.value(&["--profile"]).map(|p| p.value.as_known()) {
        Some(Some(profile)) if profile == "dev" => "debug".to_owned(),
        Some(Some(profile)) => profile.into_owned(),
        Some(None) => return vec![Place::folder(folder)],
        None if line.has(&["--release", "-r"]) => "release".to_owned(),
        None => "debug".to_owned(),
    };
    let folder = match triple.map(|t| t.value.as_known()) {
        // zigbuild takes a glibc version behind the triple, which is not in the folder's name.
        Some(Some(triple)) => join(&folder, triple.split(".2").next().unwrap_or(&triple)),
        Some(None) => return vec![Place::folder(folder)],
        None => folder,
    };
    vec![Place::folder(join(&folder, &profile))]
}

fn installed(shell: &Interpreter<'_, '_>, call: &Call, line: &Line) -> Vec<Place> {
    let root = match line.value(&["--root"]) {
        Some(root) => shell.path(&root.value),
        None => {
            let home = shell.environment(call, "CARGO_HOME").and_then(|h| shell.path(&h.value));
            home.or_else(|| shell.state.home.clone().map(|h| join(&h, ".cargo")))
        }
    };
    let Some(bin) = root.map(|r| join(&r, "bin")) else { return Vec::new() };
    match line.operand(1) {
        Some(name) if !line.has(&["--path", "--git"]) => {
            vec![Place::file(join(&bin, name.split('@').next().unwrap_or_default()))]
        }
        _ => vec![Place::folder(bin)],
    }
}
