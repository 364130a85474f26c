//! The proof before the push: every ELF file is of its platform's machine.

mod bundle;
pub mod check;
pub mod elf;
mod report;

pub use check::{Proof, Scope, Wrong, WrongReason, check};
pub use report::{ForeignFiles, ForeignGroup};
