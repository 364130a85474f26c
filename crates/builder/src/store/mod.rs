//! The local cache: blobs, unpacked layers, layer indices and records of what was built.
//!
//! ```text
//! blobs/sha256/<hex>      compressed layers, manifests, configs
//! layers/<hex>/           unpacked layers, by the digest of their uncompressed archive
//! index/<hex>.json        what a layer holds
//! records/<kind>/<hex>    results by key
//! contexts/<hex>.json     digests of context files
//! mounts/<hex>/           cache mounts
//! locks/                  one file per thing that only one process makes at a time
//! tmp/<session>/          work in progress; swept when its session is gone
//! ```
//!
//! Everything comes into being by a rename, so that a crash leaves nothing half made. Processes
//! share it through locks on files, which the kernel drops when a process dies.

mod layers;
mod lock;
mod sweep;

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use mlint_oci::Digest;
use serde::{Serialize, de::DeserializeOwned};

pub use layers::{LayerRef, LayerStoreError};
pub use lock::Lock;
pub use sweep::remove_session as remove_tree;

use crate::error::FsError;

/// The layout's version; another one lives in another directory.
const VERSION: &str = "v2";

/// The local cache, opened.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    session: PathBuf,
    /// Held as long as the session lives.
    _alive: Lock,
    next: AtomicU64,
    indices: layers::IndexCache,
}

impl Store {
    /// Opens the cache in `dir`, makes what is missing, and sweeps what dead sessions left.
    pub fn open(dir: &Path) -> Result<Self, FsError> {
        let root = dir.join(VERSION);
        for name in
            ["blobs/sha256", "layers", "index", "records", "contexts", "mounts", "locks", "tmp"]
        {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(FsError::new("create", &path))?;
        }
        let (session, alive) = sweep::new_session(&root.join("tmp"))?;
        Ok(Self {
            root,
            session,
            _alive: alive,
            next: AtomicU64::new(0),
            indices: layers::IndexCache::default(),
        })
    }

    /// Where a blob is or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Whether a blob is there, complete.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_path(digest).exists()
    }

    /// Stores small content by its digest.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, FsError> {
        let digest = Digest::sha256(bytes);
        let path = self.blob_path(&digest);
        if !path.exists() {
            self.write_file(&path, bytes)?;
        }
        Ok(digest)
    }

    /// Moves a finished file of this session into its place among the blobs.
    pub fn adopt_blob(&self, from: &Path, digest: &Digest) -> Result<(), FsError> {
        let path = self.blob_path(digest);
        fs::rename(from, &path).map_err(FsError::new("write", &path))
    }

    /// The content of a small blob.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, FsError> {
        let path = self.blob_path(digest);
        fs::read(&path).map_err(FsError::new("read", &path))
    }

    /// A path in this session's own directory that nothing uses yet.
    pub fn temporary(&self, name: &str) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.session.join(format!("{number}-{name}"))
    }

    /// An empty directory of this session's own.
    pub fn temporary_dir(&self, name: &str) -> Result<PathBuf, FsError> {
        let path = self.temporary(name);
        fs::create_dir(&path).map_err(FsError::new("create", &path))?;
        Ok(path)
    }

    /// Waits until nobody else makes the thing of that name, and keeps others waiting.
    pub fn lock(&self, kind: &str, name: &str) -> Result<Lock, FsError> {
        Lock::wait(&self.root.join("locks").join(format!("{kind}-{name}")))
    }

    /// As [`Store::lock`], but `None` when somebody holds it.
    pub fn try_lock(&self, kind: &str, name: &str) -> Result<Option<Lock>, FsError> {
        Lock::attempt(&self.root.join("locks").join(format!("{kind}-{name}")))
    }

    /// The directory of a cache mount.
    pub fn mount_dir(&self, name: &Digest) -> PathBuf {
        self.root.join("mounts").join(name.hex())
    }

    /// The record with a context's file digests.
    pub fn context_record(&self, name: &Digest) -> PathBuf {
        self.root.join("contexts").join(format!("{}.json", name.hex()))
    }

    /// A record; `None` if there is none, or if it can't be read any more.
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &Digest) -> Option<T> {
        let bytes = fs::read(self.record_path(kind, key)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Writes a record.
    pub fn put_record(
        &self,
        kind: &str,
        key: &Digest,
        value: &impl Serialize,
    ) -> Result<(), FsError> {
        let path = self.record_path(kind, key);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
        }
        self.write_json(&path, value)
    }

    fn record_path(&self, kind: &str, key: &Digest) -> PathBuf {
        self.root.join("records").join(kind).join(key.hex())
    }

    /// Writes a JSON file so that readers see the old one or the new one, whole.
    pub fn write_json(&self, path: &Path, value: &impl Serialize) -> Result<(), FsError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|e| FsError::new("write", path)(std::io::Error::other(e)))?;
        self.write_file(path, &bytes)
    }

    /// Writes a file whole or not at all.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), FsError> {
        let temporary = self.temporary("file");
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(&temporary)?;
            file.write_all(bytes)?;
            fs::rename(&temporary, path)
        };
        write().map_err(|e| {
            let _ = fs::remove_file(&temporary);
            FsError::new("write", path)(e)
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        sweep::remove_session(&self.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_and_garbage_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let key = Digest::sha256(b"key");
        {
            let store = Store::open(dir.path()).unwrap();
            store.put_record("step", &key, &vec![1, 2]).unwrap();
            assert_eq!(store.record::<Vec<i32>>("step", &key), Some(vec![1, 2]));
            assert_eq!(store.record::<Vec<i32>>("other", &key), None);
            fs::write(store.record_path("step", &key), b"[1,").unwrap();
            assert_eq!(store.record::<Vec<i32>>("step", &key), None);
        }
        let left = fs::read_dir(dir.path().join("v2/tmp")).unwrap().count();
        assert_eq!(left, 0, "a session removes its own directory");
    }

    #[test]
    fn what_a_dead_session_left_is_swept_and_a_living_one_is_spared() {
        let dir = tempfile::tempdir().unwrap();
        let alive = Store::open(dir.path()).unwrap();
        let mine = alive.temporary_dir("work").unwrap();
        let dead = dir.path().join("v2/tmp/dead");
        fs::create_dir_all(dead.join("1-x/locked")).unwrap();
        fs::write(dead.join("1-x/locked/f"), "x").unwrap();
        fs::write(dead.join(".alive"), "").unwrap();
        let _other = Store::open(dir.path()).unwrap();
        assert!(mine.exists() && !dead.exists());
    }

    #[test]
    fn only_one_holds_a_lock() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let held = store.lock("step", "a").unwrap();
        assert!(store.try_lock("step", "a").unwrap().is_none());
        assert!(store.try_lock("step", "b").unwrap().is_some());
        drop(held);
        assert!(store.try_lock("step", "a").unwrap().is_some());
    }
}
