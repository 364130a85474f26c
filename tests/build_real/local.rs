//! COPY, ADD and outputs that need no registry.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::Command,
};

use crate::support::{Project, listing};

/// Builds without any base image and gives what is in the image.
fn built(project: &Project) -> Vec<String> {
    let out = project.beside("out");
    let _ = fs::remove_dir_all(&out);
    let output = format!("type=local,dest={}", out.display());
    project.build(&["--output", &output, "--platforms", "linux/amd64"]).succeeds();
    listing(&out)
}

#[test]
fn the_context_is_what_dockerignore_leaves() {
    let project = Project::new("FROM scratch\nCOPY . /all/\nCOPY *.md no-such-* /docs/\n");
    for name in ["a.md", "b.md", "src/x.go", "src/y.o", "node_modules/m/i.js", "keep/me"] {
        project.file(name, name);
    }
    project
        .file(".dockerignore", "**/*.o\nnode_modules\nDockerfile\n.dockerignore\nkeep\n!keep/me\n");
    assert_eq!(
        built(&project),
        [
            "all/",
            "all/a.md",
            "all/b.md",
            "all/keep/",
            "all/keep/me",
            "all/src/",
            "all/src/x.go",
            "docs/",
            "docs/a.md",
            "docs/b.md",
        ]
    );
    // A file of the Dockerfile's own takes its place.
    project.file("Dockerfile.dockerignore", "*\n!src/y.o\n");
    project.dockerfile("FROM scratch\nCOPY . /\n");
    assert_eq!(built(&project), ["src/", "src/y.o"]);
}

#[test]
fn links_and_modes_come_over() {
    let project = Project::new(
        "FROM scratch\nCOPY tree /t\nCOPY link /followed/\nCOPY --chmod=4711 f /bin/f\n",
    );
    project.file("tree/sub/f", "x").file("f", "content");
    symlink("sub/f", project.dir().join("tree/l")).unwrap();
    symlink("f", project.dir().join("link")).unwrap();
    assert_eq!(
        built(&project),
        ["bin/", "bin/f", "followed/", "followed/link", "t/", "t/l -> sub/f", "t/sub/", "t/sub/f"]
    );
    let mode = fs::metadata(project.beside("out/bin/f")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o4711);
    assert_eq!(fs::read(project.beside("out/followed/link")).unwrap(), b"content");
}

#[test]
fn archives_are_unpacked_by_content_and_stay_inside() {
    let project =
        Project::new("FROM scratch\nADD odd.name plain.gz /opt/\nCOPY odd.name /copied/\n");
    project.file("in/dir/f", "x");
    let packed = Command::new("tar")
        .arg("-cJf")
        .arg(project.dir().join("odd.name"))
        .args(["--transform", "s,^dir,../../../../dir,", "-P", "-C"])
        .arg(project.dir().join("in"))
        .arg("dir")
        .status()
        .unwrap();
    assert!(packed.success());
    project.file("plain.gz", b"\x1f\x8b\x08 not really packed, just a name");
    assert_eq!(
        built(&project),
        ["copied/", "copied/odd.name", "opt/", "opt/dir/", "opt/dir/f", "opt/plain.gz"]
    );
}

#[test]
fn an_oci_layout_that_skopeo_reads() {
    let project =
        Project::new("FROM scratch\nARG TARGETARCH\nCOPY <<END /arch\n$TARGETARCH\nEND\n");
    for dest in ["layout", "layout.tar"] {
        let path = project.beside(dest);
        let output = format!("type=oci,dest={}", path.display());
        project.build(&["--output", &output, "-t", "x.test/y:z"]).succeeds();
        let kind = if dest.ends_with(".tar") { "oci-archive" } else { "oci" };
        for arch in ["amd64", "arm64"] {
            let output = Command::new("skopeo")
                .args(["inspect", "--override-arch", arch, "--config"])
                .arg(format!("{kind}:{}", path.display()))
                .output()
                .unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let config: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&error);
            assert_eq!(config["architecture"], arch, "{dest}");
        }
    }
}

#[test]
fn bytes_do_not_depend_on_the_number_of_jobs() {
    let file = "FROM scratch AS a\nCOPY a /\nFROM scratch AS b\nCOPY b /\nFROM scratch\n\
                COPY --from=a / /\nCOPY --from=b / /\n";
    let layers = |jobs: &str| {
        let project = Project::new(file);
        project.file("a", vec![7; 3 << 20]).file("b", "b");
        for name in ["a", "b"] {
            let file = fs::File::options().write(true).open(project.dir().join(name)).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        let out = project.beside("layout");
        let output = format!("type=oci,dest={}", out.display());
        project.build(&["--output", &output, "--jobs", jobs]).succeeds();
        let mut sizes: Vec<(u64, Vec<u8>)> = fs::read_dir(out.join("blobs/sha256"))
            .unwrap()
            .flatten()
            .map(|e| (e.metadata().unwrap().len(), fs::read(e.path()).unwrap()))
            .filter(|(_, bytes)| bytes.starts_with(&[0x1f, 0x8b]))
            .collect();
        sizes.sort();
        sizes
    };
    let (one, four) = (layers("1"), layers("4"));
    assert_eq!(one.len(), 2);
    assert!(one == four);
}

#[test]
fn another_name_of_a_file_that_was_replaced_keeps_the_file() {
    let project = Project::new(
        "FROM BASE AS two\nRUN mkdir /d && echo 1 > /d/a && ln /d/a /d/b\n\
         RUN echo 2 > /d/c && mv /d/c /d/a\nFROM scratch\nCOPY --from=two /d /d\n",
    );
    let read = |name: &str| fs::read_to_string(project.beside("out/d").join(name)).unwrap();
    for target in ["two", ""] {
        let one = ["--platforms", "linux/amd64", "--target", target];
        project.build(&[&one[..], &["-o", "../out"]].concat()).succeeds();
        assert_eq!((read("a"), read("b")), ("2\n".to_owned(), "1\n".to_owned()), "{target}");
        project.build(&[&one[..], &["-o", "type=tar,dest=../out.tar"]].concat()).succeeds();
        let tar = project.beside("out.tar");
        let b = Command::new("tar").arg("-xOf").arg(tar).args(["d/b"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&b.stdout), "1\n", "{target}");
        fs::remove_dir_all(project.beside("out")).unwrap();
    }
}
