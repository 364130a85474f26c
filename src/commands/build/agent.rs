//! `--ssh`: agents that run already, and one of our own for key files.

use std::{
    io::{self, BufRead, BufReader},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// All agents of a build; those that were started for it end with this.
#[derive(Default)]
pub struct Agents {
    sockets: Vec<(String, PathBuf)>,
    own: Vec<OwnAgent>,
}

/// What an argument asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Socket(PathBuf),
    Keys(Vec<PathBuf>),
}

impl Agents {
    /// `default`, `ID`, `ID=SOCKET`, `ID=KEY,…`.
    pub fn open(texts: &[String]) -> Result<Self, String> {
        let mut agents = Self::default();
        for text in texts {
            let running = std::env::var_os("SSH_AUTH_SOCK").filter(|v| !v.is_empty());
            let failed = |why: String| format!("--ssh {text}: {why}");
            let (id, wanted) = wanted(text, running.map(PathBuf::from)).map_err(failed)?;
            let socket = match wanted {
                Wanted::Socket(path) => path,
                Wanted::Keys(keys) => {
                    let agent = OwnAgent::start().map_err(failed)?;
                    keys.iter().try_for_each(|key| agent.add(key)).map_err(failed)?;
                    let socket = agent.socket.clone();
                    agents.own.push(agent);
                    socket
                }
            };
            agents.sockets.push((id, socket));
        }
        Ok(agents)
    }

    /// Their sockets, by their ids.
    pub fn sockets(&self) -> &[(String, PathBuf)] {
        &self.sockets
    }
}

fn wanted(text: &str, running: Option<PathBuf>) -> Result<(String, Wanted), String> {
    let (id, paths) = match text.split_once('=') {
        Some((id, paths)) => (id, paths.split(',').map(PathBuf::from).collect()),
        None => (
            text,
            vec![running.ok_or(
            "no agent runs here (SSH_AUTH_SOCK is not set): start one, as in eval $(ssh-agent) && \
             ssh-add, or name a key file, as in --ssh default=FILE",
        )?],
        ),
    };
    let id = if id.is_empty() { "default" } else { id };
    let mut keys = Vec::new();
    for path in &paths {
        let found = std::fs::metadata(path);
        let found = found.map_err(|e| format!("cannot find {}: {e}", path.display()))?;
        let path = std::path::absolute(path).map_err(|e| e.to_string())?;
        match found.file_type().is_socket() {
            true if paths.len() > 1 => {
                return Err(format!("{} is an agent's socket: it stands alone", path.display()));
            }
            true => return Ok((id.to_owned(), Wanted::Socket(path))),
            false if found.is_file() => keys.push(path),
            false => return Err(format!("{} is neither a socket nor a file", path.display())),
        }
    }
    Ok((id.to_owned(), Wanted::Keys(keys)))
}

/// An `ssh-agent` for this build. It runs beside a `cat` whose input ends with us, however that
/// is, and an agent that was started for a command ends soon after it, with its socket.
struct OwnAgent {
    command: Child,
    agent: Option<Pid>,
    socket: PathBuf,
}

impl OwnAgent {
    fn start() -> Result<Self, String> {
        let mut ssh_agent = Command::new("ssh-agent");
        ssh_agent.args(["sh", "-c", r#"echo "$SSH_AGENT_PID $SSH_AUTH_SOCK"; exec cat"#]);
        ssh_agent.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut command = ssh_agent.spawn().map_err(|e| not_there("ssh-agent", &e))?;
        let mut said = String::new();
        if let Some(out) = command.stdout.take() {
            let _ = BufReader::new(out).read_line(&mut said);
        }
        let (pid, socket) = said.trim().split_once(' ').unwrap_or_default();
        let agent = pid.parse().ok().and_then(Pid::from_raw);
        let own = Self { command, agent, socket: PathBuf::from(socket) };
        match agent {
            Some(_) => Ok(own),
            None => Err("ssh-agent does not start".to_owned()),
        }
    }

    /// Gives it a key. Nobody is asked for a passphrase in the middle of a build.
    fn add(&self, key: &Path) -> Result<(), String> {
        // Tells what is wrong with a key without asking for anything.
        let mut look = Command::new("ssh-keygen");
        look.args(["-y", "-P", "", "-f"]).arg(key);
        quiet(look).map_err(|said| match said.contains("passphrase") {
            true => format!(
                "{} has a passphrase: give it to an agent with ssh-add, and that agent here (its \
                 socket, or nothing for the one of SSH_AUTH_SOCK)",
                key.display()
            ),
            false => format!("{} can't be used: {said}", key.display()),
        })?;
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(key);
        add.env("SSH_AUTH_SOCK", &self.socket).env("SSH_ASKPASS_REQUIRE", "never");
        quiet(add).map_err(|said| format!("{} can't be used: {said}", key.display()))
    }
}

impl Drop for OwnAgent {
    fn drop(&mut self) {
        if let Some(agent) = self.agent {
            // It takes its socket away.
            let _ = kill_process(agent, Signal::TERM);
        }
        drop(self.command.stdin.take());
        let _ = self.command.wait();
    }
}

/// Runs a program to its end; if it fails, the line in which it says why.
fn quiet(mut command: Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| not_there(&name, &e))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let mut lines =
        said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("@@@"));
    // Of a key that all may read, the first line says it; the last of anything else.
    let open = lines.clone().find(|line| line.starts_with("Permissions "));
    Err(open.or(lines.next_back()).unwrap_or("it fails").to_owned())
}

fn not_there(program: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!(
            "key files need {program}, which is not installed: it comes with OpenSSH's client"
        ),
        _ => format!("cannot start {program}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, time::Duration};

    use super::*;

    #[test]
    fn sockets_keys_and_neither() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let _listener = UnixListener::bind(at("socket")).unwrap();
        std::fs::write(at("key"), "").unwrap();
        let one = |text: &str| {
            let text = text.replace("DIR", &dir.path().display().to_string());
            wanted(&text, Some(at("socket")))
        };
        let named = |id: &str, wanted| Ok((id.to_owned(), wanted));
        let socket = || Wanted::Socket(at("socket"));
        assert_eq!(one("default"), named("default", socket()));
        assert_eq!(one("mine=DIR/socket"), named("mine", socket()));
        assert_eq!(one("=DIR/key"), named("default", Wanted::Keys(vec![at("key")])));
        let two = Wanted::Keys(vec![at("key"), at("key")]);
        assert_eq!(one("x=DIR/key,DIR/key"), named("x", two));
        for (text, why) in [
            ("x=DIR/key,DIR/socket", "stands alone"),
            ("x=DIR/none", "cannot find"),
            ("x=DIR", "neither a socket nor a file"),
        ] {
            let refused = one(text).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
        assert!(wanted("default", None).unwrap_err().contains("--ssh default=FILE"));
    }

    /// A key of that name.
    fn key(dir: &Path, name: &str, passphrase: &str) -> PathBuf {
        let path = dir.join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"]).arg(&path);
        assert!(keygen.status().expect("ssh-keygen, of openssh-client").success());
        path
    }

    #[test]
    fn an_agent_of_our_own_holds_the_keys_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (key(dir.path(), "one", ""), key(dir.path(), "two", ""));
        let agents = Agents::open(&[format!("x={},{}", one.display(), two.display())]).unwrap();
        let (id, socket) = agents.sockets()[0].clone();
        assert_eq!(id, "x");
        let mut list = Command::new("ssh-add");
        let list = list.arg("-l").env("SSH_AUTH_SOCK", &socket).output().unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        assert!(list.contains(" one ") && list.contains(" two "), "{list}");
        drop(agents);
        let gone = || {
            std::thread::sleep(Duration::from_millis(10));
            !socket.exists()
        };
        assert!((0..300).any(|_| gone()), "{} is left", socket.display());
    }

    #[test]
    fn keys_that_cannot_be_used_say_why() {
        let dir = tempfile::tempdir().unwrap();
        let locked = key(dir.path(), "locked", "words");
        let refused = |path: &Path| {
            Agents::open(&[format!("default={}", path.display())]).err().unwrap_or_default()
        };
        assert!(refused(&locked).contains("has a passphrase"), "{}", refused(&locked));
        let none = dir.path().join("none");
        std::fs::write(&none, "no key").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode;
        std::fs::set_permissions(&none, mode(0o600)).unwrap();
        assert!(refused(&none).contains("none can't be used: "), "{}", refused(&none));
        std::fs::set_permissions(&locked, mode(0o644)).unwrap();
        assert!(refused(&locked).contains("too open"), "{}", refused(&locked));
    }
}
