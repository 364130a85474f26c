//! The embedded builder: plan → execute → layer → image → index → export and push. No daemon.

pub mod attest;
pub mod build;
pub mod cache;
pub mod context;
pub mod copy;
pub mod error;
pub mod events;
pub mod every;
pub mod exec;
pub mod export;
pub mod fallen;
pub mod image;
pub mod layer;
pub mod pattern;
pub mod plan;
pub mod preflight;
pub mod problem;
pub mod proof;
pub mod prove;
pub mod push;
pub mod remote;
pub mod request;
pub mod reshape;
pub mod sandbox;
pub mod store;
pub mod verify;
