//! From the plan to the evaluation: the stages' instructions in order.

use std::collections::BTreeSet;

use mlint_oci::Platform;
use mlint_syntax::{Instruction, InstructionKind, Span};

use crate::{
    copy,
    effect::{Argument, Command, Effect, EffectKind},
    evaluation::{Evaluation, Options},
    files::{Files, absolute},
    knowledge,
    machine::Libc,
    plan::{Plan, unwrap_onbuild},
    prepare::{Prepared, Program, is_posix_shell, json_text},
    scope::{BaseEnv, Outcome, StageScope},
    shell::Interpreter,
    stage::{Base, Stage, StagePlatform, Step},
    value::{Origin, Value},
};

/// What a stage hands to those that start from it, and to its own next instruction.
#[derive(Clone)]
pub(crate) struct StageState {
    pub(crate) scope: StageScope,
    /// The working directory, if known.
    pub(crate) directory: Option<String>,
    /// Whether its shell is one that the interpreter understands.
    pub(crate) shell_known: bool,
    pub(crate) files: Files,
    pub(crate) libc: Libc,
    pub(crate) toolchains: BTreeSet<knowledge::Toolchain>,
    pub(crate) platform: StagePlatform,
    /// The user's home folder, if known.
    pub(crate) home: Option<String>,
    /// Whether SHELL runs with `-e`.
    pub(crate) errexit: bool,
    /// ONBUILD instructions, by index, that fire in stages on this one.
    pub(crate) triggers: Vec<usize>,
}

/// What an instruction needs to know about everything around it.
pub(crate) struct World<'e> {
    pub(crate) prepared: &'e Prepared<'e>,
    pub(crate) plan: &'e Plan,
    pub(crate) target: &'e Platform,
    /// The states at the end of the stages so far; `None` for those out of reach.
    pub(crate) done: Vec<Option<StageState>>,
    /// The stage at work.
    pub(crate) stage: usize,
}

pub(crate) fn evaluate(
    prepared: &Prepared<'_>,
    platform: &Platform,
    options: &Options,
) -> Evaluation {
    let plan = Plan::new(prepared.file, &prepared.outline, platform, options);
    let mut world = World { prepared, plan: &plan, target: platform, done: Vec::new(), stage: 0 };
    let mut stages = Vec::with_capacity(plan.stages.len());
    for index in 0..plan.stages.len() {
        world.stage = index;
        let (stage, state) = run_stage(&world, &options.build_platform);
        world.done.push(state);
        stages.push(stage);
    }
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
    }
}

fn run_stage(world: &World<'_>, build: &Platform) -> (Stage, Option<StageState>) {
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
        reachable: planned.reachable,
        libc: Libc::Unknown,
        toolchains: Vec::new(),
        steps: Vec::new(),
        files: Default::default(),
    };
    if !planned.reachable {
        return (stage, None);
    }
    let mut state = start(world);
    // The triggers of the base stage come first.
    for trigger in std::mem::take(&mut state.triggers) {
        let instruction = unwrap_onbuild(&world.prepared.file.instructions[trigger]);
        stage.steps.push(run_step(world, &mut state, trigger, instruction, build));
    }
    for at in outline.body.clone() {
        let instruction = &world.prepared.file.instructions[at];
        if matches!(instruction.kind, InstructionKind::Onbuild(_)) {
            state.triggers.push(at);
        }
        stage.steps.push(run_step(world, &mut state, at, instruction, build));
    }
    stage.libc = state.libc;
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
    let traits = match &planned.base {
        Base::Image { reference } => {
            reference.as_known().map(|r| knowledge::image(&r)).unwrap_or_default()
        }
        _ => knowledge::ImageTraits { libc: Libc::None, ..Default::default() },
    };
    let scratch = matches!(planned.base, Base::Scratch);
    let base = BaseEnv { variables: traits.env, complete: scratch };
    StageState {
        scope: StageScope::from_image(&world.plan.global, &base),
        directory: Some(if traits.directory.is_empty() {
            "/".to_owned()
        } else {
            traits.directory
        }),
        // With a backtick for escape, it is cmd or PowerShell.
        shell_known: world.prepared.file.escape == '\\',
        files: Files::default(),
        libc: traits.libc,
        toolchains: traits.toolchains.into_iter().collect(),
        home: Some("/root".to_owned()),
        errexit: false,
        platform: planned.platform.clone(),
        triggers: Vec::new(),
    }
}

/// Whether programs of `platform` run on `build` without emulation.
pub(crate) fn runs_natively(platform: &Platform, build: &Platform) -> bool {
    platform.os() == build.os()
        && (platform.arch() == build.arch() || (platform.arch(), build.arch()) == ("386", "amd64"))
}

fn run_step(
    world: &World<'_>,
    state: &mut StageState,
    index: usize,
    instruction: &Instruction,
    build: &Platform,
) -> Step {
    let mut step = Step {
        instruction: index,
        span: instruction.span,
        effects: Vec::new(),
        dead: Vec::new(),
        emulated: false,
        unset: Vec::new(),
        failure: None,
        lost: Vec::new(),
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
            let shell = words.first().map_or("", |w| w.value.as_str());
            state.shell_known = is_posix_shell(shell);
            let flags = words.iter().skip(1).filter(|w| !w.value.starts_with("--"));
            state.errexit =
                flags.filter(|w| w.value.starts_with('-')).any(|w| w.value.contains('e'));
        }
        InstructionKind::User(word) => {
            let expansion = state.scope.expand(word);
            step.unset = expansion.unset;
            step.failure = expansion.failure;
            let root = expansion
                .value
                .as_known()
                .is_some_and(|user| matches!(user.split(':').next(), Some("root" | "0")));
            state.home = root.then(|| "/root".to_owned());
        }
        InstructionKind::Copy { sources, dest } => {
            copy::copy(world, state, &mut step, instruction, sources, dest, false);
        }
        InstructionKind::Add { sources, dest } => {
            copy::copy(world, state, &mut step, instruction, sources, dest, true);
        }
        InstructionKind::Run(_) => run_commands(world, state, &mut step, instruction, build),
        _ => {}
    }
    step
}

/// RUN.
fn run_commands(
    world: &World<'_>,
    state: &mut StageState,
    step: &mut Step,
    instruction: &Instruction,
    build: &Platform,
) {
    let runs_on = state.platform.platform.clone();
    step.emulated = runs_on.is_some_and(|p| !runs_natively(&p, build));
    let mounted = copy::mounts(world, state, step, instruction);
    let program = world.prepared.scripts.get(step.instruction).and_then(Option::as_ref);
    let (shell_known, errexit) = (state.shell_known, state.errexit);
    let span = instruction.span;
    let words = |argv: &[mlint_syntax::Spanned<String>]| -> Vec<Argument> {
        argv.iter()
            .map(|word| Argument { value: Value::literal(&json_text(word)), span: word.span })
            .collect()
    };
    match program {
        Some(Program::Shell(script)) if shell_known => {
            Interpreter::new(world, state, step, errexit).run(script);
        }
        Some(Program::Interpreter { script: Some(script), .. } | Program::ExecShell(script)) => {
            Interpreter::new(world, state, step, false).run(script);
        }
        Some(Program::Exec(argv)) => {
            Interpreter::new(world, state, step, false).run_exec(words(argv), span);
        }
        Some(Program::Interpreter { line, .. }) => opaque(step, *line, state),
        Some(Program::Shell(_)) => opaque(step, span, state),
        None => {}
    }
    // What was mounted goes with the step.
    copy::unmount(state, mounted);
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
