//! What scripts ask about the platform, and which way they then take.

use mlint_syntax::Span;

use crate::{effect::Argument, value::Truth};

/// A `case`, an `if` with its `elif`s, or a test on its own, that asks for the platform.
#[derive(Clone, Debug)]
pub struct Question {
    /// Where it is asked: the word of `case`, the last condition of an `if`, the test. A
    /// [`crate::HopKind::Guarded`] hop of a value that is assigned in the branch has this place.
    pub span: Span,
    /// What was compared on the way to the branch, in order. Patterns that fit anything are left
    /// out.
    pub comparisons: Vec<Comparison>,
    /// The branch that is taken on this platform.
    pub branch: Branch,
    /// The branches that are not.
    pub others: Vec<Span>,
}

/// The branch that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// This one, whose condition holds.
    Named(Span),
    /// This one, for all that is not named: `*)`, `else`.
    Otherwise(Span),
    /// None: nothing that is named is there, and nothing stands there for the rest.
    None,
    /// It can't be told, or there are none.
    Unknown,
}

/// Two texts that are compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The one that follows the platform.
    pub subject: Argument,
    /// What it is compared with.
    pub operand: Argument,
    /// Whether the operand is a pattern with special characters, or a regular expression.
    pub pattern: bool,
    /// Whether they are equal, or fit. (A test for `!=` holds where they are not.)
    pub equal: Truth,
}

impl Question {
    /// Where the script goes for platforms that it does not name: the branch that is taken
    /// although nothing that was compared is equal.
    pub fn rest(&self) -> Option<Span> {
        let (Branch::Named(span) | Branch::Otherwise(span)) = self.branch else { return None };
        self.names_nothing().then_some(span)
    }

    /// Whether certainly nothing that was compared is equal.
    pub fn names_nothing(&self) -> bool {
        self.comparisons.iter().all(|c| c.equal == Truth::No)
    }
}
