//! Images of OCI layouts on this machine: checked against their digests and taken into the store.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use mlint_oci::{
    Descriptor, Digest, Document, Hasher, ImageConfig, Index, Manifest, Platform,
    config::MAX_CONFIG, manifest::MAX_MANIFEST,
};

use crate::{
    error::FsError,
    plan::{ImageNeed, ResolvedImage},
    problem::{BuildError, Problem},
    store::{LayerRef, Store},
};

const NAME: &str = "org.opencontainers.image.ref.name";

/// An OCI layout in a directory.
pub(crate) struct Layout<'a> {
    /// The directory.
    pub(crate) dir: &'a Path,
}

/// Finds the image that is needed in its layout, and takes its layers into the store.
pub fn resolve_layout(
    store: &Store,
    need: &ImageNeed,
    dir: &Path,
    target: &str,
    interrupted: &dyn Fn() -> bool,
) -> Result<ResolvedImage, BuildError> {
    let layout = Layout { dir };
    let mut descriptor = layout.chosen(target)?;
    let named = descriptor.digest.clone();
    if let Document::Index(inner) = layout.manifest(&descriptor)? {
        let offered = || shown(&inner.platforms());
        descriptor = match inner.select(&need.platform) {
            Some((descriptor, _)) => descriptor.clone(),
            None => return Err(layout.other_platform(&need.platform, offered())),
        };
    }
    let (manifest, config) = layout.image(&descriptor)?;
    if let Some(have) = config.platform()
        && mlint_oci::matching::compatibility(&need.platform, &have).is_none()
    {
        return Err(layout.other_platform(&need.platform, have.to_string()));
    }
    let layers = layout.layers(store, &manifest, &config, interrupted)?;
    let reference = need.reference.clone();
    let digest = descriptor.digest;
    Ok(ResolvedImage { reference, digest, named, is_local: true, layers, config })
}

/// An image in a layout, with all that it offers.
pub struct LayoutImage {
    /// Its digest; `None` if it is the layout as a whole.
    pub digest: Option<Digest>,
    /// Its platforms, attestations left out, and their manifests.
    pub offers: Vec<(Option<Platform>, Descriptor)>,
}

impl LayoutImage {
    /// Finds an image. Without a target, what stands beside each other in the layout is one image.
    pub fn find(dir: &Path, target: &str) -> Result<Self, BuildError> {
        let layout = Layout { dir };
        let (digest, descriptors) = match layout.chosen(target) {
            Ok(chosen) => match layout.manifest(&chosen)? {
                Document::Index(index) => (Some(chosen.digest), index.images().cloned().collect()),
                Document::Manifest(_) => (Some(chosen.digest.clone()), vec![chosen]),
            },
            Err(error) if !target.is_empty() => return Err(error),
            Err(_) => (None, layout.index()?.images().cloned().collect()),
        };
        let mut offers = Vec::new();
        for descriptor in descriptors {
            let platform = match descriptor.platform() {
                Some(platform) => Some(platform),
                None => layout.image(&descriptor)?.1.platform(),
            };
            offers.push((platform, descriptor));
        }
        Ok(Self { digest, offers })
    }

    /// Takes the layers of one of its manifests into the store.
    pub fn take(
        store: &Store,
        dir: &Path,
        descriptor: &Descriptor,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(ImageConfig, Vec<LayerRef>), BuildError> {
        let layout = Layout { dir };
        let (manifest, config) = layout.image(descriptor)?;
        let layers = layout.layers(store, &manifest, &config, interrupted)?;
        Ok((config, layers))
    }

    /// Reads the layers of one of its manifests, and fails at one that is not what it should be. What
    /// the store has of them says nothing about the layout.
    pub fn check(
        dir: &Path,
        descriptor: &Descriptor,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), BuildError> {
        let layout = Layout { dir };
        let (manifest, _) = layout.image(descriptor)?;
        for layer in &manifest.layers {
            let path = layout.path(&layer.digest);
            let mut hasher = Hasher::new(layer.digest.algorithm());
            let mut buffer = vec![0; 256 * 1024];
            let mut file = File::open(&path).map_err(FsError::new("read", &path))?;
            loop {
                if interrupted() {
                    return Err(Problem::Interrupted.into());
                }
                match file.read(&mut buffer).map_err(FsError::new("read", &path))? {
                    0 => break,
                    n => hasher.update(&buffer[..n]),
                }
            }
            let found = hasher.finish();
            if found != layer.digest {
                return Err(layout.wrong(format!("{} is {found}", layer.digest)));
            }
        }
        Ok(())
    }
}

/// The platforms that an image in a layout offers.
pub fn layout_platforms(dir: &Path, target: &str) -> Result<Vec<Platform>, BuildError> {
    let image = LayoutImage::find(dir, target)?;
    Ok(image.offers.into_iter().filter_map(|(platform, _)| platform).collect())
}

impl Layout<'_> {
    fn index(&self) -> Result<Index, BuildError> {
        let bytes = self.read(&self.dir.join("index.json"), MAX_MANIFEST)?;
        match self.document(&bytes, None)? {
            Document::Index(index) => Ok(index),
            Document::Manifest(_) => Err(self.wrong("its index.json is no index".to_owned())),
        }
    }

    /// The image that is meant.
    fn chosen(&self, target: &str) -> Result<Descriptor, BuildError> {
        let index = self.index()?;
        let chosen = choose(&index.manifests, target);
        chosen.cloned().ok_or_else(|| self.wrong(format!("it has no image '{target}'")))
    }

    /// One platform's manifest and config, which agree with each other.
    fn image(&self, descriptor: &Descriptor) -> Result<(Manifest, ImageConfig), BuildError> {
        let Document::Manifest(manifest) = self.manifest(descriptor)? else {
            return Err(self.wrong("an index in its index is one too many".to_owned()));
        };
        let bytes = self.blob(&manifest.config, MAX_CONFIG)?;
        let config = ImageConfig::parse(&bytes).map_err(|e| self.wrong(e.to_string()))?;
        config.check_against(&manifest).map_err(|e| self.wrong(e.to_string()))?;
        Ok((manifest, config))
    }

    fn layers(
        &self,
        store: &Store,
        manifest: &Manifest,
        config: &ImageConfig,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Vec<LayerRef>, BuildError> {
        let mut layers = Vec::new();
        for (layer, diff_id) in manifest.layers.iter().zip(&config.rootfs.diff_ids) {
            self.import(store, layer, interrupted)?;
            layers.push(LayerRef {
                diff_id: diff_id.clone(),
                digest: layer.digest.clone(),
                size: layer.size,
                media_type: layer.media_type.clone(),
                origin: None,
                compression: None,
            });
        }
        Ok(layers)
    }

    fn wrong(&self, reason: String) -> BuildError {
        let image = self.dir.display().to_string();
        Problem::NoImage { image, reason }.into()
    }

    fn other_platform(&self, platform: &Platform, offered: String) -> BuildError {
        let (image, platforms) = (self.dir.display().to_string(), vec![platform.clone()]);
        Problem::NoPlatform { image, platforms, offered }.into()
    }

    /// A file, if it is no longer than that.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, BuildError> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
            .map_err(FsError::new("read", path))?;
        match bytes.len() as u64 > limit {
            true => Err(self.wrong(format!("{} is too large", path.display()))),
            false => Ok(bytes),
        }
    }

    pub(crate) fn document(
        &self,
        bytes: &[u8],
        kind: Option<&str>,
    ) -> Result<Document, BuildError> {
        Document::parse(bytes, kind).map_err(|e| self.wrong(e.to_string()))
    }

    pub(crate) fn path(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        let (algorithm, hex) = text.split_once(':').unwrap_or(("sha256", &text));
        self.dir.join("blobs").join(algorithm).join(hex)
    }

    /// A small blob, checked.
    pub(crate) fn blob(&self, descriptor: &Descriptor, limit: u64) -> Result<Vec<u8>, BuildError> {
        let bytes = self.read(&self.path(&descriptor.digest), limit)?;
        mlint_oci::manifest::verify(&bytes, &descriptor.digest)
            .map_err(|e| self.wrong(e.to_string()))?;
        Ok(bytes)
    }

    pub(crate) fn manifest(&self, descriptor: &Descriptor) -> Result<Document, BuildError> {
        let bytes = self.blob(descriptor, MAX_MANIFEST)?;
        let kind = Some(descriptor.media_type.as_str()).filter(|kind| !kind.is_empty());
        self.document(&bytes, kind)
    }

    /// Copies a layer into the store, unless it is there; what is not what it should be is not.
    pub(crate) fn import(
        &self,
        store: &Store,
        layer: &Descriptor,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), BuildError> {
        if store.blob_length(&layer.digest) == Some(layer.size) {
            return Ok(());
        }
        let (from, to) = (self.path(&layer.digest), store.temporary("blob"));
        let mut hasher = Hasher::new(layer.digest.algorithm());
        let mut copy = || -> io::Result<()> {
            let mut source = File::open(&from)?;
            let mut target = File::create_new(&to)?;
            let mut buffer = vec![0; 256 * 1024];
            loop {
                let n = source.read(&mut buffer)?;
                if n == 0 {
                    return Ok(());
                }
                if interrupted() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                hasher.update(&buffer[..n]);
                target.write_all(&buffer[..n])?;
            }
        };
        copy().map_err(FsError::new("copy", &from))?;
        let found = hasher.finish();
        if found != layer.digest {
            let _ = std::fs::remove_file(&to);
            return Err(self.wrong(format!("{} is {found}", layer.digest)));
        }
        Ok(store.adopt_blob(&to, &layer.digest)?)
    }
}

/// The image that is meant: by digest, by tag, or the only one.
fn choose<'d>(all: &'d [Descriptor], target: &str) -> Option<&'d Descriptor> {
    if let Some(digest) = target.strip_prefix('@') {
        return all.iter().find(|d| d.digest.as_str() == digest);
    }
    let tag = if target.is_empty() { "latest" } else { target };
    let named = all.iter().find(|d| {
        let name = d.annotations.get(NAME).map(String::as_str);
        name.is_some_and(|name| name == tag || name.ends_with(&format!(":{tag}")))
    });
    named.or(match all {
        [only] if target.is_empty() => Some(only),
        _ => None,
    })
}

fn shown(platforms: &[Platform]) -> String {
    match platforms {
        [] => "no platform at all".to_owned(),
        some => some.iter().map(Platform::to_string).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_that_is_meant() {
        let descriptor = |name: &str| {
            let mut d =
                Descriptor::of("application/vnd.oci.image.manifest.v1+json", name.as_bytes());
            d.annotations.insert(NAME.to_owned(), name.to_owned());
            d
        };
        let all = [descriptor("v1"), descriptor("latest"), descriptor("a.example/x:v2")];
        let name = |target: &str| choose(&all, target).map(|d| d.annotations[NAME].clone());
        assert_eq!(name("v1").as_deref(), Some("v1"));
        assert_eq!(name("").as_deref(), Some("latest"));
        assert_eq!(name("v2").as_deref(), Some("a.example/x:v2"));
        assert_eq!(name("v3"), None);
        assert_eq!(name(&format!("@{}", all[0].digest)).as_deref(), Some("v1"));
        assert!(choose(&all[..1], "").is_some() && choose(&all[..1], "v9").is_none());
    }
}
