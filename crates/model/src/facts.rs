//! What is known about images. `model` lists queries; whoever has a network answers them; rules
//! read the answers. Offline is an empty answer, never an error.

use std::{collections::BTreeMap, sync::Arc};

use mlint_oci::{ContainerConfig, Platform};

/// An image that the Dockerfile needs, as its expanded reference reads (`debian:12`,
/// `ghcr.io/a/b@sha256:…`), not yet normalised.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageQuery {
    /// The reference as expanded.
    pub reference: String,
}

/// The configuration that an image has on one platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigQuery {
    /// The reference as expanded.
    pub reference: String,
    /// The platform that it is asked for.
    pub platform: Platform,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Fact<T> {
    /// The thing is known.
    Known(T),
    /// It was asked for and could not be had; the text says why ("offline", "connection refused").
    Unavailable(String),
    /// Nobody asked.
    #[default]
    NotAsked,
}

/// Where an answer comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactSource {
    /// A registry, now.
    Registry,
    /// The embedded table of official images, as of a date (`2026-08-21`).
    Table {
        /// The table's date.
        as_of: String,
    },
}

/// What a reference points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// The platforms it offers, attestations left out.
    pub platforms: Vec<Platform>,
    /// Whether it is an index (a single manifest names one platform at the most).
    pub is_index: bool,
    /// Where the answer comes from.
    pub source: FactSource,
}

/// All answers for one run; immutable once built.
#[derive(Clone, Debug, Default)]
pub struct ImageFacts {
    images: BTreeMap<ImageQuery, Fact<ImageInfo>>,
    configs: BTreeMap<ConfigQuery, Arc<ContainerConfig>>,
}

impl ImageFacts {
    /// Facts from answers.
    pub fn new(answers: impl IntoIterator<Item = (ImageQuery, Fact<ImageInfo>)>) -> Self {
        Self { images: answers.into_iter().collect(), configs: BTreeMap::new() }
    }

    /// These facts, and the configurations that images have.
    #[must_use]
    pub fn with_configs(
        mut self,
        configs: impl IntoIterator<Item = (ConfigQuery, Arc<ContainerConfig>)>,
    ) -> Self {
        self.configs.extend(configs);
        self
    }

    /// What the containers of an image start with on a platform, if that is known.
    pub fn config(&self, reference: &str, platform: &Platform) -> Option<&Arc<ContainerConfig>> {
        if self.configs.is_empty() {
            return None;
        }
        let query = ConfigQuery { reference: reference.to_owned(), platform: platform.clone() };
        self.configs.get(&query)
    }

    /// The answer for an expanded reference.
    pub fn image(&self, reference: &str) -> Fact<ImageInfo> {
        self.images
            .get(&ImageQuery { reference: reference.to_owned() })
            .cloned()
            .unwrap_or_default()
    }
}
