//! Everything that can be known before the first step: the platforms, the base image of every stage
//! for each of them, the plan, and how its commands will run.

use std::collections::BTreeMap;

use mlint_oci::Platform;
use mlint_registry::Client;
use tokio::runtime::Handle;

use crate::{
    events::{Event, Events},
    every,
    exec::{resolve_images, resolve_layout, wait},
    fallen::Fallen,
    plan::{
        Allowance, Contexts, ImageNeed, Inputs, Op, Plan, Reach, ResolvedImages, Stages,
        plan_platform,
    },
    problem::{At, BuildError, Problem},
    request::BuildRequest,
    sandbox::{Session, emulation::Emulation},
    store::Store,
};

/// What is asked before the first step.
pub struct Preflight<'a> {
    /// The session.
    pub session: &'a Session,
    /// What to build.
    pub request: &'a BuildRequest,
    /// The registries.
    pub client: &'a Client,
    /// Where requests run.
    pub runtime: &'a Handle,
    /// The cache.
    pub store: &'a Store,
    /// Who is told.
    pub events: &'a dyn Events,
}

impl Preflight<'_> {
    /// The plan for all platforms, or for those that have not fallen.
    pub fn plan(&self, fallen: &mut Fallen) -> Result<Plan, BuildError> {
        let request = self.request;
        let file = mlint_syntax::parse(request.text.as_str());
        self.check_frontend(&file)?;
        let stages = Stages::of(&file, Contexts::of(&request.contexts)?)?;
        let build: Platform = request.build_platform.parse()?;
        let inputs = Inputs {
            file: &file,
            stages: &stages,
            target_stage: stages.target(request.target.as_deref())?,
            target_name: request.target.as_deref(),
            build: &build,
            build_args: &request.build_args,
            has_context: request.context.is_some(),
            run: &request.run,
            secrets: request.secrets.iter().map(|s| s.id.clone()).collect(),
            agents: request.agents.iter().map(|(id, _)| id.clone()).collect(),
        };
        let allowances = allowances(&file)?;
        let targets = self.targets(&inputs)?;
        self.check_annotations(&targets)?;
        let (reaches, images) = self.bases(&inputs, &targets, fallen)?;
        let mut plan = Plan::default();
        plan.allowances = allowances;
        plan.several = targets.len() > 1;
        for (target, reach) in &reaches {
            let planned =
                plan_platform(&inputs, reach, &images, target, &request.labels, &mut plan);
            if fallen.take(std::slice::from_ref(target), planned)?.is_none() {
                plan.forget(target);
            }
        }
        Ok(plan)
    }

    /// Annotations for a platform that is not built would get lost.
    fn check_annotations(&self, targets: &[Platform]) -> Result<(), BuildError> {
        let request = self.request;
        let own = request.outputs.iter().flat_map(|output| &output.annotations);
        for annotation in request.annotations.iter().chain(own) {
            let Some(text) = &annotation.platform else { continue };
            if !targets.contains(&text.parse::<Platform>()?) {
                let (key, platform) = (annotation.key.clone(), text.clone());
                return Err(Problem::AnnotatesNothing { key, platform }.into());
            }
        }
        Ok(())
    }

    /// What directives and BuildKit's own build arguments ask for. A frontend of somebody else's can
    /// mean anything.
    fn check_frontend(&self, file: &mlint_syntax::Dockerfile) -> Result<(), BuildError> {
        let is_stock =
            |image: &str| image.trim_start_matches("docker.io/").starts_with("docker/dockerfile");
        let other = |image: &str| Problem::unsupported(format!("the frontend {image}"));
        let named = self.request.build_arg("BUILDKIT_SYNTAX").filter(|image| !image.is_empty());
        if let Some(image) = named.filter(|image| !is_stock(image)) {
            let asked = format!("{image}, which BUILDKIT_SYNTAX asks for");
            return Err(other(&asked).into());
        }
        for element in &file.elements {
            let mlint_syntax::ElementKind::Directive(directive) = &element.kind else { continue };
            let value = &directive.value;
            match directive.name.value.as_str() {
                // The argument beats the file.
                "syntax" if named.is_none() && !is_stock(&value.value) => {
                    return Err(other(&value.value).at(value.span));
                }
                "check" => self.check_checks(value)?,
                _ => {}
            }
        }
        if self.request.build_arg("BUILDKIT_INLINE_CACHE").is_some_and(|value| value != "0") {
            let text =
                "BUILDKIT_INLINE_CACHE: images of mlint carry no cache; --cache-to writes one \
                        beside them"
                    .to_owned();
            self.events.event(Event::Warning { text });
        }
        Ok(())
    }

    /// `# check=skip=RULE,…;error=true` is about BuildKit's own checks.
    fn check_checks(&self, value: &mlint_syntax::Spanned<String>) -> Result<(), BuildError> {
        for option in value.value.split(';') {
            match option.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("skip", _)) | Some(("error", "false" | "0")) => {}
                Some(("error", "true" | "1")) => {
                    let text =
                        "# check=error=true is about BuildKit's checks, which this builder does \
                                not make: mlint check has its own, and its exit status tells"
                            .to_owned();
                    self.events.event(Event::Warning { text });
                }
                _ => {
                    let what = "# check".to_owned();
                    let expected = "skip=RULE,…, error=true or error=false";
                    let wrong = Problem::BadValue { what, value: option.to_owned(), expected };
                    return Err(wrong.at(value.span));
                }
            }
        }
        Ok(())
    }

    /// The platforms to build for, each once.
    fn targets(&self, inputs: &Inputs<'_>) -> Result<Vec<Platform>, BuildError> {
        let request = self.request;
        if request.platforms.iter().any(|p| p == every::ALL) {
            if request.platforms.len() > 1 {
                return Err(Problem::AllAndMore.into());
            }
            let found = every::platforms(self, inputs)?;
            self.events.event(Event::Note { text: found.to_string() });
            return Ok(found.platforms);
        }
        let mut targets: Vec<Platform> = Vec::new();
        for text in &request.platforms {
            // As buildx calls the machine that it runs on.
            let text = if text == "local" { &request.build_platform } else { text };
            let platform: Platform = text.parse()?;
            if platform.os() != "linux" {
                return Err(Problem::unsupported(format!("building for {platform}")).into());
            }
            if !targets.contains(&platform) {
                targets.push(platform);
            }
        }
        Ok(targets)
    }

    /// What each platform reaches, and all images for that. What can't be built is refused before
    /// anything is asked of a registry. Base images may have triggers that reach further, and what
    /// those reach may have some of its own.
    fn bases(
        &self,
        inputs: &Inputs<'_>,
        targets: &[Platform],
        fallen: &mut Fallen,
    ) -> Result<(Vec<(Platform, Reach)>, ResolvedImages), BuildError> {
        let mut images = ResolvedImages::default();
        loop {
            let mut reaches: Vec<(Platform, Reach)> = Vec::new();
            for target in targets {
                if fallen.has(target) {
                    continue;
                }
                let reach = Reach::of(inputs, target, &images);
                if let Some(reach) = fallen.take(std::slice::from_ref(target), reach)? {
                    reaches.push((target.clone(), reach));
                }
            }
            let mut needs: Vec<ImageNeed> = Vec::new();
            for need in reaches.iter().flat_map(|(_, reach)| &reach.images) {
                if images.get(need).is_none() && !needs.contains(need) {
                    needs.push(need.clone());
                }
            }
            if needs.is_empty() {
                return Ok((reaches, images));
            }
            let missing = self.resolve(needs, &mut images)?;
            if !missing.is_empty() && !fallen.keeps_going() {
                return Err(together(missing));
            }
            for (need, error) in missing {
                let of = reaches.iter().filter(|(_, reach)| reach.images.contains(&need));
                let platforms: Vec<Platform> = of.map(|(target, _)| target.clone()).collect();
                fallen.take::<()>(&platforms, Err(error))?;
            }
        }
    }

    /// Finds images; gives those that are not there.
    fn resolve(
        &self,
        needs: Vec<ImageNeed>,
        images: &mut ResolvedImages,
    ) -> Result<Vec<(ImageNeed, BuildError)>, BuildError> {
        let (local, needs): (Vec<_>, Vec<_>) = needs.into_iter().partition(|n| n.layout.is_some());
        let asked = resolve_images(self.client, &needs);
        let (found, mut missing) = wait(self.runtime, self.session, asked)?;
        images.extend(found);
        for need in local {
            let Some((dir, target)) = &need.layout else { continue };
            let interrupted = || self.session.cancel().is_cancelled();
            let image = resolve_layout(self.store, &need, dir, target, &interrupted);
            match image.at(need.span) {
                Ok(image) => images.insert(&need, image),
                Err(error) if error.is_interrupt() => return Err(error),
                Err(error) => missing.push((need, error)),
            }
        }
        Ok(missing)
    }
}

/// All missing images as one error: at the first in the file, with the places of the others.
fn together(mut missing: Vec<(ImageNeed, BuildError)>) -> BuildError {
    missing.sort_by_key(|(need, error)| (error.span, need.platform.clone()));
    let mut errors: Vec<BuildError> = Vec::new();
    for (_, error) in missing {
        // What an image lacks is said at once.
        if let Some(last) = errors.last_mut()
            && last.span == error.span
            && let Problem::NoPlatform { image, platforms, .. } = &mut *last.problem
            && let Problem::NoPlatform { image: other, platforms: more, .. } = &*error.problem
            && image == other
        {
            platforms.extend(more.iter().cloned());
            continue;
        }
        // Nor is the same thing of an image said for each platform.
        let said = error.problem.to_string();
        let same =
            |known: &BuildError| known.span == error.span && known.problem.to_string() == said;
        if !errors.iter().any(same) {
            errors.push(error);
        }
    }
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else { return Problem::NoStage.into() };
    let others: Vec<_> =
        errors.filter_map(|error| Some((error.span?, error.problem.to_string()))).collect();
    if others.is_empty() {
        return first;
    }
    let (span, first) = (first.span, first.problem);
    BuildError { span, problem: Box::new(Problem::SeveralBases { first, others }) }
}

/// What the file says is meant, each with its reason.
fn allowances(file: &mlint_syntax::Dockerfile) -> Result<Vec<Allowance>, BuildError> {
    let read = |known: mlint_model::allowance::Allowance| match known.reason {
        None => Err(Problem::NoReason.at(known.span)),
        Some(_) => Ok(Allowance {
            comment: known.span,
            patterns: known.patterns,
            instruction: known.instruction.map(|number| file.instructions[number].span),
        }),
    };
    mlint_model::allowance::allowances(file).into_iter().map(read).collect()
}

/// Makes the plan's commands ready to run, on whatever platform.
pub fn prepare_emulation(
    session: &Session,
    plan: &Plan,
    fallen: &mut Fallen,
) -> Result<Emulation, BuildError> {
    loop {
        let mut needed: BTreeMap<Platform, mlint_syntax::Span> = BTreeMap::new();
        let runs = || plan.steps.iter().filter(|s| matches!(s.op, Op::Run(_)));
        for step in runs().filter(|step| !fallen.has_all(&step.targets)) {
            needed.entry(step.platform.clone()).or_insert(step.origin.span);
        }
        let platforms: Vec<Platform> = needed.keys().cloned().collect();
        let error = match Emulation::prepare(session, &platforms) {
            Ok(emulation) => return Ok(emulation),
            Err(error) => error,
        };
        // Whose image needs it goes without; what does not is prepared anew.
        let mut targets: Vec<Platform> = Vec::new();
        for step in runs().filter(|step| step.platform == error.platform) {
            targets.extend(step.targets.iter().filter(|t| !fallen.has(t)).cloned());
        }
        targets.sort();
        targets.dedup();
        let span = needed.get(&error.platform).copied();
        let error = BuildError { span, problem: Box::new(error.into()) };
        fallen.take::<()>(&targets, Err(error))?;
    }
}
