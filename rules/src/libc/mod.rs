//! C libraries and cgo.

pub mod cgo_cross_compile;
pub mod glibc_compat_package;
pub mod libc_mismatch;
pub mod missing_cross_libc;
