//! What can be wrong with a manifest, an index or a config.

use crate::digest::Digest;

/// Why a manifest, an index or a config cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is larger than mlint reads.
    #[error(
        "the {what} has {size} bytes, more than the {limit} that mlint reads; it is hardly a real one"
    )]
    TooLarge {
        /// `manifest`, `image config`.
        what: &'static str,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// It is not as large as whoever points at it says.
    #[error("the {what} has {found} bytes, but {stated} are stated where it is named")]
    Size {
        /// `manifest`.
        what: &'static str,
        /// What was stated.
        stated: u64,
        /// What it has.
        found: u64,
    },
    /// More layers than can be laid over one another.
    #[error("the image has {layers} layers, more than the {limit} that can be stacked")]
    TooManyLayers {
        /// How many it has.
        layers: usize,
        /// The limit.
        limit: usize,
    },
    /// It is no JSON, or lacks something.
    #[error("the {what} can't be read: {problem}")]
    Malformed {
        /// `manifest`, `index`, `image config`.
        what: &'static str,
        /// The JSON reader's words.
        problem: String,
    },
    /// Docker's schema 1, which names no platform and was retired.
    #[error(
        "the manifest is of Docker's old schema 1, which mlint does not read; push the image again with a current tool"
    )]
    Schema1,
    /// Neither an image manifest nor an index.
    #[error("media type '{media_type}' is neither an image manifest nor an image index")]
    UnknownMediaType {
        /// The media type.
        media_type: String,
    },
    /// The header says one type and the document another.
    #[error(
        "the registry calls the document '{header}' but it calls itself '{body}'; refusing to guess"
    )]
    TypeMismatch {
        /// The response's content type.
        header: String,
        /// The document's `mediaType`.
        body: String,
    },
    /// It has both `layers` and `manifests`, the known confusion attack.
    #[error("the document has both layers and manifests, so it could be read in two ways")]
    Ambiguous,
    /// A layer that no file system can be made of.
    #[error("a layer has media type '{media_type}', which mlint does not know how to unpack")]
    UnknownLayer {
        /// The media type.
        media_type: String,
    },
    /// The bytes have another digest than asked for.
    #[error(
        "the content's digest is {found}, not {want}: it was changed or damaged on the way; try again, and if it stays, ask the registry's owner"
    )]
    DigestMismatch {
        /// The digest asked for.
        want: Digest,
        /// The digest of what came.
        found: Digest,
    },
    /// Layers and diff ids do not agree.
    #[error(
        "the manifest has {layers} layers but the image config lists {diff_ids} diff ids: the image is broken"
    )]
    LayerCount {
        /// Layers in the manifest.
        layers: usize,
        /// Entries of `rootfs.diff_ids`.
        diff_ids: usize,
    },
    /// History and layers do not agree.
    #[error(
        "the image config's history describes {history} layers but there are {layers}: the image is broken"
    )]
    HistoryCount {
        /// Layers in the manifest.
        layers: usize,
        /// History entries without `empty_layer`.
        history: usize,
    },
}
