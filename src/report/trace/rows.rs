//! One evaluation as rows: a line of the file, what happens there, and where its words come from.

use std::collections::{HashMap, HashSet};

use mlint_model::{
    Argument, Artifact, Command, Compile, Copy, CopyFrom, Effect, EffectKind, Evaluation, Guard,
    Linkage, Made, Stage, Step, Truth, Value,
};
use mlint_syntax::{Dockerfile, InstructionKind, Span};

use super::words::{self, Note};
use crate::report::{lines::Lines, text::style::one_line};

/// What is the same row on several platforms: its kind, its place, and a number among those.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(&'static str, Span, String, usize);

/// Something to tell.
#[derive(Clone, Debug)]
pub struct Row {
    /// What makes it the same row elsewhere.
    pub key: Key,
    /// Its place; a line's number is printed before it.
    pub span: Option<Span>,
    /// The instruction it belongs to.
    pub instruction: Option<usize>,
    /// What happens.
    pub head: String,
    /// To what: what may differ between platforms.
    pub text: String,
    /// Where the words come from.
    pub notes: Vec<Note>,
    /// Decisions that led here, told where another platform does not come here.
    pub because: Vec<String>,
    /// Something is wrong with it.
    pub wrong: bool,
    /// Some part of it is not known.
    pub unknown: bool,
    /// The variables that had a say.
    pub names: Vec<String>,
    /// Other places that it belongs to.
    pub also_at: Vec<Span>,
    /// The program's name, for a command of which nothing particular is known.
    pub program: Option<String>,
}

impl Row {
    /// A row of that kind at a place.
    pub fn new(kind: &'static str, span: Span, head: String, text: String) -> Self {
        Self {
            key: Key(kind, span, String::new(), 0),
            span: Some(span),
            instruction: None,
            head,
            text,
            notes: Vec::new(),
            because: Vec::new(),
            wrong: false,
            unknown: false,
            names: Vec::new(),
            also_at: Vec::new(),
            program: None,
        }
    }

    pub(super) fn without_line(self) -> Self {
        Self { span: None, ..self }
    }

    fn wrong(self) -> Self {
        Self { wrong: true, ..self }
    }

    /// Which is the same elsewhere only if `name` is.
    pub(super) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.key.2);
        self
    }
}

/// The rows of one evaluation.
#[derive(Debug, Default)]
pub struct Rows {
    /// Before any stage: global arguments, why nothing runs.
    pub globals: Vec<Row>,
    /// By stage.
    pub stages: Vec<Vec<Row>>,
    /// What the image then holds.
    pub image: Vec<Row>,
}

/// Makes rows.
pub struct Teller<'t> {
    /// The file.
    pub file: &'t Dockerfile,
    /// Its text.
    pub lines: &'t Lines<'t>,
    /// Whether several platforms are compared.
    pub compared: bool,
    /// Whether parts that are only numbers of releases are told, too.
    pub all_ways: bool,
}

/// Numbers rows that nothing else tells apart.
fn numbered(rows: &mut [Row]) {
    let mut seen: HashMap<Key, usize> = HashMap::new();
    for row in rows {
        let count = seen.entry(row.key.clone()).or_default();
        row.key.3 = *count;
        *count += 1;
    }
}

impl Teller<'_> {
    /// All of it.
    pub fn tell(&self, evaluation: &Evaluation) -> Rows {
        let mut rows = Rows { globals: self.globals(evaluation), ..Rows::default() };
        for stage in &evaluation.stages {
            rows.stages.push(self.stage(stage, evaluation));
        }
        rows.image = self.image(evaluation);
        numbered(&mut rows.globals);
        rows.stages.iter_mut().for_each(|s| numbered(s));
        numbered(&mut rows.image);
        rows
    }

    pub(super) fn line(&self, span: Span) -> usize {
        self.lines.line_of(span.start) + 1
    }

    /// A row with the ways of a value.
    pub(super) fn valued(&self, mut row: Row, value: &Value, defined: Option<(&str, Span)>) -> Row {
        row.notes.extend(words::notes(value, self.lines, defined, self.all_ways));
        row.unknown |= value.texts().is_none();
        words::names(value, &mut row.names);
        row
    }

    fn globals(&self, evaluation: &Evaluation) -> Vec<Row> {
        let mut rows = Vec::new();
        for failure in &evaluation.failures {
            rows.push(fails(failure));
        }
        for global in &evaluation.globals {
            let head = format!("ARG {}", one_line(&global.name));
            rows.push(self.variable(head, &global.name, global.value.as_ref(), global.span));
        }
        rows.extend(evaluation.unset.iter().map(unset));
        rows
    }

    pub(super) fn variable(
        &self,
        head: String,
        name: &str,
        value: Option<&Value>,
        span: Span,
    ) -> Row {
        let mut row = Row::new("variable", span, head, String::new()).named(name);
        match value {
            Some(value) if value.is_empty() => row.text = "= (empty)".to_owned(),
            Some(value) => {
                row.text = format!("= {}", words::value(value));
                row = self.valued(row, value, Some((name, span)));
                if let ([note], [_]) = (&mut row.notes[..], value.pieces()) {
                    note.text.clear();
                }
            }
            None => {
                row.text = "has no value unless --build-arg gives one".to_owned();
                row.unknown = true;
            }
        }
        row.names.push(name.to_owned());
        row
    }

    fn stage(&self, stage: &Stage, evaluation: &Evaluation) -> Vec<Row> {
        let mut rows = Vec::new();
        if !stage.reachable {
            let text = "for this target: nothing of it runs".to_owned();
            rows.push(Row::new("needless", stage.span, "not needed".to_owned(), text));
            return rows;
        }
        rows.push(self.from(stage, evaluation));
        rows.push(self.runs_on(stage));
        for step in &stage.steps {
            self.step(step, stage, evaluation, &mut rows);
        }
        if evaluation.target != Some(stage.index) {
            let interesting = |a: &&Artifact| {
                !matches!(a.made, Made::Context { .. }) || a.machine.platform().is_some()
            };
            let left = stage.files.values().map(|a| &**a).filter(interesting);
            rows.extend(left.map(|a| self.left(a, stage, evaluation)));
        }
        rows
    }

    fn step(&self, step: &Step, stage: &Stage, evaluation: &Evaluation, rows: &mut Vec<Row>) {
        let first = rows.len();
        let mut told: HashSet<String> = HashSet::new();
        let particular: HashSet<Span> = step
            .effects
            .iter()
            .filter(|e| !matches!(e.kind, EffectKind::Command(_)))
            .map(|e| e.span)
            .collect();
        for effect in &step.effects {
            if matches!(effect.kind, EffectKind::Command(_)) && particular.contains(&effect.span) {
                continue;
            }
            // Told as a download.
            if let EffectKind::Copy(copy) = &effect.kind
                && !copy.sources.is_empty()
                && copy.from == CopyFrom::Context
                && copy.sources.iter().all(|s| words::is_remote(&s.value))
            {
                continue;
            }
            let mut row = self.effect(effect, stage, evaluation);
            self.conditions(effect, &mut row);
            if let EffectKind::SetEnv { name, .. } = &effect.kind {
                told.insert(name.clone());
            }
            rows.push(row);
        }
        let kind = self.file.instructions.get(step.instruction).map(|i| &i.kind);
        if let Some(InstructionKind::Arg(pairs)) = kind {
            for pair in pairs.iter().filter(|p| !told.contains(p.key.as_str())) {
                let name = pair.key.as_str();
                let head = format!("ARG {}", one_line(name));
                rows.push(self.variable(head, name, None, pair.span));
            }
        }
        for lost in &step.lost {
            let head = format!("{}=", one_line(&lost.name));
            let text = match lost.value.is_empty() {
                true => "(empty)".to_owned(),
                false => words::value(&lost.value),
            };
            // The branch that set it may be another one elsewhere.
            let mut row = Row::new("shell", step.span, head, text).named(&lost.name);
            row.span = Some(lost.span);
            row.names.push(lost.name.clone());
            row = self.valued(row, &lost.value, Some((&lost.name, lost.span)));
            if let ([note], [_]) = (&mut row.notes[..], lost.value.pieces()) {
                note.text.clear();
            }
            rows.push(row);
        }
        rows.extend(self.dead(step));
        rows.extend(step.unset.iter().map(unset));
        rows.extend(step.failure.as_ref().map(fails));
        rows[first..].iter_mut().for_each(|row| row.instruction = Some(step.instruction));
        // As the file has them; what is at one place stays in its order.
        rows[first..].sort_by_key(|row| row.span.map_or(usize::MAX, |s| self.line(s)));
    }

    /// The branches that are not taken.
    fn dead(&self, step: &Step) -> Option<Row> {
        const SHOWN: usize = 4;
        let first = step.dead.iter().min_by_key(|s| s.start)?;
        let mut said: Vec<String> = step
            .dead
            .iter()
            .take(SHOWN)
            .map(|span| {
                let source = self.lines.text().get(span.range()).unwrap_or_default();
                let source = words::shortened(&one_line(source.trim()), 30);
                format!("`{source}` (line {})", self.line(*span))
            })
            .collect();
        if step.dead.len() > SHOWN {
            said.push(format!("and {} more", step.dead.len() - SHOWN));
        }
        let mut row = Row::new("dead", step.span, "never runs:".to_owned(), said.join(", "));
        row.span = None;
        row.also_at.clone_from(&step.dead);
        row.also_at.retain(|s| s != first);
        row.also_at.push(*first);
        Some(row)
    }

    fn conditions(&self, effect: &Effect, row: &mut Row) {
        for guard in &effect.guards {
            let said = self.condition(guard);
            match guard.taken {
                Truth::Unknown if !effect.certain => {
                    row.notes.push(Note::said(format!("only if {said}")))
                }
                _ => row.because.extend(guard.subject.is_some().then(|| format!("as {said}"))),
            }
        }
        if !effect.certain {
            row.text = format!("{} (perhaps)", row.text);
        }
    }

    fn condition(&self, guard: &Guard) -> String {
        let line = self.line(guard.span);
        let source = self.lines.text().get(guard.span.range()).unwrap_or_default();
        let source = words::shortened(&one_line(source.trim()), 40);
        match &guard.subject {
            Some(subject) if subject.texts().is_none() => {
                format!("`{source}` holds (line {line}), which is not known")
            }
            Some(subject) => {
                format!(
                    "`{source}` is {} (line {line})",
                    words::shortened(&words::value(subject), 40)
                )
            }
            None => format!("`{source}` goes well (line {line})"),
        }
    }

    fn effect(&self, effect: &Effect, stage: &Stage, evaluation: &Evaluation) -> Row {
        let span = effect.span;
        match &effect.kind {
            EffectKind::Command(command) => self.command(command, span),
            EffectKind::Download(download) => {
                let to = match &download.output {
                    Some(output) => words::value(output),
                    None => "a pipe".to_owned(),
                };
                let text = format!("{} → {to}", words::value(&download.url));
                let row = Row::new("download", span, "download".to_owned(), text);
                self.valued(row, &download.url, None)
            }
            EffectKind::Install(install) => {
                let head = format!("install with {}:", words::manager(install.manager));
                let mut row = Row::new("install", span, head, list(&install.packages));
                if install.packages.is_empty() {
                    // `npm ci`: its lock file knows.
                    let source = self.lines.text().get(span.range()).unwrap_or_default();
                    row.text = words::shortened(&one_line(source.trim()), 60);
                }
                for package in &install.packages {
                    row = self.valued(row, &package.value, None);
                }
                row
            }
            EffectKind::Compile(compile) => self.compile(compile, span, evaluation),
            EffectKind::Ask { probe, answer } => {
                let head = format!("ask {}:", words::probe(*probe));
                let mut row = Row::new("ask", span, head, answer.clone().unwrap_or("?".to_owned()));
                row.unknown = answer.is_none();
                row
            }
            EffectKind::Execute { path, machine } => {
                let on = self.machine(machine, Linkage::Unknown, evaluation);
                let text = format!("{} ({on})", words::plain(path));
                let mut row = Row::new("execute", span, "execute".to_owned(), text);
                row.wrong =
                    stage.platform.platform.as_ref().is_some_and(|p| machine.is_wrong_for(p));
                if row.wrong {
                    let on =
                        stage.platform.platform.as_ref().map_or(String::new(), ToString::to_string);
                    row.text.push_str(&format!(", but the stage runs on {on}"));
                }
                row
            }
            EffectKind::Checksum { sums } => {
                let text = words::shortened(&words::value(sums), 240);
                let row = Row::new("checksum", span, "compare with".to_owned(), text);
                self.valued(row, sums, None)
            }
            EffectKind::Copy(copy) => self.copy(copy, span, evaluation),
            EffectKind::CacheMount { id, target, .. } => {
                let (name, path) = (words::value(id), words::value(target));
                let text = if name == path { path } else { format!("{name} at {path}") };
                let row = Row::new("cache", span, "cache mount".to_owned(), text);
                self.valued(row, id, None)
            }
            EffectKind::BindMount { from, source, target } => {
                let source = source.as_deref().map_or("?".to_owned(), words::plain);
                let head = format!("mount from {}:", place(from, evaluation));
                let text = format!("{source} → {}", words::plain(target));
                Row::new("mount", span, head, text)
            }
            EffectKind::SetEnv { name, value, kept } => {
                let keyword = if *kept { "ENV" } else { "ARG" };
                self.variable(format!("{keyword} {}", one_line(name)), name, Some(value), span)
            }
            EffectKind::Label { key, value } => {
                let key = one_line(&words::value(key)).to_string();
                self.variable(format!("LABEL {key}"), "", Some(&value.value), span)
            }
            other => {
                Row::new("other", span, "does".to_owned(), words::plain(&format!("{other:?}")))
            }
        }
    }

    fn command(&self, command: &Command, span: Span) -> Row {
        let mut words: Vec<String> =
            command.prefix.iter().map(|(n, a)| format!("{n}={}", words::value(&a.value))).collect();
        words.extend(command.argv.iter().map(|a| words::value(&a.value)));
        let text = words::shortened(&words.join(" "), 240);
        let mut row = Row::new("run", span, "run".to_owned(), text);
        let arguments = command.argv.iter().chain(command.prefix.iter().map(|(_, a)| a));
        for argument in arguments {
            row = self.valued(row, &argument.value, None);
        }
        row.notes.dedup();
        row.program = command.name().map(|name| words::plain(&name)).filter(|_| !row.unknown);
        row
    }

    fn compile(&self, compile: &Compile, span: Span, evaluation: &Evaluation) -> Row {
        let mut text = self.machine(&compile.machine, compile.linkage, evaluation);
        if compile.cross == Truth::Yes {
            text.push_str(", cross");
        }
        text.push_str(match compile.cgo.as_ref().map(|c| c.enabled) {
            None => "",
            Some(Truth::Yes) => ", with cgo",
            Some(Truth::No) => ", without cgo",
            Some(Truth::Unknown) => ", perhaps with cgo",
        });
        if !compile.outputs.is_empty() {
            let outputs: Vec<String> = compile.outputs.iter().map(|o| words::plain(o)).collect();
            text.push_str(&format!(" → {}", outputs.join(" ")));
        }
        let head = format!("compile {}", words::tool(compile.tool));
        let mut row = Row::new("compile", span, head, text);
        row.unknown = compile.machine.kind == mlint_model::MachineKind::Unknown;
        for setting in &compile.settings {
            let name = one_line(&setting.name);
            let value = words::shortened(&words::value(&setting.value), 60);
            let ways = words::ways(&setting.value, self.lines, Some((&setting.name, setting.span)));
            let at = format!("(line {})", self.line(setting.span));
            let way = match &ways[..] {
                [way] => format!("{at} {}", way.way()),
                _ => at,
            };
            row.notes.push(Note { text: format!("{name}={value}"), way });
            row.names.push(setting.name.clone());
            words::names(&setting.value, &mut row.names);
        }
        row
    }

    fn copy(&self, copy: &Copy, span: Span, evaluation: &Evaluation) -> Row {
        let head = match &copy.from {
            CopyFrom::Here => "copy".to_owned(),
            from => format!("copy from {}:", place(from, evaluation)),
        };
        let target = match &copy.target {
            Some(target) => words::plain(target),
            None => words::value(&copy.dest.value),
        };
        let text = format!("{} → {target}", list(&copy.sources));
        let mut row = Row::new("copy", span, head, text);
        for source in copy.sources.iter().chain([&copy.dest]) {
            row = self.valued(row, &source.value, None);
        }
        row.notes.dedup();
        row
    }
}

fn fails(failure: &mlint_model::Failure) -> Row {
    let text = one_line(&failure.message);
    Row::new("fails", failure.span, "the build fails:".to_owned(), text).wrong()
}

fn unset(unset: &mlint_model::UnsetUse) -> Row {
    let head = format!("${}", one_line(&unset.name));
    let mut row = Row::new("unset", unset.span, head, "is set by nothing in this file".to_owned());
    row.names.push(unset.name.clone());
    row
}

fn list(arguments: &[Argument]) -> String {
    let words: Vec<String> = arguments.iter().map(|a| words::value(&a.value)).collect();
    words::shortened(&words.join(" "), 600)
}

fn place(from: &CopyFrom, evaluation: &Evaluation) -> String {
    match from {
        CopyFrom::Context => "the context".to_owned(),
        CopyFrom::Stage(index) => stage_name(&evaluation.stages, *index),
        CopyFrom::Image(image) => format!("image {}", words::plain(image)),
        CopyFrom::Named(name) => format!("context {}", words::plain(name)),
        CopyFrom::Heredoc => "a here-document".to_owned(),
        CopyFrom::Here => "here".to_owned(),
        _ => "somewhere".to_owned(),
    }
}

/// `builder`, or `stage 2` for one without a name.
pub fn stage_name(stages: &[Stage], index: usize) -> String {
    match stages.get(index).and_then(|s| s.name.as_deref()) {
        Some(name) => one_line(name),
        None => format!("stage {index}"),
    }
}
