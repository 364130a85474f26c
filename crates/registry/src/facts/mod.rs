//! Answers image queries: from registries, a cache on disk, and the table of official images.
//! Failure is an answer ("unavailable, because …"), never an error.

mod cache;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use mlint_model::{Fact, FactSource, ImageFacts, ImageInfo, ImageQuery};
use mlint_oci::Reference;
use tokio::{
    sync::{Semaphore, mpsc},
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
                Some(Asked::Offers(info)) if info.platforms.is_empty() => {
                    Fact::Unavailable(format!(
                        "{} names no platform that an image could run on",
                        reference.familiar()
                    ))
                }
                Some(Asked::Offers(info)) => {
                    if let Some(cache) = cache {
                        cache.put(&reference, &info);
                    }
                    Fact::Known(info)
                }
                // The registry has answered, and its word counts more than an old table's.
                Some(Asked::HasNot(reason)) => Fact::Unavailable(reason),
                Some(Asked::Failed(reason)) => from_table(&reference, &reason),
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

/// What became of a question.
#[derive(Clone, Debug)]
enum Asked {
    /// The registry has it.
    Offers(ImageInfo),
    /// The registry says that it has no such image.
    HasNot(String),
    /// There was no answer of use.
    Failed(String),
}

/// Asks for all at once; an entry stays empty if there was no answer in time. Each registry is
/// asked for one image first, and if nothing is there, not for the others: without a network,
/// every single name lookup may take seconds.
async fn ask_all(open: &[(ImageQuery, Reference)], options: &FactOptions) -> Vec<Option<Asked>> {
    let asker = Asker {
        client: Client::new(options.client.clone()),
        permits: Arc::new(Semaphore::new(CONCURRENCY)),
        limit: options.request_timeout,
    };
    let mut by_registry: BTreeMap<&str, Vec<(usize, Reference)>> = BTreeMap::new();
    for (at, (_, reference)) in open.iter().enumerate() {
        by_registry.entry(reference.registry()).or_default().push((at, reference.clone()));
    }
    let deadline = Instant::now() + options.budget;
    let (answers, mut inbox) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for images in by_registry.into_values() {
        tasks.spawn(asker.clone().ask_one_registry(images, answers.clone()));
    }
    drop(answers);
    let mut outcomes: Vec<_> = open.iter().map(|_| None).collect();
    while let Ok(Some((at, outcome))) = timeout_at(deadline, inbox.recv()).await {
        outcomes[at] = outcome;
    }
    outcomes
}

/// Where the answer for the image with that number goes.
type Answers = mpsc::UnboundedSender<(usize, Option<Asked>)>;

#[derive(Clone)]
struct Asker {
    client: Client,
    permits: Arc<Semaphore>,
    limit: Duration,
}

impl Asker {
    async fn ask_one_registry(self, images: Vec<(usize, Reference)>, answers: Answers) {
        let mut images = images.into_iter();
        let Some((at, first)) = images.next() else { return };
        let (outcome, silent) = self.ask(&first).await;
        // Nobody listens any more once the time is over.
        let _ = answers.send((at, outcome.clone()));
        let mut tasks = JoinSet::new();
        for (at, reference) in images {
            if silent {
                let _ = answers.send((at, outcome.clone()));
                continue;
            }
            let (asker, answers) = (self.clone(), answers.clone());
            tasks.spawn(async move {
                let (outcome, _) = asker.ask(&reference).await;
                let _ = answers.send((at, outcome));
            });
        }
        tasks.join_all().await;
    }

    /// What became of it, and whether nobody seems to be there at all.
    async fn ask(&self, reference: &Reference) -> (Option<Asked>, bool) {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        match timeout(self.limit, ask(&self.client, reference)).await {
            Ok(Ok(info)) => (Some(Asked::Offers(info)), false),
            Ok(Err(e)) if e.is_not_found() => (Some(Asked::HasNot(e.to_string())), false),
            Ok(Err(e)) => {
                let silent =
                    matches!(e, RegistryError::Unreachable { .. } | RegistryError::Timeout { .. });
                (Some(Asked::Failed(e.to_string())), silent)
            }
            Err(_) => (None, true),
        }
    }
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
