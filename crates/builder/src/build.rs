//! A build from request to reply.

use std::time::Instant;

use mlint_oci::Platform;
use mlint_registry::{Client, ClientOptions};

use crate::{
    attest::attest,
    events::{Event, Events, StepInfo},
    exchange::{Imported, export as export_cache},
    exec::{Exec, execute, now},
    export,
    fallen::Fallen,
    image::{BuiltImage, Root, assemble, root},
    plan::{ImagePlan, Op},
    preflight::{Preflight, prepare_emulation},
    problem::{At, BuildError, Problem},
    proof::ForeignGroup,
    prove::{Allowed, prove},
    push,
    request::{
        Annotation, BuildOutcome, BuildReply, BuildRequest, EmulatedStep, LayerOptions, Output,
        Place, PlatformFailure, PlatformOutcome, PushedName, Remark,
    },
    reshape::reshape,
    sandbox::Session,
    store::Store,
};

/// So often a build begins again for what was damaged in the cache: each time that is removed, so
/// what it was is made anew.
const MOST_DAMAGES: usize = 16;

/// Builds, inside a session.
pub fn build(session: &Session, request: &BuildRequest, events: &dyn Events) -> BuildReply {
    for _ in 0..MOST_DAMAGES {
        match try_build(session, request, events) {
            Ok(outcome) => return BuildReply::Done(outcome),
            Err(error) if error.is_removed_damage() => {
                let text = format!("{}: the build begins again", error.problem);
                events.event(Event::Warning { text });
            }
            Err(error) => return BuildReply::Failed(error.into_failure()),
        }
    }
    BuildReply::Failed(
        BuildError::from(Problem::BadDisk { place: request.cache_dir.clone() }).into_failure(),
    )
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
    for output in &request.outputs {
        push::references(&output.names)?;
        if let Place::Registry { names, .. } = &output.place {
            push::references(names)?;
        }
    }
    let (client, runtime) = client(&request.plain_http)?;
    let store = Store::open(&request.cache_dir)?;
    let mut fallen = Fallen::new(request.keep_going);
    let preflight = Preflight {
        session,
        request,
        client: &client,
        runtime: runtime.handle(),
        store: &store,
        events,
    };
    let plan = preflight.plan(&mut fallen)?;
    let mut exec = Exec::new(session, &store, &client, runtime.handle(), &plan, request, events);
    exec.emulation = Some(prepare_emulation(session, &plan, &mut fallen)?);
    exec.imported =
        Imported::load(session, runtime.handle(), &client, &request.cache_from, events)?;
    announce(&exec);
    let executed = match exec.take_known() {
        Ok(true) => Ok(0),
        Ok(false) => execute(&exec, jobs(request), &mut fallen),
        Err(error) => Err(error),
    };
    // What was learnt about the context holds whether or not the build succeeds.
    exec.finish()?;
    let skipped = executed?;
    let (proved, warnings) = prove_images(&exec, &mut fallen)?;
    let mut outcome = told(&exec, &proved);
    outcome.warnings = warnings;
    let whole = fallen.is_empty();
    outcome.skipped = skipped;
    outcome.failed = fallen.into_failures();
    if whole {
        let images: Vec<_> =
            proved.iter().map(|(_, plan, _)| (plan.platform.clone(), plan.last)).collect();
        check_for_caches(&exec)?;
        deliver(&exec, proved, started, &mut outcome)?;
        export_cache(&exec, &images)?;
    } else if request.push_partial && !proved.is_empty() {
        match deliver(&exec, proved, started, &mut outcome) {
            Err(error) if !error.is_interrupt() && !error.is_removed_damage() => {
                outcome.digest.clear();
                let (platforms, failure) = (Vec::new(), error.into_failure());
                outcome.failed.push(PlatformFailure { platforms, failure });
            }
            delivered => delivered?,
        }
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    tidy(&store, request.cache_max, events);
    Ok(outcome)
}

/// Looks at the layers that go into a cache elsewhere, before anything is handed over: the build can
/// still begin again for one that is damaged.
fn check_for_caches(exec: &Exec<'_>) -> Result<(), BuildError> {
    if !exec.request.cache_to.iter().any(|to| to.max) {
        return Ok(());
    }
    for result in (0..exec.plan.steps.len()).filter_map(|id| exec.result(id)) {
        let own = result.snapshot.layers.iter().filter(|layer| layer.origin.is_none());
        for layer in own.filter(|layer| exec.store.has_layer(layer)) {
            exec.whole_layer(layer)?;
        }
    }
    Ok(())
}

fn jobs(request: &BuildRequest) -> usize {
    match request.jobs {
        0 => std::thread::available_parallelism().map_or(2, usize::from).max(2),
        jobs => jobs,
    }
}

/// An image that is put together and proved, and the number of its ELF files.
type Proved<'p> = (BuiltImage, &'p ImagePlan, usize);

/// Puts the images together and proves them: all as one, or if the build keeps going, each by itself.
/// Gives what should be looked at, besides.
fn prove_images<'p>(
    exec: &Exec<'p>,
    fallen: &mut Fallen,
) -> Result<(Vec<Proved<'p>>, Vec<Remark>), BuildError> {
    let standing: Vec<&ImagePlan> =
        exec.plan.images.iter().filter(|image| !fallen.has(&image.platform)).collect();
    let together = if fallen.keeps_going() { 1 } else { standing.len().max(1) };
    let allowed = Allowed::of(exec)?;
    let (mut proved, mut warnings, mut used) = (Vec::new(), Vec::new(), Vec::new());
    for plans in standing.chunks(together) {
        let platforms: Vec<Platform> = plans.iter().map(|p| p.platform.clone()).collect();
        let prove_these = || {
            let put = |plan: &&'p ImagePlan| Ok((assemble(exec, plan).at(plan.base_span)?, *plan));
            let images: Vec<_> = plans.iter().map(put).collect::<Result<_, BuildError>>()?;
            let found = prove(exec, &allowed, &images)?;
            Ok((images, found))
        };
        let Some((images, found)) = fallen.take(&platforms, prove_these())? else { continue };
        let all = images.into_iter().zip(found.counts);
        proved.extend(all.map(|((image, plan), count)| (image, plan, count)));
        warnings.extend(found.doubtful.iter().map(ForeignGroup::remark));
        used.extend(found.used);
    }
    // What a platform that failed would have needed, nobody knows.
    if fallen.is_empty() {
        warnings.extend(allowed.unused(&used));
    }
    Ok((proved, warnings))
}

/// Hands the images over to where they are wanted.
fn deliver(
    exec: &Exec<'_>,
    proved: Vec<Proved<'_>>,
    started: i64,
    outcome: &mut BuildOutcome,
) -> Result<(), BuildError> {
    let request = exec.request;
    let plans: Vec<&ImagePlan> = proved.iter().map(|(_, plan, _)| *plan).collect();
    let mut results = Results { exec, plans: &plans, started, made: Vec::new() };
    for output in &request.outputs {
        results.of(output)?;
    }
    let pushes = |o: &&Output| matches!(o.place, Place::Registry { .. });
    // What is told is what others can see, or else what was asked for first.
    let first = request.outputs.iter().find(pushes).or(request.outputs.first());
    let nowhere = Output::to(Place::Registry { names: Vec::new(), by_digest: true });
    let (images, root) = results.of(first.unwrap_or(&nowhere))?;
    outcome.digest = root.descriptor.digest.to_string();
    outcome.media_type.clone_from(&root.descriptor.media_type);
    outcome.size = root.descriptor.size;
    for (told, image) in outcome.platforms.iter_mut().zip(images) {
        told.digest = image.descriptor.digest.to_string();
        told.config = image.config_descriptor.digest.to_string();
        told.size = image.descriptor.size;
    }
    // Registries come last: what fails before leaves no tag. All of them are one push.
    for output in request.outputs.iter().filter(|o| !pushes(o)) {
        let (images, root) = results.of(output)?;
        export::export(exec, output, images, root)?;
    }
    let (mut push, mut pushed) = (push::Push::new(exec), Vec::new());
    for output in request.outputs.iter().filter(pushes) {
        let Place::Registry { names, by_digest } = &output.place else { continue };
        let (images, root) = results.of(output)?;
        let names = push.add(images, root, names, *by_digest)?;
        let digest = root.descriptor.digest.to_string();
        let with = |name| PushedName { name, digest: digest.clone() };
        pushed.extend(names.into_iter().map(with));
    }
    outcome.uploaded = push.send()?.uploaded;
    outcome.pushed = pushed;
    Ok(())
}

/// Keeps the cache within its size. What goes wrong with that does not make the build fail.
pub(crate) fn tidy(store: &Store, most: Option<u64>, events: &dyn Events) {
    let text = match store.tidy(most) {
        Ok(None) => return,
        Ok(Some(pruned)) if pruned.removed.is_empty() => return,
        Ok(Some(pruned)) => format!(
            "the cache was above its size: removed what was unused the longest, {:.1} MB",
            pruned.freed() as f64 / 1e6
        ),
        Err(error) => format!("the cache can't be kept within its size: {error}"),
    };
    events.event(Event::Note { text });
}

/// What an output wants its images to be like.
#[derive(PartialEq)]
struct Wishes {
    layers: LayerOptions,
    annotations: Vec<Annotation>,
    /// What statements call the image.
    names: Vec<String>,
}

/// The images as the outputs want them; equal wishes share a result.
struct Results<'a> {
    exec: &'a Exec<'a>,
    plans: &'a [&'a ImagePlan],
    started: i64,
    made: Vec<(Wishes, Vec<BuiltImage>, Root)>,
}

impl Results<'_> {
    fn of(&mut self, output: &Output) -> Result<(&[BuiltImage], &Root), BuildError> {
        let wishes = self.wishes(output);
        let known = self.made.iter().position(|(known, ..)| *known == wishes);
        let at = match known {
            Some(at) => at,
            None => {
                self.add(wishes)?;
                self.made.len() - 1
            }
        };
        let (_, images, root) = &self.made[at];
        Ok((images, root))
    }

    fn wishes(&self, output: &Output) -> Wishes {
        let request = self.exec.request;
        let mut layers = output.layers;
        layers.compression.get_or_insert(request.compression);
        let names = match &output.place {
            _ if !request.attestations.any() => Vec::new(),
            Place::Registry { names, .. } if !names.is_empty() => names.clone(),
            _ if !output.names.is_empty() => output.names.clone(),
            _ => request.tags.clone(),
        };
        Wishes { layers, annotations: output.annotations.clone(), names }
    }

    fn add(&mut self, wishes: Wishes) -> Result<(), BuildError> {
        let images = reshape(self.exec, self.plans, wishes.layers, &wishes.annotations)?;
        let attested = attest(self.exec, &images, self.plans, &wishes.names, self.started)?;
        let root = root(self.exec, &images, attested, &wishes.annotations)?;
        self.made.push((wishes, images, root));
        Ok(())
    }
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
    for name in &exec.request.no_cache_stages {
        let is_it = |stage: &String| name.eq_ignore_ascii_case(stage);
        if !exec.plan.steps.iter().any(|step| step.stages.iter().any(is_it)) {
            let text = format!("--no-cache-filter: no stage of this build is called {name}");
            exec.events.event(Event::Warning { text });
        }
    }
    if let crate::sandbox::session::IdMapMode::Single { reason } = exec.session.id_map() {
        let text = format!("all files will belong to root in the images: {reason}");
        exec.events.event(Event::Warning { text });
    }
}

/// What can be told before anything is handed over.
fn told(exec: &Exec<'_>, proved: &[Proved<'_>]) -> BuildOutcome {
    let mut outcome = BuildOutcome::default();
    for (id, step) in exec.plan.steps.iter().enumerate() {
        match exec.result(id) {
            None => {}
            Some(_) if matches!(step.op, Op::Base(_)) => {}
            Some(result) if result.cached => outcome.cached += 1,
            Some(_) => outcome.executed += 1,
        }
    }
    for (image, _, elf_files) in proved {
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
                platform.emulated.push(EmulatedStep {
                    place: (step.origin.span.start, step.origin.span.end),
                    stage: step.origin.stage.clone(),
                    text: step.origin.text.clone(),
                    seconds: result.seconds,
                });
            }
        }
        platform.emulated.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        outcome.platforms.push(platform);
    }
    outcome
}
