//! Pushes images: blobs, manifests, the index, and the tags last.

use std::{collections::BTreeMap, sync::Arc};

use mlint_oci::{Descriptor, Reference};
use mlint_registry::{
    BlobSource, PlannedBlob, PlannedManifest, PushError, PushPlan, PushReport, RegistryError,
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

/// Everything that a build pushes: no tag is set before all of it is there.
pub struct Push<'a, 'e> {
    exec: &'a Exec<'e>,
    plans: Vec<PushPlan>,
    layers: Vec<LayerRef>,
}

impl<'a, 'e> Push<'a, 'e> {
    /// Of nothing yet.
    pub fn new(exec: &'a Exec<'e>) -> Self {
        Self { exec, plans: Vec::new(), layers: Vec::new() }
    }

    /// Images for these names, or for the request's; gives the names as people know them.
    ///
    /// # Errors
    /// When a name can't be read, or is one that something else is to be pushed to.
    pub fn add(
        &mut self,
        images: &[BuiltImage],
        root: &Root,
        names: &[String],
        by_digest: bool,
    ) -> Result<Vec<String>, BuildError> {
        let names = references(if names.is_empty() { &self.exec.request.tags } else { names })?;
        let mut tags: BTreeMap<Reference, Vec<String>> = BTreeMap::new();
        let mut shown: Vec<String> = Vec::new();
        for name in &names {
            let of = tags.entry(name.without_target()).or_default();
            let said = match by_digest {
                true => name.without_target().familiar(),
                false => {
                    let tag = name.tag().unwrap_or("latest");
                    if !of.iter().any(|known| known == tag) {
                        of.push(tag.to_owned());
                    }
                    name.familiar()
                }
            };
            if !shown.contains(&said) {
                shown.push(said);
            }
        }
        for (repository, tags) in tags {
            let digest = &root.descriptor.digest;
            let other = |plan: &PushPlan| {
                let is_other = plan.root().is_some_and(|other| other.descriptor.digest != *digest);
                plan.repository == repository && is_other
            };
            let taken = self.plans.iter().filter(|plan| other(plan)).flat_map(|plan| &plan.tags);
            if let Some(tag) = taken.into_iter().find(|tag| tags.contains(tag)) {
                let name = format!("{}:{tag}", repository.familiar());
                return Err(Problem::TwoForOneName { name }.into());
            }
            self.plan(images, root, repository, tags)?;
        }
        self.layers.extend(images.iter().flat_map(|i| &i.snapshot.layers).cloned());
        Ok(shown)
    }

    fn plan(
        &mut self,
        images: &[BuiltImage],
        root: &Root,
        repository: Reference,
        tags: Vec<String>,
    ) -> Result<(), BuildError> {
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
        let mut blobs = blobs(self.exec, images, &repository)?;
        for (descriptor, bytes) in root.attested.iter().flat_map(|a| &a.blobs) {
            blobs.push(PlannedBlob {
                descriptor: descriptor.clone(),
                source: BlobSource::Bytes(Arc::from(bytes.clone())),
                mount_from: Vec::new(),
            });
        }
        self.plans.push(PushPlan { repository, blobs, manifests, index, tags });
        Ok(())
    }

    /// Pushes it all.
    pub fn send(&self) -> Result<PushReport, BuildError> {
        match self.plans.is_empty() {
            true => Ok(PushReport::default()),
            false => send(self.exec, &self.plans, &self.layers.iter().collect::<Vec<_>>()),
        }
    }
}

/// Pushes, and keeps what had to be fetched for it.
pub fn send(
    exec: &Exec<'_>,
    plans: &[PushPlan],
    layers: &[&LayerRef],
) -> Result<PushReport, BuildError> {
    let report = exec.wait(exec.client.push(plans, CONCURRENCY, None));
    for blob in plans.iter().flat_map(|plan| &plan.blobs) {
        if let BlobSource::Elsewhere { file, .. } = &blob.source
            && file.exists()
        {
            exec.store.adopt_blob(file, &blob.descriptor.digest)?;
        }
    }
    match report? {
        Ok(report) => Ok(report),
        Err(error) => {
            if let PushError::Content { source: RegistryError::DamagedFile { want, .. } } = &error
                && let Some(layer) = layers.iter().find(|layer| layer.digest == *want)
            {
                return Err(exec.store.discard(layer)?.into());
            }
            Err(Problem::from(error).into())
        }
    }
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
            blobs.push(layer_blob(exec, layer, repository)?);
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

/// A layer as a push wants it. A base image's that nobody has unpacked yet is fetched only if the
/// target lacks it and can't get it from a neighbouring repository.
pub fn layer_blob(
    exec: &Exec<'_>,
    layer: &LayerRef,
    repository: &Reference,
) -> Result<PlannedBlob, BuildError> {
    let path = exec.store.blob_path(&layer.digest);
    let source = match &layer.origin {
        _ if exec.store.has_layer(layer) => match exec.store.is_known_whole(layer) {
            true => BlobSource::File(path),
            false => BlobSource::Checked(path),
        },
        Some(origin) => BlobSource::Elsewhere {
            repository: Reference::parse(origin)?,
            file: exec.store.temporary("blob"),
        },
        None => match exec.imported.blob_source(layer, exec.store.temporary("blob")) {
            Some(source) => source,
            None => {
                // Fails, and says why.
                exec.fetch(layer)?;
                BlobSource::File(path)
            }
        },
    };
    let mut mount_from = mounts(layer, repository)?;
    let imported = exec.imported.repository(layer);
    mount_from.extend(imported.filter(|r| r.registry() == repository.registry()).cloned());
    Ok(PlannedBlob {
        descriptor: Descriptor::new(&layer.media_type, layer.digest.clone(), layer.size),
        source,
        mount_from,
    })
}

impl From<PushError> for Problem {
    fn from(error: PushError) -> Self {
        Self::Push(Box::new(error))
    }
}
