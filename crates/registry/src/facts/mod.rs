//! Answers image queries: from registries, a cache on disk, and the table of official images.
//! Failure is an answer ("unavailable, because …"), never an error.

mod cache;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use mlint_model::{Fact, FactSource, ImageFacts, ImageInfo, ImageQuery};
use mlint_oci::Reference;
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    client::Client,
    error::RegistryError,
    options::ClientOptions,
    table::{Lookup, Table},
};

use cache::Cache;

/// Images asked about at the same time.
const CONCURRENCY: usize = 16;

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
    /// How to talk to registries.
    pub client: ClientOptions,
}

impl Default for FactOptions {
    fn default() -> Self {
        Self {
            offline: false,
            cache_dir: None,
            request_timeout: Duration::from_secs(5),
            budget: Duration::from_secs(15),
            // A check must not keep anybody waiting: one more try, soon.
            client: ClientOptions {
                attempts: 2,
                connect_timeout: Duration::from_secs(3),
                ..ClientOptions::default()
            },
        }
    }
}

/// Answers all queries: from the cache, else from the registry, and if that can't be asked from
/// the table. Opens no connection and starts no thread if nothing needs the network.
pub fn resolve_facts(queries: &[ImageQuery], options: &FactOptions) -> ImageFacts {
    let mut answers: BTreeMap<ImageQuery, Fact<ImageInfo>> = BTreeMap::new();
    let mut open: Vec<(ImageQuery, Reference)> = Vec::new();
    let cache = options.cache_dir.as_deref().map(Cache::new);
    for query in queries {
        if answers.contains_key(query) || open.iter().any(|(q, _)| q == query) {
            continue;
        }
        let reference = match Reference::parse(&query.reference) {
            Ok(reference) => reference,
            Err(e) => {
                answers.insert(query.clone(), Fact::Unavailable(e.to_string()));
                continue;
            }
        };
        if let Some(info) = cache.as_ref().and_then(|c| c.get(&reference)) {
            answers.insert(query.clone(), Fact::Known(info));
        } else if options.offline {
            answers.insert(query.clone(), from_table(&reference, "offline"));
        } else {
            open.push((query.clone(), reference));
        }
    }
    if !open.is_empty() {
        answers.extend(ask_registries(open, options, cache.as_ref()));
    }
    ImageFacts::new(answers)
}

fn ask_registries(
    open: Vec<(ImageQuery, Reference)>,
    options: &FactOptions,
    cache: Option<&Cache>,
) -> Vec<(ImageQuery, Fact<ImageInfo>)> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let reason = format!("can't start asking registries: {e}");
            return open.into_iter().map(|(q, r)| (q, from_table(&r, &reason))).collect();
        }
    };
    let outcomes = runtime.block_on(ask_all(&open, options));
    // A name lookup that hangs must not hold up the answer.
    runtime.shutdown_background();
    open.into_iter()
        .zip(outcomes)
        .map(|((query, reference), outcome)| {
            let fact = match outcome {
                Some(Ok(info)) if info.platforms.is_empty() => Fact::Unavailable(format!(
                    "{} names no platform that an image could run on",
                    reference.familiar()
                )),
                Some(Ok(info)) => {
                    if let Some(cache) = cache {
                        cache.put(&reference, &info);
                    }
                    Fact::Known(info)
                }
                // The registry has answered, and its word counts more than an old table's.
                Some(Err(e)) if e.is_not_found() => Fact::Unavailable(e.to_string()),
                Some(Err(e)) => from_table(&reference, &e.to_string()),
                None => {
                    let waited = options.request_timeout.min(options.budget).as_secs_f32();
                    let host = reference.registry();
                    from_table(&reference, &format!("{host} gave no answer within {waited} s"))
                }
            };
            (query, fact)
        })
        .collect()
}

/// Asks for all at once; an entry stays empty if there was no answer in time.
async fn ask_all(
    open: &[(ImageQuery, Reference)],
    options: &FactOptions,
) -> Vec<Option<Result<ImageInfo, RegistryError>>> {
    let client = Client::new(options.client.clone());
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    let deadline = Instant::now() + options.budget;
    let mut tasks = JoinSet::new();
    for (at, (_, reference)) in open.iter().enumerate() {
        let (client, reference) = (client.clone(), reference.clone());
        let (permits, limit) = (permits.clone(), options.request_timeout);
        tasks.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire_owned().await;
            (at, timeout(limit, ask(&client, &reference)).await.ok())
        });
    }
    let mut outcomes: Vec<_> = open.iter().map(|_| None).collect();
    while let Ok(Some(done)) = timeout_at(deadline, tasks.join_next()).await {
        if let Ok((at, outcome)) = done {
            outcomes[at] = outcome;
        }
    }
    outcomes
}

async fn ask(client: &Client, reference: &Reference) -> Result<ImageInfo, RegistryError> {
    let image = client.image(reference).await?;
    let mut platforms = Vec::new();
    for platform in image.platforms.iter().filter_map(|offer| offer.platform.clone()) {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    Ok(ImageInfo { platforms, is_index: image.is_index(), source: FactSource::Registry })
}

/// The table's answer, or why there is none: `reason` says why no registry answered.
fn from_table(reference: &Reference, reason: &str) -> Fact<ImageInfo> {
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
