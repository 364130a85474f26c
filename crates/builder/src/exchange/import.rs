//! `--cache-from`: what a cache elsewhere knows is read before the first step, blobs are fetched
//! when something needs them.

use std::{collections::HashMap, path::PathBuf};

use mlint_oci::{Descriptor, Digest, Document, Index, Manifest, Reference};
use mlint_registry::{BlobSource, Client, RegistryError};
use serde_json::Value;
use tokio::runtime::Handle;

use super::{
    ARTIFACT, CONFIG, CacheConfig, CachedStep, MAX_CONFIG, Note, VERSION, directory, is_cache,
    what_index, what_manifest,
};
use crate::{
    events::{Event, Events},
    exec::{Exec, wait},
    problem::{BuildError, Problem},
    request::CachePlace,
    sandbox::Session,
    store::LayerRef,
};

/// Where a blob is.
#[derive(Clone, Debug)]
enum Source {
    Registry(Reference),
    Directory(PathBuf),
}

/// What caches elsewhere know.
#[derive(Debug, Default)]
pub struct Imported {
    steps: HashMap<(String, Digest), CachedStep>,
    /// Steps whose layers are known by name only.
    promises: HashMap<(String, Digest), CachedStep>,
    notes: HashMap<(String, Digest), Value>,
    blobs: HashMap<Digest, Source>,
}

impl Imported {
    /// Reads all caches that are named. One that is not there yet is no failure, nor is one that
    /// can't be reached: the steps run then. One that is something else is a mistake.
    pub fn load(
        session: &Session,
        runtime: &Handle,
        client: &Client,
        places: &[CachePlace],
        events: &dyn Events,
    ) -> Result<Self, BuildError> {
        let mut imported = Self::default();
        for place in places {
            let found = match place {
                CachePlace::Registry(name) => {
                    wait(runtime, session, from_registry(client, &Reference::parse(name)?))?
                }
                CachePlace::Directory { path, tag } => directory::read(path, tag),
            };
            match found {
                Ok(Some(parts)) => imported.take(place, parts)?,
                Ok(None) => {
                    events.event(Event::Note { text: format!("there is no cache at {place} yet") });
                }
                Err(error) if error.is_interrupt() || error.is_other_content() => {
                    return Err(error);
                }
                Err(error) => {
                    let text = format!("the cache {place} is not used: {}", error.problem);
                    events.event(Event::Warning { text });
                }
            }
        }
        Ok(imported)
    }

    fn take(&mut self, place: &CachePlace, parts: Vec<Found>) -> Result<(), BuildError> {
        let source = match place {
            CachePlace::Registry(name) => {
                Source::Registry(Reference::parse(name)?.without_target())
            }
            CachePlace::Directory { path, .. } => Source::Directory(path.clone()),
        };
        for (manifest, config) in parts {
            for mut step in config.steps {
                let is_there =
                    |d: &Descriptor| (&d.digest, d.size) == (&step.layer.digest, step.layer.size);
                step.layer.origin = None;
                if !manifest.layers.iter().any(is_there) {
                    self.promises.entry((step.kind.clone(), step.key.clone())).or_insert(step);
                    continue;
                }
                let blob = step.layer.digest.clone();
                self.blobs.entry(blob).or_insert_with(|| source.clone());
                if let Some(content) = &step.content {
                    let by_content = CachedStep { content: None, ..step.clone() };
                    self.steps.entry(content.clone()).or_insert(by_content);
                }
                self.steps.entry((step.kind.clone(), step.key.clone())).or_insert(step);
            }
            for Note { kind, key, value } in config.notes {
                self.notes.entry((kind, key)).or_insert(value);
            }
        }
        Ok(())
    }

    /// A step's result.
    pub fn step(&self, kind: &str, key: &Digest) -> Option<&CachedStep> {
        self.steps.get(&(kind.to_owned(), key.clone()))
    }

    /// A step's result whose layer is nowhere: its name is all that is known of it.
    pub fn promise(&self, kind: &str, key: &Digest) -> Option<&CachedStep> {
        self.promises.get(&(kind.to_owned(), key.clone()))
    }

    /// Whether there are such.
    pub fn has_promises(&self) -> bool {
        !self.promises.is_empty()
    }

    /// What else is known.
    pub fn note(&self, kind: &str, key: &Digest) -> Option<&Value> {
        self.notes.get(&(kind.to_owned(), key.clone()))
    }

    /// Whether a layer can be fetched from here.
    pub fn has(&self, layer: &LayerRef) -> bool {
        self.blobs.contains_key(&layer.digest)
    }

    /// The repository that has a layer.
    pub fn repository(&self, layer: &LayerRef) -> Option<&Reference> {
        match self.blobs.get(&layer.digest)? {
            Source::Registry(reference) => Some(reference),
            Source::Directory(_) => None,
        }
    }

    /// A layer that is not in the store, for a push that may not need its bytes.
    pub fn blob_source(&self, layer: &LayerRef, temporary: PathBuf) -> Option<BlobSource> {
        Some(match self.blobs.get(&layer.digest)? {
            Source::Registry(repository) => {
                BlobSource::Elsewhere { repository: repository.clone(), file: temporary }
            }
            Source::Directory(dir) => BlobSource::Checked(directory::blob(dir, &layer.digest)),
        })
    }

    /// Brings a layer into the store; says whether it was here at all.
    pub fn fetch(
        &self,
        exec: &Exec<'_>,
        layer: &LayerRef,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<bool, BuildError> {
        let Some(source) = self.blobs.get(&layer.digest) else { return Ok(false) };
        if exec.store.has_layer(layer) {
            return Ok(true);
        }
        let _lock = exec.lock("blob", layer.digest.hex())?;
        if exec.store.has_layer(layer) {
            return Ok(true);
        }
        let descriptor = Descriptor::new(&layer.media_type, layer.digest.clone(), layer.size);
        match source {
            Source::Directory(dir) => {
                directory::import(exec.store, dir, &descriptor, &|| exec.interrupted())?;
            }
            Source::Registry(reference) => {
                let path = exec.store.temporary("blob");
                let request = exec.client.fetch_blob(reference, &descriptor, &path, Some(progress));
                exec.wait(request)??;
                exec.store.adopt_blob(&path, &layer.digest)?;
            }
        }
        Ok(true)
    }
}

/// A platform's part as it was found.
pub(super) type Found = (Manifest, CacheConfig);

async fn from_registry(
    client: &Client,
    reference: &Reference,
) -> Result<Option<Vec<Found>>, BuildError> {
    let Some(index) = registry_index(client, reference).await? else { return Ok(None) };
    let mut parts = Vec::new();
    for descriptor in &index.manifests {
        let resolved = client.manifest(reference, descriptor).await?;
        let Document::Manifest(manifest) = resolved.document else { continue };
        let bytes = client.small_blob(reference, &manifest.config, MAX_CONFIG).await?;
        parts.extend(part(manifest, &bytes));
    }
    Ok(Some(parts))
}

/// The index of a cache; nothing if there is none yet, an error if it is something else.
pub(super) async fn registry_index(
    client: &Client,
    reference: &Reference,
) -> Result<Option<Index>, BuildError> {
    let other = |what| Problem::OtherContent { place: reference.familiar(), what };
    match client.resolve(reference).await {
        Err(RegistryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
        Ok(found) => match found.document {
            Document::Index(index) if is_cache(&index) => Ok(Some(index)),
            Document::Index(index) => Err(other(what_index(&index)).into()),
            Document::Manifest(manifest) => Err(other(what_manifest(&manifest)).into()),
        },
    }
}

/// One platform's part, if this version can read it.
pub(super) fn part(manifest: Manifest, config: &[u8]) -> Option<Found> {
    let ours =
        manifest.artifact_type.as_deref() == Some(ARTIFACT) && manifest.config.media_type == CONFIG;
    let config: CacheConfig = serde_json::from_slice(config).ok().filter(|_| ours)?;
    (config.version == VERSION).then_some((manifest, config))
}
