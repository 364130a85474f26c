//! What is known about images. `model` lists queries; whoever has a network answers them; rules
//! read the answers. Offline is an empty answer, never an error.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use mlint_oci::{Algorithm, ContainerConfig, Digest, Platform};

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

/// What the tag beside a digest points at, where the digest is that of one platform's image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexInfo {
    /// The same reference with the digest of the index (`debian:12@sha256:…`).
    pub reference: String,
    /// The platforms that the index offers.
    pub platforms: Vec<Platform>,
    /// Whether the image that is pinned is one of those in the index: then it is what its platform
    /// gets by the index as well.
    pub holds: bool,
}

/// All answers for one run; immutable once built.
#[derive(Clone, Debug, Default)]
pub struct ImageFacts {
    images: BTreeMap<ImageQuery, Fact<ImageInfo>>,
    configs: BTreeMap<ConfigQuery, Arc<ContainerConfig>>,
    indexes: BTreeMap<String, IndexInfo>,
}

impl ImageFacts {
    /// Facts from answers.
    pub fn new(answers: impl IntoIterator<Item = (ImageQuery, Fact<ImageInfo>)>) -> Self {
        Self { images: answers.into_iter().collect(), ..Self::default() }
    }

    /// These facts, and the indexes that stand behind references which pin one platform's image.
    /// What the configurations say must be in them before.
    #[must_use]
    pub fn with_indexes(mut self, indexes: impl IntoIterator<Item = (String, IndexInfo)>) -> Self {
        for (pinned, index) in indexes {
            let info = ImageInfo {
                platforms: index.platforms.clone(),
                is_index: true,
                source: FactSource::Registry,
            };
            let query = ImageQuery { reference: index.reference.clone() };
            self.images.entry(query).or_insert(Fact::Known(info));
            let configs: Vec<_> = self
                .configs
                .iter()
                .filter(|(query, _)| index.holds && query.reference == pinned)
                .map(|(query, config)| (query.platform.clone(), Arc::clone(config)))
                .collect();
            for (platform, config) in configs {
                let query = ConfigQuery { reference: index.reference.clone(), platform };
                self.configs.entry(query).or_insert(config);
            }
            self.indexes.insert(pinned, index);
        }
        self
    }

    /// The index behind a reference that pins one platform's image, if it is known.
    pub fn index(&self, reference: &str) -> Option<&IndexInfo> {
        self.indexes.get(reference)
    }

    /// A text in which references that pin an image are replaced by those of the indexes that hold
    /// it: two texts that then are equal name the same images.
    pub fn by_index<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = Cow::Borrowed(text);
        for (pinned, index) in self.indexes.iter().filter(|(_, index)| index.holds) {
            if out.contains(pinned.as_str()) {
                out = Cow::Owned(out.replace(pinned.as_str(), &index.reference));
            }
        }
        out
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

/// A sum that is wanted: of what an address serves.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SumQuery {
    /// The address as expanded, http or https.
    pub url: String,
    /// The hash function.
    pub algorithm: Algorithm,
}

/// All answers about sums for one file; immutable once built, and cheap to clone. Without a user's
/// word nobody asks: an answer costs a download.
#[derive(Clone, Debug, Default)]
pub struct SumFacts {
    sums: Arc<BTreeMap<SumQuery, Fact<Digest>>>,
}

impl SumFacts {
    /// These facts and more.
    #[must_use]
    pub fn with(&self, answers: impl IntoIterator<Item = (SumQuery, Fact<Digest>)>) -> Self {
        let mut sums = (*self.sums).clone();
        sums.extend(answers);
        Self { sums: Arc::new(sums) }
    }

    /// What is known about a sum.
    pub fn sum(&self, query: &SumQuery) -> Fact<&Digest> {
        match self.sums.get(query) {
            Some(Fact::Known(sum)) => Fact::Known(sum),
            Some(Fact::Unavailable(why)) => Fact::Unavailable(why.clone()),
            Some(Fact::NotAsked) | None => Fact::NotAsked,
        }
    }

    /// How many sums were asked for.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }
}
