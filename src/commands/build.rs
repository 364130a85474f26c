//! `mlint build`.

use std::{
    io::{IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, ValueEnum};
use mlint_builder::{
    layer::Compression,
    request::{BuildOutcome, BuildReply, BuildRequest, Output},
    sandbox::session::{IdMap, SessionOptions, spawn},
};
use mlint_oci::Platform;

use super::session::SessionRequest;
use crate::report::failure;

/// Exit status of what could not be done.
const FAILED: u8 = 2;

/// Arguments of `mlint build`.
#[derive(Args, Clone, Debug)]
pub struct BuildArgs {
    /// The build context: a directory
    #[arg(default_value = ".")]
    pub context: PathBuf,
    /// The Dockerfile [default: Dockerfile or Containerfile in the context]; - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Platforms to build for, separated by commas
    #[arg(long, visible_alias = "platform", value_delimiter = ',', value_name = "P,…")]
    pub platforms: Vec<String>,
    /// A name for the image; may be repeated
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    pub tags: Vec<String>,
    /// Push the image to its names
    #[arg(long)]
    pub push: bool,
    /// Write the image elsewhere: type=oci,dest=PATH (a .tar or a directory) or type=local,dest=DIR
    #[arg(short, long = "output", value_name = "type=T,dest=PATH")]
    pub outputs: Vec<String>,
    /// The stage to build
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// A build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub build_args: Vec<String>,
    /// A label for the image
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
    /// Execute every step, whatever the cache holds
    #[arg(long)]
    pub no_cache: bool,
    /// Steps that run at the same time [default: one per processor]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub jobs: usize,
    /// How layers are compressed: gzip, zstd, or either with a level (gzip:9)
    #[arg(long, value_name = "C", default_value = "gzip")]
    pub compression: String,
    /// Let files of another machine pass at paths that match; as in .dockerignore
    #[arg(long, value_name = "PATTERN")]
    pub allow_foreign: Vec<String>,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto")]
    pub progress: ProgressMode,
    /// What the builder runs with
    #[command(flatten)]
    pub machine: MachineArgs,
}

/// Arguments that `build` and `verify` share.
#[derive(Args, Clone, Debug)]
pub struct MachineArgs {
    /// Where the builder keeps its data [default: $XDG_CACHE_HOME/mlint or ~/.cache/mlint]
    #[arg(long, env = "MLINT_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// An emulator: ARCH=PATH, as in arm64=/usr/bin/qemu-aarch64-static
    #[arg(long = "qemu", value_name = "ARCH=PATH")]
    pub qemu: Vec<String>,
    /// A registry that speaks plain HTTP, as it is written in names; loopback addresses may always
    #[arg(long = "plain-http", value_name = "HOST[:PORT]")]
    pub plain_http: Vec<String>,
}

/// How progress is shown.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum ProgressMode {
    /// tty on a terminal, else plain.
    #[default]
    Auto,
    /// One line for everything that happens.
    Plain,
    /// A live display of what runs.
    Tty,
    /// One JSON object per event.
    Json,
    /// Nothing but errors.
    Quiet,
}

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
    let request = request(args, defaults)?;
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
            failure::show(&file, &text, &failed);
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

fn request(args: &BuildArgs, defaults: &BuildDefaults) -> Result<BuildRequest, String> {
    let context = std::path::absolute(&args.context)
        .map_err(|e| format!("cannot find the context {}: {e}", args.context.display()))?;
    if !context.is_dir() {
        return Err(format!("the build context {} is not a directory", args.context.display()));
    }
    let (file, text) = dockerfile(args, &context)?;
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
        ignore: ignore_file(&file, &context)?,
        file: file.display().to_string(),
        text,
        context: Some(context),
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
    })
}

fn dockerfile(args: &BuildArgs, context: &Path) -> Result<(PathBuf, String), String> {
    let path = match &args.file {
        Some(path) if path.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| format!("cannot read the Dockerfile from standard input: {e}"))?;
            return Ok((PathBuf::from("<stdin>"), text));
        }
        Some(path) => path.clone(),
        None => ["Dockerfile", "Containerfile"]
            .iter()
            .map(|name| args.context.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                let dir = context.display();
                format!("there is no Dockerfile in {dir}; name the file with -f")
            })?,
    };
    let bytes = std::fs::read(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{} is no text: it is not valid UTF-8", path.display()))?;
    let path = path.strip_prefix("./").map(Path::to_owned).unwrap_or(path);
    Ok((path, text))
}

/// `<Dockerfile>.dockerignore` replaces `.dockerignore`.
fn ignore_file(file: &Path, context: &Path) -> Result<Option<(String, String)>, String> {
    let mut own = file.as_os_str().to_owned();
    own.push(".dockerignore");
    for path in [PathBuf::from(own), context.join(".dockerignore")] {
        match std::fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                return Ok(Some((path.display().to_string(), text)));
            }
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) => {}
            Err(e) => return Err(format!("cannot read {}: {e}", path.display())),
        }
    }
    Ok(None)
}

fn build_arg(text: &str) -> Option<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) => Some((name.to_owned(), value.to_owned())),
        None => Some((text.to_owned(), std::env::var(text).ok()?)),
    }
}

fn pairs(flag: &str, texts: &[String]) -> Result<Vec<(String, String)>, String> {
    texts
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
            _ => Err(format!("{flag} {text}: expected NAME=VALUE")),
        })
        .collect()
}

fn output(text: &str) -> Result<Output, String> {
    let mut kind = None;
    let mut dest = None;
    for field in text.split(',') {
        match field.split_once('=') {
            Some(("type", value)) => kind = Some(value),
            Some(("dest", value)) => dest = Some(PathBuf::from(value)),
            // As docker has it: a lone path is a directory for the files.
            None if !text.contains('=') => (kind, dest) = (Some("local"), Some(text.into())),
            _ => return Err(format!("--output {text}: '{field}' is neither type= nor dest=")),
        }
    }
    let dest = dest.ok_or_else(|| format!("--output {text}: dest= is missing"))?;
    let dest = std::path::absolute(&dest).map_err(|e| format!("--output {text}: {e}"))?;
    match kind {
        Some("oci") if dest.extension().is_some_and(|e| e == "tar") => Ok(Output::OciArchive(dest)),
        Some("oci") => Ok(Output::OciDirectory(dest)),
        Some("local") => Ok(Output::Local(dest)),
        Some(other) => Err(format!(
            "--output type={other} is not supported yet: oci and local are; --push goes to a registry"
        )),
        None => Err(format!("--output {text}: type= is missing")),
    }
}

fn compression(text: &str) -> Result<Compression, String> {
    let (name, level) = text.split_once(':').map_or((text, None), |(n, l)| (n, Some(l)));
    let level = |default: i32, most: i32| match level {
        None => Ok(default),
        Some(level) => level
            .parse()
            .ok()
            .filter(|level| (0..=most).contains(level))
            .ok_or_else(|| format!("--compression {text}: levels go from 0 to {most}")),
    };
    match name {
        "gzip" => Ok(Compression::Gzip(level(6, 9)?.unsigned_abs())),
        "zstd" => Ok(Compression::Zstd(level(3, 19)?)),
        _ => Err(format!("--compression {text}: gzip and zstd are known")),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read_or_refused() {
        assert!(matches!(output("type=oci,dest=/a/b.tar"), Ok(Output::OciArchive(_))));
        assert!(matches!(output("type=oci,dest=/a/b"), Ok(Output::OciDirectory(_))));
        assert!(matches!(output("out"), Ok(Output::Local(_))));
        for bad in ["type=oci", "type=image,dest=x", "dest=x", "type=oci,colour=red"] {
            assert!(output(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn compressions() {
        assert_eq!(compression("gzip"), Ok(Compression::Gzip(6)));
        assert_eq!(compression("gzip:9"), Ok(Compression::Gzip(9)));
        assert_eq!(compression("zstd:19"), Ok(Compression::Zstd(19)));
        for bad in ["lzma", "gzip:10", "zstd:x", "gzip:-1"] {
            assert!(compression(bad).is_err(), "{bad}");
        }
    }
}
