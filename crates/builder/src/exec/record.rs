//! What the cache knows of steps: found by their keys and by what they made.

use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
};

use mlint_oci::Digest;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Exec, Snapshot, now};
use crate::{
    events::Event,
    exchange::{CachedStep, Note},
    layer::Compression,
    plan::StepId,
    problem::BuildError,
    remote::masked,
    store::LayerRef,
};

/// The longest text that is kept of a step.
const ABOUT: usize = 200;

/// Which records, and the key among these.
pub type Key = (&'static str, Digest);

/// The same, as it is written down.
pub type ContentKey = (String, Digest);

/// What the cache knows of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) layer: LayerRef,
    pub(super) created: i64,
    /// The step, for people.
    #[serde(default)]
    pub(super) about: String,
    /// What its content is found by, if that has a record of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<ContentKey>,
}

impl From<CachedStep> for Record {
    fn from(step: CachedStep) -> Self {
        let CachedStep { layer, created, about, content, .. } = step;
        Self { layer, created, about, content }
    }
}

/// What a step's result is made of: file system, time, whether it was known, and its keys.
pub(super) type Grown = (Snapshot, Option<i64>, bool, Option<Key>, Option<ContentKey>);

/// A layer, fresh or from the cache.
pub(super) struct Made {
    pub(super) layer: LayerRef,
    pub(super) created: i64,
    pub(super) cached: bool,
    /// Whether it is what its key says.
    pub(super) settled: bool,
    pub(super) key: Key,
    pub(super) content: Option<ContentKey>,
}

/// A layer that was made just now.
pub(super) struct Fresh {
    pub(super) layer: LayerRef,
    /// Whether what it was made from stayed the same meanwhile. If not, its key tells of something
    /// else, and nobody may find it under that key.
    pub(super) settled: bool,
    /// Whether an earlier build made it, for another step.
    pub(super) cached: bool,
    /// What its content is found by, if that has a record of its own.
    pub(super) content: Option<ContentKey>,
}

impl From<LayerRef> for Fresh {
    fn from(layer: LayerRef) -> Self {
        Self { layer, settled: true, cached: false, content: None }
    }
}

impl Exec<'_> {
    /// Whether the step is executed even if the cache knows it.
    pub(super) fn afresh(&self, id: StepId) -> bool {
        let stages = &self.plan.steps[id].stages;
        let named = |name: &String| stages.iter().any(|stage| name.eq_ignore_ascii_case(stage));
        self.request.no_cache || self.request.no_cache_stages.iter().any(named)
    }

    /// How a step's layer is compressed.
    pub(super) fn compression(&self, id: StepId) -> Compression {
        match self.shipped.contains(&id) {
            true => self.request.compression,
            false => Compression::WORKING,
        }
    }

    /// The result for a key: from the cache, or made now by exactly one of all who want it.
    pub(super) fn cached_or<F: Into<Fresh>>(
        &self,
        id: StepId,
        kind: &'static str,
        key: &Digest,
        make: impl FnOnce() -> Result<F, BuildError>,
    ) -> Result<Made, BuildError> {
        let made = |record: Record, cached, settled| {
            let Record { layer, created, content, .. } = record;
            Made { layer, created, cached, settled, key: (kind, key.clone()), content }
        };
        let known = || -> Option<Made> {
            let record = match self.afresh(id) {
                true => self.made().get(&(kind.to_owned(), key.clone())).cloned()?,
                false => self.store.record(kind, key)?,
            };
            self.store.has_layer(&record.layer).then(|| made(record, true, true))
        };
        if let Some(made) = known() {
            return Ok(made);
        }
        let _lock = self.lock(kind, key.hex())?;
        if let Some(made) = known() {
            return Ok(made);
        }
        if let Some(step) = self.imported.step(kind, key).filter(|_| !self.afresh(id)) {
            // Holds as soon as the layer is here.
            let record = Record::from(step.clone());
            self.store.put_record(kind, key, &record)?;
            return Ok(made(record, true, true));
        }
        let Fresh { layer, settled, cached, content } = make()?.into();
        let about = self.about(id);
        let record = Record { layer, created: now(), about, content };
        if settled {
            self.store.put_record(kind, key, &record)?;
            self.made().insert((kind.to_owned(), key.clone()), record.clone());
        }
        Ok(made(record, cached, settled))
    }

    /// The layer for its content: from an earlier step that made the same, or made now.
    pub(super) fn by_content(
        &self,
        id: StepId,
        kind: &'static str,
        key: &Digest,
        make: impl FnOnce() -> Result<Fresh, BuildError>,
    ) -> Result<Fresh, BuildError> {
        let mut made_here = false;
        let made = self.cached_or(id, kind, key, || {
            made_here = true;
            self.events.event(Event::Started { step: id });
            make()
        })?;
        let of_this_build = self.made().contains_key(&(kind.to_owned(), key.clone()));
        if of_this_build && !made_here {
            self.events.event(Event::Started { step: id });
        }
        let Made { layer, cached, settled, key: (_, key), .. } = made;
        let content = Some((kind.to_owned(), key));
        Ok(Fresh { layer, settled, cached: cached && !of_this_build, content })
    }

    /// A record that is no step's: from here, or from a cache elsewhere.
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &Digest) -> Option<T> {
        let elsewhere = || serde_json::from_value(self.imported.note(kind, key)?.clone()).ok();
        self.store.record(kind, key).or_else(elsewhere)
    }

    /// Notes a record for caches elsewhere.
    pub fn note(&self, kind: &str, key: &Digest, value: &impl Serialize) {
        let Ok(value) = serde_json::to_value(value) else { return };
        let note = Note { kind: kind.to_owned(), key: key.clone(), value };
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if !noted.contains(&note) {
            noted.push(note);
        }
    }

    /// All that was noted, in an order that does not depend on time.
    pub fn notes(&self) -> Vec<Note> {
        let mut all = self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.sort_by(|a, b| (&a.kind, a.key.as_str()).cmp(&(&b.kind, b.key.as_str())));
        all
    }

    pub(super) fn made(&self) -> MutexGuard<'_, HashMap<(String, Digest), Record>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step, for people who look at the cache.
    pub fn about(&self, id: StepId) -> String {
        masked(&self.plan.steps[id].origin.text).chars().take(ABOUT).collect()
    }
}
