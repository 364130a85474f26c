//! An image as a whole: its platforms, and each platform's config and layers.

use mlint_oci::{
    Compatibility, Descriptor, Digest, Document, ImageConfig, Manifest, Platform, Reference,
    matching,
    media_type::{self, LayerCompression},
};

use crate::{
    client::{Client, Resolved},
    error::RegistryError,
};

/// What a reference points at, with the platforms that it offers.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest or index.
    pub resolved: Resolved,
    /// The platforms, attestations left out. For a single manifest one entry, from its config.
    pub platforms: Vec<OfferedPlatform>,
}

/// One platform of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedPlatform {
    /// The platform; nothing if neither index nor config names it.
    pub platform: Option<Platform>,
    /// Its manifest.
    pub descriptor: Descriptor,
}

/// A layer: where it is, and what it is when unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The compressed blob.
    pub descriptor: Descriptor,
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// How it is packed.
    pub compression: LayerCompression,
}

/// One platform's image: manifest, config and layers, which agree with each other.
#[derive(Clone, Debug)]
pub struct PlatformImage {
    /// The manifest's descriptor.
    pub descriptor: Descriptor,
    /// The manifest.
    pub manifest: Manifest,
    /// The config.
    pub config: ImageConfig,
    /// The config's bytes.
    pub config_bytes: Vec<u8>,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
}

impl Image {
    /// Whether it is an index.
    pub fn is_index(&self) -> bool {
        matches!(self.resolved.document, Document::Index(_))
    }

    /// The platform's manifest, chosen as containerd does, and how well it fits.
    pub fn select(&self, want: &Platform) -> Option<(&OfferedPlatform, Compatibility)> {
        matching::best(
            want,
            self.platforms.iter().filter_map(|offer| Some((offer.platform.clone()?, offer))),
        )
    }
}

impl Client {
    /// Resolves an image and lists its platforms.
    pub async fn image(&self, reference: &Reference) -> Result<Image, RegistryError> {
        let resolved = self.resolve(reference).await?;
        let mut platforms = Vec::new();
        match &resolved.document {
            Document::Index(index) => {
                for descriptor in index.images() {
                    let platform = match descriptor.platform() {
                        Some(platform) => Some(platform),
                        // Allowed, and then the config says it.
                        None => self.undeclared_platform(reference, descriptor).await?,
                    };
                    platforms.push(OfferedPlatform { platform, descriptor: descriptor.clone() });
                }
            }
            Document::Manifest(manifest) => {
                let platform = self.config_platform(reference, manifest).await?;
                let descriptor = resolved.descriptor.clone();
                platforms.push(OfferedPlatform { platform, descriptor });
            }
        }
        Ok(Image { resolved, platforms })
    }

    async fn undeclared_platform(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Option<Platform>, RegistryError> {
        if !media_type::is_manifest(&descriptor.media_type) {
            return Ok(None);
        }
        match self.manifest(reference, descriptor).await?.document {
            Document::Manifest(manifest) => self.config_platform(reference, &manifest).await,
            Document::Index(_) => Ok(None),
        }
    }

    /// What an image's config says; nothing for what is no image (a chart, a signature).
    async fn config_platform(
        &self,
        reference: &Reference,
        manifest: &Manifest,
    ) -> Result<Option<Platform>, RegistryError> {
        if !manifest.is_image() {
            return Ok(None);
        }
        Ok(self.config(reference, manifest).await?.0.platform())
    }

    /// Fetches one platform's manifest and config, and checks that they and the layers agree.
    pub async fn platform_image(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
    ) -> Result<PlatformImage, RegistryError> {
        let wrong = |source| RegistryError::Manifest { reference: reference.familiar(), source };
        let resolved = self.manifest(reference, descriptor).await?;
        let Document::Manifest(manifest) = resolved.document else {
            return Err(wrong(mlint_oci::ManifestError::UnknownMediaType {
                media_type: resolved.descriptor.media_type,
            }));
        };
        let (config, config_bytes) = self.config(reference, &manifest).await?;
        config.check_against(&manifest).map_err(wrong)?;
        let mut layers = Vec::with_capacity(manifest.layers.len());
        for (descriptor, diff_id) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
            let compression =
                media_type::layer_compression(&descriptor.media_type).ok_or_else(|| {
                    wrong(mlint_oci::ManifestError::UnknownLayer {
                        media_type: descriptor.media_type.clone(),
                    })
                })?;
            let (descriptor, diff_id) = (descriptor.clone(), diff_id.clone());
            layers.push(Layer { descriptor, diff_id, compression });
        }
        let descriptor = descriptor.clone();
        Ok(PlatformImage { descriptor, manifest, config, config_bytes, layers })
    }
}
