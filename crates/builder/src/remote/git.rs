//! Git repositories, through the `git` program: no prompts, no hooks, no configuration of the
//! user's, and nothing secret among its arguments.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use base64::Engine as _;

use super::{GitAddress, RemoteError, tidy, without_credentials};
use crate::{
    error::FsError,
    sandbox::{safe_fs::Root, tied},
};

/// More of what git says is not kept.
const MAX_OUTPUT: u64 = 4 << 20;

/// What may be passed on: how the network is reached.
const PASSED_ON: &[&str] = &[
    "PATH",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_DIR",
];

/// Who we are for a repository.
#[derive(Clone, Default)]
pub struct GitLogin {
    /// The value of an Authorization header, for http.
    pub header: Option<String>,
    /// The socket of an agent, for ssh.
    pub agent: Option<PathBuf>,
}

impl std::fmt::Debug for GitLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitLogin").field("agent", &self.agent).finish_non_exhaustive()
    }
}

impl GitLogin {
    /// A login by token, as the big forges take it.
    pub fn token(token: &str) -> String {
        format!("basic {}", encoded(&format!("x-access-token:{token}")))
    }
}

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// Runs git.
pub struct Git<'a> {
    /// An empty directory, as home.
    pub home: &'a Path,
    /// Who we are.
    pub login: GitLogin,
    /// Whether to give up.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// What a reference points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The commit's full name.
    pub id: String,
    /// The name of the tag's own object, if it has one.
    pub tag: Option<String>,
    /// The branch or tag by its full name, if it is one.
    pub reference: Option<String>,
}

impl Git<'_> {
    /// Finds the commit that an address means, and checks that it is the expected one.
    pub fn resolve(
        &self,
        address: &GitAddress,
        checksum: Option<&str>,
    ) -> Result<Commit, RemoteError> {
        let wanted = address.reference.as_deref().unwrap_or("HEAD");
        let commit = match is_full_id(wanted) {
            true => Commit { id: wanted.to_lowercase(), tag: None, reference: None },
            false => {
                let (remote, _) = without_credentials(&address.remote);
                let peeled = format!("{wanted}^{{}}");
                let args = ["ls-remote", "--", &remote, wanted, &peeled];
                let listed = self.run(address, "list the references of", None, &args)?;
                choose(&listed, wanted).ok_or_else(|| RemoteError::NoReference {
                    remote: address.shown(),
                    reference: wanted.to_owned(),
                })?
            }
        };
        let fits = |id: &str| checksum.is_none_or(|c| id.starts_with(&c.to_lowercase()));
        if fits(&commit.id) || commit.tag.as_deref().is_some_and(fits) {
            return Ok(commit);
        }
        Err(RemoteError::OtherCommit {
            remote: address.shown(),
            found: commit.id,
            expected: checksum.unwrap_or_default().to_owned(),
        })
    }

    /// Puts a commit's files into the empty directory `dir`, and gives the directory that is meant:
    /// it, or one below.
    pub fn checkout(
        &self,
        address: &GitAddress,
        commit: &Commit,
        keep_git_dir: bool,
        dir: &Path,
    ) -> Result<PathBuf, RemoteError> {
        let (remote, _) = without_credentials(&address.remote);
        let fetch = "fetch";
        self.run(address, "start a copy of", Some(dir), &["init", "-q", "--template="])?;
        let origin = ["config", "remote.origin.url", &remote];
        self.run(address, "start a copy of", Some(dir), &origin)?;
        let shallow = ["fetch", "-q", "--depth=1", "--no-tags", "--", "origin", &commit.id];
        if let Err(first) = self.run(address, fetch, Some(dir), &shallow) {
            if matches!(first, RemoteError::Interrupted | RemoteError::NoGit { .. }) {
                return Err(first);
            }
            // Not every server gives a single commit: then all of it.
            let everything =
                ["fetch", "-q", "--tags", "--", "origin", "+refs/heads/*:refs/remotes/origin/*"];
            self.run(address, fetch, Some(dir), &everything)?;
        }
        let checkout = ["checkout", "-q", "--detach", &commit.id];
        self.run(address, "check out", Some(dir), &checkout)?;
        if let Some(name) = commit.reference.as_ref().filter(|_| keep_git_dir) {
            self.name(address, commit, name, dir)?;
        }
        if address.submodules && dir.join(".gitmodules").exists() {
            self.submodules(address, dir)?;
        }
        let time = match address.commit_times {
            true => Some(self.time_of(address, dir)?),
            false => None,
        };
        tidy(dir, keep_git_dir, time)?;
        let Some(subdir) = &address.subdir else { return Ok(dir.to_owned()) };
        // A link in the way must not lead out of the repository.
        let missing = || RemoteError::NoSubdir { remote: address.shown(), subdir: subdir.clone() };
        let root = Root::open(dir).map_err(FsError::new("open", dir))?;
        let found = root.subroot(subdir).map_err(|_| missing())?;
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&found.fd()));
        std::fs::read_link(&link).map_err(|_| missing())
    }

    /// Gives the commit the name that it was asked for by, so that `git describe` knows it.
    fn name(
        &self,
        address: &GitAddress,
        commit: &Commit,
        name: &str,
        dir: &Path,
    ) -> Result<(), RemoteError> {
        let object = match &commit.tag {
            None => &commit.id,
            Some(tag) => {
                let have = ["cat-file", "-e", tag];
                if self.run(address, "look into", Some(dir), &have).is_err() {
                    let get = ["fetch", "-q", "--depth=1", "--no-tags", "--", "origin", tag];
                    self.run(address, "fetch", Some(dir), &get)?;
                }
                tag
            }
        };
        self.run(address, "name the commit of", Some(dir), &["update-ref", name, object]).map(drop)
    }

    fn submodules(&self, address: &GitAddress, dir: &Path) -> Result<(), RemoteError> {
        let what = "fetch the submodules of";
        let update = ["submodule", "-q", "update", "--init", "--recursive"];
        let shallow: Vec<&str> = update.iter().copied().chain(["--depth=1"]).collect();
        match self.run(address, what, Some(dir), &shallow) {
            Ok(_) => Ok(()),
            Err(RemoteError::Interrupted) => Err(RemoteError::Interrupted),
            Err(_) => self.run(address, what, Some(dir), &update).map(drop),
        }
    }

    fn time_of(
        &self,
        address: &GitAddress,
        dir: &Path,
    ) -> Result<std::time::SystemTime, RemoteError> {
        let shown = self.run(address, "read", Some(dir), &["log", "-1", "--format=%ct"])?;
        let seconds: u64 = shown.trim().parse().unwrap_or_default();
        Ok(std::time::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    fn run(
        &self,
        address: &GitAddress,
        action: &'static str,
        dir: Option<&Path>,
        args: &[&str],
    ) -> Result<String, RemoteError> {
        let mut command = self.command(address);
        if let Some(dir) = dir {
            command.arg("-C").arg(dir);
        }
        command.args(args);
        let failed = |problem: String| RemoteError::Git {
            action,
            remote: address.shown(),
            problem: super::redacted(&problem),
        };
        let mut child = command.spawn().map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => RemoteError::NoGit { remote: address.shown() },
            _ => failed(e.to_string()),
        })?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let readers = [drain(out.map(boxed)), drain(err.map(boxed))];
        let status = self.wait(&mut child);
        let [out, err] = readers.map(|reader| reader.join().unwrap_or_default());
        match status? {
            status if status.success() => Ok(out),
            _ => Err(failed(last_words(&err))),
        }
    }

    fn wait(&self, child: &mut Child) -> Result<ExitStatus, RemoteError> {
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if (self.interrupted)() => {
                    // Its helpers are in its group.
                    let group = i32::try_from(child.id()).ok();
                    if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
                        let kill = rustix::process::Signal::KILL;
                        let _ = rustix::process::kill_process_group(group, kill);
                    }
                    let _ = child.wait();
                    return Err(RemoteError::Interrupted);
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Err(source) => {
                    return Err(FsError::new("wait for", Path::new("git"))(source).into());
                }
            }
        }
    }

    fn command(&self, address: &GitAddress) -> Command {
        let mut command = Command::new("git");
        command.env_clear().process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        tied::to_this_thread(&mut command);
        for name in PASSED_ON {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        if let Some(bundle) = std::env::var_os("SSL_CERT_FILE") {
            command.env("GIT_SSL_CAINFO", bundle);
        }
        command
            .env("HOME", self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "/bin/false")
            .env("GIT_ALLOW_PROTOCOL", "http:https:ssh:git")
            .env("GIT_SSH_VARIANT", "ssh")
            .env("GIT_SSH_COMMAND", ssh_command());
        if let Some(agent) = &self.login.agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        let mut settings = vec![
            ("core.hooksPath".to_owned(), "/dev/null".to_owned()),
            ("core.fsmonitor".to_owned(), "false".to_owned()),
            ("advice.detachedHead".to_owned(), "false".to_owned()),
            ("http.lowSpeedLimit".to_owned(), "1".to_owned()),
            ("http.lowSpeedTime".to_owned(), "60".to_owned()),
            ("safe.directory".to_owned(), "*".to_owned()),
        ];
        if let Some((place, header)) = self.header(address) {
            settings.push((format!("http.{place}.extraHeader"), header));
        }
        // By the environment, which only the same user can read: arguments are for all to see.
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (number, (key, value)) in settings.into_iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{number}"), key);
            command.env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        command
    }

    /// Where which Authorization header goes.
    fn header(&self, address: &GitAddress) -> Option<(String, String)> {
        let (remote, login) = without_credentials(&address.remote);
        let (scheme, rest) = remote.split_once("://")?;
        if scheme != "http" && scheme != "https" {
            return None;
        }
        let place = format!("{scheme}://{}/", rest.split('/').next()?);
        let value = match login {
            Some(login) => format!("basic {}", encoded(&percent_decoded(&login))),
            None => self.login.header.clone()?,
        };
        Some((place, format!("Authorization: {value}")))
    }
}

/// Logins in addresses are escaped.
fn percent_decoded(login: &str) -> String {
    let mut parts = login.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                out.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => {
                out.push(b'%');
                out.extend_from_slice(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// No configuration, no questions, no keys but the agent's, and only hosts that are known.
fn ssh_command() -> String {
    let mut command = "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes \
                       -o IdentityFile=none -o ConnectTimeout=20"
        .to_owned();
    let home = std::env::var("HOME").unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_');
    if !home.is_empty() && home.chars().all(plain) {
        command.push_str(&format!(" -o UserKnownHostsFile={home}/.ssh/known_hosts"));
    }
    command
}

fn boxed(reader: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(reader)
}

/// Reads on while the program runs, so that it never waits for us.
fn drain(from: Option<Box<dyn Read + Send>>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let Some(mut from) = from else { return String::new() };
        let mut kept = Vec::new();
        let _ = from.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
        let _ = std::io::copy(&mut from, &mut std::io::sink());
        String::from_utf8_lossy(&kept).into_owned()
    })
}

/// The line of an error that says most.
fn last_words(text: &str) -> String {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines().find_map(|line| line.strip_prefix("fatal: "));
    let line = fatal.or_else(|| lines().next_back()).unwrap_or("it said nothing");
    line.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn is_full_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What of a list of references is meant: the name itself, a branch, a tag.
fn choose(listed: &str, wanted: &str) -> Option<Commit> {
    let refs: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once('\t')).collect();
    let find = |name: &str| refs.iter().find(|(_, n)| *n == name).map(|(id, _)| (*id).to_owned());
    for name in [wanted.to_owned(), format!("refs/heads/{wanted}"), format!("refs/tags/{wanted}")] {
        let Some(id) = find(&name).filter(|id| is_full_id(id)) else { continue };
        let reference = Some(name.clone()).filter(|name| name.starts_with("refs/"));
        return Some(match find(&format!("{name}^{{}}")) {
            Some(commit) => Commit { id: commit, tag: Some(id), reference },
            None => Commit { id, tag: None, reference },
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_chosen_as_git_does() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let listed = format!(
            "{a}\tHEAD\n{b}\trefs/heads/x/v1\n{b}\trefs/heads/v1\n{a}\trefs/tags/v1\n{c}\trefs/tags/v2\n{a}\trefs/tags/v2^{{}}\n"
        );
        let id = |name: &str| choose(&listed, name).map(|c| c.id);
        assert_eq!(id("HEAD"), Some(a.clone()));
        assert_eq!(id("v1"), Some(b));
        assert_eq!(id("refs/tags/v1"), Some(a.clone()));
        assert_eq!(
            choose(&listed, "v2"),
            Some(Commit { id: a, tag: Some(c), reference: Some("refs/tags/v2".to_owned()) })
        );
        assert_eq!(id("v3"), None);
    }

    #[test]
    fn logins_go_by_the_environment() {
        let home = tempfile::tempdir().unwrap();
        let login = GitLogin { header: Some(GitLogin::token("t0ken")), agent: None };
        let git = Git { home: home.path(), login, interrupted: &|| false };
        let of = |remote: &str| {
            git.header(&GitAddress { remote: remote.to_owned(), ..GitAddress::default() })
        };
        let (place, header) = of("https://h.example/x.git").unwrap();
        assert_eq!(place, "https://h.example/");
        assert_eq!(header, "Authorization: basic eC1hY2Nlc3MtdG9rZW46dDBrZW4=");
        // What stands in the address itself wins.
        let (_, header) = of("https://me:p%40ss@h.example/x.git").unwrap();
        assert_eq!(header, format!("Authorization: basic {}", encoded("me:p@ss")));
        assert_eq!(of("ssh://git@h.example/x"), None);
        assert!(!format!("{:?}", git.login).contains("t0ken"));
    }

    #[test]
    fn what_git_says_is_cut_to_the_point() {
        assert_eq!(last_words("warning: x\nfatal: no such host\nhint: y\n"), "no such host");
        assert_eq!(last_words("one\n\x1b[31mtwo\n"), "[31mtwo");
        assert_eq!(last_words(""), "it said nothing");
    }
}
