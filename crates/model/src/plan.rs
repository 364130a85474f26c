//! The stage graph on one platform: bases, platforms, needs, reachability. Everything that is
//! known before a step is looked at.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use mlint_oci::Platform;
use mlint_syntax::{
    Dockerfile, Flag, Instruction, InstructionKind, KeyValue, Span, Word, mount_options,
};

use crate::{
    evaluation::{ImageUse, ImageUser, Options},
    scope::GlobalScope,
    stage::{Base, Failure, RunsOn, StagePlatform, UnsetUse},
    value::{HopKind, Origin, Value},
};

/// Where the stages of a file stand; the same on every platform.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    /// Instructions before the first FROM.
    pub(crate) globals: Range<usize>,
    pub(crate) stages: Vec<StageOutline>,
}

#[derive(Clone, Debug)]
pub(crate) struct StageOutline {
    /// The FROM's index.
    pub(crate) from: usize,
    /// The instructions after it.
    pub(crate) body: Range<usize>,
    pub(crate) name: Option<String>,
    /// What its instructions take from elsewhere.
    pub(crate) needs: Vec<Need>,
}

/// `COPY --from=…` or `RUN --mount=from=…`.
#[derive(Clone, Debug)]
pub(crate) struct Need {
    pub(crate) instruction: usize,
    /// The name as written, and where.
    pub(crate) source: String,
    pub(crate) span: Span,
    pub(crate) user: ImageUser,
}

/// An instruction with ONBUILD taken off.
pub(crate) fn unwrap_onbuild(instruction: &Instruction) -> &Instruction {
    match &instruction.kind {
        InstructionKind::Onbuild(inner) => inner,
        _ => instruction,
    }
}

/// The options of a `--mount`, the value of each by lower-case key.
pub(crate) fn mount(flag: &Flag) -> Option<Vec<KeyValue>> {
    mount_options(flag).ok()
}

pub(crate) fn mount_option<'m>(options: &'m [KeyValue], keys: &[&str]) -> Option<&'m Word> {
    let named = |o: &&KeyValue| keys.contains(&o.key.as_str().to_ascii_lowercase().as_str());
    options.iter().rev().find(named).and_then(|o| o.value.as_ref())
}

impl Outline {
    pub(crate) fn new(file: &Dockerfile) -> Self {
        let froms: Vec<(usize, Option<String>)> = file
            .instructions
            .iter()
            .enumerate()
            .filter_map(|(i, instruction)| match &instruction.kind {
                InstructionKind::From { name, .. } => {
                    Some((i, name.as_ref().map(|n| n.as_str().to_lowercase())))
                }
                _ => None,
            })
            .collect();
        let end = file.instructions.len();
        let first = froms.first().map_or(end, |(i, _)| *i);
        let ends = froms.iter().skip(1).map(|(i, _)| *i).chain([end]);
        let stages = froms
            .iter()
            .zip(ends)
            .map(|((from, name), end)| StageOutline {
                from: *from,
                body: *from + 1..end,
                name: name.clone().filter(|n| !n.is_empty()),
                needs: needs(file, *from + 1..end),
            })
            .collect();
        Self { globals: 0..first, stages }
    }
}

fn needs(file: &Dockerfile, body: Range<usize>) -> Vec<Need> {
    let mut needs = Vec::new();
    for index in body {
        let instruction = &file.instructions[index];
        // An ONBUILD trigger's sources are needed where it fires.
        match &instruction.kind {
            InstructionKind::Copy { .. } | InstructionKind::Add { .. } => {
                let from = instruction.flag("from").and_then(|f| f.value.as_ref());
                if let Some(word) = from {
                    needs.push(Need {
                        instruction: index,
                        source: word.as_str().to_owned(),
                        span: word.span(),
                        user: ImageUser::Copy,
                    });
                }
            }
            InstructionKind::Run(_) => {
                for flag in instruction.flags.iter().filter(|f| f.name == "mount") {
                    let Some(options) = mount(flag) else { continue };
                    if let Some(word) = mount_option(&options, &["from"]) {
                        needs.push(Need {
                            instruction: index,
                            source: word.as_str().to_owned(),
                            span: word.span(),
                            user: ImageUser::Mount,
                        });
                    }
                }
            }
            _ => {}
        }
    }
    needs
}

/// What a name after `from=` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Stage(usize),
    Image(String),
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
    /// Stages by name; of equal names the last before each use counts, so all are kept.
    names: BTreeMap<String, Vec<usize>>,
}

#[derive(Debug)]
pub(crate) struct StagePlan {
    pub(crate) base: Base,
    pub(crate) base_span: Span,
    pub(crate) platform: StagePlatform,
    pub(crate) reachable: bool,
}

impl Plan {
    pub(crate) fn new(
        file: &Dockerfile,
        outline: &Outline,
        target: &Platform,
        options: &Options,
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
        let global = Arc::new(planner.globals());
        let stages: Vec<StagePlan> = (0..outline.stages.len())
            .map(|i| planner.stage(&global, i))
            .fold(Vec::new(), |mut stages, make| {
                stages.push(make.finish(&stages, target));
                stages
            });
        let target_stage = planner.target_stage();
        let Planner { unset, failures, names, .. } = planner;
        let mut plan = Self {
            global,
            stages,
            target: target_stage,
            unset,
            failures,
            images: Vec::new(),
            names,
        };
        plan.reach(outline);
        plan.collect_images(file, outline, target);
        plan
    }

    /// What a stage's `from=` means. Numbers count for COPY only.
    pub(crate) fn source(&self, user: ImageUser, stage: usize, source: &str) -> Source {
        if user == ImageUser::Copy
            && let Ok(number) = source.parse::<usize>()
            && number < stage
        {
            return Source::Stage(number);
        }
        let named = self.names.get(&source.to_lowercase());
        match named.and_then(|all| all.iter().rev().find(|i| **i < stage)) {
            Some(index) => Source::Stage(*index),
            None => Source::Image(source.to_owned()),
        }
    }

    fn reach(&mut self, outline: &Outline) {
        let mut todo: Vec<usize> = self.target.into_iter().collect();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        while let Some(index) = todo.pop() {
            if !seen.insert(index) {
                continue;
            }
            if let Base::Stage(parent) = self.stages[index].base {
                todo.push(parent);
            }
            for need in &outline.stages[index].needs {
                if let Source::Stage(stage) = self.source(need.user, index, &need.source) {
                    todo.push(stage);
                }
            }
        }
        for index in seen {
            self.stages[index].reachable = true;
        }
    }

    fn collect_images(&mut self, file: &Dockerfile, outline: &Outline, target: &Platform) {
        let mut images = Vec::new();
        for (index, stage) in self.stages.iter().enumerate().filter(|(_, s)| s.reachable) {
            if let Base::Image { reference } = &stage.base {
                images.push(ImageUse {
                    reference: reference.clone(),
                    span: stage.base_span,
                    user: ImageUser::From,
                    stage: index,
                    instruction: outline.stages[index].from,
                    platform: stage.platform.platform.clone(),
                });
            }
            for need in &outline.stages[index].needs {
                if let Source::Image(name) = self.source(need.user, index, &need.source)
                    && name != "scratch"
                    && !name.is_empty()
                    && !name.contains('$')
                {
                    let at = need.span.range();
                    let verbatim = file.text.get(at) == Some(name.as_str());
                    let text = match verbatim {
                        true => mlint_syntax::LogicalText::of_file(&file.text, need.span),
                        false => mlint_syntax::LogicalText::contiguous(name, need.span.start),
                    };
                    images.push(ImageUse {
                        reference: Value::literal(&text),
                        span: need.span,
                        user: need.user,
                        stage: index,
                        instruction: need.instruction,
                        platform: Some(target.clone()),
                    });
                }
            }
        }
        self.images = images;
    }
}

struct Planner<'p> {
    file: &'p Dockerfile,
    outline: &'p Outline,
    target: &'p Platform,
    options: &'p Options,
    unset: Vec<UnsetUse>,
    failures: Vec<Failure>,
    names: BTreeMap<String, Vec<usize>>,
}

/// A stage whose parent, if it has one, is not looked up yet.
struct Unfinished {
    base: Base,
    base_span: Span,
    flag: Option<(Value, Span)>,
}

impl Unfinished {
    fn finish(self, before: &[StagePlan], target: &Platform) -> StagePlan {
        let flag_span = self.flag.as_ref().map(|(_, span)| *span);
        let value = self.flag.map(|(value, _)| value);
        let ignored = value.is_some() && !matches!(self.base, Base::Image { .. });
        let (platform, role) = match (&self.base, &value) {
            (Base::Stage(parent), _) => {
                let parent = &before[*parent].platform;
                (parent.platform.clone(), parent.role)
            }
            (Base::Scratch, _) | (_, None) => (Some(target.clone()), RunsOn::Target),
            (Base::Image { .. }, Some(value)) => {
                (value.as_known().and_then(|v| v.parse().ok()), role(value))
            }
        };
        let platform = StagePlatform { platform, role, flag: value, flag_span, ignored };
        StagePlan { base: self.base, base_span: self.base_span, platform, reachable: false }
    }
}

/// Which platform a `--platform` names, seen from the file: the first part that says so decides.
fn role(value: &Value) -> RunsOn {
    let has = |wanted: fn(&Origin) -> bool| value.all_pieces().iter().any(|p| wanted(&p.origin));
    match () {
        () if value.as_known().is_none() => RunsOn::Unknown,
        () if has(|o| matches!(o, Origin::Build(_))) => RunsOn::Build,
        () if has(|o| matches!(o, Origin::Target(_))) => RunsOn::Target,
        () => RunsOn::Constant,
    }
}

impl Planner<'_> {
    fn fail(&mut self, span: Span, message: impl Into<String>) {
        self.failures.push(Failure { span, message: message.into() });
    }

    fn globals(&mut self) -> GlobalScope {
        let last = self.outline.stages.last().and_then(|s| s.name.as_deref());
        let target_stage = self.options.target.as_deref().filter(|t| !t.is_empty()).or(last);
        let mut global = GlobalScope::new(
            self.target,
            &self.options.build_platform,
            self.options.build_args.iter().cloned(),
            target_stage,
            self.file.escape,
        )
        .with_open_args();
        for instruction in &self.file.instructions[self.outline.globals.clone()] {
            if let InstructionKind::Arg(pairs) = &instruction.kind {
                let outcome = global.arg(pairs);
                self.unset.extend(outcome.unset);
                self.failures.extend(outcome.failure);
            }
        }
        global
    }

    fn stage(&mut self, global: &GlobalScope, index: usize) -> Unfinished {
        let outline = &self.outline.stages[index];
        let instruction = &self.file.instructions[outline.from];
        let InstructionKind::From { image, .. } = &instruction.kind else {
            // The outline holds FROMs only.
            return Unfinished { base: Base::Scratch, base_span: instruction.span, flag: None };
        };
        let expansion = global.expand(image);
        self.unset.extend(expansion.unset);
        self.failures.extend(expansion.failure);
        let reference = expansion.value;
        let base_span = image.span();
        if reference.is_empty() && self.failures.is_empty() {
            self.fail(base_span, format!("the base name '{}' expands to nothing", image.as_str()));
        }
        let named = reference.as_known().and_then(|name| {
            if name == "scratch" {
                return Some(Base::Scratch);
            }
            self.names.get(&*name).and_then(|all| all.last()).map(|i| Base::Stage(*i))
        });
        let base = named.unwrap_or(Base::Image { reference });
        let flag = instruction.flag("platform").and_then(|flag| {
            let word = flag.value.as_ref()?;
            let expansion = global.expand(word);
            self.unset.extend(expansion.unset);
            self.failures.extend(expansion.failure);
            let value = expansion.value;
            match value.as_known() {
                Some(text) if text.is_empty() => {
                    self.fail(flag.span, format!("'{}' expands to no platform", word.as_str()));
                }
                Some(text) if text.parse::<Platform>().is_err() => {
                    self.fail(flag.span, format!("'{text}' is no platform"));
                }
                _ => {}
            }
            Some((value.hop(HopKind::Used, "", flag.span), flag.span))
        });
        if let Some(name) = &outline.name {
            self.names.entry(name.clone()).or_default().push(index);
        }
        Unfinished { base, base_span, flag }
    }

    fn target_stage(&mut self) -> Option<usize> {
        let last = self.outline.stages.len().checked_sub(1)?;
        let Some(name) = self.options.target.as_deref().filter(|t| !t.is_empty()) else {
            return Some(last);
        };
        let found = self.names.get(&name.to_lowercase()).and_then(|all| all.last()).copied();
        if found.is_none() {
            let span = self.file.instructions[self.outline.stages[last].from].span;
            self.fail(span, format!("there is no stage '{name}' to build"));
        }
        found
    }
}
