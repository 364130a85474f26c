//! RUN.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};

use mlint_oci::Digest;

use super::{
    Exec, Fresh, Made, Snapshot,
    cache_key::key,
    mounts::{Prepared, Stages},
};
use crate::{
    error::FsError,
    events::Event,
    layer::{
        LayerWriter,
        diff::{read_upper, write_upper},
    },
    plan::{MountSource, RunMount, RunOp, StepId},
    problem::{BuildError, Problem},
    sandbox::{
        overlay::Overlay,
        step::{self, HOSTNAME, Ids, Mount, Network, RunSpec, ShadowFile, Stream},
        user,
    },
    store::LayerRef,
};

impl Exec<'_> {
    pub(super) fn run_key(&self, op: &RunOp, parent: &Snapshot) -> Result<Digest, BuildError> {
        self.key_with(op, parent, Stages::ByName)
    }

    fn key_with(
        &self,
        op: &RunOp,
        parent: &Snapshot,
        stages: Stages,
    ) -> Result<Digest, BuildError> {
        let mounts = self.mount_keys(&op.mounts, stages)?;
        let RunOp {
            argv, script, env, proxies: _, cwd, user, mounts: _, network, platform, ..
        } = op;
        let around = (&op.hosts, op.shm_size, &op.limits);
        let parts =
            (argv, script, env, cwd, user, mounts, network, platform, &parent.chain, around);
        // Where all files belong to one user, a command makes other layers.
        let flat = self.session.id_map().flattens_ownership();
        Ok(key("run", &(parts, self.hostname(), flat)))
    }

    /// The name of the machine that a command believes to be on.
    fn hostname(&self) -> &str {
        let named = self.request.build_arg("BUILDKIT_SANDBOX_HOSTNAME");
        named.filter(|name| !name.is_empty()).unwrap_or(HOSTNAME)
    }

    pub(super) fn run(
        &self,
        id: StepId,
        op: &RunOp,
        parent: &Snapshot,
    ) -> Result<Made, BuildError> {
        let key = self.run_key(op, parent)?;
        let run = || -> Result<Fresh, BuildError> {
            let dirs = WorkDirs::make(self)?;
            let result = self.execute(id, op, parent, &dirs);
            dirs.remove();
            let layer = result?;
            let settled = self.contexts_are_settled(&op.mounts)?;
            if !settled {
                let text = "the context changed while a command ran that mounts it: the command runs \
                            again in the next build";
                self.events.event(Event::Warning { text: text.to_owned() });
            }
            Ok(Fresh { settled, ..Fresh::from(layer) })
        };
        self.cached_or(id, "run", &key, || -> Result<Fresh, BuildError> {
            let mounts_a_stage =
                |mount: &RunMount| matches!(mount.source(), Some(MountSource::Step(_)));
            if !op.mounts.iter().any(mounts_a_stage) {
                self.events.event(Event::Started { step: id });
                return run();
            }
            // A stage that is another one may show the same files.
            let key = self.key_with(op, parent, Stages::ByContent)?;
            self.by_content(id, "run-content", &key, run)
        })
    }

    fn execute(
        &self,
        id: StepId,
        op: &RunOp,
        parent: &Snapshot,
        dirs: &WorkDirs,
    ) -> Result<LayerRef, BuildError> {
        let lower = self.lower_dirs(parent)?;
        let points = mount_points(&lower, &dirs.upper)?;
        let user = self.user(&op.user, &lower)?;
        let mut env = op.env.clone();
        env.extend(op.proxies.iter().filter(|(n, _)| !op.env.iter().any(|(m, _)| m == n)).cloned());
        if !env.iter().any(|(name, _)| name == "HOME") {
            env.push(("HOME".to_owned(), user.home.clone()));
        }
        let mut prepared = Prepared::default();
        self.take_caches(&op.mounts, &mut prepared)?;
        for mount in &op.mounts {
            self.prepare_mount(mount, dirs, &mut prepared)?;
        }
        let named = |name: &str, list: &[(String, String)]| list.iter().any(|(n, _)| n == name);
        for (name, value) in std::mem::take(&mut prepared.env) {
            // An agent that the file points to itself is the one that is meant.
            if name == "SSH_AUTH_SOCK" && named(&name, &env) {
                continue;
            }
            env.retain(|(known, _)| *known != name);
            env.push((name, value));
        }
        if let Some((name, text)) = &op.script {
            prepared.mounts.push(Mount::File {
                dest: format!("/dev/pipes/{name}"),
                contents: text.clone().into_bytes(),
                mode: 0o755,
                uid: 0,
                gid: 0,
                program: true,
            });
        }
        let under: Vec<String> =
            prepared.mounts.iter().map(|mount| mount.dest().to_owned()).collect();
        let spec = RunSpec {
            lower,
            upper: dirs.upper.clone(),
            work: dirs.work.clone(),
            mounts: prepared.mounts,
            shadow: vec![ShadowFile::hosts(self.hostname(), &op.hosts), ShadowFile::resolv_conf()],
            argv: op.argv.clone(),
            env,
            cwd: op.cwd.clone(),
            user: Ids::from(&user),
            hostname: self.hostname().to_owned(),
            network: if op.network { Network::Host } else { Network::None },
            shm_size: op.shm_size,
            limits: op.limits.clone(),
        };
        let cancel = self.session.cancel();
        let mut output = |stream: Stream, bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.events.event(Event::Output { step: id, stderr: stream == Stream::Stderr, text });
        };
        let result = step::run(self.session, &spec, cancel, None, &mut output)?;
        if !result.status.success() {
            let (status, place) = (result.status.shell_code(), place(&self.plan.steps[id]));
            return Err(Problem::Exit { status, place }.into());
        }
        drop(prepared.locks);
        let shm = op.shm_size.map(|_| "/dev/shm");
        take_back(&points, under.iter().map(String::as_str).chain(shm));
        self.layer_of(id, &dirs.upper)
    }

    fn layer_of(&self, id: StepId, upper: &Path) -> Result<LayerRef, BuildError> {
        let entries = read_upper(upper, &BTreeSet::new())?;
        let path = self.store.temporary("layer.tar");
        let mut layer = LayerWriter::create(&path, self.compression(id))?;
        write_upper(upper, &entries, &mut layer, &|| self.interrupted())?;
        Ok(self.store.put_layer(layer.finish()?, Some(upper))?)
    }

    /// Who runs the command, by the files of the image.
    fn user(&self, spec: &str, lower: &[PathBuf]) -> Result<user::User, BuildError> {
        if matches!(spec, "" | "0" | "root" | "0:0") {
            return Ok(user::User::root());
        }
        let overlay =
            Overlay::mount(self.session, lower, None).map_err(|e| Problem::Step(e.into()))?;
        let root = overlay.root().map_err(FsError::new("open", overlay.path()))?;
        Ok(user::resolve(&root, spec)?)
    }
}

/// An image that lacks these has them from its first RUN on, as if a runtime had made them on the
/// way in: without them no container starts on a root that can't be written to. Which they were
/// is the answer.
fn mount_points(lower: &[PathBuf], upper: &Path) -> Result<Vec<PathBuf>, FsError> {
    let mut made = Vec::new();
    for name in ["dev", "proc", "sys"] {
        let uppermost = lower.iter().find_map(|dir| fs::symlink_metadata(dir.join(name)).ok());
        // A character device says that it was taken away.
        if uppermost.is_none_or(|found| found.file_type().is_char_device()) {
            let dir = upper.join(name);
            fs::create_dir(&dir).map_err(FsError::new("create", &dir))?;
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&dir, mode).map_err(FsError::new("create", &dir))?;
            made.push(dir);
        }
    }
    Ok(made)
}

/// BuildKit takes what its mounts needed away again, with every directory above that wasn't there
/// (`executor/stubs.go`): a mount under `/dev`, as `--shm-size` and a program in a here-document
/// bring one, takes the `/dev` along that this step made. One that is not empty stays.
fn take_back<'a>(points: &[PathBuf], mounts: impl Iterator<Item = &'a str>) {
    for dest in mounts {
        for point in points {
            let name = point.file_name().map(Path::new);
            let first = dest.trim_start_matches('/').split('/').next().map(Path::new);
            if name == first {
                _ = fs::remove_dir(point);
            }
        }
    }
}

/// A step's own directories.
pub(super) struct WorkDirs {
    root: PathBuf,
    pub upper: PathBuf,
    pub work: PathBuf,
}

impl WorkDirs {
    fn make(exec: &Exec<'_>) -> Result<Self, FsError> {
        let root = exec.store.temporary_dir("run")?;
        let (upper, work) = (root.join("upper"), root.join("work"));
        for dir in [&upper, &work] {
            fs::create_dir(dir).map_err(FsError::new("create", dir))?;
        }
        // The upper directory's own mode is that of the image's root.
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&upper, mode).map_err(FsError::new("create", &upper))?;
        Ok(Self { root, upper, work })
    }

    /// A further directory.
    pub fn extra(&self, name: &str) -> Result<PathBuf, FsError> {
        let path = self.root.join(name);
        fs::create_dir(&path).map_err(FsError::new("create", &path))?;
        Ok(path)
    }

    fn remove(&self) {
        crate::store::remove_tree(&self.root);
    }
}
/// Where a step runs, and for whose image if that is another platform's alone.
fn place(step: &crate::plan::Step) -> String {
    match &step.targets[..] {
        [target] if *target != step.platform => {
            format!("{}, in the build for {target}", step.platform)
        }
        _ => step.platform.to_string(),
    }
}
