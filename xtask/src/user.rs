//! An ordinary user, made for a test and removed after it.

use std::path::Path;
use std::process::Command;

use crate::{Error, Result, run};

/// A user with a home directory and a range of subordinate ids.
#[derive(Debug)]
pub struct OrdinaryUser {
    name: String,
    home: tempfile::TempDir,
}

impl OrdinaryUser {
    /// Makes one. Needs root.
    pub fn make() -> Result<Self> {
        let name = format!("mlint-e2e-{}", std::process::id());
        let home = tempfile::Builder::new()
            .prefix("mlint-home-")
            .tempdir()
            .map_err(Error::file(std::env::temp_dir()))?;
        run::quiet(
            Command::new("/usr/sbin/useradd")
                .args(["--no-create-home", "--shell", "/bin/sh", "--home-dir"])
                .arg(home.path())
                .arg(&name),
        )?;
        let user = Self { name, home };
        run::quiet(Command::new("chown").arg(&user.name).arg(user.home.path()))?;
        if !user.has_range("/etc/subuid") || !user.has_range("/etc/subgid") {
            let range = ["--add-subuids", "524288-589823", "--add-subgids", "524288-589823"];
            run::quiet(Command::new("/usr/sbin/usermod").args(range).arg(&user.name))?;
        }
        Ok(user)
    }

    fn has_range(&self, file: &str) -> bool {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| line.split(':').next() == Some(&self.name))
    }

    /// Their home directory.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that they run, in their home directory and with an environment of their own.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", &self.name, "--regid", &self.name, "--init-groups", "--"])
            .arg(program)
            .current_dir(self.home())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home())
            .env("USER", &self.name);
        command
    }

    /// Gives them a file or a tree.
    pub fn give(&self, path: &Path) -> Result<()> {
        run::quiet(Command::new("chown").arg("-R").arg(&self.name).arg(path)).map(drop)
    }
}

impl Drop for OrdinaryUser {
    fn drop(&mut self) {
        let _ = run::output(Command::new("/usr/sbin/userdel").arg(&self.name));
    }
}
