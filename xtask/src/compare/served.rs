//! The contexts of all cases on a web server and on git's, for what is fetched from there.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::case::Case;
use crate::files::Files;
use crate::{Error, Result, run};

/// Both servers, as long as this lives.
pub struct Served {
    web: Files,
    git: String,
    daemon: Child,
}

impl Served {
    /// Serves what is below a directory.
    pub fn start(dir: &Path) -> Result<Self> {
        let programs = run::quiet(Command::new("git").arg("--exec-path"))?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.map_err(Error::file("127.0.0.1:0"))?;
        // Not through `git`, which would be all that a kill reaches.
        let mut command = Command::new(Path::new(programs.trim()).join("git-daemon"));
        command.args(["--export-all", "--reuseaddr", "--listen=127.0.0.1"]);
        command.arg(format!("--port={}", address.port()));
        command.arg(format!("--base-path={}", dir.display()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let line = run::line(&command);
        let daemon = command.spawn().map_err(|source| Error::Start { command: line, source })?;
        let served = Self { web: Files::serve(dir)?, git: format!("git://{address}"), daemon };
        if !run::wait_until(Duration::from_secs(10), || TcpStream::connect(address).is_ok()) {
            return Err(Error::unexpected("git daemon", "an answer", "none in 10 s"));
        }
        Ok(served)
    }

    /// Puts the addresses of a case's context in.
    pub fn named(&self, case: &Case, text: &str) -> String {
        let below = format!("{}/context", case.slug().display());
        text.replace("THEWEB", &format!("{}/{below}", self.web.url()))
            .replace("THEGIT", &format!("{}/{below}", self.git))
    }

    /// Takes the ports out again, which are others in each run.
    pub fn without_ports(&self, text: &str) -> String {
        text.replace(&self.web.url(), "http://web").replace(&self.git, "git://git")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Makes a directory a repository with one commit, the same in each run.
pub(super) fn commit(dir: &Path) -> std::io::Result<()> {
    let steps: [&[&str]; 3] = [
        &["init", "--quiet", "--initial-branch=main"],
        &["add", "--all"],
        &["commit", "--quiet", "--allow-empty", "--message=all"],
    ];
    for arguments in steps {
        let mut git = Command::new("git");
        git.current_dir(dir).args(arguments);
        for (who, name) in [("AUTHOR", "An Author"), ("COMMITTER", "A Committer")] {
            git.env(format!("GIT_{who}_NAME"), name);
            git.env(format!("GIT_{who}_EMAIL"), "someone@example.com");
            git.env(format!("GIT_{who}_DATE"), "2020-01-02T03:04:05Z");
        }
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let out = git.output()?;
        if !out.status.success() {
            return Err(std::io::Error::other(String::from_utf8_lossy(&out.stderr).into_owned()));
        }
    }
    Ok(())
}
