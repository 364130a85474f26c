//! What only newer Dockerfiles have: --parents, --exclude, ADD from elsewhere, secrets, agents.

use std::{
    fs,
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::Path,
    process::Command,
};

use crate::{
    support::{Project, Run, listing},
    web::Web,
};

/// Builds for one platform into a directory.
fn built(project: &Project, args: &[&str]) -> (Vec<String>, Run) {
    let out = project.beside("out");
    let _ = fs::remove_dir_all(&out);
    let output = format!("type=local,dest={}", out.display());
    let args: Vec<&str> = ["--output", &output, "--platforms", "linux/amd64"]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    let run = project.build(&args).succeeds();
    (listing(&out), run)
}

fn mode(project: &Project, path: &str) -> u32 {
    fs::metadata(project.beside("out").join(path)).unwrap().permissions().mode() & 0o7777
}

fn digest(bytes: &[u8]) -> String {
    mlint_oci::Digest::sha256(bytes).to_string()
}

#[test]
fn parents_stay_and_excluded_files_do_not() {
    let project = Project::new(
        "FROM scratch\nCOPY --parents pkg/*/go.mod lib/./a/** /src/\n\
         COPY --exclude=*.md --exclude=**/tmp --chmod=u=rwX,go=rX lib /lib/\n",
    );
    for name in ["pkg/x/go.mod", "pkg/x/x.go", "pkg/y/go.mod", "lib/a/b/c", "lib/README.md"] {
        project.file(name, name);
    }
    project.file("lib/a/tmp/junk", "x").file("lib/a/NOTES.md", "x");
    let (names, _) = built(&project, &[]);
    assert_eq!(
        names,
        [
            "lib/",
            "lib/a/",
            "lib/a/NOTES.md",
            "lib/a/b/",
            "lib/a/b/c",
            "src/",
            "src/a/",
            "src/a/NOTES.md",
            "src/a/b/",
            "src/a/b/c",
            "src/a/tmp/",
            "src/a/tmp/junk",
            "src/pkg/",
            "src/pkg/x/",
            "src/pkg/x/go.mod",
            "src/pkg/y/",
            "src/pkg/y/go.mod",
        ]
    );
    assert_eq!((mode(&project, "lib/a"), mode(&project, "lib/a/b/c")), (0o755, 0o644));
    // What is left out does not count for the cache.
    project.file("lib/README.md", "changed").file("pkg/x/x.go", "changed");
    let (_, run) = built(&project, &[]);
    assert!(run.err.contains("all steps from the cache"), "{}", run.err);
    project.dockerfile("FROM scratch\nCOPY --parents pkg/none /src/\n");
    project.build(&[]).fails_with(&["'pkg/none' is not there", "2 | COPY"]);
}

#[test]
fn files_are_fetched_with_their_name_mode_and_time() {
    let project = Project::new("");
    let site = project.beside("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("tool"), "one").unwrap();
    let mut pack = Command::new("tar");
    pack.arg("-czf").arg(site.join("a.tgz")).arg("tool").current_dir(&site);
    assert!(pack.status().unwrap().success());
    let web = Web::serve(&site);
    let login = web.url("tool").replace("http://", "http://me:hunter2@");
    let file = format!(
        "FROM scratch\nADD {} /bin/\nADD --chmod=755 --chown=3:4 {}?x=y /named\nADD {} /kept/\n\
         ADD --unpack {} /unpacked/\n",
        login,
        web.url("tool"),
        web.url("a.tgz"),
        web.url("a.tgz"),
    );
    project.dockerfile(&file);
    let (names, run) = built(&project, &[]);
    assert_eq!(
        names,
        ["bin/", "bin/tool", "kept/", "kept/a.tgz", "named", "unpacked/", "unpacked/tool"]
    );
    assert!(!run.err.contains("hunter2") && run.err.contains("xxxxx@"), "{}", run.err);
    assert_eq!((mode(&project, "bin/tool"), mode(&project, "named")), (0o600, 0o755));
    assert!(web.asked().iter().any(|line| line.contains("Basic ")), "the login is used");
    // Asked again by mark; what has not changed is not sent.
    let (_, run) = built(&project, &[]);
    assert!(run.err.contains("all steps from the cache"), "{}", run.err);
    let asked = web.asked();
    assert!(asked.iter().all(|line| line.ends_with("304")), "{asked:?}");
    fs::write(site.join("tool"), "other").unwrap();
    let (_, run) = built(&project, &[]);
    assert!(!run.err.contains("all steps from the cache"), "{}", run.err);
    assert_eq!(fs::read(project.beside("out/bin/tool")).unwrap(), b"other");
    // Nothing of the login is in what is kept.
    let found = Command::new("grep").args(["-rlF", "hunter2"]).arg(project.cache()).output();
    assert_eq!(found.unwrap().stdout, b"");
}

#[test]
fn a_checksum_saves_the_question_and_guards_the_answer() {
    let project = Project::new("");
    let site = project.beside("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("f"), "content").unwrap();
    let web = Web::serve(&site);
    let line = |sum: &str| format!("FROM scratch\nADD --checksum={sum} {} /\n", web.url("f"));
    project.dockerfile(&line(&digest(b"content")));
    let (names, _) = built(&project, &[]);
    assert_eq!(names, ["f"]);
    web.asked();
    built(&project, &[]);
    assert_eq!(web.asked(), Vec::<String>::new());
    project.dockerfile(&line(&digest(b"something else")));
    project.build(&[]).fails_with(&[&digest(b"content"), "expected", "2 | ADD"]);
    project.dockerfile(&format!("FROM scratch\nADD {} /\n", web.url("none?token=t")));
    project.build(&[]).fails_with(&["404", "2 | ADD"]);
    project.dockerfile(&format!("FROM scratch\nCOPY {} /\n", web.url("f")));
    project.build(&[]).fails_with(&["COPY takes no addresses"]);
}

/// A repository that a plain web server can serve.
fn repository(dir: &Path) -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=n", "-c", "user.email=e", "-C"])
            .arg(dir)
            .args(args)
            .output()
            .expect("git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    fs::create_dir_all(dir.join("sub")).unwrap();
    git(&["init", "-q", "-b", "main"]);
    fs::write(dir.join("a"), "1").unwrap();
    fs::write(dir.join("sub/run"), "#!").unwrap();
    fs::set_permissions(dir.join("sub/run"), fs::Permissions::from_mode(0o700)).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    git(&["tag", "-a", "-m", "t", "v1"]);
    fs::write(dir.join("a"), "2").unwrap();
    git(&["commit", "-qam", "two"]);
    // What a server without git's help needs.
    git(&["update-server-info"]);
    git(&["rev-parse", "v1^{commit}"])
}

#[test]
fn repositories_are_checked_out() {
    let project = Project::new("");
    let site = project.beside("site");
    let commit = repository(&site.join("app"));
    let web = Web::serve(&site);
    let remote = web.url("app/.git");
    project.dockerfile(&format!(
        "FROM scratch\nADD {remote}#v1 /v1/\nADD --keep-git-dir {remote}#main /main/\n\
         ADD --checksum={commit} {remote}?tag=v1#:sub /sub/\n"
    ));
    let (names, _) = built(&project, &["--secret", "id=GIT_AUTH_TOKEN,env=PATH"]);
    let names: Vec<&str> =
        names.iter().map(String::as_str).filter(|n| !n.starts_with("main/.git/")).collect();
    assert_eq!(
        names,
        [
            "main/",
            "main/a",
            "main/sub/",
            "main/sub/run",
            "sub/",
            "sub/run",
            "v1/",
            "v1/a",
            "v1/sub/",
            "v1/sub/run"
        ]
    );
    assert!(project.beside("out/main/.git/HEAD").exists());
    assert_eq!(fs::read(project.beside("out/v1/a")).unwrap(), b"1");
    assert_eq!((mode(&project, "v1/sub/run"), mode(&project, "v1/a")), (0o755, 0o644));
    assert!(web.asked().iter().any(|line| line.contains(" basic ")), "the token is used");
    let wrong = "0123456789".repeat(4);
    project.dockerfile(&format!("FROM scratch\nADD --checksum={wrong} {remote}#v1 /\n"));
    project.build(&[]).fails_with(&[&commit, "expected", "2 | ADD"]);
    project.dockerfile(&format!("FROM scratch\nADD {remote}#nowhere /\n"));
    project.build(&[]).fails_with(&["no branch, tag or commit 'nowhere'"]);
    project.dockerfile(&format!("FROM scratch\nADD {remote}#v1:../../etc /\n"));
    project.build(&[]).fails_with(&["no directory 'etc'"]);
}

#[test]
fn secrets_are_seen_by_their_step_alone() {
    let project = Project::new(
        "FROM BASE\nRUN --mount=type=secret,id=key --mount=type=secret,id=token,env=TOKEN \
         cat /run/secrets/key | tr a-z A-Z > /seen && printf %s \"$TOKEN\" | wc -c >> /seen && \
         stat -c '%a %u' /run/secrets/key >> /seen\n\
         RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent && env > /env\n",
    );
    let key = project.beside("key");
    fs::write(&key, "hush-hush").unwrap();
    let secret = format!("id=key,src={}", key.display());
    let mut command = project.command(&[
        "--secret",
        &secret,
        "--secret",
        "id=token,env=MY_TOKEN",
        "--platforms",
        "linux/amd64",
        "--output",
        "out",
    ]);
    command.env("MY_TOKEN", "tokenvalue");
    Run::of(&mut command).succeeds();
    let out = project.dir().join("out");
    assert_eq!(fs::read_to_string(out.join("seen")).unwrap(), "HUSH-HUSH10\n400 0\n");
    let env = fs::read_to_string(out.join("env")).unwrap();
    assert!(!env.contains("tokenvalue"), "{env}");
    for value in ["hush-hush", "tokenvalue"] {
        let found = Command::new("grep").args(["-rlF", value]).arg(project.cache()).output();
        assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "", "{value}");
    }
    // Another value is no reason to run again; its absence where it is required is one to stop.
    fs::remove_dir_all(&out).unwrap();
    fs::write(&key, "another").unwrap();
    let mut command =
        project.command(&["--secret", &secret, "--platforms", "linux/amd64", "--output", "out"]);
    let run = Run::of(&mut command).succeeds();
    assert!(run.err.contains("all steps from the cache"), "{}", run.err);
    project.dockerfile("FROM BASE\nRUN --mount=type=secret,id=key,required true\n");
    project.build(&[]).fails_with(&["secret 'key' is required", "2 | RUN"]);
}

#[test]
fn key_files_come_with_an_agent_of_their_own() {
    let project = Project::new("FROM BASE\nRUN --mount=type=ssh test -S $SSH_AUTH_SOCK\n");
    let key = |name: &str, passphrase: &str| {
        let path = project.beside(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&path);
        assert!(keygen.status().unwrap().success());
        format!("default={}", path.display())
    };
    let build = |ssh: &str| project.build(&["--ssh", ssh, "--platforms", "linux/amd64"]);
    build(&key("plain", "")).succeeds();
    build(&key("locked", "words")).fails_with(&["locked has a passphrase", "ssh-add"]);
}

#[test]
fn commands_reach_an_agent_and_what_they_are_given() {
    let project = Project::new(
        "FROM BASE\nRUN --mount=type=ssh,uid=1000,mode=0640 stat -c '%a %u' $SSH_AUTH_SOCK > /seen && \
         grep -c 'wonder.example' /etc/hosts >> /seen && ulimit -n >> /seen && \
         df -k /dev/shm | tail -1 | awk '{print $2}' >> /seen\n\
         RUN --network=host true\nRUN grep -c : /proc/net/dev > /none\n",
    );
    let socket = project.beside("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let mut client = client;
            let mut byte = [0];
            let _ = client.read(&mut byte);
            let _ = client.write_all(&byte);
        }
    });
    let agent = format!("default={}", socket.display());
    let (names, _) = built(
        &project,
        &[
            "--ssh",
            &agent,
            "--add-host",
            "wonder.example:10.1.2.3",
            "--ulimit",
            "nofile=77:99",
            "--shm-size",
            "8m",
            "--network",
            "none",
        ],
    );
    let seen = fs::read_to_string(project.beside("out/seen")).unwrap();
    assert_eq!(seen, "640 1000\n1\n77\n8192\n");
    assert_eq!(fs::read_to_string(project.beside("out/none")).unwrap(), "1\n");
    // The socket's place is no part of the image.
    assert!(!names.iter().any(|name| name.contains("buildkit")), "{names:?}");
    let owner = fs::metadata(project.beside("out/seen")).unwrap().uid();
    assert_eq!(owner, rustix::process::getuid().as_raw());
}

#[test]
fn secrets_tell_a_server_who_asks() {
    let project = Project::new("");
    let site = project.beside("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("f"), "content").unwrap();
    let web = Web::serve(&site);
    let host = web.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let token = project.beside("token");
    fs::write(&token, "s3cret\n").unwrap();
    project.dockerfile(&format!("FROM scratch\nADD {} /\n", web.url("f")));
    for (id, said) in [
        (format!("HTTP_AUTH_TOKEN_{host}"), Some("GET /f Bearer s3cret ")),
        ("HTTP_AUTH_HEADER_127.0.0.1".to_owned(), Some("GET /f s3cret ")),
        ("HTTP_AUTH_TOKEN_elsewhere.example".to_owned(), None),
    ] {
        let secret = format!("id={id},src={}", token.display());
        let (_, run) = built(&project, &["--secret", &secret]);
        assert!(!run.err.contains("s3cret"), "{}", run.err);
        let asked = web.asked();
        match said {
            Some(said) => assert!(asked[0].starts_with(said), "{id}: {asked:?}"),
            None => assert!(!asked[0].contains("s3cret"), "{id}: {asked:?}"),
        }
    }
}
