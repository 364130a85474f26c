//! `--output`, `--attest`, and what is written about a result.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use mlint_builder::{
    layer::Compression,
    request::{Annotation, Attestations, BuildOutcome, LayerOptions, Output, Place, Provenance},
};
use serde_json::{Value, json};

use super::{
    BuildArgs, annotations,
    caches::{self, Written},
    values,
};
use crate::write;

/// `type=T,dest=PATH,…`, or a directory, or `-` for a tar archive on standard output. Nothing for an
/// image that is not pushed. `push` is the flag, which pushes every `type=image`, as buildx has it.
pub fn output(text: &str, push: bool) -> Result<Option<Output>, String> {
    if text == "-" {
        return output("type=tar,dest=-", push);
    }
    if text.is_empty() {
        return Err("--output: it is empty; name a directory, or type=T,dest=PATH".to_owned());
    }
    if !text.contains('=') {
        return output(&format!("type=local,dest={text}"), push);
    }
    let wrong = |problem: String| format!("--output {text}: {problem}");
    let mut given = Given::default();
    for field in fields(text) {
        let (key, value) =
            field.split_once('=').ok_or_else(|| wrong(format!("'{field}' has no value")))?;
        let key = key.trim();
        let is_annotation = key.starts_with("annotation");
        let key = if is_annotation { key.to_owned() } else { key.to_lowercase() };
        given.field(&key, value).map_err(wrong)?;
    }
    if given.kind.as_deref() == Some("image") && push {
        given.push = Some(true);
    }
    given.finish().map_err(wrong)
}

/// Fields between commas; a field in quotes may hold commas.
pub fn fields(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            c => {
                if let Some(last) = out.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    out.into_iter().map(|field| field.trim().to_owned()).collect()
}

#[derive(Default)]
struct Given {
    kind: Option<String>,
    dest: Option<String>,
    names: Vec<String>,
    push: Option<bool>,
    by_digest: bool,
    tar: Option<bool>,
    compression: Option<String>,
    level: Option<String>,
    force: bool,
    rewrite_timestamp: bool,
    annotations: Vec<Annotation>,
    split: Option<bool>,
}

impl Given {
    fn field(&mut self, key: &str, value: &str) -> Result<(), String> {
        let switch = || match value {
            "true" | "1" | "" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("{key} is true or false")),
        };
        match key {
            "type" => self.kind = Some(value.to_owned()),
            "dest" => self.dest = Some(value.to_owned()),
            "name" => self.names.extend(value.split(',').map(|n| n.trim().to_owned())),
            "push" => self.push = Some(switch()?),
            "push-by-digest" => self.by_digest = switch()?,
            "tar" => self.tar = Some(switch()?),
            "compression" => self.compression = Some(value.to_owned()),
            "compression-level" => self.level = Some(value.to_owned()),
            "force-compression" => self.force = switch()?,
            "rewrite-timestamp" => self.rewrite_timestamp = switch()?,
            // Every image has its digest as a name in its registry.
            "name-canonical" => drop(switch()?),
            "oci-mediatypes" if switch()? => {}
            "oci-mediatypes" => {
                return Err(
                    "mlint writes OCI's media types only; docker buildx writes others".into()
                );
            }
            "platform-split" => self.split = Some(switch()?),
            // An engine's image store, which there is none of here.
            "store" | "unpack" if !switch()? => {}
            "store" | "unpack" => {
                return Err(format!("{key}=true: mlint keeps no images; type=docker loads one"));
            }
            "registry.insecure" if !switch()? => {}
            "registry.insecure" => {
                return Err("for a registry that speaks plain HTTP: --plain-http HOST".to_owned());
            }
            _ => match annotations::key(key) {
                Some(annotation) => {
                    self.annotations.push(Annotation { value: value.to_owned(), ..annotation? });
                }
                None => return Err(format!("there is no '{key}={value}' in mlint's own builder")),
            },
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<Output>, String> {
        let compression = match (&self.compression, &self.level) {
            (None, None) => None,
            (kind, level) => {
                let kind = kind.as_deref().unwrap_or("gzip");
                let text = match level {
                    Some(level) => format!("{kind}:{level}"),
                    None => kind.to_owned(),
                };
                Some(values::compression(&text)?)
            }
        };
        let layers = LayerOptions {
            compression,
            force: self.force,
            rewrite_timestamp: self.rewrite_timestamp,
        };
        // How the pushing of a workflow is switched off.
        if self.kind.as_deref() == Some("image") && self.push == Some(false) {
            return Ok(None);
        }
        let place = self.place()?;
        let names = match place {
            Place::Registry { .. } => Vec::new(),
            _ => self.names,
        };
        Ok(Some(Output { place, names, layers, annotations: self.annotations, split: self.split }))
    }

    fn place(&self) -> Result<Place, String> {
        let kind = self.kind.as_deref().ok_or("type= is missing")?;
        let file = || -> Result<PathBuf, String> {
            match self.dest.as_deref() {
                // As buildx has it: an archive has somewhere to go without a file.
                None if self.tar != Some(false)
                    && matches!(kind, "oci" | "tar")
                    && !std::io::stdout().is_terminal() =>
                {
                    Ok(PathBuf::from("-"))
                }
                None | Some("") => Err("dest= is missing".to_owned()),
                Some("-") if self.tar == Some(false) => {
                    Err("a directory can't go to standard output".to_owned())
                }
                Some("-") => Ok(PathBuf::from("-")),
                Some(path) => std::path::absolute(path).map_err(|e| e.to_string()),
            }
        };
        let named = || Place::Registry { names: self.names.clone(), by_digest: self.by_digest };
        match kind {
            "registry" => Ok(named()),
            "image" if self.push == Some(true) => Ok(named()),
            "image" => Err("mlint keeps no images: add push=true, or write an archive with \
                            type=oci or type=docker"
                .to_owned()),
            "oci" => {
                let path = file()?;
                // Without a word about it, the name tells.
                let named = path.as_os_str() == "-" || path.extension().is_some() && !path.is_dir();
                Ok(match self.tar.unwrap_or(named) {
                    true => Place::OciArchive(path),
                    false => Place::OciDirectory(path),
                })
            }
            // Where its archive lies meanwhile is decided later.
            "docker" if self.tar == Some(false) => {
                Err("docker load reads archives: leave tar=false out, or take type=oci".to_owned())
            }
            "docker" if self.dest.is_none() => Ok(Place::Load(PathBuf::new())),
            "docker" => Ok(Place::Docker(file()?)),
            "tar" => Ok(Place::Tar(file()?)),
            "local" if self.dest.as_deref() == Some("-") => {
                Err("a directory can't go to standard output; type=tar can".to_owned())
            }
            "local" => Ok(Place::Local(file()?)),
            other => Err(format!(
                "there is no type '{other}': registry, image, oci, docker, tar and local are known"
            )),
        }
    }
}

/// The statements that are asked for.
pub fn attestations(args: &BuildArgs) -> Result<Attestations, String> {
    let mut all = Attestations::default();
    for text in &args.attests {
        let list = fields(text);
        let kind = list.iter().find_map(|f| f.strip_prefix("type="));
        let rest: Vec<&str> =
            list.iter().map(String::as_str).filter(|f| !f.starts_with("type=")).collect();
        match kind {
            Some("provenance") => all.provenance = provenance(&rest.join(","))?,
            Some("sbom") => all.sbom = sbom(&rest.join(","))?,
            _ => return Err(format!("--attest {text}: type is provenance or sbom")),
        }
    }
    if let Some(text) = &args.provenance {
        all.provenance = provenance(text)?;
    }
    if let Some(text) = &args.sbom {
        all.sbom = sbom(text)?;
    }
    Ok(all)
}

fn provenance(text: &str) -> Result<Option<Provenance>, String> {
    let mut wanted = Provenance::default();
    for field in fields(text).iter().filter(|f| !f.is_empty()) {
        match field.split_once('=').unwrap_or((field, "")) {
            ("true", "") | ("mode", "min") | ("disabled", "false") | ("version", "v1") => {}
            ("mode", "max") => wanted.max = true,
            ("builder-id", id) => wanted.builder_id = id.to_owned(),
            ("false", "") | ("disabled", "true") => return Ok(None),
            _ => {
                return Err(format!(
                    "--provenance: '{field}' is not known; mode=min and mode=max are"
                ));
            }
        }
    }
    Ok(Some(wanted))
}

fn sbom(text: &str) -> Result<bool, String> {
    match text {
        "" | "true" | "disabled=false" => Ok(true),
        "false" | "disabled=true" => Ok(false),
        other => Err(format!(
            "--sbom={other}: mlint reads the image's package databases itself and runs no other \
             generator; docker buildx does"
        )),
    }
}

/// What `--metadata-file` holds: buildx's keys, and every platform's digests.
pub fn metadata(outcome: &BuildOutcome) -> Value {
    let mut all = json!({
        "containerimage.digest": outcome.digest,
        "containerimage.descriptor": {
            "mediaType": outcome.media_type,
            "digest": outcome.digest,
            "size": outcome.size,
        },
    });
    if let (true, [only]) = (is_manifest(outcome), &outcome.platforms[..]) {
        all["containerimage.config.digest"] = json!(only.config);
    }
    if !outcome.pushed.is_empty() {
        let names: Vec<&str> = outcome.pushed.iter().map(|to| &*to.name).collect();
        all["image.name"] = json!(names.join(","));
    }
    let platforms = outcome.platforms.iter().map(|p| {
        let digests = json!({ "digest": p.digest, "size": p.size, "config.digest": p.config });
        (p.platform.clone(), digests)
    });
    all["mlint.platforms"] = Value::Object(platforms.collect());
    if !outcome.failed.is_empty() {
        let failed = outcome.failed.iter().flat_map(|f| {
            f.platforms.iter().map(|p| (p.clone(), json!({ "error": f.failure.message })))
        });
        all["mlint.failed"] = Value::Object(failed.collect());
    }
    all
}

/// The image's id: its config's digest, or the index's of several platforms.
pub fn image_id(outcome: &BuildOutcome) -> &str {
    match &outcome.platforms[..] {
        [only] if is_manifest(outcome) => &only.config,
        _ => &outcome.digest,
    }
}

/// Whether the result is one image by itself, without an index.
fn is_manifest(outcome: &BuildOutcome) -> bool {
    outcome.media_type == mlint_oci::media_type::OCI_MANIFEST
}

/// Makes sure that what is asked for about a result can be written, and takes away what an earlier
/// build said there: if this one fails, nobody takes that for its answer (as buildx has it).
pub fn clear_about(args: &BuildArgs) -> Result<(), String> {
    let files = [("--metadata-file", &args.metadata_file), ("--iidfile", &args.iidfile)];
    for (flag, path) in files.into_iter().filter_map(|(flag, path)| Some((flag, path.as_ref()?))) {
        let wrong = |why: String| format!("{flag} {}: {why}", path.display());
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        if dir.is_some_and(|dir| !dir.is_dir()) {
            return Err(wrong("there is no such directory".to_owned()));
        }
        // A link stays: it may be /dev/stdout. A device or a pipe takes what comes.
        match std::fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => return Err(wrong("it is a directory".to_owned())),
            Ok(found) if found.is_file() => {
                std::fs::remove_file(path).map_err(|e| wrong(format!("cannot remove it: {e}")))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes what was asked for about a result.
pub fn write_about(args: &BuildArgs, outcome: &BuildOutcome) -> Result<(), String> {
    let write = |path: &Path, text: String| {
        write::whole(path, &text).map_err(|e| format!("cannot write {}: {e}", path.display()))
    };
    if let Some(path) = &args.metadata_file {
        let text = serde_json::to_string_pretty(&metadata(outcome)).map_err(|e| e.to_string())?;
        write(path, text + "\n")?;
    }
    if let Some(path) = &args.iidfile {
        write(path, image_id(outcome).to_owned())?;
    }
    Ok(())
}

/// How layers are made in the first place, and how each output that says nothing has them: by the
/// flag, or as a cache wants them if no output says anything, or as gzip. What one output wants changes
/// no other. Layers are made as they are pushed, or as the first output wants them.
pub fn made(
    args: &BuildArgs,
    outputs: &mut [Output],
    caches: &[Written],
) -> Result<Compression, String> {
    let said = args.compression.as_deref().map(values::compression).transpose()?;
    let has_layers = |o: &Output| !matches!(o.place, Place::Local(_) | Place::Tar(_));
    let is_push = |o: &&Output| matches!(o.place, Place::Registry { .. });
    let nobody = !outputs.iter().any(|o| o.layers.compression.is_some());
    let cached = || caches.iter().filter(|_| nobody).find_map(|c| c.compression);
    let usual = said.or_else(cached).unwrap_or_default();
    for output in outputs.iter_mut().filter(|o| has_layers(o)) {
        output.layers.compression.get_or_insert(usual);
    }
    let first = outputs.iter().find(is_push).or_else(|| outputs.iter().find(|o| has_layers(o)));
    let made = first.and_then(|o| o.layers.compression).unwrap_or(usual);
    caches::compression(made, caches)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use mlint_builder::request::AnnotationLevel;

    use super::*;

    #[test]
    fn outputs_are_read_or_refused() {
        let read = |text: &str| output(text, false);
        let place = |text: &str| read(text).map(|output| output.expect("an output").place);
        assert!(matches!(place("type=oci,dest=/a/b.tar"), Ok(Place::OciArchive(_))));
        assert!(matches!(place("type=oci,dest=/a/b"), Ok(Place::OciDirectory(_))));
        assert!(matches!(place("type=oci,dest=/a/b,tar=true"), Ok(Place::OciArchive(_))));
        assert!(matches!(place("type=oci,dest=/a/b.tar,tar=false"), Ok(Place::OciDirectory(_))));
        assert!(matches!(place("type=oci,dest=/a/b.tar.gz"), Ok(Place::OciArchive(_))));
        let named = read("type=oci,dest=/a/b.tar,name=x:1").map(|output| output.unwrap().names);
        assert_eq!(named, Ok(vec!["x:1".to_owned()]));
        assert!(read("type=image,name=x,push=false").is_ok_and(|output| output.is_none()));
        for text in ["type=image,name=x", "type=image,name=x,push=false"] {
            let pushed = output(text, true).map(|output| output.unwrap().place);
            assert!(matches!(pushed, Ok(Place::Registry { .. })), "{text}");
        }
        let split = |text: &str| read(text).map(|output| output.unwrap().split);
        assert_eq!(split("Type=local,dest=x,Platform-Split=false"), Ok(Some(false)));
        assert_eq!(split("type=local,dest=x,store=false"), Ok(None));
        assert!(matches!(place("type=docker,dest=/a"), Ok(Place::Docker(_))));
        assert!(matches!(place("type=docker"), Ok(Place::Load(_))));
        assert!(matches!(place("out"), Ok(Place::Local(_))));
        assert_eq!(place("-"), Ok(Place::Tar("-".into())));
        let named = |names: &[&str], by_digest| {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            Ok(Place::Registry { names, by_digest })
        };
        assert_eq!(place("type=registry"), named(&[], false));
        assert_eq!(place("type=image,\"name=a,b\",push=true"), named(&["a", "b"], false));
        assert_eq!(place("type=image,name=a,push-by-digest=true,push=true"), named(&["a"], true));
        for bad in [
            "",
            "type=local",
            "type=oci,dest=",
            "type=oci,tar=false",
            "type=oci,dest=-,tar=false",
            "type=image,name=x",
            "type=image,name=x,push-by-digest=true",
            "type=docker,dest=x,tar=false",
            "type=local,dest=-",
            "dest=x",
            "type=oci,dest=x,colour=red",
            "type=oci,dest=x,force-compression=maybe",
            "type=tar,dest=x,compression=lzma",
            "type=registry,oci-mediatypes=false",
            "type=cacheonly,dest=x",
            "type=image,name=x,push=true,unpack=true",
            "type=registry,registry.insecure=true",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
        let layers =
            read("type=oci,dest=x,compression=zstd,compression-level=9,force-compression=true");
        let want = LayerOptions {
            compression: Some(Compression::Zstd(9)),
            force: true,
            rewrite_timestamp: false,
        };
        assert_eq!(layers.map(|output| output.unwrap().layers), Ok(want));
    }

    #[test]
    fn an_output_has_annotations_of_its_own() {
        let text = "type=oci,dest=x,annotation-index.a.b=c,annotation.d=e";
        let parsed = output(text, false).unwrap().unwrap();
        let keys: Vec<_> = parsed.annotations.iter().map(|a| (a.level, &a.key[..])).collect();
        assert_eq!(keys, [(AnnotationLevel::Index, "a.b"), (AnnotationLevel::Manifest, "d")]);
    }

    #[test]
    fn statements_are_off_unless_asked_for() {
        assert_eq!(provenance("false"), Ok(None));
        assert_eq!(provenance("true"), Ok(Some(Provenance::default())));
        let max = provenance("mode=max,builder-id=https://b.example").unwrap().unwrap();
        assert!(max.max && max.builder_id == "https://b.example");
        assert!(provenance("mode=more").is_err() && sbom("generator=x").is_err());
    }
}
