//! Outputs beside each other, and beside what is there: each is what it is by itself, and what lies
//! around it stays.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Project, run, world};

const ONE: &[&str] = &["--platforms", "linux/amd64"];

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The names in a layout's index.
fn refs(layout: &Path) -> Vec<String> {
    let index = json(&layout.join("index.json"));
    let entries = index["manifests"].as_array().unwrap().iter();
    let name = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].clone();
    let mut names: Vec<String> =
        entries.map(|entry| name(entry).as_str().unwrap_or("-").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_image_writes_nowhere_else() {
    let project = Project::new("FROM scratch\nCOPY d /\n");
    let victim = project.beside("victim");
    fs::write(&victim, "mine").unwrap();
    project.file("d/f", "x");
    for name in ["provenance.json", "sbom.spdx.json"] {
        symlink(&victim, project.dir().join("d").join(name)).unwrap();
    }
    for output in ["../out", "type=tar,dest=../out.tar"] {
        project.build(&[ONE, &["--provenance", "--sbom", "-o", output]].concat()).succeeds();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine", "{output}");
    }
    let ours = json(&project.beside("out/provenance.json"));
    assert_eq!(ours["predicateType"], "https://slsa.dev/provenance/v1");
    // The document says what it is about, though there are no packages.
    let document = &json(&project.beside("out/sbom.spdx.json"))["predicate"];
    assert_eq!(document["relationships"][0]["relationshipType"], "DESCRIBES");
    assert_eq!(
        document["relationships"][0]["relatedSpdxElement"],
        document["packages"][0]["SPDXID"]
    );
    let list = run(Command::new("tar").arg("-tf").arg(project.beside("out.tar")));
    assert_eq!(list.lines().collect::<Vec<_>>(), ["f", "sbom.spdx.json", "provenance.json"]);
}

#[test]
fn a_dash_is_standard_output_whatever_is_called_so() {
    let project = Project::new("FROM scratch\nCOPY f /\n");
    project.file("f", "x").file("-", "keep");
    for output in ["-", "type=tar,dest=-", "type=oci,dest=-", "type=oci", "type=docker,dest=-"] {
        let mut command = project.command(&[ONE, &["-o", output]].concat());
        let said = command.output().unwrap();
        assert!(said.status.success(), "{output}: {}", String::from_utf8_lossy(&said.stderr));
        assert!(said.stdout.len() > 1024, "{output}: {} bytes", said.stdout.len());
    }
    assert_eq!(fs::read_to_string(project.dir().join("-")).unwrap(), "keep");
}

#[test]
fn a_layout_keeps_what_others_put_there() {
    let project = Project::new("FROM scratch\nCOPY f /\n");
    project.file("f", "x");
    let layout = project.beside("lay");
    project.build(&[ONE, &["-o", "type=oci,dest=../one.tar"]].concat()).succeeds();
    let from = format!("oci-archive:{}", project.beside("one.tar").display());
    let to = format!("oci:{}:old", layout.display());
    run(Command::new("skopeo").args(["copy", "--quiet", &from, &to]));
    let output = "type=oci,dest=../lay,tar=false";
    project.build(&[ONE, &["-t", "example.com/new:2", "-o", output]].concat()).succeeds();
    assert_eq!(refs(&layout), ["2", "old"]);
    // Many at the same time, and one again.
    let names: Vec<String> = (0..6).map(|n| format!("example.com/c:{n}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = project.command(&[ONE, &["-t", name, "-o", output]].concat());
            command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let said = child.wait_with_output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    project.build(&[ONE, &["-t", "example.com/c:3", "-o", output]].concat()).succeeds();
    assert_eq!(refs(&layout), ["0", "1", "2", "2", "3", "4", "5", "old"]);
    fs::write(layout.join("index.json"), "{ broken").unwrap();
    project
        .build(&[ONE, &["-t", "example.com/c:9", "-o", output]].concat())
        .fails_with(&["index.json: it is no index"]);
    assert_eq!(fs::read_to_string(layout.join("index.json")).unwrap(), "{ broken");
}

#[test]
fn what_one_output_wants_changes_no_other() {
    let project = Project::new("FROM BASE\nCOPY f /\n");
    project.file("f", "x");
    let name = world().name("alone:1");
    let digest = |args: &[&str]| {
        let args = [ONE, &["-t", &name, "--push"], args].concat();
        project.build(&args).succeeds().out
    };
    let alone = digest(&[]);
    let other = "type=oci,dest=../o.tar,compression=zstd,force-compression=true,annotation.a.B=c";
    assert_eq!(digest(&["-o", other]), alone);
    assert_eq!(digest(&["-o", "type=oci,dest=../p.tar", "-o", other]), alone);
    let dir = project.beside("read");
    fs::create_dir(&dir).unwrap();
    run(Command::new("tar").arg("-xf").arg(project.beside("o.tar")).arg("-C").arg(&dir));
    let index = json(&dir.join("index.json"));
    let hex = index["manifests"][0]["digest"].as_str().unwrap().replace("sha256:", "");
    let manifest = json(&dir.join("blobs/sha256").join(hex));
    assert_eq!(manifest["annotations"]["a.B"], "c");
    let layers = manifest["layers"].as_array().unwrap();
    assert!(
        layers.iter().all(|l| l["mediaType"].as_str().unwrap().ends_with("zstd")),
        "{manifest}"
    );
    // All pushes are one: where one can't be, no tag is set.
    let good = format!("type=registry,name={}", world().name("both:1"));
    let dead = "type=registry,name=127.0.0.1:1/b:1";
    project.build(&[ONE, &["-o", &good, "-o", dead]].concat()).fails_with(&["nothing was tagged"]);
    assert!(world().registry.tags("both").is_empty());
    // Two images can't have one name.
    let same = |more: &str| format!("type=registry,name={}{more}", world().name("both:2"));
    project
        .build(&[ONE, &["-o", &same(""), "-o", &same(",annotation.a=b")]].concat())
        .fails_with(&["can't have two images at", "both:2"]);
    project.build(&[ONE, &["-o", &same(""), "-o", &same("")]].concat()).succeeds();
    assert_eq!(world().registry.tags("both"), ["2"]);
    // The names of -t take the place of an output's own, and --push pushes an image.
    let named = format!("type=image,name={},compression=zstd", world().name("own:1"));
    let out = project.build(&[ONE, &["--push", "-o", &named]].concat()).succeeds().out;
    assert!(out.contains("/own:1@"), "{out}");
    let args = [ONE, &["--push", "-o", &named, "-t", &name]].concat();
    let out = project.build(&args).succeeds().out;
    assert!(out.contains("/alone:1@") && !out.contains("/own:1@"), "{out}");
}

#[test]
fn the_shape_is_what_was_asked_for() {
    let project = Project::new("FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n");
    project.file("amd64/a", "x").file("amd64/same", "x");
    let partial: &[&str] = &["--keep-going", "--push-partial"];
    let outputs =
        ["-o", "../out", "-o", "type=docker,dest=../d.tar", "-o", "type=tar,dest=../t.tar"];
    project
        .build(&[partial, &outputs, &["--push", "-t", &world().name("part:1")]].concat())
        .fails_with(&["arm64"]);
    assert!(project.beside("out/linux_amd64/a").exists());
    assert!(project.beside("d-linux_amd64.tar").exists() && !project.beside("d.tar").exists());
    let list = run(Command::new("tar").arg("-tf").arg(project.beside("t.tar")));
    assert!(list.contains("linux_amd64/a\n"), "{list}");
    assert!(world().raw("part:1")["manifests"].is_array());
    // By the word of the user, too.
    let split = |platforms: &str, split: bool, more: &[&str]| {
        let output = format!("type=local,dest=../s,platform-split={split}");
        project.build(&[&["--platforms", platforms, "-o", &output], more].concat())
    };
    split("linux/amd64", true, &[]).succeeds();
    assert!(project.beside("s/linux_amd64/a").exists());
    project.file("arm64/b", "x");
    split("linux/amd64,linux/arm64", false, &["--sbom"]).succeeds();
    for name in ["a", "b", "sbom.spdx.linux_amd64.json", "sbom.spdx.linux_arm64.json"] {
        assert!(project.beside("s").join(name).exists(), "{name}");
    }
    project.file("arm64/same", "x");
    split("linux/amd64,linux/arm64", false, &[])
        .fails_with(&["/same is in the image of linux/amd64", "room for one"]);
}

#[test]
fn an_answer_is_never_an_earlier_builds() {
    let project = Project::new("FROM scratch\nCOPY f /\n");
    project.file("f", "x");
    let (iid, meta) = (project.beside("iid"), project.beside("meta"));
    let about = [
        "--iidfile",
        iid.to_str().unwrap(),
        "--metadata-file",
        meta.to_str().unwrap(),
        "-o",
        "../o",
    ];
    project.build(&[ONE, &about].concat()).succeeds();
    assert!(iid.exists() && meta.exists());
    project.dockerfile("FROM scratch\nCOPY no-such-file /\n");
    project.build(&[ONE, &about].concat()).fails_with(&["no-such-file"]);
    assert!(!iid.exists() && !meta.exists());
    // A link is where somebody else wants it: it is written through.
    let link = project.beside("link");
    symlink(&iid, &link).unwrap();
    project.dockerfile("FROM scratch\nCOPY f /\n");
    let through = ["--iidfile", link.to_str().unwrap(), "-o", "../o"];
    project.build(&[ONE, &through].concat()).succeeds();
    assert!(link.is_symlink() && iid.exists());
    let nowhere = ["--iidfile", "no/such/dir"];
    project.build(&[ONE, &nowhere].concat()).fails_with(&["--iidfile", "no such directory"]);
    let lost = ["--annotation", "manifest[linux/s390x]:a=b"];
    project.build(&[ONE, &lost].concat()).fails_with(&["linux/s390x, which is not built"]);
}
