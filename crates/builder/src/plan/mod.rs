//! The plan: which steps make the images of all platforms.
//!
//! Planning reads the Dockerfile once per platform. Equal steps on equal parents are one step, so
//! stages that do not depend on the target come out as one for all targets.

mod contexts;
mod copy;
mod flags;
mod images;
mod metadata;
mod mounts;
mod paths;
mod ports;
mod run;
mod size;
mod stage;
mod stages;
mod words;

use std::collections::HashMap;

use mlint_oci::{ImageConfig, Platform};
use mlint_syntax::Span;
use serde::Serialize;

pub use contexts::Contexts;
pub use images::{ImageNeed, ResolvedImage, ResolvedImages};
pub use mounts::{MountSource, OWN_PART, Own, RunMount, Seed, Sharing};
pub use size::parse_size;
pub use stage::plan_platform;
pub use stages::{Inputs, Reach, Stages};

/// A step by its number.
pub type StepId = usize;

/// All steps, and the images that they make.
#[derive(Debug, Default)]
pub struct Plan {
    /// The steps; each after those that it needs.
    pub steps: Vec<Step>,
    /// One image per platform.
    pub images: Vec<ImagePlan>,
    /// Whether the build is for several platforms, however many of them come about.
    pub several: bool,
    /// Files of other machines that the Dockerfile says are meant.
    pub allowances: Vec<Allowance>,
    /// The base images that the steps name by number.
    pub bases: Vec<ResolvedImage>,
    known: HashMap<String, StepId>,
}

/// Files of other machines that are meant.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// The comment that says so.
    pub comment: Span,
    /// Patterns for their paths.
    pub patterns: Vec<String>,
    /// The instruction that brings them; any if there is nothing.
    pub instruction: Option<Span>,
}

/// One step: it makes a file system out of another one.
#[derive(Debug)]
pub struct Step {
    /// What it does.
    pub op: Op,
    /// The file system that it starts from; `None` is the empty one.
    pub parent: Option<StepId>,
    /// The platform that it runs on.
    pub platform: Platform,
    /// The platforms whose images need it.
    pub targets: Vec<Platform>,
    /// Where it comes from.
    pub origin: Origin,
    /// The stages that have it: equal steps of several stages are one.
    pub stages: Vec<String>,
}

/// Where a step comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The stage's name, or its number.
    pub stage: String,
    /// The instruction.
    pub span: Span,
    /// The instruction's text, on one line.
    pub text: String,
}

/// What a step does.
#[derive(Debug, Serialize)]
pub enum Op {
    /// Starts from a base image, by its number in [`Plan::bases`].
    Base(usize),
    /// Runs a command.
    Run(RunOp),
    /// Copies files.
    Copy(CopyOp),
    /// Makes a working directory.
    Workdir(WorkdirOp),
}

/// RUN.
#[derive(Debug, Serialize)]
pub struct RunOp {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// A here-document that is a program of its own: its name and content.
    pub script: Option<(String, String)>,
    /// The environment, in order.
    pub env: Vec<(String, String)>,
    /// Proxy variables: they reach the command, but no key and no history.
    #[serde(skip)]
    pub proxies: Vec<(String, String)>,
    /// The working directory.
    pub cwd: String,
    /// `USER`.
    pub user: String,
    /// `--mount`.
    pub mounts: Vec<RunMount>,
    /// Whether there is a network.
    pub network: bool,
    /// The platform that it runs on.
    pub platform: String,
    /// Lines for `/etc/hosts`: name and address.
    pub hosts: Vec<(String, String)>,
    /// The size of `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Resource limits.
    pub limits: Vec<crate::sandbox::step::Limit>,
}

/// COPY or ADD.
#[derive(Debug, Serialize)]
pub struct CopyOp {
    /// Where the paths are.
    pub from: MountSource,
    /// What is copied, in order.
    pub sources: Vec<CopyItem>,
    /// Files given in the Dockerfile itself: name and content.
    pub inline: Vec<(String, String)>,
    /// The destination, absolute; a slash at the end counts.
    pub dest: String,
    /// `--chown`.
    pub chown: Option<String>,
    /// `--chmod`.
    pub chmod: Option<crate::copy::Mode>,
    /// Whether archives among the paths are unpacked.
    pub unpack: bool,
    /// `--parents`: paths keep their directories.
    pub parents: bool,
    /// `--exclude`: patterns of what is left out.
    pub exclude: Vec<String>,
    /// `--link`: the layer does not depend on what is below it.
    pub link: bool,
}

/// Something that is copied.
#[derive(Debug, Serialize)]
pub enum CopyItem {
    /// A path or pattern.
    Path(String),
    /// A file from the network.
    Url(UrlItem),
    /// Files of a git repository.
    Git(GitItem),
}

/// A file from the network.
#[derive(Debug, Serialize)]
pub struct UrlItem {
    /// Where it is, with whatever credentials the address holds.
    pub url: String,
    /// Its name here.
    pub name: String,
    /// `--checksum`.
    pub checksum: Option<mlint_oci::Digest>,
    /// Whether it is unpacked if it is an archive.
    pub unpack: bool,
}

/// Files of a git repository.
#[derive(Clone, Debug, Serialize)]
pub struct GitItem {
    /// Which, and what of it.
    pub git: crate::remote::GitAddress,
    /// Whether `.git` comes along.
    pub keep_git_dir: bool,
    /// The commit that it must be, or the beginning of its name.
    pub checksum: Option<String>,
}

/// WORKDIR.
#[derive(Debug, Serialize)]
pub struct WorkdirOp {
    /// The directory, absolute.
    pub path: String,
    /// Whom it will belong to.
    pub user: String,
}

/// What comes out for one platform.
#[derive(Debug)]
pub struct ImagePlan {
    /// The platform.
    pub platform: Platform,
    /// The last step; `None` for an image without any layer.
    pub last: Option<StepId>,
    /// The config; times and layers are filled in when all is built.
    pub config: ImageConfig,
    /// For each of the config's history entries that this build adds: the step that makes its
    /// layer, or `None` for one without.
    pub history: Vec<Option<StepId>>,
    /// The FROM of its base image.
    pub base_span: Span,
}

impl Plan {
    /// The number of a step; an equal one that is there already serves once more.
    pub fn add(
        &mut self,
        op: Op,
        parent: Option<StepId>,
        platform: &Platform,
        target: &Platform,
        origin: Origin,
    ) -> StepId {
        let key = serde_json::to_string(&(&op, parent)).unwrap_or_default();
        let stage = origin.stage.clone();
        let steps = &mut self.steps;
        let id = *self.known.entry(key).or_insert_with(|| {
            steps.push(Step {
                op,
                parent,
                platform: platform.clone(),
                targets: Vec::new(),
                origin,
                stages: Vec::new(),
            });
            steps.len() - 1
        });
        let stages = &mut steps[id].stages;
        if !stages.contains(&stage) {
            stages.push(stage);
        }
        self.mark(id, target);
        id
    }

    /// A target needs this step, and so all that it needs.
    fn mark(&mut self, id: StepId, target: &Platform) {
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let step = &mut self.steps[id];
            if !step.targets.contains(target) {
                step.targets.push(target.clone());
                todo.extend(step.needs());
            }
        }
    }

    /// A target's image will not come about: no step is for it.
    pub fn forget(&mut self, target: &Platform) {
        for step in &mut self.steps {
            step.targets.retain(|known| known != target);
        }
        self.images.retain(|image| image.platform != *target);
    }

    /// The number of a base image.
    pub fn base(&mut self, image: &ResolvedImage) -> usize {
        match self.bases.iter().position(|known| known.digest == image.digest) {
            Some(at) => at,
            None => {
                self.bases.push(image.clone());
                self.bases.len() - 1
            }
        }
    }

    /// The steps whose layers make up the file system after `id`, lowest first.
    pub fn chain(&self, id: Option<StepId>) -> Vec<StepId> {
        let mut chain: Vec<StepId> =
            std::iter::successors(id, |id| self.steps[*id].parent).collect();
        chain.reverse();
        chain
    }
}

impl Step {
    /// The steps that must be done before this one.
    pub fn needs(&self) -> Vec<StepId> {
        let mut needs: Vec<StepId> = self.parent.into_iter().collect();
        match &self.op {
            Op::Copy(copy) => needs.extend(copy.from.step()),
            Op::Run(run) => needs.extend(run.mounts.iter().filter_map(|m| m.source()?.step())),
            Op::Base(_) | Op::Workdir(_) => {}
        }
        needs
    }
}
