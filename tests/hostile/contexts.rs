//! Contexts, Dockerfiles and repositories that mean harm, and links in the image that lead out.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::{ffi::OsStrExt, fs::symlink, net::UnixListener},
    path::Path,
    process::{Command, Stdio},
};

use xtask::{
    files::Files,
    rootfs::{self, Kind},
};

use crate::{
    support::{Outside, SECRET, listing},
    tar::archive,
};

struct Project {
    work: tempfile::TempDir,
    outside: Outside,
}

struct Built {
    status: Option<i32>,
    err: String,
}

impl Project {
    fn new() -> Self {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir(work.path().join("context")).unwrap();
        Self { work, outside: Outside::new() }
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.work.path().join("context").join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlint"));
        command.args(["build", "--platforms", "linux/amd64", "--progress", "plain"]).args(args);
        command
            .current_dir(self.work.path().join("context"))
            .env("MLINT_CACHE_DIR", self.work.path().join("cache"))
            .stdin(Stdio::null());
        command
    }

    /// Builds into the directory `out` beside the context, which is emptied first.
    fn build(&self, dockerfile: &str) -> Built {
        fs::write(self.at("Dockerfile"), dockerfile.replace("OUT", &self.outside.text())).unwrap();
        let out = self.work.path().join("out");
        mlint_builder::store::remove_tree(&out);
        self.run(&mut self.command(&[".", "--output", out.to_str().unwrap()]))
    }

    fn run(&self, command: &mut Command) -> Built {
        let output = command.output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(!err.contains("panicked"), "{err}");
        self.outside.is_untouched(&err);
        for place in ["out", "cache"] {
            let found = Command::new("grep")
                .args(["-rlF", SECRET])
                .arg(self.work.path().join(place))
                .stderr(Stdio::null())
                .output();
            let found = String::from_utf8_lossy(&found.unwrap().stdout).into_owned();
            assert_eq!(found, "", "{err}");
        }
        Built { status: output.status.code(), err }
    }

    fn out(&self) -> Vec<String> {
        listing(&self.work.path().join("out"))
    }
}

impl Built {
    #[track_caller]
    fn succeeds(self) {
        assert_eq!(self.status, Some(0), "{}", self.err);
    }

    #[track_caller]
    fn fails_with(self, words: &str) {
        assert_eq!(self.status, Some(2), "{}", self.err);
        assert!(self.err.contains(words), "nothing about '{words}': {}", self.err);
    }
}

#[test]
fn links_of_a_context_lead_nowhere_else() {
    let project = Project::new();
    let to = project.outside.text();
    symlink(format!("{to}/secret"), project.at("file")).unwrap();
    symlink(&to, project.at("dir")).unwrap();
    symlink(format!("../../../../../../../..{to}"), project.at("up")).unwrap();
    symlink("loop", project.at("loop")).unwrap();
    for (source, words) in [
        ("file", "'file' is not there"),
        ("dir/secret", "'dir/secret' is not there"),
        ("up/secret", "'up/secret' is not there"),
        ("OUT/secret", "is not there"),
        ("../../../../../../../../../..OUT/secret", "is not there"),
        ("loop", "more symbolic links than can be right"),
    ] {
        project.build(&format!("FROM scratch\nCOPY {source} /f\n")).fails_with(words);
        project.build(&format!("FROM scratch\nADD {source} /f\n")).fails_with(words);
    }
    // As they are, they are copied: text, and nobody follows it.
    project.build("FROM scratch\nCOPY . /c/\n").succeeds();
    assert!(project.out().contains(&format!("c/dir -> {to}")), "{:?}", project.out());
    // Nor does what stands in the ignore file lead out.
    fs::write(project.at(".dockerignore"), format!("*\n!{to}/secret\n!../../*\n!dir/secret\n"))
        .unwrap();
    project.build("FROM scratch\nCOPY . /c/\n").succeeds();
}

#[test]
fn odd_files_are_no_trap() {
    let project = Project::new();
    let fifo = Command::new("mkfifo").arg(project.at("fifo")).status().unwrap();
    assert!(fifo.success());
    let _socket = UnixListener::bind(project.at("socket")).unwrap();
    let odd = OsStr::from_bytes(b"\xff\xfe \n name");
    fs::write(project.at("").join(odd), "x").unwrap();
    fs::write(project.at(".wh.gone"), "x").unwrap();
    project.build("FROM scratch\nCOPY .wh.gone /\n").fails_with("names that begin with '.wh.'");
    fs::remove_file(project.at(".wh.gone")).unwrap();
    project.build("FROM scratch\nCOPY fifo /\nCOPY . /c/\nADD fifo /again\n").succeeds();
    let out = fs::read_dir(project.work.path().join("out/c")).unwrap().flatten();
    assert!(out.map(|entry| entry.file_name()).any(|name| name == odd), "{:?}", project.out());
    project.build("FROM scratch\nCOPY socket /\n").succeeds();
    let socket = fs::symlink_metadata(project.work.path().join("out/socket")).unwrap();
    assert!(socket.is_file() && socket.len() == 0);
}

/// A root of busybox with links that lead out of it.
fn with_root(project: &Project) -> &'static str {
    let parts = rootfs::make(Kind::Busybox).expect("busybox (`cargo xtask setup` makes it)");
    fs::copy(parts.join("rootfs-amd64.tar"), project.at("root.tar")).unwrap();
    let lines = ["link out -> OUT", "link all -> /", "link up -> ../../../../../../..OUT"];
    fs::write(project.at("links.tar"), archive(&lines, &project.outside.text())).unwrap();
    fs::write(project.at("f"), "x").unwrap();
    "FROM scratch\nADD root.tar links.tar /\n"
}

#[test]
fn links_of_an_image_stay_in_it() {
    if std::env::consts::ARCH != "x86_64" {
        return;
    }
    let project = Project::new();
    let base = with_root(&project);
    let to = project.outside.text();
    // The directory that the links name comes into being in the image.
    let inside = format!("{}/secret", to.trim_start_matches('/'));
    for line in [
        "COPY f /out/secret",
        "COPY f /up/secret",
        "COPY f /all/out/secret",
        "WORKDIR /out\nCOPY f secret",
        "WORKDIR /all/up\nRUN echo x > secret",
        "RUN --mount=type=tmpfs,target=/out/t mkdir -p OUT && echo x > /out/secret",
        "RUN --mount=type=cache,target=/up mkdir -p OUT; echo x > /bin/y; cp /bin/y OUT/../secret; \
         mkdir -p OUT && echo x > OUT/secret || true",
        "RUN mkdir -p OUT && echo x > /out/secret",
    ] {
        let built = project.build(&format!("{base}{line}\n"));
        if built.status == Some(0) {
            let there = project.out();
            let some = there.contains(&inside) || line.contains("type=cache");
            assert!(some, "{line}: {there:?}");
        } else {
            assert_eq!(built.status, Some(2), "{line}: {}", built.err);
        }
    }
    // Sources of mounts are resolved in their own root.
    symlink(&to, project.at("dir")).unwrap();
    symlink("../../../../../../../../..", project.at("up")).unwrap();
    for source in ["dir", "dir/secret", "up/etc", "../../../.."] {
        let line = format!(
            "RUN --mount=type=bind,source={source},target=/mnt ! grep -r nobody-may-[r]ead-this /mnt && ! test -e /mnt/passwd\n"
        );
        let built = project.build(&format!("{base}{line}"));
        assert!(matches!(built.status, Some(0 | 2)), "{source}: {}", built.err);
        assert!(!built.err.contains("exit status"), "{source}: {}", built.err);
    }
    let line = "RUN --mount=type=bind,from=other,source=/out,target=/mnt ! test -e /mnt/secret\n";
    let built =
        project.build(&format!("{base}FROM scratch AS other\nADD links.tar /\n{base}{line}"));
    assert!(!built.err.contains("exit status"), "{}", built.err);
}

#[test]
fn trees_deeper_than_a_path_are_told_and_removed() {
    if std::env::consts::ARCH != "x86_64" {
        return;
    }
    let project = Project::new();
    let base = with_root(&project);
    let deep = |levels: u32| {
        format!("{base}RUN i=0; while [ $i -lt {levels} ]; do mkdir d; cd d; i=$((i+1)); done\n")
    };
    project.build(&deep(2100)).fails_with("File name too long");
    let tmp = project.work.path().join("cache/v2/tmp");
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0, "what is deep can be removed");
    // As deep as a path can be: it can be built, or it is told.
    let built = project.build(&deep(900));
    assert!(matches!(built.status, Some(0 | 2)), "{}", built.err);
    project.build(&format!("{base}RUN true\n")).succeeds();
}

/// What comes as an archive on standard input is unpacked beside nothing else.
#[test]
fn an_archive_as_context_stays_in_its_directory() {
    let project = Project::new();
    let out = project.work.path().join("out");
    for (lines, words) in [
        (vec!["file Dockerfile FROM scratch\\nCOPY . /\\n", "link l -> OUT", "file l/f x"], ""),
        (vec!["link Dockerfile -> OUT/secret"], "there is no Dockerfile"),
        // Nobody reads it: all that came is there.
        (vec!["file Dockerfile FROM scratch\\n", "link .dockerignore -> OUT/secret"], ""),
        (vec!["file Dockerfile FROM scratch\\n", "hard h = OUT/secret"], "cannot unpack"),
        (
            vec!["file Dockerfile FROM scratch\\nCOPY l /f\\n", "link l -> OUT/secret"],
            "is not there",
        ),
        (vec!["file Dockerfile FROM scratch\\n", "size negative", "file f x"], "size"),
    ] {
        mlint_builder::store::remove_tree(&out);
        let bytes = archive(&lines, &project.outside.text());
        let mut command = project.command(&["-", "--output", out.to_str().unwrap()]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(&bytes);
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        project.outside.is_untouched(&err);
        assert!(!err.contains(SECRET) && !err.contains("panicked"), "{err}");
        match words {
            "" => assert_eq!(output.status.code(), Some(0), "{err}"),
            words => assert!(err.contains(words), "nothing about '{words}': {err}"),
        }
    }
}

fn git(dir: &Path, args: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=n", "-c", "user.email=e", "-c", "protocol.file.allow=always"])
        .args(["-c", "protocol.ext.allow=always", "-C"])
        .arg(dir)
        .args(args)
        .output()
        .expect("git");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn repositories_run_nothing_and_lead_nowhere() {
    let project = Project::new();
    let served = project.work.path().join("served");
    let repository = served.join("app");
    fs::create_dir_all(&repository).unwrap();
    git(&repository, &["init", "-q", "-b", "main"]);
    symlink(project.outside.path(), repository.join("out")).unwrap();
    fs::write(repository.join("f"), "x").unwrap();
    // Names that a server or a careless program would take for more.
    fs::write(repository.join(".gitattributes"), "* filter=evil diff=evil\n").unwrap();
    fs::write(repository.join(".lfsconfig"), "[lfs]\nurl = ext::sh\n").unwrap();
    let mut modules = String::new();
    for (name, url) in [
        ("shell", format!("ext::sh -c \"touch {}/touched\"", project.outside.text())),
        ("file", format!("file://{}/app/.git", served.display())),
        ("path", format!("{}/app/.git", served.display())),
        ("option", "--upload-pack=touch /tmp/x".to_owned()),
    ] {
        modules.push_str(&format!("[submodule \"{name}\"]\n\tpath = {name}\n\turl = {url}\n"));
    }
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-qm", "one"]);
    fs::write(repository.join(".gitmodules"), modules).unwrap();
    let commit = {
        let output =
            Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&repository).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    };
    for name in ["shell", "file", "path", "option"] {
        let entry = format!("160000,{commit},{name}");
        git(&repository, &["update-index", "--add", "--cacheinfo", &entry]);
    }
    git(&repository, &["add", ".gitmodules"]);
    git(&repository, &["commit", "-qm", "two"]);
    git(&repository, &["update-server-info"]);
    let files = Files::serve(&served).unwrap();
    let url = format!("{}/app/.git", files.url());
    project.build(&format!("FROM scratch\nADD {url}#{commit} /r/\n")).succeeds();
    let link = format!("r/out -> {}", project.outside.text());
    assert!(project.out().contains(&link), "{:?}", project.out());
    project
        .build(&format!("FROM scratch\nADD {url}#{commit}:out /r/\n"))
        .fails_with("no directory");
    project.build(&format!("FROM scratch\nADD {url}#main /r/\n")).fails_with("submodules");
    for address in [
        "ext::sh -c true",
        "file:///etc",
        "git@-oProxyCommand=true:x/y.git",
        "ssh://-oProxyCommand=true/x.git",
        "https://127.0.0.1:1/--upload-pack=true.git#--upload-pack=true",
    ] {
        let line = format!("ADD [\"{address}\", \"/r/\"]");
        let built = project.build(&format!("FROM scratch\n{line}\n"));
        assert_eq!(built.status, Some(2), "{address}: {}", built.err);
    }
}
