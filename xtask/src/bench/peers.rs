//! The builders, each with its own store, all pushing to one registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contexts::Context;
use super::timed;
use crate::engine::{Engine, HostEmulator};
use crate::mlint::Mlint;
use crate::registry::Registry;
use crate::{Error, Result, packages, rootfs, run};

const PLATFORMS: &str = "linux/amd64,linux/arm64";

/// Who builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Mlint,
    Buildkit,
    Buildah,
}

impl Peer {
    pub const ALL: [Self; 3] = [Self::Mlint, Self::Buildkit, Self::Buildah];
}

/// A build that is timed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order<'a> {
    /// What is built.
    pub context: &'a Context,
    /// The repository that it is pushed to.
    pub repository: &'a str,
    /// Layers are compressed with zstd at level 3, not with gzip at 6.
    pub zstd: bool,
    /// Steps may come from the cache.
    pub cached: bool,
}

/// All builders.
pub(super) struct Peers {
    mlint: Mlint,
    engine: Engine,
    registry: Registry,
    /// buildah's storage.
    storage: PathBuf,
    _emulator: Option<HostEmulator>,
}

impl Peers {
    /// Starts them, with base images in the registry.
    pub fn start(mlint: Mlint, work: &Path) -> Result<Self> {
        let storage = work.join("buildah");
        fs::create_dir_all(&storage).map_err(Error::file(&storage))?;
        let peers = Self {
            mlint,
            engine: Engine::start()?,
            registry: Registry::start()?,
            storage,
            _emulator: HostEmulator::arm64()?,
        };
        for kind in [rootfs::Kind::Busybox, rootfs::Kind::Gcc, rootfs::Kind::Go] {
            let host = peers.registry.host();
            run::quiet(&mut peers.mlint.base_image(kind, &host, &work.join("bases"))?)?;
        }
        Ok(peers)
    }

    /// The registry's address.
    pub fn host(&self) -> String {
        self.registry.host()
    }

    /// What is compared.
    pub fn versions(&self) -> Result<String> {
        let buildah = run::quiet(Command::new(packages::program("buildah")?).arg("--version"))?;
        let buildkit = run::quiet(self.engine.docker().args(["buildx", "inspect"]))?;
        let buildkit = buildkit.lines().find(|line| line.contains("BuildKit version"));
        Ok(format!(
            "Docker engine {}, {}, {}",
            self.engine.version()?,
            buildkit.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
            buildah.trim()
        ))
    }

    /// Builds both platforms and pushes them; seconds, or none where the builder can't do it.
    pub fn build(&self, peer: Peer, order: Order<'_>) -> Result<Option<f64>> {
        match peer {
            Peer::Mlint => timed(&mut self.mlint_command(order), &[0]).map(Some),
            Peer::Buildkit => timed(&mut self.buildkit_command(order), &[0]).map(Some),
            Peer::Buildah if order.zstd || is_linked(order.context) => Ok(None),
            Peer::Buildah => self.buildah(order).map(Some),
        }
    }

    /// mlint's command.
    pub fn mlint_command(&self, order: Order<'_>) -> Command {
        let Order { context, repository, .. } = order;
        let mut command = self.mlint.command(&context.dir, ["build", "--network=none", "-f"]);
        command.arg(&context.file).arg("--platforms").arg(PLATFORMS);
        let name = format!("{}/mlint/{repository}:1", self.host());
        if order.zstd {
            command.arg("--compression=zstd:3");
        }
        if !order.cached {
            command.arg("--no-cache");
        }
        command.args(["--push", "-t", &name, "."]);
        command
    }

    fn buildkit_command(&self, order: Order<'_>) -> Command {
        let Order { context, repository, .. } = order;
        let mut command = self.engine.docker();
        command.args(["buildx", "build", "--provenance=false", "--network=none", "-f"]);
        command.arg(&context.file).arg("--platform").arg(PLATFORMS);
        if !order.cached {
            command.arg("--no-cache");
        }
        let name = format!("{}/buildkit/{repository}:1", self.host());
        // It keeps no image of its own beside its cache: only the push is asked for.
        let mut output = format!("type=image,name={name},push=true,store=false");
        if order.zstd {
            output += ",compression=zstd,compression-level=3";
        }
        command.arg("--output").arg(output).arg(&context.dir);
        command
    }

    /// buildah builds into a list of its own, which another command pushes.
    fn buildah(&self, order: Order<'_>) -> Result<f64> {
        let Order { context, repository, .. } = order;
        let list = format!("localhost/{repository}");
        // Lists only grow: the one of the build before is in the way.
        let _ = run::output(self.buildah_command()?.args(["manifest", "rm", &list]));
        let mut build = self.buildah_command()?;
        build.args(["build", "--network=none", "--tls-verify=false", "--quiet", "-f"]);
        build.arg(&context.file).arg("--platform").arg(PLATFORMS);
        build.args(if order.cached { ["--layers"] } else { ["--no-cache"] });
        build.arg("--manifest").arg(&list).arg(&context.dir);
        let mut push = self.buildah_command()?;
        let name = format!("docker://{}/buildah/{repository}:1", self.host());
        push.args(["manifest", "push", "--all", "--quiet", "--tls-verify=false", &list, &name]);
        let took = timed(&mut build, &[0])? + timed(&mut push, &[0])?;
        if !order.cached {
            let _ = run::output(self.buildah_command()?.args(["manifest", "rm", &list]));
            let _ = run::output(self.buildah_command()?.args(["rmi", "--prune", "--force"]));
        }
        Ok(took)
    }

    fn buildah_command(&self) -> Result<Command> {
        let mut command = Command::new(packages::program("buildah")?);
        command.arg("--root").arg(self.storage.join("root"));
        command.arg("--runroot").arg(self.storage.join("run"));
        command.args(["--storage-driver", "overlay"]);
        Ok(command)
    }

    /// Gives back the room that the others' uncached builds took.
    pub fn tidy(&self) -> Result<()> {
        run::quiet(self.engine.docker().args(["buildx", "prune", "--all", "--force"]))?;
        let _ = run::output(self.buildah_command()?.args(["rmi", "--all", "--force"]));
        Ok(())
    }

    /// Bytes of the layers that a builder pushed last under this name, both platforms, bases left out.
    pub fn pushed(&self, peer: Peer, repository: &str) -> Result<u64> {
        let name = format!("{peer:?}/{repository}").to_lowercase();
        let json = |digest: &str| -> Result<serde_json::Value> {
            let bytes = self.registry.blob(digest).unwrap_or_default();
            serde_json::from_slice(&bytes)
                .map_err(|error| Error::unexpected(&name, "JSON", error.to_string()))
        };
        let index = json(&self.registry.digest(&name, "1").unwrap_or_default())?;
        let mut sum = 0;
        for manifest in index["manifests"].as_array().into_iter().flatten() {
            let manifest = json(manifest["digest"].as_str().unwrap_or_default())?;
            let layers = manifest["layers"].as_array().into_iter().flatten().skip(1);
            sum += layers.filter_map(|layer| layer["size"].as_u64()).sum::<u64>();
        }
        Ok(sum)
    }
}

fn is_linked(context: &Context) -> bool {
    context.file.to_string_lossy().contains("link")
}
