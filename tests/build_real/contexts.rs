//! Where files come from: named contexts, and contexts that are no directory.

use std::{
    fs,
    io::Write,
    process::{Command, Stdio},
};

use crate::{
    support::{Project, Run, listing},
    web::Web,
};

const OUT: [&str; 4] = ["--platforms", "linux/amd64", "--output", "../out"];

fn names(project: &Project) -> Vec<String> {
    let out = project.beside("out");
    let names = listing(&out);
    fs::remove_dir_all(&out).unwrap();
    names
}

#[test]
fn names_stand_for_directories_files_and_layouts() {
    let project = Project::new(
        "FROM scratch AS tools\nCOPY nothing-here /\nFROM base\nCOPY --from=tools sub/b /b\n\
         COPY --from=page context /page\n",
    );
    let other = project.beside("other");
    fs::create_dir_all(other.join("sub")).unwrap();
    for (name, text) in [("sub/b", "b"), ("skip", "s"), (".dockerignore", "skip\n")] {
        fs::write(other.join(name), text).unwrap();
    }
    let web = Web::serve(&other);
    // The base: an image that was written as a layout.
    let layout = project.beside("layout");
    let base = Project::new("FROM scratch\nCOPY a /from-layout\nENV X=1\n");
    base.file("a", "a");
    base.build(&["--output", &format!("type=oci,dest={}", layout.display())]).succeeds();
    let contexts = [
        format!("tools={}", other.display()),
        format!("base=oci-layout://{}", layout.display()),
        format!("page={}", web.url("sub/b")),
    ];
    let mut args = OUT.to_vec();
    for context in &contexts {
        args.extend(["--build-context", context]);
    }
    project.build(&args).succeeds();
    assert_eq!(names(&project), ["b", "from-layout", "page"]);
    // What a layout calls an image is no name that a registry knows.
    project.build(&[&args[..], &["--provenance"]].concat()).succeeds();
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let used = provenance(&project)["resolvedDependencies"][0].take();
    assert!(used["uri"].as_str().unwrap().starts_with("pkg:oci/base@"), "{used}");
    let digest = format!("sha256:{}", used["digest"]["sha256"].as_str().unwrap());
    assert_eq!(index["manifests"][0]["digest"], digest);
    // A directory may be a base, and its ignore file counts.
    project.dockerfile("FROM tools\nCOPY Dockerfile /own\n");
    project.build(&args).succeeds();
    assert_eq!(names(&project), [".dockerignore", "own", "sub/", "sub/b"]);
    project.dockerfile("FROM scratch\nCOPY --from=tools skip /\n");
    project.build(&args).fails_with(&["'skip' is not there"]);
}

/// Runs a build that reads its standard input.
fn fed(project: &Project, args: &[&str], input: &[u8]) -> Run {
    let mut command = Command::new(crate::support::MLINT);
    command.arg("build").args(args).args(OUT).args(["--progress", "plain"]);
    command.current_dir(project.dir()).env("MLINT_CACHE_DIR", project.cache());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn contexts_come_as_archives_repositories_and_by_address() {
    let project = Project::new("");
    let tree = project.beside("tree");
    fs::create_dir_all(tree.join("d")).unwrap();
    fs::write(tree.join("d/Dockerfile"), "FROM scratch\nCOPY . /all/\n").unwrap();
    fs::write(tree.join("f"), "f").unwrap();
    fs::write(tree.join(".dockerignore"), "d\n.dockerignore\n").unwrap();
    let pack = |flag: &str| {
        let mut tar = Command::new("tar");
        tar.arg(flag).arg("-").arg("-C").arg(&tree).args([".dockerignore", "d", "f"]);
        tar.output().unwrap().stdout
    };
    // What is left out is for whoever sends files: here all of them are there.
    let all = ["all/", "all/.dockerignore", "all/d/", "all/d/Dockerfile", "all/f"];
    for flag in ["-cf", "-czf", "-cjf", "-cJf"] {
        fed(&project, &["-", "-f", "d/Dockerfile"], &pack(flag)).succeeds();
        assert_eq!(names(&project), all, "{flag}");
    }
    fed(&project, &["-"], b"FROM scratch\nCOPY <<END /here\nx\nEND\n").succeeds();
    assert_eq!(names(&project), ["here"]);
    fed(&project, &["-"], b"FROM scratch\nCOPY f /\n").fails_with(&["no build context"]);
    fed(&project, &["-"], b"\0\x01").fails_with(&["neither a tar archive nor a Dockerfile"]);
    fed(&project, &["-", "-f", "none"], &pack("-cf")).fails_with(&["there is no none"]);
    // By address, as an archive and as a repository.
    let site = project.beside("site");
    fs::create_dir(&site).unwrap();
    fs::write(site.join("c.tgz"), pack("-czf")).unwrap();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=n", "-c", "user.email=e", "-C"]).arg(&tree).args(args);
        assert!(git.output().unwrap().status.success());
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "-A"]);
    git(&["commit", "-qm", "one"]);
    git(&["update-server-info"]);
    fs::rename(tree.join(".git"), site.join("app.git")).unwrap();
    let web = Web::serve(&site);
    fed(&project, &[&web.url("c.tgz"), "-f", "d/Dockerfile"], b"").succeeds();
    assert_eq!(names(&project), all);
    fed(&project, &[&web.url("app.git#main"), "-f", "d/Dockerfile"], b"").succeeds();
    assert_eq!(names(&project), all);
    // The provenance tells where it came from, and what that was.
    let mut git = Command::new("git");
    let commit = git.arg("-C").arg(site.join("app.git")).args(["rev-parse", "main"]);
    let commit = String::from_utf8(commit.output().unwrap().stdout).unwrap();
    for (address, digest) in [("app.git#main", Some(commit.trim())), ("c.tgz", None)] {
        fed(&project, &[&web.url(address), "-f", "d/Dockerfile", "--provenance"], b"").succeeds();
        let definition = provenance(&project);
        let source = &definition["externalParameters"]["configSource"];
        assert_eq!(source["uri"], web.url(address), "{definition}");
        assert_eq!(source["digest"]["sha1"].as_str(), digest, "{definition}");
        assert_eq!(source["digest"]["sha256"].is_string(), digest.is_none(), "{definition}");
        assert_eq!(definition["resolvedDependencies"][0]["uri"], source["uri"]);
        assert_eq!(definition["externalParameters"]["request"]["locals"], serde_json::json!([]));
    }
}

/// How the image in `out` was built, which is gone then.
fn provenance(project: &Project) -> serde_json::Value {
    let text = fs::read_to_string(project.beside("out/provenance.json")).unwrap();
    fs::remove_dir_all(project.beside("out")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["predicate"]["buildDefinition"].take()
}
