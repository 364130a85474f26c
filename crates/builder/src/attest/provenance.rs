//! How an image was built, as SLSA 1.0 tells it.

use serde_json::{Map, Value, json};

use super::{escaped, purl_name};
use crate::{
    exec::{Exec, now},
    image::rfc3339,
    plan::{CopyItem, ImagePlan, Op, RunMount},
    problem::BuildError,
    remote::without_credentials,
    request::{Origin, Provenance},
};

/// What kind of build this is: a Dockerfile, by this builder.
const BUILD_TYPE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "#dockerfile-build-v1");

/// The provenance of an image.
pub fn predicate(
    exec: &Exec<'_>,
    image: &ImagePlan,
    options: &Provenance,
    started: i64,
) -> Result<Value, BuildError> {
    let request = exec.request;
    let mut source = json!({ "path": file_name(&request.file) });
    let mut locals = vec![json!({ "name": "context" }), json!({ "name": "dockerfile" })];
    if let Some(origin) = &request.origin {
        source["uri"] = Value::from(origin.uri.as_str());
        source["digest"] = digest_of(origin);
        locals.clear();
    }
    let mut internal = json!({ "builderPlatform": request.build_platform });
    if options.max {
        internal["dockerfile"] = Value::String(crate::remote::redacted(&request.text));
    }
    let finished = request.epoch.unwrap_or_else(now);
    let started = request.epoch.map_or(started, |epoch| epoch.min(started));
    Ok(json!({
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "configSource": source,
                "request": {
                    "frontend": "dockerfile.v0",
                    "args": arguments(exec, image, options.max),
                    "secrets": secrets(exec, image),
                    "locals": locals,
                },
            },
            "internalParameters": internal,
            "resolvedDependencies": dependencies(exec, image)?,
        },
        "runDetails": {
            "builder": { "id": options.builder_id },
            "metadata": { "startedOn": rfc3339(started), "finishedOn": rfc3339(finished) },
        },
    }))
}

/// `{ "sha1": "…" }`.
fn digest_of(origin: &Origin) -> Value {
    json!({ origin.algorithm.as_str(): origin.digest })
}

fn dependency(origin: &Origin) -> Value {
    json!({ "uri": origin.uri, "digest": digest_of(origin) })
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What the build was asked for. Values that the user gave are in the full form only; what a proxy's
/// address may hold is in neither.
fn arguments(exec: &Exec<'_>, image: &ImagePlan, max: bool) -> Map<String, Value> {
    let request = exec.request;
    let mut args = Map::new();
    let mut put = |key: String, value: &str| drop(args.insert(key, Value::from(value)));
    put("platform".to_owned(), &image.platform.to_string());
    if let Some(target) = &request.target {
        put("target".to_owned(), target);
    }
    if max {
        let proxy = |name: &str| mlint_model::scope::PROXY_ARGS.contains(&name);
        for (name, value) in request.build_args.iter().filter(|(name, _)| !proxy(name)) {
            put(format!("build-arg:{name}"), value);
        }
        for (name, value) in &request.labels {
            put(format!("label:{name}"), value);
        }
    }
    args
}

/// The names of the secrets that the build may have seen.
fn secrets(exec: &Exec<'_>, image: &ImagePlan) -> Vec<Value> {
    let mut names: Vec<&str> = Vec::new();
    for step in exec.plan.steps.iter().filter(|s| s.targets.contains(&image.platform)) {
        let Op::Run(run) = &step.op else { continue };
        for mount in &run.mounts {
            if let RunMount::Secret { id, .. } = mount
                && !names.contains(&id.as_str())
            {
                names.push(id);
            }
        }
    }
    names.into_iter().map(|id| json!({ "id": id, "optional": true })).collect()
}

/// What went in: base images, files and repositories, each with its digest.
fn dependencies(exec: &Exec<'_>, image: &ImagePlan) -> Result<Vec<Value>, BuildError> {
    let mut all: Vec<Value> = Vec::new();
    let mut add = |value: Value| {
        if !all.contains(&value) {
            all.push(value);
        }
    };
    if let Some(origin) = &exec.request.origin {
        add(dependency(origin));
    }
    for step in exec.plan.steps.iter().filter(|s| s.targets.contains(&image.platform)) {
        match &step.op {
            Op::Base(number) => {
                let base = &exec.plan.bases[*number];
                let platform = escaped(&step.platform.to_string());
                let name = purl_name(&base.reference);
                // What the name means in a layout of this machine is nothing that a registry has.
                let kind = if base.is_local { "oci" } else { "docker" };
                add(json!({
                    "uri": format!("pkg:{kind}/{name}?platform={platform}"),
                    "digest": { "sha256": base.named.hex() },
                }));
            }
            Op::Copy(copy) => {
                for item in &copy.sources {
                    match item {
                        CopyItem::Path(_) => {}
                        CopyItem::Url(item) => {
                            let digest = match &item.checksum {
                                Some(checksum) => checksum.clone(),
                                None => exec.url_digest(item)?,
                            };
                            let (uri, _) = without_credentials(&item.url);
                            add(json!({ "uri": uri, "digest": { "sha256": digest.hex() } }));
                        }
                        CopyItem::Git(item) => {
                            add(dependency(&Origin::of_repository(
                                &item.git,
                                &exec.git_commit(item)?,
                            )));
                        }
                    }
                }
            }
            Op::Run(_) | Op::Workdir(_) => {}
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_by_its_name() {
        assert_eq!(file_name("a/b/Dockerfile"), "Dockerfile");
        assert_eq!(file_name("Dockerfile"), "Dockerfile");
        assert!(BUILD_TYPE.starts_with("https://"));
    }
}
