//! How results are shown.

pub mod failure;
pub mod progress;
