//! From paths to reports: read, parse, ask for images once, check; in parallel where it pays.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use mlint_lint::{CheckOptions, FixOptions, FixOutcome, Level, Report};
use mlint_model::{ConfigQuery, Evaluation, Fact, FactSource, ImageFacts, ImageQuery, Prepared};
use mlint_registry::{FactOptions, resolve_images};
use mlint_syntax::Dockerfile;
use rayon::prelude::*;

use crate::{
    args::{FailOn, Subject},
    config::{Choice, Config, ConfigError, Configs},
    context::Contexts,
    discover::{Input, discover},
    named::{self, By, Named},
    report::FileProblem,
    source::Source,
};

/// A file that is ready to be checked.
#[derive(Debug)]
pub struct Job {
    /// The file.
    pub source: Source,
    /// Parsed.
    pub file: Dockerfile,
    /// How to check it.
    pub options: CheckOptions,
    /// When it makes the exit status 1.
    pub fail_on: FailOn,
    /// The build context's directory, if it was named.
    pub context: Option<PathBuf>,
    /// The platforms that the file's place says, if those are the ones it is checked for.
    named: Option<Named>,
}

impl Job {
    fn new(source: Source, plan: Plan) -> Self {
        let file = mlint_syntax::parse(source.text.as_str());
        let Plan { options, fail_on, context, named } = plan;
        Self { source, file, options, fail_on, context, named }
    }

    /// The same file with another text.
    pub fn with_text(self, text: String) -> Self {
        let Self { options, fail_on, context, named, .. } = self;
        Self::new(Source { text, ..self.source }, Plan { options, fail_on, context, named })
    }

    fn queries(&self) -> Vec<ImageQuery> {
        let asks = |rule: &&dyn mlint_lint::Rule| {
            rule.meta().needs_image_facts && !self.options.is_off(rule.meta().name)
        };
        if !mlint_rules::all().iter().any(asks) {
            return Vec::new();
        }
        mlint_model::image_queries(&self.file, &self.options.platforms, &self.options.model())
    }

    fn configs(&self) -> Vec<ConfigQuery> {
        mlint_model::config_queries(&self.file, &self.options.platforms, &self.options.model())
    }

    /// Looks into the build context for what the file's evaluation asks.
    fn look(mut self, images: &ImageFacts) -> Self {
        let (path, given) = (self.source.path.as_deref(), self.context.as_deref());
        let contexts = Contexts::of(path, &self.file, given, &self.options.contexts);
        contexts.look(&self.file, &mut self.options, images);
        self
    }
}

/// How a file is going to be checked.
struct Plan {
    options: CheckOptions,
    fail_on: FailOn,
    context: Option<PathBuf>,
    named: Option<Named>,
}

/// All files that the arguments name, and those that can't be checked.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Ready.
    pub jobs: Vec<Job>,
    /// Not.
    pub problems: Vec<FileProblem>,
    /// What is to be said about how files are taken.
    pub notes: Vec<String>,
}

/// Finds, reads and parses the files.
///
/// # Errors
/// When a configuration can't be used.
pub fn prepare(
    subject: &Subject,
    ignore: &[String],
    fail_on: Option<FailOn>,
    choice: Choice,
) -> Result<Jobs, ConfigError> {
    let (inputs, lost) = discover(&subject.paths);
    let mut problems: Vec<FileProblem> = lost
        .into_iter()
        .map(|e| FileProblem { path: e.path().display().to_string(), message: e.to_string() })
        .collect();
    let mut configs = Configs::new(choice);
    let planned: Vec<(Input, Plan)> = inputs
        .into_iter()
        .map(|input| {
            let config = configs.for_dir(Source::directory(&input))?;
            let fail_on = fail_on.or(config.fail_on).unwrap_or(FailOn::Warning);
            let mut options = options(subject, ignore, &config);
            let named = match (&input, &subject.platforms[..]) {
                (Input::File(path), []) => narrow(path, &config, &mut options),
                _ => None,
            };
            if let Some(platform) = &subject.build_platform {
                options.build_platform.clone_from(platform);
            }
            let context = subject.context.clone().or(config.context);
            Ok((input, Plan { options, fail_on, context, named }))
        })
        .collect::<Result<_, ConfigError>>()?;
    let read =
        each(planned, |(input, plan)| Source::read(&input).map(|source| Job::new(source, plan)));
    let mut jobs = Vec::with_capacity(read.len());
    for outcome in read {
        match outcome {
            Ok(job) => jobs.push(job),
            Err(e) => {
                problems.push(FileProblem { path: e.name().to_owned(), message: e.to_string() })
            }
        }
    }
    let named = jobs.iter().filter_map(|job| Some((job.source.name.as_str(), job.named.as_ref()?)));
    let notes = named::notes(named);
    Ok(Jobs { jobs, problems, notes })
}

/// Leaves the platforms that the file is for by its name, its folder's, or a file beside it. A file
/// for one platform is taken to be built on a machine of that, if nobody said where.
pub fn narrow(path: &Path, config: &Config, options: &mut CheckOptions) -> Option<Named> {
    let named = Named::of(path, &options.platforms, config.platforms.is_empty())?;
    options.platforms.clone_from(&named.platforms);
    if let [one] = &named.platforms[..]
        && config.build_platform.is_none()
        && !matches!(named.by, By::Beside(_))
    {
        options.build_platform = one.clone();
    }
    Some(named)
}

/// The configuration's options with the arguments' over them.
fn options(args: &Subject, ignore: &[String], config: &Config) -> CheckOptions {
    let mut options = config.check_options();
    if !args.platforms.is_empty() {
        options.platforms.clear();
        for platform in &args.platforms {
            if !options.platforms.contains(platform) {
                options.platforms.push(platform.clone());
            }
        }
    }
    if args.target.is_some() {
        options.target.clone_from(&args.target);
    }
    options.build_args.extend(args.build_args.iter().cloned());
    options.contexts.extend(args.build_contexts.iter().cloned());
    if let Some(platform) = &args.build_platform {
        options.build_platform.clone_from(platform);
    }
    options.levels.extend(ignore.iter().map(|rule| (rule.clone(), Level::Off)));
    options
}

/// One after the other for one, in parallel for several: a pool of threads costs more than a file.
pub fn each<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync + Send) -> Vec<R> {
    if items.len() > 1 {
        // The shell's tree is walked recursively: as much stack as the main thread has. If there
        // is a pool already, it was made here.
        let _ = rayon::ThreadPoolBuilder::new().stack_size(8 << 20).build_global();
        items.into_par_iter().map(f).collect()
    } else {
        items.into_iter().map(f).collect()
    }
}

/// What is known about the images of all files, and what has to be said about that.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// The answers.
    pub facts: ImageFacts,
    /// To be said once.
    pub notes: Vec<String>,
}

/// Asks for all images of all files, each once, and looks into their build contexts.
pub fn inquire(jobs: Vec<Job>, offline: bool, cache_dir: Option<PathBuf>) -> (Vec<Job>, Knowledge) {
    let knowledge = ask(&jobs, offline, cache_dir);
    let jobs = each(jobs, |job| job.look(&knowledge.facts));
    (jobs, knowledge)
}

fn ask(jobs: &[Job], offline: bool, cache_dir: Option<PathBuf>) -> Knowledge {
    let mut queries: Vec<ImageQuery> =
        each(jobs.iter().collect(), Job::queries).into_iter().flatten().collect();
    queries.sort();
    queries.dedup();
    let mut configs: Vec<ConfigQuery> = match queries.is_empty() {
        true => Vec::new(),
        false => each(jobs.iter().collect(), Job::configs).into_iter().flatten().collect(),
    };
    configs.sort();
    configs.dedup();
    resolve(&queries, &configs, offline, cache_dir)
}

/// Answers queries and says what could not be asked.
pub fn resolve(
    queries: &[ImageQuery],
    configs: &[ConfigQuery],
    offline: bool,
    cache_dir: Option<PathBuf>,
) -> Knowledge {
    if queries.is_empty() {
        return Knowledge::default();
    }
    let options = FactOptions {
        offline,
        cache_dir: cache_dir.or_else(default_cache_dir),
        ..FactOptions::default()
    };
    let facts = resolve_images(queries, configs, &options);
    let notes = notes(queries, &facts, offline);
    Knowledge { facts, notes }
}

/// `$XDG_CACHE_HOME/mlint`, else `~/.cache/mlint`.
pub fn default_cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("mlint"))
}

fn notes(queries: &[ImageQuery], facts: &ImageFacts, offline: bool) -> Vec<String> {
    let mut by_table: Vec<&str> = Vec::new();
    let mut unknown: Vec<(&str, String)> = Vec::new();
    let mut date = String::new();
    for query in queries {
        match facts.image(&query.reference) {
            Fact::Known(info) => {
                if let FactSource::Table { as_of } = info.source {
                    date = as_of;
                    by_table.push(&query.reference);
                }
            }
            // A name that no registry can have, as in a template, is an error of its own.
            Fact::Unavailable(why) if mlint_oci::Reference::parse(&query.reference).is_ok() => {
                unknown.push((&query.reference, why));
            }
            Fact::Unavailable(_) | Fact::NotAsked => {}
        }
    }
    let mut notes = Vec::new();
    if !by_table.is_empty() {
        let cause = if offline { "offline" } else { "no registry answered" };
        let images = list(&by_table);
        notes
            .push(format!("{cause}: {images} judged by the table of official images as of {date}"));
    }
    if offline && !unknown.is_empty() {
        let names: Vec<&str> = unknown.iter().map(|(name, _)| *name).collect();
        notes.push(format!("offline: the platforms of {} are not known", list(&names)));
    } else if let [(name, why), rest @ ..] = &unknown[..] {
        let more = match rest.len() {
            0 => String::new(),
            n => format!(" (and those of {n} more)"),
        };
        notes.push(format!("the platforms of {name}{more} are not known: {why}"));
    }
    notes
}

/// "a, b and 3 more".
fn list(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    match names {
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= SHOWN => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
    }
}

/// Executes all abstractly, on each of their platforms, and makes something of it; nothing for a file
/// on which that breaks down. Evaluations are large: only what is made of them is kept. Build
/// contexts are looked into, registries are not asked.
pub fn look<R: Send>(
    jobs: Vec<Job>,
    make: impl Fn(&Job, &[Evaluation]) -> R + Sync + Send,
) -> Vec<(Job, Option<R>)> {
    each(jobs, |job| {
        let facts = ImageFacts::default();
        let job = job.look(&facts);
        let made = guarded(|| {
            let (prepared, options) = (Prepared::new(&job.file), job.options.model());
            let platforms = job.options.platforms.iter();
            let evaluations: Vec<Evaluation> =
                platforms.map(|p| prepared.evaluate(p, &options, &facts)).collect();
            make(&job, &evaluations)
        });
        (job, made)
    })
}

/// Checks all; a file on which a rule breaks down is a problem of its own.
pub fn check(jobs: Vec<Job>, facts: &ImageFacts) -> Vec<(Job, Option<Report>)> {
    each(jobs, |job| {
        let report =
            guarded(|| mlint_lint::check(&job.file, &job.options, facts, mlint_rules::all()));
        (job, report)
    })
}

/// Fixes all; nothing for a file on which a rule breaks down. Nothing is written.
pub fn fix(
    jobs: Vec<Job>,
    options: &FixOptions,
    facts: &ImageFacts,
) -> Vec<(Job, Option<FixOutcome>)> {
    each(jobs, |job| {
        let outcome = guarded(|| {
            let text = &job.source.text;
            mlint_lint::fix(text, &job.options, options, facts, mlint_rules::all())
        });
        (job, outcome)
    })
}

/// Runs it; nothing if it panics, so that the other files still get their answer.
pub fn guarded<R>(f: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

/// What to say about a file on which mlint itself broke down.
pub fn broken(name: &str) -> FileProblem {
    FileProblem {
        path: name.to_owned(),
        message: format!(
            "can't check {name}: mlint broke down on it; that is a bug, please report it with \
             the file"
        ),
    }
}
