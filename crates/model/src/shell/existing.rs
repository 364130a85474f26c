//! Whether a command exists: `command -v`, `type`, `which`.

use std::sync::Arc;

use super::{Call, Dialect, Interpreter, Status};
use crate::{
    effect::{EffectKind, Manager},
    machine::Libc,
    value::{Origin, Truth, Value},
};

impl Interpreter<'_, '_> {
    /// Keeps in mind what is certainly installed.
    pub(super) fn note_installed(&mut self, kind: &EffectKind, certain: bool) {
        let EffectKind::Install(install) = kind else { return };
        let of_system = matches!(install.manager, Manager::Apt | Manager::Apk | Manager::Rpm);
        if !certain || !self.certain || !of_system {
            return;
        }
        for package in &install.packages {
            let Some(text) = package.value.as_known() else { continue };
            let name = text.split(['=', '~', ':', '<', '>']).next().unwrap_or_default();
            if !self.state.installed.contains(name) {
                Arc::make_mut(&mut self.state.installed).insert(name.to_owned());
            }
        }
    }

    /// Whether a command certainly is there.
    fn has_command(&self, name: &str) -> bool {
        if self.functions.contains_key(name) || is_builtin(name) {
            return true;
        }
        // A package that is called as the command brings it.
        if self.state.installed.contains(name) {
            return true;
        }
        let folders =
            ["/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"];
        let paths = folders.map(|folder| format!("{folder}/{name}"));
        match name.contains('/') {
            true => {
                let path = self.absolute(name);
                path.is_some_and(|p| self.state.files.at(&p).is_some_and(|a| a.certain))
            }
            false => paths.iter().any(|p| self.state.files.at(p).is_some_and(|a| a.certain)),
        }
    }

    /// `command -v X`: known where X certainly is there.
    pub(super) fn ask_for_commands(&mut self, call: &Call) {
        let names: Vec<Option<String>> = call
            .arguments()
            .iter()
            .filter(|a| !a.value.known_prefix().starts_with('-'))
            .map(|a| a.value.as_known().map(std::borrow::Cow::into_owned))
            .collect();
        let all = !names.is_empty()
            && names.iter().all(|n| n.as_deref().is_some_and(|n| self.has_command(n)));
        let manager = match &names[..] {
            [Some(name)] if !all => self.has_manager(name),
            _ => Truth::Unknown,
        };
        if manager == Truth::No {
            self.set_status(Status::Failure);
            return;
        }
        self.print(&Value::unknown(Origin::CommandOutput, call.span));
        let there = all || manager == Truth::Yes;
        self.set_status(if there { Status::Success } else { Status::Unknown });
    }

    /// Whether a package manager is there, by the family of the image.
    fn has_manager(&self, name: &str) -> Truth {
        let family = match (self.state.sh, self.state.libc) {
            (Dialect::Dash, Libc::Glibc) => Manager::Apt,
            (Dialect::Ash, Libc::Musl) => Manager::Apk,
            (Dialect::Bash, Libc::Glibc) => Manager::Rpm,
            _ => return Truth::Unknown,
        };
        match (name, family) {
            ("apt-get" | "dpkg", Manager::Apt) | ("apk", Manager::Apk) => Truth::Yes,
            // Which of its kind is there depends on the release.
            ("dnf" | "yum" | "microdnf" | "rpm", Manager::Rpm) => Truth::Unknown,
            ("apt-get" | "apk" | "dnf" | "yum" | "microdnf", _) => Truth::No,
            _ => Truth::Unknown,
        }
    }
}

fn is_builtin(name: &str) -> bool {
    matches!(
        name,
        "cd" | "echo" | "printf" | "test" | "[" | "export" | "read" | "set" | "eval" | "sh"
    )
}
