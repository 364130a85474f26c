//! Builds whose results are not machine code, or not known.

use super::{
    go::{Place, put},
    install::installed_into,
    options::Line,
};
use crate::{
    artifact::Made,
    effect::{Compile, EffectKind, Manager, Tool},
    files::join,
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    value::Truth,
};

pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "mvn" | "mvnw" | "gradle" | "gradlew" | "javac" | "sbt" | "ant" => {
            let folder = match name {
                "gradle" | "gradlew" => "build",
                _ => "target",
            };
            independent(shell, call, Tool::Java, &[folder]);
            true
        }
        "npm" | "yarn" | "pnpm" | "bun" | "npx" | "ng" | "tsc" | "vite" | "webpack" => {
            let builds = call
                .arguments()
                .iter()
                .any(|a| a.value.as_known().is_some_and(|t| t.starts_with("build")))
                || matches!(name, "tsc" | "vite" | "webpack");
            if builds {
                independent(shell, call, Tool::Node, &["dist", "build"]);
            }
            builds
        }
        "virtualenv" => {
            let line = Line::read(call.arguments(), &["-p", "--python"]);
            environment(shell, call, line.operands.last());
            true
        }
        "python" | "python3" | "uv" => {
            let words: Vec<_> =
                call.arguments().iter().filter(|a| !a.value.is("-m")).cloned().collect();
            if !words.first().is_some_and(|w| w.value.is("venv") || w.value.is("virtualenv")) {
                return false;
            }
            let line = Line::read(&words[1..], &["-p", "--python", "--prompt"]);
            environment(shell, call, line.operands.last());
            true
        }
        _ => false,
    }
}

fn independent(shell: &mut Interpreter<'_, '_>, call: &Call, tool: Tool, folders: &[&str]) {
    let machine = Machine::independent();
    let places: Vec<Place> = match shell.directory.clone() {
        Some(directory) => folders
            .iter()
            .map(|f| Place { path: join(&directory, f), folder: true, guessed: true })
            .collect(),
        None => Vec::new(),
    };
    let compile = Compile {
        tool,
        machine: machine.clone(),
        cross: Truth::No,
        linkage: Linkage::Unknown,
        cgo: None,
        outputs: places.iter().map(|p| p.path.clone()).collect(),
        settings: Vec::new(),
    };
    shell.effect(EffectKind::Compile(compile), call.span);
    put(shell, call, places, &Made::Compiled { tool, cgo: None }, &machine, Linkage::Unknown);
}

/// A Python environment: it holds (or links to) the interpreter.
fn environment(
    shell: &mut Interpreter<'_, '_>,
    call: &Call,
    folder: Option<&crate::effect::Argument>,
) {
    let path = match folder {
        Some(folder) => shell.path(&folder.value),
        None => shell.absolute(".venv"),
    };
    if let Some(path) = path {
        installed_into(shell, call, Manager::Pip, path, false);
    }
}
