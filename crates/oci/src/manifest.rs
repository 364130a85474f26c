//! Descriptors, manifests and indexes. Unknown fields are kept, so that what is read and written
//! again says the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

pub use crate::error::ManifestError;
use crate::{
    digest::Digest,
    matching::{self, Compatibility},
    media_type,
    platform::Platform,
};

/// The largest manifest or index that mlint reads: what the distribution specification asks
/// registries to take at the least, and hundreds of times what real ones have.
pub const MAX_MANIFEST: u64 = 4 * 1024 * 1024;

/// Reads `null` as the default: Go writes empty lists so.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// The platform of a descriptor, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorPlatform {
    /// Architecture in Go's words.
    #[serde(default)]
    pub architecture: String,
    /// Operating system in Go's words.
    #[serde(default)]
    pub os: String,
    /// Windows' version.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Variant: `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl DescriptorPlatform {
    /// Normalised.
    pub fn platform(&self) -> Platform {
        Platform::new(&self.os, &self.architecture, self.variant.as_deref())
    }

    /// `unknown/unknown`, the mark of what does not run.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }
}

impl From<&Platform> for DescriptorPlatform {
    fn from(p: &Platform) -> Self {
        Self {
            architecture: p.arch().to_owned(),
            os: p.os().to_owned(),
            variant: p.variant().map(str::to_owned),
            ..Self::default()
        }
    }
}

/// Points at content by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the content is.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Other places to get it from (foreign layers).
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The platform, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<DescriptorPlatform>,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Descriptor {
    /// A descriptor without annotations and platform.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            extra: Map::new(),
        }
    }

    /// A descriptor of these bytes.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// The same with a platform.
    pub fn with_platform(mut self, platform: &Platform) -> Self {
        self.platform = Some(platform.into());
        self
    }

    /// The platform, normalised.
    pub fn platform(&self) -> Option<Platform> {
        self.platform.as_ref().map(DescriptorPlatform::platform)
    }

    /// Whether it is an attestation (provenance, SBOM) and no image that runs.
    pub fn is_attestation(&self) -> bool {
        self.annotations.contains_key("vnd.docker.reference.type")
            || self.platform.as_ref().is_some_and(DescriptorPlatform::is_unknown)
    }
}

/// An image manifest: one platform's config and layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The media type, which OCI allows to be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What the artifact is, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image config.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "nullable")]
    pub layers: Vec<Descriptor>,
    /// What it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Manifest {
    /// An OCI manifest.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            extra: Map::new(),
        }
    }

    /// Whether it is an image (and not a Helm chart, a signature or another artifact).
    pub fn is_image(&self) -> bool {
        media_type::is_image_config(&self.config.media_type)
    }

    /// Config and layers: everything it needs to be in the repository.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

/// An image index (manifest list): one manifest per platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The media type, which OCI allows to be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What the artifact is, if it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The manifests, attestations included.
    #[serde(default, deserialize_with = "nullable")]
    pub manifests: Vec<Descriptor>,
    /// What it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Index {
    /// An OCI index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
            extra: Map::new(),
        }
    }

    /// The manifests that run: attestations left out.
    pub fn images(&self) -> impl Iterator<Item = &Descriptor> {
        self.manifests.iter().filter(|d| !d.is_attestation())
    }

    /// The platforms on offer, in the index's order, each once.
    pub fn platforms(&self) -> Vec<Platform> {
        let mut out = Vec::new();
        for platform in self.images().filter_map(Descriptor::platform) {
            if !out.contains(&platform) {
                out.push(platform);
            }
        }
        out
    }

    /// The manifest that containerd and BuildKit take for a platform, and how well it fits.
    pub fn select(&self, want: &Platform) -> Option<(&Descriptor, Compatibility)> {
        matching::best(want, self.images().filter_map(|d| Some((d.platform()?, d))))
    }
}

/// A manifest or an index.
// Read one at a time, so that the smaller variant's spare room costs nothing.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One platform's manifest.
    Manifest(Manifest),
    /// An index.
    Index(Index),
}

impl Document {
    /// Reads a manifest or an index; `content_type` is what the registry's header says.
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(ManifestError::TooLarge {
                what: "manifest",
                size: bytes.len() as u64,
                limit: MAX_MANIFEST,
            });
        }
        /// Just enough to tell what it is.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Probe {
            #[serde(default)]
            schema_version: Option<u32>,
            #[serde(default)]
            media_type: Option<String>,
            #[serde(default)]
            layers: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            config: Option<serde::de::IgnoredAny>,
            #[serde(default)]
            manifests: Option<serde::de::IgnoredAny>,
        }
        let malformed =
            |what, e: serde_json::Error| ManifestError::Malformed { what, problem: e.to_string() };
        let probe: Probe = serde_json::from_slice(bytes).map_err(|e| malformed("manifest", e))?;
        // "application/json" and the like say nothing; parameters after ';' neither.
        let header = content_type
            .map(|t| t.split(';').next().unwrap_or_default().trim())
            .filter(|t| t.starts_with("application/vnd."));
        if let (Some(header), Some(body)) = (header, &probe.media_type)
            && header != body
        {
            return Err(ManifestError::TypeMismatch {
                header: header.to_owned(),
                body: body.clone(),
            });
        }
        let named = probe.media_type.as_deref().or(header);
        if probe.schema_version == Some(1)
            || matches!(named, Some(media_type::DOCKER_SCHEMA1 | media_type::DOCKER_SCHEMA1_SIGNED))
        {
            return Err(ManifestError::Schema1);
        }
        if probe.manifests.is_some() && (probe.layers.is_some() || probe.config.is_some()) {
            return Err(ManifestError::Ambiguous);
        }
        let is_index = match named {
            Some(t) if media_type::is_index(t) => true,
            Some(t) if media_type::is_manifest(t) => false,
            Some(t) => {
                return Err(ManifestError::UnknownMediaType { media_type: t.to_owned() });
            }
            None => probe.manifests.is_some(),
        };
        if is_index {
            serde_json::from_slice(bytes).map(Self::Index).map_err(|e| malformed("index", e))
        } else {
            serde_json::from_slice(bytes).map(Self::Manifest).map_err(|e| malformed("manifest", e))
        }
    }

    /// Its media type, with OCI's filled in where it is left out.
    pub fn media_type(&self) -> &str {
        match self {
            Self::Manifest(m) => m.media_type.as_deref().unwrap_or(media_type::OCI_MANIFEST),
            Self::Index(i) => i.media_type.as_deref().unwrap_or(media_type::OCI_INDEX),
        }
    }
}

/// Fails unless the bytes have the digest.
pub fn verify(bytes: &[u8], want: &Digest) -> Result<(), ManifestError> {
    let found = Digest::of(want.algorithm(), bytes);
    if found == *want {
        Ok(())
    } else {
        Err(ManifestError::DigestMismatch { want: want.clone(), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn index() -> String {
        let entry = |os: &str, arch: &str, more: &str| {
            format!(
                r#"{{"mediaType":"{}","digest":"{D}","size":2,"platform":{{"architecture":"{arch}","os":"{os}"{more}}}}}"#,
                media_type::OCI_MANIFEST
            )
        };
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{},{},{},{}],"x-new":{{"a":1}}}}"#,
            media_type::OCI_INDEX,
            entry("linux", "amd64", ""),
            entry("linux", "arm64", r#","variant":"v8""#),
            entry("linux", "arm", r#","variant":"v7","features":["neon"]"#),
            entry("unknown", "unknown", ""),
        )
    }

    #[test]
    fn reads_and_writes_an_index_whole() {
        let text = index();
        let Document::Index(index) = Document::parse(text.as_bytes(), None).unwrap() else {
            panic!("not an index")
        };
        let names: Vec<String> = index.platforms().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["linux/amd64", "linux/arm64", "linux/arm/v7"]);
        let back: Value = serde_json::to_value(&index).unwrap();
        assert_eq!(back, serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn selects_by_platform() {
        let Document::Index(index) = Document::parse(index().as_bytes(), None).unwrap() else {
            panic!("not an index")
        };
        let pick = |p: &str| {
            let (d, fit) = index.select(&p.parse().unwrap())?;
            Some((d.platform().unwrap().to_string(), fit))
        };
        assert_eq!(pick("linux/arm64"), Some(("linux/arm64".to_owned(), Compatibility::Exact)));
        assert_eq!(
            pick("linux/arm/v8"),
            Some(("linux/arm/v7".to_owned(), Compatibility::LowerVariant))
        );
        assert_eq!(pick("linux/s390x"), None);
        assert_eq!(pick("linux/arm/v6"), None);
    }

    #[test]
    fn tolerates_null_lists_and_a_missing_media_type() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"{}","digest":"{D}","size":0}},"layers":null}}"#,
            media_type::OCI_CONFIG
        );
        let Document::Manifest(m) =
            Document::parse(text.as_bytes(), Some("application/json")).unwrap()
        else {
            panic!("not a manifest")
        };
        assert!(m.layers.is_empty() && m.is_image());
        assert_eq!(m.blobs().count(), 1);
    }

    #[test]
    fn refuses_what_it_must_not_guess() {
        let fail = |text: &str, ct: Option<&str>| {
            Document::parse(text.as_bytes(), ct).unwrap_err().to_string()
        };
        assert!(fail("{", None).contains("can't be read"));
        assert!(fail("[]", None).contains("can't be read"));
        assert!(fail(r#"{"schemaVersion":1}"#, None).contains("schema 1"));
        assert!(
            fail(r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#, None).contains("two ways")
        );
        assert!(fail(&index(), Some(media_type::OCI_MANIFEST)).contains("refusing to guess"));
        assert!(
            fail(r#"{"schemaVersion":2}"#, Some("application/vnd.cncf.helm"))
                .contains("neither an image manifest")
        );
        let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_MANIFEST as usize));
        assert!(fail(&huge, None).contains("more than the 4194304"));
        assert!(verify(b"x", &Digest::sha256(b"y")).unwrap_err().to_string().contains("damaged"));
    }
}
