//! Layers in the store.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use mlint_oci::{Digest, Hasher};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Store, lease::Thing, touch};
use crate::{
    error::FsError,
    layer::{
        Compression, EntryKind, LayerIndex, WrittenLayer,
        entry::ImagePath,
        packed::Unpacked,
        read::{ArchiveError, Limits, Whiteouts, each_entry},
        unpack::{scan, unpack},
        writer::digest_of,
    },
};

/// A layer by its digests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LayerRef {
    /// Digest of the uncompressed archive.
    pub diff_id: Digest,
    /// Digest of the compressed archive.
    pub digest: Digest,
    /// Size of the compressed archive.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
    /// The repository that it came from, if it was pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// How it was compressed, if it was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
}

/// A layer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LayerStoreError {
    /// The store could not be read or written.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Its archive is broken or refused.
    #[error("layer {digest}: {source}")]
    Archive {
        /// Which layer.
        digest: Digest,
        /// Why.
        source: ArchiveError,
    },
    /// It is not what the image's config says.
    #[error("layer {digest} unpacks to {found}, but the image's config says {expected}")]
    WrongContent {
        /// The compressed digest.
        digest: Digest,
        /// What the config says.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// Its archive was damaged here, and is removed.
    #[error(
        "the cache's copy of layer {} was damaged on this disk, and is removed now", digest.short()
    )]
    Damaged {
        /// Which layer.
        digest: Digest,
    },
    /// Its unpacked files were changed or damaged here, and are removed.
    #[error(
        "the cache's unpacked layer {} was changed on this disk ({path}), and is removed now", diff_id.short()
    )]
    Changed {
        /// Which layer.
        diff_id: Digest,
        /// A file that is not what it was.
        path: String,
    },
    /// The build was interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// Indices that were read already.
#[derive(Debug, Default)]
pub struct IndexCache(Mutex<HashMap<Digest, Arc<LayerIndex>>>);

impl Store {
    /// Takes a finished layer in; `upper` is the directory that it was made from, if there is one.
    pub fn put_layer(
        &self,
        layer: WrittenLayer,
        upper: Option<&Path>,
    ) -> Result<LayerRef, FsError> {
        let reference = LayerRef {
            diff_id: layer.diff_id,
            digest: layer.digest,
            size: layer.size,
            media_type: layer.media_type,
            origin: None,
            compression: Some(layer.compression),
        };
        let index = self.put_index(&reference.diff_id, layer.index)?;
        if let Some(upper) = upper {
            self.hold(Thing::Unpacked, reference.diff_id.hex())?;
            let _lock = self.lock("layer", reference.diff_id.hex())?;
            let dir = self.layer_path(&reference.diff_id);
            if !dir.exists() {
                fs::rename(upper, &dir).map_err(FsError::new("write", &dir))?;
                self.journal.add(index.size_on_disk());
                self.note_unpacked(&reference);
            }
        }
        self.adopt_blob(&layer.path, &reference.digest)?;
        Ok(reference)
    }

    /// Whether the layer's compressed archive is there, whole: nothing is synced to disk step by
    /// step, so a machine that lost its power may come back with a file that is cut off.
    pub fn has_layer(&self, layer: &LayerRef) -> bool {
        self.blob_length(&layer.digest) == Some(layer.size)
    }

    /// Whether the layer is unpacked.
    pub fn is_unpacked(&self, layer: &LayerRef) -> bool {
        let held = self.hold(Thing::Unpacked, layer.diff_id.hex());
        held.is_ok() && self.layer_path(&layer.diff_id).exists()
    }

    /// Whether the layer's index is known.
    pub fn has_index(&self, layer: &LayerRef) -> bool {
        let held = self.hold(Thing::Index, layer.diff_id.hex());
        held.is_ok() && self.index_path(&layer.diff_id).exists()
    }

    /// Notes that a layer is a part of what is built, whether or not its files are looked at.
    pub fn note_use(&self, layer: &LayerRef) {
        for path in [self.blob_path(&layer.digest), self.index_path(&layer.diff_id)] {
            if let Ok(found) = fs::metadata(&path) {
                touch(&path, &found);
            }
        }
    }

    /// Whether the layer's archive need not be read to know that it is whole.
    pub fn is_known_whole(&self, layer: &LayerRef) -> bool {
        self.whole_blobs().contains(&layer.digest)
    }

    /// The layer's archive, which must be there, checked against its digest; one that was damaged
    /// is removed.
    pub fn whole_layer(&self, layer: &LayerRef) -> Result<PathBuf, LayerStoreError> {
        let path = self.blob_path(&layer.digest);
        if self.is_known_whole(layer) {
            return Ok(path);
        }
        match self.is_damaged(layer)? {
            true => Err(self.discard(layer)?),
            false => {
                self.whole_blobs().insert(layer.digest.clone());
                Ok(path)
            }
        }
    }

    fn is_damaged(&self, layer: &LayerRef) -> Result<bool, FsError> {
        let path = self.blob_path(&layer.digest);
        let failed = |e| FsError::new("read", &path)(e);
        let mut file = File::open(&path).map_err(failed)?;
        let mut hasher = Hasher::new(layer.digest.algorithm());
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer).map_err(failed)? {
                0 => return Ok(hasher.finish() != layer.digest),
                n => hasher.update(&buffer[..n]),
            }
        }
    }

    /// Removes an archive that is not what its name says.
    pub fn discard(&self, layer: &LayerRef) -> Result<LayerStoreError, FsError> {
        let path = self.blob_path(&layer.digest);
        self.whole_blobs().remove(&layer.digest);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FsError::new("remove", &path)(e)),
            _ => Ok(LayerStoreError::Damaged { digest: layer.digest.clone() }),
        }
    }

    /// Removes unpacked files that are not what the index says.
    pub fn discard_unpacked(
        &self,
        layer: &LayerRef,
        path: String,
    ) -> Result<LayerStoreError, FsError> {
        let (dir, trash) = (self.layer_path(&layer.diff_id), self.temporary("changed"));
        match fs::rename(&dir, &trash) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(FsError::new("remove", &dir)(e)),
            _ => Ok(LayerStoreError::Changed { diff_id: layer.diff_id.clone(), path }),
        }
    }

    /// The layer's directory; unpacks it if that was not done yet. Its archive must be there.
    pub fn unpacked(
        &self,
        layer: &LayerRef,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<PathBuf, LayerStoreError> {
        let dir = self.layer_path(&layer.diff_id);
        if self.is_unpacked(layer) {
            self.note_use(layer);
            return Ok(dir);
        }
        let _lock = self.lock("layer", layer.diff_id.hex())?;
        if dir.exists() {
            return Ok(dir);
        }
        let temporary = self.temporary_dir("layer")?;
        let index = self.read_archive(layer, |archive| {
            unpack(archive, &temporary, Limits::default(), interrupted)
        });
        let index = match index {
            Ok(index) => index,
            Err(e) => {
                super::sweep::remove_session(&temporary);
                return Err(e);
            }
        };
        let index = self.put_index(&layer.diff_id, index)?;
        fs::rename(&temporary, &dir).map_err(FsError::new("write", &dir))?;
        self.journal.add(index.size_on_disk());
        self.note_unpacked(layer);
        Ok(dir)
    }

    fn note_unpacked(&self, layer: &LayerRef) {
        let mut known = self.looked_over.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(layer.diff_id.clone());
    }

    /// What the layer holds; reads its archive if that is not known yet.
    pub fn index(&self, layer: &LayerRef) -> Result<Arc<LayerIndex>, LayerStoreError> {
        if let Some(index) = self.known_indices().get(&layer.diff_id) {
            return Ok(index.clone());
        }
        if let Some(index) = self.read_json::<LayerIndex>(&self.index_path(&layer.diff_id)) {
            let index = Arc::new(index);
            self.known_indices().insert(layer.diff_id.clone(), index.clone());
            return Ok(index);
        }
        let index = self.read_archive(layer, |archive| scan(archive, Limits::default()))?;
        Ok(self.put_index(&layer.diff_id, index)?)
    }

    fn put_index(&self, diff_id: &Digest, index: LayerIndex) -> Result<Arc<LayerIndex>, FsError> {
        let index = Arc::new(index);
        self.write_json(&self.index_path(diff_id), &*index)?;
        self.known_indices().insert(diff_id.clone(), index.clone());
        Ok(index)
    }

    /// Reads a layer's archive to its end and checks that it is what it should be. One that was
    /// damaged here is removed; one that always was wrong stays, as a witness.
    fn read_archive<T>(
        &self,
        layer: &LayerRef,
        read: impl FnOnce(&mut dyn Read) -> Result<T, ArchiveError>,
    ) -> Result<T, LayerStoreError> {
        let wrong = |e: &LayerStoreError| {
            matches!(e, LayerStoreError::Archive { .. } | LayerStoreError::WrongContent { .. })
        };
        match self.try_read_archive(layer, read) {
            Err(e) if wrong(&e) && self.is_damaged(layer)? => Err(self.discard(layer)?),
            other => other,
        }
    }

    fn try_read_archive<T>(
        &self,
        layer: &LayerRef,
        read: impl FnOnce(&mut dyn Read) -> Result<T, ArchiveError>,
    ) -> Result<T, LayerStoreError> {
        let failed = |source| match source {
            ArchiveError::Fs(e) => LayerStoreError::Fs(e),
            ArchiveError::Interrupted => LayerStoreError::Interrupted,
            source => LayerStoreError::Archive { digest: layer.digest.clone(), source },
        };
        let path = self.blob_path(&layer.digest);
        let file = File::open(&path).map_err(FsError::new("read", &path))?;
        let unpacked = Unpacked::open(file, Limits::default()).map_err(|e| failed(e.into()))?;
        let mut hashed = HashReader { inner: unpacked, hash: Sha256::new() };
        let result = read(&mut hashed).map_err(failed)?;
        // What follows the archive's end counts for the digest.
        io::copy(&mut hashed, &mut io::sink()).map_err(|e| failed(e.into()))?;
        let found = digest_of(hashed.hash);
        if found != layer.diff_id {
            return Err(LayerStoreError::WrongContent {
                digest: layer.digest.clone(),
                expected: layer.diff_id.clone(),
                found,
            });
        }
        Ok(result)
    }

    /// A file of a layer, from its archive; nothing if it is not there or too long to be read.
    pub fn file_of(
        &self,
        layer: &LayerRef,
        path: &ImagePath,
    ) -> Result<Option<Vec<u8>>, LayerStoreError> {
        const MOST: u64 = 16 << 20;
        let mut found = None;
        self.read_archive(layer, |archive| {
            each_entry(archive, Whiteouts::Layer, Limits::default(), |entry, data| {
                if entry.path == *path && matches!(entry.kind, EntryKind::File(n) if n <= MOST) {
                    let mut bytes = Vec::new();
                    data.read_to_end(&mut bytes)?;
                    found = Some(bytes);
                }
                Ok(())
            })
        })?;
        Ok(found)
    }

    pub(super) fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(format!("{}-{}", diff_id.hex(), self.owners))
    }

    fn index_path(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("index").join(format!("{}.json", diff_id.hex()))
    }

    fn known_indices(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Arc<LayerIndex>>> {
        self.indices.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct HashReader<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for HashReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{Compression, Entry, LayerWriter, Meta};

    fn write(store: &Store, name: &str) -> LayerRef {
        write_all(store, &[(name, b"hi")])
    }

    fn write_all(store: &Store, files: &[(&str, &[u8])]) -> LayerRef {
        let mut writer =
            LayerWriter::create(&store.temporary("layer"), Compression::Gzip(1)).unwrap();
        let meta = Meta {
            mode: 0o644,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            ..Meta::default()
        };
        for (name, content) in files {
            let kind = EntryKind::File(content.len() as u64);
            let entry = Entry { path: (*name).into(), kind, meta: meta.clone() };
            writer.add(&entry, &mut &content[..]).unwrap();
        }
        store.put_layer(writer.finish().unwrap(), None).unwrap()
    }

    #[test]
    fn unpacks_on_demand_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let layer = write(&store, "f");
        assert!(store.has_layer(&layer) && !store.is_unpacked(&layer));
        let path = store.unpacked(&layer, &|| false).unwrap();
        assert_eq!(fs::read(path.join("f")).unwrap(), b"hi");
        fs::remove_file(store.blob_path(&layer.digest)).unwrap();
        assert_eq!(store.unpacked(&layer, &|| false).unwrap(), path);
    }

    #[test]
    fn a_layer_that_lies_about_its_content_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let mut layer = write(&store, "f");
        layer.diff_id = Digest::sha256(b"something else");
        let result = store.unpacked(&layer, &|| false);
        assert!(matches!(result, Err(LayerStoreError::WrongContent { .. })));
        assert!(!store.is_unpacked(&layer));
    }

    /// Changes one byte in the middle of a file.
    fn flip(path: &Path) {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(path, bytes).unwrap();
    }

    #[test]
    fn what_was_damaged_on_disk_is_noticed_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let layer = write(&Store::open(dir.path()).unwrap(), "f");
        let damaged = |use_it: &dyn Fn(&Store) -> bool| {
            let store = Store::open(dir.path()).unwrap();
            assert!(store.has_layer(&layer) && !store.is_known_whole(&layer));
            flip(&store.blob_path(&layer.digest));
            assert!(use_it(&store), "it is noticed");
            assert!(!store.has_layer(&layer), "it is gone");
            write(&store, "f");
            assert!(store.is_known_whole(&layer));
        };
        let noticed =
            |r: Result<PathBuf, LayerStoreError>| matches!(r, Err(LayerStoreError::Damaged { .. }));
        damaged(&|store| noticed(store.whole_layer(&layer)));
        damaged(&|store| noticed(store.unpacked(&layer, &|| false)));
        // Cut short: no need to read it.
        let store = Store::open(dir.path()).unwrap();
        let file = File::options().write(true).open(store.blob_path(&layer.digest)).unwrap();
        file.set_len(layer.size - 1).unwrap();
        assert!(!store.has_layer(&layer));
        // A damaged index is made anew.
        write(&store, "f");
        flip(&store.index_path(&layer.diff_id));
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.index(&layer).unwrap().entries.len(), 1);
    }

    #[test]
    fn unpacked_files_are_looked_over_once_in_a_session() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        // The second one of a name counts.
        let layer = write_all(&store, &[("f", b"longer"), ("d/g", b"g"), ("f", b"hi")]);
        let path = store.unpacked(&layer, &|| false).unwrap();
        assert!(path.join("d/g").exists());
        let look_over = || Store::open(dir.path()).unwrap().look_over(&layer).unwrap();
        assert_eq!(look_over(), None);
        fs::write(path.join("d/g"), "").unwrap();
        assert_eq!(store.look_over(&layer).unwrap(), None, "it was unpacked in this session");
        assert_eq!(look_over(), Some("/d/g".to_owned()));
        assert!(!store.is_unpacked(&layer));
        assert_eq!(look_over(), None, "nothing is there");
    }

    #[test]
    fn an_index_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let layer = write(&Store::open(dir.path()).unwrap(), "a/b");
        let store = Store::open(dir.path()).unwrap();
        let index = store.index(&layer).unwrap();
        assert_eq!(index.entries[0].path.display(), "/a/b");
        fs::remove_file(store.index_path(&layer.diff_id)).unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.index(&layer).unwrap().entries.len(), 1, "made anew from the archive");
    }
}
