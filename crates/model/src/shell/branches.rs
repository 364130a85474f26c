//! Branches whose condition is not known: all are followed, and what they do is joined.

use mlint_syntax::Span;

use super::{Flow, Interpreter, Status, Stream, frames::Left, vars::Delta};
use crate::{effect::Guard, files::FileDelta, value::Value};

/// A branch: its condition and what it does.
pub(super) type Arm<'a, 's, 'e> =
    (Option<Guard>, &'a mut dyn FnMut(&mut Interpreter<'s, 'e>) -> Flow);

/// Where an arm of a fork ended.
struct End {
    flow: Flow,
    status: Status,
    delta: Delta,
    files: FileDelta,
    directory: Option<String>,
    output: Option<Stream>,
    maybe_over: bool,
    effects: std::ops::Range<usize>,
    /// How it leaves a frame, if it does.
    left: Option<(usize, Left)>,
    ends_build: bool,
}

impl<'s, 'e> Interpreter<'s, 'e> {
    /// Follows each arm from the same state, and goes on in a state that is one of theirs. Arms
    /// that end the build vanish: the step only succeeds by way of the others.
    pub(super) fn fork(&mut self, span: Span, arms: &mut [Arm<'_, 's, 'e>]) -> Flow {
        let certain = std::mem::replace(&mut self.certain, false);
        let here = std::mem::replace(&mut self.here, true);
        let (directory, input) = (self.directory.clone(), self.input.clone());
        let maybe_over = self.maybe_over;
        let output = self.output.take();
        let printing = output.is_some();
        self.outputs.push(output);
        let file_mark = self.state.files.watch();
        let mut ends: Vec<End> = Vec::new();
        for (guard, run) in arms {
            self.output = printing.then(Stream::default);
            self.directory.clone_from(&directory);
            self.input.clone_from(&input);
            self.maybe_over = maybe_over;
            ends.push(self.arm(guard.take(), run, file_mark));
        }
        (self.certain, self.here, self.maybe_over) = (certain, here, maybe_over);
        self.output = self.outputs.pop().flatten();
        self.settle(&mut ends);
        self.join(span, ends)
    }

    fn arm(
        &mut self,
        guard: Option<Guard>,
        run: &mut dyn FnMut(&mut Self) -> Flow,
        file_mark: usize,
    ) -> End {
        let mark = self.vars.mark();
        let first_effect = self.step.effects.len();
        let guarded = guard.is_some();
        self.guards.extend(guard);
        let flow = run(self);
        if guarded {
            self.guards.pop();
        }
        let ends_build =
            flow == Flow::Exit && self.status == Status::Failure && self.exit_ends_build();
        End {
            flow,
            status: self.status,
            left: if ends_build { None } else { self.leaving(flow) },
            delta: self.vars.undo(mark),
            files: self.state.files.undo(file_mark),
            directory: self.directory.clone(),
            output: self.output.take(),
            maybe_over: self.maybe_over,
            effects: first_effect..self.step.effects.len(),
            ends_build,
        }
    }

    /// Drops the arms that end the build, and says what is certain of what the others did.
    fn settle(&mut self, ends: &mut Vec<End>) {
        let all_fail = ends.iter().all(|e| e.ends_build);
        let survivors = ends.iter().filter(|e| all_fail || !e.ends_build).count();
        let certain = self.is_certain();
        for end in ends.iter() {
            let only = survivors == 1 && (all_fail || !end.ends_build);
            for effect in &mut self.step.effects[end.effects.clone()] {
                effect.certain &= only && certain;
            }
        }
        if !all_fail {
            ends.retain(|e| !e.ends_build);
        }
        let files = ends.iter_mut().map(|e| std::mem::take(&mut e.files)).collect();
        self.state.files.settle(files);
    }

    fn join(&mut self, span: Span, ends: Vec<End>) -> Flow {
        let flow = match ends.iter().find(|e| e.flow == Flow::Next) {
            Some(_) => Flow::Next,
            None => ends.first().map_or(Flow::Next, |e| e.flow),
        };
        self.maybe_over |= ends.iter().any(|e| e.maybe_over || e.flow != flow);
        // What an arm leaves behind counts where control goes on from it.
        let (ends, others): (Vec<End>, Vec<End>) = ends.into_iter().partition(|e| e.flow == flow);
        for end in others {
            match end.left {
                Some((at, left)) => self.left_for(at, left),
                None => self.leave(end.flow),
            }
        }
        self.status = Status::joined(ends.iter().map(|e| e.status)).unwrap_or(self.status);
        if let Some(first) = ends.first() {
            let same = ends.iter().all(|e| e.directory == first.directory);
            self.directory = if same { first.directory.clone() } else { None };
        }
        if let Some(output) = &mut self.output {
            let texts = ends.iter().filter_map(|e| e.output.as_ref().map(|o| o.text.clone()));
            output.text = output.text.concat(&Value::one_of(texts, span));
            if let Some(file) = ends.iter().filter_map(|e| e.output.as_ref()?.file.clone()).next() {
                output.file = Some(file);
            }
        }
        let deltas: Vec<Delta> = ends.into_iter().map(|e| e.delta).collect();
        if !deltas.is_empty() {
            let scope = &self.state.scope;
            self.vars.apply(deltas, span, &|name| scope.binding(name));
        }
        flow
    }
}
