//! Mounts of a RUN.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use mlint_oci::Digest;

use super::{Exec, run::WorkDirs, seed::give, ssh::AgentSocket};
use crate::{
    error::FsError,
    layer::{EntryKind, entry::ImagePath, view::Lookup},
    plan::{MountSource, RunMount, Seed, Sharing},
    problem::{BuildError, Problem},
    sandbox::step::Mount,
    store::Lock,
};

/// What stages that are mounted are known by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stages {
    /// Their names: nothing is read for it.
    ByName,
    /// The files that are seen in them.
    ByContent,
}

/// Mode, user and group.
type Own = (u32, u32, u32);

/// Those of a cache's directory that says nothing of them.
const USUAL: Own = (0o755, 0, 0);

/// Mounts that are ready, with the locks that they need.
#[derive(Default)]
pub(super) struct Prepared {
    pub mounts: Vec<Mount>,
    pub locks: Vec<Lock>,
    /// Variables: secrets, and where an agent is.
    pub env: Vec<(String, String)>,
    pub agents: Vec<AgentSocket>,
    /// The private caches of this step: one that it mounts twice is one.
    private: BTreeMap<String, Digest>,
    /// How many agents the step asks for.
    wanted_agents: usize,
}

impl Exec<'_> {
    /// What of the mounts decides a RUN's result. A cache's content does not.
    pub(super) fn mount_keys(
        &self,
        mounts: &[RunMount],
        stages: Stages,
    ) -> Result<Vec<String>, BuildError> {
        let mut keys = Vec::new();
        for mount in mounts {
            keys.push(match mount {
                RunMount::Cache { id, target, read_only, mode, uid, gid, seed, .. } => {
                    let begins = self.beginning((*mode, *uid, *gid), seed.as_ref())?;
                    format!("cache {id} {target} {read_only} {begins}")
                }
                RunMount::Tmpfs { target, size } => format!("tmpfs {target} {size:?}"),
                // Whether they are given, and what they are, does not count.
                RunMount::Secret { id, target, env, file } => {
                    format!("secret {id} {target:?} {env:?} {file:?}")
                }
                RunMount::Ssh { id, target, file } => format!("ssh {id} {target:?} {file:?}"),
                RunMount::Bind { from, source, target, read_only } => {
                    let content = match (stages, from) {
                        (Stages::ByContent, MountSource::Step(_)) => {
                            self.mounted_content(*from, source)?
                        }
                        _ => self.mount_content(*from, source)?,
                    };
                    format!("bind {content} {source} {target} {read_only}")
                }
            });
        }
        Ok(keys)
    }

    /// What identifies the files that a mount comes from.
    fn mount_content(&self, from: MountSource, source: &str) -> Result<Digest, BuildError> {
        match from {
            MountSource::Step(step) => Ok(self.snapshot(step).chain),
            from => self.context_mount_digest(from, source),
        }
    }

    /// What a cache's directory is like before anybody put something into it. One that begins in
    /// another way is another directory, as it is for BuildKit (`solver/llbsolver/mounts/mount.go`,
    /// `getRefCacheDir`: the id, and the reference that it starts from).
    fn beginning(&self, own: Own, seed: Option<&Seed>) -> Result<String, BuildError> {
        let (mode, uid, gid) = own;
        let owned = match own {
            USUAL => String::new(),
            _ => format!("{mode:o} {uid}:{gid}"),
        };
        Ok(match seed {
            Some(seed) => format!("{owned} {}", self.seed_key(seed)?),
            None => owned,
        })
    }

    fn seed_key(&self, seed: &Seed) -> Result<String, BuildError> {
        let Seed { from, source, or_new } = seed;
        // A directory that need not be there can't be looked for in a context.
        let part = if *or_new { "/" } else { source };
        Ok(format!("from {} {source} {or_new}", self.mount_content(*from, part)?))
    }

    fn context_mount_digest(&self, from: MountSource, source: &str) -> Result<Digest, BuildError> {
        let loaded = self.context(from)?;
        let view = &loaded.context.view;
        let Lookup::Found(path) = view.resolve(&ImagePath::from(source), true) else {
            return Err(no_source(source).into());
        };
        let mut lines = Vec::new();
        let mut files = Vec::new();
        let own = view.get(&path).map(|node| (&path, node));
        for (path, node) in own.into_iter().chain(view.below(&path)) {
            if matches!(node.entry.kind, EntryKind::File(_) | EntryKind::Hardlink(_)) {
                files.push(path.clone());
            }
            lines.push(format!("{:?} {:?} {:o}", path.0, node.entry.kind, node.entry.mode));
        }
        for digest in loaded.digests.of(&loaded.context, &files)? {
            lines.push(digest.to_string());
        }
        Ok(Digest::sha256(lines.join("\n")))
    }

    pub(super) fn prepare_mount(
        &self,
        mount: &RunMount,
        dirs: &WorkDirs,
        prepared: &mut Prepared,
    ) -> Result<(), BuildError> {
        let ready = match mount {
            RunMount::Tmpfs { target, size } => {
                Mount::Tmpfs { dest: target.clone(), size: *size, mode: 0o1777 }
            }
            RunMount::Cache { id, target, sharing, read_only, mode, uid, gid, seed } => {
                let own = (*mode, *uid, *gid);
                let source = self.cache_dir(id, *sharing, own, seed.as_ref(), prepared)?;
                Mount::Bind {
                    source,
                    subpath: None,
                    dest: target.clone(),
                    read_only: *read_only,
                    recursive: false,
                }
            }
            RunMount::Bind { from, source, target, read_only } => {
                let lower = match from {
                    MountSource::Step(step) => self.lower_dirs(&self.snapshot(*step))?,
                    from => self.context_layers(*from, dirs, prepared.mounts.len())?,
                };
                let number = prepared.mounts.len();
                let writable = match read_only {
                    true => None,
                    false => Some((
                        dirs.extra(&format!("upper-{number}"))?,
                        dirs.extra(&format!("work-{number}"))?,
                    )),
                };
                let subpath = Some(source.clone()).filter(|s| !s.is_empty() && s != "/");
                Mount::Layers { lower, writable, subpath, dest: target.clone() }
            }
            RunMount::Secret { id, target, env, file } => {
                return self.secret(id, target.as_deref(), env.as_deref(), *file, prepared);
            }
            RunMount::Ssh { id, target, file } => {
                return self.agent(id, target.as_deref(), *file, prepared);
            }
        };
        prepared.mounts.push(ready);
        Ok(())
    }

    /// A secret that is not given and not required is not there.
    fn secret(
        &self,
        id: &str,
        target: Option<&str>,
        env: Option<&str>,
        (mode, uid, gid): (u32, u32, u32),
        prepared: &mut Prepared,
    ) -> Result<(), BuildError> {
        let Some(value) = self.request.secret(id) else {
            // As in BuildKit, a variable is there and empty.
            prepared.env.extend(env.map(|name| (name.to_owned(), String::new())));
            return Ok(());
        };
        if let Some(name) = env {
            let text = String::from_utf8(value.to_vec())
                .map_err(|_| Problem::SecretIsNoText { id: id.to_owned() })?;
            prepared.env.push((name.to_owned(), text));
        }
        if let Some(dest) = target {
            let (dest, contents) = (dest.to_owned(), value.to_vec());
            prepared.mounts.push(Mount::File { dest, contents, mode, uid, gid, program: false });
        }
        Ok(())
    }

    fn agent(
        &self,
        id: &str,
        target: Option<&str>,
        file: (u32, u32, u32),
        prepared: &mut Prepared,
    ) -> Result<(), BuildError> {
        let number = prepared.wanted_agents;
        prepared.wanted_agents += 1;
        let usual = || format!("/run/buildkit/ssh_agent.{number}");
        let dest = target.map_or_else(usual, str::to_owned);
        if number == 0 {
            prepared.env.push(("SSH_AUTH_SOCK".to_owned(), dest.clone()));
        }
        let Some(agent) = self.request.agent(id) else { return Ok(()) };
        let name = self.store.temporary("agent");
        let name = name.file_name().unwrap_or_default();
        let socket = AgentSocket::open(&self.session.scratch().join(name), agent, file)?;
        prepared.mounts.push(Mount::Bind {
            source: socket.path().to_owned(),
            subpath: None,
            dest,
            read_only: false,
            recursive: false,
        });
        prepared.agents.push(socket);
        Ok(())
    }

    /// The context as layers, topmost first: what `.dockerignore` leaves out is whited out. One that
    /// others own is copied, for here it is root's (BuildKit's `client/solve.go`, `prepareMounts`,
    /// sets the owner of all that it sends).
    fn context_layers(
        &self,
        from: MountSource,
        dirs: &WorkDirs,
        number: usize,
    ) -> Result<Vec<PathBuf>, BuildError> {
        let loaded = self.context(from)?;
        let context = &loaded.context;
        if context.has_other_owners {
            let copy = dirs.extra(&format!("context-{number}"))?;
            give(&copy, USUAL)?;
            let whole = Seed { from, source: "/".to_owned(), or_new: false };
            self.seed(&copy, &whole, USUAL)?;
            return Ok(vec![copy]);
        }
        if context.excluded.is_empty() {
            return Ok(vec![context.root.clone()]);
        }
        let mask = dirs.extra(&format!("mask-{number}"))?;
        give(&mask, USUAL)?;
        let mut made = BTreeSet::new();
        for path in &context.excluded {
            let at = mask.join(path.as_path());
            if let Some(dir) = at.parent() {
                fs::create_dir_all(dir).map_err(FsError::new("create", dir))?;
            }
            made.extend(std::iter::successors(path.parent(), ImagePath::parent));
            let node = rustix::fs::FileType::CharacterDevice;
            let made = rustix::fs::mknodat(
                rustix::fs::CWD,
                &at,
                node,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            );
            made.map_err(|e| FsError::new("create", &at)(e.into()))?;
        }
        // What lies above hides what a directory is like below. The deepest comes first, for each
        // changes the time of the one that it lies in.
        for path in made.iter().rev().filter(|path| !path.is_root()) {
            let Some(node) = context.view.get(path) else { continue };
            let at = mask.join(path.as_path());
            let is = || -> std::io::Result<()> {
                fs::set_permissions(&at, fs::Permissions::from_mode(node.entry.mode))?;
                let time = SystemTime::UNIX_EPOCH
                    + Duration::from_secs(u64::try_from(node.entry.mtime).unwrap_or_default());
                fs::File::open(&at)?.set_modified(time)
            };
            is().map_err(FsError::new("write", &at))?;
        }
        Ok(vec![mask, context.root.clone()])
    }

    /// Whether the contexts that a command sees are what they were when its key was made.
    pub(super) fn contexts_are_settled(&self, mounts: &[RunMount]) -> Result<bool, BuildError> {
        for mount in mounts {
            let RunMount::Bind { from, source, .. } = mount else { continue };
            let Some(now) = self.context_again(*from)? else { continue };
            let then = self.context(*from)?;
            let Lookup::Found(path) = then.context.view.resolve(&ImagePath::from(&**source), true)
            else {
                continue;
            };
            if !then.context.shows_the_same(&now, &path) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Locks the caches that a step wants for itself. All steps of all builds take them in the same
    /// order, so that no two wait for each other; one that is mounted twice is locked once.
    pub(super) fn lock_caches(
        &self,
        mounts: &[RunMount],
        prepared: &mut Prepared,
    ) -> Result<(), BuildError> {
        let mut names = BTreeSet::new();
        for mount in mounts {
            if let RunMount::Cache { id, sharing: Sharing::Locked, mode, uid, gid, seed, .. } =
                mount
            {
                let full = self.cache_name(id, (*mode, *uid, *gid), seed.as_ref())?;
                names.insert(Digest::sha256(full).hex().to_owned());
            }
        }
        for name in names {
            prepared.locks.push(self.lock("mount", &name)?);
        }
        Ok(())
    }

    /// What a cache mount's directory is known by.
    fn cache_name(&self, id: &str, own: Own, seed: Option<&Seed>) -> Result<String, BuildError> {
        Ok(match self.beginning(own, seed)? {
            usual if usual.is_empty() => id.to_owned(),
            other => format!("{id}\0{other}"),
        })
    }

    /// The directory of a cache mount; a private one is locked.
    fn cache_dir(
        &self,
        id: &str,
        sharing: Sharing,
        own: Own,
        seed: Option<&Seed>,
        prepared: &mut Prepared,
    ) -> Result<PathBuf, BuildError> {
        let mut number = 0;
        let full = self.cache_name(id, own, seed)?;
        let known = prepared.private.get(&full).filter(|_| sharing == Sharing::Private).cloned();
        let name = loop {
            if let Some(name) = known {
                break name;
            }
            let name = match number {
                0 => Digest::sha256(&full),
                n => Digest::sha256(format!("{full}\0{n}")),
            };
            match sharing {
                // What is locked is so already.
                Sharing::Shared | Sharing::Locked => break name,
                Sharing::Private => match self.store.try_lock("mount", name.hex())? {
                    Some(lock) => {
                        prepared.locks.push(lock);
                        prepared.private.insert(full, name.clone());
                        break name;
                    }
                    None => number += 1,
                },
            }
        };
        let dir = self.store.mount_dir(&name, id)?;
        if dir.exists() {
            return Ok(dir);
        }
        let _making = self.lock("new-mount", name.hex())?;
        if !dir.exists() {
            let made = self.store.temporary_dir("mount")?;
            match seed {
                Some(seed) => self.seed(&made, seed, own)?,
                None => give(&made, own)?,
            }
            fs::rename(&made, &dir).map_err(FsError::new("create", &dir))?;
        }
        Ok(dir)
    }
}

fn no_source(source: &str) -> Problem {
    Problem::Copy(crate::copy::CopyError::NotFound {
        path: source.to_owned(),
        hint: " in the build context".to_owned(),
    })
}
