//! The embedded builder: plan → execute → layer → image → index → export and push. No daemon.

pub mod error;
pub mod layer;
pub mod proof;
