//! Pushes images: blobs, manifests, the index, and the tags last.

use std::{collections::BTreeMap, sync::Arc};

use mlint_oci::{Descriptor, Reference};
use mlint_registry::{
    BlobSource, Client, PlannedBlob, PlannedManifest, PushError, PushPlan, PushReport,
};

use crate::{
    exec::Exec,
    image::{BuiltImage, Root},
    problem::{BuildError, Problem},
    store::LayerRef,
};

/// Blobs that go up at the same time.
const CONCURRENCY: usize = 4;

/// Reads the names to push to.
pub fn references(tags: &[String]) -> Result<Vec<Reference>, BuildError> {
    tags.iter().map(|tag| Ok(Reference::parse(tag)?)).collect()
}

/// Pushes to these names, or to the request's; gives what it did, and the names that it pushed to.
pub fn push(
    exec: &Exec<'_>,
    images: &[BuiltImage],
    root: &Root,
    names: &[String],
    by_digest: bool,
) -> Result<(PushReport, Vec<String>), BuildError> {
    let names = references(if names.is_empty() { &exec.request.tags } else { names })?;
    let mut tags: BTreeMap<Reference, Vec<String>> = BTreeMap::new();
    let mut shown: Vec<String> = Vec::new();
    for name in &names {
        let of = tags.entry(name.without_target()).or_default();
        let said = match by_digest {
            true => name.without_target().familiar(),
            false => {
                of.push(name.tag().unwrap_or("latest").to_owned());
                name.familiar()
            }
        };
        if !shown.contains(&said) {
            shown.push(said);
        }
    }
    let mut plans = Vec::new();
    for (repository, tags) in tags {
        let statements = root.attested.iter().map(|a| (&a.descriptor, &a.manifest_bytes));
        let manifests = images
            .iter()
            .map(|i| (&i.descriptor, &i.manifest_bytes))
            .chain(statements)
            .map(|(d, bytes)| PlannedManifest::new(&d.media_type, bytes.clone()))
            .collect();
        let index = root
            .index
            .as_ref()
            .map(|bytes| PlannedManifest::new(&root.descriptor.media_type, bytes.clone()));
        let mut blobs = blobs(exec, images, &repository)?;
        for (descriptor, bytes) in root.attested.iter().flat_map(|a| &a.blobs) {
            blobs.push(PlannedBlob {
                descriptor: descriptor.clone(),
                source: BlobSource::Bytes(Arc::from(bytes.clone())),
                mount_from: Vec::new(),
            });
        }
        plans.push(PushPlan { repository, blobs, manifests, index, tags });
    }
    let report = exec.wait(exec.client.push(&plans, CONCURRENCY, None))?;
    Ok((report.map_err(Problem::from)?, shown))
}

/// Layers and configs of all images, each once.
fn blobs(
    exec: &Exec<'_>,
    images: &[BuiltImage],
    repository: &Reference,
) -> Result<Vec<PlannedBlob>, BuildError> {
    let mut blobs: Vec<PlannedBlob> = Vec::new();
    for image in images {
        for layer in &image.snapshot.layers {
            if blobs.iter().any(|b| b.descriptor.digest == layer.digest) {
                continue;
            }
            let mount_from = mounts(layer, repository)?;
            if !exec.store.has_layer(layer) {
                bring(exec, exec.client, layer, repository)?;
            }
            blobs.push(PlannedBlob {
                descriptor: Descriptor::new(&layer.media_type, layer.digest.clone(), layer.size),
                source: BlobSource::File(exec.store.blob_path(&layer.digest)),
                mount_from,
            });
        }
        blobs.push(PlannedBlob {
            descriptor: image.config_descriptor.clone(),
            source: BlobSource::Bytes(Arc::from(image.config_bytes.clone())),
            mount_from: Vec::new(),
        });
    }
    Ok(blobs)
}

/// Where the registry may have the layer already.
fn mounts(layer: &LayerRef, repository: &Reference) -> Result<Vec<Reference>, BuildError> {
    let Some(origin) = &layer.origin else { return Ok(Vec::new()) };
    let origin = Reference::parse(origin)?;
    Ok(match origin.registry() == repository.registry() {
        true => vec![origin],
        false => Vec::new(),
    })
}

/// A base image's layer that nobody has unpacked yet is fetched only if the target can't get it
/// from a neighbouring repository.
fn bring(
    exec: &Exec<'_>,
    client: &Client,
    layer: &LayerRef,
    repository: &Reference,
) -> Result<(), BuildError> {
    let there = exec.wait(client.blob_exists(repository, &layer.digest))?;
    if matches!(there, Ok(true)) || !mounts(layer, repository)?.is_empty() {
        return Ok(());
    }
    exec.fetch(layer)
}

impl From<PushError> for Problem {
    fn from(error: PushError) -> Self {
        Self::Push(Box::new(error))
    }
}
