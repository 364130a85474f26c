//! Compiler flags, wherever a Dockerfile gives them: as words of a compiler or of `make`, in front
//! of a command, in `ENV`.

use mlint_model::{Command, Effect, EffectKind, Stage, Value};
use mlint_syntax::Span;

use crate::support::is_deliberate;

/// Variables that hold flags for compilers.
const VARIABLES: &[&str] = &[
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "OPTFLAGS",
    "EXTRA_CFLAGS",
    "EXTRA_CXXFLAGS",
    "CGO_CFLAGS",
    "CGO_CXXFLAGS",
    "RUSTFLAGS",
    "NVCC_APPEND_FLAGS",
];

/// CMake's own names for the same.
const DEFINITIONS: &[&str] = &["CMAKE_C_FLAGS", "CMAKE_CXX_FLAGS", "CMAKE_CXX_FLAGS_RELEASE"];

/// Programs whose words are flags, or hold some.
const TOOLS: &[&str] = &[
    "cc",
    "c++",
    "gcc",
    "g++",
    "clang",
    "clang++",
    "make",
    "gmake",
    "cmake",
    "configure",
    "rustc",
    "meson",
    "gfortran",
];

/// A flag with its place.
#[derive(Clone, Debug)]
pub(super) struct Flag {
    /// The flag, one word.
    pub(super) text: String,
    pub(super) span: Span,
}

/// The flags that a stage certainly gives to compilers, each place once. Those in a branch that
/// asks for the platform are left out.
pub(super) fn flags(stage: &Stage) -> Vec<Flag> {
    let mut found: Vec<Flag> = Vec::new();
    for (_, effect) in stage.effects() {
        if is_deliberate(effect) || !effect.certain {
            continue;
        }
        for flag in of_effect(effect) {
            if !found.iter().any(|f| f.span == flag.span) {
                found.push(flag);
            }
        }
    }
    found
}

fn of_effect(effect: &Effect) -> Vec<Flag> {
    match &effect.kind {
        EffectKind::SetEnv { name, value, .. } if VARIABLES.contains(&name.as_str()) => {
            words(value, effect.span)
        }
        EffectKind::Command(command) => of_command(command),
        _ => Vec::new(),
    }
}

fn of_command(command: &Command) -> Vec<Flag> {
    let mut out: Vec<Flag> = Vec::new();
    for (name, argument) in &command.prefix {
        if VARIABLES.contains(&name.as_str()) {
            out.extend(words(&argument.value, argument.span));
        }
    }
    let Some(name) = command.name() else { return out };
    let versionless = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let is_tool = |tool: &str| {
        versionless == tool || (versionless.ends_with(tool) && versionless.contains("-linux-"))
    };
    if !TOOLS.iter().any(|tool| is_tool(tool)) {
        return out;
    }
    for argument in &command.argv[1..] {
        let text = argument.value.known_prefix();
        let head = text.split('=').next().unwrap_or_default();
        let defined = head.strip_prefix("-D").map(|h| h.split(':').next().unwrap_or(h));
        let holds_flags =
            VARIABLES.contains(&head) || defined.is_some_and(|name| DEFINITIONS.contains(&name));
        if holds_flags && let Some(value) = argument.value.without_prefix(head.len() + 1) {
            out.extend(words(&value, argument.span));
        } else if text.starts_with("-m") || text.starts_with("-C") || text.starts_with("target-") {
            out.extend(words(&argument.value, argument.span));
        }
    }
    out
}

/// The words of a value that stand in the file, each with its own place where it has one.
fn words(value: &Value, whole: Span) -> Vec<Flag> {
    let mut out = Vec::new();
    for piece in value.pieces().iter().filter(|p| p.is_literal()) {
        let text = piece.text().unwrap_or_default();
        let mut at = 0;
        for word in text.split([' ', '\t', '\n', '"', '\'']) {
            if !word.is_empty() {
                let span = piece.subspan(at..at + word.len());
                let span = if span.is_empty() { whole } else { span };
                out.push(Flag { text: word.to_owned(), span });
            }
            at += word.len() + 1;
        }
    }
    out
}
