//! An abstract interpreter for the shell inside RUN. It never runs anything: it follows the script
//! as far as values are known, answers what probes would answer on the platform that the stage
//! runs on, and records what the commands do. Where a condition is not known, all branches are
//! followed and joined.
//!
//! Work is bounded by [`MAX_STEPS`] commands and [`MAX_DEPTH`] levels per RUN; beyond that, commands
//! are not followed and all values are unknown. Loops are followed for [`MAX_ROUNDS`] rounds; what
//! a longer one assigns is unknown.

mod arithmetic;
mod arrays;
mod awk;
mod braces;
mod branches;
mod builtins;
mod compound;
mod conditions;
mod declare;
mod dialect;
mod existing;
mod fields;
mod filters;
mod foreign;
mod frames;
mod loops;
mod operators;
mod posix;
mod printf;
mod probes;
mod questions;
mod read;
mod redirect;
mod scripts;
mod sed;
mod simple;
mod texts;
mod transform;
mod vars;
mod words;
mod wrappers;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use mlint_oci::Platform;
use mlint_syntax::{
    Span,
    shell::{Command, Script},
};

use crate::{
    artifact::Artifact,
    effect::{Argument, Effect, EffectKind, Guard},
    expand::Binding,
    files::absolute,
    question::Comparison,
    run::{StageState, World},
    stage::{Failure, LostVariable, Step},
    value::{Content, GAP, HopKind, Origin, Truth, Value},
};

pub(crate) use dialect::Dialect;
use frames::Frame;
pub(crate) use scripts::place_at;
use scripts::{Budget, Via};
pub(crate) use simple::Call;
use vars::{Var, Vars};

/// Commands followed in one RUN.
const MAX_STEPS: u32 = 20_000;
/// Nesting of compound commands, substitutions and calls.
const MAX_DEPTH: u32 = 64;
/// Rounds of one loop.
const MAX_ROUNDS: usize = 64;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// With 0.
    Success,
    /// With something else.
    Failure,
    /// Not followed; assumed to do its work where the script relies on it.
    Assumed,
    /// It may be either: a test of something that is not known.
    Unknown,
}

impl Status {
    /// The status where one of several ways was taken. What is assumed to succeed on one way and
    /// does so on the others is assumed to succeed.
    fn joined(statuses: impl IntoIterator<Item = Self>) -> Option<Self> {
        statuses.into_iter().reduce(|a, b| match (a, b) {
            _ if a == b => a,
            (Self::Success, Self::Assumed) | (Self::Assumed, Self::Success) => Self::Assumed,
            _ => Self::Unknown,
        })
    }
}

impl From<Truth> for Status {
    fn from(truth: Truth) -> Self {
        match truth {
            Truth::Yes => Self::Success,
            Truth::No => Self::Failure,
            Truth::Unknown => Self::Unknown,
        }
    }
}

/// Where control goes after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// On to the next one.
    Next,
    /// The shell ends; the status is in the interpreter.
    Exit,
    /// The function ends.
    Return,
    /// Out of so many loops.
    Break(u32),
    /// The next round of the loop that many levels out.
    Continue(u32),
}

/// What flows through a pipe or out of a substitution.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) text: Value,
    /// The file that it is, when it comes from a download or an archive.
    pub(crate) file: Option<Box<Artifact>>,
}

/// The interpreter for one RUN.
pub(crate) struct Interpreter<'s, 'e> {
    pub(crate) world: &'s World<'e>,
    pub(crate) state: &'s mut StageState,
    pub(crate) step: &'s mut Step,
    pub(crate) directory: Option<String>,
    vars: Vars,
    /// Shared with the subshells, until they define some.
    functions: Arc<HashMap<String, Arc<Command>>>,
    /// Variables that the RUN's script assigns somewhere.
    own: BTreeSet<String>,
    positional: Vec<Value>,
    /// `$0`, in a script.
    zero: Option<Value>,
    /// The script of the build context at work.
    via: Option<Via>,
    budget: Budget,
    /// Which shell runs.
    dialect: Dialect,
    /// Whether the current command is certainly reached.
    certain: bool,
    /// Whether it is, once the innermost branch is taken whose condition is not known.
    here: bool,
    /// The script may have ended (successfully) before the current command.
    maybe_over: bool,
    guards: Vec<Guard>,
    status: Status,
    output: Option<Stream>,
    /// What was printed before each branch that is being followed.
    outputs: Vec<Option<Stream>>,
    input: Option<Stream>,
    errexit: bool,
    nounset: bool,
    /// A build argument that nobody gives was asked for.
    lacks_argument: bool,
    pipefail: bool,
    /// Whether the list that a command is in goes on only if it succeeds, and a condition decides
    /// nothing by that.
    relied_on: bool,
    asking: bool,
    /// What control may leave early: loops, functions, subshells.
    frames: Vec<Frame>,
    /// Variables that the functions being called keep to themselves, with what they were before.
    locals: Vec<Vec<(Arc<str>, Option<Var>)>>,
    /// What `trap … EXIT` set.
    at_exit: Option<Argument>,
    /// A bound was reached: nothing is known any more.
    lost_track: bool,
    /// `linux32` and its kin make `uname -m` answer otherwise.
    other_personality: bool,
    /// A file was sourced: any variable may be set.
    sourced: bool,
    /// What the last test asked about.
    subject: Option<Value>,
    /// What the condition at work compared so far.
    comparisons: Vec<Comparison>,
    steps: u32,
    depth: u32,
    entered: HashSet<Span>,
    dead: HashSet<Span>,
    failure: Option<Failure>,
}

impl<'s, 'e> Interpreter<'s, 'e> {
    pub(crate) fn new(
        world: &'s World<'e>,
        state: &'s mut StageState,
        step: &'s mut Step,
        dialect: Dialect,
        errexit: bool,
    ) -> Self {
        Self {
            world,
            directory: state.directory.clone(),
            state,
            step,
            vars: Vars::default(),
            functions: Arc::default(),
            own: BTreeSet::new(),
            positional: Vec::new(),
            zero: None,
            via: None,
            budget: Budget::default(),
            dialect,
            certain: true,
            here: true,
            maybe_over: false,
            guards: Vec::new(),
            status: Status::Success,
            output: None,
            outputs: Vec::new(),
            input: None,
            errexit,
            nounset: false,
            lacks_argument: false,
            pipefail: false,
            relied_on: false,
            asking: false,
            frames: Vec::new(),
            locals: Vec::new(),
            at_exit: None,
            lost_track: false,
            other_personality: false,
            sourced: false,
            subject: None,
            comparisons: Vec::new(),
            steps: 0,
            depth: 0,
            entered: HashSet::new(),
            dead: HashSet::new(),
            failure: None,
        }
    }

    /// Follows a whole script and writes what is known at its end into the step.
    pub(crate) fn run(mut self, script: &Script) {
        if self.state.plain {
            self.own = loops::assigned(script);
        }
        let flow = self.script(script);
        if let Some(last) = self.at_exit.take() {
            self.trapped(flow, &last);
        }
        self.finish();
    }

    /// What `trap … EXIT` asks for, when the shell ends.
    fn trapped(&mut self, flow: Flow, command: &Argument) {
        let (status, failure) = (self.status, self.failure.take());
        // After a failure, the step's changes are thrown away.
        if !(flow == Flow::Exit && status == Status::Failure) {
            let over = std::mem::take(&mut self.maybe_over);
            self.run_text(&command.value, command.span);
            self.maybe_over |= over;
        }
        (self.status, self.failure) = (status, failure);
    }

    /// Follows a command given as words, without a shell.
    pub(crate) fn run_exec(mut self, argv: Vec<Argument>, span: Span) {
        self.simple_call(Call { argv, prefix: Vec::new(), span });
        self.finish();
    }

    fn finish(self) {
        if self.lost_track {
            self.state.files.doubt();
        }
        if self.status == Status::Failure && !self.maybe_over && self.step.failure.is_none() {
            let span = self.step.span;
            let plain = "the last command ends with a status other than 0";
            self.step.failure = Some(self.failure.unwrap_or_else(|| Failure::new(span, plain)));
        }
        if let Some(failure) = &mut self.step.failure {
            failure.lacks_argument |= self.lacks_argument;
        }
        let entered = self.entered;
        let mut dead: Vec<Span> =
            self.dead.into_iter().filter(|span| !entered.contains(span)).collect();
        dead.sort_unstable();
        self.step.dead.extend(dead);
        let mut lost: Vec<LostVariable> = self
            .vars
            .iter()
            .filter(|(name, _)| &***name != "OLDPWD")
            .filter_map(|(name, var)| match &var.binding {
                Binding::Set(value) => Some(LostVariable {
                    name: name.to_string(),
                    value: value.clone(),
                    span: var.span,
                }),
                _ => None,
            })
            .collect();
        lost.sort_by(|a, b| (a.span, &a.name).cmp(&(b.span, &b.name)));
        self.step.lost.extend(lost);
    }

    /// The machine of the stage's programs.
    pub(crate) fn runs_on(&self) -> Option<Platform> {
        self.state.userland.clone()
    }

    /// Whether what happens now certainly happens when the step succeeds and the innermost branch
    /// is taken whose condition is not known. What branches do is brought together behind them.
    pub(crate) fn is_certain(&self) -> bool {
        self.here && !self.maybe_over
    }

    /// Whether what happens now certainly happens when the step succeeds, whatever the branches
    /// on the way: for what is not undone at the end of a branch.
    pub(crate) fn is_reached(&self) -> bool {
        self.certain && !self.maybe_over
    }

    pub(crate) fn effect(&mut self, kind: EffectKind, span: Span) {
        let (certain, guards) = (self.is_certain(), self.guards.clone());
        self.note_installed(&kind, certain);
        self.step.effects.push(Effect { kind, span, certain, guards });
    }

    /// A bound was reached. What is not followed may have changed anything.
    fn lose_track(&mut self) {
        self.lost_track = true;
        self.directory = None;
    }

    /// A path as an absolute one, if both it and the working directory are known.
    pub(crate) fn absolute(&self, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return Some(absolute("/", path));
        }
        self.directory.as_deref().map(|d| absolute(d, path))
    }

    /// The absolute path that a value names. A part that is not known (a version) stands as a gap
    /// in it: the same name written a second time is the same file.
    pub(crate) fn path(&self, value: &Value) -> Option<String> {
        self.path_from(self.directory.as_deref(), value)
    }

    /// As [`Interpreter::path`], seen from another directory.
    pub(crate) fn path_from(&self, directory: Option<&str>, value: &Value) -> Option<String> {
        let text = value.spelling();
        let has_alternatives =
            || value.pieces().iter().any(|p| matches!(p.content, Content::Alternatives(_)));
        let name = crate::files::file_name(&text);
        let unclear = text.contains(GAP)
            && (text.starts_with(GAP) || name.chars().all(|c| c == GAP) || has_alternatives());
        if text.is_empty() || unclear {
            return None;
        }
        match text.starts_with('/') {
            true => Some(absolute("/", &text)),
            false => directory.map(|d| absolute(d, &text)),
        }
    }

    /// Prints.
    pub(crate) fn print(&mut self, value: &Value) {
        if let Some(output) = &mut self.output {
            output.text = output.text.concat(value);
        }
    }

    /// Prints what is a file.
    pub(crate) fn print_file(&mut self, file: Artifact, span: Span) {
        if let Some(output) = &mut self.output {
            let text = texts::text_of(&file);
            let text = text.unwrap_or_else(|| Value::unknown(Origin::File, span));
            output.text = output.text.concat(&text);
            output.file = Some(Box::new(file));
        }
    }

    fn lookup(&self, name: &str) -> Binding {
        if self.lost_track {
            return Binding::Set(Value::unknown(Origin::Opaque, self.step.span));
        }
        match self.vars.get(name) {
            Some(var) => var.binding.clone(),
            None => match self.state.scope.binding(name) {
                Binding::Unknown if self.is_never_set(name) => Binding::Unset,
                // The shell may set it, whoever else does not.
                Binding::Declared if words::SHELL_VARIABLES.contains(&name) => Binding::Unknown,
                binding => binding,
            },
        }
    }

    /// Whether a variable that nobody set so far is one of the script's own, and so not set: it
    /// assigns it elsewhere, and no base image does.
    fn is_never_set(&self, name: &str) -> bool {
        self.state.plain
            && !self.sourced
            && self.own.contains(name)
            && !name.to_ascii_lowercase().ends_with("_proxy")
            && !words::SHELL_VARIABLES.contains(&name)
    }

    fn assign(&mut self, name: &str, mut value: Value, span: Span) {
        if let Some((question, guard)) =
            self.guards.iter().rev().find_map(|g| Some((g.question()?, g.span)))
        {
            value = value.hop(HopKind::Guarded, &question, guard);
        }
        let value = value.hop(HopKind::Assigned, name, span);
        self.bind(name, Binding::Set(value), span);
    }

    fn bind(&mut self, name: &str, binding: Binding, span: Span) {
        let exported = match self.vars.get(name) {
            Some(var) => var.exported,
            None => self.state.scope.get(name).is_some(),
        };
        self.vars.set(name, Some(Var { binding, exported, span, elements: None }));
    }

    fn export(&mut self, name: &str) {
        if let Some(var) = self.vars.get(name).cloned() {
            self.vars.set(name, Some(Var { exported: true, ..var }));
        }
    }

    /// A variable as a program that is started sees it, with where it was set.
    pub(crate) fn environment(&self, call: &Call, name: &str) -> Option<Argument> {
        if let Some((_, argument)) = call.prefix.iter().rev().find(|(n, _)| n == name) {
            return Some(argument.clone());
        }
        if let Some(var) = self.vars.get(name) {
            return match &var.binding {
                Binding::Set(value) if var.exported => {
                    Some(Argument { value: value.clone(), span: var.span })
                }
                _ => None,
            };
        }
        let value = self.state.scope.get(name)?.clone();
        let set_at = value.pieces().first().and_then(|piece| {
            let hops = piece.trail.hops();
            let setting = |h: &&&crate::value::Hop| h.kind != HopKind::Used;
            hops.iter().rev().find(setting).map(|h| h.span)
        });
        Some(Argument { span: set_at.or(value.written_at()).unwrap_or_default(), value })
    }

    /// What `run` prints.
    fn capture(&mut self, run: impl FnOnce(&mut Self)) -> Stream {
        let outer = self.output.replace(Stream::default());
        run(self);
        std::mem::replace(&mut self.output, outer).unwrap_or_default()
    }

    /// Goes into a branch that is certainly taken.
    fn enter<T>(&mut self, guard: Option<Guard>, run: impl FnOnce(&mut Self) -> T) -> T {
        let guarded = guard.is_some();
        self.guards.extend(guard);
        let result = run(self);
        if guarded {
            self.guards.pop();
        }
        result
    }

    /// The command ends with a failure, for this reason.
    pub(crate) fn command_fails(&mut self, span: Span, message: impl Into<String>) {
        let _ = self.fail(span, message);
    }

    /// The build stops here, if this place is certainly reached.
    fn fail(&mut self, span: Span, message: impl Into<String>) -> Flow {
        self.status = Status::Failure;
        if self.is_reached() && self.failure.is_none() {
            self.failure = Some(Failure::new(span, message));
        }
        Flow::Exit
    }
}
