//! Packages that name the machine they are for, or make code for.

use mlint_oci::{Platform, arch::find_words};

use super::{options::Line, triple::triple_kind};
use crate::{
    effect::{Argument, Manager, PackageTarget, Setting},
    machine::{Machine, MachineKind, MachineSource},
    shell::Interpreter,
};

fn machine(name: &str, value: &Argument, kind: MachineKind) -> Machine {
    let setting = Setting { name: name.to_owned(), value: value.value.clone(), span: value.span };
    let Setting { name, value, span } = setting;
    Machine { kind, source: MachineSource::Setting { name, value, span } }
}

/// An architecture word of a package manager, alone.
fn word(text: &str, target: &Platform) -> Option<MachineKind> {
    let words = find_words(text);
    let [word] = &words[..] else { return None };
    let whole = word.range == (0..text.len());
    if !whole {
        return None;
    }
    let platform = if word.means(target) { Some(target) } else { word.platforms.first() };
    platform.cloned().map(MachineKind::Platform)
}

/// What a package's own name tells.
fn by_name(text: &str, manager: Manager, target: &Platform) -> Option<(MachineKind, bool)> {
    let name = text.split(['=', '<', '>', '~']).next().unwrap_or(text);
    match manager {
        Manager::Apt | Manager::Dpkg => {
            if let Some((_, arch)) = name.split_once(':') {
                return word(arch, target).map(|kind| (kind, false));
            }
            if let Some(rest) = name.strip_suffix("-cross") {
                return word(rest.rsplit('-').next()?, target).map(|kind| (kind, false));
            }
            if let Some(arch) = name.strip_prefix("crossbuild-essential-") {
                return word(arch, target).map(|kind| (kind, true));
            }
        }
        Manager::Rpm => {
            let arch = name.rsplit_once('.').and_then(|(_, arch)| word(arch, target));
            if let Some(kind) = arch {
                return Some((kind, false));
            }
        }
        _ => return None,
    }
    // `gcc-aarch64-linux-gnu`, `binutils-x86-64-linux-gnu`, `gcc-12-s390x-linux-gnu`
    let is_compiler = ["gcc", "g++", "binutils", "gfortran", "cpp", "clang", "gdc", "gnat"]
        .iter()
        .any(|tool| name.strip_prefix(tool).is_some_and(|rest| rest.starts_with('-')));
    if is_compiler && name.contains("mingw-w64") {
        let arch = if name.contains("i686") { "386" } else { "amd64" };
        return Some((MachineKind::Platform(Platform::new("windows", arch, None)), true));
    }
    if is_compiler && name.contains("-linux-") {
        return triple_kind(name, target).map(|kind| (kind, true));
    }
    None
}

/// The packages that name a machine; with `all`, every one is for that.
pub(super) fn targets(
    shell: &Interpreter<'_, '_>,
    manager: Manager,
    packages: &[Argument],
    all: Option<&Machine>,
) -> Vec<PackageTarget> {
    packages
        .iter()
        .enumerate()
        .filter_map(|(package, argument)| {
            if let Some(machine) = all {
                return Some(PackageTarget { package, machine: machine.clone(), makes: false });
            }
            let text = argument.value.as_known()?;
            let (kind, makes) = by_name(&text, manager, shell.world.target)?;
            Some(PackageTarget { package, machine: machine("package", argument, kind), makes })
        })
        .collect()
}

/// An option that names the architecture of all packages: `apk --arch`, `dnf --forcearch`.
pub(super) fn for_all(shell: &Interpreter<'_, '_>, line: &Line) -> Option<Machine> {
    let option = line.value(&["--arch", "--forcearch"])?;
    let text = option.value.as_known();
    let kind = text.and_then(|t| word(&t, shell.world.target));
    Some(machine("--arch", option, kind.unwrap_or(MachineKind::Unknown)))
}
