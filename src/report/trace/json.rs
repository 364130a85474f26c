//! `trace --format json`: all that the evaluations hold, its shape stable. Spans as in the JSON of
//! `check`.

use std::io;

use mlint_model::{
    Argument, Artifact, Base, Content, CopyFrom, Effect, EffectKind, Evaluation, Guard, Libc,
    Linkage, Machine, MachineKind, MachineSource, Made, RunsOn, Stage, Step, Toolchain, Truth,
    UnsetUse, Value,
};
use mlint_syntax::{Dockerfile, Span};
use serde_json::{Map, Value as Json, json};

use super::{Selection, Traced, words};
use crate::report::{FileProblem, json::range, lines::Lines};

/// Grows when the shape changes so that old readers go wrong.
const VERSION: u32 = 1;

/// One file's part of the document.
#[derive(Debug)]
pub struct File(Json);

/// Writes the document.
///
/// # Errors
/// When the stream can't be written.
pub fn write(
    files: Vec<File>,
    problems: &[FileProblem],
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let files: Vec<Json> = files.into_iter().map(|file| file.0).collect();
    let mut document = json!({ "version": VERSION, "files": files });
    if !problems.is_empty() {
        let errors: Vec<Json> =
            problems.iter().map(|p| json!({ "path": p.path, "message": p.message })).collect();
        document["errors"] = errors.into();
    }
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// A file with its evaluations.
pub fn file(traced: &Traced<'_>, selection: &Selection) -> File {
    let lines = Lines::new(traced.text);
    let stages = selection.stages(traced);
    let writer = Writer { lines: &lines, file: traced.file, selection, stages };
    let platforms: Vec<Json> = traced.evaluations.iter().map(|e| writer.evaluation(e)).collect();
    File(json!({ "path": traced.name, "platforms": platforms }))
}

struct Writer<'t> {
    lines: &'t Lines<'t>,
    file: &'t Dockerfile,
    selection: &'t Selection,
    stages: Option<Vec<usize>>,
}

/// Puts a member in only if there is something to say.
fn put(object: &mut Json, key: &str, value: Option<Json>) {
    let value = value.filter(|v| !v.as_array().is_some_and(Vec::is_empty));
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(key.to_owned(), value);
    }
}

fn truth(truth: Truth) -> Json {
    match truth {
        Truth::Yes => true.into(),
        Truth::No => false.into(),
        Truth::Unknown => Json::Null,
    }
}

fn clean(text: &str) -> String {
    text.replace(mlint_model::GAP, "?")
}

impl Writer<'_> {
    fn span(&self, span: Span) -> Json {
        json!(range(span, self.lines))
    }

    fn list<T>(&self, items: impl IntoIterator<Item = T>, one: impl Fn(T) -> Json) -> Json {
        items.into_iter().map(one).collect::<Vec<Json>>().into()
    }

    fn evaluation(&self, evaluation: &Evaluation) -> Json {
        let stages = evaluation.stages.iter();
        let wanted = |s: &&Stage| self.stages.as_ref().is_none_or(|w| w.contains(&s.index));
        let mut object = json!({
            "platform": evaluation.platform.to_string(),
            "build_platform": evaluation.build_platform.to_string(),
            "target": evaluation.target,
            "failures": self.list(&evaluation.failures, |f| json!({
                "message": f.message, "span": self.span(f.span),
            })),
            "globals": self.list(&evaluation.globals, |g| json!({
                "name": g.name,
                "value": g.value.as_ref().map(|v| self.value(v)),
                "span": self.span(g.span),
            })),
            "stages": self.list(stages.filter(wanted), |s| self.stage(s, evaluation)),
        });
        put(&mut object, "unset", Some(self.list(&evaluation.unset, |u| self.unset(u))));
        object
    }

    fn unset(&self, unset: &UnsetUse) -> Json {
        json!({ "name": unset.name, "span": self.span(unset.span) })
    }

    fn stage(&self, stage: &Stage, evaluation: &Evaluation) -> Json {
        let role = match stage.platform.role {
            RunsOn::Target => "target",
            RunsOn::Build => "build",
            RunsOn::Constant => "constant",
            RunsOn::Unknown => "unknown",
        };
        let base = match &stage.base {
            Base::Context { .. } => json!({ "kind": "named-context" }),
            Base::Scratch => json!({ "kind": "scratch" }),
            Base::Stage(index) => json!({ "kind": "stage", "stage": index }),
            Base::Image { reference } => {
                json!({ "kind": "image", "reference": self.value(reference) })
            }
        };
        let mut runs_on = json!({
            "platform": stage.platform.platform.as_ref().map(ToString::to_string),
            "role": role,
            "emulated": stage.steps.iter().any(|s| s.emulated),
        });
        put(&mut runs_on, "flag", stage.platform.flag.as_ref().map(|v| self.value(v)));
        let wanted = |a: &&Artifact| {
            self.selection.line.is_none_or(|line| a.way.iter().any(|s| self.covers(s.span, line)))
        };
        json!({
            "index": stage.index,
            "name": stage.name,
            "span": self.span(stage.span),
            "final": evaluation.target == Some(stage.index),
            "reachable": stage.reachable,
            "base": base,
            "runs_on": runs_on,
            "libc": libc(stage.libc),
            "toolchains": self.list(&stage.toolchains, |t| toolchain(*t).into()),
            "steps": self.list(&stage.steps, |s| self.step(s)),
            "artifacts": self.list(stage.files.values().map(|a| &**a).filter(wanted), |a| self.artifact(a, evaluation, stage)),
        })
    }

    fn covers(&self, span: Span, line: usize) -> bool {
        let last = span.end.saturating_sub(1).max(span.start);
        (self.lines.line_of(span.start) + 1..=self.lines.line_of(last) + 1).contains(&line)
    }

    fn wanted(&self, effect: &Effect) -> bool {
        let on_line = self.selection.line.is_none_or(|line| self.covers(effect.span, line));
        on_line
            && self.selection.variable.as_deref().is_none_or(|name| {
                let mut names = Vec::new();
                for value in values(&effect.kind) {
                    words::names(value, &mut names);
                }
                let sets =
                    matches!(&effect.kind, EffectKind::SetEnv { name: set, .. } if set == name);
                sets || names.iter().any(|n| n == name)
            })
    }

    fn step(&self, step: &Step) -> Json {
        let keyword = self.file.instructions.get(step.instruction).map(|i| i.keyword.as_str());
        let effects = step.effects.iter().filter(|e| self.wanted(e));
        let mut object = json!({
            "instruction": keyword.unwrap_or_default().to_ascii_uppercase(),
            "span": self.span(step.span),
            "emulated": step.emulated,
            "effects": self.list(effects, |e| self.effect(e)),
        });
        put(&mut object, "dead", Some(self.list(&step.dead, |s| self.span(*s))));
        put(&mut object, "unset", Some(self.list(&step.unset, |u| self.unset(u))));
        let shell = self.list(
            &step.lost,
            |l| json!({ "name": l.name, "value": self.value(&l.value), "span": self.span(l.span) }),
        );
        put(&mut object, "shell_variables", Some(shell));
        let failure = step.failure.as_ref();
        put(
            &mut object,
            "failure",
            failure.map(|f| json!({ "message": f.message, "span": self.span(f.span) })),
        );
        object
    }

    fn effect(&self, effect: &Effect) -> Json {
        let (kind, members) = self.kind(&effect.kind);
        let mut object =
            json!({ "kind": kind, "span": self.span(effect.span), "certain": effect.certain });
        if let (Some(map), Json::Object(members)) = (object.as_object_mut(), members) {
            map.extend(members);
        }
        put(&mut object, "conditions", Some(self.list(&effect.guards, |g| self.guard(g))));
        object
    }

    fn guard(&self, guard: &Guard) -> Json {
        json!({
            "span": self.span(guard.span),
            "subject": guard.subject.as_ref().map(|v| self.value(v)),
            "taken": truth(guard.taken),
        })
    }

    fn arguments(&self, arguments: &[Argument]) -> Json {
        self.list(arguments, |a| self.argument(a))
    }

    fn argument(&self, argument: &Argument) -> Json {
        let mut value = self.value(&argument.value);
        put(&mut value, "span", Some(self.span(argument.span)));
        value
    }

    fn kind(&self, kind: &EffectKind) -> (&'static str, Json) {
        match kind {
            EffectKind::Command(command) => (
                "command",
                json!({
                    "argv": self.arguments(&command.argv),
                    "environment": self.list(&command.prefix, |(name, argument)| json!({
                        "name": name, "value": self.argument(argument),
                    })),
                    "directory": command.directory,
                }),
            ),
            EffectKind::Download(download) => (
                "download",
                json!({
                    "tool": format!("{:?}", download.tool).to_lowercase(),
                    "url": self.value(&download.url),
                    "output": download.output.as_ref().map(|v| self.value(v)),
                }),
            ),
            EffectKind::Install(install) => (
                "install",
                json!({
                    "manager": words::manager(install.manager),
                    "packages": self.arguments(&install.packages),
                }),
            ),
            EffectKind::Compile(compile) => {
                let mut object = json!({
                    "tool": words::tool(compile.tool),
                    "cross": truth(compile.cross),
                    "linkage": linkage(compile.linkage),
                    "outputs": self.list(&compile.outputs, |o| clean(o).into()),
                    "settings": self.list(&compile.settings, |s| json!({
                        "name": s.name, "value": self.value(&s.value), "span": self.span(s.span),
                    })),
                });
                put(&mut object, "machine", Some(self.machine(&compile.machine)));
                if let Some(cgo) = &compile.cgo {
                    put(&mut object, "cgo", Some(truth(cgo.enabled)));
                }
                ("compile", object)
            }
            EffectKind::Ask { probe, answer } => {
                ("ask", json!({ "command": probe.command(), "answer": answer }))
            }
            EffectKind::Execute { path, machine } => {
                ("execute", json!({ "path": clean(path), "machine": self.machine(machine) }))
            }
            EffectKind::Checksum { sums } => ("checksum", json!({ "sums": self.value(sums) })),
            EffectKind::Copy(copy) => (
                "copy",
                json!({
                    "from": from(&copy.from),
                    "sources": self.arguments(&copy.sources),
                    "destination": self.argument(&copy.dest),
                    "target": copy.target,
                }),
            ),
            EffectKind::CacheMount { id, explicit_id, target, .. } => (
                "cache-mount",
                json!({
                    "id": self.value(id), "explicit_id": explicit_id, "target": self.value(target),
                }),
            ),
            EffectKind::BindMount { from: source_of, source, target } => (
                "bind-mount",
                json!({
                    "from": from(source_of), "source": source, "target": target,
                }),
            ),
            EffectKind::Label { key, value } => {
                ("label", json!({ "key": self.value(key), "value": self.argument(value) }))
            }
            EffectKind::SetEnv { name, value, kept } => (
                "variable",
                json!({
                    "name": name, "value": self.value(value), "in_image": kept,
                }),
            ),
            _ => ("other", Json::Object(Map::new())),
        }
    }

    fn value(&self, value: &Value) -> Json {
        let parts = self.list(value.pieces(), |piece| {
            let (origin, name) = words::origin_name(&piece.origin);
            let mut part = json!({ "origin": origin });
            put(&mut part, "name", name.map(Json::from));
            match &piece.content {
                Content::Known(text) => put(&mut part, "text", Some((**text).into())),
                Content::Alternatives(values) => {
                    put(&mut part, "one_of", Some(self.list(values.iter(), |v| self.value(v))));
                }
                Content::Unknown => {}
            }
            // What does not stand in the file has no place in it.
            let span = Some(piece.span).filter(|s| !s.is_empty());
            put(&mut part, "span", span.map(|s| self.span(s)));
            let way = self.list(piece.trail.hops(), |hop| {
                let mut station = json!({ "did": words::hop_name(hop.kind) });
                put(
                    &mut station,
                    "name",
                    Some(&hop.name).filter(|n| !n.is_empty()).map(|n| (**n).into()),
                );
                put(&mut station, "span", Some(self.span(hop.span)));
                station
            });
            put(&mut part, "way", Some(way));
            part
        });
        json!({ "text": value.to_string(), "known": value.as_known().is_some(), "parts": parts })
    }

    fn machine(&self, machine: &Machine) -> Json {
        let (kind, platform) = match &machine.kind {
            MachineKind::Platform(platform) => ("platform", Some(platform.to_string())),
            MachineKind::Independent => ("any", None),
            MachineKind::Unknown => ("unknown", None),
        };
        let mut object = json!({ "kind": kind });
        put(&mut object, "platform", platform.map(Json::from));
        let by = match &machine.source {
            MachineSource::StagePlatform => json!("stage"),
            MachineSource::Setting { name, .. } => json!(format!("setting {name}")),
            MachineSource::Name { .. } => json!("name"),
            MachineSource::Packages => json!("packages"),
            MachineSource::Kind => json!("kind"),
            _ => return object,
        };
        put(&mut object, "by", Some(by));
        object
    }

    fn artifact(&self, artifact: &Artifact, evaluation: &Evaluation, stage: &Stage) -> Json {
        let made = match &artifact.made {
            Made::Compiled { tool, .. } => json!({ "how": "compiled", "tool": words::tool(*tool) }),
            Made::Downloaded { url } => json!({ "how": "downloaded", "url": self.value(url) }),
            Made::Installed { manager } => {
                json!({ "how": "installed", "manager": words::manager(*manager) })
            }
            Made::Unpacked => json!({ "how": "unpacked" }),
            Made::Context { .. } => json!({ "how": "context" }),
            Made::Written => json!({ "how": "written" }),
            Made::Image { reference } => json!({ "how": "image", "reference": reference }),
            _ => json!({ "how": "other" }),
        };
        json!({
            "path": clean(&artifact.path),
            "folder": artifact.folder,
            "machine": self.machine(&artifact.machine),
            "linkage": linkage(artifact.linkage),
            "certain": artifact.certain,
            "made": made,
            "wrong_machine": artifact.machine.is_wrong_for(&evaluation.platform),
            "wrong_libc": artifact.linkage.is_wrong_for(stage.libc),
            "way": self.list(&artifact.way, |s| json!({
                "stage": s.stage, "path": clean(&s.path), "span": self.span(s.span),
            })),
        })
    }
}

fn values(kind: &EffectKind) -> Vec<&Value> {
    match kind {
        EffectKind::Command(c) => {
            c.argv.iter().chain(c.prefix.iter().map(|(_, a)| a)).map(|a| &a.value).collect()
        }
        EffectKind::Download(d) => std::iter::once(&d.url).chain(&d.output).collect(),
        EffectKind::Install(i) => i.packages.iter().map(|p| &p.value).collect(),
        EffectKind::Compile(c) => c.settings.iter().map(|s| &s.value).collect(),
        EffectKind::Copy(c) => c.sources.iter().chain([&c.dest]).map(|a| &a.value).collect(),
        EffectKind::CacheMount { id, target, .. } => vec![id, target],
        EffectKind::SetEnv { value, .. } => vec![value],
        EffectKind::Label { value, .. } => vec![&value.value],
        _ => Vec::new(),
    }
}

fn from(from: &CopyFrom) -> Json {
    match from {
        CopyFrom::Context => json!({ "kind": "context" }),
        CopyFrom::Stage(stage) => json!({ "kind": "stage", "stage": stage }),
        CopyFrom::Image(reference) => json!({ "kind": "image", "reference": reference }),
        CopyFrom::Named(name) => json!({ "kind": "named-context", "name": name }),
        CopyFrom::Heredoc => json!({ "kind": "here-document" }),
        CopyFrom::Here => json!({ "kind": "same-stage" }),
        _ => json!({ "kind": "unknown" }),
    }
}

fn libc(libc: Libc) -> Json {
    match libc {
        Libc::Glibc => "glibc".into(),
        Libc::Musl => "musl".into(),
        Libc::None => "none".into(),
        Libc::Unknown => Json::Null,
    }
}

fn linkage(linkage: Linkage) -> Json {
    match linkage {
        Linkage::Static => "static".into(),
        Linkage::Glibc => "glibc".into(),
        Linkage::Musl => "musl".into(),
        Linkage::Unknown => Json::Null,
    }
}

fn toolchain(toolchain: Toolchain) -> &'static str {
    words::toolchain(toolchain)
}
