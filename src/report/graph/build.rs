//! From evaluations to a picture.

use std::collections::HashMap;

use mlint_model::{
    Artifact, Base, EffectKind, Evaluation, Libc, Machine, MachineKind, Made, RunsOn, Stage,
};
use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, InstructionKind, Span};

use super::{
    Edge, Hue, Kind, Line, Node, PATH, Panel, Picture, Style, fit, fold, loads::Wrong, merge,
};
use crate::report::{
    lines::Lines,
    text::style::one_line,
    trace::{Traced, stage_name, unloadable, words},
};

/// The picture of a file.
pub fn picture(traced: &Traced<'_>) -> Picture {
    let lines = Lines::new(traced.text);
    let panels = traced.evaluations.iter().map(|e| {
        let mut builder = Builder::new(traced, &lines, e);
        builder.stages();
        builder.sources();
        builder.needless();
        let mut panel = builder.panel();
        fold::fold(&mut panel);
        fit::fit(&mut panel, fit::PICTURE);
        panel
    });
    let build = traced.evaluations.first().map(|e| e.build_platform.to_string());
    Picture {
        name: one_line(traced.name),
        build: build.unwrap_or_default(),
        panels: merge::merged(panels.collect(), traced.evaluations),
    }
}

/// The colour of a platform.
pub fn hue_of(platform: &Platform) -> Hue {
    match platform.arch() {
        "amd64" => Hue::Amd64,
        "arm64" => Hue::Arm64,
        "arm" => Hue::Arm,
        "386" => Hue::I386,
        "riscv64" => Hue::Riscv64,
        "s390x" => Hue::S390x,
        "ppc64le" => Hue::Ppc64le,
        _ => Hue::Other,
    }
}

/// The colour of a machine.
pub fn machine_hue(machine: &Machine) -> Hue {
    match &machine.kind {
        MachineKind::Platform(platform) => hue_of(platform),
        MachineKind::Independent => Hue::Any,
        MachineKind::Unknown => Hue::Unknown,
    }
}

/// The name of a machine.
pub fn machine_name(machine: &Machine) -> String {
    match &machine.kind {
        MachineKind::Platform(platform) => platform.to_string(),
        MachineKind::Independent => Hue::Any.meaning().to_owned(),
        MachineKind::Unknown => Hue::Unknown.meaning().to_owned(),
    }
}

/// Draws one evaluation.
pub struct Builder<'t> {
    file: &'t Dockerfile,
    text: &'t str,
    lines: &'t Lines<'t>,
    /// What is drawn.
    pub evaluation: &'t Evaluation,
    /// The nodes so far, stages first.
    pub nodes: Vec<Node>,
    /// The arrows so far.
    pub edges: Vec<Edge>,
    /// The stations of files that end up in the image and are wrong there.
    pub wrong: HashMap<(usize, usize, &'t str), Wrong>,
}

impl<'t> Builder<'t> {
    fn new(traced: &'t Traced<'_>, lines: &'t Lines<'t>, evaluation: &'t Evaluation) -> Self {
        let mut wrong = HashMap::new();
        let loaders = unloadable(evaluation).into_iter().map(|a| (a, Wrong::Libc));
        for (artifact, how) in
            loaders.chain(evaluation.wrong_artifacts().map(|a| (a, Wrong::Machine)))
        {
            for s in &artifact.way {
                wrong.insert((s.stage, s.instruction, s.path.as_str()), how);
            }
        }
        let (file, text) = (traced.file, traced.text);
        Self { file, text, lines, evaluation, nodes: Vec::new(), edges: Vec::new(), wrong }
    }

    fn panel(self) -> Panel {
        let platforms = vec![self.evaluation.platform.to_string()];
        Panel { platforms, nodes: self.nodes, edges: self.edges, notes: Vec::new() }
    }

    /// The number of the line where something is.
    pub fn line(&self, span: Span) -> usize {
        self.lines.line_of(span.start) + 1
    }

    /// One node per stage, in their order: a stage's index is its node's.
    fn stages(&mut self) {
        for stage in &self.evaluation.stages {
            let node = self.stage(stage);
            self.nodes.push(node);
        }
    }

    fn stage(&self, stage: &Stage) -> Node {
        let is_final = self.evaluation.target == Some(stage.index);
        let name = words::shortened(&stage_name(&self.evaluation.stages, stage.index), PATH);
        let mut lines = vec![Line::new(Style::Name, name)];
        let platform = stage.platform.platform.as_ref();
        let on = platform.map_or("?".to_owned(), ToString::to_string);
        let emulated = stage.steps.iter().filter(|s| s.emulated).count();
        if !stage.reachable {
            lines.push(Line::new(Style::Plain, "not needed"));
        } else {
            let role = match stage.platform.role {
                RunsOn::Target => "target",
                RunsOn::Build => "build platform",
                RunsOn::Constant => "fixed",
                RunsOn::Unknown => "not known",
            };
            let libc = match stage.libc {
                Libc::Glibc | Libc::Musl => format!(" · {}", words::libc(stage.libc)),
                Libc::None | Libc::Unknown => String::new(),
            };
            lines.push(Line::new(Style::Plain, format!("{on} · {role}{libc}")));
            if emulated > 0 {
                let s = if emulated == 1 { "" } else { "s" };
                lines.push(Line::new(Style::Plain, format!("{emulated} step{s} emulated")));
            }
            if matches!(stage.base, Base::Scratch) {
                lines.push(Line::new(Style::Plain, "from scratch"));
            }
            lines.extend(self.doings(stage));
        }
        if is_final {
            lines.push(Line::new(Style::Plain, format!("image for {}", self.evaluation.platform)));
        }
        let wrong = lines.iter().any(|l| l.style == Style::Wrong);
        Node {
            kind: if is_final { Kind::Final } else { Kind::Stage },
            stage: stage.index,
            title: format!("line {}: {}", self.line(stage.span), joined(&lines)),
            lines,
            hue: platform.map_or(Hue::Unknown, hue_of),
            wrong,
            emulated: emulated > 0,
            dim: !stage.reachable,
            list: None,
        }
    }

    /// What a stage compiles, and what goes wrong in it.
    fn doings(&self, stage: &Stage) -> Vec<Line> {
        const SHOWN: usize = 3;
        let mut compiles: Vec<String> = Vec::new();
        let mut wrong: Vec<String> = Vec::new();
        for (step, effect) in stage.effects() {
            match &effect.kind {
                EffectKind::Compile(compile) => {
                    let text = format!(
                        "{} for {}",
                        words::tool(compile.tool),
                        machine_name(&compile.machine)
                    );
                    let known = compile.machine.platform().is_some();
                    if known && compiles.len() < SHOWN && !compiles.contains(&text) {
                        compiles.push(text);
                    }
                }
                EffectKind::Execute { path, machine } => {
                    let foreign =
                        stage.platform.platform.as_ref().is_some_and(|p| machine.is_wrong_for(p));
                    if foreign {
                        let path = words::shortened(&words::plain(path), PATH);
                        wrong.push(format!("✗ runs {path} of {}", machine_name(machine)));
                    }
                }
                _ => {}
            }
            if let Some(failure) = &step.failure {
                let at = self.line(failure.span);
                wrong.push(words::shortened(
                    &format!("✗ line {at}: {}", one_line(&failure.message)),
                    PATH + 10,
                ));
            }
        }
        // What is made in the image's own stage comes over no arrow.
        if self.evaluation.target == Some(stage.index) {
            let here = |a: &&Artifact| {
                a.way.iter().all(|s| s.stage == stage.index)
                    && !matches!(
                        a.made,
                        Made::Downloaded { .. } | Made::Context { .. } | Made::Image { .. }
                    )
            };
            for artifact in self.evaluation.wrong_artifacts().filter(here) {
                let path = words::shortened(&words::plain(&artifact.path), PATH);
                wrong.push(format!("✗ {path} of {}", machine_name(&artifact.machine)));
            }
        }
        wrong.dedup();
        wrong.truncate(SHOWN);
        let compiles = compiles.into_iter().map(|text| Line::new(Style::Plain, text));
        compiles.chain(wrong.into_iter().map(|text| Line::new(Style::Wrong, text))).collect()
    }

    /// What a stage starts from.
    pub fn base(&mut self, stage: &Stage) {
        let hue = self.nodes[stage.index].hue;
        let edge =
            |from: usize| Edge { from, to: stage.index, hue, wrong: false, base: true, dim: false };
        match &stage.base {
            Base::Scratch | Base::Context { .. } => {}
            Base::Stage(parent) => self.edges.push(edge(*parent)),
            Base::Image { reference } => {
                let mut image = words::value(reference);
                if image == "?" {
                    // The words of the file say more than nothing.
                    let span = stage.base_span;
                    let written = self.text.get(span.start as usize..span.end as usize);
                    image = one_line(written.unwrap_or("?"));
                }
                let text = words::shortened(&image, PATH);
                let title = format!("FROM {image}");
                self.edges.push(edge(self.nodes.len()));
                self.nodes.push(Node {
                    kind: Kind::Image,
                    stage: stage.index,
                    lines: vec![Line::new(Style::Path, text)],
                    hue,
                    wrong: false,
                    emulated: false,
                    dim: false,
                    title,
                    list: None,
                });
            }
        }
    }

    /// What stages that are not needed would take, told by their words alone.
    fn needless(&mut self) {
        let evaluation = self.evaluation;
        let mut names: HashMap<&str, usize> = HashMap::new();
        for stage in &evaluation.stages {
            if !stage.reachable {
                let end = evaluation.stages.get(stage.index + 1).map_or(usize::MAX, |s| s.from);
                let end = end.min(self.file.instructions.len());
                let mut from: Vec<usize> = match stage.base {
                    Base::Stage(parent) => vec![parent],
                    _ => Vec::new(),
                };
                let instructions =
                    self.file.instructions.get(stage.from + 1..end).unwrap_or_default();
                for instruction in instructions {
                    let InstructionKind::Copy { .. } = instruction.kind else { continue };
                    let word = instruction.flag("from").and_then(|f| f.value.as_ref());
                    let Some(word) = word.map(|w| w.as_str().to_lowercase()) else { continue };
                    let number = word.parse().ok().filter(|n| *n < stage.index);
                    from.extend(names.get(word.as_str()).copied().or(number));
                }
                from.sort_unstable();
                from.dedup();
                self.edges.extend(from.into_iter().map(|from| Edge {
                    from,
                    to: stage.index,
                    hue: Hue::Unknown,
                    wrong: false,
                    base: true,
                    dim: true,
                }));
            }
            if let Some(name) = &stage.name {
                names.insert(name, stage.index);
            }
        }
    }
}

fn joined(lines: &[Line]) -> String {
    lines.iter().map(|l| l.text.as_str()).collect::<Vec<_>>().join("; ")
}
