//! The rules, one file each, and the tables of facts that they read. No I/O.

mod assets;
mod automatic;
pub mod caches;
mod cross;
pub mod downloads;
mod failure;
pub mod images;
pub mod libc;
pub mod metadata;
pub mod packages;
mod repair;
pub mod stages;
mod support;
mod table;
pub mod toolchains;
mod unmarked;
pub mod values;
mod words;

use mlint_lint::Rule;

/// All rules, in the order of the index page.
pub fn all() -> &'static [&'static dyn Rule] {
    &[
        &values::platform_arg_default::PlatformArgDefault,
        &values::arch_arg_default::ArchArgDefault,
        &values::undeclared_platform_arg::UndeclaredPlatformArg,
        &values::platform_arg_out_of_scope::PlatformArgOutOfScope,
        &values::incomplete_arch_case::IncompleteArchCase,
        &values::arch_comparison_never_true::ArchComparisonNeverTrue,
        &values::arch_name_mismatch::ArchNameMismatch,
        &values::arch_variable_lost::ArchVariableLost,
        &values::constant_arch_expansion::ConstantArchExpansion,
        &downloads::hardcoded_arch_url::HardcodedArchUrl,
        &downloads::unmarked_arch_asset::UnmarkedArchAsset,
        &downloads::single_arch_checksum::SingleArchChecksum,
        &stages::missing_build_platform::MissingBuildPlatform,
        &stages::constant_platform::ConstantPlatform,
        &stages::final_stage_on_build_platform::FinalStageOnBuildPlatform,
        &stages::ignored_stage_platform::IgnoredStagePlatform,
        &stages::redundant_target_platform::RedundantTargetPlatform,
        &stages::wrong_arch_copy::WrongArchCopy,
        &stages::cross_binary_executed::CrossBinaryExecuted,
        &stages::host_binary_copy::HostBinaryCopy,
        &stages::build_arch_in_target_stage::BuildArchInTargetStage,
        &stages::build_arch_probe::BuildArchProbe,
        &toolchains::hardcoded_goarch::HardcodedGoarch,
        &toolchains::x86_compiler_flag::X86CompilerFlag,
        &toolchains::native_compiler_flag::NativeCompilerFlag,
        &toolchains::emulation_unsafe_toolchain::EmulationUnsafeToolchain,
        &libc::cgo_cross_compile::CgoCrossCompile,
        &libc::libc_mismatch::LibcMismatch,
        &libc::missing_cross_libc::MissingCrossLibc,
        &libc::glibc_compat_package::GlibcCompatPackage,
        &packages::arch_specific_package::ArchSpecificPackage,
        &packages::arch_library_path::ArchLibraryPath,
        &packages::single_arch_package::SingleArchPackage,
        &images::base_image_platform::BaseImagePlatform,
        &images::single_arch_digest::SingleArchDigest,
        &images::arch_tagged_image::ArchTaggedImage,
        &images::unknown_image_platform::UnknownImagePlatform,
        &caches::shared_cache_mount::SharedCacheMount,
        &metadata::arch_in_label::ArchInLabel,
    ]
}
