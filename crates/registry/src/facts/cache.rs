//! Answers of registries, kept in files: a day for tags, for ever for digests. Whatever goes wrong
//! here only means that the registry is asked again.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mlint_model::{FactSource, ImageInfo};
use mlint_oci::{ContainerConfig, Digest, Platform, Reference};
use serde::{Deserialize, Serialize};

/// How long the answer for a tag is believed.
const TAG_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// No real answer is longer.
const MAX_FILE: u64 = 1 << 20;

/// The shape of a file; a change of it changes the folder's name.
#[derive(Serialize, Deserialize)]
struct Kept {
    reference: String,
    seconds: u64,
    is_index: bool,
    platforms: Vec<String>,
}

/// As [`Kept`], for the configuration of one platform.
#[derive(Serialize, Deserialize)]
struct KeptConfig {
    reference: String,
    platform: String,
    seconds: u64,
    config: ContainerConfig,
}

/// A folder of answers.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    configs: PathBuf,
}

impl Cache {
    pub fn new(cache_dir: &Path) -> Self {
        Self { folder: cache_dir.join("image-facts-1"), configs: cache_dir.join("image-configs-1") }
    }

    fn path(&self, reference: &Reference) -> PathBuf {
        self.folder.join(format!("{}.json", Digest::sha256(reference.to_string()).hex()))
    }

    fn config_path(&self, reference: &Reference, platform: &Platform) -> PathBuf {
        let key = Digest::sha256(format!("{reference} {platform}"));
        self.configs.join(format!("{}.json", key.hex()))
    }

    pub fn get(&self, reference: &Reference) -> Option<ImageInfo> {
        let kept: Kept = read(&self.path(reference))?;
        if !is_fresh(reference, kept.seconds) || kept.reference != reference.to_string() {
            return None;
        }
        let platforms: Result<_, _> = kept.platforms.iter().map(|p| p.parse()).collect();
        let platforms = platforms.ok()?;
        Some(ImageInfo { platforms, is_index: kept.is_index, source: FactSource::Registry })
    }

    pub fn config(&self, reference: &Reference, platform: &Platform) -> Option<ContainerConfig> {
        let kept: KeptConfig = read(&self.config_path(reference, platform))?;
        let same = kept.reference == reference.to_string() && kept.platform == platform.to_string();
        (same && is_fresh(reference, kept.seconds)).then_some(kept.config)
    }

    pub fn put_config(&self, reference: &Reference, platform: &Platform, config: &ContainerConfig) {
        let kept = KeptConfig {
            reference: reference.to_string(),
            platform: platform.to_string(),
            seconds: now(),
            config: config.clone(),
        };
        if let Err(e) = write(&self.config_path(reference, platform), &kept) {
            tracing::debug!(folder = %self.configs.display(), error = %e, "answer not kept");
        }
    }

    pub fn put(&self, reference: &Reference, info: &ImageInfo) {
        let kept = Kept {
            reference: reference.to_string(),
            seconds: now(),
            is_index: info.is_index,
            platforms: info.platforms.iter().map(ToString::to_string).collect(),
        };
        if let Err(e) = write(&self.path(reference), &kept) {
            tracing::debug!(folder = %self.folder.display(), error = %e, "answer not kept");
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_FILE).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Written beside and renamed, so that no reader sees half of it.
fn write(path: &Path, kept: &impl Serialize) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension(format!("{}.part", std::process::id()));
    let written = serde_json::to_vec(kept)
        .map_err(Into::into)
        .and_then(|bytes| fs::write(&partial, bytes))
        .and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written
}

/// A clock that was put back makes an answer from the future, which is not believed.
fn is_fresh(reference: &Reference, seconds: u64) -> bool {
    let age = now().checked_sub(seconds);
    age.is_some_and(|age| reference.digest().is_some() || age < TAG_LIFE.as_secs())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> ImageInfo {
        ImageInfo {
            platforms: vec!["linux/arm/v7".parse().unwrap()],
            is_index: true,
            source: FactSource::Registry,
        }
    }

    fn age(cache: &Cache, reference: &Reference, seconds: u64) {
        let path = cache.path(reference);
        let mut kept: Kept = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        kept.seconds = now() - seconds;
        fs::write(&path, serde_json::to_vec(&kept).unwrap()).unwrap();
    }

    #[test]
    fn keeps_tags_a_day_and_digests_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path());
        let tag = Reference::parse("ghcr.io/a/b:1").unwrap();
        let digest = tag.with_digest(Digest::sha256(b"x"));
        assert_eq!(cache.get(&tag), None);
        for reference in [&tag, &digest] {
            cache.put(reference, &info());
            assert_eq!(cache.get(reference), Some(info()));
            age(&cache, reference, 25 * 3600);
        }
        assert_eq!(cache.get(&tag), None);
        assert_eq!(cache.get(&digest), Some(info()));
        fs::write(cache.path(&digest), "{").unwrap();
        assert_eq!(cache.get(&digest), None);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let cache = Cache::new(&file);
        let tag = Reference::parse("a/b").unwrap();
        cache.put(&tag, &info());
        assert_eq!(cache.get(&tag), None);
    }
}
