//! Builds whose results are not machine code, or not known.

use super::{
    go::{Place, put, settings},
    install::installed_into,
    options::Line,
};
use crate::{
    artifact::Made,
    effect::{Compile, EffectKind, Manager, Setting, Tool},
    files::join,
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
    value::Truth,
};

/// Settings that steer `make` and the compilers it starts.
const MAKE_SETTINGS: &[&str] = &[
    "GOOS",
    "GOARCH",
    "CGO_ENABLED",
    "CC",
    "CXX",
    "ARCH",
    "TARGET_ARCH",
    "CROSS_COMPILE",
    "CARGO_BUILD_TARGET",
];

pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    match name {
        "make" | "gmake" | "ninja" | "cmake" | "meson" | "bazel" | "bazelisk" | "scons"
        | "just" | "task" => {
            make(shell, call);
            true
        }
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

/// Programs that run other compilers by rules that are not in the Dockerfile.
fn make(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let mut found = settings(shell, call, MAKE_SETTINGS);
    for word in call.arguments() {
        let prefix = word.value.known_prefix();
        let Some((name, _)) = prefix.split_once('=') else { continue };
        if let Some(value) = word.value.without_prefix(name.len() + 1) {
            found.push(Setting { name: name.to_owned(), value, span: word.span });
        }
    }
    let compile = Compile {
        tool: Tool::Make,
        machine: Machine::unknown(),
        cross: Truth::Unknown,
        linkage: Linkage::Unknown,
        cgo: None,
        outputs: Vec::new(),
        settings: found,
    };
    shell.effect(EffectKind::Compile(compile), call.span);
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
