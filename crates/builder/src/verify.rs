//! The proof, for images that are there already.

use mlint_oci::Platform;
use serde::{Deserialize, Serialize};

use crate::{
    build::client,
    images::{Look, Offer, Opened},
    problem::{BuildError, Problem},
    proof::{Allow, Scope, Wrong, check},
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
    /// The digest of the image as a whole; empty if it has none.
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
    /// How many ELF files it holds, without those of other machines that are meant to be there.
    pub elf_files: usize,
    /// Those that do not work.
    pub wrong: Vec<VerifiedFile>,
    /// Those that may not work.
    pub doubtful: Vec<VerifiedFile>,
    /// Whether the platform is missing.
    pub missing: bool,
    /// The platform that the image's config tells, if it is another machine's or system's than the
    /// index says.
    pub says: Option<String>,
}

/// A file that does not work, or may not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VerifiedFile {
    /// Where it is.
    pub path: String,
    /// The kind of defect: `machine`, `abi`, `mode`, `interpreter` or `library`.
    pub reason: String,
    /// The machine that it is for.
    pub machine: String,
    /// What is wrong with it.
    pub problem: String,
    /// The number of the layer that brought it, from 0.
    pub layer: usize,
    /// What the image's history says of that layer.
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
    let allow: Vec<Allow> =
        patterns(&request.allow_foreign)?.into_iter().map(Allow::anywhere).collect();
    let wanted: Vec<Platform> =
        request.platforms.iter().map(|p| p.parse()).collect::<Result<_, _>>()?;
    let (client, runtime) = client(&request.plain_http)?;
    let store = Store::open(&request.cache_dir)?;
    let look = Look { session, store: &store, client: &client, runtime: runtime.handle() };
    let image = Opened::open(look, &request.source)?;
    let named = |offer: &Offer| Some((offer.platform.clone()?, offer.clone()));
    let offered: Vec<(Platform, Offer)> = image.offers.iter().filter_map(named).collect();
    let todo: Vec<(Platform, Option<Offer>)> = match wanted.is_empty() {
        true => offered.into_iter().map(|(platform, offer)| (platform, Some(offer))).collect(),
        false => wanted
            .into_iter()
            .map(|want| {
                let best = mlint_oci::matching::best(&want, offered.iter().cloned());
                (want, best.map(|(offer, _)| offer))
            })
            .collect(),
    };
    if todo.is_empty() {
        let (image, reason) = (request.source.to_string(), "it names no platform".to_owned());
        return Err(Problem::NoImage { image, reason }.into());
    }
    let mut outcome = VerifyOutcome { digest: image.digest.clone(), platforms: Vec::new() };
    for (platform, offer) in todo {
        outcome.platforms.push(match offer {
            Some(offer) => verified(&image, &platform, &offer, &allow)?,
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

/// Whether a layer is what a command made of the image, or what its base's makers say in a comment.
/// All else was put there: by COPY and ADD, whose text buildah gives to the next instruction's layer,
/// and by tools that only copy.
fn was_made_by_a_command(said: &str) -> bool {
    let shell = said.contains("/bin/sh -c") && !said.contains("#(nop)");
    said.starts_with("RUN") || said.starts_with('#') || shell
}

fn verified(
    opened: &Opened<'_>,
    platform: &Platform,
    offer: &Offer,
    allow: &[Allow],
) -> Result<VerifiedPlatform, BuildError> {
    let image = opened.image(offer)?;
    // Who chooses by the index gets an image that says it is another: engines refuse or warn.
    let offered = offer.platform.as_ref().unwrap_or(platform);
    let says = image
        .config
        .platform()
        .filter(|config| (config.os(), config.arch()) != (offered.os(), offered.arch()));
    let view = opened.view(&image)?;
    let history: Vec<&str> = image
        .config
        .history
        .iter()
        .filter(|h| !h.empty_layer)
        .map(|h| h.created_by.as_deref().unwrap_or_default())
        .collect();
    let layers = image.config.rootfs.diff_ids.len();
    let told = history.len() == layers;
    let copied: Vec<usize> =
        (0..layers).filter(|layer| !told || !was_made_by_a_command(history[*layer])).collect();
    let text = |path: &str| opened.text(&image, &view, path);
    let starts = started(&image.config);
    let proof = check(
        &view,
        &Scope {
            platform,
            allow,
            copied_layers: &copied,
            started: starts.programs,
            handed: starts.handed,
            env: &image.config.config.env,
            text: &text,
        },
    );
    let file = |wrong: &Wrong| VerifiedFile {
        path: wrong.path.display(),
        reason: wrong.reason.word().to_owned(),
        machine: wrong.facts.machine_name(),
        problem: wrong.describe(),
        layer: wrong.layer,
        created_by: history.get(wrong.layer).map(|text| (*text).to_owned()),
    };
    Ok(VerifiedPlatform {
        platform: platform.to_string(),
        digest: offer.digest.to_string(),
        elf_files: proof.elf_files,
        wrong: proof.wrong.iter().map(file).collect(),
        doubtful: proof.doubtful.iter().map(file).collect(),
        missing: false,
        says: says.map(|p| p.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::was_made_by_a_command;

    #[test]
    fn histories_tell_commands_from_what_was_put_there() {
        for command in [
            "RUN /bin/sh -c apt-get update # buildkit",
            "/bin/sh -c apt-get update",
            "|1 V=1 /bin/sh -c make",
            "# debian.sh --arch 'amd64' out/ 'bookworm' '@1'",
        ] {
            assert!(was_made_by_a_command(command), "{command}");
        }
        for put in [
            "COPY app /app # buildkit",
            "ADD rootfs.tar.xz / # buildkit",
            "/bin/sh -c #(nop) COPY file:1 in /app ",
            "/bin/sh -c #(nop) ENTRYPOINT [\"/app\"]",
            "bazel build //:image",
            "",
        ] {
            assert!(!was_made_by_a_command(put), "{put}");
        }
    }
}
