//! Mounts of a RUN.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use mlint_oci::Digest;

use super::{
    Exec,
    run::WorkDirs,
    seed::{USUAL, give},
    ssh::AgentSocket,
};
use crate::{
    error::FsError,
    layer::{EntryKind, entry::ImagePath, view::Lookup},
    plan::{MountSource, RunMount},
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

/// Mounts that are ready, with the locks that they need.
#[derive(Default)]
pub(super) struct Prepared {
    pub mounts: Vec<Mount>,
    pub locks: Vec<Lock>,
    /// Variables: secrets, and where an agent is.
    pub env: Vec<(String, String)>,
    pub agents: Vec<AgentSocket>,
    /// The directories of the step's caches, by what they are known by: one that it mounts twice is
    /// one.
    pub(super) caches: BTreeMap<String, Digest>,
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
                RunMount::Cache { id, target, read_only, seed, source, .. } => {
                    let begins = self.seed_key(seed, source, stages)?;
                    format!("cache {id} {target} {read_only} {source} {begins}")
                }
                RunMount::Tmpfs { target, size } => format!("tmpfs {target} {size:?}"),
                // Whether they are given, and what they are, does not count.
                RunMount::Secret { id, target, env, file } => {
                    format!("secret {id} {target:?} {env:?} {file:?}")
                }
                RunMount::Ssh { id, target, file } => format!("ssh {id} {target:?} {file:?}"),
                RunMount::Bind { from, source, target, read_only } => {
                    let content = self.mount_content(*from, source, stages)?;
                    format!("bind {content} {source} {target} {read_only}")
                }
            });
        }
        Ok(keys)
    }

    /// What identifies the files that a mount comes from.
    pub(super) fn mount_content(
        &self,
        from: MountSource,
        source: &str,
        stages: Stages,
    ) -> Result<Digest, BuildError> {
        match (from, stages) {
            (MountSource::Step(step), Stages::ByName) => Ok(self.snapshot(step).chain),
            (MountSource::Step(_), Stages::ByContent) => self.mounted_content(from, source),
            (from, _) => self.context_mount_digest(from, source),
        }
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
            RunMount::Cache { id, target, read_only, seed, source, .. } => {
                let subpath = Some(source.clone()).filter(|source| source != "/");
                Mount::Bind {
                    source: self.cache_dir(id, seed, source, prepared)?,
                    subpath,
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
            self.fill(&copy, from)?;
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
            let now = match self.context_again(*from) {
                Ok(Some(now)) => now,
                Ok(None) => continue,
                Err(error) if error.is_interrupt() => return Err(error),
                // What can't be read changes just now.
                Err(_) => return Ok(false),
            };
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
}

fn no_source(source: &str) -> Problem {
    Problem::Copy(crate::copy::CopyError::NotFound {
        path: source.to_owned(),
        hint: " in the build context".to_owned(),
    })
}
