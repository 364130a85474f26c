//! Answers image queries: from registries, a short-lived cache on disk, and the table of official
//! images. Failure is an answer ("unavailable, because …"), never an error.

use std::{path::PathBuf, time::Duration};

use mlint_model::{Fact, FactSource, ImageFacts, ImageInfo, ImageQuery};
use mlint_oci::Reference;

use crate::table::{Lookup, Table};

/// How to look for facts.
#[derive(Clone, Debug)]
pub struct FactOptions {
    /// Ask no registry.
    pub offline: bool,
    /// Where answers are kept between runs; nothing is kept without it.
    pub cache_dir: Option<PathBuf>,
    /// How long one image may take.
    pub request_timeout: Duration,
    /// How long all of them together may take.
    pub budget: Duration,
}

impl Default for FactOptions {
    fn default() -> Self {
        Self {
            offline: false,
            cache_dir: None,
            request_timeout: Duration::from_secs(5),
            budget: Duration::from_secs(15),
        }
    }
}

/// Answers all queries.
pub fn resolve_facts(queries: &[ImageQuery], options: &FactOptions) -> ImageFacts {
    let _ = options;
    ImageFacts::new(queries.iter().map(|q| (q.clone(), from_table(q, "offline"))))
}

/// The table's answer, or why there is none: `reason` says why no registry was asked.
fn from_table(query: &ImageQuery, reason: &str) -> Fact<ImageInfo> {
    let reference = match Reference::parse(&query.reference) {
        Ok(reference) => reference,
        Err(e) => return Fact::Unavailable(e.to_string()),
    };
    let (Some(name), None) = (reference.official_name(), reference.digest()) else {
        return Fact::Unavailable(reason.to_owned());
    };
    let table = Table::embedded();
    let tag = reference.tag().unwrap_or("latest");
    match (table.lookup(name, tag), table.as_of()) {
        (Ok(Lookup::Platforms(platforms)), Ok(as_of)) => Fact::Known(ImageInfo {
            is_index: true,
            platforms,
            source: FactSource::Table { as_of: as_of.to_owned() },
        }),
        (Ok(Lookup::UnknownTag), Ok(as_of)) => Fact::Unavailable(format!(
            "{reason}; and the table of official images, as of {as_of}, has no tag '{tag}' of {name}"
        )),
        (Ok(Lookup::UnknownImage), Ok(as_of)) => Fact::Unavailable(format!(
            "{reason}; and the table of official images, as of {as_of}, has no image '{name}'"
        )),
        (Err(e), _) | (_, Err(e)) => Fact::Unavailable(format!("{reason}; and {e}")),
    }
}
