//! Plans the stages of one platform, instruction by instruction.

use std::collections::HashMap;

use mlint_model::scope::{BaseEnv, StageScope};
use mlint_oci::{ImageConfig, Platform, config::History};
use mlint_syntax::{Instruction, InstructionKind, Span, Word};

use super::{
    CopyItem, CopyOp, ImagePlan, MountSource, Op, Origin, Plan, ResolvedImages, StepId, WorkdirOp,
    flags,
    paths::{absolute, clean},
    stages::{Inputs, Reach, Source, expansion, parse_trigger},
};
use crate::problem::{BuildError, Problem};

/// The remark that BuildKit leaves in histories; readers of histories look for it.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// What planning a platform works with.
pub(super) struct Planner<'a> {
    pub inputs: &'a Inputs<'a>,
    pub reach: &'a Reach,
    pub images: &'a ResolvedImages,
    pub target: &'a Platform,
    pub plan: &'a mut Plan,
    done: HashMap<usize, StageState>,
}

/// A stage while its instructions are read.
#[derive(Clone)]
pub(super) struct StageState {
    pub number: usize,
    pub label: String,
    /// The platform that its commands run on.
    pub platform: Platform,
    pub scope: StageScope,
    pub config: ImageConfig,
    /// The step after which its file system is as it is now.
    pub last: Option<StepId>,
    /// The step of each history entry that is not the base image's.
    pub history: Vec<Option<StepId>>,
    /// Whether this stage itself has set CMD.
    pub cmd_set: bool,
    pub base_span: Span,
}

/// Plans all that a platform reaches, and its image.
pub fn plan_platform(
    inputs: &Inputs<'_>,
    reach: &Reach,
    images: &ResolvedImages,
    target: &Platform,
    labels: &[(String, String)],
    plan: &mut Plan,
) -> Result<(), BuildError> {
    let mut planner = Planner { inputs, reach, images, target, plan, done: HashMap::new() };
    for number in &reach.stages {
        let state = planner.stage(*number)?;
        planner.done.insert(*number, state);
    }
    let Some(state) = planner.done.remove(&inputs.target_stage) else {
        return Err(Problem::NoStage.into());
    };
    let mut config = state.config;
    config.set_platform(target);
    config.config.env =
        state.scope.image_env().map(|(n, v)| format!("{n}={}", text_of(v))).collect();
    for (key, value) in labels {
        config.config.labels.insert(key.clone(), value.clone());
    }
    planner.plan.images.push(ImagePlan {
        platform: target.clone(),
        last: state.last,
        config,
        history: state.history,
        base_span: state.base_span,
    });
    Ok(())
}

/// The text of a value in a scope where everything is known.
pub(super) fn text_of(value: &mlint_model::value::Value) -> String {
    value.as_known().map(std::borrow::Cow::into_owned).unwrap_or_default()
}

impl Planner<'_> {
    fn stage(&mut self, number: usize) -> Result<StageState, BuildError> {
        let stage = &self.inputs.stages.list[number];
        let from = &self.inputs.file.instructions[stage.from];
        flags::check(from, &["platform"])?;
        let base = self.reach.base(self.inputs, number, self.target)?;
        let mut state = self.start(number, base.source, base.platform, from)?;
        if base.replaced {
            return Ok(state);
        }
        self.fire_triggers(&mut state, from.span)?;
        for at in stage.body.clone() {
            let instruction = &self.inputs.file.instructions[at];
            self.instruction(&mut state, instruction, instruction.span)?;
        }
        Ok(state)
    }

    fn start(
        &mut self,
        number: usize,
        source: Source,
        platform: Platform,
        from: &Instruction,
    ) -> Result<StageState, BuildError> {
        let label = self.inputs.stages.list[number].label(number);
        let global = &self.reach.global;
        let mut state = StageState {
            number,
            label,
            platform: platform.clone(),
            scope: StageScope::from_image(global, &BaseEnv::empty()),
            config: ImageConfig::new(&platform),
            last: None,
            history: Vec::new(),
            cmd_set: false,
            base_span: from.span,
        };
        match source {
            Source::Scratch => state.config.config.working_dir = "/".to_owned(),
            Source::Files(number) => {
                state.config.config.working_dir = "/".to_owned();
                self.files_step(&mut state, number, from);
            }
            Source::Stage(parent) => {
                let Some(parent) = self.done.get(&parent) else {
                    return Err(Problem::NoStage.at(from.span));
                };
                state.scope = StageScope::from_stage(&parent.scope);
                state.config = parent.config.clone();
                state.last = parent.last;
                state.history = parent.history.clone();
                state.platform = parent.platform.clone();
                state.base_span = parent.base_span;
            }
            Source::Image(need) => {
                let Some(image) = self.images.get(&need) else {
                    return Err(Problem::NoStage.at(need.span));
                };
                state.scope =
                    StageScope::from_image(global, &BaseEnv::of_config(&image.config.config.env));
                state.config = image.config.clone();
                complete_history(&mut state.config);
                state.last = self.image_step(&need, &state.label, from.span, &platform)?;
            }
        }
        if state.config.config.working_dir.is_empty() {
            state.config.config.working_dir = "/".to_owned();
        }
        Ok(state)
    }

    /// The step that brings all files of a named context.
    fn files_step(&mut self, state: &mut StageState, number: usize, from: &Instruction) {
        let op = Op::Copy(CopyOp {
            from: MountSource::Named(number),
            sources: vec![CopyItem::Path("/".to_owned())],
            inline: Vec::new(),
            dest: "/".to_owned(),
            chown: None,
            chmod: None,
            unpack: false,
            parents: false,
            exclude: Vec::new(),
            link: false,
        });
        let entry = format!("FROM {} # named context", from.rest.as_str().trim());
        self.step(state, op, from, from.span, entry);
    }

    /// The step that brings an image's files; none for an image without layers.
    fn image_step(
        &mut self,
        need: &super::ImageNeed,
        stage: &str,
        span: Span,
        platform: &Platform,
    ) -> Result<Option<StepId>, BuildError> {
        let Some(image) = self.images.get(need) else {
            return Err(Problem::NoStage.at(need.span));
        };
        if image.layers.is_empty() {
            return Ok(None);
        }
        let base = self.plan.base(image);
        let text = format!("FROM {}", need.reference.familiar());
        let origin = Origin { stage: stage.to_owned(), span, text };
        Ok(Some(self.plan.add(Op::Base(base), None, platform, self.target, origin)))
    }

    /// Where `--from` takes from.
    pub fn copy_source(
        &mut self,
        state: &StageState,
        from: &Word,
        numbers: bool,
    ) -> Result<MountSource, BuildError> {
        let span = from.span();
        let text = from.as_str();
        let source = self.inputs.stages.source(text, state.number, numbers, self.target, span)?;
        Ok(MountSource::Step(match source {
            Source::Scratch => None,
            Source::Files(number) => return Ok(MountSource::Named(number)),
            Source::Stage(stage) => {
                // Files of a context that stands for the stage need no layer.
                let base = self.reach.base(self.inputs, stage, self.target)?;
                if let Source::Files(number) = base.source
                    && base.replaced
                {
                    return Ok(MountSource::Named(number));
                }
                self.done.get(&stage).and_then(|s| s.last)
            }
            Source::Image(need) => {
                let target = self.target.clone();
                self.image_step(&need, &state.label, span, &target)?
            }
        }))
    }

    /// ONBUILD triggers of what the stage starts from.
    fn fire_triggers(&mut self, state: &mut StageState, span: Span) -> Result<(), BuildError> {
        for trigger in std::mem::take(&mut state.config.config.on_build) {
            let file = parse_trigger(&trigger);
            let refused = |why: &str| {
                Problem::unsupported(format!("the base image's ONBUILD {trigger} ({why})")).at(span)
            };
            if let Some(error) = file.errors.first() {
                return Err(refused(&error.message()));
            }
            for instruction in file.instructions.iter().skip(1) {
                self.instruction(state, instruction, span).map_err(|mut e| {
                    // Places in a trigger are none in this file.
                    e.span = Some(span);
                    e
                })?;
            }
        }
        Ok(())
    }

    fn instruction(
        &mut self,
        state: &mut StageState,
        instruction: &Instruction,
        span: Span,
    ) -> Result<(), BuildError> {
        match &instruction.kind {
            InstructionKind::Run(command) => self.run(state, instruction, command, span),
            InstructionKind::Copy { sources, dest } => {
                self.copy(state, instruction, sources, dest, false, span)
            }
            InstructionKind::Add { sources, dest } => {
                self.copy(state, instruction, sources, dest, true, span)
            }
            InstructionKind::Workdir(path) => self.workdir(state, instruction, path, span),
            _ => state.metadata(instruction),
        }
    }

    fn workdir(
        &mut self,
        state: &mut StageState,
        instruction: &Instruction,
        path: &Word,
        span: Span,
    ) -> Result<(), BuildError> {
        flags::check(instruction, &[])?;
        let text = state.expand(path)?;
        let path = absolute(&text, &state.config.config.working_dir);
        state.config.config.working_dir = path.clone();
        let entry = format!("WORKDIR {path}");
        if crate::layer::entry::ImagePath::from(path.as_str()).is_root() {
            state.commit(entry, None);
            return Ok(());
        }
        let op =
            Op::Workdir(WorkdirOp { path: clean(&path), user: state.config.config.user.clone() });
        self.step(state, op, instruction, span, entry);
        Ok(())
    }

    /// Adds a step to a stage, with its history entry.
    pub fn step(
        &mut self,
        state: &mut StageState,
        op: Op,
        instruction: &Instruction,
        span: Span,
        entry: String,
    ) {
        let text = format!("{} {}", instruction.keyword.as_str(), shown(instruction));
        let text = one_line(&crate::remote::redacted(&text));
        let origin = Origin { stage: state.label.clone(), span, text };
        let id = self.plan.add(op, state.last, &state.platform, self.target, origin);
        state.last = Some(id);
        state.commit(entry, Some(id));
    }
}

impl StageState {
    /// Expands a word in this stage's scope.
    pub fn expand(&self, word: &Word) -> Result<String, BuildError> {
        self.scope.expand(word).into_text().map_err(expansion)
    }

    /// Writes a history entry.
    pub fn commit(&mut self, created_by: String, step: Option<StepId>) {
        self.config.history.push(History {
            created_by: Some(created_by),
            comment: Some(COMMENT.to_owned()),
            empty_layer: step.is_none(),
            ..History::default()
        });
        self.history.push(step);
    }

    /// The shell of shell forms.
    pub fn shell(&self) -> Vec<String> {
        let shell = self.config.config.shell.clone().filter(|s| !s.is_empty());
        shell.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()])
    }
}

/// An image may come without any history; with one of ours on top it must have all of it.
fn complete_history(config: &mut ImageConfig) {
    if config.history.is_empty() {
        let created = config.created.clone();
        config.history = config
            .rootfs
            .diff_ids
            .iter()
            .map(|_| History { created: created.clone(), ..History::default() })
            .collect();
    }
}

/// The instruction's flags and arguments as written.
fn shown(instruction: &Instruction) -> String {
    let mut out: Vec<String> = instruction
        .flags
        .iter()
        .map(|f| match &f.value {
            Some(value) => format!("--{}={}", f.name.as_str(), value.as_str()),
            None => format!("--{}", f.name.as_str()),
        })
        .collect();
    out.push(instruction.rest.as_str().to_owned());
    out.join(" ")
}

/// On one line, and not too long to be shown.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
