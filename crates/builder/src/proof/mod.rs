//! The proof before the push: every ELF file is of its platform's machine and ABI, and every program
//! that is meant to work finds its interpreter and its libraries.

mod abi;
mod bundle;
pub mod check;
pub mod elf;
mod libraries;
mod loader;
mod program;
mod report;
mod wrong;

pub use check::{Allow, Proof, Scope, check};
pub use report::{ForeignFiles, ForeignGroup};
pub use wrong::{Instead, Wrong, WrongReason};
