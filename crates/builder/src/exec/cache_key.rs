//! Keys of results: what goes in decides what comes out.

use mlint_oci::Digest;
use serde::Serialize;

use crate::layer::Compression;

/// Changes when a step with an equal key would make something else than before.
const VERSION: u32 = 1;

/// A key of everything that matters to a result.
pub fn key(kind: &str, compression: Compression, parts: &impl Serialize) -> Digest {
    let all = serde_json::to_vec(&(VERSION, kind, compression, parts)).unwrap_or_default();
    Digest::sha256(all)
}
