//! Images: configs, manifests and the index, from what the steps made.

use std::collections::BTreeMap;

use mlint_oci::{Descriptor, ImageConfig, Index, Manifest, Platform, media_type};

use crate::{
    attest::Attested,
    exec::{Exec, Snapshot},
    plan::{ImagePlan, Plan},
    problem::{BuildError, Problem},
    request::{Annotation, AnnotationLevel},
    store::LayerRef,
};

/// One platform's image, ready to be pushed.
#[derive(Debug)]
pub struct BuiltImage {
    /// The platform.
    pub platform: Platform,
    /// Its file system.
    pub snapshot: Snapshot,
    /// Its config.
    pub config: ImageConfig,
    /// The config's bytes.
    pub config_bytes: Vec<u8>,
    /// The manifest's bytes.
    pub manifest_bytes: Vec<u8>,
    /// The manifest's descriptor, with the platform.
    pub descriptor: Descriptor,
    /// The config's descriptor.
    pub config_descriptor: Descriptor,
}

/// What the tags will point at.
#[derive(Debug)]
pub struct Root {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// The index's bytes; `None` for a single manifest.
    pub index: Option<Vec<u8>>,
    /// Statements about the images.
    pub attested: Vec<Attested>,
}

/// Puts a platform's image together, from its layers as they are in the cache.
pub fn assemble(exec: &Exec<'_>, image: &ImagePlan) -> Result<BuiltImage, BuildError> {
    assemble_of(exec, image, exec.snapshot(image.last), &[])
}

/// Puts a platform's image together; `besides` are annotations beside those of the request.
pub fn assemble_of(
    exec: &Exec<'_>,
    image: &ImagePlan,
    snapshot: Snapshot,
    besides: &[Annotation],
) -> Result<BuiltImage, BuildError> {
    let mut config = image.config.clone();
    date(exec, image, &mut config);
    config.rootfs.diff_ids = snapshot.layers.iter().map(|l| l.diff_id.clone()).collect();
    let wrong = |reason: String| Problem::Image { platform: image.platform.clone(), reason };
    let config_bytes = serde_json::to_vec(&config).map_err(|e| wrong(e.to_string()))?;
    let config_descriptor = Descriptor::of(media_type::OCI_CONFIG, &config_bytes);
    let layers = snapshot.layers.iter().map(layer_descriptor).collect();
    let mut manifest = Manifest::new(config_descriptor.clone(), layers);
    config.check_against(&manifest).map_err(|e| wrong(e.to_string()))?;
    let all = || exec.request.annotations.iter().chain(besides);
    manifest.annotations = annotations(all(), AnnotationLevel::Manifest, &image.platform);
    let manifest_bytes = serde_json::to_vec(&manifest).map_err(|e| wrong(e.to_string()))?;
    let mut descriptor =
        Descriptor::of(media_type::OCI_MANIFEST, &manifest_bytes).with_platform(&image.platform);
    descriptor.annotations =
        annotations(all(), AnnotationLevel::ManifestDescriptor, &image.platform);
    Ok(BuiltImage {
        platform: image.platform.clone(),
        snapshot,
        config,
        config_bytes,
        manifest_bytes,
        descriptor,
        config_descriptor,
    })
}

/// The annotations of a level for a platform.
fn annotations<'a>(
    all: impl Iterator<Item = &'a Annotation>,
    level: AnnotationLevel,
    platform: &Platform,
) -> BTreeMap<String, String> {
    let fits = |text: &String| text.parse::<Platform>().is_ok_and(|p| p == *platform);
    all.filter(|a| a.level == level && a.platform.as_ref().is_none_or(fits))
        .map(|a| (a.key.clone(), a.value.clone()))
        .collect()
}

/// The index of several images, or of images with statements; a single image stands for itself, if
/// no others were asked for.
pub fn root(
    exec: &Exec<'_>,
    images: &[BuiltImage],
    attested: Vec<Attested>,
    besides: &[Annotation],
) -> Result<Root, BuildError> {
    let request = exec.request;
    let of_index = |level| {
        let all = request.annotations.iter().chain(besides).filter(move |a| a.level == level);
        all.map(|a| (a.key.clone(), a.value.clone())).collect::<BTreeMap<_, _>>()
    };
    let own = of_index(AnnotationLevel::Index);
    let outer = of_index(AnnotationLevel::IndexDescriptor);
    let wants_index = request.build_arg("BUILDKIT_MULTI_PLATFORM").is_some_and(is_true);
    if let ([only], []) = (images, &attested[..])
        && !wants_index
        && !exec.plan.several
    {
        if !own.is_empty() || !outer.is_empty() {
            return Err(Problem::NoIndex.into());
        }
        let mut descriptor = Descriptor::of(media_type::OCI_MANIFEST, &only.manifest_bytes);
        descriptor.annotations.clone_from(&only.descriptor.annotations);
        return Ok(Root { descriptor, index: None, attested });
    }
    let statements = attested.iter().map(|a| a.descriptor.clone());
    let all = images.iter().map(|i| i.descriptor.clone()).chain(statements);
    let mut index = Index::new(all.collect());
    index.annotations = own;
    let bytes = serde_json::to_vec(&index)
        .map_err(|e| Problem::Image { platform: Platform::host(), reason: e.to_string() })?;
    let mut descriptor = Descriptor::of(media_type::OCI_INDEX, &bytes);
    descriptor.annotations = outer;
    Ok(Root { descriptor, index: Some(bytes), attested })
}

/// Whether a build argument that is a switch is on.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "true" | "TRUE" | "True" | "t" | "T")
}

/// Fills in the times. They are those at which the layers were made, so that a build from the
/// cache gives the same bytes; what makes no layer has the time of the layer below, or at the
/// very start of the first one above.
fn date(exec: &Exec<'_>, image: &ImagePlan, config: &mut ImageConfig) {
    let own = config.history.len() - image.history.len().min(config.history.len());
    let before = config.history[..own].iter().rev().find_map(|h| h.created.clone());
    let made = |step: &Option<usize>| step.and_then(|id| exec.result(id)).and_then(|r| r.created);
    if let Some(epoch) = exec.request.epoch {
        let epoch = rfc3339(epoch);
        // What the base says of itself stays (`patchImageConfig` of BuildKit's exporter).
        for entry in &mut config.history[own..] {
            entry.created = Some(epoch.clone());
        }
        config.created = Some(epoch);
        return;
    }
    let first = || image.history.iter().find_map(made).map(rfc3339);
    // What has no layer at all has no time, as BuildKit has it.
    let mut last = before.or_else(|| config.created.clone()).or_else(first);
    for (entry, step) in config.history[own..].iter_mut().zip(&image.history) {
        if let Some(created) = made(step) {
            last = Some(rfc3339(created));
        }
        entry.created.clone_from(&last);
    }
    config.created = last;
}

fn layer_descriptor(layer: &LayerRef) -> Descriptor {
    // What an image of Docker's own format calls the same bytes.
    let kind = match layer.media_type.as_str() {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => media_type::OCI_LAYER_GZIP,
        "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
        other => other,
    };
    Descriptor::new(kind, layer.digest.clone(), layer.size)
}

/// The steps of an image's layers, lowest first; a base image's layers have its step each.
pub fn layer_steps(plan: &Plan, image: &ImagePlan) -> Vec<usize> {
    let mut steps = Vec::new();
    for id in plan.chain(image.last) {
        match &plan.steps[id].op {
            crate::plan::Op::Base(number) => {
                steps.extend(std::iter::repeat_n(id, plan.bases[*number].layers.len()));
            }
            _ => steps.push(id),
        }
    }
    steps
}

/// A time as configs write it.
pub fn rfc3339(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    // Days since 1 March of the year 0, in eras of 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_date_writes_them() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_795_248_245, "2026-11-21T08:04:05Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), want);
        }
    }
}
