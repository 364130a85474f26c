//! Secrets of every kind are where they were asked for, and nowhere else.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    os::unix::net::UnixListener,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use xtask::registry::{Login, Registry};

use crate::{
    support::{MLINT, Project, Run},
    web::Web,
};

const FILE: &str = "file-secret-8f2b6c";
const VARIABLE: &str = "variable-secret-d41a90";
const TOKEN: &str = "git-token-77ce03";
const PASSWORD: &str = "registry-password-5b1e";

/// `x-access-token:` and the token, in base 64.
const TOKEN_ON_THE_WIRE: &str = "eC1hY2Nlc3MtdG9rZW46Z2l0LXRva2VuLTc3Y2UwMw==";
/// `someone:` and the password, in base 64.
const LOGIN_ON_THE_WIRE: &str = "c29tZW9uZTpyZWdpc3RyeS1wYXNzd29yZC01YjFl";

/// In every form in which they go over the wire.
const FORMS: [&str; 6] = [FILE, VARIABLE, TOKEN, PASSWORD, TOKEN_ON_THE_WIRE, LOGIN_ON_THE_WIRE];

/// Looks again and again at what processes show of themselves.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, BTreeSet<String>)>,
}

impl Watch {
    fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let (mut looks, mut seen) = (0, BTreeSet::new());
            while !told.load(Ordering::Relaxed) {
                looks += 1;
                for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
                    look(&entry.path(), &mut seen);
                }
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            (looks, seen)
        });
        Self { stop, thread }
    }

    fn end(self) -> (usize, BTreeSet<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Arguments are for all to see. The environment is for the same user, and even there is only what
/// was given in it, and a login for git.
fn look(process: &Path, seen: &mut BTreeSet<String>) {
    let read = |name: &str| {
        let bytes = fs::read(process.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let line = read("cmdline");
    for form in FORMS {
        if line.contains(form) {
            seen.insert(format!("arguments: {line}"));
        }
    }
    let environment = read("environ");
    for form in [FILE, PASSWORD, LOGIN_ON_THE_WIRE] {
        if environment.contains(form) {
            seen.insert(format!("environment of {line}"));
        }
    }
}

/// Everything that is kept below a directory, packed layers unpacked.
fn found_below(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(at) = todo.pop() {
        for entry in fs::read_dir(&at).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                todo.push(path);
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            let mut bytes = fs::read(&path).unwrap();
            if bytes.starts_with(&[0x1f, 0x8b]) {
                bytes = Command::new("gzip").arg("-dc").arg(&path).output().unwrap().stdout;
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            for form in FORMS {
                if text.contains(form) {
                    out.push(format!("{} holds {form}", path.display()));
                }
            }
        }
    }
    out
}

/// A repository that asks for nothing, served from `site`.
fn repository(site: &Path) {
    let dir = site.join("app");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("f"), "x").unwrap();
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "."],
        &["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "one"],
        &["update-server-info"],
    ] {
        assert!(Command::new("git").arg("-C").arg(&dir).args(args).status().unwrap().success());
    }
}

#[test]
fn secrets_are_nowhere_else() {
    let registry =
        Registry::start_with_login(Login { user: "someone", password: PASSWORD }).unwrap();
    let project = Project::new("");
    let site = project.beside("site");
    repository(&site);
    let web = Web::serve(&site);
    project.dockerfile(&format!(
        "FROM BASE\nADD {} /app/\n\
         RUN --mount=type=secret,id=file --mount=type=secret,id=variable,env=TOKEN --mount=type=ssh \
         grep -q 8f2b6c /run/secrets/file && test ${{#TOKEN}} = {} && \
         test -S $SSH_AUTH_SOCK && sleep 0.3\n\
         RUN env > /environment; cat /proc/self/mountinfo > /mounts\n",
        web.url("app/.git"),
        VARIABLE.len(),
    ));
    let (file, token) = (project.beside("given/file"), project.beside("given/token"));
    fs::create_dir(project.beside("given")).unwrap();
    fs::write(&file, FILE).unwrap();
    fs::write(&token, TOKEN).unwrap();
    let socket = project.beside("given/agent");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut byte = [0];
            let _ = client.read(&mut byte).and_then(|_| client.write_all(&byte));
        }
    });
    fs::create_dir(project.beside("given/docker")).unwrap();
    let host = registry.host();
    let config = format!(r#"{{"auths":{{"{host}":{{"auth":"{LOGIN_ON_THE_WIRE}"}}}}}}"#);
    fs::write(project.beside("given/docker/config.json"), config).unwrap();
    let name = format!("{}/secrets:1", registry.host());
    let kept = project.beside("kept");
    fs::create_dir(&kept).unwrap();
    let at = |name: &str| kept.join(name).display().to_string();
    let watch = Watch::start();
    for progress in ["plain", "json", "tty", "quiet"] {
        let mut command = Command::new(MLINT);
        command.current_dir(project.dir()).env("MLINT_CACHE_DIR", project.cache());
        command.args(["build", ".", "--platforms", "linux/amd64", "--no-cache"]);
        command.args(["--progress", progress, "-t", &name, "--push"]);
        command.args(["--secret", &format!("id=file,src={}", file.display())]);
        command.args(["--secret", "id=variable,env=GIVEN"]).env("GIVEN", VARIABLE);
        command.args(["--secret", &format!("id=GIT_AUTH_TOKEN,src={}", token.display())]);
        command.args(["--ssh", &format!("default={}", socket.display())]);
        command.args(["--provenance=mode=max", "--sbom"]);
        command.args(["--output", &format!("type=oci,dest={}", at(progress))]);
        command.args(["--metadata-file", &at("metadata.json"), "--iidfile", &at("iid")]);
        command.env("DOCKER_CONFIG", project.beside("given/docker"));
        let run = Run::of(&mut command).succeeds();
        for form in FORMS {
            assert!(!run.out.contains(form), "{progress}: {form} in {}", run.out);
            assert!(!run.err.contains(form), "{progress}: {form} in {}", run.err);
        }
    }
    let (looks, seen) = watch.end();
    assert!(looks > 20 && seen.is_empty(), "{looks} looks: {seen:?}");
    assert!(web.asked().iter().any(|line| line.contains(" basic ")), "the token was used");
    // The cache, the outputs, and all that the registry was given.
    for dir in [project.cache(), kept, registry.dir().join("data")] {
        assert_eq!(found_below(&dir), Vec::<String>::new());
    }
}
