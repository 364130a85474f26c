//! Cache mounts: which directory a step has, and with whom it shares it.
//!
//! A cache is known by its id and what it begins with. It is a row of directories, of which all users
//! but the first need more than one only while somebody has the first for itself (BuildKit's
//! `solver/llbsolver/mounts/mount.go`, `getRefCacheDir`): who shares joins others that share, else
//! takes one that is free or a new one; who wants one alone takes a free one or a new one; who locks
//! waits for one to be free.

use std::{collections::BTreeSet, fs, path::PathBuf};

use mlint_oci::Digest;

use super::{
    Exec,
    mounts::{Prepared, Stages},
};
use crate::{
    copy::CopyError,
    error::FsError,
    layer::{entry::ImagePath, view::Lookup},
    plan::{MountSource, RunMount, Seed, Sharing},
    problem::{BuildError, Problem},
    store::Lock,
};

impl Exec<'_> {
    /// What of a cache's beginning decides a step's result: what is mounted of it.
    pub(super) fn seed_key(
        &self,
        seed: &Seed,
        source: &str,
        stages: Stages,
    ) -> Result<String, BuildError> {
        let own = seed.own;
        let Some(from) = seed.from else { return Ok(format!("{own:?}")) };
        // A directory that need not be there can't be looked for in a context.
        let part = match own {
            Some(_) if !matches!(from, MountSource::Step(_)) => "/",
            _ => source,
        };
        Ok(format!("from {} {own:?}", self.mount_content(from, part, stages)?))
    }

    /// What a cache's directory is known by. One that begins in another way is another one, as it is
    /// for BuildKit: the id, and the reference that it starts from. That is another one for a stage
    /// that ran again, too, whatever it made.
    fn cache_name(&self, id: &str, seed: &Seed) -> Result<String, BuildError> {
        let from = match seed.from {
            Some(from) => format!(" from {}", self.mount_content(from, "/", Stages::ByName)?),
            None => String::new(),
        };
        let own = match seed.own {
            Some((mode, uid, gid)) => format!("{mode:o} {uid}:{gid}"),
            None => String::new(),
        };
        Ok(match own + &from {
            usual if usual.is_empty() => id.to_owned(),
            other => format!("{id}\0{other}"),
        })
    }

    /// Takes the directories of a step's caches. A cache that is mounted twice is taken once, as its
    /// first mount says. All steps of all builds wait for theirs in the same order and before they
    /// take those that nobody waits for, so that no two wait for each other.
    pub(super) fn take_caches(
        &self,
        mounts: &[RunMount],
        prepared: &mut Prepared,
    ) -> Result<(), BuildError> {
        let mut known = BTreeSet::new();
        let mut wanted = Vec::new();
        for mount in mounts {
            let RunMount::Cache { id, sharing, seed, .. } = mount else { continue };
            let name = self.cache_name(id, seed)?;
            if known.insert(name.clone()) {
                wanted.push((*sharing != Sharing::Locked, Digest::sha256(&name), name, *sharing));
            }
        }
        wanted.sort_by(|a, b| (a.0, a.1.hex()).cmp(&(b.0, b.1.hex())));
        for (_, first, name, sharing) in wanted {
            let (taken, lock) = self.until(|| self.take_cache(&name, &first, sharing))?;
            prepared.locks.push(lock);
            prepared.caches.insert(name, taken);
        }
        Ok(())
    }

    /// One of a cache's directories, if one is to be had now.
    fn take_cache(
        &self,
        name: &str,
        first: &Digest,
        sharing: Sharing,
    ) -> Result<Option<(Digest, Lock)>, BuildError> {
        // Held while somebody looks around, and never while somebody waits.
        let _looking = self.lock("choose-mount", first.hex())?;
        let mut free = None;
        for number in 0_u32.. {
            let dir = match number {
                0 => first.clone(),
                n => Digest::sha256(format!("{name}\0{n}")),
            };
            let exists = self.store.has_mount(&dir);
            match (self.store.try_lock("mount", dir.hex())?, sharing) {
                // Nobody makes a second one to have it locked.
                (Some(_), Sharing::Locked) if number > 0 && !exists => return Ok(None),
                (Some(lock), Sharing::Locked | Sharing::Private) => return Ok(Some((dir, lock))),
                (Some(_), Sharing::Shared) => {
                    free.get_or_insert(dir);
                    if !exists {
                        break;
                    }
                }
                (None, Sharing::Shared) => {
                    if let Some(lock) = self.store.try_lock_shared("mount", dir.hex())? {
                        return Ok(Some((dir, lock)));
                    }
                }
                (None, Sharing::Locked | Sharing::Private) => {}
            }
        }
        let Some(dir) = free else { return Ok(None) };
        let lock = self.store.try_lock_shared("mount", dir.hex())?;
        Ok(lock.map(|lock| (dir, lock)))
    }

    /// The directory of a cache that was taken, made if it is new. What `source` is in it is for who
    /// mounts it to see, but what it begins with must have one, too: BuildKit reads that for the
    /// step's key.
    pub(super) fn cache_dir(
        &self,
        id: &str,
        seed: &Seed,
        source: &str,
        prepared: &Prepared,
    ) -> Result<PathBuf, BuildError> {
        if let (Some(from), None) = (seed.from, seed.own) {
            let sources = self.sources_of(from)?;
            let found = sources.view().resolve(&ImagePath::from(source), true);
            if !matches!(found, Lookup::Found(_)) {
                return Err(missing(from, source).into());
            }
        }
        let full = self.cache_name(id, seed)?;
        let name = prepared.caches.get(&full).cloned().unwrap_or_else(|| Digest::sha256(&full));
        let dir = self.store.mount_dir(&name, id)?;
        if dir.exists() {
            return Ok(dir);
        }
        let _making = self.lock("new-mount", name.hex())?;
        if !dir.exists() {
            let made = self.store.temporary_dir("mount")?;
            self.seed(&made, seed)?;
            fs::rename(&made, &dir).map_err(FsError::new("create", &dir))?;
        }
        Ok(dir)
    }
}

fn missing(from: MountSource, source: &str) -> Problem {
    let hint = match from {
        MountSource::Step(_) => " in the stage or image that from= names",
        MountSource::Context | MountSource::Named(_) => " in the context that from= names",
    };
    CopyError::NotFound { path: source.to_owned(), hint: hint.to_owned() }.into()
}
