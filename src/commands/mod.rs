//! One file per command.

pub mod build;
pub mod session;
pub mod verify;
