//! The image config: what runs, on which platform, made of what. OCI's fields, Docker's
//! additions, and whatever else was there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    digest::Digest,
    manifest::{Manifest, ManifestError, nullable},
    platform::Platform,
};

/// The largest image config that mlint reads.
pub const MAX_CONFIG: u64 = 8 * 1024 * 1024;

/// The most layers that an image may have: the kernel stacks about as many, and real images have a
/// tenth.
pub const MAX_LAYERS: usize = 900;

/// An image config.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Architecture in Go's words.
    #[serde(default)]
    pub architecture: String,
    /// Variant: `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Operating system in Go's words.
    #[serde(default)]
    pub os: String,
    /// Windows' version.
    #[serde(rename = "os.version", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// What a container starts with.
    #[serde(default, deserialize_with = "nullable")]
    pub config: ContainerConfig,
    /// The layers' uncompressed digests.
    #[serde(default, deserialize_with = "nullable")]
    pub rootfs: RootFs,
    /// What made each layer.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<History>,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What a container starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// `USER`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// `EXPOSE`: the keys are `80/tcp`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `ENV`, as `NAME=value`, in order.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// `ENTRYPOINT`; `Some` of an empty list says "none" on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// `CMD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// `HEALTHCHECK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// Whether a command line of a Windows image is escaped already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args_escaped: Option<bool>,
    /// `VOLUME`: the keys are paths.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, Value>,
    /// `WORKDIR`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// `ONBUILD`: the instructions.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub on_build: Vec<String>,
    /// `LABEL`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `STOPSIGNAL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// `SHELL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ContainerConfig {
    /// The value of an environment variable; of several the last.
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find_map(|entry| {
            let (key, value) = entry.split_once('=')?;
            (key == name).then_some(value)
        })
    }

    /// Sets an environment variable in its place, or at the end.
    pub fn set_env(&mut self, name: &str, value: &str) {
        let entry = format!("{name}={value}");
        let at = self.env.iter().position(|e| e.split('=').next() == Some(name));
        match at {
            Some(at) => self.env[at] = entry,
            None => self.env.push(entry),
        }
    }
}

/// A health check. Times are nanoseconds; zero means inherit or default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", "…"]` or `["NONE"]`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// `--interval`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// `--timeout`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// `--start-period`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// `--start-interval`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// `--retries`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: i64,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// The layers' uncompressed digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type", default = "layers")]
    pub kind: String,
    /// Digest of each layer's uncompressed tar, lowest first.
    #[serde(default, deserialize_with = "nullable")]
    pub diff_ids: Vec<Digest>,
}

fn layers() -> String {
    "layers".to_owned()
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: layers(), diff_ids: Vec::new() }
    }
}

/// One step that made the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// A remark: `buildkit.dockerfile.v0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The step made no layer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
    /// What else was there.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl ImageConfig {
    /// An empty config for a platform.
    pub fn new(platform: &Platform) -> Self {
        let mut config = Self::default();
        config.set_platform(platform);
        config
    }

    /// Reads a config.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        let size = bytes.len() as u64;
        if size > MAX_CONFIG {
            return Err(ManifestError::TooLarge { what: "image config", size, limit: MAX_CONFIG });
        }
        serde_json::from_slice(bytes)
            .map_err(|e| ManifestError::Malformed { what: "image config", problem: e.to_string() })
    }

    /// Its platform, normalised; nothing if it names none.
    pub fn platform(&self) -> Option<Platform> {
        if self.os.is_empty() || self.architecture.is_empty() {
            return None;
        }
        Some(Platform::new(&self.os, &self.architecture, self.variant.as_deref()))
    }

    /// Says that it is for a platform.
    pub fn set_platform(&mut self, platform: &Platform) {
        self.os = platform.os().to_owned();
        self.architecture = platform.arch().to_owned();
        self.variant = platform.variant().map(str::to_owned);
    }

    /// Fails unless layers, diff ids and history agree, and can be worked with. A config without any history is allowed.
    pub fn check_against(&self, manifest: &Manifest) -> Result<(), ManifestError> {
        let (layers, diff_ids) = (manifest.layers.len(), self.rootfs.diff_ids.len());
        if layers > MAX_LAYERS {
            return Err(ManifestError::TooManyLayers { layers, limit: MAX_LAYERS });
        }
        if layers != diff_ids {
            return Err(ManifestError::LayerCount { layers, diff_ids });
        }
        let history = self.history.iter().filter(|h| !h.empty_layer).count();
        if !self.history.is_empty() && history != layers {
            return Err(ManifestError::HistoryCount { layers, history });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{manifest::Descriptor, media_type};

    const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn keeps_what_it_does_not_know() {
        let text = format!(
            r#"{{"architecture":"arm","variant":"v7","os":"linux","created":"2026-01-01T00:00:00Z",
            "config":{{"User":"app","Env":["PATH=/bin","A=1"],"Cmd":null,"Entrypoint":["/x"],
              "Healthcheck":{{"Test":["NONE"],"Interval":5}},"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"],
              "StopSignal":"SIGINT","ArgsEscaped":true,"Tty":false,"NewThing":[1]}},
            "rootfs":{{"type":"layers","diff_ids":["{D}"]}},
            "history":[{{"created_by":"ADD x","x":1}},{{"created_by":"CMD","empty_layer":true}}],
            "moby.buildkit.buildinfo.v1":"abc"}}"#
        );
        let config = ImageConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.platform().unwrap().to_string(), "linux/arm/v7");
        assert_eq!(config.config.on_build, ["RUN x"]);
        assert_eq!(config.config.env_value("A"), Some("1"));
        let mut want: Value = serde_json::from_str(&text).unwrap();
        want["config"].as_object_mut().unwrap().remove("Cmd");
        assert_eq!(serde_json::to_value(&config).unwrap(), want);
    }

    #[test]
    fn counts_layers() {
        let layer = Descriptor::of(media_type::OCI_LAYER_GZIP, b"x");
        let manifest = |n: usize| {
            Manifest::new(Descriptor::of(media_type::OCI_CONFIG, b"{}"), vec![layer.clone(); n])
        };
        let mut config = ImageConfig::new(&Platform::linux("arm64"));
        assert!(config.check_against(&manifest(0)).is_ok());
        assert!(matches!(
            config.check_against(&manifest(1)),
            Err(ManifestError::LayerCount { layers: 1, diff_ids: 0 })
        ));
        config.rootfs.diff_ids = vec![D.parse().unwrap()];
        config.history = vec![History { empty_layer: true, ..History::default() }];
        assert!(matches!(
            config.check_against(&manifest(1)),
            Err(ManifestError::HistoryCount { layers: 1, history: 0 })
        ));
        config.history.push(History::default());
        assert!(config.check_against(&manifest(1)).is_ok());
    }

    #[test]
    fn sets_env_in_place() {
        let mut c = ContainerConfig::default();
        c.set_env("A", "1");
        c.set_env("B", "2");
        c.set_env("A", "3=4");
        assert_eq!(c.env, ["A=3=4", "B=2"]);
        assert_eq!(c.env_value("A"), Some("3=4"));
    }
}
