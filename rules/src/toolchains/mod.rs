//! Compilers and their settings.

mod fixed_target;
pub mod hardcoded_goarch;
