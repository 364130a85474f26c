//! Rule, Diagnostic, Fix, suppression, the runner, the fix applier and the test harness. No I/O.

mod analysis;
pub mod builtin;
pub mod context;
pub mod diagnostic;
pub mod docs;
pub mod edit;
pub mod finding;
pub mod fix;
mod joint;
mod proof;
pub mod rule;
mod runner;
mod signature;
mod suppress;
mod template;
pub mod testing;

pub use builtin::BUILTIN;
pub use context::{CheckOptions, Context, Level};
pub use diagnostic::*;
pub use finding::{Finding, ProposedFix, Sink, list};
pub use fix::{AppliedFix, FixOptions, FixOutcome, UnappliedFix, fix};
pub use proof::{Doubt, MAX_PROOFS, Refusal};
pub use rule::{FixAvailability, Group, Meta, Rule};
pub use runner::{check, sums_asked};
