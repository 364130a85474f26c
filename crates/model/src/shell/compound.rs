//! Lists, branches, loops, functions, redirections.

use std::sync::Arc;

use mlint_syntax::{
    Span,
    shell::{AndOrOp, CaseArm, CaseEnd, Command, CommandKind, IfBranch, Script, ShellWord},
};

use super::{
    Flow, Interpreter, MAX_DEPTH, MAX_STEPS, Status,
    frames::FrameKind,
    questions::{Chain, argument},
};
use crate::{
    effect::Guard,
    question::Branch,
    value::{Origin, Truth, Value},
};

/// Unknown conditions in one `&&`/`||` list that are followed to the list's end one by one; later
/// ones are joined at once.
const MAX_LIST_FORKS: u32 = 3;

/// Conditions that one command is remembered to depend on. Each effect keeps them all.
const MAX_GUARDS: usize = 64;

/// Branches of one `if` that are looked at: each lies within the one before.
const MAX_BRANCHES: usize = 128;

/// What one arm of `case` does.
type Body<'b, I> = Box<dyn FnMut(&mut I) -> Flow + 'b>;

impl Interpreter<'_, '_> {
    pub(super) fn script(&mut self, script: &Script) -> Flow {
        for (i, command) in script.commands.iter().enumerate() {
            let flow = self.command(command);
            self.entered.insert(command.span);
            if flow != Flow::Next {
                let rest = &script.commands[i + 1..];
                self.dead.extend(rest.iter().map(|c| c.span));
                self.steps = self.steps.saturating_add(rest.len() as u32 / 8);
                return flow;
            }
            if self.stops_at_failure(command) {
                let message = "this fails, and the script stops at failures (set -e)";
                return self.fail(command.span, message);
            }
        }
        Flow::Next
    }

    /// Whether `set -e` ends the script after this command.
    fn stops_at_failure(&self, command: &Command) -> bool {
        self.errexit
            && self.status == Status::Failure
            && matches!(
                command.kind,
                CommandKind::Simple(_)
                    | CommandKind::Test(_)
                    | CommandKind::Arithmetic(_)
                    | CommandKind::Subshell(_)
                    | CommandKind::Pipeline(_)
            )
    }

    /// A branch's or loop's body.
    pub(super) fn body(&mut self, script: &Script) -> Flow {
        self.entered.insert(script.span);
        self.script(script)
    }

    pub(super) fn command(&mut self, command: &Command) -> Flow {
        self.steps = self.steps.saturating_add(1);
        if self.steps > MAX_STEPS || self.depth >= MAX_DEPTH {
            self.lose_track();
            return self.not_followed(command.span);
        }
        self.depth += 1;
        let run = |this: &mut Self| match command.redirects.is_empty() {
            true => this.kind(command),
            false => this.redirected(command),
        };
        let flow = if command.background {
            self.subshell(command.span, run);
            self.status = Status::Success;
            Flow::Next
        } else {
            run(self)
        };
        self.depth -= 1;
        flow
    }

    fn not_followed(&mut self, span: Span) -> Flow {
        self.status = Status::Assumed;
        self.print(&Value::unknown(Origin::Opaque, span));
        Flow::Next
    }

    pub(super) fn kind(&mut self, command: &Command) -> Flow {
        match &command.kind {
            CommandKind::Simple(simple) => self.simple(simple, command.span),
            CommandKind::Declaration(declaration) => self.declaration(declaration),
            CommandKind::Pipeline(commands) => self.pipeline(commands),
            CommandKind::AndOr { first, rest } => {
                let next = rest.first().map(|(op, _)| *op);
                let flow = self.listed(next, |this| this.command(first));
                if flow != Flow::Next { flow } else { self.and_or(rest, first.span, 0) }
            }
            CommandKind::Negated(inner) => {
                let flow = self.unchecked(|this| this.command(inner));
                self.status = match self.status {
                    Status::Success => Status::Failure,
                    Status::Failure => Status::Success,
                    Status::Assumed | Status::Unknown => Status::Unknown,
                };
                flow
            }
            CommandKind::If { branches, otherwise } => {
                let branches = &branches[..branches.len().min(MAX_BRANCHES)];
                self.if_(branches, otherwise.as_ref(), Chain::default())
            }
            CommandKind::Case { word, arms } => self.case(word, arms, command.span),
            CommandKind::For { variable, select: true, body, .. } => {
                self.select(&variable.value, variable.span, body)
            }
            CommandKind::For { variable, words, body, .. } => {
                self.for_(&variable.value, variable.span, words.as_deref(), body)
            }
            CommandKind::CFor { header, body } => self.c_for(&header.value, header.span, body),
            CommandKind::While { until, condition, body } => self.while_(*until, condition, body),
            CommandKind::Subshell(script) => {
                self.subshell(command.span, |this| this.script(script));
                Flow::Next
            }
            CommandKind::Group(script) => self.script(script),
            CommandKind::Function { name, body } => {
                Arc::make_mut(&mut self.functions).insert(name.value.clone(), Arc::clone(body));
                self.status = Status::Success;
                Flow::Next
            }
            CommandKind::Test(condition) => {
                self.status = self.condition(condition).into();
                Flow::Next
            }
            CommandKind::Arithmetic(text) => {
                self.status = match self.arithmetic(&text.value, text.span) {
                    Some(0) => Status::Failure,
                    Some(_) => Status::Success,
                    None => Status::Unknown,
                };
                Flow::Next
            }
            _ => self.not_followed(command.span),
        }
    }

    /// A command in an `&&`/`||` list, with the operator behind it: only where the last one fails,
    /// the list does.
    fn listed(&mut self, next: Option<AndOrOp>, run: impl FnOnce(&mut Self) -> Flow) -> Flow {
        if next.is_none() {
            return run(self);
        }
        let relied_on = next == Some(AndOrOp::And) && !self.asking;
        let outer = std::mem::replace(&mut self.relied_on, relied_on);
        let flow = self.unchecked(run);
        self.relied_on = outer;
        flow
    }

    /// Where a failure is part of the question, it does not end the script.
    fn unchecked<T>(&mut self, run: impl FnOnce(&mut Self) -> T) -> T {
        let errexit = std::mem::replace(&mut self.errexit, false);
        let result = run(self);
        // Unless the commands themselves turned it on.
        self.errexit |= errexit;
        result
    }

    fn pipeline(&mut self, commands: &[Command]) -> Flow {
        let outer = self.input.take();
        let last = commands.len().saturating_sub(1);
        let mut failed = false;
        for (i, command) in commands.iter().enumerate() {
            if i == last {
                self.subshell(command.span, |this| this.command(command));
            } else {
                let stream = self.capture(|this| {
                    this.subshell(command.span, |this| this.command(command));
                });
                failed |= self.status == Status::Failure;
                self.input = Some(stream);
            }
        }
        if failed && self.pipefail {
            self.status = Status::Failure;
        }
        self.input = outer;
        Flow::Next
    }

    /// What follows the first command of an `&&`/`||` list. What comes behind a condition depends
    /// on it as well, to the end of the list.
    fn and_or(&mut self, rest: &[(AndOrOp, Command)], condition: Span, forks: u32) -> Flow {
        let outer = self.guards.len();
        let flow = self.and_or_items(rest, condition, forks);
        self.guards.truncate(outer);
        flow
    }

    /// A loop, since lists are as long as somebody makes them; only forks recurse.
    fn and_or_items(
        &mut self,
        rest: &[(AndOrOp, Command)],
        mut condition: Span,
        forks: u32,
    ) -> Flow {
        for (at, (op, command)) in rest.iter().enumerate() {
            let later = &rest[at + 1..];
            match runs(*op, self.status) {
                Truth::No => {
                    self.dead.insert(command.span);
                    continue;
                }
                Truth::Yes => {
                    let subject = self.subject.clone();
                    if subject.is_some() && self.guards.len() < MAX_GUARDS {
                        self.guards.push(Guard { span: condition, subject, taken: Truth::Yes });
                    }
                    self.entered.insert(command.span);
                    let next = later.first().map(|(op, _)| *op);
                    let flow = self.listed(next, |this| this.command(command));
                    if flow != Flow::Next {
                        self.dead.extend(later.iter().map(|(_, c)| c.span));
                        return flow;
                    }
                }
                Truth::Unknown => {
                    self.entered.insert(command.span);
                    let to_the_end = forks < MAX_LIST_FORKS && !later.is_empty();
                    let flow = self.perhaps(*op, command, condition, |this| {
                        if to_the_end {
                            this.and_or(later, command.span, forks + 1)
                        } else {
                            Flow::Next
                        }
                    });
                    if flow != Flow::Next || to_the_end {
                        return flow;
                    }
                }
            }
            condition = command.span;
        }
        Flow::Next
    }

    /// A command of a list that may or may not run, and what follows in either case.
    fn perhaps(
        &mut self,
        op: AndOrOp,
        command: &Command,
        condition: Span,
        follow: impl Fn(&mut Self) -> Flow,
    ) -> Flow {
        // Without the command, the list goes on with the status that kept it away.
        let skipped = match (op, self.status) {
            (AndOrOp::And, _) => Status::Failure,
            (AndOrOp::Or, Status::Assumed) => Status::Assumed,
            (AndOrOp::Or, _) => Status::Success,
        };
        let subject = self.subject.clone();
        let guard = Some(Guard { span: condition, subject, taken: Truth::Unknown });
        self.fork(
            condition,
            &mut [
                (guard, &mut |this| {
                    let flow = this.command(command);
                    if flow == Flow::Next { follow(this) } else { flow }
                }),
                (None, &mut |this| {
                    this.status = skipped;
                    follow(this)
                }),
            ],
        )
    }

    fn if_(&mut self, branches: &[IfBranch], otherwise: Option<&Script>, mut chain: Chain) -> Flow {
        let Some((branch, later)) = branches.split_first() else {
            return match otherwise {
                Some(script) => {
                    self.decided(&chain, Branch::Otherwise(script.span), &[]);
                    self.body(script)
                }
                None => {
                    self.decided(&chain, Branch::None, &[]);
                    self.status = Status::Success;
                    Flow::Next
                }
            };
        };
        self.subject = None;
        let mark = self.comparisons.len();
        let flow = self.condition_list(&branch.condition);
        let asked = self.asked_since(mark);
        if flow != Flow::Next {
            return flow;
        }
        let (span, subject) = (branch.condition.span, self.subject.take());
        chain.ask(span, asked);
        let guard = |taken| Some(Guard { span, subject: subject.clone(), taken });
        match self.status {
            Status::Success => {
                let rest: Vec<Span> = skipped(later, otherwise).collect();
                self.decided(&chain, Branch::Named(branch.body.span), &rest);
                self.dead.extend(rest);
                self.enter(guard(Truth::Yes), |this| this.body(&branch.body))
            }
            Status::Failure => {
                self.dead.insert(branch.body.span);
                chain.passed.push(branch.body.span);
                self.enter(guard(Truth::Yes), |this| this.if_(later, otherwise, chain))
            }
            Status::Assumed | Status::Unknown => self.fork(
                span,
                &mut [
                    (guard(Truth::Unknown), &mut |this| this.body(&branch.body)),
                    (guard(Truth::Unknown), &mut |this| this.if_(later, otherwise, chain.clone())),
                ],
            ),
        }
    }

    /// A condition's commands; a failure in them does not end the script.
    pub(super) fn condition_list(&mut self, script: &Script) -> Flow {
        let outer = (self.asking, self.relied_on);
        (self.asking, self.relied_on) = (true, false);
        let flow = self.unchecked(|this| this.script(script));
        (self.asking, self.relied_on) = outer;
        flow
    }

    fn case(&mut self, word: &ShellWord, arms: &[CaseArm], span: Span) -> Flow {
        let value = self.single(word);
        let open = self.open_arms(&argument(&value, word.span), arms);
        // What follows a `case` with `&&` depends on its last command, not on its word.
        self.subject = None;
        let guard = |taken| Some(Guard { span: word.span, subject: Some(value.clone()), taken });
        let goes_on = |i: usize| arms[i].end == CaseEnd::Continue;
        if open.len() > 1 && open.iter().any(|(i, _)| goes_on(*i)) {
            return self.case_in_turn(arms, &open, span, &guard);
        }
        match open[..] {
            [] => {
                self.status = Status::Success;
                Flow::Next
            }
            [(i, Truth::Yes)] => self.enter(guard(Truth::Yes), |this| this.case_body(arms, i)),
            _ => {
                let exhaustive = open.iter().any(|(_, fits)| *fits == Truth::Yes);
                let mut runs: Vec<Body<'_, Self>> = open
                    .iter()
                    .map(|(i, _)| {
                        let i = *i;
                        Box::new(move |this: &mut Self| this.case_body(arms, i)) as Body<'_, Self>
                    })
                    .collect();
                if !exhaustive {
                    runs.push(Box::new(|this: &mut Self| {
                        this.status = Status::Success;
                        Flow::Next
                    }));
                }
                let mut arms: Vec<super::branches::Arm<'_, '_, '_>> =
                    runs.iter_mut().map(|run| (guard(Truth::Unknown), &mut **run as _)).collect();
                self.fork(span, &mut arms)
            }
        }
    }

    /// Where `;;&` goes on with the next pattern: one arm after the other.
    fn case_in_turn(
        &mut self,
        arms: &[CaseArm],
        open: &[(usize, Truth)],
        span: Span,
        guard: &dyn Fn(Truth) -> Option<Guard>,
    ) -> Flow {
        for (i, fits) in open {
            let flow = match fits {
                Truth::Yes => self.enter(guard(Truth::Yes), |this| this.case_body(arms, *i)),
                _ => self.fork(
                    span,
                    &mut [
                        (guard(Truth::Unknown), &mut |this| this.case_body(arms, *i)),
                        (None, &mut |_| Flow::Next),
                    ],
                ),
            };
            if flow != Flow::Next {
                return flow;
            }
        }
        Flow::Next
    }

    fn case_body(&mut self, arms: &[CaseArm], index: usize) -> Flow {
        self.status = Status::Success;
        let mut at = index;
        while let Some(arm) = arms.get(at) {
            let flow = self.body(&arm.body);
            if flow != Flow::Next || arm.end != CaseEnd::FallThrough {
                return flow;
            }
            at += 1;
        }
        Flow::Next
    }

    /// A call of a function of the script.
    pub(super) fn call_function(&mut self, body: &Arc<Command>, arguments: Vec<Value>) -> Flow {
        let outer = std::mem::replace(&mut self.positional, arguments);
        self.entered.insert(body.span);
        self.locals.push(Vec::new());
        let flow = self.framed(FrameKind::Function, body.span, |this| this.command(body));
        for (name, old) in self.locals.pop().unwrap_or_default().into_iter().rev() {
            self.vars.set(&name, old);
        }
        self.positional = outer;
        flow
    }
}

/// The branches of an `if` behind the one that is taken.
fn skipped<'b>(
    branches: &'b [IfBranch],
    otherwise: Option<&'b Script>,
) -> impl Iterator<Item = Span> + 'b {
    branches.iter().map(|b| b.body.span).chain(otherwise.map(|o| o.span))
}

/// Whether the next command of a list runs, by the status of those before it.
fn runs(op: AndOrOp, status: Status) -> Truth {
    match (op, status) {
        (AndOrOp::And, Status::Success | Status::Assumed) | (AndOrOp::Or, Status::Failure) => {
            Truth::Yes
        }
        (AndOrOp::And, Status::Failure) | (AndOrOp::Or, Status::Success) => Truth::No,
        _ => Truth::Unknown,
    }
}
