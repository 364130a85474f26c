//! Answers of registries, kept in files: a day for tags, for ever for digests. Whatever goes wrong
//! here only means that the registry is asked again.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use mlint_model::{FactSource, ImageInfo};
use mlint_oci::{Digest, Reference};
use serde::{Deserialize, Serialize};

/// How long the answer for a tag is believed.
const TAG_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// No real answer is longer.
const MAX_FILE: u64 = 64 * 1024;

/// The shape of a file; a change of it changes the folder's name.
#[derive(Serialize, Deserialize)]
struct Kept {
    reference: String,
    seconds: u64,
    is_index: bool,
    platforms: Vec<String>,
}

/// A folder of answers.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub fn new(cache_dir: &Path) -> Self {
        Self { folder: cache_dir.join("image-facts-1") }
    }

    fn path(&self, reference: &Reference) -> PathBuf {
        self.folder.join(format!("{}.json", Digest::sha256(reference.to_string()).hex()))
    }

    pub fn get(&self, reference: &Reference) -> Option<ImageInfo> {
        let mut text = String::new();
        let file = fs::File::open(self.path(reference)).ok()?;
        file.take(MAX_FILE).read_to_string(&mut text).ok()?;
        let kept: Kept = serde_json::from_str(&text).ok()?;
        // A clock that was put back makes an answer from the future, which is not believed.
        let age = now().checked_sub(kept.seconds)?;
        let fresh = reference.digest().is_some() || age < TAG_LIFE.as_secs();
        if !fresh || kept.reference != reference.to_string() {
            return None;
        }
        let platforms: Result<_, _> = kept.platforms.iter().map(|p| p.parse()).collect();
        let platforms = platforms.ok()?;
        Some(ImageInfo { platforms, is_index: kept.is_index, source: FactSource::Registry })
    }

    pub fn put(&self, reference: &Reference, info: &ImageInfo) {
        let kept = Kept {
            reference: reference.to_string(),
            seconds: now(),
            is_index: info.is_index,
            platforms: info.platforms.iter().map(ToString::to_string).collect(),
        };
        if let Err(e) = self.write(&self.path(reference), &kept) {
            tracing::debug!(folder = %self.folder.display(), error = %e, "answer not kept");
        }
    }

    /// Written beside and renamed, so that no reader sees half of it.
    fn write(&self, path: &Path, kept: &Kept) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
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
