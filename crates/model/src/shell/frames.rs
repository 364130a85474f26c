//! What control may leave before its end: loops, functions, subshells. Where a branch leaves whose
//! condition is not known, what it leaves behind is kept and joined behind the frame.

use mlint_syntax::Span;

use super::{Flow, Interpreter, Status, Stream, vars::Delta};
use crate::value::Value;

/// What a frame is, and so which [`Flow`] ends there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    /// A whole loop: `break`.
    Loop,
    /// One round of it: `continue`.
    Round,
    /// A function: `return`.
    Function,
    /// A subshell, a substitution, a part of a pipe: `exit`.
    Shell,
}

/// More ends than this are not told apart: the variables in them become unknown.
const MAX_LEFT: usize = 16;

/// Something that is being followed.
#[derive(Debug)]
pub(super) struct Frame {
    kind: FrameKind,
    /// Where the variables' journal was at its begin.
    mark: usize,
    /// How many outputs were put aside at its begin.
    outputs: usize,
    /// Ends that branches may have come to.
    left: Vec<Left>,
    /// A branch may have left it for a frame further out.
    passed: bool,
}

/// How things stand where control leaves a frame.
#[derive(Clone, Debug)]
pub(super) struct Left {
    pub(super) delta: Delta,
    pub(super) output: Option<Value>,
    pub(super) status: Status,
    pub(super) directory: Option<String>,
}

fn ends_at(kind: FrameKind, flow: Flow) -> bool {
    match flow {
        Flow::Next => true,
        Flow::Break(n) => n <= 1 && kind == FrameKind::Loop || kind == FrameKind::Shell,
        Flow::Continue(n) => n <= 1 && kind == FrameKind::Round || kind == FrameKind::Shell,
        Flow::Return => matches!(kind, FrameKind::Function | FrameKind::Shell),
        Flow::Exit => kind == FrameKind::Shell,
    }
}

impl Interpreter<'_, '_> {
    /// Follows what `run` does in an environment of its own: only output, status and files stay.
    pub(super) fn subshell(&mut self, span: Span, run: impl FnOnce(&mut Self) -> Flow) {
        let mark = self.vars.mark();
        let directory = self.directory.clone();
        let options = (self.errexit, self.nounset, self.pipefail, self.sourced);
        let (functions, positional) = (self.functions.clone(), self.positional.clone());
        let (failure, at_exit) = (self.failure.take(), self.at_exit.take());
        self.framed(FrameKind::Shell, span, run);
        (self.failure, self.at_exit) = (failure, at_exit);
        (self.functions, self.positional) = (functions, positional);
        (self.errexit, self.nounset, self.pipefail, self.sourced) = options;
        self.vars.undo(mark);
        self.directory = directory;
    }

    /// Follows what `run` does, and brings together the ends that it may come to. The result says
    /// where control goes from here: [`Flow::Next`], or to a frame further out.
    pub(super) fn framed(
        &mut self,
        kind: FrameKind,
        span: Span,
        run: impl FnOnce(&mut Self) -> Flow,
    ) -> Flow {
        let over = self.maybe_over;
        let outer = self.output.take();
        self.output = outer.as_ref().map(|_| Stream::default());
        let (mark, outputs) = (self.vars.mark(), self.outputs.len());
        self.frames.push(Frame { kind, mark, outputs, left: Vec::new(), passed: false });
        let flow = run(self);
        let Some(frame) = self.frames.pop() else { return flow };
        let ends = ends_at(kind, flow);
        let flow = if frame.left.is_empty() {
            if ends { Flow::Next } else { flow }
        } else {
            let fails = flow == Flow::Exit && self.status == Status::Failure;
            if !ends && !fails {
                self.leave(flow);
            }
            self.rejoin(frame.left, mark, ends, span);
            Flow::Next
        };
        let inner = std::mem::replace(&mut self.output, outer);
        if let (Some(output), Some(inner)) = (&mut self.output, inner) {
            output.text = output.text.concat(&inner.text);
            output.file = inner.file.or(output.file.take());
        }
        self.maybe_over = over || frame.passed || (self.maybe_over && flow != Flow::Next);
        flow
    }

    /// Goes on in a state that is one of those that a frame was left in.
    fn rejoin(&mut self, mut left: Vec<Left>, mark: usize, with_current: bool, span: Span) {
        let output = self.output.as_ref().map(|o| o.text.clone());
        let (status, directory) = (self.status, self.directory.clone());
        let delta = self.vars.undo(mark);
        if with_current {
            left.push(Left { delta, output, status, directory });
        }
        let Some(first) = left.first() else { return };
        self.status = Status::joined(left.iter().map(|l| l.status)).unwrap_or(self.status);
        let same_directory = left.iter().all(|l| l.directory == first.directory);
        self.directory = if same_directory { first.directory.clone() } else { None };
        if let Some(output) = &mut self.output {
            output.text = Value::one_of(left.iter().filter_map(|l| l.output.clone()), span);
        }
        let scope = &self.state.scope;
        let deltas = left.into_iter().map(|l| l.delta).collect();
        self.vars.apply(deltas, span, &|name| scope.binding(name));
    }

    /// The frame that a flow ends at.
    fn target(&self, flow: Flow) -> Option<usize> {
        let levels = match flow {
            Flow::Break(n) | Flow::Continue(n) => n.max(1),
            Flow::Next => return None,
            Flow::Return | Flow::Exit => 1,
        };
        let wanted = |frame: &Frame| match flow {
            Flow::Break(_) => ends_at(frame.kind, Flow::Break(1)),
            Flow::Continue(_) => ends_at(frame.kind, Flow::Continue(1)),
            flow => ends_at(frame.kind, flow),
        };
        let mut seen = 0;
        for (at, frame) in self.frames.iter().enumerate().rev() {
            if wanted(frame) {
                seen += 1;
                if seen == levels || frame.kind == FrameKind::Shell {
                    return Some(at);
                }
            }
        }
        None
    }

    /// How things stand for the frame that `flow` ends at, with its place.
    pub(super) fn leaving(&self, flow: Flow) -> Option<(usize, Left)> {
        let at = self.target(flow)?;
        let frame = &self.frames[at];
        let texts = self.outputs[frame.outputs.min(self.outputs.len())..].iter().flatten();
        let texts = texts.chain(&self.output).map(|stream| &stream.text);
        let left = Left {
            delta: self.vars.since(frame.mark),
            output: self.output.is_some().then(|| Value::join(texts)),
            status: self.status,
            directory: self.directory.clone(),
        };
        Some((at, left))
    }

    /// A branch may go to a frame further out from here.
    pub(super) fn leave(&mut self, flow: Flow) {
        match self.leaving(flow) {
            Some((at, left)) => self.left_for(at, left),
            None => self.frames.iter_mut().for_each(|frame| frame.passed = true),
        }
    }

    pub(super) fn left_for(&mut self, at: usize, left: Left) {
        for frame in &mut self.frames[at + 1..] {
            frame.passed = true;
        }
        let frame = &mut self.frames[at];
        if frame.left.len() < MAX_LEFT {
            frame.left.push(left);
        } else if let Some(last) = frame.left.last_mut() {
            // Too many to tell apart.
            last.output = last.output.take().map(|o| o.obscured(Span::default()));
            last.directory = None;
            last.status = Status::Unknown;
            for (name, var) in left.delta {
                let unknown = var.map(|v| v.obscured());
                last.delta.insert(name, unknown);
            }
        }
    }

    /// Whether `exit` with a failure, here, ends the build: not in a subshell whose status nobody
    /// heeds.
    pub(super) fn exit_ends_build(&self) -> bool {
        self.errexit || self.relied_on || !self.frames.iter().any(|f| f.kind == FrameKind::Shell)
    }
}
