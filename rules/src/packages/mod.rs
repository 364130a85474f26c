//! Packages that are installed, and paths that packages own.

pub mod arch_library_path;
pub mod arch_specific_package;
mod follow;
mod source;
