//! `--platforms all`: the platforms for which all base images are there.

use std::{collections::BTreeMap, fmt};

use mlint_oci::{Platform, Reference};

use crate::{
    exec::{layout_platforms, wait},
    plan::{ImageNeed, Inputs, Reach, ResolvedImages},
    preflight::Preflight,
    problem::{At, BuildError, Problem},
};

/// The word for all platforms.
pub const ALL: &str = "all";

/// Platforms that images are made for. Those that a base image offers besides count as well; these
/// are asked about even if the name of a base image holds the platform, so that none lists it.
const KNOWN: &[&str] = &[
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "linux/arm/v5",
    "linux/386",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "linux/loong64",
    "linux/mips64le",
];

/// All platforms, and what decides that.
#[derive(Debug, PartialEq, Eq)]
pub struct Every {
    /// The platforms.
    pub platforms: Vec<Platform>,
    /// The images that decide.
    pub images: Vec<String>,
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let platforms: Vec<String> = self.platforms.iter().map(Platform::to_string).collect();
        let verb = if self.images.len() == 1 { "offers" } else { "have in common" };
        let images = self.images.join(", ");
        write!(f, "all platforms that {images} {verb}: {}", platforms.join(", "))
    }
}

/// An image by its name, in a registry or a layout.
type Name = (Reference, Option<(std::path::PathBuf, String)>);

/// Finds the platforms that every base image of the target's own platform offers.
pub fn platforms(preflight: &Preflight<'_>, inputs: &Inputs<'_>) -> Result<Every, BuildError> {
    let mut offers: BTreeMap<Name, Option<Vec<Platform>>> = BTreeMap::new();
    let mut candidates: Vec<Platform> = KNOWN.iter().filter_map(|p| p.parse().ok()).collect();
    let mut needed: Vec<(Platform, Vec<ImageNeed>)> = Vec::new();
    let mut first_error = None;
    let mut seen = 0;
    while let Some(candidate) = candidates.get(seen).cloned() {
        seen += 1;
        let needs = match own_bases(inputs, &candidate) {
            Ok(needs) => needs,
            // The file itself may not provide for it.
            Err(error) => {
                first_error.get_or_insert(error);
                continue;
            }
        };
        for need in &needs {
            if offers.contains_key(&name(need)) {
                continue;
            }
            let offered = match ask(preflight, need) {
                Ok(offered) => Some(offered),
                Err(error) if error.is_interrupt() => return Err(error),
                Err(error) => {
                    first_error.get_or_insert(error);
                    None
                }
            };
            for more in offered.iter().flatten().filter(|p| p.os() == "linux") {
                if !candidates.contains(more) {
                    candidates.push(more.clone());
                }
            }
            offers.insert(name(need), offered);
        }
        needed.push((candidate, needs));
    }
    needed.retain(|(_, needs)| !needs.is_empty());
    // Stages of one platform, be it the build's, look like the target's where the two are one.
    let bound = needed.len() > 2;
    needed.retain(|(candidate, needs)| {
        let offered = |need| offers.get(&name(need)).and_then(Option::as_ref);
        needs.iter().all(|need| offered(need).is_some_and(|o| o.contains(candidate)))
    });
    let others = needed.iter().filter(|(candidate, _)| candidate != inputs.build);
    let mut telling: Vec<&(Platform, Vec<ImageNeed>)> = others.collect();
    if telling.is_empty() {
        telling.extend(&needed);
    }
    let mut every = Every { platforms: Vec::new(), images: Vec::new() };
    for shown in telling.into_iter().flat_map(|(_, needs)| needs).map(shown) {
        if !every.images.contains(&shown) {
            every.images.push(shown);
        }
    }
    every.platforms = needed.into_iter().map(|(candidate, _)| candidate).collect();
    let span = inputs.file.instructions[inputs.stages.list[inputs.target_stage].from].span;
    match (bound, every.platforms.is_empty(), first_error) {
        (false, ..) => Err(Problem::NothingDecides.at(span)),
        (true, true, Some(error)) => Err(error),
        (true, true, None) => Err(Problem::NothingInCommon.at(span)),
        (true, false, _) => Ok(every),
    }
}

/// The images that a target needs for its own platform.
fn own_bases(inputs: &Inputs<'_>, target: &Platform) -> Result<Vec<ImageNeed>, BuildError> {
    let reach = Reach::of(inputs, target, &ResolvedImages::default())?;
    Ok(reach.images.into_iter().filter(|need| need.platform == *target).collect())
}

fn name(need: &ImageNeed) -> Name {
    (need.reference.clone(), need.layout.clone())
}

fn shown(need: &ImageNeed) -> String {
    match &need.layout {
        Some((dir, _)) => dir.display().to_string(),
        None => need.reference.familiar(),
    }
}

/// The platforms that an image offers.
fn ask(preflight: &Preflight<'_>, need: &ImageNeed) -> Result<Vec<Platform>, BuildError> {
    if let Some((dir, target)) = &need.layout {
        return layout_platforms(dir, target).at(need.span);
    }
    let asked = preflight.client.image(&need.reference);
    let image = wait(preflight.runtime, preflight.session, asked)?.at(need.span)?;
    Ok(image.platforms.into_iter().filter_map(|offer| offer.platform).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_is_said() {
        let platforms = vec![Platform::linux("amd64"), Platform::linux("arm64")];
        let mut every = Every { platforms, images: vec!["debian:12".to_owned()] };
        assert_eq!(
            every.to_string(),
            "all platforms that debian:12 offers: linux/amd64, linux/arm64"
        );
        every.images.push("golang:1".to_owned());
        assert_eq!(
            every.to_string(),
            "all platforms that debian:12, golang:1 have in common: linux/amd64, linux/arm64"
        );
        assert!(KNOWN.iter().all(|p| p.parse::<Platform>().is_ok_and(|q| q.to_string() == **p)));
    }
}
