//! Statements about images, as BuildKit attaches them: a manifest of its own for each image, whose
//! layers are in-toto statements.

mod packages;
mod provenance;
mod rpm;
mod sbom;
mod sqlite;

use mlint_oci::{Descriptor, ImageConfig, Manifest, Platform, media_type};
use serde_json::{Value, json};

use crate::{
    exec::Exec,
    image::BuiltImage,
    plan::ImagePlan,
    problem::{At, BuildError, Problem},
};

/// The media type of a statement.
const STATEMENT: &str = "application/vnd.in-toto+json";

/// What an SPDX document is called as a predicate.
const SPDX: &str = "https://spdx.dev/Document";

/// The statements about one image.
#[derive(Debug)]
pub struct Attested {
    /// Their manifest's bytes.
    pub manifest_bytes: Vec<u8>,
    /// Its descriptor, as the index has it.
    pub descriptor: Descriptor,
    /// Its config and the statements.
    pub blobs: Vec<(Descriptor, Vec<u8>)>,
    /// The statements as files beside the image's own, as buildx calls them.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// Makes the statements that are asked for, about images of these names.
pub fn attest(
    exec: &Exec<'_>,
    images: &[BuiltImage],
    plans: &[&ImagePlan],
    names: &[String],
    started: i64,
) -> Result<Vec<Attested>, BuildError> {
    let wanted = &exec.request.attestations;
    let mut all = Vec::new();
    if !wanted.any() {
        return Ok(all);
    }
    for (image, plan) in images.iter().zip(plans) {
        let mut statements = Vec::new();
        if wanted.sbom {
            let document = sbom::document(exec, image).at(plan.base_span)?;
            statements.push((SPDX, document));
        }
        if let Some(options) = &wanted.provenance {
            let predicate = provenance::predicate(exec, plan, options, started)?;
            statements.push(("https://slsa.dev/provenance/v1", predicate));
        }
        all.push(manifest(image, names, statements)?);
    }
    Ok(all)
}

fn manifest(
    image: &BuiltImage,
    names: &[String],
    statements: Vec<(&str, Value)>,
) -> Result<Attested, BuildError> {
    let wrong = |reason: String| Problem::Image { platform: image.platform.clone(), reason };
    let subjects = subjects(image, names);
    let mut blobs = Vec::new();
    let mut files = Vec::new();
    let mut layers = Vec::new();
    for (kind, predicate) in statements {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subjects,
            "predicateType": kind,
            "predicate": predicate,
        });
        let bytes = serde_json::to_vec(&statement).map_err(|e| wrong(e.to_string()))?;
        let mut descriptor = Descriptor::of(STATEMENT, &bytes);
        descriptor.annotations.insert("in-toto.io/predicate-type".to_owned(), kind.to_owned());
        layers.push(descriptor.clone());
        files
            .push((if kind == SPDX { "sbom.spdx.json" } else { "provenance.json" }, bytes.clone()));
        blobs.push((descriptor, bytes));
    }
    let mut config = ImageConfig::new(&Platform::new("unknown", "unknown", None));
    config.rootfs.diff_ids = layers.iter().map(|l| l.digest.clone()).collect();
    let config_bytes = serde_json::to_vec(&config).map_err(|e| wrong(e.to_string()))?;
    let config = Descriptor::of(media_type::OCI_CONFIG, &config_bytes);
    blobs.push((config.clone(), config_bytes));
    let manifest = Manifest::new(config, layers);
    let manifest_bytes = serde_json::to_vec(&manifest).map_err(|e| wrong(e.to_string()))?;
    let mut descriptor = Descriptor::of(media_type::OCI_MANIFEST, &manifest_bytes)
        .with_platform(&Platform::new("unknown", "unknown", None));
    descriptor
        .annotations
        .insert("vnd.docker.reference.digest".to_owned(), image.descriptor.digest.to_string());
    descriptor
        .annotations
        .insert("vnd.docker.reference.type".to_owned(), "attestation-manifest".to_owned());
    Ok(Attested { manifest_bytes, descriptor, blobs, files })
}

/// What the statements are about: the image by each of its names.
fn subjects(image: &BuiltImage, names: &[String]) -> Vec<Value> {
    let digest = json!({ "sha256": image.descriptor.digest.hex() });
    let platform = escaped(&image.platform.to_string());
    let named = names.iter().filter_map(|tag| {
        let reference = mlint_oci::Reference::parse(tag).ok()?;
        Some(format!("pkg:docker/{}?platform={platform}", purl_name(&reference)))
    });
    let mut names: Vec<String> = named.collect();
    if names.is_empty() {
        names.push("_".to_owned());
    }
    names.into_iter().map(|name| json!({ "name": name, "digest": digest })).collect()
}

/// `team/app@1.0`, as package URLs name images.
fn purl_name(reference: &mlint_oci::Reference) -> String {
    let name = reference.without_target().familiar();
    let version = reference.tag().unwrap_or("latest");
    format!("{}@{}", name.replace(':', "%3A"), escaped(version))
}

/// For package URLs.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_escaped() {
        let name = |text: &str| purl_name(&mlint_oci::Reference::parse(text).unwrap());
        assert_eq!(name("alpine"), "alpine@latest");
        assert_eq!(name("h.example:5000/t/a:1.0_x"), "h.example%3A5000/t/a@1.0_x");
        assert_eq!(escaped("linux/arm64+x:y"), "linux%2Farm64%2Bx%3Ay");
    }
}
