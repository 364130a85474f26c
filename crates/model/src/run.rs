//! From the plan to the evaluation: the stages' instructions in order.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use mlint_oci::{ContainerConfig, Platform};
use mlint_syntax::{Instruction, InstructionKind, LogicalText, Span, Word};

use crate::{
    cache,
    commands::{builds::Builds, cross_image, fetches},
    context::{ContextEntry, ContextPath, ContextSource, MAX_ASKED},
    copy,
    effect::{Argument, Command, Effect, EffectKind},
    evaluation::{Evaluation, Options},
    facts::{Fact, ImageFacts},
    files::{Files, absolute},
    foreign::{Foreign, Language, literals},
    knowledge, label,
    machine::Libc,
    plan::{Plan, Trigger, unwrap_onbuild},
    prepare::{Prepared, Program, is_posix_shell, json_text, program},
    scope::{BaseEnv, Outcome, StageScope},
    shell::{Dialect, Interpreter, place_at},
    stage::{Base, Stage, StagePlatform, Step},
    value::{Origin, Value},
};

/// What a stage hands to those that start from it, and to its own next instruction.
#[derive(Clone)]
pub(crate) struct StageState {
    pub(crate) scope: StageScope,
    /// The working directory, if known.
    pub(crate) directory: Option<String>,
    /// Whether its base image brings no variables of its own.
    pub(crate) plain: bool,
    /// Whether its shell is one that the interpreter understands.
    pub(crate) shell_known: bool,
    /// What its shell is.
    pub(crate) shell: Dialect,
    /// What `sh` is in its image.
    pub(crate) sh: Dialect,
    /// The language of a shell that is not understood.
    pub(crate) foreign_shell: Language,
    /// Packages that are certainly installed.
    pub(crate) installed: Arc<BTreeSet<String>>,
    pub(crate) files: Files,
    pub(crate) libc: Libc,
    pub(crate) toolchains: BTreeSet<knowledge::Toolchain>,
    pub(crate) platform: StagePlatform,
    /// The machine of its programs.
    pub(crate) userland: Option<Platform>,
    /// Nothing in it is known to run programs: it began with `scratch`.
    pub(crate) rootless: bool,
    /// The user's home folder, if known.
    pub(crate) home: Option<String>,
    /// Whether SHELL runs with `-e`.
    pub(crate) errexit: bool,
    /// What build tools left for later ones.
    pub(crate) builds: Builds,
}

/// What an instruction needs to know about everything around it.
pub(crate) struct World<'e> {
    pub(crate) prepared: &'e Prepared<'e>,
    pub(crate) plan: &'e Plan,
    pub(crate) target: &'e Platform,
    pub(crate) options: &'e Options,
    /// Paths of the context that nobody was asked about.
    pub(crate) asked: RefCell<BTreeSet<ContextPath>>,
    /// The states at the end of the stages so far; `None` for those out of reach.
    pub(crate) done: Vec<Option<StageState>>,
    /// The stage at work.
    pub(crate) stage: usize,
}

pub(crate) fn evaluate(
    prepared: &Prepared<'_>,
    platform: &Platform,
    options: &Options,
    facts: &ImageFacts,
) -> Evaluation {
    let plan = Plan::new(prepared.file, &prepared.outline, platform, options, facts);
    let mut world = World {
        prepared,
        plan: &plan,
        target: platform,
        options,
        asked: RefCell::default(),
        done: Vec::new(),
        stage: 0,
    };
    let mut stages = Vec::with_capacity(plan.stages.len());
    for index in 0..plan.stages.len() {
        world.stage = index;
        let (stage, state) = run_stage(&world);
        world.done.push(state);
        stages.push(stage);
    }
    let asked = std::mem::take(&mut *world.asked.borrow_mut());
    drop(world);
    Evaluation {
        platform: platform.clone(),
        build_platform: options.build_platform.clone(),
        stages,
        target: plan.target,
        globals: plan.global.declared().to_vec(),
        unset: plan.unset,
        failures: plan.failures,
        images: plan.images,
        asked: asked.into_iter().collect(),
    }
}

impl World<'_> {
    /// What lies at a path of the context, if that is known; else it is noted that it matters.
    pub(crate) fn entry(&self, path: &ContextPath) -> Option<&ContextEntry> {
        match self.options.context.entry(path) {
            Fact::Known(entry) => Some(entry),
            Fact::Unavailable(_) => None,
            Fact::NotAsked => {
                let mut asked = self.asked.borrow_mut();
                let unclear = path.path.contains(['\u{fffd}', '*', '?', '[']);
                if !unclear && asked.len() < MAX_ASKED && self.is_readable(path) {
                    asked.insert(path.clone());
                }
                None
            }
        }
    }

    /// Whether there can be an answer: named contexts are directories only at times.
    fn is_readable(&self, path: &ContextPath) -> bool {
        let Some(name) = &path.context else { return true };
        let named = self.options.contexts.iter().filter(|c| *c.name == **name);
        named.into_iter().any(|c| matches!(c.source, ContextSource::Directory(_)))
    }
}

/// An instruction, and where in the file it belongs.
struct Site<'i> {
    /// Its index; for what a base image brings, that of FROM.
    index: usize,
    instruction: &'i Instruction,
    /// What a RUN runs.
    program: Option<&'i Program>,
}

fn run_stage(world: &World<'_>) -> (Stage, Option<StageState>) {
    let index = world.stage;
    let planned = &world.plan.stages[index];
    let outline = &world.prepared.outline.stages[index];
    let mut stage = Stage {
        index,
        name: outline.name.clone(),
        from: outline.from,
        span: world.prepared.file.instructions[outline.from].span,
        base_span: planned.base_span,
        base: planned.base.clone(),
        platform: planned.platform.clone(),
        userland: planned.userland.clone(),
        reachable: planned.reachable,
        config: planned.config.clone(),
        libc: Libc::Unknown,
        toolchains: Vec::new(),
        steps: Vec::new(),
        files: Default::default(),
    };
    if !planned.reachable {
        return (stage, None);
    }
    let mut state = start(world);
    // The triggers of the base come first.
    for trigger in &planned.triggers {
        let step = match trigger {
            Trigger::Own(index) => {
                let instruction = unwrap_onbuild(&world.prepared.file.instructions[*index]);
                run_step(world, &mut state, &Site::new(world, *index, instruction))
            }
            Trigger::Image(instruction) => {
                let program = program(instruction);
                let index = outline.from;
                let site = Site { index, instruction, program: program.as_ref() };
                let mut step = run_step(world, &mut state, &site);
                for effect in &mut step.effects {
                    effect.span = instruction.span;
                    place_at(&mut effect.kind, instruction.span);
                }
                step.dead.clear();
                step
            }
        };
        stage.steps.push(step);
    }
    let body = if planned.replaced { 0..0 } else { outline.body.clone() };
    for at in body {
        let instruction = &world.prepared.file.instructions[at];
        stage.steps.push(run_step(world, &mut state, &Site::new(world, at, instruction)));
    }
    stage.libc = state.libc;
    stage.userland = state.userland.clone();
    stage.toolchains = state.toolchains.iter().copied().collect();
    stage.files = state.files.all();
    (stage, Some(state))
}

/// The state after FROM.
fn start(world: &World<'_>) -> StageState {
    let planned = &world.plan.stages[world.stage];
    if let Base::Stage(parent) = planned.base
        && let Some(parent) = &world.done[parent]
    {
        return StageState { scope: StageScope::from_stage(&parent.scope), ..parent.clone() };
    }
    let mut traits = match &planned.base {
        Base::Image { reference } => knowledge::image_of(reference),
        Base::Context { .. } => knowledge::image(""),
        _ => knowledge::ImageTraits {
            libc: Libc::None,
            sh: knowledge::Sh::None,
            home: Some("/root".to_owned()),
            ..Default::default()
        },
    };
    if let Base::Image { reference } = &planned.base
        && let Some(reference) = reference.as_known()
        && let Some(cross) = cross_image(&reference, planned.userland.as_ref())
    {
        // All of them are Debian or Ubuntu with compilers for another target.
        traits.libc = Libc::Glibc;
        traits.env.extend(cross.env);
        cross.directory.clone_into(&mut traits.directory);
    }
    let sh = match &planned.base {
        Base::Image { reference } => {
            knowledge::says_shell(reference).map_or(Dialect::Unknown, |r| Dialect::of_image(&r))
        }
        _ => Dialect::Unknown,
    };
    if traits.directory.is_empty() {
        traits.directory = "/".to_owned();
    }
    let bare = !matches!(planned.base, Base::Image { .. });
    let base = BaseEnv { variables: std::mem::take(&mut traits.env), complete: bare };
    let is_windows = planned.platform.platform.as_ref().is_some_and(|p| p.os() == "windows");
    let mut state = StageState {
        scope: StageScope::from_image_on(&world.plan.global, &base, is_windows)
            .with_varying(&traits.varying),
        directory: Some(traits.directory),
        plain: match &planned.base {
            Base::Image { reference } => {
                reference.as_known().is_some_and(|r| knowledge::sets_only_path(&r))
            }
            _ => false,
        },
        // On Windows, and with a backtick for escape, it is cmd or PowerShell.
        shell_known: world.prepared.file.escape == '\\' && !is_windows,
        shell: sh,
        sh,
        foreign_shell: Language::Cmd,
        installed: Arc::default(),
        files: Files::default(),
        libc: traits.libc,
        toolchains: traits.toolchains.into_iter().collect(),
        home: traits.home,
        errexit: false,
        platform: planned.platform.clone(),
        userland: planned.userland.clone(),
        rootless: matches!(planned.base, Base::Scratch),
        builds: Builds::default(),
    };
    if let Some(config) = &planned.config {
        state.take_config(world, config, is_windows);
    }
    state
}

impl StageState {
    /// What the base image's configuration says.
    fn take_config(&mut self, world: &World<'_>, config: &ContainerConfig, is_windows: bool) {
        let base = BaseEnv::of_config(&config.env);
        self.scope = StageScope::from_image_on(&world.plan.global, &base, is_windows);
        self.directory = Some(absolute("/", &config.working_dir));
        self.home = home_of(&config.user);
        if let Some(shell) = config.shell.as_deref().filter(|s| !s.is_empty()) {
            self.set_shell(shell.iter().map(String::as_str));
        }
    }

    /// Programs are about to run where there were none: those of the root file system that came
    /// meanwhile.
    fn find_root(&mut self) {
        if !std::mem::take(&mut self.rootless) {
            return;
        }
        let root = self.files.at("/").filter(|a| a.folder).cloned();
        if let Some(root) = self.files.find("/bin/sh").or(root) {
            self.userland = root.machine.platform().cloned();
            self.libc = Libc::Unknown;
        }
    }

    fn set_shell<'w>(&mut self, mut words: impl Iterator<Item = &'w str>) {
        let shell = words.next().unwrap_or_default();
        self.shell_known = is_posix_shell(shell);
        self.shell = Dialect::of_program(shell, self.sh);
        self.foreign_shell = Language::of_program(&shell.replace('\\', "/").to_lowercase());
        self.errexit = words.any(|w| w.starts_with('-') && !w.starts_with("--") && w.contains('e'));
    }
}

/// The home folder of a user (`name`, `id`, with or without `:group`), if it is root's.
fn home_of(user: &str) -> Option<String> {
    matches!(user.split(':').next(), Some("" | "root" | "0")).then(|| "/root".to_owned())
}

impl<'i> Site<'i> {
    fn new(world: &World<'i>, index: usize, instruction: &'i Instruction) -> Self {
        let program = world.prepared.scripts.get(index).and_then(Option::as_ref);
        Self { index, instruction, program }
    }
}

/// Whether programs of `platform` run on `build` without emulation.
pub(crate) fn runs_natively(platform: &Platform, build: &Platform) -> bool {
    platform.os() == build.os()
        && (platform.arch() == build.arch() || (platform.arch(), build.arch()) == ("386", "amd64"))
}

fn run_step(world: &World<'_>, state: &mut StageState, site: &Site<'_>) -> Step {
    let instruction = site.instruction;
    let mut step = Step {
        instruction: site.index,
        span: instruction.span,
        effects: Vec::new(),
        dead: Vec::new(),
        emulated: false,
        unset: Vec::new(),
        failure: None,
        lost: Vec::new(),
        questions: Vec::new(),
    };
    match &instruction.kind {
        InstructionKind::Arg(pairs) => {
            let outcome = state.scope.arg(pairs);
            set_variables(&mut step, outcome, false);
        }
        InstructionKind::Env(pairs) => {
            let outcome = state.scope.env(pairs);
            set_variables(&mut step, outcome, true);
        }
        InstructionKind::Workdir(word) => {
            let expansion = state.scope.expand(word);
            step.unset = expansion.unset;
            step.failure = expansion.failure;
            state.directory = expansion.value.as_known().and_then(|path| {
                let base = if path.starts_with('/') { "" } else { state.directory.as_deref()? };
                Some(absolute(base, &path))
            });
            if let Some(directory) = &state.directory {
                state.files.make_folder(directory);
            }
        }
        InstructionKind::Shell(words) => {
            state.set_shell(words.iter().map(|w| w.value.as_str()));
        }
        InstructionKind::User(word) => {
            let expansion = state.scope.expand(word);
            step.unset = expansion.unset;
            step.failure = expansion.failure;
            state.home = expansion.value.as_known().and_then(|user| home_of(&user));
        }
        InstructionKind::Copy { sources, dest } => {
            copy::copy(world, state, &mut step, instruction, sources, dest, false);
        }
        InstructionKind::Add { sources, dest } => {
            copy::copy(world, state, &mut step, instruction, sources, dest, true);
        }
        InstructionKind::Run(_) => run_commands(world, state, &mut step, site),
        InstructionKind::Label(pairs) => {
            for pair in pairs {
                expand_words(state, &mut step, [&pair.key].into_iter().chain(&pair.value));
                label::label(&state.scope, &mut step, pair);
            }
        }
        InstructionKind::Expose(words) | InstructionKind::Volume(words) => {
            expand_words(state, &mut step, words);
        }
        InstructionKind::StopSignal(word) => expand_words(state, &mut step, [word]),
        _ => {}
    }
    step
}

/// Words of which nothing matters but that they can be expanded.
fn expand_words<'w>(
    state: &StageState,
    step: &mut Step,
    words: impl IntoIterator<Item = &'w Word>,
) {
    for word in words {
        let expansion = state.scope.expand(word);
        step.unset.extend(expansion.unset);
        if step.failure.is_none() {
            step.failure = expansion.failure;
        }
    }
}

/// RUN.
fn run_commands(world: &World<'_>, state: &mut StageState, step: &mut Step, site: &Site<'_>) {
    state.find_root();
    let runs_on = state.userland.as_ref();
    step.emulated = runs_on.is_some_and(|p| !runs_natively(p, &world.options.build_platform));
    let mounted = copy::mounts(world, state, step, site.instruction);
    let (shell, sh, errexit) = (state.shell, state.sh, state.errexit);
    let span = site.instruction.span;
    let words = |argv: &[mlint_syntax::Spanned<String>]| -> Vec<Argument> {
        argv.iter()
            .map(|word| Argument { value: Value::literal(&json_text(word)), span: word.span })
            .collect()
    };
    match site.program {
        Some(Program::Shell(script)) if state.shell_known => {
            Interpreter::new(world, state, step, shell, errexit).run(script);
        }
        Some(Program::Interpreter { name, script: Some(script), flags, .. }) => {
            let (dialect, errexit) = (Dialect::of_program(name, sh), flags.contains('e'));
            Interpreter::new(world, state, step, dialect, errexit).run(script);
        }
        Some(Program::ExecShell { name, flags, script }) => {
            let (dialect, errexit) = (Dialect::of_program(name, sh), flags.contains('e'));
            Interpreter::new(world, state, step, dialect, errexit).run(script);
        }
        Some(Program::Exec(argv)) => {
            Interpreter::new(world, state, step, shell, false).run_exec(words(argv), span);
        }
        Some(Program::Interpreter { line, name, body, .. }) => {
            let language = Language::of_program(name);
            opaque(step, *line, state);
            foreign(step, *line, language, body);
            let mut shell = Interpreter::new(world, state, step, shell, false);
            fetches(&mut shell, language, &Value::literal(body), *line);
        }
        Some(Program::Shell(_)) => {
            opaque(step, span, state);
            if let Some(script) = site.instruction.shell_script() {
                foreign(step, span, state.foreign_shell, &script.text);
            }
        }
        None => {}
    }
    // What was mounted goes with the step.
    cache::unmount(state, mounted);
    cache::link(step, state.directory.as_deref());
}

/// A program that is not followed at all.
fn opaque(step: &mut Step, span: Span, state: &StageState) {
    let command = Command {
        argv: vec![Argument { value: Value::unknown(Origin::Opaque, span), span }],
        prefix: Vec::new(),
        directory: state.directory.clone(),
    };
    step.effects.push(Effect {
        kind: EffectKind::Command(command),
        span,
        certain: true,
        guards: Vec::new(),
    });
}

/// What its text names.
fn foreign(step: &mut Step, span: Span, language: Language, text: &LogicalText) {
    let literals = literals(&Value::literal(text));
    if !literals.is_empty() {
        step.effects.push(Effect {
            kind: EffectKind::Foreign(Foreign { language, literals }),
            span,
            certain: false,
            guards: Vec::new(),
        });
    }
}

fn set_variables(step: &mut Step, outcome: Outcome, kept: bool) {
    step.unset = outcome.unset;
    step.failure = outcome.failure;
    step.effects.extend(outcome.set.into_iter().map(|(name, value, span)| Effect {
        kind: EffectKind::SetEnv { name, value, kept },
        span,
        certain: true,
        guards: Vec::new(),
    }));
}
