//! What compilers have in common: the settings in effect, and where results land.

use crate::{
    artifact::{Artifact, Made},
    effect::{Argument, Cgo, Compile, EffectKind, Setting, Tool},
    files::UNKNOWN_NAME,
    files::join,
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    stage::Base,
    value::Truth,
};

/// Reads the settings that are in effect for a command.
pub(super) fn settings(shell: &Interpreter<'_, '_>, call: &Call, names: &[&str]) -> Vec<Setting> {
    names
        .iter()
        .filter_map(|name| {
            let Argument { value, span } = shell.environment(call, name)?;
            Some(Setting { name: (*name).to_owned(), value, span })
        })
        .collect()
}

pub(super) fn setting<'s>(settings: &'s [Setting], name: &str) -> Option<&'s Setting> {
    settings.iter().find(|s| s.name == name)
}

/// Whether what is made differs from what the stage runs on.
pub(super) fn crosses(shell: &Interpreter<'_, '_>, machine: &Machine) -> Truth {
    match (machine.platform(), shell.runs_on()) {
        (Some(made), Some(runs)) => {
            Truth::from(made.os() != runs.os() || made.arch() != runs.arch())
        }
        _ => Truth::Unknown,
    }
}

/// Where a result lands.
pub(super) struct Place {
    pub(super) path: String,
    /// Any number of files below it.
    pub(super) folder: bool,
    /// Whether the name is only guessed.
    pub(super) guessed: bool,
}

impl Place {
    pub(super) fn file(path: String) -> Self {
        Self { path, folder: false, guessed: false }
    }

    pub(super) fn folder(path: String) -> Self {
        Self { path, folder: true, guessed: false }
    }

    /// A program in `folder` whose name the Dockerfile does not tell.
    pub(super) fn unnamed(folder: &str) -> Self {
        Self { path: join(folder, UNKNOWN_NAME), folder: false, guessed: true }
    }

    pub(super) fn guessed(self) -> Self {
        Self { guessed: true, ..self }
    }
}

/// Puts the results of a compilation.
pub(super) fn put(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    places: Vec<Place>,
    made: &Made,
    machine: &Machine,
    linkage: Linkage,
) {
    for place in places {
        let artifact = Artifact {
            path: place.path.clone(),
            folder: place.folder,
            made: made.clone(),
            content: None,
            machine: machine.clone(),
            linkage,
            way: vec![shell.station(place.path, call.span)],
            certain: shell.is_certain() && !place.guessed,
        };
        shell.state.files.put(artifact);
    }
}

/// A compilation that was understood.
pub(super) struct Built {
    pub(super) tool: Tool,
    pub(super) machine: Machine,
    pub(super) linkage: Linkage,
    pub(super) cgo: Option<Cgo>,
    pub(super) places: Vec<Place>,
    pub(super) settings: Vec<Setting>,
}

/// Records a compilation and puts its results.
pub(super) fn record(shell: &mut Interpreter<'_, '_>, call: &Call, built: Built) {
    let Built { tool, machine, linkage, cgo, places, settings } = built;
    let compile = Compile {
        tool,
        cross: crosses(shell, &machine),
        machine: machine.clone(),
        linkage,
        cgo: cgo.clone(),
        outputs: places.iter().map(|p| p.path.clone()).collect(),
        settings,
    };
    shell.effect(EffectKind::Compile(compile), call.span);
    put(shell, call, places, &Made::Compiled { tool, cgo }, &machine, linkage);
}

/// Whether flags ask for a static program, as a word of their own (`-static-libgcc` does not).
pub(super) fn asks_static(flags: &str) -> bool {
    flags
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '='))
        .any(|word| matches!(word, "-static" | "--static" | "-static-pie" | "-all-static"))
}

/// The image that the stage, or the first of the stages under it, starts from.
pub(super) fn base_image(shell: &Interpreter<'_, '_>) -> Option<String> {
    let mut index = shell.world.stage;
    loop {
        match &shell.world.plan.stages.get(index)?.base {
            Base::Image { reference } => return Some(reference.spelling().into_owned()),
            Base::Stage(parent) if *parent < index => index = *parent,
            _ => return None,
        }
    }
}
