//! Rule, Diagnostic, Fix, suppression, the runner, the fix applier and the test harness. No I/O.

pub mod diagnostic;

pub use diagnostic::*;
