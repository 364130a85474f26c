//! Answers image queries: from registries, a cache on disk, and the table of official images.
//! Failure is an answer ("unavailable, because …"), never an error.

mod cache;
mod indexes;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use mlint_model::{ConfigQuery, Fact, FactSource, ImageFacts, ImageInfo, ImageQuery};
use mlint_oci::{ContainerConfig, Platform, Reference};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use crate::{
    client::Client,
    error::RegistryError,
    image::Image,
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
    resolve_images(queries, &[], options)
}

/// As [`resolve_facts`], and tells the configurations that are wanted as well: those that the cache
/// holds, and those that registries tell. A configuration that can't be had is not known, and
/// nothing else.
pub fn resolve_images(
    queries: &[ImageQuery],
    configs: &[ConfigQuery],
    options: &FactOptions,
) -> ImageFacts {
    let cache = options.cache_dir.as_deref().map(Cache::new);
    let mut found = Found::default();
    let mut open: Vec<Open> = Vec::new();
    for query in queries {
        if found.images.contains_key(query) || open.iter().any(|o| o.query == *query) {
            continue;
        }
        let reference = match Reference::parse(&query.reference) {
            Ok(reference) => reference,
            Err(e) => {
                found.images.insert(query.clone(), Fact::Unavailable(e.to_string()));
                continue;
            }
        };
        let mut wanted = Vec::new();
        for config in configs.iter().filter(|c| c.reference == query.reference) {
            match cache.as_ref().and_then(|c| c.config(&reference, &config.platform)) {
                Some(known) => found.configs.push((config.clone(), Arc::new(known))),
                None => wanted.push(config.platform.clone()),
            }
        }
        let known = cache.as_ref().and_then(|c| c.get(&reference));
        if let Some(info) = &known {
            // What the image does not offer need not be asked for.
            wanted.retain(|platform| offers(info, platform));
        }
        match known {
            Some(info) if options.offline || wanted.is_empty() => {
                found.images.insert(query.clone(), Fact::Known(info));
            }
            None if options.offline => {
                found.images.insert(query.clone(), from_table(&reference, "offline"));
            }
            known => open.push(Open { query: query.clone(), reference, known, wanted }),
        }
    }
    if !open.is_empty() {
        ask_registries(open, options, cache.as_ref(), &mut found);
    }
    let indexes = indexes::ask(&found.images, options);
    ImageFacts::new(found.images).with_configs(found.configs).with_indexes(indexes)
}

fn offers(info: &ImageInfo, platform: &Platform) -> bool {
    info.platforms.iter().any(|have| mlint_oci::matching::compatibility(platform, have).is_some())
}

/// What the answers came to.
#[derive(Default)]
struct Found {
    images: BTreeMap<ImageQuery, Fact<ImageInfo>>,
    configs: Vec<(ConfigQuery, Arc<ContainerConfig>)>,
}

/// An image that a registry is to be asked about.
struct Open {
    query: ImageQuery,
    reference: Reference,
    /// What the cache says of it.
    known: Option<ImageInfo>,
    /// The platforms of which the configuration is wanted.
    wanted: Vec<Platform>,
}

fn ask_registries(
    open: Vec<Open>,
    options: &FactOptions,
    cache: Option<&Cache>,
    found: &mut Found,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            let reason = format!("can't start asking registries: {e}");
            for Open { query, reference, known, .. } in open {
                let fact = known.map_or_else(|| from_table(&reference, &reason), Fact::Known);
                found.images.insert(query, fact);
            }
            return;
        }
    };
    let outcomes = runtime.block_on(ask_all(&open, options));
    // A name lookup that hangs must not hold up the answer.
    runtime.shutdown_background();
    for (Open { query, reference, known, .. }, outcome) in open.into_iter().zip(outcomes) {
        for (platform, config) in outcome.configs {
            if let Some(cache) = cache {
                cache.put_config(&reference, &platform, &config);
            }
            let query = ConfigQuery { reference: query.reference.clone(), platform };
            found.configs.push((query, Arc::new(config)));
        }
        let fact = match (outcome.asked, known) {
            (Some(Asked::Offers(info)), _) if info.platforms.is_empty() => Fact::Unavailable(
                format!("{} names no platform that an image could run on", reference.familiar()),
            ),
            (Some(Asked::Offers(info)), _) => {
                if let Some(cache) = cache {
                    cache.put(&reference, &info);
                }
                Fact::Known(info)
            }
            // The registry has answered, and its word counts more than an old table's.
            (Some(Asked::HasNot(reason)), _) => Fact::Unavailable(reason),
            (_, Some(known)) => Fact::Known(known),
            (Some(Asked::Failed(reason)), None) => from_table(&reference, &reason),
            (None, None) => {
                let waited = options.request_timeout.min(options.budget).as_secs_f32();
                let host = reference.registry();
                from_table(&reference, &format!("{host} gave no answer within {waited} s"))
            }
        };
        found.images.insert(query, fact);
    }
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

/// What one image's questions came to; empty if there was no answer in time.
#[derive(Default)]
struct Outcome {
    asked: Option<Asked>,
    configs: Vec<(Platform, ContainerConfig)>,
}

/// An answer about the image of that number.
enum Answer {
    Image(usize, Option<Asked>),
    Config(usize, Platform, Box<ContainerConfig>),
}

type Answers = mpsc::UnboundedSender<Answer>;

/// Asks for all at once. Each registry is asked for one image first, and if nothing is there, not
/// for the others: without a network, every single name lookup may take seconds.
async fn ask_all(open: &[Open], options: &FactOptions) -> Vec<Outcome> {
    let (answers, mut inbox) = mpsc::unbounded_channel();
    let asker = Asker {
        client: Client::new(options.client.clone()),
        permits: Arc::new(Semaphore::new(CONCURRENCY)),
        limit: options.request_timeout,
        answers,
    };
    let mut by_registry: BTreeMap<&str, Vec<Question>> = BTreeMap::new();
    for (at, Open { reference, wanted, .. }) in open.iter().enumerate() {
        let question = Question { at, reference: reference.clone(), wanted: wanted.clone() };
        by_registry.entry(reference.registry()).or_default().push(question);
    }
    let deadline = Instant::now() + options.budget;
    let mut tasks = JoinSet::new();
    for questions in by_registry.into_values() {
        tasks.spawn(asker.clone().ask_one_registry(questions));
    }
    drop(asker);
    let mut outcomes: Vec<_> = open.iter().map(|_| Outcome::default()).collect();
    while let Ok(Some(answer)) = timeout_at(deadline, inbox.recv()).await {
        match answer {
            Answer::Image(at, asked) => outcomes[at].asked = asked,
            Answer::Config(at, platform, config) => outcomes[at].configs.push((platform, *config)),
        }
    }
    outcomes
}

/// What is asked about one image.
struct Question {
    /// Its number.
    at: usize,
    reference: Reference,
    /// The platforms of which the configuration is wanted.
    wanted: Vec<Platform>,
}

#[derive(Clone)]
struct Asker {
    client: Client,
    permits: Arc<Semaphore>,
    limit: Duration,
    answers: Answers,
}

impl Asker {
    async fn ask_one_registry(self, questions: Vec<Question>) {
        let mut questions = questions.into_iter();
        let Some(first) = questions.next() else { return };
        let (outcome, silent) = self.ask(&first).await;
        let mut tasks = JoinSet::new();
        for question in questions {
            if silent {
                self.tell(Answer::Image(question.at, outcome.clone()));
                continue;
            }
            let asker = self.clone();
            tasks.spawn(async move {
                asker.ask(&question).await;
            });
        }
        tasks.join_all().await;
    }

    fn tell(&self, answer: Answer) {
        // Nobody listens any more once the time is over.
        let _ = self.answers.send(answer);
    }

    /// What became of it, and whether nobody seems to be there at all.
    async fn ask(&self, question: &Question) -> (Option<Asked>, bool) {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await;
        let (outcome, image, silent) =
            match timeout(self.limit, self.client.image(&question.reference)).await {
                Ok(Ok(image)) => (Some(Asked::Offers(info_of(&image))), Some(image), false),
                Ok(Err(e)) if e.is_not_found() => (Some(Asked::HasNot(e.to_string())), None, false),
                Ok(Err(e)) => {
                    let silent = matches!(
                        e,
                        RegistryError::Unreachable { .. } | RegistryError::Timeout { .. }
                    );
                    (Some(Asked::Failed(e.to_string())), None, silent)
                }
                Err(_) => (None, None, true),
            };
        self.tell(Answer::Image(question.at, outcome.clone()));
        if let Some(image) = image {
            self.ask_configs(question, &image).await;
        }
        (outcome, silent)
    }

    /// Asks for the configurations; what can't be had is left out.
    async fn ask_configs(&self, question: &Question, image: &Image) {
        let mut tasks = JoinSet::new();
        for platform in question.wanted.clone() {
            let Some((offer, _)) = image.select(&platform) else { continue };
            let (asker, descriptor) = (self.clone(), offer.descriptor.clone());
            let (at, reference) = (question.at, question.reference.clone());
            tasks.spawn(async move {
                let asked = asker.client.platform_image(&reference, &descriptor);
                match timeout(asker.limit, asked).await {
                    Ok(Ok(found)) => {
                        asker.tell(Answer::Config(at, platform, Box::new(found.config.config)));
                    }
                    Ok(Err(e)) => tracing::debug!(error = %e, "no configuration"),
                    Err(_) => tracing::debug!(%reference, "no configuration in time"),
                }
            });
        }
        tasks.join_all().await;
    }
}

fn info_of(image: &Image) -> ImageInfo {
    let mut platforms = Vec::new();
    for platform in image.platforms.iter().filter_map(|offer| offer.platform.clone()) {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    ImageInfo { platforms, is_index: image.is_index(), source: FactSource::Registry }
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
