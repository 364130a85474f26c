//! Layers in the store.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use mlint_oci::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Store;
use crate::{
    error::FsError,
    layer::{
        LayerIndex, WrittenLayer,
        compress::Packing,
        read::{ArchiveError, Limits},
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
        };
        self.put_index(&reference.diff_id, layer.index)?;
        if let Some(upper) = upper {
            let _lock = self.lock("layer", reference.diff_id.hex())?;
            let dir = self.layer_path(&reference.diff_id);
            if !dir.exists() {
                fs::rename(upper, &dir).map_err(FsError::new("write", &dir))?;
            }
        }
        self.adopt_blob(&layer.path, &reference.digest)?;
        Ok(reference)
    }

    /// Whether the layer's compressed archive is there, whole: nothing is synced to disk step by
    /// step, so a machine that lost its power may come back with a file that is cut off.
    pub fn has_layer(&self, layer: &LayerRef) -> bool {
        fs::metadata(self.blob_path(&layer.digest)).is_ok_and(|found| found.len() == layer.size)
    }

    /// Whether the layer is unpacked.
    pub fn is_unpacked(&self, layer: &LayerRef) -> bool {
        self.layer_path(&layer.diff_id).exists()
    }

    /// Whether the layer's index is known.
    pub fn has_index(&self, layer: &LayerRef) -> bool {
        self.index_path(&layer.diff_id).exists()
    }

    /// The layer's directory; unpacks it if that was not done yet. Its archive must be there.
    pub fn unpacked(
        &self,
        layer: &LayerRef,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<PathBuf, LayerStoreError> {
        let dir = self.layer_path(&layer.diff_id);
        if dir.exists() {
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
        self.put_index(&layer.diff_id, index)?;
        fs::rename(&temporary, &dir).map_err(FsError::new("write", &dir))?;
        Ok(dir)
    }

    /// What the layer holds; reads its archive if that is not known yet.
    pub fn index(&self, layer: &LayerRef) -> Result<Arc<LayerIndex>, LayerStoreError> {
        if let Some(index) = self.known_indices().get(&layer.diff_id) {
            return Ok(index.clone());
        }
        let path = self.index_path(&layer.diff_id);
        let known = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        if let Some(index) = known {
            let index: Arc<LayerIndex> = Arc::new(index);
            self.known_indices().insert(layer.diff_id.clone(), index.clone());
            return Ok(index);
        }
        let index = self.read_archive(layer, |archive| scan(archive, Limits::default()))?;
        Ok(self.put_index(&layer.diff_id, index)?)
    }

    fn put_index(&self, diff_id: &Digest, index: LayerIndex) -> Result<Arc<LayerIndex>, FsError> {
        let index = Arc::new(index);
        let path = self.index_path(diff_id);
        if !path.exists() {
            self.write_json(&path, &*index)?;
        }
        self.known_indices().insert(diff_id.clone(), index.clone());
        Ok(index)
    }

    /// Reads a layer's archive to its end and checks that it is what it should be.
    fn read_archive<T>(
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
        let mut packed = BufReader::with_capacity(256 * 1024, file);
        let head = io::BufRead::fill_buf(&mut packed).map_err(FsError::new("read", &path))?;
        let packing = Packing::detect(head);
        let unpacked = packing.reader(packed).map_err(|e| failed(e.into()))?;
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

    fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(diff_id.hex())
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
    use crate::layer::{Compression, Entry, EntryKind, LayerWriter, Meta};

    fn write(store: &Store, name: &str) -> LayerRef {
        let mut writer =
            LayerWriter::create(&store.temporary("layer"), Compression::Gzip(1)).unwrap();
        let meta = Meta {
            mode: 0o644,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            ..Meta::default()
        };
        let entry = Entry { path: name.into(), kind: EntryKind::File(2), meta };
        writer.add(&entry, &mut &b"hi"[..]).unwrap();
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
