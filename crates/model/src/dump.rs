//! An evaluation as text, for tests and for people: one line per thing, indented by where it
//! belongs.

use std::fmt::Write as _;

use mlint_syntax::{LineIndex, Span};

use crate::{
    artifact::{Artifact, Made},
    effect::{CopyFrom, Effect, EffectKind},
    evaluation::Evaluation,
    stage::{Base, RunsOn, Stage, Step},
    value::{Origin, Truth, Value},
};

/// Writes everything that an evaluation found. `text` is the file's, for line numbers.
pub fn dump(evaluation: &Evaluation, text: &str) -> String {
    let mut dumper = Dumper { out: String::new(), lines: LineIndex::new(text) };
    dumper.evaluation(evaluation);
    dumper.out
}

struct Dumper {
    out: String,
    lines: LineIndex,
}

/// Where a value comes from, for the parts that are not literal.
fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Target(part) => format!("TARGET{}", format!("{part:?}").to_uppercase()),
        Origin::Build(part) => format!("BUILD{}", format!("{part:?}").to_uppercase()),
        Origin::Probe(probe) => probe.command().to_owned(),
        other => format!("{other:?}"),
    }
}

fn described(value: &Value) -> String {
    let mut origins: Vec<String> = Vec::new();
    for piece in value.all_pieces() {
        if !matches!(piece.origin, Origin::Literal | Origin::Join) {
            let text = origin(&piece.origin);
            if !origins.contains(&text) {
                origins.push(text);
            }
        }
    }
    match origins.is_empty() {
        true => value.to_string().replace('\n', "\\n"),
        false => format!("{value} <{}>", origins.join(", ")).replace('\n', "\\n"),
    }
}

fn copied_from(from: &CopyFrom) -> String {
    match from {
        CopyFrom::Context => "context".to_owned(),
        CopyFrom::Stage(stage) => format!("stage {stage}"),
        CopyFrom::Image(image) => image.clone(),
        CopyFrom::Named(name) => format!("context {name}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

impl Dumper {
    fn line(&self, span: Span) -> u32 {
        self.lines.line(span.start)
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        let _ = writeln!(self.out, "on {}", evaluation.platform);
        for failure in &evaluation.failures {
            let line = self.line(failure.span);
            let _ = writeln!(self.out, "  {line}: fails: {}", failure.message);
        }
        for stage in evaluation.reachable() {
            self.stage(stage);
        }
    }

    fn stage(&mut self, stage: &Stage) {
        let base = match &stage.base {
            Base::Scratch => "scratch".to_owned(),
            Base::Image { reference } => described(reference),
            Base::Stage(index) => format!("stage {index}"),
            Base::Context { name } => format!("context {name}"),
        };
        let role = match stage.platform.role {
            RunsOn::Target => "target",
            RunsOn::Build => "build",
            RunsOn::Constant => "constant",
            RunsOn::Unknown => "unknown",
        };
        let platform = stage.platform.platform.as_ref().map_or("?".to_owned(), ToString::to_string);
        let content = match &stage.userland {
            userland if *userland == stage.platform.platform => String::new(),
            Some(userland) => format!(" with programs for {userland}"),
            None => " with programs for ?".to_owned(),
        };
        let name = stage.name.as_deref().map_or(String::new(), |n| format!(" {n}"));
        let _ = writeln!(
            self.out,
            "stage {}{name} from {base} on {platform} ({role}){content}, libc {}",
            stage.index, stage.libc
        );
        for step in &stage.steps {
            self.step(step);
        }
        for artifact in stage.files.values() {
            self.artifact(artifact);
        }
    }

    fn step(&mut self, step: &Step) {
        for effect in &step.effects {
            self.effect(effect);
        }
        for unset in &step.unset {
            let line = self.line(unset.span);
            let _ = writeln!(self.out, "  {line}: unset {}", unset.name);
        }
        for span in &step.dead {
            let line = self.line(*span);
            let _ = writeln!(self.out, "  {line}: dead");
        }
        if let Some(failure) = &step.failure {
            let line = self.line(failure.span);
            let _ = writeln!(self.out, "  {line}: fails: {}", failure.message);
        }
    }

    fn effect(&mut self, effect: &Effect) {
        let text = match &effect.kind {
            EffectKind::Command(command) => {
                let words: Vec<String> =
                    command.argv.iter().map(|a| a.value.to_string().replace('\n', "\\n")).collect();
                format!("run {}", words.join(" "))
            }
            EffectKind::Download(download) => {
                let to = download.output.as_ref().map_or("|".to_owned(), ToString::to_string);
                format!("download {} -> {to}", described(&download.url))
            }
            EffectKind::Install(install) => {
                let names: Vec<String> =
                    install.packages.iter().map(|p| described(&p.value)).collect();
                let targets: String = install
                    .targets
                    .iter()
                    .map(|t| {
                        let what = if t.makes { "makes" } else { "is for" };
                        let name = names.get(t.package).map_or("?", String::as_str);
                        format!(", {name} {what} {}", t.machine)
                    })
                    .collect();
                format!("install {:?} {}{targets}", install.manager, names.join(" "))
            }
            EffectKind::Compile(compile) => {
                let cgo = match compile.cgo.as_ref().map(|c| c.enabled) {
                    None => "",
                    Some(Truth::Yes) => " cgo",
                    Some(Truth::No) => " no-cgo",
                    Some(Truth::Unknown) => " cgo?",
                };
                let cross = if compile.cross == Truth::Yes { " cross" } else { "" };
                format!(
                    "compile {:?} for {}{cross}{cgo} {} -> {}",
                    compile.tool,
                    compile.machine,
                    compile.linkage,
                    compile.outputs.join(" ").replace(crate::files::UNKNOWN_NAME, "?")
                )
            }
            EffectKind::Ask { probe, answer } => {
                format!("ask {} = {}", probe.command(), answer.as_deref().unwrap_or("?"))
            }
            EffectKind::Execute { path, machine } => format!("execute {path} ({machine})"),
            EffectKind::Checksum { sums } => format!("compare with {}", described(sums)),
            EffectKind::Foreign(foreign) => {
                let literals: Vec<String> =
                    foreign.literals.iter().map(|l| described(&l.value)).collect();
                format!("foreign {:?}: {}", foreign.language, literals.join(" "))
            }
            EffectKind::Copy(copy) => {
                let from = copied_from(&copy.from);
                let sources: Vec<String> =
                    copy.sources.iter().map(|s| described(&s.value)).collect();
                let target = copy.target.as_deref().unwrap_or("?");
                format!("copy {from}: {} -> {target}", sources.join(" "))
            }
            EffectKind::CacheMount { id, target, compiles, .. } => {
                let lines: Vec<String> =
                    compiles.iter().map(|s| self.line(*s).to_string()).collect();
                match lines.is_empty() {
                    true => format!("cache {id} at {target}"),
                    false => format!("cache {id} at {target}, written by line {}", lines.join(" ")),
                }
            }
            EffectKind::BindMount { from, source, target } => {
                let source = source.as_deref().unwrap_or("?");
                format!("mount {}: {source} at {target}", copied_from(from))
            }
            EffectKind::SetEnv { name, value, kept } => {
                let what = if *kept { "env" } else { "arg" };
                format!("{what} {name}={}", described(value))
            }
            EffectKind::Label { key, value } => format!("label {key}={}", described(&value.value)),
        };
        let line = self.line(effect.span);
        let maybe = if effect.certain { "" } else { "maybe " };
        let _ = writeln!(self.out, "  {line}: {maybe}{text}");
    }

    fn artifact(&mut self, artifact: &Artifact) {
        let made = match &artifact.made {
            Made::Compiled { tool, .. } => format!("compiled by {tool:?}"),
            Made::Downloaded { .. } => "downloaded".to_owned(),
            Made::Installed { manager } => format!("installed by {manager:?}"),
            Made::Unpacked => "unpacked".to_owned(),
            Made::Context { path: Some(path) } => format!("context {path}"),
            Made::Context { path: None } => "context".to_owned(),
            Made::Written => "written".to_owned(),
            Made::Image { reference } => format!("of {reference}"),
        };
        let way: Vec<String> = artifact.way.iter().map(|s| self.line(s.span).to_string()).collect();
        let folder = match artifact.folder {
            true if artifact.path.ends_with('/') => "*",
            true => "/*",
            false => "",
        };
        let maybe = if artifact.certain { "" } else { "maybe " };
        let _ = writeln!(
            self.out,
            "  file {}{folder}: {maybe}{} {} {made}, lines {}",
            artifact.path.replace(crate::files::UNKNOWN_NAME, "?"),
            artifact.machine,
            artifact.linkage,
            way.join(" ")
        );
    }
}
