//! Loops, bounded: after [`MAX_ROUNDS`] rounds, or where a condition is not known, what the body
//! assigns may be anything.

use std::collections::{BTreeSet, HashSet};

use mlint_syntax::{
    Span,
    shell::{
        Command, CommandKind, DeclarationArgument, ParamOp, Script, ShellWord, Visitor, WordPart,
        walk_command, walk_part, walk_script,
    },
};

use super::{Flow, Interpreter, MAX_ROUNDS, Status, arithmetic::assigned_in, frames::FrameKind};
use crate::{
    effect::Guard,
    expand::Binding,
    value::{Origin, Truth, Value},
};

impl Interpreter<'_, '_> {
    pub(super) fn for_(
        &mut self,
        name: &str,
        span: Span,
        words: Option<&[ShellWord]>,
        body: &Script,
    ) -> Flow {
        let items: Vec<Value> = match words {
            Some(words) => words.iter().flat_map(|w| self.fields(w)).map(|a| a.value).collect(),
            None => self.positional.clone(),
        };
        self.status = Status::Success;
        if items.is_empty() {
            self.dead.insert(body.span);
            return Flow::Next;
        }
        self.framed(FrameKind::Loop, span, |this| {
            let many = items.len() > MAX_ROUNDS;
            for item in items.into_iter().take(MAX_ROUNDS) {
                let is_pattern = item.as_known().is_none_or(|t| t.contains(['*', '?']));
                let flow = if is_pattern {
                    // It may stand for any number of words.
                    let unknown = item.obscured(span);
                    this.some_rounds(&[body], span, |this| {
                        this.assign(name, unknown.clone(), span);
                        this.round(body)
                    })
                } else {
                    this.assign(name, item, span);
                    this.round(body)
                };
                if flow != Flow::Next {
                    return out_of_loop(flow);
                }
            }
            if !many {
                return Flow::Next;
            }
            let unknown = Value::unknown(Origin::Opaque, span);
            let flow = this.some_rounds(&[body], span, |this| {
                this.assign(name, unknown.clone(), span);
                this.round(body)
            });
            out_of_loop(flow)
        })
    }

    /// `select`: as often as somebody answers, and nobody does.
    pub(super) fn select(&mut self, name: &str, span: Span, body: &Script) -> Flow {
        self.framed(FrameKind::Loop, span, |this| {
            let flow = this.some_rounds(&[body], span, |this| {
                this.assign(name, Value::unknown(Origin::Opaque, span), span);
                this.round(body)
            });
            out_of_loop(flow)
        })
    }

    pub(super) fn while_(&mut self, until: bool, condition: &Script, body: &Script) -> Flow {
        self.framed(FrameKind::Loop, condition.span, |this| {
            for round in 0..MAX_ROUNDS {
                this.subject = None;
                let flow = this.condition_list(condition);
                if flow != Flow::Next {
                    return out_of_loop(flow);
                }
                let status = match (this.status, until) {
                    (Status::Success, true) => Status::Failure,
                    (Status::Failure, true) => Status::Success,
                    (status, _) => status,
                };
                match status {
                    Status::Success => {}
                    Status::Failure => {
                        if round == 0 {
                            this.dead.insert(body.span);
                        }
                        this.status = Status::Success;
                        return Flow::Next;
                    }
                    Status::Assumed | Status::Unknown => {
                        return this.unknown_while(condition, body);
                    }
                }
                let flow = this.round(body);
                if flow != Flow::Next {
                    return out_of_loop(flow);
                }
            }
            this.unknown_while(condition, body)
        })
    }

    fn unknown_while(&mut self, condition: &Script, body: &Script) -> Flow {
        let flow = self.some_rounds(&[condition, body], condition.span, |this| this.round(body));
        self.status = Status::Assumed;
        out_of_loop(flow)
    }

    /// `for ((init; condition; step))`.
    pub(super) fn c_for(&mut self, header: &str, span: Span, body: &Script) -> Flow {
        let parts: Vec<&str> = header.splitn(3, ';').map(str::trim).collect();
        let [init, condition, step] = parts[..] else {
            self.status = Status::Unknown;
            return Flow::Next;
        };
        if !init.is_empty() {
            let _ = self.arithmetic(init, span);
        }
        self.framed(FrameKind::Loop, span, |this| {
            for round in 0..MAX_ROUNDS {
                let goes_on = match condition.is_empty() {
                    true => Some(1),
                    false => this.arithmetic(condition, span),
                };
                match goes_on {
                    Some(0) => {
                        if round == 0 {
                            this.dead.insert(body.span);
                        }
                        return Flow::Next;
                    }
                    Some(_) => {}
                    None => break,
                }
                let flow = this.round(body);
                if flow != Flow::Next {
                    return out_of_loop(flow);
                }
                if !step.is_empty() {
                    let _ = this.arithmetic(step, span);
                }
            }
            let flow = this.some_rounds(&[body], span, |this| {
                this.forget_names(assigned_in(header).into_iter().collect(), span);
                this.round(body)
            });
            this.forget_names(assigned_in(header).into_iter().collect(), span);
            out_of_loop(flow)
        })
    }

    fn round(&mut self, body: &Script) -> Flow {
        self.framed(FrameKind::Round, body.span, |this| this.body(body))
    }

    /// Follows `run` once for any number of rounds, from a state in which everything that a round
    /// assigns may be anything; or not at all.
    fn some_rounds(
        &mut self,
        scripts: &[&Script],
        span: Span,
        run: impl Fn(&mut Self) -> Flow,
    ) -> Flow {
        let guard = Some(Guard { span, subject: self.subject.take(), taken: Truth::Unknown });
        self.fork(
            span,
            &mut [
                (guard, &mut |this| {
                    this.forget(scripts, span);
                    run(this)
                }),
                (None, &mut |_| Flow::Next),
            ],
        )
    }

    /// Everything that these scripts may assign may be anything.
    fn forget(&mut self, scripts: &[&Script], span: Span) {
        let mut found = Assigned::default();
        scripts.iter().for_each(|script| walk_script(&mut found, script));
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(name) = found.called.pop_first() {
            if let Some(body) = self.functions.get(&name).cloned()
                && seen.insert(name)
            {
                found.command(&body);
            }
        }
        if found.changes_directory {
            self.directory = None;
        }
        if found.anything {
            found.names.extend(self.vars.iter().map(|(name, _)| name.to_string()));
        }
        self.forget_names(found.names, span);
    }

    fn forget_names(&mut self, names: BTreeSet<String>, span: Span) {
        for name in names {
            self.bind(&name, Binding::Set(Value::unknown(Origin::Opaque, span)), span);
        }
    }
}

/// The variables that a script assigns somewhere.
pub(super) fn assigned(script: &Script) -> BTreeSet<String> {
    let mut found = Assigned::default();
    walk_script(&mut found, script);
    found.names
}

fn out_of_loop(flow: Flow) -> Flow {
    match flow {
        Flow::Break(n) if n > 1 => Flow::Break(n - 1),
        Flow::Continue(n) if n > 1 => Flow::Continue(n - 1),
        other => other,
    }
}

/// The variables that a script may assign, and the commands that it calls.
#[derive(Default)]
struct Assigned {
    names: BTreeSet<String>,
    called: BTreeSet<String>,
    changes_directory: bool,
    /// `eval`, `.`: any variable.
    anything: bool,
}

impl Assigned {
    fn simple(&mut self, words: &[ShellWord]) {
        let Some(name) = words.first().and_then(ShellWord::as_literal) else { return };
        let rest = || words[1..].iter().filter_map(ShellWord::as_literal);
        match name.as_str() {
            "read" | "mapfile" | "readarray" | "getopts" | "unset" | "printf" => {
                self.names.extend(rest().filter(|w| !w.starts_with('-')));
                self.names.extend(["REPLY", "MAPFILE", "OPTARG", "OPTIND"].map(str::to_owned));
            }
            "let" => rest().for_each(|w| self.names.extend(assigned_in(&w))),
            "cd" | "pushd" | "popd" => self.changes_directory = true,
            "eval" | "." | "source" => self.anything = true,
            _ => {
                self.called.insert(name);
            }
        }
    }
}

impl Visitor for Assigned {
    fn command(&mut self, command: &Command) {
        match &command.kind {
            CommandKind::Simple(simple) => {
                let names = simple.assignments.iter().map(|a| a.name.value.clone());
                self.names.extend(names);
                self.simple(&simple.words);
            }
            CommandKind::Declaration(declaration) => {
                for argument in &declaration.arguments {
                    match argument {
                        DeclarationArgument::Assignment(assignment) => {
                            self.names.insert(assignment.name.value.clone());
                        }
                        DeclarationArgument::Word(word) => {
                            let text = word.as_literal().filter(|t| !t.starts_with('-'));
                            let name = text.map(|t| t.split('=').next().unwrap_or("").to_owned());
                            self.names.extend(name);
                        }
                    }
                }
            }
            CommandKind::For { variable, .. } => {
                self.names.insert(variable.value.clone());
            }
            CommandKind::CFor { header, .. } => self.names.extend(assigned_in(&header.value)),
            CommandKind::Arithmetic(text) => self.names.extend(assigned_in(&text.value)),
            CommandKind::Subshell(_) => return,
            _ => {}
        }
        walk_command(self, command);
    }

    fn part(&mut self, part: &WordPart) {
        match part {
            // What they assign ends with them.
            WordPart::CommandSub { .. } | WordPart::ProcessSub { .. } => return,
            WordPart::Arithmetic { text, .. } => self.names.extend(assigned_in(text)),
            WordPart::Param(param) => {
                if let Some(ParamOp::Assign { .. }) = param.op.as_deref() {
                    self.names.insert(param.name.clone());
                }
            }
            _ => {}
        }
        walk_part(self, part);
    }
}
