//! Packages that are taken away again: their programs go with them.

use std::{collections::BTreeSet, sync::Arc};

use super::{changes_nothing, programs};
use crate::{
    artifact::Made,
    commands::options::Line,
    effect::{Argument, Manager},
    files::Files,
    shell::{Call, Interpreter},
};

/// `apt-mark auto`: what is marked so goes with the next clean-up. `false` if it prints.
///
/// Scripts save the list of wanted packages first (`saved="$(apt-mark showmanual)"`), and mark
/// those as wanted again (`apt-mark manual $saved`); what they do not know the names of is that.
pub(super) fn mark(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let verb = call.text(1).map(std::borrow::Cow::into_owned).unwrap_or_default();
    let builds = &mut shell.state.builds;
    match verb.as_str() {
        "auto" => {
            builds.marked_auto = true;
            builds.kept = Arc::default();
        }
        "showmanual" => {
            let files = &shell.state.files;
            let there = programs::all(Manager::Apt).map(|(_, path)| path);
            // What an earlier clean-up may have taken is not wanted.
            let there = there.filter(|path| {
                is_packaged(files, Manager::Apt, path) && files.at(path).is_some_and(|a| a.certain)
            });
            builds.listed = Arc::new(there.collect());
        }
        "manual" => {
            let kept = Arc::make_mut(&mut builds.kept);
            for package in call.argv.get(2..).unwrap_or_default() {
                match package.value.as_known() {
                    Some(name) => {
                        kept.extend(programs::path(Manager::Apt, bare(&name)).map(|p| p.0));
                    }
                    None => kept.extend(builds.listed.iter()),
                }
            }
        }
        _ => {}
    }
    !verb.starts_with("show")
}

/// Remembers which packages are wanted by themselves, and which by a group (`apk add --virtual`).
pub(super) fn remember(
    shell: &mut Interpreter<'_, '_>,
    manager: Manager,
    line: &Line,
    packages: &[Argument],
) {
    if manager != Manager::Apk {
        return;
    }
    let names = packages.iter().filter_map(|p| Some(bare(&p.value.as_known()?).to_owned()));
    let names: BTreeSet<String> = names.collect();
    match line.value(&["-t", "--virtual"]) {
        Some(group) => {
            if let Some(group) = group.value.as_known() {
                shell.state.builds.group(&group, names);
            }
        }
        None => shell.state.builds.want(names),
    }
}

/// `apt-get purge x`, `apk del .group`, `dnf remove x`. `false` if it removes nothing.
pub(super) fn run(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    manager: Manager,
    line: &Line,
) -> bool {
    let verbs: &[&str] = match manager {
        Manager::Apt => &["remove", "purge", "autoremove", "autopurge"],
        Manager::Apk => &["del"],
        _ => &["remove", "erase", "rm", "autoremove"],
    };
    let Some(verb) = line.operand(0).filter(|v| verbs.contains(&&**v)) else { return false };
    let elsewhere = call.name().is_some_and(|n| n.starts_with("xx-") || n.starts_with("goxx-"))
        || line.has(&["--installroot", "--root", "-p", "-R"]);
    if elsewhere || changes_nothing(manager, line) {
        return true;
    }
    let cleans = verb.starts_with("auto") || line.has(&["--auto-remove", "--autoremove"]);
    if cleans && shell.state.builds.marked_auto {
        // What else is needed by what stays is not known.
        let kept = Arc::clone(&shell.state.builds.kept);
        for (_, path) in programs::all(manager).filter(|(_, path)| !kept.contains(path)) {
            gone(shell, manager, path, false);
        }
    }
    named(shell, manager, &line.operands[1..]);
    true
}

/// `rpm -e x`, `dpkg -r x`. `false` if it removes nothing.
pub(super) fn of_files(shell: &mut Interpreter<'_, '_>, manager: Manager, line: &Line) -> bool {
    let (manager, options): (Manager, &[&str]) = match manager {
        Manager::Rpm => (Manager::Rpm, &["-e", "--erase"]),
        Manager::Dpkg => (Manager::Apt, &["-r", "-P", "--remove", "--purge"]),
        _ => return false,
    };
    let removes = line.has(options) && !line.has(&["--root", "--dbpath", "--test"]);
    if removes {
        named(shell, manager, &line.operands);
    }
    removes
}

/// A package's name without version and architecture.
fn bare(text: &str) -> &str {
    text.split(['=', '<', '>', '~', ':', '@']).next().unwrap_or_default()
}

/// Whatever was installed may be gone.
fn all(shell: &mut Interpreter<'_, '_>, manager: Manager) {
    for (_, path) in programs::all(manager) {
        gone(shell, manager, path, false);
    }
}

fn named(shell: &mut Interpreter<'_, '_>, manager: Manager, packages: &[Argument]) {
    let certain = shell.is_certain();
    for package in packages {
        let Some(text) = package.value.as_known() else {
            all(shell, manager);
            continue;
        };
        let name = bare(&text);
        if let Some(members) = shell.state.builds.ungroup(name, certain) {
            for member in members {
                if let Some((path, _)) = programs::path(manager, &member) {
                    gone(shell, manager, path, certain);
                }
            }
        } else if name.contains('*') {
            for (known, path) in programs::all(manager) {
                if crate::glob::matches(name, known) {
                    gone(shell, manager, path, certain);
                }
            }
        } else if let Some((path, _)) = programs::path(manager, name) {
            gone(shell, manager, path, certain);
        }
    }
}

/// Takes a program away, if it is the package's.
fn gone(shell: &mut Interpreter<'_, '_>, manager: Manager, path: &str, certain: bool) {
    if is_packaged(&shell.state.files, manager, path) {
        shell.state.files.remove(path, certain);
    }
}

/// Whether the file at `path` came with a package.
fn is_packaged(files: &Files, manager: Manager, path: &str) -> bool {
    files
        .at(path)
        .is_some_and(|a| matches!(a.made, Made::Installed { manager: by } if by == manager))
}
