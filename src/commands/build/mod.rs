//! `mlint build`.

mod args;
mod context;
mod values;

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use mlint_builder::{
    remote::{GitLogin, masked},
    request::{BuildOutcome, BuildReply, BuildRequest, Output, RunOptions},
    sandbox::session::{IdMap, SessionOptions, spawn},
};
use mlint_model::BuildContext;
use mlint_oci::Platform;

pub use args::{BuildArgs, MachineArgs, ProgressMode};

use super::session::SessionRequest;
use crate::report::failure;
use context::Found;
use values::{build_arg, compression, output, pairs};

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
}

/// Runs the command.
pub fn run(args: &BuildArgs, defaults: &BuildDefaults) -> ExitCode {
    match try_run(args, defaults) {
        Ok(code) => code,
        Err(message) => {
            failure::say(&message);
            ExitCode::from(FAILED)
        }
    }
}

fn try_run(args: &BuildArgs, defaults: &BuildDefaults) -> Result<ExitCode, String> {
    let found = context::find(&args.context, args.file.as_deref(), git_login(args)?)?;
    let request = request(args, defaults, &found)?;
    let options = session_options(&args.machine)?;
    let progress = match args.progress {
        ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Tty,
        ProgressMode::Auto => ProgressMode::Plain,
        chosen => chosen,
    };
    let push = request.push;
    let (file, text) = (request.file.clone(), request.text.clone());
    let message = SessionRequest::Build { request: Box::new(request), progress };
    let bytes = serde_json::to_vec(&message).map_err(|e| e.to_string())?;
    let exit = spawn(&bytes, &options).map_err(|e| e.to_string())?;
    let reply: BuildReply = serde_json::from_slice(&exit.reply)
        .map_err(|e| format!("the build session's answer cannot be read: {e}"))?;
    Ok(match reply {
        BuildReply::Done(outcome) => {
            if progress != ProgressMode::Quiet {
                summary(&outcome);
            }
            data(&outcome, push);
            ExitCode::SUCCESS
        }
        BuildReply::Failed(failed) => {
            failure::show(&file, &masked(&text), &failed);
            ExitCode::from(FAILED)
        }
    })
}

/// What goes to standard output: the pushed references, or the digest.
fn data(outcome: &BuildOutcome, push: bool) {
    let mut out = anstream::stdout().lock();
    // Nobody is there to read: nothing to do about it.
    let _ = if push {
        outcome.pushed.iter().try_for_each(|name| writeln!(out, "{name}@{}", outcome.digest))
    } else {
        writeln!(out, "{}", outcome.digest)
    };
}

fn summary(outcome: &BuildOutcome) {
    let mut err = anstream::stderr().lock();
    let mut say = |line: String| drop(writeln!(err, "{line}"));
    for platform in &outcome.platforms {
        let emulated = match platform.emulated_seconds {
            0.0 => String::new(),
            seconds => format!(", {seconds:.1} s of them emulated"),
        };
        say(format!(
            "{}: {} · {:.1} s{emulated} · {} ELF files of the right machine",
            platform.platform, platform.digest, platform.seconds, platform.elf_files
        ));
    }
    let steps = match (outcome.executed, outcome.cached) {
        (0, _) => "all steps from the cache".to_owned(),
        (executed, 0) => format!("{executed} steps"),
        (executed, cached) => format!("{executed} steps, {cached} from the cache"),
    };
    say(format!("done in {:.1} s: {steps}", outcome.seconds));
    if !outcome.pushed.is_empty() {
        let names = outcome.pushed.join(", ");
        say(format!("pushed {names} ({} blobs sent)", outcome.uploaded));
    }
}

fn request(
    args: &BuildArgs,
    defaults: &BuildDefaults,
    found: &Found,
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
    if args.push && tags.is_empty() {
        return Err("--push needs a name: give one with -t, or set tags in mlint.toml".to_owned());
    }
    let outputs =
        args.outputs.iter().map(|o| output(o)).collect::<Result<Vec<Output>, String>>()?;
    Ok(BuildRequest {
        ignore: found.ignore.clone(),
        file: found.file.display().to_string(),
        text: found.text.clone(),
        context: found.context.clone(),
        platforms,
        build_platform: Platform::host().to_string(),
        target: args.target.clone().or_else(|| defaults.target.clone()),
        build_args: defaults
            .build_args
            .iter()
            .cloned()
            .chain(args.build_args.iter().filter_map(|a| build_arg(a)))
            .collect(),
        labels: pairs("--label", &args.labels)?,
        tags,
        push: args.push,
        outputs,
        no_cache: args.no_cache,
        jobs: args.jobs,
        compression: compression(&args.compression)?,
        allow_foreign: args.allow_foreign.clone(),
        plain_http: args.machine.plain_http.clone(),
        cache_dir: cache_dir(&args.machine)?,
        contexts: {
            let mut contexts = defaults.build_contexts.clone();
            contexts.extend(args.build_contexts.iter().cloned());
            context::named(&contexts)?
        },
        run: run_options(args)?,
        secrets: values::secrets(&args.secrets)?,
        agents: values::agents(&args.agents)?,
    })
}

/// Who we are for the repository that is the context.
fn git_login(args: &BuildArgs) -> Result<GitLogin, String> {
    let secrets = values::secrets(&args.secrets)?;
    let secret = |id: &str| {
        let found = secrets.iter().find(|s| s.id == id)?;
        Some(String::from_utf8_lossy(&found.value).trim().to_owned())
    };
    let token = secret("GIT_AUTH_TOKEN").map(|token| GitLogin::token(&token));
    let agents = values::agents(&args.agents)?;
    let agent = agents.into_iter().find(|(id, _)| id == "default").map(|(_, socket)| socket);
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
        shm_size: args.shm_size.as_deref().map(|s| values::size("--shm-size", s)).transpose()?,
        limits: args.ulimits.iter().map(|l| values::limit(l)).collect::<Result<_, _>>()?,
        no_network,
    })
}

/// Where the builder keeps its data.
pub fn cache_dir(args: &MachineArgs) -> Result<PathBuf, String> {
    let from_home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let from_xdg = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let dir = args
        .cache_dir
        .clone()
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
    Ok(SessionOptions { cache_dir: cache_dir(args)?, id_map: IdMap::Auto, qemu })
}
