//! Compilers and their settings.

pub mod emulation_unsafe_toolchain;
mod fixed_target;
mod flags;
pub mod hardcoded_goarch;
pub mod native_compiler_flag;
pub mod x86_compiler_flag;
