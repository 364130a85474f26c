//! `mlint build`.

mod advice;
mod agent;
mod annotations;
mod args;
mod caches;
mod context;
mod load;
mod others;
mod outputs;
mod values;

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use mlint_builder::{
    remote::{GitLogin, masked},
    request::{BuildOutcome, BuildReply, BuildRequest, Output, Place, RunOptions},
    sandbox::session::{IdMap, SessionOptions, spawn},
};
use mlint_lint::Level;
use mlint_model::BuildContext;
use mlint_oci::Platform;

pub use args::{BuildArgs, MachineArgs, ProgressMode};

use super::session::SessionRequest;
use crate::{
    report::{
        Layout,
        build::{self, Summary},
        failure,
    },
    talk,
};
use agent::Agents;
use context::{Found, GitWishes};
use load::Load;
use values::{build_arg, pairs};

/// Exit status of what could not be done.
const FAILED: u8 = 2;

/// What a configuration says where the arguments are silent.
#[derive(Clone, Debug, Default)]
pub struct BuildDefaults {
    /// The platforms.
    pub platforms: Vec<String>,
    /// The names.
    pub tags: Vec<String>,
    /// The stage to build.
    pub target: Option<String>,
    /// Build arguments; those on the command line beat them.
    pub build_args: Vec<(String, String)>,
    /// Named contexts; those on the command line beat them.
    pub build_contexts: Vec<BuildContext>,
    /// Levels of rules, for the advice that a build gives.
    pub levels: BTreeMap<String, Level>,
    /// The size that the cache is kept within.
    pub cache_max: Option<u64>,
}

/// Runs the command.
pub fn run(args: &BuildArgs, defaults: &BuildDefaults) -> ExitCode {
    match try_run(args, defaults) {
        Ok(code) => code,
        Err(message) => {
            match args.progress {
                ProgressMode::Json if !args.quiet => {
                    talk::line(&build::refused(&message).to_string());
                }
                _ => failure::say(&message),
            }
            ExitCode::from(FAILED)
        }
    }
}

fn try_run(args: &BuildArgs, defaults: &BuildDefaults) -> Result<ExitCode, String> {
    args.others.refuse()?;
    let options = session_options(&args.machine)?;
    let (file, cache) = (args.file.as_deref(), &options.cache_dir);
    // Those of our own end with the build.
    let agents = Agents::open(&args.agents)?;
    let keep = args.build_args.iter().rev().find_map(|a| {
        a.strip_prefix("BUILDKIT_CONTEXT_KEEP_GIT_DIR=")
            .map(|value| value == "1" || value == "true")
    });
    let git = GitWishes { login: git_login(args, &agents)?, keep_git_dir: keep.unwrap_or(false) };
    let found = context::find(&args.context, file, git, cache)?;
    let mut request = request(args, defaults, &found, &agents)?;
    let load = Load::prepare(args.load, &mut request)?;
    outputs::clear_about(args)?;
    let progress = match args.progress {
        _ if args.quiet => ProgressMode::Quiet,
        ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Tty,
        ProgressMode::Auto => ProgressMode::Plain,
        chosen => chosen,
    };
    let color = Layout::of(&std::io::stderr()).color;
    let session = SessionRequest::Build { request: Box::new(request.clone()), progress, color };
    let bytes = serde_json::to_vec(&session).map_err(|e| e.to_string())?;
    let exit = spawn(&bytes, &options).map_err(|e| e.to_string())?;
    let reply: BuildReply = serde_json::from_slice(&exit.reply)
        .map_err(|e| format!("the build session's answer cannot be read: {e}"))?;
    let text = masked(&request.text);
    Ok(match reply {
        BuildReply::Done(outcome) => {
            let contexts = defaults.build_contexts.iter().chain(&args.build_contexts);
            let built: Vec<String> = outcome.platforms.iter().map(|p| p.platform.clone()).collect();
            let savings = || {
                let contexts = contexts.cloned().collect();
                advice::Built::new(&request, &built, contexts, &defaults.levels).savings()
            };
            let about = (request.file.as_str(), text.as_str());
            let summary = Summary::new(&outcome, about, request.outputs.len(), savings);
            tell(&summary, progress);
            if !outcome.digest.is_empty() {
                outputs::write_about(args, &outcome)?;
                if !writes_to_stdout(&request.outputs) {
                    data(&outcome);
                }
                // Last: what was pushed is told whether or not this works.
                if let Some(load) = load {
                    let loaded = load.load()?;
                    if progress != ProgressMode::Quiet && progress != ProgressMode::Json {
                        loaded.lines().for_each(talk::line);
                    }
                }
            }
            match outcome.failed.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(FAILED),
            }
        }
        BuildReply::Failed(failed) => {
            match progress {
                ProgressMode::Json => talk::line(&build::failed(&text, &failed).to_string()),
                _ => failure::show(&request.file, &text, &failed),
            }
            ExitCode::from(FAILED)
        }
    })
}

/// Tells what became of a build.
fn tell(summary: &Summary<'_>, progress: ProgressMode) {
    if progress == ProgressMode::Json {
        return talk::line(&summary.json().to_string());
    }
    for warning in &summary.outcome.warnings {
        failure::warn(summary.file, summary.text, warning);
    }
    for failed in &summary.outcome.failed {
        failure::show(summary.file, summary.text, &failed.failure);
    }
    if progress != ProgressMode::Quiet {
        summary.lines(Layout::of(&std::io::stderr()).width).iter().for_each(|l| talk::line(l));
    }
}

/// What goes to standard output: the pushed references, or the digest.
fn data(outcome: &BuildOutcome) {
    let mut out = anstream::stdout().lock();
    // Nobody is there to read: nothing to do about it.
    let _ = if !outcome.pushed.is_empty() {
        outcome.pushed.iter().try_for_each(|to| writeln!(out, "{}@{}", to.name, to.digest))
    } else {
        writeln!(out, "{}", outcome.digest)
    };
}

fn request(
    args: &BuildArgs,
    defaults: &BuildDefaults,
    found: &Found,
    agents: &Agents,
) -> Result<BuildRequest, String> {
    let given = |args: &[String], defaults: &[String]| match args {
        [] => defaults.to_vec(),
        some => some.to_vec(),
    };
    let mut platforms = given(&args.platforms, &defaults.platforms);
    if platforms.is_empty() {
        platforms = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    }
    let tags = given(&args.tags, &defaults.tags);
    let annotations = args
        .annotations
        .iter()
        .map(|text| annotations::read(text))
        .collect::<Result<Vec<_>, _>>()?;
    let mut outputs = outputs(args, &tags)?;
    let caches: Vec<caches::Written> =
        args.cache_to.iter().map(|c| caches::to(c)).collect::<Result<_, _>>()?;
    let mut build_args: Vec<(String, String)> = defaults
        .build_args
        .iter()
        .cloned()
        .chain(args.build_args.iter().filter_map(|a| build_arg(a)))
        .collect();
    let epoch = epoch(&mut build_args)?;
    Ok(BuildRequest {
        ignore: found.ignore.clone(),
        file: found.file.display().to_string(),
        text: found.text.clone(),
        context: found.context.clone(),
        origin: found.origin.clone(),
        platforms,
        build_platform: Platform::host().to_string(),
        target: args.target.clone().or_else(|| defaults.target.clone()).filter(|t| !t.is_empty()),
        build_args,
        labels: pairs("--label", &args.labels)?,
        tags,
        compression: outputs::made(args, &mut outputs, &caches)?,
        outputs,
        annotations: annotations.concat(),
        epoch,
        attestations: outputs::attestations(args)?,
        no_cache: args.no_cache,
        no_cache_stages: args.no_cache_filter.clone(),
        keep_going: args.keep_going,
        push_partial: args.push_partial,
        jobs: args.jobs,
        allow_foreign: args.allow_foreign.clone(),
        plain_http: args.machine.plain_http.clone(),
        cache_dir: cache_dir(args.machine.cache_dir.as_deref())?,
        cache_max: args.machine.cache_max_size.or(defaults.cache_max),
        cache_from: args.cache_from.iter().map(|c| caches::from(c)).collect::<Result<_, _>>()?,
        cache_to: caches.into_iter().map(|cache| cache.to).collect(),
        contexts: {
            let mut contexts = defaults.build_contexts.clone();
            contexts.extend(args.build_contexts.iter().cloned());
            context::named(&contexts)?
        },
        run: run_options(args)?,
        secrets: values::secrets(&args.secrets)?,
        agents: agents.sockets().to_vec(),
    })
}

/// Where the result goes. `--push` is one more output, unless there is one that pushes.
fn outputs(args: &BuildArgs, tags: &[String]) -> Result<Vec<Output>, String> {
    let mut outputs = Vec::new();
    for text in args.outputs.iter().filter(|text| *text != "type=cacheonly") {
        // One that keeps nothing is none.
        outputs.extend(outputs::output(text, args.push)?);
    }
    let registry = |o: &Output| matches!(o.place, Place::Registry { .. });
    if args.push && !outputs.iter().any(registry) {
        outputs.push(Output::to(Place::Registry { names: Vec::new(), by_digest: false }));
    }
    // The names that -t gives take the place of an output's own, as in buildx (`build/opt.go`).
    if !args.tags.is_empty() {
        for output in &mut outputs {
            match &mut output.place {
                Place::Registry { by_digest: true, .. } => {}
                Place::Registry { names, .. } => names.clear(),
                _ => output.names.clear(),
            }
        }
    }
    let nameless =
        |o: &Output| matches!(&o.place, Place::Registry { names, .. } if names.is_empty());
    if tags.is_empty() && outputs.iter().any(nameless) {
        return Err("a push needs a name: give one with -t, or set tags in mlint.toml".to_owned());
    }
    let to_stdout = |o: &&Output| {
        let (Place::OciArchive(path) | Place::Docker(path) | Place::Tar(path)) = &o.place else {
            return false;
        };
        path.as_os_str() == "-"
    };
    if outputs.iter().filter(to_stdout).count() > 1 {
        return Err("only one output can go to standard output".to_owned());
    }
    Ok(outputs)
}

/// Whether a result itself goes to standard output.
fn writes_to_stdout(outputs: &[Output]) -> bool {
    outputs.iter().any(|o| match &o.place {
        Place::OciArchive(path) | Place::Docker(path) | Place::Tar(path) => path.as_os_str() == "-",
        Place::Registry { .. } | Place::OciDirectory(_) | Place::Load(_) | Place::Local(_) => false,
    })
}

/// `SOURCE_DATE_EPOCH`, as a build argument or from the environment, which makes it one.
fn epoch(build_args: &mut Vec<(String, String)>) -> Result<Option<i64>, String> {
    const NAME: &str = "SOURCE_DATE_EPOCH";
    if !build_args.iter().any(|(name, _)| name == NAME)
        && let Ok(value) = std::env::var(NAME)
    {
        build_args.push((NAME.to_owned(), value));
    }
    let given = build_args.iter().rev().find(|(name, _)| name == NAME);
    match given {
        None => Ok(None),
        Some((_, value)) if value.is_empty() => Ok(None),
        Some((_, value)) => value
            .parse()
            .map(Some)
            .map_err(|_| format!("{NAME}={value}: expected seconds since 1970")),
    }
}

/// Who we are for the repository that is the context.
fn git_login(args: &BuildArgs, agents: &Agents) -> Result<GitLogin, String> {
    let secrets = values::secrets(&args.secrets)?;
    let secret = |id: &str| {
        let found = secrets.iter().find(|s| s.id == id)?;
        Some(String::from_utf8_lossy(&found.value).trim().to_owned())
    };
    let token = secret("GIT_AUTH_TOKEN").map(|token| GitLogin::token(&token));
    let agent = agents.sockets().iter().find(|(id, _)| id == "default");
    let agent = agent.map(|(_, socket)| socket.clone());
    Ok(GitLogin { header: secret("GIT_AUTH_HEADER").or(token), agent })
}

fn run_options(args: &BuildArgs) -> Result<RunOptions, String> {
    let no_network = match args.network.as_str() {
        "default" | "host" => false,
        "none" => true,
        other => return Err(format!("--network {other}: default, none and host are known")),
    };
    Ok(RunOptions {
        hosts: args.hosts.iter().map(|h| values::host(h)).collect::<Result<_, _>>()?,
        // Of no size it is as large as without the flag.
        shm_size: args
            .shm_size
            .as_deref()
            .map(|size| values::size("--shm-size", size))
            .transpose()?
            .filter(|size| *size > 0),
        limits: values::limits(&args.ulimits)?,
        no_network,
    })
}

/// Where the builder keeps its data.
pub fn cache_dir(given: Option<&Path>) -> Result<PathBuf, String> {
    let from_home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let from_xdg = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let dir = given
        .map(Path::to_owned)
        .or_else(|| from_xdg().or_else(from_home).map(|dir| dir.join("mlint")))
        .ok_or("there is no HOME to keep the cache in: name a directory with --cache-dir")?;
    std::path::absolute(&dir).map_err(|e| format!("cannot find {}: {e}", dir.display()))
}

/// What a session needs to know before it starts.
pub fn session_options(args: &MachineArgs) -> Result<SessionOptions, String> {
    let qemu = args
        .qemu
        .iter()
        .map(|text| match text.split_once('=') {
            Some((arch, path)) if !arch.is_empty() && !path.is_empty() => {
                Ok((arch.to_owned(), PathBuf::from(path)))
            }
            _ => Err(format!("--qemu {text}: expected ARCH=PATH")),
        })
        .collect::<Result<Vec<_>, String>>()?;
    let cache_dir = cache_dir(args.cache_dir.as_deref())?;
    Ok(SessionOptions { cache_dir, id_map: IdMap::Auto, qemu })
}
