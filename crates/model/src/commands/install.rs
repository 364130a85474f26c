//! Package managers.

use super::{
    download, foreign,
    go::{Place, put},
    options::Line,
    xx,
};
use crate::{
    artifact::Made,
    effect::{Argument, EffectKind, Fetcher, Install, Manager, PackageTarget},
    files::join,
    knowledge::Toolchain,
    machine::{Linkage, Machine, MachineSource},
    shell::{Call, Interpreter},
};

const APT_VALUES: &[&str] = &["-t", "--target-release", "-o", "--option", "-c", "-a"];
const APK_VALUES: &[&str] =
    &["-t", "--virtual", "-X", "--repository", "--root", "-p", "--repositories-file", "--arch"];
const RPM_VALUES: &[&str] = &[
    "--installroot",
    "--releasever",
    "--setopt",
    "--enablerepo",
    "--disablerepo",
    "-c",
    "-x",
    "--exclude",
    "--root",
    "--repo",
    "--forcearch",
];
const PIP_VALUES: &[&str] = &[
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-t",
    "--target",
    "--prefix",
    "--root",
    "-f",
    "--find-links",
    "--platform",
    "--python-version",
    "--implementation",
    "--abi",
    "--only-binary",
    "--no-binary",
    "--timeout",
    "--cache-dir",
    "--python",
    "-p",
    "--retries",
    "--trusted-host",
    "--src",
    "-e",
];
const NPM_VALUES: &[&str] = &[
    "--prefix",
    "--registry",
    "--cpu",
    "--os",
    "--libc",
    "--omit",
    "-w",
    "--workspace",
    "--cwd",
    "-C",
    "--dir",
    "--filter",
    "--network-timeout",
    "--modules-folder",
];

/// `false` if the program is no package manager, or does something else here.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "apt" | "apt-get" | "aptitude" | "xx-apt" | "xx-apt-get" | "goxx-apt-get" => system(
            shell,
            call,
            Manager::Apt,
            APT_VALUES,
            &["install", "reinstall", "build-dep", "satisfy"],
        ),
        "apk" | "xx-apk" => system(shell, call, Manager::Apk, APK_VALUES, &["add"]),
        "yum" | "dnf" | "dnf5" | "microdnf" | "tdnf" | "zypper" => {
            let verbs = ["install", "localinstall", "reinstall", "groupinstall", "in", "builddep"];
            system(shell, call, Manager::Rpm, RPM_VALUES, &verbs)
        }
        "rpm" => files(shell, call, Manager::Rpm, &["-i", "-U", "--install", "--upgrade", "-F"]),
        "dpkg" => files(shell, call, Manager::Dpkg, &["-i", "--install"]),
        "pacman" => files(shell, call, Manager::Pacman, &["-S", "-U", "--sync"]),
        "gem" => system(shell, call, Manager::Gem, &["-v", "--version"], &["install"]),
        "conda" | "mamba" | "micromamba" => {
            let values = ["-n", "--name", "-c", "--channel", "-p", "--prefix", "-f", "--file"];
            system(shell, call, Manager::Conda, &values, &["install", "create"])
        }
        "pip" | "pip3" | "pipx" => pip(shell, call.arguments(), call),
        "uv" => match call.text(1).as_deref() {
            Some("pip") => pip(shell, &call.argv[2..], call),
            _ => false,
        },
        "python" | "python3" => {
            let module = call.text(1).as_deref() == Some("-m");
            match call.text(2).as_deref() {
                Some("pip") if module => pip(shell, &call.argv[3..], call),
                _ => false,
            }
        }
        "npm" | "yarn" | "pnpm" | "bun" => npm(shell, name, call),
        name if name.starts_with("pip3.") => pip(shell, call.arguments(), call),
        _ => false,
    }
}

fn record(shell: &mut Interpreter<'_, '_>, manager: Manager, packages: Vec<Argument>, call: &Call) {
    record_for(shell, manager, packages, None, call);
}

/// As [`record`]; with `all`, every package is for that machine.
fn record_for(
    shell: &mut Interpreter<'_, '_>,
    manager: Manager,
    packages: Vec<Argument>,
    all: Option<&Machine>,
    call: &Call,
) {
    let fetcher = match manager {
        Manager::Pip => Fetcher::Pip,
        Manager::Npm => Fetcher::Npm,
        _ => Fetcher::PackageManager,
    };
    download::addresses(shell, fetcher, &packages, call.span);
    let targets = foreign::targets(shell, manager, &packages, all);
    for (index, package) in packages.iter().enumerate() {
        // What is for another machine does not run here.
        let elsewhere = |t: &PackageTarget| {
            let runs_on = shell.runs_on();
            t.package == index && t.machine.platform().is_some_and(|p| Some(p) != runs_on.as_ref())
        };
        if targets.iter().any(elsewhere) {
            continue;
        }
        let Some(text) = package.value.as_known() else { continue };
        let bare = text.split(['=', '<', '>', '~', ':']).next().unwrap_or_default();
        for toolchain in toolchains(bare) {
            shell.state.toolchains.insert(*toolchain);
        }
        // Alpine's Go depends on its C compiler.
        if manager == Manager::Apk && bare == "go" {
            shell.state.toolchains.insert(Toolchain::C);
        }
        let is_system = matches!(manager, Manager::Apk | Manager::Apt | Manager::Rpm);
        if is_system && matches!(bare, "cargo" | "rust" | "rustc") {
            shell.state.builds.distro_rust = true;
        }
    }
    shell.effect(EffectKind::Install(Install { manager, packages, targets }), call.span);
}

/// What well-known packages bring.
fn toolchains(package: &str) -> &'static [Toolchain] {
    match package {
        "gcc" | "g++" | "build-essential" | "build-base" | "clang" | "alpine-sdk" | "gcc-c++"
        | "base-devel" => &[Toolchain::C],
        "golang" | "golang-go" | "go" => &[Toolchain::Go],
        "cargo" | "rust" | "rustc" | "rustup" => &[Toolchain::Rust],
        "nodejs" | "npm" => &[Toolchain::Node],
        "python3" | "python" | "python3-pip" | "py3-pip" => &[Toolchain::Python],
        "zig" => &[Toolchain::Zig],
        _ => &[],
    }
}

fn system(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    with_value: &[&str],
    verbs: &[&str],
) -> bool {
    let line = Line::read(call.arguments(), with_value);
    let verb = line.operands.iter().position(|o| verbs.iter().any(|v| o.value.is(v)));
    if let Some(at) = verb {
        let is_xx = call.name().is_some_and(|n| n.starts_with("xx-") || n.starts_with("goxx-"));
        let all = match is_xx {
            true => Some(xx::machine(shell, call)),
            false => foreign::for_all(shell, &line),
        };
        record_for(shell, manager, line.operands[at + 1..].to_vec(), all.as_ref(), call);
    }
    true
}

/// `dpkg -i file`, `rpm -ivh file`, `pacman -Syu name`.
fn files(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    installs: &[&str],
) -> bool {
    let line = Line::read(call.arguments(), &["--root", "--prefix", "--dbpath"]);
    if !line.has(installs) {
        return false;
    }
    record(shell, manager, line.operands, call);
    true
}

fn pip(shell: &mut Interpreter<'_, '_>, words: &[Argument], call: &Call) -> bool {
    let line = Line::read(words, PIP_VALUES);
    if !matches!(line.operand(0).as_deref(), Some("install" | "download" | "wheel" | "sync")) {
        return line.operands.is_empty() || line.operand(0).is_some();
    }
    let mut packages: Vec<Argument> = line.operands[1..].to_vec();
    packages.extend(line.values(&["-e"]).cloned());
    record(shell, Manager::Pip, packages, call);
    if let Some(folder) = line.value(&["-t", "--target", "--prefix", "--root"]).cloned()
        && let Some(path) = shell.path(&folder.value)
    {
        installed_into(shell, call, Manager::Pip, path, line.has(&["--platform"]));
    }
    true
}

/// A folder of packages: machine code for where the stage runs, if there is any in it.
pub(super) fn installed_into(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    path: String,
    elsewhere: bool,
) {
    let machine = match (elsewhere, Machine::native(shell.runs_on().as_ref())) {
        (true, _) => Machine::unknown(),
        (false, native) => Machine { source: MachineSource::Packages, ..native },
    };
    // Whether any package has machine code in it, the Dockerfile does not tell.
    let place = Place { path, folder: true, guessed: true };
    put(shell, call, vec![place], &Made::Installed { manager }, &machine, Linkage::Unknown);
}

fn npm(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let line = Line::read(call.arguments(), NPM_VALUES);
    let verb = line.operand(0).map(std::borrow::Cow::into_owned);
    let installs = match verb.as_deref() {
        Some("install" | "i" | "ci" | "add" | "clean-install" | "rebuild") => true,
        None => name == "yarn",
        _ => false,
    };
    if !installs {
        return false;
    }
    let packages: Vec<Argument> = line.operands.iter().skip(1).cloned().collect();
    record(shell, Manager::Npm, packages, call);
    let global = line.has(&["-g", "--global", "--location=global"]);
    let folder = match line.value(&["--prefix", "--cwd", "-C", "--dir"]) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    if let (false, Some(folder)) = (global, folder) {
        let elsewhere = line.has(&["--cpu", "--os", "--libc"]);
        installed_into(shell, call, Manager::Npm, join(&folder, "node_modules"), elsewhere);
    }
    true
}
