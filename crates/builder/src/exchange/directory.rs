//! A cache in a directory: an OCI layout.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use mlint_oci::{Descriptor, Digest, Document, Index, manifest::MAX_MANIFEST, media_type};

use super::{
    MAX_CONFIG, Part,
    import::{Found, part},
    is_cache, merged, what_index, what_manifest,
};
use crate::{
    error::FsError,
    exec::{Exec, Layout},
    problem::{BuildError, Problem},
    store::{Lock, Store},
};

/// The annotation with the tag.
const NAME: &str = "org.opencontainers.image.ref.name";

/// Where a blob is.
pub(super) fn blob(dir: &Path, digest: &Digest) -> PathBuf {
    Layout { dir }.path(digest)
}

/// Takes a blob into the store, checked.
pub(super) fn import(
    store: &Store,
    dir: &Path,
    descriptor: &Descriptor,
    interrupted: &dyn Fn() -> bool,
) -> Result<(), BuildError> {
    Layout { dir }.import(store, descriptor, interrupted)
}

/// What the directory knows; nothing if there is none yet.
pub(super) fn read(dir: &Path, tag: &str) -> Result<Option<Vec<Found>>, BuildError> {
    let Some(index) = tagged(dir, tag)? else { return Ok(None) };
    let layout = Layout { dir };
    let mut parts = Vec::new();
    for descriptor in &index.manifests {
        let Document::Manifest(manifest) = layout.manifest(descriptor)? else { continue };
        let bytes = layout.blob(&manifest.config, MAX_CONFIG)?;
        parts.extend(part(manifest, &bytes));
    }
    Ok(Some(parts))
}

/// What `index.json` says; nothing if there is none.
fn top(dir: &Path) -> Result<Option<Index>, BuildError> {
    let path = dir.join("index.json");
    if !path.exists() {
        return Ok(None);
    }
    let layout = Layout { dir };
    let bytes = layout.read(&path, MAX_MANIFEST)?;
    match layout.document(&bytes, None)? {
        Document::Index(index) => Ok(Some(index)),
        Document::Manifest(manifest) => {
            let (place, what) = (dir.display().to_string(), what_manifest(&manifest));
            Err(Problem::OtherContent { place, what }.into())
        }
    }
}

fn is_tagged(descriptor: &Descriptor, tag: &str) -> bool {
    descriptor.annotations.get(NAME).is_some_and(|name| name == tag)
}

/// The cache's index of that tag.
fn tagged(dir: &Path, tag: &str) -> Result<Option<Index>, BuildError> {
    let other = |what| {
        let place = dir.display().to_string();
        Err(Problem::OtherContent { place, what }.into())
    };
    let Some(top) = top(dir)? else { return Ok(None) };
    let Some(descriptor) = top.manifests.iter().find(|d| is_tagged(d, tag)) else {
        return match top.manifests.is_empty() || top.manifests.iter().all(is_ours) {
            true => Ok(None),
            false => other(what_index(&top)),
        };
    };
    if descriptor.media_type != media_type::OCI_INDEX {
        return other(what_index(&top));
    }
    match (Layout { dir }).manifest(descriptor)? {
        Document::Index(index) if is_cache(&index) => Ok(Some(index)),
        Document::Index(index) => other(what_index(&index)),
        Document::Manifest(manifest) => other(what_manifest(&manifest)),
    }
}

fn is_ours(descriptor: &Descriptor) -> bool {
    descriptor.extra.get("artifactType").is_some_and(|kind| kind == super::ARTIFACT)
}

/// Writes a cache, and removes what nothing in the directory names any more. Gives how many blobs
/// were new.
pub(super) fn write(
    exec: &Exec<'_>,
    dir: &Path,
    tag: &str,
    parts: &[Part],
) -> Result<usize, BuildError> {
    let blobs = dir.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(FsError::new("create", &blobs))?;
    // One at a time; others' builds wait.
    let _lock = exec.until(|| Ok(Lock::attempt(&dir.join(".lock"))?))?;
    sweep(&[dir, &blobs])?;
    let before = tagged(dir, tag)?;
    let mut sent = 0;
    for part in parts {
        for layer in &part.layers {
            let to = blob(dir, &layer.digest);
            if fs::metadata(&to).is_ok_and(|found| found.len() == layer.size) {
                continue;
            }
            let from = exec.whole_layer(layer)?;
            put(&to, |partial| fs::copy(&from, partial).map(drop))?;
            sent += 1;
        }
        let mut small = part.small_blobs();
        small.push((part.descriptor.clone(), part.manifest.clone()));
        for (descriptor, bytes) in small {
            put(&blob(dir, &descriptor.digest), |partial| fs::write(partial, &bytes))?;
        }
    }
    let broken = |e: serde_json::Error| FsError::new("write", dir)(std::io::Error::other(e));
    let index = merged(before.as_ref(), parts).map_err(broken)?;
    let mut descriptor = Descriptor::of(media_type::OCI_INDEX, &index);
    put(&blob(dir, &descriptor.digest), |partial| fs::write(partial, &index))?;
    descriptor.annotations.insert(NAME.to_owned(), tag.to_owned());
    descriptor.extra.insert("artifactType".to_owned(), super::ARTIFACT.into());
    let mut all = top(dir)?.map(|top| top.manifests).unwrap_or_default();
    all.retain(|d| !is_tagged(d, tag));
    all.push(descriptor);
    let layout: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
    put(&dir.join("oci-layout"), |partial| fs::write(partial, layout))?;
    let top = serde_json::to_vec(&Index::new(all)).map_err(broken)?;
    put(&dir.join("index.json"), |partial| fs::write(partial, &top))?;
    clear(dir, &blobs)?;
    Ok(sent)
}

/// Writes a file whole or not at all.
fn put(to: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), FsError> {
    let partial = to.with_extension("partial");
    let written = write(&partial).and_then(|()| fs::rename(&partial, to));
    written.map_err(|error| {
        // Where the disk is full, half a blob is in the way of the next one.
        let _ = fs::remove_file(&partial);
        FsError::new("write", to)(error)
    })
}

/// Removes what somebody who was killed left half written; the lock is held.
fn sweep(dirs: &[&Path]) -> Result<(), FsError> {
    for dir in dirs {
        for entry in fs::read_dir(dir).map_err(FsError::new("read", dir))?.flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|end| end == "partial") {
                fs::remove_file(&path).map_err(FsError::new("remove", &path))?;
            }
        }
    }
    Ok(())
}

/// Removes blobs that nothing names.
fn clear(dir: &Path, blobs: &Path) -> Result<(), BuildError> {
    let layout = Layout { dir };
    let mut named: HashSet<String> = HashSet::new();
    let mut open = top(dir)?.map(|top| top.manifests).unwrap_or_default();
    while let Some(descriptor) = open.pop() {
        if !named.insert(descriptor.digest.hex().to_owned()) {
            continue;
        }
        match layout.manifest(&descriptor)? {
            Document::Index(index) => open.extend(index.manifests),
            Document::Manifest(manifest) => {
                named.extend(manifest.blobs().map(|blob| blob.digest.hex().to_owned()));
            }
        }
    }
    for entry in fs::read_dir(blobs).map_err(FsError::new("read", blobs))?.flatten() {
        if !named.contains(&*entry.file_name().to_string_lossy()) {
            let path = entry.path();
            fs::remove_file(&path).map_err(FsError::new("remove", &path))?;
        }
    }
    Ok(())
}
