//! The local cache: blobs, unpacked layers, layer indices and records of what was built.
//!
//! ```text
//! blobs/sha256/<hex>      compressed layers, manifests, configs
//! layers/<hex>-<map>/     unpacked layers, by the digest of their uncompressed archive, and for an id map
//! index/<hex>.json        what a layer holds
//! records/<kind>/<hex>    results by key
//! contexts/<hex>.json     digests of context files
//! mounts/<hex>-<map>/     cache mounts, and what they are in <hex>-<map>.json beside
//! locks/                  one file per thing that only one process makes at a time
//! gate                    shared by who begins to use a thing, held alone by who takes some away
//! usage                   how large all this is, by what sessions added since it was measured
//! tmp/<session>/          work in progress; swept when its session is gone
//! reserve                 room for a prune to work in when the disk is full
//! ```
//!
//! Everything comes into being by a rename, so that a crash leaves nothing half made. Processes
//! share it through locks on files, which the kernel drops when a process dies. A file's time is
//! that of its last use, give or take a minute; an unpacked layer's is that of its index.

mod layers;
mod lease;
mod lock;
mod look;
mod prune;
mod sealed;
mod sweep;
mod usage;

use std::{
    collections::HashSet,
    fs::{self, File, Metadata},
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use mlint_oci::Digest;
use serde::{Serialize, de::DeserializeOwned};

pub use layers::{LayerRef, LayerStoreError};
pub use lock::Lock;
pub use prune::{PruneOptions, Pruned};
pub use sweep::remove_session as remove_tree;
pub use usage::{Entry, Kind, Usage};

use crate::error::FsError;
use lease::{Journal, Thing};

/// The layout's version; another one lives in another directory.
const VERSION: &str = "v2";

/// The file that keeps room for the work of pruning, and how much.
const RESERVE: &str = "reserve";
const RESERVED: usize = 64 << 10;

/// A use this soon after the last one is not written down.
const USE_AGAIN: Duration = Duration::from_secs(60);

/// A name for the id maps of this process's user namespace. Files belong to whom these maps say: with
/// other ones, the files of an unpacked layer have other owners.
fn owners() -> String {
    let read = |name: &str| fs::read_to_string(Path::new("/proc/self").join(name));
    let maps = [read("uid_map"), read("gid_map")].map(|map| {
        let map = map.unwrap_or_default();
        map.split_whitespace().collect::<Vec<_>>().join(" ")
    });
    Digest::sha256(maps.join("\n")).hex()[..8].to_owned()
}

/// The local cache, opened.
#[derive(Debug)]
pub struct Store {
    /// The directory that it was opened in.
    dir: PathBuf,
    root: PathBuf,
    /// Whose files are whose in this session: unpacked files are good for that only.
    owners: String,
    session: PathBuf,
    /// Held as long as the session lives.
    _alive: Lock,
    journal: Journal,
    next: AtomicU64,
    indices: layers::IndexCache,
    /// Blobs whose content was checked in this session, or came into being in it.
    whole: Mutex<HashSet<Digest>>,
    /// Layers whose unpacked files were looked over in this session, or came into being in it.
    looked_over: Mutex<HashSet<Digest>>,
}

impl Store {
    /// Opens the cache in `dir`, makes what is missing, and sweeps what dead sessions left.
    pub fn open(dir: &Path) -> Result<Self, FsError> {
        let store = Self::open_as_it_is(dir)?;
        store.keep_reserve();
        Ok(store)
    }

    /// Opens the cache to look at it or to make it smaller, which works on a full disk, too.
    pub fn open_to_tidy(dir: &Path) -> Result<Self, FsError> {
        match Self::open_as_it_is(dir) {
            Err(error) if error.source.kind() == std::io::ErrorKind::StorageFull => {
                let _ = fs::remove_file(dir.join(VERSION).join(RESERVE));
                Self::open_as_it_is(dir)
            }
            opened => opened,
        }
    }

    /// Sees to it that there is room for the next prune. Without it a prune fails on a full disk, and
    /// nothing else does.
    pub fn keep_reserve(&self) {
        let path = self.root.join(RESERVE);
        let whole = || fs::metadata(&path).is_ok_and(|found| found.len() == RESERVED as u64);
        if !whole() && fs::write(&path, vec![b'.'; RESERVED]).is_err() {
            let _ = fs::remove_file(&path);
        }
    }

    fn open_as_it_is(dir: &Path) -> Result<Self, FsError> {
        let root = dir.join(VERSION);
        let is_new = !root.exists();
        for name in
            ["blobs/sha256", "layers", "index", "records", "contexts", "mounts", "locks", "tmp"]
        {
            let path = root.join(name);
            fs::create_dir_all(&path).map_err(FsError::new("create", &path))?;
        }
        let left = sweep::sweep(&root.join("tmp"))?;
        let (session, alive) = sweep::new_session(&root.join("tmp"))?;
        let store = Self {
            dir: dir.to_owned(),
            journal: Journal::open(&root, &session)?,
            owners: owners(),
            root,
            session,
            _alive: alive,
            next: AtomicU64::new(0),
            indices: layers::IndexCache::default(),
            whole: Mutex::default(),
            looked_over: Mutex::default(),
        };
        if is_new {
            store.set_size(0)?;
        }
        store.count(left)?;
        Ok(store)
    }

    /// Where a blob is or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    /// Whether a blob is there; from now on no prune takes it away from this session.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.blob_length(digest).is_some()
    }

    /// The length of a blob that is there, as [`Store::has_blob`] says.
    pub fn blob_length(&self, digest: &Digest) -> Option<u64> {
        self.journal.hold(Thing::Blob, digest.hex()).ok()?;
        let path = self.blob_path(digest);
        let found = fs::metadata(&path).ok()?;
        touch(&path, &found);
        Some(found.len())
    }

    /// Moves a finished file of this session into its place among the blobs.
    pub fn adopt_blob(&self, from: &Path, digest: &Digest) -> Result<(), FsError> {
        let path = self.blob_path(digest);
        self.hold(Thing::Blob, digest.hex())?;
        let size = fs::metadata(from).map_or(0, |found| found.len());
        fs::rename(from, &path).map_err(FsError::new("write", &path))?;
        self.journal.add(usage::on_disk(size));
        self.whole_blobs().insert(digest.clone());
        Ok(())
    }

    fn hold(&self, thing: Thing, hex: &str) -> Result<(), FsError> {
        self.journal.hold(thing, hex).map_err(FsError::new("write", &self.session))
    }

    fn whole_blobs(&self) -> std::sync::MutexGuard<'_, HashSet<Digest>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// As [`Store::try_lock`], together with others that share the lock; `None` when somebody has it
    /// alone.
    pub fn try_lock_shared(&self, kind: &str, name: &str) -> Result<Option<Lock>, FsError> {
        Lock::attempt_shared(&self.root.join("locks").join(format!("{kind}-{name}")))
    }

    /// Whether a cache mount has this directory.
    pub fn has_mount(&self, name: &Digest) -> bool {
        self.mount_path(name).exists()
    }

    fn mount_path(&self, name: &Digest) -> PathBuf {
        self.root.join("mounts").join(format!("{}-{}", name.hex(), self.owners))
    }

    /// The directory of a cache mount, which is made by who finds none. What `about` says is shown
    /// to people.
    pub fn mount_dir(&self, name: &Digest, about: &str) -> Result<PathBuf, FsError> {
        self.hold(Thing::Mount, name.hex())?;
        let dir = self.mount_path(name);
        let note = dir.with_extension("json");
        match fs::metadata(&note) {
            Ok(found) => touch(&note, &found),
            Err(_) => self.write_json(&note, &about)?,
        }
        Ok(dir)
    }

    /// The record with a context's file digests.
    pub fn context_record(&self, name: &Digest) -> PathBuf {
        self.root.join("contexts").join(format!("{}.json", name.hex()))
    }

    /// A record; `None` if there is none, or if it was damaged.
    pub fn record<T: DeserializeOwned>(&self, kind: &str, key: &Digest) -> Option<T> {
        self.read_json(&self.record_path(kind, key))
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
        let bytes = sealed::seal(value)
            .map_err(|e| FsError::new("write", path)(std::io::Error::other(e)))?;
        self.write_file(path, &bytes)
    }

    /// What [`Store::write_json`] wrote; `None` if there is no such file, or if it was damaged.
    pub fn read_json<T: DeserializeOwned>(&self, path: &Path) -> Option<T> {
        let mut file = File::open(path).ok()?;
        let found = file.metadata().ok()?;
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        touch(path, &found);
        sealed::unseal(&bytes)
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
        // What can't be counted now is found when the cache is measured.
        let _ = self.count(self.journal.added());
        sweep::remove_session(&self.session);
    }
}

/// Notes that a thing is used now.
fn touch(path: &Path, found: &Metadata) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};
    let age = found.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    if age.is_some_and(|age| age < USE_AGAIN) {
        return;
    }
    let time = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: time(UTIME_OMIT), last_modification: time(UTIME_NOW) };
    // A wrong time costs no more than an early removal.
    let _ = utimensat(CWD, path, &times, AtFlags::empty());
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
