//! .NET.

use super::{
    go::{Place, crosses, put},
    options::Line,
    rust::triple_machine,
};
use crate::{
    artifact::Made,
    effect::{Compile, EffectKind, Setting, Tool},
    files::join,
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    value::Truth,
};

const VALUES: &[&str] = &[
    "-r",
    "--runtime",
    "-a",
    "--arch",
    "--os",
    "-o",
    "--output",
    "-c",
    "--configuration",
    "-f",
    "--framework",
    "-v",
    "--verbosity",
    "--version-suffix",
    "-s",
    "--source",
    "--tool-path",
    "--version",
    "--configfile",
    "--packages",
];

pub(super) fn run(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read_long(call.arguments(), VALUES);
    let command = line.operand(0);
    if !matches!(command.as_deref(), Some("publish" | "build" | "pack")) {
        return command.is_some();
    }
    let runtime = ["-r", "--runtime", "-a", "--arch"].iter().find_map(|name| {
        let argument = line.value(&[name])?;
        let (value, span) = (argument.value.clone(), argument.span);
        Some(Setting { name: (*name).to_owned(), value, span })
    });
    // Without a runtime the result runs wherever .NET does.
    let machine = match &runtime {
        Some(setting) => triple_machine(shell, setting),
        None => Machine::independent(),
    };
    let places: Vec<Place> = match line.value(&["-o", "--output"]) {
        Some(output) => shell.path(&output.value).map(Place::folder).into_iter().collect(),
        None => {
            shell.directory.as_ref().map(|d| Place::folder(join(d, "bin"))).into_iter().collect()
        }
    };
    let linkage = match &runtime {
        Some(r) if r.value.spelled().text.contains("musl") => Linkage::Musl,
        Some(r) if r.name.starts_with("-r") || r.name == "--runtime" => Linkage::Glibc,
        _ => Linkage::Unknown,
    };
    let compile = Compile {
        tool: Tool::DotNet,
        cross: match &runtime {
            Some(_) => crosses(shell, &machine),
            None => Truth::No,
        },
        machine: machine.clone(),
        linkage,
        cgo: None,
        outputs: places.iter().map(|p| p.path.clone()).collect(),
        settings: runtime.into_iter().collect(),
    };
    shell.effect(EffectKind::Compile(compile), call.span);
    put(shell, call, places, &Made::Compiled { tool: Tool::DotNet, cgo: None }, &machine, linkage);
    true
}
