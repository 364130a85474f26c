//! Mounts of RUN that hide what lies below them, and cache mounts, which keep what is written there
//! for the next RUN that has the same one.

use std::collections::BTreeMap;

use mlint_syntax::Span;

use crate::{
    artifact::Artifact,
    effect::{Effect, EffectKind},
    files::join,
    run::StageState,
    stage::Step,
};

/// A place that is mounted for the time of a RUN.
pub(crate) struct Mount {
    path: String,
    /// What the file system has there.
    hidden: Vec<Artifact>,
    /// The cache that keeps what is written.
    cache: Option<String>,
}

/// Hides what lies at `path`, and shows what the cache `id` kept.
pub(crate) fn mount(state: &mut StageState, path: String, cache: Option<String>) -> Option<Mount> {
    if path == "/" {
        return None;
    }
    let hidden = state.files.hide(&path);
    state.files.make_folder(&path);
    if let Some(id) = &cache {
        for kept in state.builds.cached(id).to_vec() {
            let place = if kept.path.is_empty() { path.clone() } else { join(&path, &kept.path) };
            state.files.put(Artifact { path: place, ..kept });
        }
    }
    Some(Mount { path, hidden, cache })
}

/// Takes the mounts away, the last first, and brings back what they hid.
pub(crate) fn unmount(state: &mut StageState, mounts: Vec<Mount>) {
    for Mount { path, hidden, cache } in mounts.into_iter().rev() {
        let written = state.files.hide(&path);
        if let Some(id) = cache {
            let relative = |a: Artifact| {
                let rest = a.path[path.len()..].trim_start_matches('/').to_owned();
                Artifact { path: rest, ..a }
            };
            state.builds.keep_cached(id, written.into_iter().map(relative).collect());
        }
        for artifact in hidden {
            state.files.put(artifact);
        }
    }
}

/// Says of each cache mount of a step which compilations wrote into it.
pub(crate) fn link(step: &mut Step, directory: Option<&str>) {
    let mut writers: BTreeMap<usize, Vec<Span>> = BTreeMap::new();
    for (index, effect) in step.effects.iter().enumerate() {
        let EffectKind::CacheMount { target, .. } = &effect.kind else { continue };
        let Some(target) = target.as_known() else { continue };
        let target = match (target.starts_with('/'), directory) {
            (true, _) => join("/", &target),
            (false, Some(directory)) => join(directory, &target),
            (false, None) => continue,
        };
        let within = |path: &str, folder: &str| {
            path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let wrote = |e: &Effect| match &e.kind {
            EffectKind::Compile(c) => {
                let touches = |out: &String| within(out, &target) || within(&target, out);
                c.outputs.iter().any(touches).then_some(e.span)
            }
            _ => None,
        };
        let mut found: Vec<Span> = step.effects.iter().filter_map(wrote).collect();
        found.dedup();
        if !found.is_empty() {
            writers.insert(index, found);
        }
    }
    for (index, found) in writers {
        if let EffectKind::CacheMount { compiles, .. } = &mut step.effects[index].kind {
            *compiles = found;
        }
    }
}
