//! The indexes behind references that pin one platform's image: what the tag beside the digest
//! points at now.

use std::collections::BTreeMap;

use mlint_model::{Fact, ImageInfo, ImageQuery, IndexInfo};
use mlint_oci::{Digest, Reference};
use tokio::time::timeout;

use super::{FactOptions, info_of};
use crate::client::Client;

/// A reference with a tag beside the digest of one platform's image.
struct Pinned<'q> {
    text: &'q str,
    digest: Digest,
    by_tag: Reference,
}

/// Asks for all of them. What can't be had is left out; nothing is asked if there is none.
pub(super) fn ask(
    images: &BTreeMap<ImageQuery, Fact<ImageInfo>>,
    options: &FactOptions,
) -> Vec<(String, IndexInfo)> {
    let pinned: Vec<Pinned<'_>> = images
        .iter()
        .filter(|(_, fact)| matches!(fact, Fact::Known(info) if !info.is_index))
        .filter_map(|(query, _)| pinned(&query.reference))
        .collect();
    if pinned.is_empty() || options.offline {
        return Vec::new();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let found = runtime.block_on(async {
        let client = Client::new(options.client.clone());
        let mut found = Vec::new();
        let all = async {
            for pinned in &pinned {
                let asked = timeout(options.request_timeout, index(&client, pinned)).await;
                found.extend(asked.ok().flatten().map(|index| (pinned.text.to_owned(), index)));
            }
        };
        if timeout(options.budget, all).await.is_err() {
            tracing::debug!("not all indexes were told in time");
        }
        found
    });
    runtime.shutdown_background();
    found
}

fn pinned(text: &str) -> Option<Pinned<'_>> {
    let reference = Reference::parse(text).ok()?;
    let digest = reference.digest()?.clone();
    let by_tag = reference.with_tag(reference.tag()?).ok()?;
    Some(Pinned { text, digest, by_tag })
}

async fn index(client: &Client, pinned: &Pinned<'_>) -> Option<IndexInfo> {
    let image = match client.image(&pinned.by_tag).await {
        Ok(image) => image,
        Err(error) => {
            tracing::debug!(%error, "no index");
            return None;
        }
    };
    let name = pinned.text.split('@').next()?;
    image.is_index().then(|| IndexInfo {
        reference: format!("{name}@{}", image.resolved.descriptor.digest),
        platforms: info_of(&image).platforms,
        holds: image.platforms.iter().any(|offer| offer.descriptor.digest == pinned.digest),
    })
}
