//! The proof, for images that are in a registry.

use mlint_oci::{Descriptor, Platform, Reference};
use mlint_registry::Client;
use serde::{Deserialize, Serialize};

use crate::{
    build::client,
    exec::{fetch_layer, resolved, wait},
    layer::View,
    pattern::Pattern,
    plan::ResolvedImage,
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

/// What looking at images needs.
struct Look<'a> {
    session: &'a Session,
    store: &'a Store,
    client: &'a Client,
    runtime: &'a tokio::runtime::Handle,
    reference: &'a Reference,
    allow: &'a [Pattern],
}

fn try_verify(session: &Session, request: &VerifyRequest) -> Result<VerifyOutcome, BuildError> {
    let reference = Reference::parse(&request.image)?;
    let allow = patterns(&request.allow_foreign)?;
    let wanted: Vec<Platform> =
        request.platforms.iter().map(|p| p.parse()).collect::<Result<_, _>>()?;
    let (client, runtime) = client(&request.plain_http)?;
    let store = Store::open(&request.cache_dir)?;
    let look = Look {
        session,
        store: &store,
        client: &client,
        runtime: runtime.handle(),
        reference: &reference,
        allow: &allow,
    };
    let image = look.wait(client.image(&reference))??;
    let mut outcome = VerifyOutcome {
        digest: image.resolved.descriptor.digest.to_string(),
        platforms: Vec::new(),
    };
    let mut todo = Vec::new();
    if wanted.is_empty() {
        let all = image.platforms.iter();
        todo.extend(all.filter_map(|o| Some((o.platform.clone()?, Some(&o.descriptor)))));
    } else {
        for platform in wanted {
            let found = image.select(&platform).map(|(offer, _)| &offer.descriptor);
            todo.push((platform, found));
        }
    }
    if todo.is_empty() {
        let (image, reason) = (reference.familiar(), "it names no platform".to_owned());
        return Err(Problem::NoImage { image, reason }.into());
    }
    for (platform, descriptor) in todo {
        outcome.platforms.push(match descriptor {
            Some(descriptor) => look.platform(&platform, descriptor)?,
            None => VerifiedPlatform {
                platform: platform.to_string(),
                missing: true,
                ..VerifiedPlatform::default()
            },
        });
    }
    crate::build::tidy(&store, request.cache_max, &crate::events::Silent);
    Ok(outcome)
}

impl Look<'_> {
    fn wait<T>(&self, request: impl Future<Output = T>) -> Result<T, BuildError> {
        wait(self.runtime, self.session, request)
    }

    fn platform(
        &self,
        platform: &Platform,
        descriptor: &Descriptor,
    ) -> Result<VerifiedPlatform, BuildError> {
        let image = self.wait(self.client.platform_image(self.reference, descriptor))??;
        let image = resolved(self.reference, image);
        let view = self.view(&image)?;
        let history: Vec<&str> = image
            .config
            .history
            .iter()
            .filter(|h| !h.empty_layer)
            .map(|h| h.created_by.as_deref().unwrap_or_default())
            .collect();
        let is_copy = |text: &str| text.starts_with("COPY") || text.starts_with("ADD");
        let copied: Vec<usize> =
            (0..history.len()).filter(|layer| is_copy(history[*layer])).collect();
        let proof = check(
            &view,
            &Scope {
                platform,
                allow: self.allow,
                copied_layers: &copied,
                started: started(&image.config),
            },
        );
        let brought_by = |layer: usize| history.get(layer).map(|text| (*text).to_owned());
        let wrong = proof.wrong.iter().map(|wrong| VerifiedFile {
            problem: wrong.describe(),
            created_by: brought_by(wrong.layer),
        });
        Ok(VerifiedPlatform {
            platform: platform.to_string(),
            digest: descriptor.digest.to_string(),
            elf_files: proof.elf_files,
            wrong: wrong.collect(),
            missing: false,
        })
    }

    fn view(&self, image: &ResolvedImage) -> Result<View, BuildError> {
        let mut view = View::default();
        for (number, layer) in image.layers.iter().enumerate() {
            if !self.store.has_index(layer) {
                let Self { session, store, client, runtime, .. } = self;
                fetch_layer(session, store, client, runtime, layer, &|_| {})?;
            }
            view.apply(number, &*self.store.index(layer)?);
        }
        Ok(view)
    }
}
