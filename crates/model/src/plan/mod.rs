//! The stage graph on one platform: bases, platforms, needs, reachability. Everything that is
//! known before a step is looked at.

mod outline;
mod planner;
mod relocate;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mlint_oci::{ContainerConfig, Platform};
use mlint_syntax::{Dockerfile, Instruction, LogicalText, Span, word};

use outline::{Need, needs_of};
pub(crate) use outline::{Outline, mount, mount_option, unwrap_onbuild};
use planner::Planner;

use crate::{
    context::{self, BuildContext, ContextSource},
    evaluation::{ImageUse, ImageUser, Options},
    facts::ImageFacts,
    scope::GlobalScope,
    stage::{Base, Failure, StagePlatform, UnsetUse},
    value::{HopKind, Origin, Value},
};

/// What a name after `from=` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A stage that stands before.
    Stage(usize),
    /// An image, by its reference.
    Image(String),
    /// Files without a configuration, by the name that `--build-context` gives them.
    Named(String),
    /// It can't be told, or BuildKit refuses it.
    Unknown,
}

/// An ONBUILD instruction that fires at the start of a stage.
#[derive(Clone, Debug)]
pub(crate) enum Trigger {
    /// Of the base stage, by index.
    Own(usize),
    /// Of the base image.
    Image(Box<Instruction>),
}

/// The graph on one platform.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) global: Arc<GlobalScope>,
    pub(crate) stages: Vec<StagePlan>,
    pub(crate) target: Option<usize>,
    pub(crate) unset: Vec<UnsetUse>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) images: Vec<ImageUse>,
    /// Stages by name, in order.
    names: BTreeMap<String, Vec<usize>>,
    contexts: Vec<BuildContext>,
    platform: Platform,
}

#[derive(Debug)]
pub(crate) struct StagePlan {
    pub(crate) base: Base,
    pub(crate) base_span: Span,
    pub(crate) platform: StagePlatform,
    /// The machine of its base's files.
    pub(crate) userland: Option<Platform>,
    pub(crate) reachable: bool,
    /// `--build-context` has its name: its instructions are not run.
    pub(crate) replaced: bool,
    /// Its base is what `--build-context` says.
    base_replaced: bool,
    /// What fires before its own instructions.
    pub(crate) triggers: Vec<Trigger>,
    /// The base image's configuration, if known.
    pub(crate) config: Option<Arc<ContainerConfig>>,
}

impl Plan {
    pub(crate) fn new(
        file: &Dockerfile,
        outline: &Outline,
        target: &Platform,
        options: &Options,
        facts: &ImageFacts,
    ) -> Self {
        let mut planner = Planner {
            file,
            outline,
            target,
            options,
            unset: Vec::new(),
            failures: Vec::new(),
            names: BTreeMap::new(),
        };
        let mut global = planner.globals();
        let stages: Vec<StagePlan> = (0..outline.stages.len())
            .map(|i| planner.stage(&mut global, i))
            .fold(Vec::new(), |mut stages, make| {
                stages.push(make.finish(&stages, outline, facts, target));
                stages
            });
        let target_stage = planner.target_stage();
        let Planner { unset, failures, names, .. } = planner;
        let mut plan = Self {
            global: Arc::new(global),
            stages,
            target: target_stage,
            unset,
            failures,
            images: Vec::new(),
            names,
            contexts: options.contexts.clone(),
            platform: target.clone(),
        };
        plan.refuse_sources(file, outline);
        plan.reach(file, outline);
        plan.collect_images(file, outline);
        plan
    }

    /// What a stage's `from=` means. Numbers count for COPY only; of stages with one name the last
    /// of the whole file counts, and must stand before.
    pub(crate) fn source(&self, user: ImageUser, stage: usize, source: &str) -> Source {
        let before = |index: usize| match index < stage {
            true => Source::Stage(index),
            false => Source::Unknown,
        };
        if user == ImageUser::Copy
            && let Ok(number) = source.parse::<i64>()
        {
            return usize::try_from(number).map_or(Source::Unknown, before);
        }
        if let Some(index) = self.named(source) {
            return before(index);
        }
        if has_variable(source) {
            return Source::Unknown;
        }
        match context::find(&self.contexts, source, Some(&self.platform)) {
            None => Source::Image(source.to_owned()),
            Some(BuildContext { source: ContextSource::Image(image), .. }) => {
                Source::Image(image.clone())
            }
            Some(BuildContext { name, source, .. }) => match source {
                ContextSource::Directory(_) | ContextSource::Remote(_) => {
                    Source::Named(name.clone())
                }
                _ => Source::Unknown,
            },
        }
    }

    /// The last stage of that name, whatever its letters' case.
    fn named(&self, name: &str) -> Option<usize> {
        self.names.get(&name.to_lowercase()).and_then(|all| all.last()).copied()
    }

    /// What a stage takes from elsewhere, by its own instructions and by those that fire in it.
    fn needs<'n>(
        &'n self,
        file: &'n Dockerfile,
        outline: &'n Outline,
        stage: usize,
    ) -> Vec<Cow<'n, Need>> {
        let plan = &self.stages[stage];
        if plan.replaced {
            return Vec::new();
        }
        let mut fired = Vec::new();
        for trigger in &plan.triggers {
            match trigger {
                Trigger::Own(index) => {
                    let instruction = unwrap_onbuild(&file.instructions[*index]);
                    needs_of(instruction, *index, &mut fired);
                }
                Trigger::Image(instruction) => {
                    needs_of(instruction, outline.stages[stage].from, &mut fired);
                }
            }
        }
        let own = outline.stages[stage].needs.iter().map(Cow::Borrowed);
        fired.into_iter().map(Cow::Owned).chain(own).collect()
    }

    /// What BuildKit refuses in any stage, reachable or not, before it runs something.
    fn refuse_sources(&mut self, file: &Dockerfile, outline: &Outline) {
        let mut failures = Vec::new();
        let count = self.stages.len();
        for stage in 0..count {
            for need in self.needs(file, outline, stage) {
                let message = match (need.user, need.source.parse::<i64>()) {
                    (ImageUser::Copy, Ok(number)) => match usize::try_from(number) {
                        // Beyond the stages come images that `--from` names; their order is
                        // nobody's business.
                        Ok(number) if number < count || self.names_images(outline) => continue,
                        _ => format!("there is no stage {number}; the last one is {}", count - 1),
                    },
                    (ImageUser::Copy, Err(_)) if has_variable(&need.source) => {
                        "--from takes no variables; name a stage FROM that image and use its name"
                            .to_owned()
                    }
                    _ => continue,
                };
                failures.push(Failure::new(need.span, message));
            }
        }
        self.failures.extend(failures);
    }

    fn names_images(&self, outline: &Outline) -> bool {
        outline
            .stages
            .iter()
            .flat_map(|s| &s.needs)
            .any(|need| need.source.parse::<i64>().is_err() && self.named(&need.source).is_none())
    }

    fn reach(&mut self, file: &Dockerfile, outline: &Outline) {
        let mut todo: Vec<usize> = self.target.into_iter().collect();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut failures = Vec::new();
        while let Some(index) = todo.pop() {
            if !seen.insert(index) {
                continue;
            }
            if let Base::Stage(parent) = self.stages[index].base {
                todo.push(parent);
            }
            for need in self.needs(file, outline, index) {
                match self.source(need.user, index, &need.source) {
                    Source::Stage(stage) => todo.push(stage),
                    Source::Unknown => failures.extend(self.too_late(index, &need)),
                    _ => {}
                }
            }
        }
        failures.sort_by_key(|failure| failure.span);
        self.failures.extend(failures);
        for index in seen {
            self.stages[index].reachable = true;
        }
    }

    /// Why a stage that is there can't be a source.
    fn too_late(&self, stage: usize, need: &Need) -> Option<Failure> {
        let number = || need.source.parse().ok().filter(|_| need.user == ImageUser::Copy);
        let source = number().or_else(|| self.named(&need.source))?;
        let message = match source {
            _ if source >= self.stages.len() => return None,
            _ if source == stage => {
                format!("a stage can't take files from itself ('{}')", need.source)
            }
            _ => {
                format!("the stage '{}' must stand before the one that takes from it", need.source)
            }
        };
        Some(Failure::new(need.span, message))
    }

    fn collect_images(&mut self, file: &Dockerfile, outline: &Outline) {
        let mut images = Vec::new();
        for (index, stage) in self.stages.iter().enumerate().filter(|(_, s)| s.reachable) {
            if let Base::Image { reference } = &stage.base
                && !(stage.base_replaced && reference.as_known().is_none())
            {
                images.push(ImageUse {
                    reference: reference.clone(),
                    span: stage.base_span,
                    user: ImageUser::From,
                    stage: index,
                    instruction: outline.stages[index].from,
                    platform: stage.platform.platform.clone(),
                });
            }
            for need in self.needs(file, outline, index) {
                if let Source::Image(name) = self.source(need.user, index, &need.source)
                    && name != "scratch"
                    && !name.is_empty()
                    && !name.contains('$')
                {
                    images.push(ImageUse {
                        reference: image_named(file, &need, &name),
                        span: need.span,
                        user: need.user,
                        stage: index,
                        instruction: need.instruction,
                        platform: Some(self.platform.clone()),
                    });
                }
            }
        }
        self.images = images;
    }
}

/// The reference of an image that `from=` names.
fn image_named(file: &Dockerfile, need: &Need, name: &str) -> Value {
    if need.source != name {
        return by_context(name, &need.source, need.span);
    }
    let verbatim = file.text.get(need.span.range()) == Some(name);
    let text = match verbatim {
        true => LogicalText::of_file(&file.text, need.span),
        false => LogicalText::contiguous(name, need.span.start),
    };
    Value::literal(&text)
}

/// An image that `--build-context` puts in the place of `name`.
fn by_context(image: &str, name: &str, span: Span) -> Value {
    Value::known(image, Origin::BuildArg, Span::default()).hop(HopKind::Used, name, span)
}

/// Whether the Dockerfile language would expand something in it.
fn has_variable(source: &str) -> bool {
    source.contains('$') && {
        let parsed = word::parse_word(&LogicalText::contiguous(source, 0), '\\');
        parsed.error.is_some() || parsed.parts.iter().any(|p| matches!(p, word::Part::Variable(_)))
    }
}
