//! C libraries and cgo.

pub mod cgo_cross_compile;
pub mod libc_mismatch;
