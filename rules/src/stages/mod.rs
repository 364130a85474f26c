//! Stages and what flows between them.

pub mod build_arch_in_target_stage;
pub mod build_arch_probe;
pub mod constant_platform;
pub mod cross_binary_executed;
pub mod final_stage_on_build_platform;
mod go_install_path;
pub mod host_binary_copy;
pub mod ignored_stage_platform;
pub mod missing_build_platform;
pub mod redundant_target_platform;
pub mod wrong_arch_copy;
