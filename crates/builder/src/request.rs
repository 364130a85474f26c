//! What a build is asked to do, and what it answers. Both cross a process boundary as JSON.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    layer::Compression,
    remote::{Commit, GitAddress, without_credentials},
    sandbox::step::Limit,
};

/// All that defines a build.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildRequest {
    /// The Dockerfile's path as people should read it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The context's directory, absolute; `None` if there is none.
    pub context: Option<PathBuf>,
    /// Where the context was brought from, if it was not here.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// The ignore file's path and text.
    pub ignore: Option<(String, String)>,
    /// The platforms to build for; "all" alone for those that all base images offer.
    pub platforms: Vec<String>,
    /// The platform that builds; the host's.
    pub build_platform: String,
    /// The stage to build; the last one without it.
    pub target: Option<String>,
    /// Build arguments.
    pub build_args: Vec<(String, String)>,
    /// Labels that win over the file's.
    pub labels: Vec<(String, String)>,
    /// Names to give to the result.
    pub tags: Vec<String>,
    /// Where the result goes.
    pub outputs: Vec<Output>,
    /// What manifests and the index say besides.
    pub annotations: Vec<Annotation>,
    /// `SOURCE_DATE_EPOCH`: the time that everything made here has in the configs.
    pub epoch: Option<i64>,
    /// Statements that go with each image.
    pub attestations: Attestations,
    /// Execute every step, whatever the cache holds.
    pub no_cache: bool,
    /// Stages whose steps are executed, whatever the cache holds.
    pub no_cache_stages: Vec<String>,
    /// When a platform fails, build and prove the others to their end.
    pub keep_going: bool,
    /// Hand over what was built even if platforms failed.
    pub push_partial: bool,
    /// Steps that run at the same time; 0 for as many as there are processors.
    pub jobs: usize,
    /// How layers are compressed.
    pub compression: Compression,
    /// Paths (patterns) at which binaries of another machine are meant to be.
    pub allow_foreign: Vec<String>,
    /// Registries that speak plain HTTP, besides loopback addresses.
    pub plain_http: Vec<String>,
    /// Where the cache is.
    pub cache_dir: PathBuf,
    /// The most that the cache takes when the build is done, in bytes; the usual size without it.
    pub cache_max: Option<u64>,
    /// Caches elsewhere that are looked into.
    pub cache_from: Vec<CachePlace>,
    /// Caches elsewhere that are written when the build is done.
    pub cache_to: Vec<CacheTo>,
    /// What names stand for in FROM, COPY --from and mounts.
    pub contexts: Vec<NamedContext>,
    /// What commands run with.
    pub run: RunOptions,
    /// Secrets, for those that the file names.
    pub secrets: Vec<Secret>,
    /// Sockets of ssh agents by their ids.
    pub agents: Vec<(String, PathBuf)>,
}

impl BuildRequest {
    /// A secret's value.
    pub fn secret(&self, id: &str) -> Option<&[u8]> {
        self.secrets.iter().find(|s| s.id == id).map(|s| s.value.as_slice())
    }

    /// A build argument's value; the last one counts.
    pub fn build_arg(&self, name: &str) -> Option<&str> {
        let mut given = self.build_args.iter().rev();
        given.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The socket of an ssh agent.
    pub fn agent(&self, id: &str) -> Option<&PathBuf> {
        self.agents.iter().find(|(name, _)| name == id).map(|(_, socket)| socket)
    }
}

/// Where something was brought from, and what that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The address, without any password.
    pub uri: String,
    /// `sha1` or `sha256`.
    pub algorithm: String,
    /// In hex: a commit's name, or the digest of a file.
    pub digest: String,
}

impl Origin {
    /// A repository at a commit.
    pub fn of_repository(git: &GitAddress, commit: &Commit) -> Self {
        let (remote, _) = without_credentials(&git.remote);
        let reference = git.reference.iter().map(|name| format!("#{name}")).collect::<String>();
        let algorithm = if commit.id.len() == 64 { "sha256" } else { "sha1" };
        let (uri, digest) = (format!("{remote}{reference}"), commit.id.clone());
        Self { uri, algorithm: algorithm.to_owned(), digest }
    }
}

/// Where a cache is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CachePlace {
    /// A name in a registry.
    Registry(String),
    /// A directory, absolute.
    Directory {
        /// The directory.
        path: PathBuf,
        /// Which of the caches in it.
        tag: String,
    },
}

impl std::fmt::Display for CachePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registry(name) => f.write_str(name),
            Self::Directory { path, .. } => path.display().fmt(f),
        }
    }
}

/// A cache to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheTo {
    /// Where.
    pub place: CachePlace,
    /// Whether it gets all steps, and not only those whose layers are in the images.
    pub max: bool,
    /// Whether a build succeeds that can't write it.
    pub ignore_error: bool,
}

/// `--build-context NAME=…`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedContext {
    /// The name, familiar and without `:latest`.
    pub name: String,
    /// The only platform that it is for, if it is not for all.
    pub platform: Option<String>,
    /// What it stands for.
    pub source: NamedSource,
}

/// What a name stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedSource {
    /// A directory, absolute, and its ignore file's path and text.
    Directory {
        /// The directory.
        path: PathBuf,
        /// The ignore file.
        ignore: Option<(String, String)>,
    },
    /// An image; `scratch` is the empty one.
    Image(String),
    /// An image in an OCI layout: the layout's directory, and a tag or digest.
    Layout {
        /// The directory.
        path: PathBuf,
        /// The tag or digest; empty for the usual one.
        target: String,
    },
    /// A git repository, or a file that is called `context` then.
    Remote(String),
}

/// What commands run with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunOptions {
    /// Lines for `/etc/hosts`: name and address.
    pub hosts: Vec<(String, String)>,
    /// The size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Resource limits.
    pub limits: Vec<Limit>,
    /// Whether those that don't say which network they want see none.
    pub no_network: bool,
}

/// A secret. Only the step that mounts it sees its value.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret {
    /// Its name.
    pub id: String,
    /// Its value.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A place for the result, and how it is to look there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Where.
    pub place: Place,
    /// Names in a layout or an archive; those of the request if there are none.
    #[serde(default)]
    pub names: Vec<String>,
    /// Its layers.
    pub layers: LayerOptions,
    /// What manifests and the index say in this place, besides what they say everywhere.
    #[serde(default)]
    pub annotations: Vec<Annotation>,
    /// Whether files lie below a directory for their platform; if nothing is said, where there are
    /// several platforms.
    #[serde(default)]
    pub split: Option<bool>,
}

impl Output {
    /// One that says nothing but where.
    pub fn to(place: Place) -> Self {
        let (names, annotations) = (Vec::new(), Vec::new());
        Self { place, names, layers: LayerOptions::default(), annotations, split: None }
    }
}

/// A place for the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A registry.
    Registry {
        /// Names; those of the request if there are none.
        names: Vec<String>,
        /// Without any tag.
        by_digest: bool,
    },
    /// An OCI image layout in a directory.
    OciDirectory(PathBuf),
    /// An OCI image layout in a tar archive.
    OciArchive(PathBuf),
    /// An archive that `docker load` reads; one per platform if there are several.
    Docker(PathBuf),
    /// The same for one image only, if there are several: the one of the platform that builds.
    Load(PathBuf),
    /// The image's files in a tar archive; below a directory per platform if there are several.
    Tar(PathBuf),
    /// The image's files in a directory; one below it per platform if there are several.
    Local(PathBuf),
}

/// How layers are to look in an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LayerOptions {
    /// How they are compressed, if not as the cache has them.
    pub compression: Option<Compression>,
    /// Whether this holds for the base image's layers, too.
    pub force: bool,
    /// Whether no file made here is younger than the epoch.
    pub rewrite_timestamp: bool,
}

/// `--annotation`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// Where it goes.
    pub level: AnnotationLevel,
    /// The only platform that it is for.
    pub platform: Option<String>,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Where an annotation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnnotationLevel {
    /// Into each image's manifest.
    Manifest,
    /// Into the index.
    Index,
    /// To the manifest's descriptor in the index.
    ManifestDescriptor,
    /// To the index's descriptor in a layout.
    IndexDescriptor,
}

/// Statements that go with each image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestations {
    /// How it was built.
    pub provenance: Option<Provenance>,
    /// What is in it.
    pub sbom: bool,
}

impl Attestations {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.provenance.is_some() || self.sbom
    }
}

/// What a provenance says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Whether it holds the values of build arguments and the Dockerfile.
    pub max: bool,
    /// Who has built.
    pub builder_id: String,
}

/// What a verification is asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifyRequest {
    /// The image.
    pub source: ImageSource,
    /// The platforms that must be there; all that are, if empty.
    pub platforms: Vec<String>,
    /// Paths (patterns) at which binaries of another machine are meant to be.
    pub allow_foreign: Vec<String>,
    /// Registries that speak plain HTTP, besides loopback addresses.
    pub plain_http: Vec<String>,
    /// Where the cache is.
    pub cache_dir: PathBuf,
    /// The most that the cache takes when this is done, in bytes; the usual size without it.
    pub cache_max: Option<u64>,
}

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageSource {
    /// In a registry, by its name.
    Registry(String),
    /// In an OCI layout.
    Layout {
        /// The layout's directory.
        path: PathBuf,
        /// A tag; empty for all that is there.
        target: String,
    },
    /// In an archive: an OCI layout's, or one of `docker save`.
    Archive {
        /// The file.
        path: PathBuf,
        /// A tag or name; empty for all that is there.
        target: String,
    },
}

impl std::fmt::Display for ImageSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registry(name) => f.write_str(name),
            Self::Layout { path, .. } | Self::Archive { path, .. } => path.display().fmt(f),
        }
    }
}

/// How a build ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildReply {
    /// It is done.
    Done(BuildOutcome),
    /// It failed.
    Failed(Failure),
}

/// A build that is done, as far as it could be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct BuildOutcome {
    /// The digest that the tags point at: the index's, or the manifest's of a single platform. Empty
    /// if platforms have failed and nothing was handed over.
    pub digest: String,
    /// Its media type.
    pub media_type: String,
    /// Its size.
    pub size: u64,
    /// The names it has now, if it was pushed.
    pub pushed: Vec<PushedName>,
    /// Per platform that was built.
    pub platforms: Vec<PlatformOutcome>,
    /// Why the other platforms were not.
    pub failed: Vec<PlatformFailure>,
    /// What should be looked at.
    pub warnings: Vec<Remark>,
    /// Steps that were left out because of that.
    pub skipped: usize,
    /// Steps that were executed.
    pub executed: usize,
    /// Steps that were not, thanks to the cache.
    pub cached: usize,
    /// Blobs that were sent to a registry.
    pub uploaded: usize,
    /// Seconds from start to end.
    pub seconds: f64,
}

/// A name that was pushed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushedName {
    /// The name, as people write it; without a tag if it was pushed by digest.
    pub name: String,
    /// What it has now: outputs that compress in their own way have digests of their own.
    pub digest: String,
}

/// One platform of a build that is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PlatformOutcome {
    /// The platform.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: String,
    /// The digest of its config.
    pub config: String,
    /// The size of its manifest.
    pub size: u64,
    /// Seconds that its steps took.
    pub seconds: f64,
    /// Of these, under emulation.
    pub emulated_seconds: f64,
    /// The steps that were executed under emulation, the longest first.
    pub emulated: Vec<EmulatedStep>,
    /// ELF files that it holds, without those of other machines that are meant to be there.
    pub elf_files: usize,
}

/// A step that was executed under emulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmulatedStep {
    /// Where it stands in the file, in bytes.
    pub place: (u32, u32),
    /// The stage's name, or its number.
    pub stage: String,
    /// The instruction, shortened.
    pub text: String,
    /// Seconds that it took.
    pub seconds: f64,
}

/// Why platforms have no image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformFailure {
    /// The platforms; none if what was built could not be handed over.
    pub platforms: Vec<String>,
    /// Why.
    pub failure: Failure,
}

/// Something that should be looked at, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// What is odd: a sentence without a final stop.
    pub message: String,
    /// Where in the file, in bytes.
    pub place: Option<(u32, u32)>,
    /// Lines that go below.
    pub notes: Vec<String>,
}

/// A build that failed, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What is wrong, why, and what to do.
    pub message: String,
    /// Where in the file, in bytes.
    pub place: Option<(u32, u32)>,
    /// More places that matter, with what they have to do with it.
    pub related: Vec<((u32, u32), String)>,
    /// Lines that go below.
    pub notes: Vec<String>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}
