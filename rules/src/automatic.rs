//! The platform arguments that the builder fills in.

use mlint_model::Evaluation;
use mlint_oci::Platform;

/// Their names, in the order in which a declaration lists them.
pub(crate) const NAMES: &[&str] = &[
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];

/// What the builder fills in; `None` for other names.
pub(crate) fn value(name: &str, evaluation: &Evaluation) -> Option<String> {
    let (platform, part): (&Platform, &str) = match name.strip_prefix("TARGET") {
        Some(part) => (&evaluation.platform, part),
        None => (&evaluation.build_platform, name.strip_prefix("BUILD")?),
    };
    Some(match part {
        "PLATFORM" => platform.to_string(),
        "OS" => platform.os().to_owned(),
        "ARCH" => platform.arch().to_owned(),
        "VARIANT" => platform.variant().unwrap_or_default().to_owned(),
        _ => return None,
    })
}
