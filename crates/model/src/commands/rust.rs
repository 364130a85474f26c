//! Rust: cargo and the commands that wrap it, cross, rustc.

mod config;
mod output;

use super::{
    built::{Built, base_image, crosses, record, settings},
    go::native_linkage,
    options::Line,
    triple::triple_linkage,
    xx,
};
use crate::{
    effect::{Argument, EffectKind, Install, Manager, Setting, Tool},
    machine::{Libc, Linkage, Machine, MachineSource},
    shell::{Call, Interpreter},
    value::{Truth, Value},
};

pub(super) use super::triple::triple_machine;

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
    "--test",
    "--bench",
    "--exclude",
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
    "-t",
    "--targets",
    "--cfg",
    "--output-format",
];

const SETTINGS: &[&str] = &[
    "CARGO_BUILD_TARGET",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Build,
    Install,
    /// `cargo binstall`: programs that somebody else compiled.
    Fetch,
    /// `cargo run`, `cargo test`: what is compiled is started.
    Execute,
    Rustc,
}

/// What a command line asks for; `Err` if it compiles nothing, with whether it printed.
fn verb(name: &str, line: &mut Line) -> Result<Verb, bool> {
    if name == "rustc" {
        let asks = line.has(&["--version", "-V", "--print", "-vV"]);
        return if asks || line.operands.is_empty() { Err(!asks) } else { Ok(Verb::Rustc) };
    }
    // Words that stand before what they wrap: `cargo auditable build`, `cargo xwin build`.
    const WRAPPERS: &[&str] =
        &["auditable", "xwin", "ndk", "component", "lambda", "hack", "chef", "leptos", "tauri"];
    let mut wrapped = false;
    while line.operand(0).is_some_and(|w| WRAPPERS.contains(&&*w)) {
        wrapped |= !matches!(line.operand(0).as_deref(), Some("auditable" | "hack"));
        line.operands.remove(0);
    }
    match line.operand(0).as_deref() {
        Some("build" | "b" | "zigbuild" | "rustc" | "cook") => Ok(Verb::Build),
        Some("install") => Ok(Verb::Install),
        Some("binstall" | "quickinstall") => Ok(Verb::Fetch),
        Some("run" | "r" | "test" | "t" | "bench" | "nextest") => Ok(Verb::Execute),
        _ => Err(wrapped || !line.has(&["--version", "-V", "--list"])),
    }
}

pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    if name == "xx-cargo" && prints_triple(shell, call) {
        return true;
    }
    let skip_toolchain = |a: &&Argument| !a.value.known_prefix().starts_with('+');
    let words: Vec<Argument> = call.arguments().iter().filter(skip_toolchain).cloned().collect();
    let mut line = Line::read(&words, VALUES);
    let verb = match verb(name, &mut line) {
        Ok(verb) => verb,
        Err(printed) => return printed,
    };
    let base = settings(shell, call, SETTINGS);
    let targets = targets(shell, name, call, &line, &base);
    let packages: Vec<Argument> = line.operands.iter().skip(1).cloned().collect();
    if matches!(verb, Verb::Install | Verb::Fetch) {
        let install = Install { manager: Manager::Cargo, packages, targets: Vec::new() };
        shell.effect(EffectKind::Install(install), call.span);
    }
    for target in targets {
        one(shell, name, call, verb, &line, target, base.clone());
    }
    verb != Verb::Execute
}

/// `rustup run TOOLCHAIN COMMAND`.
pub(super) fn rustup(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    if !call.arguments().first().is_some_and(|w| w.value.is("run")) {
        return !call
            .arguments()
            .iter()
            .any(|w| matches!(&*w.value.known_prefix(), "show" | "which"));
    }
    let words = call.argv.get(2..).unwrap_or_default();
    let options = words.iter().take_while(|w| w.value.known_prefix().starts_with("--")).count();
    let argv = words.get(options + 1..).unwrap_or_default().to_vec();
    if !argv.is_empty() {
        let _ = shell.simple_call(Call { argv, prefix: call.prefix.clone(), span: call.span });
    }
    true
}

/// `xx-cargo --print-target-triple`.
fn prints_triple(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    if call.arguments().iter().any(|a| a.value.is("--setup-target-triple")) {
        return true;
    }
    if !call.arguments().iter().any(|a| a.value.is("--print-target-triple")) {
        return false;
    }
    let unknown = Value::unknown(crate::value::Origin::CommandOutput, call.span);
    let value = xx::cargo_triple(shell, call).unwrap_or(unknown);
    let line_end = Value::known("\n", crate::value::Origin::Literal, call.span);
    shell.print(&value.concat(&line_end));
    true
}

/// What is compiled for.
enum Target {
    /// The host, into the target folder itself.
    Host,
    /// A triple, into a folder of its name.
    Triple(Setting),
    /// A configuration file that is not known may say it.
    Unclear,
}

fn targets(
    shell: &Interpreter<'_, '_>,
    name: &str,
    call: &Call,
    line: &Line,
    base: &[Setting],
) -> Vec<Target> {
    if name == "xx-cargo" {
        let value = xx::cargo_triple(shell, call)
            .unwrap_or_else(|| Value::unknown(crate::value::Origin::CommandOutput, call.span));
        let name = "TARGETPLATFORM".to_owned();
        return vec![Target::Triple(Setting { name, value, span: call.span })];
    }
    let given: Vec<Target> = line
        .values(&["--target"])
        .filter(|t| !t.value.is_empty() && !t.value.is("host-tuple"))
        .map(|t| {
            let (value, span) = (t.value.clone(), t.span);
            Target::Triple(Setting { name: "--target".to_owned(), value, span })
        })
        .collect();
    if !given.is_empty() {
        return given;
    }
    if name == "rustc" {
        return vec![Target::Host];
    }
    if let Some(flag) = config::flag(line, "build.target") {
        return vec![Target::Triple(flag)];
    }
    let env = base.iter().find(|s| s.name == "CARGO_BUILD_TARGET" && !s.value.is_empty());
    if let Some(setting) = env {
        return vec![Target::Triple(setting.clone())];
    }
    vec![match config::read(shell, call, "build", "target") {
        config::Answer::Is(setting) => Target::Triple(setting),
        config::Answer::Unset => Target::Host,
        config::Answer::Unknown => Target::Unclear,
    }]
}

fn one(
    shell: &mut Interpreter<'_, '_>,
    name: &str,
    call: &Call,
    verb: Verb,
    line: &Line,
    target: Target,
    mut found: Vec<Setting>,
) {
    let native = Machine::native(shell.runs_on().as_ref());
    let machine = match &target {
        Target::Triple(_) if name == "xx-cargo" => xx::machine(shell, call),
        Target::Triple(setting) => triple_machine(shell, setting),
        Target::Host => native,
        Target::Unclear => Machine::unknown(),
    };
    let triple = match &target {
        Target::Triple(setting) => Some(setting.clone()),
        _ => None,
    };
    if let Some(triple) = &triple {
        found.extend(target_settings(shell, call, triple));
    }
    let linkage = match (&target, verb) {
        (Target::Unclear, _) | (_, Verb::Fetch) => Linkage::Unknown,
        _ => linkage(shell, triple.as_ref().map(|t| &t.value), &found, line),
    };
    if verb == Verb::Execute {
        if crosses(shell, &machine) == Truth::Yes && !has_runner(&found) {
            let path = format!("cargo {}", line.operand(0).unwrap_or_default());
            shell.effect(EffectKind::Execute { path, machine }, call.span);
        }
        return;
    }
    let places = match verb {
        Verb::Install | Verb::Fetch => output::installed(shell, call, line),
        Verb::Rustc => output::rustc(shell, line),
        _ => output::built(shell, call, line, &found, triple.as_ref()),
    };
    if let Some(setting) = triple.filter(|t| !found.iter().any(|s| s.name == t.name)) {
        found.insert(0, setting);
    }
    if verb == Verb::Fetch {
        let made = crate::artifact::Made::Installed { manager: Manager::Cargo };
        let machine = Machine { source: MachineSource::Packages, ..machine };
        let places = places.into_iter().map(super::built::Place::guessed).collect();
        super::built::put(shell, call, places, &made, &machine, linkage);
        return;
    }
    let built = Built { tool: Tool::Rust, machine, linkage, cgo: None, places, settings: found };
    record(shell, call, built);
}

/// Variables for one target: `CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER`.
fn target_settings(shell: &Interpreter<'_, '_>, call: &Call, triple: &Setting) -> Vec<Setting> {
    let Some(text) = triple.value.as_known() else { return Vec::new() };
    let stem = text.to_ascii_uppercase().replace(['-', '.'], "_");
    let names: Vec<String> = ["LINKER", "RUSTFLAGS", "RUNNER"]
        .iter()
        .map(|what| format!("CARGO_TARGET_{stem}_{what}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    settings(shell, call, &names)
}

fn has_runner(found: &[Setting]) -> bool {
    found.iter().any(|s| s.name.ends_with("_RUNNER"))
}

fn linkage(
    shell: &Interpreter<'_, '_>,
    triple: Option<&Value>,
    settings: &[Setting],
    line: &Line,
) -> Linkage {
    let mut flags: String = settings
        .iter()
        .filter(|s| s.name.ends_with("RUSTFLAGS"))
        .map(|s| s.value.spelling() + " ")
        .collect();
    for flag in line.values(&["-C"]) {
        flags.push_str(&flag.value.spelling());
    }
    if flags.contains("+crt-static") {
        return Linkage::Static;
    }
    if line.value(&["--crate-type"]).is_some_and(|t| !t.value.is("bin")) {
        return Linkage::Unknown;
    }
    let musl = match triple.map(|t| t.spelling()) {
        Some(triple) if triple.contains("musl") => !triple.contains("alpine-linux"),
        Some(triple) => return triple_linkage(&triple),
        // The distribution's own compiler links dynamically, rustup's does not.
        None if shell.state.libc == Libc::Musl => {
            let from_rustup = base_image(shell).is_some_and(|image| {
                let official = mlint_oci::Reference::parse(&image).ok();
                image.contains("rust")
                    || official.is_some_and(|r| r.official_name() == Some("alpine"))
            });
            if !from_rustup && !shell.state.builds.distro_rust {
                return Linkage::Unknown;
            }
            !shell.state.builds.distro_rust
        }
        None => return native_linkage(shell.state.libc),
    };
    if musl && !flags.contains("-crt-static") { Linkage::Static } else { Linkage::Musl }
}
