//! The proof before the push: every ELF file is of its platform's machine.

pub mod elf;
