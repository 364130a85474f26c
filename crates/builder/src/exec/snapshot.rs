//! A file system as a stack of layers.

use mlint_oci::Digest;

use crate::store::LayerRef;

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its layers, lowest first.
    pub layers: Vec<LayerRef>,
    /// What identifies its content: the layers' digests, chained.
    pub chain: Digest,
}

impl Snapshot {
    /// The empty file system.
    pub fn empty() -> Self {
        Self { layers: Vec::new(), chain: Digest::sha256(b"") }
    }

    /// A stack of layers.
    pub fn of(layers: Vec<LayerRef>) -> Self {
        layers.into_iter().fold(Self::empty(), |below, layer| below.with(layer))
    }

    /// With one more layer on top.
    pub fn with(&self, layer: LayerRef) -> Self {
        let chain = Digest::sha256(format!("{} {}", self.chain, layer.diff_id));
        let mut layers = self.layers.clone();
        layers.push(layer);
        Self { layers, chain }
    }
}
