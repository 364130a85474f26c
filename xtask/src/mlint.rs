//! The `mlint` under test: where it is, and commands that keep to directories of their own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result, paths, rootfs, run};

/// The command, with a cache and a home of its own.
#[derive(Clone, Debug)]
pub struct Mlint {
    /// The executable.
    pub program: PathBuf,
    /// Its home and cache.
    pub home: PathBuf,
}

impl Mlint {
    /// Compiles it, in the profile that the tests use as well.
    pub fn compile(home: &Path) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "mlint", "--bin", "mlint"]);
        run::quiet(build.current_dir(paths::root()))?;
        Ok(Self { program: paths::target().join("debug/mlint"), home: home.to_owned() })
    }

    /// `mlint` with these arguments, run in `dir`.
    pub fn command<S: AsRef<OsStr>>(
        &self,
        dir: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(dir)
            .env("HOME", &self.home)
            .env("XDG_CACHE_HOME", self.home.join("cache"))
            .env("XDG_CONFIG_HOME", self.home.join("config"))
            .env("XDG_DATA_HOME", self.home.join("data"))
            .env_remove("DOCKER_CONFIG")
            .env_remove("MLINT_CACHE");
        command
    }

    /// Builds a base image for both platforms from its root file systems and pushes it.
    pub fn base_image(&self, kind: rootfs::Kind, registry: &str, work: &Path) -> Result<Command> {
        let made = rootfs::make(kind)?;
        let dir = work.join(kind.name());
        std::fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
        for arch in rootfs::ARCHES {
            let name = format!("rootfs-{arch}.tar");
            let copy = dir.join(&name);
            // A second link fails, and a copy of a file to itself would empty it.
            if !copy.exists() {
                std::fs::hard_link(made.join(&name), &copy)
                    .or_else(|_| std::fs::copy(made.join(&name), &copy).map(drop))
                    .map_err(Error::file(&copy))?;
            }
        }
        let shell = if kind == rootfs::Kind::Busybox { "sh" } else { "bash" };
        let file = dir.join("Dockerfile");
        let text = format!(
            "FROM scratch\nARG TARGETARCH\nADD rootfs-${{TARGETARCH}}.tar /\nCMD [\"{shell}\"]\n"
        );
        std::fs::write(&file, text).map_err(Error::file(&file))?;
        let tag = format!("{registry}/{}:{}", kind.name(), kind.tag());
        let platforms = "--platforms=linux/amd64,linux/arm64";
        Ok(self.command(&dir, ["build", ".", platforms, "-t", &tag, "--push"]))
    }
}
