//! Compilers and their settings.

pub mod hardcoded_goarch;
