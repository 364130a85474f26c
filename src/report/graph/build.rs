//! From evaluations to a picture.

use std::collections::{BTreeMap, HashMap, HashSet};

use mlint_model::{
    Artifact, Base, CopyFrom, EffectKind, Evaluation, Machine, MachineKind, Made, RunsOn, Stage,
    Station, Step,
};
use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, InstructionKind, Span};

use super::{Edge, Hue, Kind, Line, Node, Panel, Picture, Style};
use crate::report::{
    lines::Lines,
    text::style::one_line,
    trace::{Traced, stage_name, words},
};

/// Characters of a path or reference; longer ones lose their middle.
const PATH: usize = 34;
/// Paths in a node; more are counted only.
const PATHS: usize = 4;

/// The picture of a file.
pub fn picture(traced: &Traced<'_>) -> Picture {
    let lines = Lines::new(traced.text);
    let panels = traced.evaluations.iter().map(|e| {
        let mut builder = Builder::new(traced.file, &lines, e);
        builder.stages();
        builder.sources();
        builder.needless();
        builder.panel()
    });
    let build = traced.evaluations.first().map(|e| e.build_platform.to_string());
    Picture {
        name: one_line(traced.name),
        build: build.unwrap_or_default(),
        panels: merged(panels.collect(), traced.evaluations),
    }
}

/// Panels that differ only in the target's name become one.
fn merged(panels: Vec<Panel>, evaluations: &[Evaluation]) -> Vec<Panel> {
    const TARGET: &str = "\u{fffc}";
    let mut out: Vec<(Panel, Panel)> = Vec::new();
    for (panel, evaluation) in panels.into_iter().zip(evaluations) {
        let name = evaluation.platform.to_string();
        let target = hue_of(&evaluation.platform);
        let mut neutral = panel.clone();
        neutral.platforms.clear();
        let hue = |hue: &mut Hue| {
            if *hue == target {
                *hue = Hue::Other;
            }
        };
        for node in &mut neutral.nodes {
            hue(&mut node.hue);
            node.title = node.title.replace(&name, TARGET);
            for line in &mut node.lines {
                line.text = line.text.replace(&name, TARGET);
            }
        }
        neutral.edges.iter_mut().for_each(|e| hue(&mut e.hue));
        match out.iter_mut().find(|(_, seen)| *seen == neutral) {
            Some((same, _)) => {
                same.platforms.push(name);
                for (node, neutral) in same.nodes.iter_mut().zip(&neutral.nodes) {
                    node.title = neutral.title.replace(TARGET, "the target");
                    for (line, neutral) in node.lines.iter_mut().zip(&neutral.lines) {
                        line.text = neutral.text.replace(TARGET, "the target");
                    }
                }
            }
            None => out.push((panel, neutral)),
        }
    }
    out.into_iter().map(|(panel, _)| panel).collect()
}

fn hue_of(platform: &Platform) -> Hue {
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

fn machine_hue(machine: &Machine) -> Hue {
    match &machine.kind {
        MachineKind::Platform(platform) => hue_of(platform),
        MachineKind::Independent => Hue::Any,
        MachineKind::Unknown => Hue::Unknown,
    }
}

fn machine_name(machine: &Machine) -> String {
    match &machine.kind {
        MachineKind::Platform(platform) => platform.to_string(),
        MachineKind::Independent => Hue::Any.meaning().to_owned(),
        MachineKind::Unknown => Hue::Unknown.meaning().to_owned(),
    }
}

fn line(style: Style, text: impl Into<String>) -> Line {
    Line { text: text.into(), style }
}

/// Files that go the same way and are of the same machine.
struct Load {
    paths: Vec<String>,
    machine: Machine,
    lines: Vec<usize>,
}

/// Which load a file belongs to: kind of source, its name, machine, whether it is wrong.
type LoadKey = (u8, String, String, bool);

struct Builder<'t> {
    file: &'t Dockerfile,
    lines: &'t Lines<'t>,
    evaluation: &'t Evaluation,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// The stations of files that end up in the image and are wrong there.
    wrong: HashSet<(usize, usize, &'t str)>,
}

impl<'t> Builder<'t> {
    fn new(file: &'t Dockerfile, lines: &'t Lines<'t>, evaluation: &'t Evaluation) -> Self {
        let stations = evaluation.wrong_artifacts().flat_map(|a| &a.way);
        let wrong = stations.map(|s| (s.stage, s.instruction, s.path.as_str())).collect();
        Self { file, lines, evaluation, nodes: Vec::new(), edges: Vec::new(), wrong }
    }

    fn panel(self) -> Panel {
        let platforms = vec![self.evaluation.platform.to_string()];
        Panel { platforms, nodes: self.nodes, edges: self.edges }
    }

    fn line(&self, span: Span) -> usize {
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
        let mut lines = vec![line(Style::Name, name)];
        let platform = stage.platform.platform.as_ref();
        let on = platform.map_or("?".to_owned(), ToString::to_string);
        let emulated = stage.steps.iter().filter(|s| s.emulated).count();
        if !stage.reachable {
            lines.push(line(Style::Plain, "not needed"));
        } else {
            let role = match stage.platform.role {
                RunsOn::Target => "target",
                RunsOn::Build => "build platform",
                RunsOn::Constant => "fixed",
                RunsOn::Unknown => "not known",
            };
            lines.push(line(Style::Plain, format!("{on} · {role}")));
            if emulated > 0 {
                let s = if emulated == 1 { "" } else { "s" };
                lines.push(line(Style::Plain, format!("{emulated} step{s} emulated")));
            }
            if matches!(stage.base, Base::Scratch) {
                lines.push(line(Style::Plain, "from scratch"));
            }
            lines.extend(self.doings(stage));
        }
        if is_final {
            lines.push(line(Style::Plain, format!("image for {}", self.evaluation.platform)));
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
                    if known && !compiles.contains(&text) {
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
        compiles.truncate(SHOWN);
        wrong.dedup();
        wrong.truncate(SHOWN);
        let compiles = compiles.into_iter().map(|text| line(Style::Plain, text));
        compiles.chain(wrong.into_iter().map(|text| line(Style::Wrong, text))).collect()
    }

    /// What the reachable stages start from and take.
    fn sources(&mut self) {
        let evaluation = self.evaluation;
        for stage in evaluation.reachable() {
            self.base(stage);
            let mut loads: BTreeMap<LoadKey, Load> = BTreeMap::new();
            for step in &stage.steps {
                self.loads(stage, step, &mut loads);
            }
            for ((kind, source, _, wrong), load) in loads {
                self.load(stage, kind, &source, wrong, &load);
            }
        }
    }

    fn base(&mut self, stage: &Stage) {
        let hue = self.nodes[stage.index].hue;
        let edge =
            |from: usize| Edge { from, to: stage.index, hue, wrong: false, base: true, dim: false };
        match &stage.base {
            Base::Scratch | Base::Context { .. } => {}
            Base::Stage(parent) => self.edges.push(edge(*parent)),
            Base::Image { reference } => {
                let text = words::shortened(&words::value(reference), PATH);
                let title = format!("FROM {}", words::value(reference));
                self.edges.push(edge(self.nodes.len()));
                self.nodes.push(Node {
                    kind: Kind::Image,
                    stage: stage.index,
                    lines: vec![line(Style::Path, text)],
                    hue,
                    wrong: false,
                    emulated: false,
                    dim: false,
                    title,
                });
            }
        }
    }

    fn loads(&self, stage: &'t Stage, step: &'t Step, loads: &mut BTreeMap<LoadKey, Load>) {
        let mut brought: HashMap<Span, Vec<(&Artifact, &Station)>> = HashMap::new();
        for artifact in stage.files.values() {
            let here = |s: &&Station| s.stage == stage.index && s.instruction == step.instruction;
            if let Some(station) = artifact.way.iter().find(here) {
                brought.entry(station.span).or_default().push((artifact, station));
            }
        }
        for effect in &step.effects {
            let empty = Vec::new();
            let files = brought.get(&effect.span).unwrap_or(&empty);
            let at = self.line(effect.span);
            let mut add = |kind: u8, source: &str, path: String, machine: &Machine, wrong: bool| {
                let key = (kind, source.to_owned(), machine_name(machine), wrong);
                let load = loads.entry(key).or_insert_with(|| Load {
                    paths: Vec::new(),
                    machine: machine.clone(),
                    lines: Vec::new(),
                });
                if !load.paths.contains(&path) {
                    load.paths.push(path);
                }
                if !load.lines.contains(&at) {
                    load.lines.push(at);
                }
            };
            let is_wrong =
                |s: &Station| self.wrong.contains(&(s.stage, s.instruction, s.path.as_str()));
            match &effect.kind {
                EffectKind::Copy(copy) => {
                    let (kind, source) = match &copy.from {
                        CopyFrom::Context => (CONTEXT, String::new()),
                        CopyFrom::Stage(index) => (STAGE, index.to_string()),
                        CopyFrom::Image(image) => (IMAGE, words::plain(image)),
                        _ => continue,
                    };
                    for (artifact, station) in files {
                        let path = shown(&station.path, artifact.folder);
                        add(kind, &source, path, &artifact.machine, is_wrong(station));
                    }
                    if files.is_empty() {
                        // What comes from the network is a download.
                        let near = copy.sources.iter().filter(|a| !words::is_remote(&a.value));
                        for argument in near {
                            let path = words::value(&argument.value);
                            add(kind, &source, path, &Machine::unknown(), false);
                        }
                    }
                }
                EffectKind::BindMount { from: CopyFrom::Stage(index), source, .. } => {
                    let path = source.as_deref().unwrap_or("?");
                    let machine = self.machine_below(*index, path);
                    add(STAGE, &index.to_string(), words::plain(path), &machine, false);
                }
                EffectKind::BindMount { from: CopyFrom::Image(image), source, .. } => {
                    let path = source.as_deref().unwrap_or("?");
                    add(
                        IMAGE,
                        &words::plain(image),
                        words::plain(path),
                        &Machine::unknown(),
                        false,
                    );
                }
                EffectKind::Download(download) => {
                    let url = words::value(&download.url);
                    let name = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                    let made = stage.files.values().find(|a| {
                        matches!(a.made, Made::Downloaded { .. })
                            && a.way
                                .first()
                                .is_some_and(|s| s.span == effect.span && s.stage == stage.index)
                    });
                    match made {
                        Some(artifact) => {
                            let wrong =
                                artifact.way.iter().any(|s| s.stage == stage.index && is_wrong(s));
                            add(DOWNLOAD, "", name.to_owned(), &artifact.machine, wrong);
                        }
                        None => add(DOWNLOAD, "", name.to_owned(), &Machine::unknown(), false),
                    }
                }
                _ => {}
            }
        }
    }

    /// The machine of all files of a stage at or below a path, if it is one.
    fn machine_below(&self, stage: usize, path: &str) -> Machine {
        let Some(stage) = self.evaluation.stages.get(stage) else { return Machine::unknown() };
        let folder = format!("{}/", path.trim_end_matches('/'));
        let mut found: Option<&Machine> = None;
        for artifact in stage.files.values() {
            if artifact.path != path && !artifact.path.starts_with(&folder) {
                continue;
            }
            match found {
                Some(machine) if machine.kind != artifact.machine.kind => {
                    return Machine::unknown();
                }
                _ => found = Some(&artifact.machine),
            }
        }
        found.cloned().unwrap_or_else(Machine::unknown)
    }

    fn load(&mut self, stage: &Stage, kind: u8, source: &str, wrong: bool, load: &Load) {
        let (node_kind, head) = match kind {
            CONTEXT => (Kind::Context, Some("build context".to_owned())),
            IMAGE => (Kind::Image, Some(words::shortened(source, PATH))),
            DOWNLOAD => (Kind::Download, Some("download".to_owned())),
            _ => (Kind::Files, None),
        };
        let mut lines: Vec<Line> = head.into_iter().map(|text| line(Style::Plain, text)).collect();
        for path in load.paths.iter().take(PATHS) {
            lines.push(line(Style::Path, words::shortened(path, PATH)));
        }
        if load.paths.len() > PATHS {
            lines.push(line(Style::Plain, format!("and {} more", load.paths.len() - PATHS)));
        }
        let machine = machine_name(&load.machine);
        if wrong {
            lines.push(line(Style::Wrong, format!("✗ {machine}, wrong here")));
        } else if load.machine.platform().is_some() || kind == STAGE {
            lines.push(line(Style::Plain, machine.clone()));
        }
        let at: Vec<String> = load.lines.iter().take(8).map(ToString::to_string).collect();
        let paths: Vec<&str> = load.paths.iter().take(50).map(String::as_str).collect();
        let index = self.nodes.len();
        let hue = machine_hue(&load.machine);
        self.nodes.push(Node {
            kind: node_kind,
            stage: stage.index,
            lines,
            hue,
            wrong,
            emulated: false,
            dim: false,
            title: format!("line {}: {} ({machine})", at.join(", "), paths.join(", ")),
        });
        let edge = |from, to| Edge { from, to, hue, wrong, base: false, dim: false };
        if let (STAGE, Ok(from)) = (kind, source.parse()) {
            self.edges.push(edge(from, index));
        }
        self.edges.push(edge(index, stage.index));
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

const STAGE: u8 = 0;
const IMAGE: u8 = 1;
const CONTEXT: u8 = 2;
const DOWNLOAD: u8 = 3;

fn shown(path: &str, folder: bool) -> String {
    let path = words::plain(path);
    match folder {
        true => format!("{}/*", path.trim_end_matches('/')),
        false => path,
    }
}

fn joined(lines: &[Line]) -> String {
    lines.iter().map(|l| l.text.as_str()).collect::<Vec<_>>().join("; ")
}
