//! Stages: where they begin and end, what they are called, which of them a target reaches.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use mlint_model::scope::GlobalScope;
use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, Instruction, InstructionKind, Span};

use super::{
    contexts::Contexts,
    images::{ImageNeed, ResolvedImages, parse_platform},
    mounts::mount_from,
};
use crate::{
    problem::{At, BuildError, Problem},
    request::RunOptions,
};

/// The stages of a file.
#[derive(Debug)]
pub struct Stages {
    /// The ARGs before the first FROM.
    pub globals: Vec<usize>,
    /// The stages in order.
    pub list: Vec<Stage>,
    /// Names that mean something else.
    pub contexts: Contexts,
}

/// One stage.
#[derive(Debug)]
pub struct Stage {
    /// Its name, in lower case.
    pub name: Option<String>,
    /// Its FROM.
    pub from: usize,
    /// The instructions below.
    pub body: Range<usize>,
}

impl Stage {
    /// What to call it.
    pub fn label(&self, number: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("stage-{number}"))
    }
}

/// Where a stage starts from, or a copy takes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing.
    Scratch,
    /// The stage of that number.
    Stage(usize),
    /// An image, for a platform.
    Image(ImageNeed),
    /// A named context with files, by its number in the request.
    Files(usize),
}

/// What a stage begins with.
#[derive(Clone, Debug)]
pub struct Base {
    /// Where it starts from.
    pub source: Source,
    /// The platform that it runs on.
    pub platform: Platform,
    /// Whether a named context stands in its place: its instructions do not count then.
    pub replaced: bool,
}

impl Stages {
    /// Finds the stages; what the parser could not read is an error here.
    pub fn of(file: &Dockerfile, contexts: Contexts) -> Result<Self, BuildError> {
        if let Some(error) = file.errors.iter().find(|e| !e.in_trigger) {
            return Err(Problem::Syntax(error.message()).at(error.span));
        }
        let mut stages = Self { globals: Vec::new(), list: Vec::new(), contexts };
        for (i, instruction) in file.instructions.iter().enumerate() {
            match &instruction.kind {
                InstructionKind::From { name, .. } => {
                    let name = name.as_ref().map(|n| n.as_str().to_lowercase());
                    stages.list.push(Stage { name, from: i, body: i + 1..i + 1 });
                }
                _ => match stages.list.last_mut() {
                    Some(stage) => stage.body.end = i + 1,
                    None => stages.globals.push(i),
                },
            }
        }
        if stages.list.is_empty() {
            return Err(Problem::NoStage.into());
        }
        Ok(stages)
    }

    /// The stage to build.
    pub fn target(&self, name: Option<&str>) -> Result<usize, BuildError> {
        // Of no name it is as if it were not given (BuildKit's `dockerui/config.go`).
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(self.list.len() - 1);
        };
        let lower = name.to_lowercase();
        let found = self.list.iter().rposition(|s| s.name.as_deref() == Some(&lower));
        found.ok_or_else(|| {
            let known: Vec<&str> = self.list.iter().filter_map(|s| s.name.as_deref()).collect();
            let known =
                if known.is_empty() { "no named stages".to_owned() } else { known.join(", ") };
            Problem::NoTarget { name: name.to_owned(), known }.into()
        })
    }

    /// What `--from` means in a stage.
    pub fn source(
        &self,
        from: &str,
        stage: usize,
        numbers: bool,
        platform: &Platform,
        span: Span,
    ) -> Result<Source, BuildError> {
        if from.contains('$') {
            return Err(Problem::VariableInFrom { value: from.to_owned() }.at(span));
        }
        let lower = from.to_lowercase();
        let named = |s: &Stage| s.name.as_deref() == Some(&lower);
        if let Some(found) = self.list[..stage].iter().rposition(named) {
            return Ok(Source::Stage(found));
        }
        if named(&self.list[stage]) {
            return Err(Problem::OwnStage { name: from.to_owned() }.at(span));
        }
        if self.list[stage..].iter().any(named) {
            return Err(Problem::LaterStage { name: from.to_owned() }.at(span));
        }
        if numbers && let Ok(number) = from.parse::<usize>() {
            return match number < stage {
                true => Ok(Source::Stage(number)),
                false => Err(Problem::NoStageNumber { number, count: stage }.at(span)),
            };
        }
        if lower == "scratch" {
            return Ok(Source::Scratch);
        }
        if let Some(context) = self.contexts.find(from, platform) {
            return context.source(platform, span);
        }
        Ok(Source::Image(ImageNeed::new(from, platform, span)?))
    }
}

/// What one target platform reaches.
#[derive(Debug)]
pub struct Reach {
    /// The scope of its FROM lines.
    pub global: Arc<GlobalScope>,
    /// The stages that must be built, in order.
    pub stages: BTreeSet<usize>,
    /// The images that they need.
    pub images: Vec<ImageNeed>,
}

/// Everything about a request that planning needs to know.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// The file.
    pub file: &'a Dockerfile,
    /// Its stages.
    pub stages: &'a Stages,
    /// The stage to build.
    pub target_stage: usize,
    /// The target as given.
    pub target_name: Option<&'a str>,
    /// The platform that builds.
    pub build: &'a Platform,
    /// The build arguments.
    pub build_args: &'a [(String, String)],
    /// Whether there is a build context.
    pub has_context: bool,
    /// What commands run with.
    pub run: &'a RunOptions,
    /// The names of the secrets that are given.
    pub secrets: Vec<String>,
    /// The names of the ssh agents that are given.
    pub agents: Vec<String>,
}

impl Reach {
    /// Finds out what a platform reaches. Triggers of base images may reach further: they count as
    /// far as `images` has the images already.
    pub fn of(
        inputs: &Inputs<'_>,
        target: &Platform,
        images: &ResolvedImages,
    ) -> Result<Self, BuildError> {
        let Inputs { file, stages, .. } = inputs;
        let mut global = GlobalScope::new(
            target,
            inputs.build,
            inputs.build_args.iter().cloned(),
            inputs.target_name.or(stages.list[inputs.target_stage].name.as_deref()),
            file.escape,
        );
        for at in &stages.globals {
            let instruction = &file.instructions[*at];
            if let InstructionKind::Arg(pairs) = &instruction.kind {
                global.arg(pairs).into_result().map_err(expansion)?;
            }
        }
        let mut reach =
            Self { global: Arc::new(global), stages: BTreeSet::new(), images: Vec::new() };
        let mut todo = vec![inputs.target_stage];
        while let Some(number) = todo.pop() {
            if !reach.stages.insert(number) {
                continue;
            }
            for source in reach.sources(inputs, number, target, images)? {
                match source {
                    Source::Stage(stage) => todo.push(stage),
                    Source::Image(need) => {
                        match reach.images.iter_mut().find(|known| **known == need) {
                            // It is told of where it is named first.
                            Some(known) => known.span = known.span.min(need.span),
                            None => reach.images.push(need),
                        }
                    }
                    Source::Scratch | Source::Files(_) => {}
                }
            }
        }
        Ok(reach)
    }

    fn sources(
        &self,
        inputs: &Inputs<'_>,
        number: usize,
        target: &Platform,
        images: &ResolvedImages,
    ) -> Result<Vec<Source>, BuildError> {
        let stage = &inputs.stages.list[number];
        let base = self.base(inputs, number, target)?;
        if base.replaced {
            return Ok(vec![base.source]);
        }
        let span = inputs.file.instructions[stage.from].span;
        let mut sources = Vec::new();
        for trigger in triggers(inputs, &base.source, images) {
            for instruction in parse_trigger(&trigger).instructions.iter().skip(1) {
                for (from, _, numbers) in froms(instruction) {
                    sources.push(inputs.stages.source(&from, number, numbers, target, span)?);
                }
            }
        }
        sources.push(base.source);
        for instruction in &inputs.file.instructions[stage.body.clone()] {
            for (from, span, numbers) in froms(instruction) {
                sources.push(inputs.stages.source(&from, number, numbers, target, span)?);
            }
        }
        Ok(sources)
    }

    /// What a stage starts from, and the platform that it runs on.
    pub fn base(
        &self,
        inputs: &Inputs<'_>,
        number: usize,
        target: &Platform,
    ) -> Result<Base, BuildError> {
        let stage = &inputs.stages.list[number];
        let instruction = &inputs.file.instructions[stage.from];
        let InstructionKind::From { image, .. } = &instruction.kind else {
            return Err(Problem::NoStage.at(instruction.span));
        };
        let span = image.span();
        let platform = self.platform(instruction, target)?;
        let contexts = &inputs.stages.contexts;
        let named = stage.name.as_deref().and_then(|name| contexts.find(name, &platform));
        if let Some(context) = named {
            let source = context.source(&platform, span)?;
            return Ok(Base { source, platform, replaced: true });
        }
        let text = self.global.expand(image).into_text().map_err(expansion)?;
        if text.is_empty() {
            return Err(Problem::EmptyImage.at(span));
        }
        // Stage names are in lower case; a name with capitals is an image.
        let named = |s: &Stage| s.name.as_deref() == Some(&text);
        if let Some(found) = inputs.stages.list[..number].iter().rposition(named) {
            let (source, platform) = (Source::Stage(found), target.clone());
            return Ok(Base { source, platform, replaced: false });
        }
        let source = match contexts.find(&text, &platform) {
            _ if text == "scratch" => Source::Scratch,
            Some(context) => context.source(&platform, span)?,
            None => Source::Image(ImageNeed::new(&text, &platform, span)?),
        };
        Ok(Base { source, platform, replaced: false })
    }

    /// The platform of a FROM line.
    fn platform(&self, from: &Instruction, target: &Platform) -> Result<Platform, BuildError> {
        let Some(word) = from.flag("platform").and_then(|f| f.value.as_ref()) else {
            return Ok(target.clone());
        };
        let text = self.global.expand(word).into_text().map_err(expansion)?;
        match (text.is_empty(), word.as_str()) {
            (true, "") => Ok(target.clone()),
            // A variable that nobody sets, most often a misspelt one.
            (true, said) => {
                let (what, value) = ("FROM --platform".to_owned(), said.to_owned());
                let expected = "a platform: nothing is left of it when its variables are replaced";
                Err(Problem::BadValue { what, value, expected }.at(word.span()))
            }
            (false, _) => parse_platform(&text).at(word.span()),
        }
    }
}

/// The ONBUILD triggers of what a stage starts from.
fn triggers(inputs: &Inputs<'_>, base: &Source, images: &ResolvedImages) -> Vec<String> {
    match base {
        Source::Scratch | Source::Files(_) => Vec::new(),
        Source::Image(need) => {
            images.get(need).map(|image| image.config.config.on_build.clone()).unwrap_or_default()
        }
        Source::Stage(number) => {
            let body = &inputs.file.instructions[inputs.stages.list[*number].body.clone()];
            let trigger = |i: &Instruction| match &i.kind {
                InstructionKind::Onbuild(inner) => Some(trigger_text(i, inner)),
                _ => None,
            };
            body.iter().filter_map(trigger).collect()
        }
    }
}

/// A trigger as an image carries it: here-documents follow the line, each with its end.
pub fn trigger_text(onbuild: &Instruction, inner: &Instruction) -> String {
    let mut text = onbuild.rest.as_str().trim().to_owned();
    for document in &inner.heredocs {
        let body = document.body.as_str();
        let end = if body.is_empty() || body.ends_with('\n') { "" } else { "\n" };
        text.push_str(&format!("\n{body}{end}{}", document.name));
    }
    text
}

/// A trigger as a file: an instruction stands in a stage.
pub fn parse_trigger(trigger: &str) -> Dockerfile {
    mlint_syntax::parse(format!("FROM scratch\n{trigger}\n"))
}

/// An expansion that BuildKit stops at.
pub fn expansion(failure: mlint_model::stage::Failure) -> BuildError {
    Problem::Expansion(failure.message).at(failure.span)
}

/// The `--from`s of an instruction, with their places and whether stage numbers count.
fn froms(instruction: &Instruction) -> Vec<(String, Span, bool)> {
    match &instruction.kind {
        InstructionKind::Copy { .. } => {
            let flag = instruction.flag("from").and_then(|f| f.value.as_ref());
            flag.map(|word| (word.as_str().to_owned(), word.span(), true)).into_iter().collect()
        }
        InstructionKind::Run(_) => instruction
            .flags
            .iter()
            .filter(|f| f.name.as_str() == "mount")
            .filter_map(|f| f.value.as_ref())
            .filter_map(|word| mount_from(word.as_str()).map(|from| (from, word.span(), false)))
            .collect(),
        _ => Vec::new(),
    }
}
