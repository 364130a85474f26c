//! A build from request to reply.

use std::{collections::BTreeMap, time::Instant};

use mlint_oci::Platform;
use mlint_registry::{Client, ClientOptions};

use crate::{
    attest::attest,
    events::{Event, Events, StepInfo},
    exec::{Exec, execute, now, resolve_images, resolve_layout, wait},
    export,
    image::{BuiltImage, Root, assemble, root},
    plan::{
        Contexts, ImageNeed, ImagePlan, Inputs, Op, Plan, Reach, ResolvedImages, Stages,
        plan_platform,
    },
    problem::{At, BuildError, Problem},
    prove::prove,
    push,
    request::{
        BuildOutcome, BuildReply, BuildRequest, LayerOptions, Output, Place, PlatformOutcome,
    },
    reshape::reshape,
    sandbox::{Session, emulation::Emulation},
    store::Store,
};

/// Builds, inside a session.
pub fn build(session: &Session, request: &BuildRequest, events: &dyn Events) -> BuildReply {
    match try_build(session, request, events) {
        Ok(outcome) => BuildReply::Done(outcome),
        Err(error) => BuildReply::Failed(error.into_failure()),
    }
}

/// A client for a session, and where its requests run.
pub(crate) fn client(
    plain_http: &[String],
) -> Result<(Client, tokio::runtime::Runtime), BuildError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| {
            crate::error::FsError::new("start", std::path::Path::new("the network threads"))(e)
        })?;
    let plain_http = plain_http.iter().cloned().collect();
    let options = ClientOptions { plain_http, ..ClientOptions::default() };
    Ok((Client::new(options), runtime))
}

fn try_build(
    session: &Session,
    request: &BuildRequest,
    events: &dyn Events,
) -> Result<BuildOutcome, BuildError> {
    let (start, started) = (Instant::now(), now());
    push::references(&request.tags)?;
    let (client, runtime) = client(&request.plain_http)?;
    let store = Store::open(&request.cache_dir)?;
    let plan = make_plan(session, request, &client, &runtime, &store)?;
    let mut exec = Exec::new(session, &store, &client, runtime.handle(), &plan, request, events);
    exec.emulation = Some(prepare_emulation(session, &plan)?);
    announce(&exec);
    let jobs = match request.jobs {
        0 => std::thread::available_parallelism().map_or(2, usize::from).max(2),
        jobs => jobs,
    };
    let executed = execute(&exec, jobs);
    // What was learnt about the context holds whether or not the build succeeds.
    exec.finish()?;
    executed?;
    let images: Vec<(BuiltImage, &ImagePlan)> = plan
        .images
        .iter()
        .map(|image| Ok((assemble(&exec, image).at(image.base_span)?, image)))
        .collect::<Result<_, BuildError>>()?;
    let elf_files = prove(&exec, &images)?;
    let (images, plans): (Vec<BuiltImage>, Vec<&ImagePlan>) = images.into_iter().unzip();
    let mut results = Results { exec: &exec, plans: &plans, started, made: Vec::new() };
    results.add(LayerOptions::default(), images)?;
    for output in &request.outputs {
        results.of(output.layers)?;
    }
    let mut outcome = {
        // What is told is what was asked for first.
        let first = request.outputs.first().map(|o| o.layers).unwrap_or_default();
        let (images, root) = results.of(first)?;
        outcome(&exec, images, &plans, &elf_files, root)
    };
    // Registries come last: what fails before leaves no tag.
    let pushes = |o: &&Output| matches!(o.place, Place::Registry { .. });
    for output in request.outputs.iter().filter(|o| !pushes(o)) {
        let (images, root) = results.of(output.layers)?;
        export::export(&exec, output, images, root)?;
    }
    for output in request.outputs.iter().filter(pushes) {
        let (images, root) = results.of(output.layers)?;
        let Place::Registry { names, by_digest } = &output.place else { continue };
        let (report, names) = push::push(&exec, images, root, names, *by_digest)?;
        outcome.uploaded += report.uploaded;
        outcome.pushed.extend(names);
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    Ok(outcome)
}

/// The images as the outputs want them; equal wishes share a result.
struct Results<'a> {
    exec: &'a Exec<'a>,
    plans: &'a [&'a ImagePlan],
    started: i64,
    made: Vec<(LayerOptions, Vec<BuiltImage>, Root)>,
}

impl Results<'_> {
    fn of(&mut self, options: LayerOptions) -> Result<(&[BuiltImage], &Root), BuildError> {
        if !self.made.iter().any(|(known, ..)| *known == options) {
            let images = reshape(self.exec, self.plans, options)?;
            self.add(options, images)?;
        }
        let found = self.made.iter().find(|(known, ..)| *known == options);
        match found {
            Some((_, images, root)) => Ok((images, root)),
            None => Err(Problem::NoStage.into()),
        }
    }

    fn add(&mut self, options: LayerOptions, images: Vec<BuiltImage>) -> Result<(), BuildError> {
        let attested = attest(self.exec, &images, self.plans, self.started)?;
        let root = root(self.exec.request, &images, attested)?;
        self.made.push((options, images, root));
        Ok(())
    }
}

fn make_plan(
    session: &Session,
    request: &BuildRequest,
    client: &Client,
    runtime: &tokio::runtime::Runtime,
    store: &Store,
) -> Result<Plan, BuildError> {
    let file = mlint_syntax::parse(request.text.as_str());
    check_frontend(&file)?;
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
    let mut targets: Vec<Platform> = Vec::new();
    for text in &request.platforms {
        let platform: Platform = text.parse()?;
        if !targets.contains(&platform) {
            targets.push(platform);
        }
    }
    // What can't be built is refused before anything is asked of a registry. Base images may have
    // triggers that reach further, and what those reach may have some of its own.
    let mut images = ResolvedImages::default();
    let reaches = loop {
        let reaches: Vec<Reach> =
            targets.iter().map(|t| Reach::of(&inputs, t, &images)).collect::<Result<_, _>>()?;
        let mut needs: Vec<ImageNeed> = Vec::new();
        for need in reaches.iter().flat_map(|r| &r.images) {
            if images.get(need).is_none() && !needs.contains(need) {
                needs.push(need.clone());
            }
        }
        if needs.is_empty() {
            break reaches;
        }
        let (local, needs): (Vec<_>, Vec<_>) = needs.into_iter().partition(|n| n.layout.is_some());
        images.extend(wait(runtime.handle(), session, resolve_images(client, &needs))??);
        for need in &local {
            let Some((dir, target)) = &need.layout else { continue };
            let interrupted = || session.cancel().is_cancelled();
            let image = resolve_layout(store, need, dir, target, &interrupted).at(need.span)?;
            images.insert(need, image);
        }
    };
    let mut plan = Plan::default();
    for (target, reach) in targets.iter().zip(&reaches) {
        plan_platform(&inputs, reach, &images, target, &request.labels, &mut plan)?;
    }
    Ok(plan)
}

/// A frontend of somebody else's can mean anything.
fn check_frontend(file: &mlint_syntax::Dockerfile) -> Result<(), BuildError> {
    for element in &file.elements {
        if let mlint_syntax::ElementKind::Directive(directive) = &element.kind
            && directive.name.value == "syntax"
        {
            let value = &directive.value;
            let image = value.value.trim_start_matches("docker.io/");
            if !image.starts_with("docker/dockerfile") {
                let what = format!("the frontend {}", value.value);
                return Err(Problem::unsupported(what).at(value.span));
            }
        }
    }
    Ok(())
}

fn prepare_emulation(session: &Session, plan: &Plan) -> Result<Emulation, BuildError> {
    let mut needed: BTreeMap<Platform, mlint_syntax::Span> = BTreeMap::new();
    for step in &plan.steps {
        if matches!(step.op, Op::Run(_)) {
            needed.entry(step.platform.clone()).or_insert(step.origin.span);
        }
    }
    let platforms: Vec<Platform> = needed.keys().cloned().collect();
    Emulation::prepare(session, &platforms).map_err(|error| {
        let span = needed.get(&error.platform).copied();
        BuildError { span, problem: Box::new(error.into()) }
    })
}

fn is_emulated(exec: &Exec<'_>, platform: &Platform) -> bool {
    exec.emulation.as_ref().and_then(|e| e.kind(platform)).is_some_and(|k| k.is_emulated())
}

fn announce(exec: &Exec<'_>) {
    let steps = exec
        .plan
        .steps
        .iter()
        .map(|step| {
            let emulated = matches!(step.op, Op::Run(_)) && is_emulated(exec, &step.platform);
            StepInfo {
                platforms: step.targets.iter().map(Platform::to_string).collect(),
                stage: step.origin.stage.clone(),
                text: step.origin.text.clone(),
                place: (step.origin.span.start, step.origin.span.end),
                emulated: emulated.then(|| step.platform.to_string()),
            }
        })
        .collect();
    exec.events.event(Event::Planned { steps });
    if let crate::sandbox::session::IdMapMode::Single { reason } = exec.session.id_map() {
        let text = format!("all files will belong to root in the images: {reason}");
        exec.events.event(Event::Warning { text });
    }
}

fn outcome(
    exec: &Exec<'_>,
    images: &[BuiltImage],
    plans: &[&ImagePlan],
    elf_files: &[usize],
    root: &Root,
) -> BuildOutcome {
    let mut outcome = BuildOutcome {
        digest: root.descriptor.digest.to_string(),
        media_type: root.descriptor.media_type.clone(),
        size: root.descriptor.size,
        ..BuildOutcome::default()
    };
    for (id, step) in exec.plan.steps.iter().enumerate() {
        if matches!(step.op, Op::Base(_)) {
            continue;
        }
        match exec.result(id).is_some_and(|r| r.cached) {
            true => outcome.cached += 1,
            false => outcome.executed += 1,
        }
    }
    for ((image, _), elf_files) in images.iter().zip(plans).zip(elf_files) {
        let mut platform = PlatformOutcome {
            platform: image.platform.to_string(),
            digest: image.descriptor.digest.to_string(),
            config: image.config_descriptor.digest.to_string(),
            size: image.descriptor.size,
            elf_files: *elf_files,
            ..PlatformOutcome::default()
        };
        for (id, step) in exec.plan.steps.iter().enumerate() {
            let Some(result) = exec.result(id).filter(|r| !r.cached) else { continue };
            if !step.targets.contains(&image.platform) {
                continue;
            }
            platform.seconds += result.seconds;
            if matches!(step.op, Op::Run(_)) && is_emulated(exec, &step.platform) {
                platform.emulated_seconds += result.seconds;
            }
        }
        outcome.platforms.push(platform);
    }
    outcome
}
