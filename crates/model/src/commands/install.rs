//! Package managers of systems. What they put into the system is for the machine that the stage
//! runs on, unless the package's own name says otherwise (`libc6:arm64`, `glibc.i686`).

use super::{
    archive,
    build::{Installed, first_setting, option_setting},
    download, foreign,
    names::platform_in,
    options::Line,
    xx,
};
use crate::{
    effect::{Argument, EffectKind, Fetcher, Install, Manager, PackageTarget},
    files::join,
    knowledge::Toolchain,
    machine::{Libc, Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    value::GAP,
};

mod programs;
mod removal;

const APT_VALUES: &[&str] = &[
    "-t",
    "--target-release",
    "-o",
    "--option",
    "-c",
    "--config-file",
    "-a",
    "--host-architecture",
];
#[rustfmt::skip]
const APK_VALUES: &[&str] = &[
    "-t", "--virtual", "-X", "--repository", "--root", "-p", "--repositories-file", "--arch",
    "--keys-dir", "--cache-dir", "--wait", "-o", "--output",
];
#[rustfmt::skip]
const RPM_VALUES: &[&str] = &[
    "--installroot", "--releasever", "--setopt", "--enablerepo", "--disablerepo", "-c", "--config",
    "-x", "--exclude", "--root", "-R", "--repo", "--repoid", "--forcearch", "--destdir",
    "--downloaddir", "--arch", "--from", "--repofrompath", "--disableplugin", "--enableplugin",
];

/// `false` if the program is no package manager, or does something else here.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "apt-mark" => removal::mark(shell, call),
        "apt" | "apt-get" | "aptitude" | "xx-apt" | "xx-apt-get" | "goxx-apt-get" | "apt-fast" => {
            let verbs = ["install", "reinstall", "build-dep", "satisfy", "download"];
            system(shell, call, Manager::Apt, APT_VALUES, &verbs)
        }
        "apk" | "xx-apk" => system(shell, call, Manager::Apk, APK_VALUES, &["add", "fetch"]),
        "yum" | "dnf" | "dnf5" | "microdnf" | "tdnf" | "zypper" | "yumdownloader" => {
            let verbs = [
                "install",
                "localinstall",
                "reinstall",
                "groupinstall",
                "in",
                "builddep",
                "download",
            ];
            system(shell, call, Manager::Rpm, RPM_VALUES, &verbs)
        }
        "rpm" => files(shell, call, Manager::Rpm, &["-i", "-U", "--install", "--upgrade", "-F"]),
        "dpkg" => {
            let apart =
                ["-x", "-X", "-R", "-b", "--extract", "--vextract", "--fsys-tarfile", "--build"];
            if call.arguments().iter().any(|a| apart.iter().any(|o| a.value.is(o))) {
                return archive::deb(shell, call);
            }
            files(shell, call, Manager::Dpkg, &["-i", "--install", "--unpack"])
        }
        "gdebi" => {
            record(shell, Manager::Dpkg, Line::read(call.arguments(), &[]).operands, call);
            true
        }
        "pacman" | "yay" | "paru" => {
            files(shell, call, Manager::Pacman, &["-S", "-U", "--sync", "--upgrade"])
        }
        "brew" => plain(shell, call, Manager::Brew, &["install", "reinstall"]),
        "snap" => plain(shell, call, Manager::Snap, &["install"]),
        "opkg" | "ipkg" | "pkg" | "xbps-install" | "emerge" | "swupd" | "pkgx" | "guix" => {
            let verbs: &[&str] = match name {
                "xbps-install" | "emerge" => &[],
                "swupd" => &["bundle-add"],
                _ => &["install", "add"],
            };
            plain(shell, call, Manager::Other, verbs)
        }
        "nix-env" | "nix" | "nix-build" => nix(shell, name, call),
        "debootstrap" | "mmdebstrap" | "cdebootstrap" => bootstrap(shell, call),
        _ => false,
    }
}

/// An installation with what its packages bring.
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
    download::addresses(shell, Fetcher::PackageManager, &packages, call.span);
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
        let bare = text.split(['=', '<', '>', '~', ':', '@']).next().unwrap_or_default();
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
    let effect = Install { manager, packages: packages.clone(), targets };
    shell.effect(EffectKind::Install(effect), call.span);
    // xx installs into a folder of its own.
    if all.is_none() {
        for package in &packages {
            program_of(shell, manager, package, call);
        }
    }
}

/// An installation elsewhere than in the system.
fn record_plainly(
    shell: &mut Interpreter<'_, '_>,
    manager: Manager,
    packages: Vec<Argument>,
    all: Option<&Machine>,
    call: &Call,
) {
    let targets = foreign::targets(shell, manager, &packages, all);
    shell.effect(EffectKind::Install(Install { manager, packages, targets }), call.span);
}

/// The program that a well-known package is there for.
fn program_of(shell: &mut Interpreter<'_, '_>, manager: Manager, package: &Argument, call: &Call) {
    let Some(text) = package.value.as_known() else { return };
    let end = |c: char| matches!(c, '=' | '<' | '>' | '~' | ':' | '@');
    let (bare, rest) = text.split_at(text.find(end).unwrap_or(text.len()));
    let Some((path, is_static)) = programs::path(manager, bare) else { return };
    let mut installed = Installed::native(shell, manager);
    if is_static {
        installed.linkage = Linkage::Static;
    }
    // `jq:arm64`
    if manager == Manager::Apt && rest.starts_with(':') && rest != ":native" {
        let platform = platform_in(&rest[1..], shell.world.target);
        let source = MachineSource::Name { value: package.value.clone() };
        installed.machine =
            Machine { kind: platform.map_or(MachineKind::Unknown, MachineKind::Platform), source };
    }
    installed.put_file(shell, call, path.to_owned());
}

/// What well-known packages bring: by whole names, and by names with a version behind them.
fn toolchains(package: &str) -> &'static [Toolchain] {
    let unversioned =
        package.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
    match unversioned {
        "gcc" | "g++" | "build-essential" | "build-base" | "clang" | "alpine-sdk" | "gcc-c++"
        | "base-devel" | "gcc-toolset" | "devtoolset" | "buildessential" => &[Toolchain::C],
        "golang" | "golang-go" | "go" | "golang-bin" => &[Toolchain::Go],
        "cargo" | "rust" | "rustc" | "rustup" => &[Toolchain::Rust],
        "nodejs" | "npm" | "nodejs-current" | "yarn" | "yarnpkg" | "bun" | "deno" => {
            &[Toolchain::Node]
        }
        "python" | "python3-pip" | "py3-pip" | "python3-dev" | "python3-minimal"
        | "python3-venv" | "python-is-python" => &[Toolchain::Python],
        "zig" => &[Toolchain::Zig],
        "ruby" | "ruby-full" | "ruby-dev" => &[Toolchain::Ruby],
        "php" | "php-cli" | "php-fpm" => &[Toolchain::Php],
        "maven" | "gradle" | "default-jdk" | "default-jdk-headless" => &[Toolchain::Java],
        name if name.starts_with("dotnet-sdk")
            || name.contains("dotnet") && name.ends_with("sdk") =>
        {
            &[Toolchain::DotNet]
        }
        _ if package.contains("jdk") && !package.contains("jre") => &[Toolchain::Java],
        // Versions in the middle: `php8.2-cli`, `python3.11-dev`, `php83-fpm`.
        _ if package.starts_with("python3") => &[Toolchain::Python],
        _ if package.starts_with("php") && package.ends_with("-cli") => &[Toolchain::Php],
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
    if removal::run(shell, call, manager, &line) {
        return true;
    }
    let verb = line.operands.iter().position(|o| verbs.iter().any(|v| o.value.is(v)));
    let downloader = call.name().is_some_and(|n| n == "yumdownloader");
    let Some(at) = verb.map(|v| v + 1).or(downloader.then_some(0)) else { return true };
    if changes_nothing(manager, &line) {
        return false;
    }
    let packages = line.operands[at..].to_vec();
    let fetches = downloader
        || line.operands[at - 1].value.is("download")
        || line.operands[at - 1].value.is("fetch");
    if fetches {
        packed(shell, call, manager, &line, packages);
        return true;
    }
    let root = line.value(&["--installroot", "--root", "-p", "-R"]).cloned();
    let Some(root) = root.filter(|r| !r.value.is("/")) else {
        let is_xx = call.name().is_some_and(|n| n.starts_with("xx-") || n.starts_with("goxx-"));
        let all = match is_xx {
            true => Some(xx::machine(shell, call)),
            false => foreign::for_all(shell, &line),
        };
        if !is_xx && shell.state.libc == Libc::Unknown && shell.is_reached() {
            // It works, so the system is one of its own.
            shell.state.libc = if manager == Manager::Apk { Libc::Musl } else { Libc::Glibc };
        }
        if !is_xx {
            removal::remember(shell, manager, &line, &packages);
        }
        record_for(shell, manager, packages, all.as_ref(), call);
        return true;
    };
    let all = foreign::for_all(shell, &line);
    record_plainly(shell, manager, packages, all.as_ref(), call);
    if let Some(path) = shell.path(&root.value) {
        let told = first_setting(&line, &["--forcearch", "--arch"]);
        system_below(shell, call, manager, told, path);
    }
    true
}

/// Whether it only tells what would be installed, or fetches it into a cache.
fn changes_nothing(manager: Manager, line: &Line) -> bool {
    #[rustfmt::skip]
    let options: &[&str] = match manager {
        Manager::Apt => &[
            "-s", "--simulate", "--dry-run", "--just-print", "--no-act", "--recon", "--print-uris",
            "-d", "--download-only",
        ],
        Manager::Apk => &["-s", "--simulate"],
        Manager::Rpm => &["--assumeno", "--dry-run", "--downloadonly", "--download-only"],
        _ => &[],
    };
    line.has(options)
}

/// A root file system of its own.
fn system_below(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    told: Option<crate::effect::Setting>,
    path: String,
) {
    let installed = match told {
        Some(setting) => Installed::told(shell, manager, &setting),
        None => Installed::native(shell, manager),
    };
    // It has all libraries with it.
    Installed { linkage: Linkage::Unknown, ..installed }.put(shell, call, path, true);
}

/// Packages as files: `apt-get download x`, `apk fetch x`, `dnf download x`.
fn packed(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    line: &Line,
    packages: Vec<Argument>,
) {
    let extension = match manager {
        Manager::Apt => "deb",
        Manager::Apk => "apk",
        _ => "rpm",
    };
    let given = line.value(&["--destdir", "--downloaddir", "-o", "--output"]);
    let folder = match given.filter(|_| manager != Manager::Apt) {
        Some(folder) => shell.path(&folder.value),
        None => shell.directory.clone(),
    };
    let told = first_setting(line, &["--arch", "--forcearch"]);
    let installed = match told {
        Some(setting) => Installed::told(shell, manager, &setting),
        None => Installed::native(shell, manager),
    };
    let installed = Installed { linkage: Linkage::Unknown, ..installed };
    for package in &packages {
        let (Some(folder), Some(text)) = (&folder, package.value.as_known()) else { continue };
        let (bare, arch) = text.split_once(':').unwrap_or((&text, ""));
        let bare = bare.split('=').next().unwrap_or_default();
        let path = join(folder, &format!("{bare}{GAP}.{extension}"));
        match platform_in(arch, shell.world.target) {
            Some(platform) => {
                let source = MachineSource::Name { value: package.value.clone() };
                let machine = Machine { kind: MachineKind::Platform(platform), source };
                Installed { manager, machine, linkage: Linkage::Unknown }
                    .put_file(shell, call, path);
            }
            None => installed.put_file(shell, call, path),
        }
    }
    let all = foreign::for_all(shell, line);
    record_plainly(shell, manager, packages, all.as_ref(), call);
}

/// `dpkg -i file`, `rpm -ivh file`, `pacman -Syu name`.
fn files(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    installs: &[&str],
) -> bool {
    let line = Line::read(call.arguments(), &["--root", "--prefix", "--dbpath"]);
    if removal::of_files(shell, manager, &line) {
        return true;
    }
    if !line.has(installs) || line.has(&["-q", "--query"]) {
        return false;
    }
    let root = line.value(&["--root"]).cloned();
    match root {
        Some(root) if !root.value.is("/") => {
            record_plainly(shell, manager, line.operands, None, call);
            if let Some(path) = shell.path(&root.value) {
                system_below(shell, call, manager, None, path);
            }
        }
        _ => record(shell, manager, line.operands, call),
    }
    true
}

/// A manager whose packages follow a verb, with no files of interest.
fn plain(shell: &mut Interpreter<'_, '_>, call: &Call, manager: Manager, verbs: &[&str]) -> bool {
    let line = Line::read(call.arguments(), &[]);
    let at = match verbs.is_empty() {
        true => 0,
        false => {
            let verb = line.operands.first().filter(|o| verbs.iter().any(|v| o.value.is(v)));
            if verb.is_none() {
                return false;
            }
            1
        }
    };
    record(shell, manager, line.operands[at..].to_vec(), call);
    true
}

/// `nix-env -iA x`, `nix profile install x`, `nix build -o result`.
fn nix(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let values = ["-o", "--out-link", "-f", "--file", "-A", "--attr", "--system", "-I", "-p"];
    let line = Line::read(call.arguments(), &values);
    let builds = name == "nix-build" || line.operand(0).as_deref() == Some("build");
    if !builds {
        let packages: Vec<Argument> = match name {
            "nix-env" if line.has(&["-i", "--install"]) => {
                line.values(&["-A", "--attr"]).chain(&line.operands).cloned().collect()
            }
            "nix" if line.operand(0).as_deref() == Some("profile") => {
                line.operands.iter().skip(2).cloned().collect()
            }
            _ => return false,
        };
        record(shell, Manager::Nix, packages, call);
        return true;
    }
    if line.has(&["--no-link", "--no-out-link"]) {
        return false;
    }
    let told = line.value(&["--system"]).map(|s| option_setting("--system", s));
    let link = match line.value(&["-o", "--out-link"]) {
        Some(link) => shell.path(&link.value),
        None => shell.absolute("result"),
    };
    if let Some(path) = link {
        system_below(shell, call, Manager::Nix, told, path);
    }
    true
}

/// `debootstrap --arch=arm64 bookworm /rootfs`
fn bootstrap(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    #[rustfmt::skip]
    let values = [
        "--arch", "--variant", "--include", "--exclude", "--components", "--keyring", "--architectures",
        "--aptopt", "--dpkgopt", "--mode", "--extra-suites",
    ];
    let line = Line::read(call.arguments(), &values);
    record_plainly(shell, Manager::Apt, Vec::new(), None, call);
    if let Some(path) = line.operands.get(1).and_then(|f| shell.path(&f.value)) {
        let told = first_setting(&line, &["--arch", "--architectures"]);
        system_below(shell, call, Manager::Apt, told, path);
    }
    true
}
