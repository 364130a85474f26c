//! Caches that are kept elsewhere, for machines that start without one: in a registry, or in a
//! directory.
//!
//! The form is mlint's own, not BuildKit's, whose cache knows nothing of our keys. It is an index of
//! artifacts, one for each platform; an export replaces those of its platforms and leaves the
//! others, so that builds on several machines fill one cache.
//!
//! ```text
//! index                   artifactType application/vnd.mlint.cache.v1
//! └ manifest, per platform
//!   ├ config              application/vnd.mlint.cache.config.v1+json: a [`CacheConfig`]
//!   └ layers              the layers that its steps made: all, or (`mode=min`) the images' own
//! ```
//!
//! A step whose layer isn't among them is a promise: it helps a build of which nothing changed.
//!
//! What a cache says is believed, as that of every builder is: who may write it decides what a step
//! has made. Blobs are fetched when something needs them, and checked against their digests then.

mod directory;
mod export;
mod import;

use mlint_oci::{Descriptor, Digest, Index, Manifest, Platform, media_type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use export::export;
pub use import::Imported;

use crate::store::LayerRef;

/// What index and manifests are.
const ARTIFACT: &str = "application/vnd.mlint.cache.v1";
/// What a manifest's config is.
const CONFIG: &str = "application/vnd.mlint.cache.config.v1+json";
/// What BuildKit's config is.
const BUILDKIT: &str = "application/vnd.buildkit.cacheconfig.v0";
/// A blob for manifests that have no layer.
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");
/// The longest config that is read.
const MAX_CONFIG: u64 = 64 << 20;
/// The version of [`CacheConfig`].
const VERSION: u32 = 1;

/// What a cache knows of one platform's build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CacheConfig {
    version: u32,
    steps: Vec<CachedStep>,
    /// Smaller things: proofs of images, what servers said of files.
    #[serde(default)]
    notes: Vec<Note>,
}

/// A step, and the layer that it made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CachedStep {
    /// Which keys: `run`, `copy`, `workdir`.
    pub kind: String,
    /// Its key.
    pub key: Digest,
    /// Its layer.
    pub layer: LayerRef,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// The step, for people.
    #[serde(default)]
    pub about: String,
    /// Kind and key that its content is found by, if that has a record of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<(String, Digest)>,
}

/// A record that is no step's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// Which records: `proof`, `url`.
    pub kind: String,
    /// Its key.
    pub key: Digest,
    /// What it says.
    pub value: Value,
}

/// One platform's part, ready to be written.
struct Part {
    layers: Vec<LayerRef>,
    config: Vec<u8>,
    config_descriptor: Descriptor,
    manifest: Vec<u8>,
    /// With the platform.
    descriptor: Descriptor,
}

impl Part {
    /// Of the steps that are only named, no layer is in the part.
    fn new(
        platform: &Platform,
        mut steps: Vec<CachedStep>,
        named: Vec<CachedStep>,
        notes: Vec<Note>,
    ) -> serde_json::Result<Self> {
        let mut layers: Vec<LayerRef> = Vec::new();
        for step in &steps {
            if !layers.iter().any(|known| known.digest == step.layer.digest) {
                layers.push(step.layer.clone());
            }
        }
        steps.extend(named);
        let config = serde_json::to_vec(&CacheConfig { version: VERSION, steps, notes })?;
        let config_descriptor = Descriptor::of(CONFIG, &config);
        let mut descriptors: Vec<Descriptor> = layers
            .iter()
            .map(|l| Descriptor::new(&l.media_type, l.digest.clone(), l.size))
            .collect();
        if descriptors.is_empty() {
            descriptors.push(Descriptor::of(EMPTY.0, EMPTY.1));
        }
        let mut manifest = Manifest::new(config_descriptor.clone(), descriptors);
        manifest.artifact_type = Some(ARTIFACT.to_owned());
        let manifest = serde_json::to_vec(&manifest)?;
        let mut descriptor =
            Descriptor::of(media_type::OCI_MANIFEST, &manifest).with_platform(platform);
        descriptor.extra.insert("artifactType".to_owned(), ARTIFACT.into());
        Ok(Self { layers, config, config_descriptor, manifest, descriptor })
    }

    /// The small blobs that the manifest names.
    fn small_blobs(&self) -> Vec<(Descriptor, Vec<u8>)> {
        let mut blobs = vec![(self.config_descriptor.clone(), self.config.clone())];
        if self.layers.is_empty() {
            blobs.push((Descriptor::of(EMPTY.0, EMPTY.1), EMPTY.1.to_vec()));
        }
        blobs
    }
}

/// The index of these parts, and of what there was for other platforms.
fn merged(before: Option<&Index>, parts: &[Part]) -> serde_json::Result<Vec<u8>> {
    let mut manifests: Vec<Descriptor> = parts.iter().map(|p| p.descriptor.clone()).collect();
    let ours: Vec<Option<Platform>> = manifests.iter().map(Descriptor::platform).collect();
    let others = before.into_iter().flat_map(|index| &index.manifests);
    manifests.extend(others.filter(|d| !ours.contains(&d.platform())).cloned());
    manifests.sort_by_key(|d| d.platform().map(|p| p.to_string()));
    let mut index = Index::new(manifests);
    index.artifact_type = Some(ARTIFACT.to_owned());
    serde_json::to_vec(&index)
}

/// Whether an index is a cache of ours.
fn is_cache(index: &Index) -> bool {
    index.artifact_type.as_deref() == Some(ARTIFACT)
}

/// What an index is that is no cache of ours.
fn what_index(index: &Index) -> &'static str {
    match index.manifests.iter().any(|d| d.media_type == BUILDKIT) {
        true => "a cache of BuildKit's",
        false => "an image",
    }
}

/// What a manifest is that is no cache of ours.
fn what_manifest(manifest: &Manifest) -> &'static str {
    match manifest.config.media_type == BUILDKIT {
        true => "a cache of BuildKit's",
        false => "an image",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(platform: &str, text: &str) -> Part {
        let layer = LayerRef {
            diff_id: Digest::sha256(text),
            digest: Digest::sha256(text),
            size: 7,
            media_type: media_type::OCI_LAYER_GZIP.to_owned(),
            origin: None,
            compression: None,
        };
        let step = CachedStep {
            kind: "run".to_owned(),
            key: Digest::sha256(b"key"),
            layer,
            created: 1,
            about: String::new(),
            content: None,
        };
        let platform = platform.parse().unwrap();
        Part::new(&platform, vec![step.clone(), step], Vec::new(), Vec::new()).unwrap()
    }

    #[test]
    fn an_export_leaves_what_other_platforms_have() {
        let digests = |bytes: &[u8]| -> Vec<(String, Digest)> {
            let index: Index = serde_json::from_slice(bytes).unwrap();
            assert!(is_cache(&index));
            let shown = |d: &Descriptor| (d.platform().unwrap().to_string(), d.digest.clone());
            index.manifests.iter().map(shown).collect()
        };
        let (amd64, arm64) = (part("linux/amd64", "a"), part("linux/arm64", "b"));
        let first = merged(None, &[arm64]).unwrap();
        let known: Index = serde_json::from_slice(&first).unwrap();
        let both = merged(Some(&known), std::slice::from_ref(&amd64)).unwrap();
        let of_arm64 = known.manifests[0].digest.clone();
        let want = [
            ("linux/amd64".to_owned(), amd64.descriptor.digest.clone()),
            ("linux/arm64".to_owned(), of_arm64),
        ];
        assert_eq!(digests(&both), want);
        let known: Index = serde_json::from_slice(&both).unwrap();
        let newer = part("linux/arm64", "c");
        let again = digests(&merged(Some(&known), std::slice::from_ref(&newer)).unwrap());
        assert_eq!(again[1].1, newer.descriptor.digest, "its own is replaced");
        assert_eq!((again.len(), newer.layers.len()), (2, 1));
    }

    #[test]
    fn other_things_are_told_by_what_they_are() {
        let mut index = Index::new(vec![Descriptor::of(BUILDKIT, b"{}")]);
        assert_eq!(what_index(&index), "a cache of BuildKit's");
        index.manifests.clear();
        assert_eq!(what_index(&index), "an image");
        let manifest = Manifest::new(Descriptor::of(BUILDKIT, b"{}"), Vec::new());
        assert_eq!(what_manifest(&manifest), "a cache of BuildKit's");
    }
}
