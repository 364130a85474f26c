//! The command line as it is typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::styling};
use mlint_lint::Severity;
use mlint_model::BuildContext;
use mlint_oci::Platform;

use crate::{commands, config, report::Format};

const STYLES: styling::Styles = styling::Styles::styled()
    .header(styling::AnsiColor::Green.on_default().bold())
    .usage(styling::AnsiColor::Green.on_default().bold())
    .literal(styling::AnsiColor::Cyan.on_default().bold())
    .placeholder(styling::AnsiColor::Cyan.on_default());

/// Takes a Dockerfile from "works on amd64" to one tag for every platform, proved
#[derive(Debug, Parser)]
#[command(
    name = "mlint",
    version,
    styles = STYLES,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        mlint check                     check the Dockerfiles below this directory\n  \
        mlint fix --diff                show what could be repaired\n  \
        mlint build -t NAME --push      build all platforms and push one tag\n  \
        mlint explain platform-arg-default\n\n\
        Exit status: 0 clean, 1 findings, 2 the job could not be done."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Read this configuration instead of the nearest mlint.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Read no configuration
    #[arg(long, global = true, conflicts_with = "config", help_heading = "Global options")]
    pub no_config: bool,
    /// When to use colours; NO_COLOR and CLICOLOR_FORCE count as well
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Global options"
    )]
    pub color: Color,
}

impl Global {
    /// Which configuration holds.
    pub fn config_choice(&self) -> config::Choice {
        match (&self.config, self.no_config) {
            (_, true) => config::Choice::None,
            (Some(path), false) => config::Choice::This(path.clone()),
            (None, false) => config::Choice::Nearest,
        }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On terminals.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what breaks on which platform, and how
    Check(commands::check::CheckArgs),
    /// Repair what can be repaired; each repair is proved first
    Fix(commands::fix::FixArgs),
    /// Build an image for every platform, prove its binaries, and push it under one tag
    #[command(after_help = "Examples:\n  \
        mlint build -t registry.example.com/team/app:1.0 --push\n  \
        mlint build --platforms linux/arm64 --output type=local,dest=out .\n  \
        mlint build --secret id=token,env=TOKEN --build-context base=docker-image://debian:12 .\n  \
        mlint build -o type=oci,dest=app.tar,compression=zstd --sbom --provenance=mode=max\n  \
        mlint build --push -t NAME --cache-from type=registry,ref=NAME:cache \\\n                    \
        --cache-to type=registry,ref=NAME:cache,mode=max\n  \
        mlint build --platforms all --keep-going -t NAME --push\n  \
        mlint build --push              with platforms and tags in mlint.toml\n\n\
        Exit status: 0 built (and pushed), 2 not, for whatever platform. No tag moves unless all \
        went well\nor --push-partial was given.")]
    Build(Box<commands::build::BuildArgs>),
    /// Check that every binary of an image works on its platform
    #[command(after_help = "Examples:\n  \
        mlint verify registry.example.com/team/app:1.0 --platforms linux/amd64,linux/arm64\n  \
        mlint verify oci:out:1.0 --format json\n  \
        mlint verify docker-archive:saved.tar --allow-foreign '/opt/emulators/**'\n\n\
        Exit status: 0 all right, 1 a wrong file or a missing platform, 2 could not look.")]
    Verify(commands::verify::VerifyArgs),
    /// Look after the builder's cache
    Cache(commands::cache::CacheArgs),
    /// Tell what a Dockerfile does on each platform, and where its words come from
    #[command(visible_alias = "explain-file")]
    Trace(commands::trace::TraceArgs),
    /// Draw a Dockerfile: stages, files, and the machines they are for
    Graph(commands::graph::GraphArgs),
    /// Serve an editor over standard input and output
    Lsp(commands::lsp::LspArgs),
    /// List the rules
    Rules(commands::rules::RulesArgs),
    /// Explain a rule
    Explain(commands::explain::ExplainArgs),
    /// Write a shell's completions to standard output
    Completions(commands::completions::CompletionsArgs),
}

/// Which files, built how: shared by all that look at Dockerfiles without building them.
#[derive(Args, Clone, Debug)]
pub struct Subject {
    /// Files, directories (searched for Dockerfiles), or - for standard input [default: .]
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Platforms the image is for, separated by commas [default: those that the
    /// file's name says, else linux/amd64,linux/arm64]
    #[arg(long, visible_alias = "platform", value_delimiter = ',', value_name = "P,…")]
    pub platforms: Vec<Platform>,
    /// The stage that becomes the image [default: the last]
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// A build argument that the build will be given; may be repeated
    #[arg(long = "build-arg", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub build_args: Vec<(String, String)>,
    /// What a name stands for in FROM, COPY --from and mounts: docker-image://REF, a directory,
    /// oci-layout://PATH, an address, or target:NAME; may be repeated
    #[arg(long = "build-context", value_name = "NAME=VALUE", value_parser = BuildContext::parse)]
    pub build_contexts: Vec<BuildContext>,
    /// The build context [default: the Dockerfile's directory or the working directory, whichever
    /// has what COPY names]
    #[arg(long, value_name = "DIR", value_parser = directory)]
    pub context: Option<PathBuf>,
    /// The platform that the build runs on [default: linux/amd64]
    #[arg(long, value_name = "PLATFORM")]
    pub build_platform: Option<Platform>,
}

/// What decides how a file is judged: shared by `check` and `fix`.
#[derive(Args, Clone, Debug)]
pub struct Judging {
    /// Which files, built how.
    #[command(flatten)]
    pub subject: Subject,
    /// Rules to leave out, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "RULE,…", value_parser = rule_name)]
    pub ignore: Vec<String>,
    /// Ask no registry; judge official images by the table that mlint brings along
    #[arg(long)]
    pub offline: bool,
    /// For findings of single-arch-checksum, download the file of each platform to compute its sum;
    /// without this nothing is downloaded
    #[arg(long, conflicts_with = "offline")]
    pub look_up_sums: bool,
    /// Where answers of registries are kept [default: $XDG_CACHE_HOME/mlint or ~/.cache/mlint]
    #[arg(long, env = "MLINT_CACHE_DIR", value_name = "DIR", hide_env_values = true)]
    pub cache_dir: Option<PathBuf>,
}

/// From which severity on findings make the exit status 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Note,
    /// Advice or worse.
    Advice,
    /// Warnings or worse.
    Warning,
    /// Errors.
    Error,
    /// No finding.
    Never,
}

impl FailOn {
    /// Whether the worst finding reaches it.
    pub fn reached_by(self, worst: Option<Severity>) -> bool {
        let least = match self {
            Self::Note => Severity::Note,
            Self::Advice => Severity::Advice,
            Self::Warning => Severity::Warning,
            Self::Error => Severity::Error,
            Self::Never => return false,
        };
        worst.is_some_and(|worst| worst >= least)
    }
}

/// Output of `check`.
#[derive(Args, Clone, Debug)]
pub struct Reporting {
    /// How to write the findings
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// The severity that makes the exit status 1 [default: warning]
    #[arg(long, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some(("", _)) => Err("the name is missing: expected NAME=VALUE".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        // As docker has it: a lone name takes the environment's value.
        None => std::env::var(text)
            .map(|value| (text.to_owned(), value))
            .map_err(|_| format!("expected NAME=VALUE; the environment has no {text} either")),
    }
}

fn directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.is_dir() {
        true => Ok(path),
        false => Err("there is no such directory".to_owned()),
    }
}

/// A rule's name, or what it was probably meant to be.
///
/// # Errors
/// When there is no such rule.
pub fn rule_name(text: &str) -> Result<String, String> {
    if crate::catalogue::find(text).is_some() {
        return Ok(text.to_owned());
    }
    let names = crate::catalogue::all().map(|meta| meta.name);
    Err(match crate::suggest::nearest(text, names) {
        Some(near) => format!("there is no such rule; did you mean '{near}'?"),
        None => "there is no such rule; `mlint rules` lists them all".to_owned(),
    })
}
