//! Images that a build starts from or copies from.

use std::{collections::HashMap, path::PathBuf};

use mlint_oci::{Digest, ImageConfig, Platform, Reference};
use mlint_syntax::Span;

use crate::{
    problem::{BuildError, Problem},
    store::LayerRef,
};

/// An image that is needed, for a platform.
#[derive(Clone, Debug)]
pub struct ImageNeed {
    /// Its name.
    pub reference: Reference,
    /// The platform.
    pub platform: Platform,
    /// Where it is named.
    pub span: Span,
    /// The OCI layout that has it, and what of it is meant, if it is in no registry.
    pub layout: Option<(PathBuf, String)>,
}

impl PartialEq for ImageNeed {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference
            && self.platform == other.platform
            && self.layout == other.layout
    }
}

impl Eq for ImageNeed {}

impl ImageNeed {
    /// Reads the name.
    pub fn new(text: &str, platform: &Platform, span: Span) -> Result<Self, BuildError> {
        let reference = Reference::parse(text).map_err(|e| Problem::from(e).at(span))?;
        Ok(Self { reference, platform: platform.clone(), span, layout: None })
    }
}

impl ImageNeed {
    fn key(&self) -> Key {
        (self.reference.clone(), self.platform.clone(), self.layout.clone())
    }
}

/// An image as the registry has it.
#[derive(Clone, Debug)]
pub struct ResolvedImage {
    /// Its name.
    pub reference: Reference,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digest of what its name stands for: the index, if there is one.
    pub named: Digest,
    /// Whether it is from a layout on this machine.
    pub is_local: bool,
    /// Its layers, lowest first.
    pub layers: Vec<LayerRef>,
    /// Its config.
    pub config: ImageConfig,
}

/// Answers to [`ImageNeed`]s.
#[derive(Debug, Default)]
pub struct ResolvedImages(HashMap<Key, ResolvedImage>);

type Key = (Reference, Platform, Option<(PathBuf, String)>);

impl ResolvedImages {
    /// Notes an answer.
    pub fn insert(&mut self, need: &ImageNeed, image: ResolvedImage) {
        self.0.insert(need.key(), image);
    }

    /// Takes in more answers.
    pub fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The answer.
    pub fn get(&self, need: &ImageNeed) -> Option<&ResolvedImage> {
        self.0.get(&need.key())
    }
}

/// Reads a platform of a FROM line.
pub fn parse_platform(text: &str) -> Result<Platform, BuildError> {
    text.parse::<Platform>().map_err(BuildError::from)
}
