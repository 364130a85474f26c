//! Debian's `docker-registry` on a free loopback port, for as long as the value lives.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::{Error, Result, packages, run};

/// A user and a password that a registry asks for.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Registry {
    /// Starts one without a password.
    pub fn start() -> Result<Self> {
        Self::launch(None)
    }

    /// Starts one that asks for a password.
    pub fn start_with_login(login: Login<'_>) -> Result<Self> {
        Self::launch(Some(login))
    }

    fn launch(login: Option<Login<'_>>) -> Result<Self> {
        let program = packages::program("docker-registry")?;
        let dir = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
        let log = dir.path().join("log");
        let mut config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:0'}}\n",
            dir.path().join("data").display()
        );
        if let Some(login) = login {
            let file = dir.path().join("htpasswd");
            let line = run::quiet(Command::new(packages::program("htpasswd")?).args([
                "-Bbn",
                login.user,
                login.password,
            ]))?;
            fs::write(&file, line).map_err(Error::file(&file))?;
            config += &format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display());
        }
        let yml = dir.path().join("config.yml");
        fs::write(&yml, config).map_err(Error::file(&yml))?;

        let out = fs::File::create(&log).map_err(Error::file(&log))?;
        let err = out.try_clone().map_err(Error::file(&log))?;
        let mut command = Command::new(program);
        command.arg("serve").arg(&yml).stdin(Stdio::null()).stdout(out).stderr(err);
        let process = command
            .spawn()
            .map_err(|source| Error::Start { command: run::line(&command), source })?;
        let mut registry = Self { process, port: 0, dir };
        let up = run::wait_until(Duration::from_secs(20), || {
            registry.port = listening_port(&log).unwrap_or(0);
            registry.port != 0
        });
        match up {
            true => Ok(registry),
            false => Err(Error::NotUp {
                part: "docker-registry",
                seconds: 20,
                log: fs::read_to_string(&log).unwrap_or_default(),
            }),
        }
    }

    /// Where it listens: `127.0.0.1:PORT`, the first part of an image's name.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The tags that a repository has; none if there is no such repository.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let tags = self.dir.path().join("data/docker/registry/v2/repositories").join(repository);
        let Ok(entries) = fs::read_dir(tags.join("_manifests/tags")) else { return Vec::new() };
        let mut tags: Vec<String> = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        tags.sort();
        tags
    }

    /// The digest that a tag points at.
    pub fn digest(&self, repository: &str, tag: &str) -> Option<String> {
        let tags = self.dir.path().join("data/docker/registry/v2/repositories").join(repository);
        fs::read_to_string(tags.join("_manifests/tags").join(tag).join("current/link")).ok()
    }

    /// The bytes of a blob or manifest.
    pub fn blob(&self, digest: &str) -> Option<Vec<u8>> {
        let hex = digest.strip_prefix("sha256:")?;
        let blobs = self.dir.path().join("data/docker/registry/v2/blobs/sha256");
        fs::read(blobs.join(hex.get(..2)?).join(hex).join("data")).ok()
    }

    /// The directory of its own that it works in.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The port from the line `listening on 127.0.0.1:34377` of the log.
fn listening_port(log: &Path) -> Option<u16> {
    let text = fs::read_to_string(log).ok()?;
    let after = text.split_once("listening on 127.0.0.1:")?.1;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    // The number may be cut short while the line is being written.
    after.len().gt(&digits.len()).then(|| digits.parse().ok())?
}
