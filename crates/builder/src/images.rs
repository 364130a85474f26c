//! Images that are there already: in a registry, an OCI layout, or an archive.

use std::path::{Path, PathBuf};

use mlint_oci::{
    Descriptor, Digest, Hasher, ImageConfig, Platform, Reference, config::MAX_CONFIG,
    manifest::MAX_MANIFEST, media_type,
};
use mlint_registry::Client;
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::{
    context::unpack_context,
    error::FsError,
    exec::{LayoutImage, fetch_layer, resolved, wait},
    layer::View,
    problem::{BuildError, Problem},
    request::ImageSource,
    sandbox::Session,
    store::{LayerRef, Store, remove_tree},
};

/// What looking at images needs.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// The session.
    pub session: &'a Session,
    /// Where layers are kept.
    pub store: &'a Store,
    /// The registries.
    pub client: &'a Client,
    /// Where requests run.
    pub runtime: &'a Handle,
}

/// An image and the platforms that it offers.
pub struct Opened<'a> {
    look: Look<'a>,
    kind: Kind,
    /// What identifies it as a whole; empty for what has no digest.
    pub digest: String,
    /// The platforms; attestations are left out.
    pub offers: Vec<Offer>,
    /// An archive's files, as long as they are needed.
    unpacked: Option<PathBuf>,
}

enum Kind {
    Registry(Reference),
    Layout(PathBuf),
    Docker(PathBuf, Vec<DockerImage>),
}

/// One platform of an image.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The platform; nothing if the image does not say it.
    pub platform: Option<Platform>,
    /// Its manifest's digest, or its config's where there is no manifest.
    pub digest: Digest,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Manifest(Box<Descriptor>),
    Docker(usize),
}

/// One platform's image, with its layers in the store.
pub struct FoundImage {
    /// Its config.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub layers: Vec<LayerRef>,
}

/// An entry of the list in an archive of `docker save`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DockerImage {
    config: String,
    #[serde(default, deserialize_with = "nullable")]
    repo_tags: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    layers: Vec<String>,
}

fn nullable<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

impl<'a> Opened<'a> {
    /// Finds an image and reads which platforms it offers.
    pub fn open(look: Look<'a>, source: &ImageSource) -> Result<Self, BuildError> {
        match source {
            ImageSource::Registry(name) => Self::in_registry(look, name),
            ImageSource::Layout { path, target } => Self::in_layout(look, path, target),
            ImageSource::Archive { path, target } => {
                let dir = look.store.temporary_dir("archive")?;
                let opened = unpack_context(path, &dir)
                    .map_err(|e| no_image(path, e.to_string()))
                    .and_then(|()| match dir.join("index.json").exists() {
                        true => Self::in_layout(look, &dir, target),
                        false => Self::in_docker(look, path, &dir, target),
                    });
                match opened {
                    Ok(mut opened) => {
                        opened.unpacked = Some(dir);
                        Ok(opened)
                    }
                    Err(error) => {
                        remove_tree(&dir);
                        Err(error)
                    }
                }
            }
        }
    }

    fn in_registry(look: Look<'a>, name: &str) -> Result<Self, BuildError> {
        let reference = Reference::parse(name)?;
        let image = look.wait(look.client.image(&reference))??;
        let offers = image.platforms.into_iter().map(|offer| Offer {
            platform: offer.platform,
            digest: offer.descriptor.digest.clone(),
            what: What::Manifest(Box::new(offer.descriptor)),
        });
        let digest = image.resolved.descriptor.digest.to_string();
        let (kind, offers) = (Kind::Registry(reference), offers.collect());
        Ok(Self { look, kind, digest, offers, unpacked: None })
    }

    fn in_layout(look: Look<'a>, dir: &Path, target: &str) -> Result<Self, BuildError> {
        let LayoutImage { digest, offers } = LayoutImage::find(dir, target)?;
        let offers = offers.into_iter().map(|(platform, descriptor)| Offer {
            platform,
            digest: descriptor.digest.clone(),
            what: What::Manifest(Box::new(descriptor)),
        });
        let digest = digest.map(|digest| digest.to_string()).unwrap_or_default();
        let (kind, offers) = (Kind::Layout(dir.to_owned()), offers.collect());
        Ok(Self { look, kind, digest, offers, unpacked: None })
    }

    fn in_docker(
        look: Look<'a>,
        path: &Path,
        dir: &Path,
        target: &str,
    ) -> Result<Self, BuildError> {
        let list = dir.join("manifest.json");
        if !list.exists() {
            let what = "it is neither an OCI archive nor one of docker save".to_owned();
            return Err(no_image(path, what));
        }
        let bytes = read(&list, MAX_MANIFEST, path)?;
        let all: Vec<DockerImage> =
            serde_json::from_slice(&bytes).map_err(|e| no_image(path, e.to_string()))?;
        let named = |image: &DockerImage| {
            let is = |tag: &String| tag == target || tag.rsplit('/').next() == Some(target);
            target.is_empty() || image.repo_tags.iter().any(is)
        };
        let mut offers = Vec::new();
        for (number, image) in all.iter().enumerate().filter(|(_, image)| named(image)) {
            let bytes = read(&inside(dir, &image.config, path)?, MAX_CONFIG, path)?;
            let config = ImageConfig::parse(&bytes).map_err(|e| no_image(path, e.to_string()))?;
            let (platform, digest) = (config.platform(), Digest::sha256(&bytes));
            if offers
                .iter()
                .any(|known: &Offer| known.platform == platform && known.digest != digest)
            {
                let tags = all.iter().flat_map(|i| &i.repo_tags).cloned().collect::<Vec<_>>();
                let what = format!("it holds several images; name one: {}", tags.join(", "));
                return Err(no_image(path, what));
            }
            offers.push(Offer { platform, digest, what: What::Docker(number) });
        }
        if offers.is_empty() {
            return Err(no_image(path, format!("it has no image '{target}'")));
        }
        let (kind, digest) = (Kind::Docker(dir.to_owned(), all), String::new());
        Ok(Self { look, kind, digest, offers, unpacked: None })
    }

    /// One platform's config and layers.
    pub fn image(&self, offer: &Offer) -> Result<FoundImage, BuildError> {
        let Look { session, store, client, .. } = self.look;
        let interrupted = || session.cancel().is_cancelled();
        match (&self.kind, &offer.what) {
            (Kind::Registry(reference), What::Manifest(descriptor)) => {
                let image = self.look.wait(client.platform_image(reference, descriptor))??;
                let image = resolved(reference, image);
                // What the store has of it says nothing about the registry.
                for layer in &image.layers {
                    if !self.look.wait(client.blob_exists(reference, &layer.digest))?? {
                        let what = format!("the registry does not have its layer {}", layer.digest);
                        return Err(no_image(Path::new(&reference.familiar()), what));
                    }
                }
                Ok(FoundImage { config: image.config, layers: image.layers })
            }
            (Kind::Layout(dir), What::Manifest(descriptor)) => {
                LayoutImage::check(dir, descriptor, &interrupted)?;
                let (config, layers) = LayoutImage::take(store, dir, descriptor, &interrupted)?;
                Ok(FoundImage { config, layers })
            }
            (Kind::Docker(dir, all), What::Docker(number)) => {
                let Some(image) = all.get(*number) else { return Err(Problem::NoStage.into()) };
                self.docker_image(dir, image, &interrupted)
            }
            _ => Err(no_image(Path::new(""), "it is of another kind".to_owned())),
        }
    }

    fn docker_image(
        &self,
        dir: &Path,
        image: &DockerImage,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<FoundImage, BuildError> {
        let bytes = read(&inside(dir, &image.config, dir)?, MAX_CONFIG, dir)?;
        let config = ImageConfig::parse(&bytes).map_err(|e| no_image(dir, e.to_string()))?;
        if config.rootfs.diff_ids.len() != image.layers.len() {
            let what = "its config and its list disagree about the number of layers".to_owned();
            return Err(no_image(dir, what));
        }
        let mut layers = Vec::new();
        for (name, diff_id) in image.layers.iter().zip(&config.rootfs.diff_ids) {
            let path = inside(dir, name, dir)?;
            layers.push(import(self.look.store, &path, diff_id, interrupted)?);
        }
        Ok(FoundImage { config, layers })
    }

    /// What an image's layers show together.
    pub fn view(&self, image: &FoundImage) -> Result<View, BuildError> {
        let Look { session, store, client, runtime } = self.look;
        let mut view = View::default();
        for (number, layer) in image.layers.iter().enumerate() {
            if !store.has_index(layer) {
                fetch_layer(session, store, client, runtime, layer, &|_| {})?;
            }
            view.apply(number, &*store.index(layer)?);
        }
        Ok(view)
    }

    /// A small file of an image; empty if it is not there or can't be read.
    pub fn text(&self, image: &FoundImage, view: &View, path: &str) -> String {
        use crate::layer::{entry::ImagePath, view::Lookup};
        let Lookup::Found(path) = view.resolve(&ImagePath::from(path), true) else {
            return String::new();
        };
        let layer = view.get(&path).and_then(|node| image.layers.get(node.layer));
        let Look { session, store, client, runtime } = self.look;
        let read = |layer: &LayerRef| {
            fetch_layer(session, store, client, runtime, layer, &|_| {}).ok()?;
            store.file_of(layer, &path).ok().flatten()
        };
        layer.and_then(read).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if let Some(dir) = &self.unpacked {
            remove_tree(dir);
        }
    }
}

impl Look<'_> {
    fn wait<T>(&self, request: impl Future<Output = T>) -> Result<T, BuildError> {
        wait(self.runtime, self.session, request)
    }
}

fn no_image(path: &Path, reason: String) -> BuildError {
    Problem::NoImage { image: path.display().to_string(), reason }.into()
}

/// A file of an unpacked archive. Its links lead nowhere else.
fn inside(dir: &Path, name: &str, archive: &Path) -> Result<PathBuf, BuildError> {
    let path = dir.join(crate::layer::entry::ImagePath::from(name).as_path());
    let real = path.canonicalize().map_err(FsError::new("read", &path))?;
    match dir.canonicalize().is_ok_and(|dir| real.starts_with(dir)) {
        true => Ok(real),
        false => Err(no_image(archive, format!("{name} leads out of it"))),
    }
}

fn read(path: &Path, limit: u64, image: &Path) -> Result<Vec<u8>, BuildError> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .map_err(FsError::new("read", path))?;
    match bytes.len() as u64 > limit {
        true => Err(no_image(image, format!("{} is too large", path.display()))),
        false => Ok(bytes),
    }
}

/// Takes a layer without a digest of its own into the store.
fn import(
    store: &Store,
    from: &Path,
    diff_id: &Digest,
    interrupted: &dyn Fn() -> bool,
) -> Result<LayerRef, BuildError> {
    use std::io::{Read, Write};
    let to = store.temporary("blob");
    let mut hasher = Hasher::sha256();
    let mut size = 0;
    let mut copy = || -> std::io::Result<()> {
        let mut source = std::fs::File::open(from)?;
        let mut target = std::fs::File::create_new(&to)?;
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let n = source.read(&mut buffer)?;
            if n == 0 {
                return Ok(());
            }
            if interrupted() {
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            hasher.update(&buffer[..n]);
            size += n as u64;
            target.write_all(&buffer[..n])?;
        }
    };
    copy().map_err(FsError::new("copy", from))?;
    let digest = hasher.finish();
    store.adopt_blob(&to, &digest)?;
    let media_type = media_type::OCI_LAYER.to_owned();
    Ok(LayerRef {
        diff_id: diff_id.clone(),
        digest,
        size,
        media_type,
        origin: None,
        compression: None,
    })
}
