//! Registry transport, credentials, cache; turns image queries into image facts.

pub mod facts;
pub mod table;

pub use facts::{FactOptions, resolve_facts};
