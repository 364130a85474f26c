//! `--cache-to`: what a build has made or found is written elsewhere, after its images are.

use std::{sync::Arc, time::Duration};

use mlint_oci::{Index, Platform, Reference, media_type};
use mlint_registry::{BlobSource, PlannedBlob, PlannedManifest, PushPlan};

use super::{CachedStep, Part, directory, import::registry_index, merged};
use crate::{
    events::{Event, counted},
    exec::Exec,
    plan::StepId,
    problem::{BuildError, Problem},
    push::{layer_blob, references, send},
    request::{CachePlace, CacheTo, Place},
    store::LayerRef,
};

/// Another build may write the same cache at the same time: so often the index is written anew.
const TRIES: usize = 5;

/// So long another build may take from looking at the index to writing its own.
const SETTLES: Duration = Duration::from_millis(300);

/// Writes all caches that are asked for. The images, platform and last step, are those that were
/// built.
pub fn export(exec: &Exec<'_>, images: &[(Platform, Option<StepId>)]) -> Result<(), BuildError> {
    for to in &exec.request.cache_to {
        match write(exec, to, images) {
            Ok(text) => exec.events.event(Event::Note { text }),
            Err(error) if error.is_interrupt() || error.is_removed_damage() => return Err(error),
            Err(error) => {
                let problem = Problem::CacheNotWritten {
                    place: to.place.to_string(),
                    reason: error.problem.to_string(),
                };
                if !to.ignore_error {
                    return Err(problem.into());
                }
                exec.events.event(Event::Warning { text: problem.to_string() });
            }
        }
    }
    Ok(())
}

fn write(
    exec: &Exec<'_>,
    to: &CacheTo,
    images: &[(Platform, Option<StepId>)],
) -> Result<String, BuildError> {
    let mut parts = Vec::new();
    let mut steps = 0;
    for (platform, last) in images {
        let of_image = exec.plan.chain(*last);
        let (mut carried, mut named) = (Vec::new(), Vec::new());
        for (id, planned) in exec.plan.steps.iter().enumerate() {
            let Some(step) = step(exec, id).filter(|_| planned.targets.contains(platform)) else {
                continue;
            };
            let is_here = || exec.store.has_layer(&step.layer) || exec.imported.has(&step.layer);
            match (to.max || of_image.contains(&id)) && is_here() {
                true => carried.push(step),
                false => named.push(step),
            }
        }
        steps += carried.len();
        let part = Part::new(platform, carried, named, exec.notes());
        parts.push(
            part.map_err(|e| Problem::Image { platform: platform.clone(), reason: e.to_string() })?,
        );
    }
    let sent = match &to.place {
        CachePlace::Registry(name) => to_registry(exec, &Reference::parse(name)?, &parts)?,
        CachePlace::Directory { path, tag } => directory::write(exec, path, tag, &parts)?,
    };
    let platforms: Vec<String> = images.iter().map(|(platform, _)| platform.to_string()).collect();
    let (place, platforms) = (&to.place, platforms.join(", "));
    let (steps, sent) = (counted(steps, "step"), counted(sent, "blob"));
    Ok(format!("the cache at {place} has {steps} of {platforms} now ({sent} sent)"))
}

/// What is to be known of a step: nothing of base images.
fn step(exec: &Exec<'_>, id: StepId) -> Option<CachedStep> {
    let result = exec.result(id)?;
    let (kind, key) = result.key.clone()?;
    let layer = result.snapshot.layers.last()?;
    Some(CachedStep {
        kind: kind.to_owned(),
        key,
        layer: LayerRef { origin: None, ..layer.clone() },
        created: result.created?,
        about: exec.about(id),
        content: result.content.clone(),
    })
}

fn to_registry(
    exec: &Exec<'_>,
    reference: &Reference,
    parts: &[Part],
) -> Result<usize, BuildError> {
    let repository = reference.without_target();
    let tagged = reference.with_tag(reference.tag().unwrap_or("latest"))?;
    // What is something else is not overwritten: known before anything is sent.
    exec.wait(registry_index(exec.client, &tagged))??;
    let neighbours = pushed_to(exec)?;
    let mut blobs: Vec<PlannedBlob> = Vec::new();
    let mut add = |blob: PlannedBlob| {
        if !blobs.iter().any(|b| b.descriptor.digest == blob.descriptor.digest) {
            blobs.push(blob);
        }
    };
    for part in parts {
        for layer in &part.layers {
            let mut blob = layer_blob(exec, layer, &repository)?;
            let near = neighbours.iter().filter(|n| n.registry() == repository.registry());
            blob.mount_from.extend(near.cloned());
            add(blob);
        }
        for (descriptor, bytes) in part.small_blobs() {
            let source = BlobSource::Bytes(Arc::from(bytes));
            add(PlannedBlob { descriptor, source, mount_from: Vec::new() });
        }
    }
    let manifests =
        parts.iter().map(|p| PlannedManifest::new(media_type::OCI_MANIFEST, p.manifest.clone()));
    let plan = PushPlan {
        repository,
        blobs,
        manifests: manifests.collect(),
        index: None,
        tags: Vec::new(),
    };
    let layers: Vec<&LayerRef> = parts.iter().flat_map(|p| &p.layers).collect();
    let report = send(exec, std::slice::from_ref(&plan), &layers)?;
    tag(exec, &tagged, parts)?;
    Ok(report.uploaded)
}

/// Puts the parts into the index behind the tag, beside those of other platforms. The registry has
/// no way to do that at once, so it is looked at right before, right afterwards, and once more when
/// whoever looked before us has written.
fn tag(exec: &Exec<'_>, tagged: &Reference, parts: &[Part]) -> Result<(), BuildError> {
    for _ in 0..TRIES {
        let before = exec.wait(registry_index(exec.client, tagged))??;
        let index = merged(before.as_ref(), parts).map_err(std::io::Error::other);
        let index = index.map_err(crate::error::FsError::new("write", "the index".as_ref()))?;
        exec.wait(exec.client.push_tag(tagged, media_type::OCI_INDEX, &index))??;
        if !holds(exec, tagged, before.as_ref(), parts)? {
            continue;
        }
        std::thread::sleep(SETTLES);
        if holds(exec, tagged, before.as_ref(), parts)? {
            return Ok(());
        }
    }
    let place = tagged.familiar();
    Err(Problem::CacheContended { place }.into())
}

/// Whether the tag has these parts, and something for each platform that was there before.
fn holds(
    exec: &Exec<'_>,
    tagged: &Reference,
    before: Option<&Index>,
    parts: &[Part],
) -> Result<bool, BuildError> {
    let now = exec.wait(registry_index(exec.client, tagged))??;
    let all = || now.iter().flat_map(|index| &index.manifests);
    let has = |part: &Part| {
        let mut same = all().filter(|d| d.platform == part.descriptor.platform);
        same.any(|d| d.digest == part.descriptor.digest)
    };
    let mut known = before.iter().flat_map(|index| &index.manifests);
    Ok(parts.iter().all(has) && known.all(|old| all().any(|d| d.platform() == old.platform())))
}

/// The repositories that this build was pushed to: they have its layers.
fn pushed_to(exec: &Exec<'_>) -> Result<Vec<Reference>, BuildError> {
    let mut all = Vec::new();
    for output in &exec.request.outputs {
        let Place::Registry { names, .. } = &output.place else { continue };
        let names = if names.is_empty() { &exec.request.tags } else { names };
        all.extend(references(names)?.iter().map(Reference::without_target));
    }
    Ok(all)
}
