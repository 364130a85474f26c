//! `mlint cache`.

use std::{
    io::{BufRead, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand};
use mlint_builder::{
    cache::{CacheReply, CacheRequest},
    exec::now,
    plan::parse_size,
    sandbox::session::{IdMap, SessionOptions, spawn},
    store::{Kind, PruneOptions, Pruned},
};

use super::{Failure, build::cache_dir, print, session::SessionRequest};
use crate::report::{ListFormat, cache, failure};

/// Exit status of what could not be done.
const FAILED: u8 = 2;

/// Arguments of `mlint cache`.
#[derive(Args, Clone, Debug)]
pub struct CacheArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
}

/// What to do with the cache.
#[derive(Clone, Debug, Subcommand)]
pub enum CacheCommand {
    /// Show what the cache holds, and how much of the disk it takes
    #[command(after_help = "Examples:\n  \
        mlint cache du\n  \
        mlint cache du --verbose                       every layer and mount, the largest first\n  \
        mlint cache du --format json | jq .total")]
    Du(DuArgs),
    /// Remove from the cache, the longest unused first; what a running build uses stays
    #[command(after_help = "Examples:\n  \
        mlint cache prune                              all that no running build uses\n  \
        mlint cache prune --max-used-space 20g         only what is above that size\n  \
        mlint cache prune --filter until=72h           only what was not used for three days\n  \
        mlint cache prune --filter type=mount -f       only cache mounts, without a question\n\n\
        Builds keep the cache within a size themselves: --cache-max-size, or max-size in the\n\
        [cache] table of mlint.toml.")]
    Prune(PruneArgs),
}

/// Arguments of `mlint cache du`.
#[derive(Args, Clone, Debug)]
pub struct DuArgs {
    /// Show every thing, not only the kinds
    #[arg(long)]
    pub verbose: bool,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
    /// Where the cache is [default: $XDG_CACHE_HOME/mlint or ~/.cache/mlint]
    #[arg(long, env = "MLINT_CACHE_DIR", value_name = "DIR", hide_env_values = true)]
    pub cache_dir: Option<PathBuf>,
}

/// Arguments of `mlint cache prune`.
#[derive(Args, Clone, Debug)]
pub struct PruneArgs {
    /// Remove digests of contexts and answers of registries, too: small, and they save time
    #[arg(short, long)]
    pub all: bool,
    /// Only what matches: until=24h (not used for so long), type=KIND (layer, base, unpacked, mount,
    /// download, record, context, fact); may be repeated
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// Remove only what the cache takes beyond this size, as in 20g
    #[arg(long, visible_alias = "keep-storage", value_name = "SIZE", value_parser = size)]
    pub max_used_space: Option<u64>,
    /// Remove only until this much of the disk is free
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub min_free_space: Option<u64>,
    /// Leave at least this size, whatever else is said
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub reserved_space: Option<u64>,
    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; without a terminal nothing is asked anyway
    #[arg(short, long)]
    pub force: bool,
    /// How to write what was done
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: ListFormat,
    /// Where the cache is [default: $XDG_CACHE_HOME/mlint or ~/.cache/mlint]
    #[arg(long, env = "MLINT_CACHE_DIR", value_name = "DIR", hide_env_values = true)]
    pub cache_dir: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When standard output can't be written.
pub fn run(args: &CacheArgs) -> Result<ExitCode, Failure> {
    let done = match &args.command {
        CacheCommand::Du(args) => du(args),
        CacheCommand::Prune(args) => prune(args),
    };
    match done {
        Ok(written) => written.map(|()| ExitCode::SUCCESS),
        Err(message) => {
            failure::say(&message);
            Ok(ExitCode::from(FAILED))
        }
    }
}

fn du(args: &DuArgs) -> Result<Result<(), Failure>, String> {
    let cache_dir = cache_dir(args.cache_dir.as_deref())?;
    let CacheReply::Usage(usage) = ask(&CacheRequest::Usage { cache_dir })? else {
        return Err("the session's answer is to another question".to_owned());
    };
    Ok(print(|out| match args.format {
        ListFormat::Text => cache::usage(&usage, args.verbose, now(), out),
        ListFormat::Json => writeln!(out, "{:#}", cache::usage_json(&usage)),
    }))
}

fn prune(args: &PruneArgs) -> Result<Result<(), Failure>, String> {
    let cache_dir = cache_dir(args.cache_dir.as_deref())?;
    let options = options(args)?;
    if !args.force && !args.dry_run && std::io::stdin().is_terminal() {
        let first = PruneOptions { dry_run: true, ..options.clone() };
        let would = pruned(&CacheRequest::Prune { cache_dir: cache_dir.clone(), options: first })?;
        if !would.removed.is_empty() && !agreed(&would) {
            return Err("nothing was removed".to_owned());
        }
    }
    let pruned = pruned(&CacheRequest::Prune { cache_dir, options })?;
    Ok(print(|out| match args.format {
        ListFormat::Text => cache::pruned(&pruned, args.dry_run, out),
        ListFormat::Json => writeln!(out, "{:#}", cache::pruned_json(&pruned, args.dry_run)),
    }))
}

fn pruned(request: &CacheRequest) -> Result<Pruned, String> {
    match ask(request)? {
        CacheReply::Pruned(pruned) => Ok(pruned),
        _ => Err("the session's answer is to another question".to_owned()),
    }
}

/// Asks whoever sits at the terminal.
fn agreed(would: &Pruned) -> bool {
    let (freed, things) = (cache::bytes(would.freed()), would.removed.len());
    let mut err = anstream::stderr().lock();
    let asked = write!(err, "remove {things} things ({freed}) from the cache? [y/N] ")
        .and_then(|()| err.flush());
    let mut answer = String::new();
    asked.is_ok()
        && std::io::stdin().lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Has it done in a session, where all files can be read and removed.
fn ask(request: &CacheRequest) -> Result<CacheReply, String> {
    let (CacheRequest::Usage { cache_dir } | CacheRequest::Prune { cache_dir, .. }) = request;
    let options =
        SessionOptions { cache_dir: cache_dir.clone(), id_map: IdMap::Auto, qemu: Vec::new() };
    let message = SessionRequest::Cache(request.clone());
    let bytes = serde_json::to_vec(&message).map_err(|e| e.to_string())?;
    let exit = spawn(&bytes, &options).map_err(|e| e.to_string())?;
    match serde_json::from_slice(&exit.reply) {
        Ok(CacheReply::Failed(message)) => Err(message),
        Ok(reply) => Ok(reply),
        Err(e) => Err(format!("the session's answer cannot be read: {e}")),
    }
}

fn options(args: &PruneArgs) -> Result<PruneOptions, String> {
    let mut options = PruneOptions {
        all: args.all,
        max_used: args.max_used_space,
        min_free: args.min_free_space,
        reserved: args.reserved_space,
        dry_run: args.dry_run,
        ..PruneOptions::default()
    };
    for filter in &args.filters {
        let wrong = |problem: String| format!("--filter {filter}: {problem}");
        match filter.split_once('=') {
            Some(("until" | "unused-for", age)) => {
                let age = duration(age).ok_or_else(|| {
                    wrong("expected a duration, as in until=24h or until=1h30m".to_owned())
                })?;
                options.unused_for = Some(age.as_secs());
            }
            Some(("type", name)) => {
                let kind = Kind::ALL.into_iter().find(|k| k.name() == name && *k != Kind::Work);
                options.kinds.push(kind.ok_or_else(|| {
                    let known: Vec<&str> =
                        Kind::ALL.iter().filter(|k| **k != Kind::Work).map(|k| k.name()).collect();
                    wrong(format!("there is no type '{name}': {} are known", known.join(", ")))
                })?);
            }
            _ => return Err(wrong("until= and type= are known".to_owned())),
        }
    }
    // Who names a kind means it.
    options.all |= options.kinds.iter().any(|kind| kind.is_small());
    Ok(options)
}

/// `20g`.
///
/// # Errors
/// When it is no size.
pub fn size(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "expected a size, as in 500m or 20g".to_owned())
}

/// Durations as Go writes them: `24h`, `1h30m`, `90s`; days and weeks as well.
fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..unit_at].parse().ok()?;
        let unit_end = rest[unit_at..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |length| unit_at + length);
        let seconds = match &rest[unit_at..unit_end] {
            "w" => 7.0 * 86_400.0,
            "d" => 86_400.0,
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in
            [("24h", 86_400), ("1h30m", 5400), ("90s", 90), ("1.5h", 5400), ("2d", 172_800)]
        {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "24", "h", "1x", "-1h", "1h30", "1..h", "1e400h"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
