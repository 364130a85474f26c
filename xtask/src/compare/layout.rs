//! What the OCI image specification asks of a layout: structure, media types, digests, sizes, and
//! that configs agree with manifests. Written from the specification's own words (1.1), without any
//! code of the builder; and its JSON schemas.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::image::{blob_path, hex, json, open_layer};
use super::schemas::{Kind, Schemas};
use crate::Result;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// What an attestation's manifest holds instead of layers.
const STATEMENT: &str = "application/vnd.in-toto+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What is wrong with a layout; nothing, if all is well. The schemas are asked where they are given.
pub fn check(layout: &Path, schemas: Option<&Schemas>) -> Result<Vec<String>> {
    let mut check = Check { layout, schemas, wrong: Vec::new() };
    let marker = json(&layout.join("oci-layout"))?;
    check.by_schema(Kind::Layout, "oci-layout", &marker);
    check.that(marker["imageLayoutVersion"] == "1.0.0", "oci-layout", "imageLayoutVersion");
    let index = json(&layout.join("index.json"))?;
    check.index("index.json", &index)?;
    Ok(check.wrong)
}

struct Check<'a> {
    layout: &'a Path,
    schemas: Option<&'a Schemas>,
    wrong: Vec<String>,
}

impl Check<'_> {
    fn that(&mut self, holds: bool, place: &str, what: &str) {
        if !holds {
            self.wrong.push(format!("{place}: {what}"));
        }
    }

    fn by_schema(&mut self, kind: Kind, place: &str, document: &Value) {
        let wrong = self.schemas.map(|schemas| schemas.wrong(kind, document));
        self.wrong.extend(
            wrong.into_iter().flatten().map(|line| format!("{place} by its schema: {line}")),
        );
    }

    /// A value of this kind, or none at all.
    fn optional(&mut self, value: &Value, kind: fn(&Value) -> bool, place: &str, what: &str) {
        self.that(value.is_null() || kind(value), place, what);
    }

    fn index(&mut self, place: &str, index: &Value) -> Result<()> {
        self.by_schema(Kind::Index, place, index);
        self.that(index["schemaVersion"] == 2, place, "schemaVersion is not 2");
        self.that(index["mediaType"] == INDEX, place, "mediaType");
        self.optional(&index["annotations"], is_strings, place, "annotations are not strings");
        let Some(manifests) = index["manifests"].as_array() else {
            self.that(false, place, "manifests is no list");
            return Ok(());
        };
        for (number, child) in manifests.iter().enumerate() {
            let place = format!("{place} manifest {number}");
            let Some(document) = self.descriptor(&place, child)? else { continue };
            let Ok(document) = serde_json::from_slice::<Value>(&document) else {
                self.that(false, &place, "is no JSON");
                continue;
            };
            self.that(document["mediaType"] == child["mediaType"], &place, "mediaTypes differ");
            match child["mediaType"].as_str() {
                Some(INDEX) => self.index(&place, &document)?,
                Some(MANIFEST) => self.manifest(&place, &document, &child["platform"])?,
                other => self.that(false, &place, &format!("mediaType {other:?}")),
            }
        }
        Ok(())
    }

    /// Checks a descriptor, and its blob against it.
    fn descriptor(&mut self, place: &str, descriptor: &Value) -> Result<Option<Vec<u8>>> {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        self.that(is_digest(digest), place, "digest");
        self.that(descriptor["mediaType"].as_str().is_some_and(is_media_type), place, "mediaType");
        self.optional(&descriptor["annotations"], is_strings, place, "annotations");
        if let Some(platform) = descriptor["platform"].as_object() {
            let text = |key: &str| platform.get(key).is_some_and(is_text);
            self.that(text("os") && text("architecture"), place, "platform lacks os, architecture");
        }
        if !is_digest(digest) {
            return Ok(None);
        }
        let Ok(bytes) = fs::read(blob_path(self.layout, digest)) else {
            self.that(false, place, "the blob is missing");
            return Ok(None);
        };
        let found = format!("sha256:{}", hex(&Sha256::digest(&bytes)));
        self.that(found == digest, place, "the blob has another digest");
        let size = u64::try_from(bytes.len()).unwrap_or_default();
        self.that(descriptor["size"].as_u64() == Some(size), place, "the blob has another size");
        Ok(Some(bytes))
    }

    fn manifest(&mut self, place: &str, manifest: &Value, platform: &Value) -> Result<()> {
        self.by_schema(Kind::Manifest, place, manifest);
        self.that(manifest["schemaVersion"] == 2, place, "schemaVersion is not 2");
        self.that(manifest["config"]["mediaType"] == CONFIG, place, "the config's mediaType");
        self.optional(&manifest["annotations"], is_strings, place, "annotations");
        let mut diff_ids = Vec::new();
        // The specification wants a list; BuildKit writes null for an image without layers.
        self.that(manifest["layers"].is_array(), place, "layers is no list");
        for (number, layer) in manifest["layers"].as_array().into_iter().flatten().enumerate() {
            let place = format!("{place} layer {number}");
            let kind = layer["mediaType"].as_str().unwrap_or_default();
            let packed =
                kind.strip_prefix(LAYER).is_some_and(|p| ["", "+gzip", "+zstd"].contains(&p));
            self.that(packed || kind == STATEMENT, &place, "mediaType");
            if self.descriptor(&place, layer)?.is_some() {
                let digest = layer["digest"].as_str().unwrap_or_default();
                diff_ids.push(diff_id(&blob_path(self.layout, digest)));
            }
        }
        let Some(config) = self.descriptor(&format!("{place} config"), &manifest["config"])? else {
            return Ok(());
        };
        let Ok(config) = serde_json::from_slice::<Value>(&config) else {
            self.that(false, place, "the config is no JSON");
            return Ok(());
        };
        self.config(&format!("{place} config"), &config, &diff_ids);
        for key in ["os", "architecture", "variant"] {
            let agree = platform.is_null() || platform[key] == config[key];
            self.that(agree, place, &format!("{key} of the config and of the descriptor differ"));
        }
        Ok(())
    }

    fn config(&mut self, place: &str, config: &Value, diff_ids: &[String]) {
        self.by_schema(Kind::Config, place, config);
        self.that(is_text(&config["os"]), place, "os");
        self.that(is_text(&config["architecture"]), place, "architecture");
        self.optional(&config["created"], is_time, place, "created is no RFC 3339 time");
        self.that(config["rootfs"]["type"] == "layers", place, "rootfs.type");
        let named: Vec<&str> = config["rootfs"]["diff_ids"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(Value::as_str)
            .collect();
        self.that(config["rootfs"]["diff_ids"].is_array(), place, "rootfs.diff_ids is no list");
        self.that(named == diff_ids, place, "diff_ids are not those of the layers");
        let history = config["history"].as_array().cloned().unwrap_or_default();
        let layers = history.iter().filter(|entry| entry["empty_layer"] != true).count();
        let agree = history.is_empty() || layers == diff_ids.len();
        self.that(agree, place, "history and layers do not agree");
        for entry in &history {
            self.optional(&entry["created"], is_time, place, "history: created");
            for key in ["author", "created_by", "comment"] {
                self.optional(&entry[key], Value::is_string, place, &format!("history: {key}"));
            }
            self.optional(&entry["empty_layer"], Value::is_boolean, place, "history: empty_layer");
        }
        self.container(place, &config["config"]);
    }

    fn container(&mut self, place: &str, config: &Value) {
        for key in ["User", "WorkingDir", "StopSignal"] {
            self.optional(&config[key], Value::is_string, place, key);
        }
        for key in ["Entrypoint", "Cmd", "Shell", "OnBuild"] {
            self.optional(&config[key], is_list, place, key);
        }
        let env = config["Env"].as_array();
        let named =
            |v: &Value| v.as_str().is_some_and(|text| text.find('=').is_some_and(|n| n > 0));
        self.that(env.is_none_or(|env| env.iter().all(named)), place, "Env");
        let empties = |value: &Value| {
            value.as_object().is_some_and(|map| {
                map.values().all(|v| v.as_object().is_some_and(serde_json::Map::is_empty))
            })
        };
        self.that(config["Volumes"].is_null() || empties(&config["Volumes"]), place, "Volumes");
        let ports = &config["ExposedPorts"];
        self.that(ports.is_null() || empties(ports), place, "ExposedPorts");
        let mut named = ports.as_object().into_iter().flat_map(|map| map.keys());
        self.that(named.all(|port| is_port(port)), place, "ExposedPorts: a port");
        self.optional(&config["Labels"], is_strings, place, "Labels");
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_list(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
}

fn is_strings(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.values().all(Value::is_string))
}

fn is_digest(text: &str) -> bool {
    let lower_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.chars().all(lower_hex))
}

fn is_media_type(text: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c))
    };
    text.split_once('/').is_some_and(|(kind, sub)| part(kind) && part(sub))
}

/// `port`, `port/tcp`, `port/udp`.
fn is_port(text: &str) -> bool {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    port.parse::<u16>().is_ok() && ["tcp", "udp", "sctp"].contains(&protocol)
}

/// `2026-01-02T03:04:05Z`, with fractions and offsets.
fn is_time(value: &Value) -> bool {
    let Some((date, rest)) = value.as_str().and_then(|text| text.split_once('T')) else {
        return false;
    };
    let shape = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text.chars().zip(pattern.chars()).all(|(c, p)| match p {
                '0' => c.is_ascii_digit(),
                p => c == p,
            })
    };
    let (clock, after) = rest.split_at_checked(8).unwrap_or((rest, ""));
    let zone = after
        .strip_prefix('.')
        .map_or(after, |f| f.trim_start_matches(|c: char| c.is_ascii_digit()));
    let zoned = zone == "Z" || shape(zone, "+00:00") || shape(zone, "-00:00");
    shape(date, "0000-00-00") && shape(clock, "00:00:00") && zoned
}

/// The digest of a layer's bytes, unpacked.
fn diff_id(path: &Path) -> String {
    let hash = || -> std::io::Result<String> {
        let mut hasher = Sha256::new();
        let (mut layer, mut buffer) = (open_layer(path)?, vec![0; 1 << 16]);
        loop {
            match layer.read(&mut buffer)? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
        Ok(format!("sha256:{}", hex(&hasher.finalize())))
    };
    hash().unwrap_or_else(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A layout with one image without layers, changed by `change`.
    fn wrong(change: impl Fn(&mut Value, &mut Value, &mut Value)) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let put = |value: &Value| {
            let bytes = serde_json::to_vec(value).unwrap();
            let digest = hex(&Sha256::digest(&bytes));
            fs::write(blobs.join(&digest), &bytes).unwrap();
            (format!("sha256:{digest}"), bytes.len())
        };
        let mut config = json!({"os": "linux", "architecture": "arm64", "config": {},
            "created": "2026-01-02T03:04:05.678Z", "rootfs": {"type": "layers", "diff_ids": []}});
        let mut manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG}, "layers": []});
        let mut index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "platform": {"os": "linux", "architecture": "arm64"}}]});
        change(&mut config, &mut manifest, &mut index);
        let (digest, size) = put(&config);
        manifest["config"]["digest"] = digest.into();
        manifest["config"]["size"] = size.into();
        let (digest, size) = put(&manifest);
        index["manifests"][0]["digest"] = digest.into();
        index["manifests"][0]["size"] = size.into();
        fs::write(dir.path().join("index.json"), index.to_string()).unwrap();
        fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        check(dir.path(), None).unwrap()
    }

    #[test]
    fn a_layout_is_right_or_says_where_it_is_not() {
        assert_eq!(wrong(|_, _, _| {}), Vec::<String>::new());
        let says = |part: &str, wrong: Vec<String>| {
            assert!(wrong.iter().any(|line| line.contains(part)), "{part} is not in {wrong:?}");
        };
        says("layers is no list", wrong(|_, manifest, _| manifest["layers"] = Value::Null));
        says("created", wrong(|config, _, _| config["created"] = "yesterday".into()));
        says("Env", wrong(|config, _, _| config["config"]["Env"] = json!(["=x"])));
        says(
            "a port",
            wrong(|config, _, _| config["config"]["ExposedPorts"] = json!({"http": {}})),
        );
        says("architecture of", wrong(|config, _, _| config["architecture"] = "amd64".into()));
        says("do not agree", wrong(|config, _, _| config["history"] = json!([{}])));
        says("diff_ids", wrong(|c, _, _| c["rootfs"]["diff_ids"] = json!(["sha256:00"])));
        says("mediaType", wrong(|_, manifest, _| manifest["mediaType"] = "text/plain".into()));
        says("schemaVersion", wrong(|_, _, index| index["schemaVersion"] = 1.into()));
    }
}
