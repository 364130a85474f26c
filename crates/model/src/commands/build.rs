//! What builds and installations have in common: the effect, and the files.

use super::{
    built::{Place, crosses, put},
    triple::triple_machine,
};
use crate::{
    artifact::Made,
    effect::{Argument, Compile, EffectKind, Install, Manager, Setting, Tool},
    machine::{Linkage, Machine, MachineKind, MachineSource},
    shell::{Call, Interpreter},
    value::Truth,
};

/// A build: by what, for which machine.
pub(super) struct Build {
    pub(super) tool: Tool,
    pub(super) machine: Machine,
    pub(super) linkage: Linkage,
    pub(super) settings: Vec<Setting>,
}

impl Build {
    /// Of files for any machine.
    pub(super) fn independent(tool: Tool) -> Self {
        Self {
            tool,
            machine: Machine::independent(),
            linkage: Linkage::Unknown,
            settings: Vec::new(),
        }
    }

    /// For where the stage runs, linked to what it has.
    pub(super) fn native(shell: &Interpreter<'_, '_>, tool: Tool) -> Self {
        Self {
            tool,
            machine: Machine::native(shell.runs_on().as_ref()),
            linkage: Linkage::dynamic(shell.state.libc),
            settings: Vec::new(),
        }
    }

    /// For the machine that a setting names, if there is one.
    pub(super) fn told(shell: &Interpreter<'_, '_>, tool: Tool, by: Option<Setting>) -> Self {
        let Some(setting) = by else { return Self::native(shell, tool) };
        let text = setting.value.spelling();
        let linkage = match () {
            () if text.contains("musl") => Linkage::Musl,
            () if text.contains("gnu") => Linkage::Glibc,
            () => Linkage::Unknown,
        };
        let machine = triple_machine(shell, &setting);
        Self { tool, machine, linkage, settings: vec![setting] }
    }

    /// Records the build and puts its results.
    pub(super) fn make(self, shell: &mut Interpreter<'_, '_>, call: &Call, places: Vec<Place>) {
        let cross = match self.machine.kind {
            MachineKind::Independent => Truth::No,
            _ => crosses(shell, &self.machine),
        };
        let outputs = places.iter().map(|p| p.path.clone()).collect();
        let compile = Compile {
            tool: self.tool,
            machine: self.machine.clone(),
            cross,
            linkage: self.linkage,
            cgo: None,
            outputs,
            settings: self.settings,
        };
        shell.effect(EffectKind::Compile(compile), call.span);
        let made = Made::Compiled { tool: self.tool, cgo: None };
        put(shell, call, places, &made, &self.machine, self.linkage);
    }
}

/// A setting from an option of the command line.
pub(super) fn option_setting(name: &str, argument: &Argument) -> Setting {
    Setting { name: name.to_owned(), value: argument.value.clone(), span: argument.span }
}

/// An option's value as a setting, under the first of its names that is there.
pub(super) fn first_setting(line: &super::options::Line, names: &[&str]) -> Option<Setting> {
    names.iter().find_map(|name| Some(option_setting(name, line.value(&[name])?)))
}

/// The first of these variables that the command sees with a value.
pub(super) fn variable(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    names: &[&str],
) -> Option<Setting> {
    names.iter().find_map(|name| {
        let argument = shell.environment(call, name).filter(|a| !a.value.is_empty())?;
        Some(option_setting(name, &argument))
    })
}

/// A variable that names a folder, as an absolute path.
pub(super) fn folder_variable(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    name: &str,
) -> Option<String> {
    let value = shell.environment(call, name)?.value;
    shell.path(&value)
}

/// A folder below the user's home.
pub(super) fn in_home(shell: &Interpreter<'_, '_>, name: &str) -> Option<String> {
    shell.state.home.as_ref().map(|home| crate::files::join(home, name))
}

/// Packages of a language, below a folder.
pub(super) struct Installed {
    pub(super) manager: Manager,
    pub(super) machine: Machine,
    pub(super) linkage: Linkage,
}

impl Installed {
    /// Packages for where the stage runs.
    pub(super) fn native(shell: &Interpreter<'_, '_>, manager: Manager) -> Self {
        let machine = Machine {
            source: MachineSource::Packages,
            ..Machine::native(shell.runs_on().as_ref())
        };
        Self { manager, machine, linkage: Linkage::dynamic(shell.state.libc) }
    }

    /// Packages for the machine that a setting names.
    pub(super) fn told(shell: &Interpreter<'_, '_>, manager: Manager, by: &Setting) -> Self {
        let text = by.value.spelling();
        let linkage = match () {
            () if text.contains("musl") => Linkage::Musl,
            () if text.contains("manylinux") || text.contains("glibc") => Linkage::Glibc,
            () => Linkage::Unknown,
        };
        Self { manager, machine: triple_machine(shell, by), linkage }
    }

    /// Packages of which nothing is told.
    pub(super) fn unknown(manager: Manager) -> Self {
        Self { manager, machine: Machine::unknown(), linkage: Linkage::Unknown }
    }

    /// Packages without machine code.
    pub(super) fn independent(manager: Manager) -> Self {
        Self { manager, machine: Machine::independent(), linkage: Linkage::Unknown }
    }

    /// Puts a folder of packages. Unless `sure`, whether any of them has machine code in it is
    /// not known, nor then what that is linked to.
    pub(super) fn put(
        &self,
        shell: &mut Interpreter<'_, '_>,
        call: &Call,
        path: String,
        sure: bool,
    ) {
        let place = Place { path, folder: true, guessed: !sure };
        let linkage = if sure { self.linkage } else { Linkage::Unknown };
        let made = Made::Installed { manager: self.manager };
        put(shell, call, vec![place], &made, &self.machine, linkage);
    }

    /// Puts one program.
    pub(super) fn put_file(&self, shell: &mut Interpreter<'_, '_>, call: &Call, path: String) {
        let made = Made::Installed { manager: self.manager };
        put(shell, call, vec![Place::file(path)], &made, &self.machine, self.linkage);
    }
}

/// Records an installation.
pub(super) fn install(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    packages: Vec<Argument>,
) {
    shell
        .effect(EffectKind::Install(Install { manager, packages, targets: Vec::new() }), call.span);
}
