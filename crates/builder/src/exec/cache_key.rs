//! Keys of results: what goes in decides what comes out.

use mlint_oci::Digest;
use serde::Serialize;

/// Changes when a step with an equal key would make something else than before.
const VERSION: u32 = 4;

/// A key of everything that matters to a result. How its layer is compressed does not: that is an
/// output's wish.
pub fn key(kind: &str, parts: &impl Serialize) -> Digest {
    let all = serde_json::to_vec(&(VERSION, kind, parts)).unwrap_or_default();
    Digest::sha256(all)
}
