//! The proof, for images that are in a registry.

use mlint_oci::{Platform, Reference};
use serde::{Deserialize, Serialize};

use crate::{
    build::client,
    exec::{fetch_layer, wait},
    layer::View,
    problem::{BuildError, Problem},
    proof::{Scope, check},
    prove::{patterns, started},
    request::{Failure, VerifyRequest},
    sandbox::Session,
    store::Store,
};

/// How a verification ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyReply {
    /// Everything could be looked at.
    Done(VerifyOutcome),
    /// Something could not.
    Failed(Failure),
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VerifyOutcome {
    /// The digest that the name points at.
    pub digest: String,
    /// Per platform.
    pub platforms: Vec<VerifiedPlatform>,
}

/// One platform.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct VerifiedPlatform {
    /// The platform.
    pub platform: String,
    /// The digest of its manifest; empty if the image does not offer it.
    pub digest: String,
    /// How many ELF files it holds.
    pub elf_files: usize,
    /// The wrong ones.
    pub wrong: Vec<VerifiedFile>,
    /// Whether the platform is missing.
    pub missing: bool,
}

/// A wrong file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifiedFile {
    /// What is wrong with it.
    pub problem: String,
    /// What the image's history says of the layer that brought it.
    pub created_by: Option<String>,
}

/// Verifies, inside a session.
pub fn verify(session: &Session, request: &VerifyRequest) -> VerifyReply {
    match try_verify(session, request) {
        Ok(outcome) => VerifyReply::Done(outcome),
        Err(error) => VerifyReply::Failed(error.into_failure()),
    }
}

fn try_verify(session: &Session, request: &VerifyRequest) -> Result<VerifyOutcome, BuildError> {
    let reference = Reference::parse(&request.image)?;
    let allow = patterns(&request.allow_foreign)?;
    let wanted: Vec<Platform> =
        request.platforms.iter().map(|p| p.parse()).collect::<Result<_, _>>()?;
    let (client, runtime) = client(&request.plain_http)?;
    let handle = runtime.handle();
    let store = Store::open(&request.cache_dir)?;
    let image = wait(handle, session, client.image(&reference))??;
    let mut outcome = VerifyOutcome {
        digest: image.resolved.descriptor.digest.to_string(),
        platforms: Vec::new(),
    };
    let mut todo = Vec::new();
    if wanted.is_empty() {
        let all = image.platforms.iter();
        todo.extend(all.filter_map(|o| Some((o.platform.clone()?, Some(o.descriptor.clone())))));
    } else {
        for platform in wanted {
            let found = image.select(&platform).map(|(offer, _)| offer.descriptor.clone());
            todo.push((platform, found));
        }
    }
    if todo.is_empty() {
        let (image, reason) = (reference.familiar(), "it names no platform".to_owned());
        return Err(Problem::NoImage { image, reason }.into());
    }
    for (platform, descriptor) in todo {
        let mut found = VerifiedPlatform { platform: platform.to_string(), ..Default::default() };
        let Some(descriptor) = descriptor else {
            found.missing = true;
            outcome.platforms.push(found);
            continue;
        };
        found.digest = descriptor.digest.to_string();
        let image = wait(handle, session, client.platform_image(&reference, &descriptor))??;
        let resolved = crate::exec::resolved(&reference, image);
        let mut view = View::default();
        for (number, layer) in resolved.layers.iter().enumerate() {
            if !store.has_index(layer) {
                fetch_layer(session, &store, &client, handle, layer, &|_| {})?;
            }
            view.apply(number, &*store.index(layer)?);
        }
        let history: Vec<&str> = resolved
            .config
            .history
            .iter()
            .filter(|h| !h.empty_layer)
            .map(|h| h.created_by.as_deref().unwrap_or_default())
            .collect();
        let is_copy = |text: &str| text.starts_with("COPY") || text.starts_with("ADD");
        let copied: Vec<usize> =
            (0..history.len()).filter(|layer| is_copy(history[*layer])).collect();
        let scope = Scope {
            platform: &platform,
            allow: &allow,
            copied_layers: &copied,
            started: started(&resolved.config),
        };
        let proof = check(&view, &scope);
        found.elf_files = proof.elf_files;
        found.wrong = proof
            .wrong
            .iter()
            .map(|wrong| VerifiedFile {
                problem: wrong.describe(),
                created_by: history.get(wrong.layer).map(|text| (*text).to_owned()),
            })
            .collect();
        outcome.platforms.push(found);
    }
    Ok(outcome)
}
