//! Writes down what a script asks about the platform.

use mlint_syntax::{
    Span,
    shell::{CaseArm, CaseEnd, ShellWord, WordPart},
};

use super::{Interpreter, conditions::fits as fits_pattern};
use crate::{
    effect::Argument,
    question::{Branch, Comparison, Question},
    value::{Truth, Value},
};

/// Questions of one RUN that are remembered, and comparisons of one of them.
const MAX_QUESTIONS: usize = 256;

impl Interpreter<'_, '_> {
    /// Two words are compared.
    pub(super) fn compared(
        &mut self,
        left: &Argument,
        right: &Argument,
        pattern: bool,
        equal: Truth,
    ) {
        let (subject, operand) =
            if left.value.follows_platform() { (left, right) } else { (right, left) };
        if !subject.value.follows_platform() {
            return;
        }
        let comparison =
            Comparison { subject: subject.clone(), operand: operand.clone(), pattern, equal };
        if !self.asking {
            let span = subject.span.cover(operand.span);
            self.question(span, vec![comparison], Branch::Unknown, Vec::new());
        } else if self.comparisons.len() < MAX_QUESTIONS {
            self.comparisons.push(comparison);
        }
    }

    /// What a condition compared: all since `mark`.
    pub(super) fn asked_since(&mut self, mark: usize) -> Vec<Comparison> {
        self.comparisons.split_off(mark.min(self.comparisons.len()))
    }

    /// The arms of a `case` that may be taken, with how sure that is. The others are dead.
    pub(super) fn open_arms(
        &mut self,
        subject: &Argument,
        arms: &[CaseArm],
    ) -> Vec<(usize, Truth)> {
        let mut open: Vec<(usize, Truth)> = Vec::new();
        let mut asked = Vec::new();
        let (mut over, mut named) = (false, false);
        for (i, arm) in arms.iter().enumerate() {
            let mut fits = Truth::No;
            for word in &arm.patterns {
                // What follows the arm that is taken is not expanded any more.
                if over && !is_plain(word) {
                    continue;
                }
                let pattern = self.pattern(word);
                let pattern = pattern.as_deref();
                let equal = pattern.map_or(Truth::Unknown, |p| fits_pattern(&subject.value, p));
                fits = fits.or(equal);
                let anything =
                    pattern.is_some_and(|p| !p.is_empty() && p.chars().all(|c| c == '*'));
                if subject.value.follows_platform() && !anything {
                    let operand = argument(&self.single(word), word.span);
                    let pattern = !pattern.is_some_and(|p| is_text(p, &operand.value));
                    named |= !over && equal == Truth::Yes;
                    asked.push(Comparison { subject: subject.clone(), operand, pattern, equal });
                }
            }
            if fits != Truth::No && !over {
                open.push((i, fits));
            }
            over |= fits == Truth::Yes && arm.end != CaseEnd::Continue;
        }
        let is_open = |i: usize| open.iter().any(|(o, _)| *o == i);
        let closed = arms.iter().enumerate().filter(|(i, _)| !is_open(*i));
        let closed: Vec<Span> = closed.map(|(_, arm)| arm.body.span).collect();
        self.dead.extend(closed.iter().copied());
        let branch = match open[..] {
            [] => Branch::None,
            [(i, Truth::Yes)] if named => Branch::Named(arms[i].body.span),
            [(i, Truth::Yes)] => Branch::Otherwise(arms[i].body.span),
            _ => Branch::Unknown,
        };
        self.question(subject.span, asked, branch, closed);
        open
    }

    /// A question is answered.
    pub(super) fn question(
        &mut self,
        span: Span,
        comparisons: Vec<Comparison>,
        branch: Branch,
        others: Vec<Span>,
    ) {
        let questions = &mut self.step.questions;
        let known = questions.iter().any(|q| q.span == span && q.branch == branch);
        if !comparisons.is_empty() && !known && questions.len() < MAX_QUESTIONS {
            questions.push(Question { span, comparisons, branch, others });
        }
    }

    /// An `if` is decided: this branch, and these are not taken.
    pub(super) fn decided(&mut self, chain: &Chain, branch: Branch, later: &[Span]) {
        if !chain.asked.is_empty() {
            let others = chain.passed.iter().chain(later).copied().collect();
            self.question(chain.span, chain.asked.clone(), branch, others);
        }
    }
}

/// The conditions of an `if` that did not hold so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// The last one that asked for the platform.
    span: Span,
    asked: Vec<Comparison>,
    /// Their branches.
    pub(super) passed: Vec<Span>,
}

impl Chain {
    /// One more condition, with what it compared.
    pub(super) fn ask(&mut self, condition: Span, asked: Vec<Comparison>) {
        if !asked.is_empty() && self.asked.len() < MAX_QUESTIONS {
            self.span = condition;
            self.asked.extend(asked);
        }
    }
}

/// Whether a pattern is that text and nothing else.
pub(super) fn is_text(pattern: &str, text: &Value) -> bool {
    !pattern.contains(['*', '?', '[', '\\', '(']) && text.is(pattern)
}

/// Whether nothing in a word is expanded.
fn is_plain(word: &ShellWord) -> bool {
    word.parts.iter().all(|part| matches!(part, WordPart::Literal { .. }))
}

/// A word with what it gives.
pub(super) fn argument(value: &Value, span: Span) -> Argument {
    Argument { value: value.clone(), span }
}
