//! Digests of the context's files, remembered from build to build so that unchanged files are not
//! read again.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{SystemTime, UNIX_EPOCH},
};

use mlint_oci::Digest;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::walk::{Context, Stamp, open_file};
use crate::{
    error::FsError, layer::entry::ImagePath, layer::writer::digest_of, sandbox::safe_fs::Root,
    store::Store,
};

/// A file that changed this shortly before it was read may change again within the clock's
/// granularity, so its digest is not remembered.
const YOUNG: i64 = 1_000_000_000;

/// Digests by file, for one context.
#[derive(Debug)]
pub struct FileDigests {
    record: PathBuf,
    root: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    digests: HashMap<ImagePath, (Stamp, Digest)>,
    changed: bool,
}

impl FileDigests {
    /// What is known about the files of a context.
    pub fn load(store: &Store, root: &Path) -> Self {
        let name = Digest::sha256(root.as_os_str().as_encoded_bytes());
        let record = store.context_record(&name);
        let list: Vec<(ImagePath, Stamp, Digest)> = store.read_json(&record).unwrap_or_default();
        let digests = list.into_iter().map(|(path, stamp, digest)| (path, (stamp, digest)));
        let known = Known { digests: digests.collect(), changed: false };
        Self { record, root: root.to_owned(), known: Mutex::new(known) }
    }

    /// The digests of these files, read in parallel where not known.
    pub fn of(&self, context: &Context, paths: &[ImagePath]) -> Result<Vec<Digest>, FsError> {
        paths.par_iter().map(|path| self.one(context, path)).collect()
    }

    fn one(&self, context: &Context, path: &ImagePath) -> Result<Digest, FsError> {
        let stamp = context.stamps.get(path);
        if let Some(stamp) = stamp
            && let Some((known, digest)) = lock(&self.known).digests.get(path)
            && known == stamp
        {
            return Ok(digest.clone());
        }
        let on_disk = self.root.join(path.as_path());
        // What is a link or a pipe by now is no file of the context.
        let digest = Root::open(&self.root)
            .and_then(|root| open_file(&root, path.as_path()))
            .and_then(digest_file)
            .map_err(FsError::new("read", &on_disk))?;
        if let Some(stamp) = stamp
            && now() - stamp.ctime.max(stamp.mtime) > YOUNG
        {
            let mut known = lock(&self.known);
            known.digests.insert(path.clone(), (*stamp, digest.clone()));
            known.changed = true;
        }
        Ok(digest)
    }

    /// Writes down what was learnt.
    pub fn save(&self, store: &Store) -> Result<(), FsError> {
        let known = lock(&self.known);
        if !known.changed {
            return Ok(());
        }
        let mut list: Vec<(&ImagePath, &Stamp, &Digest)> =
            known.digests.iter().map(|(path, (stamp, digest))| (path, stamp, digest)).collect();
        list.sort_by_key(|(path, ..)| *path);
        store.write_json(&self.record, &list)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// The digest of a file's content.
pub fn digest_file(mut file: File) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest_of(hash)),
            n => hash.update(&buffer[..n]),
        }
    }
}
