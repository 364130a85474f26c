//! Base images: resolved before the first step, fetched when a step needs their files.

use std::sync::atomic::{AtomicU64, Ordering};

use mlint_oci::{Descriptor, Document, Platform, Reference};
use mlint_registry::{Client, PlatformImage, RegistryError};

use tokio::runtime::Handle;

use super::{Exec, lock, wait};
use crate::{
    error::FsError,
    events::Event,
    plan::{ImageNeed, ResolvedImage, ResolvedImages},
    problem::{At, BuildError, Problem},
    sandbox::Session,
    store::{LayerRef, Store},
};

/// Images that are not there, each with the reason at its place.
pub type Missing = Vec<(ImageNeed, BuildError)>;

/// Resolves all images that a build needs, all at the same time. Gives those that were found, and
/// those that were not.
pub async fn resolve_images(client: &Client, needs: &[ImageNeed]) -> (ResolvedImages, Missing) {
    let mut tasks = Vec::new();
    for need in needs {
        let (client, need) = (client.clone(), need.clone());
        tasks.push((need.clone(), tokio::spawn(async move { resolve(&client, &need).await })));
    }
    let mut resolved = ResolvedImages::default();
    let mut missing = Vec::new();
    for (need, task) in tasks {
        let result = match task.await {
            Ok(result) => result,
            Err(e) => {
                let (image, reason) = (need.reference.familiar(), e.to_string());
                Err(Problem::NoImage { image, reason }.into())
            }
        };
        match result.at(need.span) {
            Ok(image) => resolved.insert(&need, image),
            Err(error) => missing.push((need, error)),
        }
    }
    (resolved, missing)
}

async fn resolve(client: &Client, need: &ImageNeed) -> Result<ResolvedImage, BuildError> {
    let image = client.resolve(&need.reference).await?;
    let descriptor = match &image.document {
        Document::Index(index) => match index.select(&need.platform) {
            Some((descriptor, _)) => descriptor.clone(),
            None => {
                let offered = index.platforms();
                return Err(no_platform(&need.reference, &need.platform, &offered));
            }
        },
        Document::Manifest(_) => image.descriptor.clone(),
    };
    let single = matches!(image.document, Document::Manifest(_));
    let found = client.platform_image(&need.reference, &descriptor).await?;
    if single && let Some(have) = found.config.platform() {
        let fits = mlint_oci::matching::compatibility(&need.platform, &have).is_some();
        if !fits {
            return Err(Problem::OtherPlatform {
                image: need.reference.familiar(),
                platform: need.platform.clone(),
                offered: have.to_string(),
            }
            .into());
        }
    }
    Ok(ResolvedImage { named: image.descriptor.digest, ..resolved(&need.reference, found) })
}

/// An image of the registry as the builder uses it.
pub fn resolved(reference: &Reference, image: PlatformImage) -> ResolvedImage {
    let origin = reference.without_target().to_string();
    let layers = image
        .layers
        .into_iter()
        .map(|layer| LayerRef {
            diff_id: layer.diff_id,
            digest: layer.descriptor.digest,
            size: layer.descriptor.size,
            media_type: layer.descriptor.media_type,
            origin: Some(origin.clone()),
            compression: None,
        })
        .collect();
    ResolvedImage {
        reference: reference.clone(),
        named: image.descriptor.digest.clone(),
        digest: image.descriptor.digest,
        is_local: false,
        layers,
        config: image.config,
    }
}

fn no_platform(reference: &Reference, platform: &Platform, offered: &[Platform]) -> BuildError {
    let offered = match offered {
        [] => "no platform at all".to_owned(),
        some => some.iter().map(Platform::to_string).collect::<Vec<_>>().join(", "),
    };
    let (image, platforms) = (reference.familiar(), vec![platform.clone()]);
    Problem::NoPlatform { image, platforms, offered }.into()
}

/// Brings a layer's archive into the store.
pub fn fetch(exec: &Exec<'_>, layer: &LayerRef) -> Result<(), BuildError> {
    let done = AtomicU64::new(0);
    let progress = |more| {
        let bytes = done.fetch_add(more, Ordering::Relaxed) + more;
        let name = layer.digest.short().to_owned();
        exec.events.event(Event::Transfer { name, bytes, total: layer.size, up: false });
    };
    if layer.origin.is_none() && exec.imported.fetch(exec, layer, &progress)? {
        return Ok(());
    }
    fetch_layer(exec.session, exec.store, exec.client, exec.runtime, layer, &progress)
}

/// Brings a layer's archive into a store.
pub fn fetch_layer(
    session: &Session,
    store: &Store,
    client: &Client,
    runtime: &Handle,
    layer: &LayerRef,
    progress: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), BuildError> {
    if store.has_layer(layer) {
        return Ok(());
    }
    let _lock = lock(session, store, "blob", layer.digest.hex())?;
    if store.has_layer(layer) {
        return Ok(());
    }
    let Some(origin) = &layer.origin else {
        // Made here once, and gone since: somebody has cleared a part of the cache.
        let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
        let path = store.blob_path(&layer.digest);
        return Err(FsError::new("read", &path)(gone).into());
    };
    let reference = Reference::parse(origin)?;
    let descriptor = Descriptor::new(&layer.media_type, layer.digest.clone(), layer.size);
    let path = store.temporary("blob");
    let request = client.fetch_blob(&reference, &descriptor, &path, Some(progress));
    wait(runtime, session, request)?.map_err(storage_error)?;
    store.adopt_blob(&path, &layer.digest)?;
    Ok(())
}

/// A full disk is no fault of the registry: told as the store tells it.
fn storage_error(error: RegistryError) -> BuildError {
    match error {
        RegistryError::File { action, path, source } => FsError { action, path, source }.into(),
        error => error.into(),
    }
}
