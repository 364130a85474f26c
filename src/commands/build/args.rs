//! What `mlint build` is told.

use std::path::PathBuf;

use clap::{ArgAction::Set, Args, ValueEnum};
use mlint_model::BuildContext;

use super::others::OtherArgs;

/// Arguments of `mlint build`.
#[derive(Args, Clone, Debug)]
pub struct BuildArgs {
    /// The build context: a directory, - for a tar archive or a Dockerfile on standard input, a git
    /// repository, or the address of a tar archive
    #[arg(default_value = ".")]
    pub context: String,
    /// The Dockerfile [default: Dockerfile or Containerfile in the context]; - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Platforms to build for, separated by commas; or all: those that all base images have in
    /// common
    #[arg(long, visible_alias = "platform", value_delimiter = ',', value_name = "P,…")]
    pub platforms: Vec<String>,
    /// A name for the image; may be repeated
    #[arg(short, long = "tag", value_name = "NAME[:TAG]")]
    pub tags: Vec<String>,
    /// Push the image to its names
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true, hide_default_value = true, hide_possible_values = true, action = Set, value_name = "true|false")]
    pub push: bool,
    /// Load the image into this machine's Docker or Podman; of several platforms, this machine's
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true, hide_default_value = true, hide_possible_values = true, action = Set, value_name = "true|false")]
    pub load: bool,
    /// Where the image goes; may be repeated: type=registry or image (name=, push-by-digest=true),
    /// type=oci,dest=PATH (a .tar or a directory), type=docker,dest=FILE (a file per platform if
    /// there are several), type=tar,dest=FILE, type=local,dest=DIR, or a directory. With name= (the
    /// names that -t gives take its place), compression=, compression-level=, force-compression=true,
    /// rewrite-timestamp=true (to SOURCE_DATE_EPOCH), annotation.KEY=, platform-split=
    #[arg(short, long = "output", value_name = "type=T,dest=PATH,…")]
    pub outputs: Vec<String>,
    /// An annotation: [LEVEL[PLATFORM],…:]KEY=VALUE; levels are manifest (if none is given), index,
    /// manifest-descriptor and index-descriptor
    #[arg(long = "annotation", value_name = "KEY=VALUE")]
    pub annotations: Vec<String>,
    /// Attach how the image was built (SLSA 1.0): true, mode=min, mode=max or false
    #[arg(long, value_name = "MODE", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub provenance: Option<String>,
    /// Attach what is in the image (SPDX), by the package databases in it: dpkg's, apk's, and rpm's but
    /// for the oldest form
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub sbom: Option<String>,
    /// The same in one flag: type=provenance,mode=max or type=sbom, or either with disabled=true
    #[arg(long = "attest", value_name = "type=T")]
    pub attests: Vec<String>,
    /// Write digests and names to a file, as JSON
    #[arg(long, value_name = "FILE")]
    pub metadata_file: Option<PathBuf>,
    /// Write the image's id to a file: the digest of its config, or of the index if there is one
    #[arg(long, value_name = "FILE")]
    pub iidfile: Option<PathBuf>,
    /// The stage to build
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// A build argument; without a value it is taken from the environment
    #[arg(long = "build-arg", value_name = "NAME[=VALUE]")]
    pub build_args: Vec<String>,
    /// A label for the image
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
    /// What a name stands for in FROM, COPY --from and mounts: a directory, docker-image://REF,
    /// oci-layout://PATH[:TAG], a git repository or an address
    #[arg(long = "build-context", value_name = "NAME=VALUE", value_parser = BuildContext::parse)]
    pub build_contexts: Vec<BuildContext>,
    /// A secret for RUN --mount=type=secret: id=ID,src=FILE or id=ID,env=NAME (type= may say which).
    /// Some are for servers:
    /// GIT_AUTH_TOKEN and GIT_AUTH_HEADER (or with .HOST behind), HTTP_AUTH_TOKEN_HOST and
    /// HTTP_AUTH_HEADER_HOST
    #[arg(long = "secret", value_name = "id=ID,src=FILE")]
    pub secrets: Vec<String>,
    /// An ssh agent for RUN --mount=type=ssh and git: default or ID (by SSH_AUTH_SOCK), ID=SOCKET,
    /// or ID=KEY,… for an agent with these key files, which ends with the build
    #[arg(long = "ssh", value_name = "ID[=SOCKET|KEY,…]")]
    pub agents: Vec<String>,
    /// A line of /etc/hosts for commands
    #[arg(long = "add-host", value_name = "NAME:ADDRESS")]
    pub hosts: Vec<String>,
    /// The network of commands that don't choose one: default, none or host
    #[arg(long, value_name = "MODE", default_value = "default", hide_default_value = true)]
    pub network: String,
    /// The size of /dev/shm for commands, as in 128m
    #[arg(long, value_name = "SIZE")]
    pub shm_size: Option<String>,
    /// A resource limit for commands, as in nofile=1024:2048
    #[arg(long = "ulimit", value_name = "NAME=SOFT[:HARD]")]
    pub ulimits: Vec<String>,
    /// A cache elsewhere to look into: type=registry,ref=NAME (or just the name) or
    /// type=local,src=DIR; may be repeated. Of the form that --cache-to writes, which is mlint's own;
    /// there is no type=gha: actions/cache keeps a directory of type=local
    #[arg(long = "cache-from", value_name = "type=T,…")]
    pub cache_from: Vec<String>,
    /// Write the cache elsewhere when the build is done: type=registry,ref=NAME or
    /// type=local,dest=DIR, with mode=min (layers of the image) or mode=max (all steps),
    /// ignore-error=true; may be repeated. What other platforms have there stays
    #[arg(long = "cache-to", value_name = "type=T,…")]
    pub cache_to: Vec<String>,
    /// Execute every step, whatever the cache holds
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true, hide_default_value = true, hide_possible_values = true, action = Set, value_name = "true|false")]
    pub no_cache: bool,
    /// Execute every step of these stages, whatever the cache holds
    #[arg(long, value_name = "STAGE,…", value_delimiter = ',')]
    pub no_cache_filter: Vec<String>,
    /// Accepted for those used to it: every build asks for its base images anew
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true, hide_default_value = true, hide_possible_values = true, action = Set, value_name = "true|false")]
    pub pull: bool,
    /// When a platform fails, build and prove the others to their end, and tell what became of each.
    /// The exit status is 2 all the same, and nothing is pushed or written
    #[arg(short, long)]
    pub keep_going: bool,
    /// With --keep-going: push and write what was built even if platforms failed. The tags then
    /// point at an image without these platforms, also where they had them before
    #[arg(long, requires = "keep_going")]
    pub push_partial: bool,
    /// Steps that run at the same time; native ones go first [default: one per processor]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub jobs: usize,
    /// How layers are compressed: gzip, zstd, or either with a level, as in gzip:9 [default: as the
    /// outputs want it, or gzip]
    #[arg(long, value_name = "C")]
    pub compression: Option<String>,
    /// Let files of another machine pass at paths that match: /opt/tool, or /opt/** for all below a
    /// directory
    #[arg(long, value_name = "PATTERN")]
    pub allow_foreign: Vec<String>,
    /// How progress is shown
    #[arg(long, value_enum, default_value = "auto")]
    pub progress: ProgressMode,
    /// The same as --progress quiet
    #[arg(short, long, conflicts_with = "progress")]
    pub quiet: bool,
    /// What the builder runs with
    #[command(flatten)]
    pub machine: MachineArgs,
    /// What only BuildKit does
    #[command(flatten)]
    pub others: OtherArgs,
}

/// Arguments that `build` and `verify` share.
#[derive(Args, Clone, Debug)]
pub struct MachineArgs {
    /// Where the builder keeps its data [default: $XDG_CACHE_HOME/mlint or ~/.cache/mlint]
    #[arg(long, env = "MLINT_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// The size that the cache is kept within, as in 20g [default: the smaller of 100 GB and four
    /// fifths of the disk]
    #[arg(long, env = "MLINT_CACHE_MAX_SIZE", value_name = "SIZE", value_parser = crate::commands::cache::size)]
    pub cache_max_size: Option<u64>,
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
    #[value(alias = "rawjson")]
    Json,
    /// Nothing but errors.
    #[value(alias = "none")]
    Quiet,
}
