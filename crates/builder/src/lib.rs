//! The embedded builder: plan → execute → layer → image → index → export and push. No daemon.

pub mod context;
pub mod error;
pub mod layer;
pub mod pattern;
pub mod proof;
pub mod sandbox;
pub mod store;
