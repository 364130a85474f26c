//! Several results of one build, and what is said about them.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::support::{Project, Run, world};

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn blob(layout: &Path, digest: &Value) -> Value {
    let hex = digest.as_str().unwrap().trim_start_matches("sha256:").to_owned();
    json(&layout.join("blobs/sha256").join(hex))
}

#[test]
fn one_build_goes_to_many_places() {
    let project = Project::new("FROM BASE\nCOPY f /f\nWORKDIR /w\n");
    project.file("f", "content");
    let out = |name: &str| project.beside(name);
    let to = |kind: &str, name: &str| format!("type={kind},dest={}", out(name).display());
    let name = world().name("many:1");
    let digest_only =
        format!("type=image,name={},push-by-digest=true,push=true", world().name("digests"));
    let zstd = to("oci,compression=zstd,compression-level=5,force-compression=true", "zstd");
    let (oci, docker, tar) = (to("oci", "oci.tar"), to("docker", "d.tar"), to("tar", "r.tar"));
    let (meta, iid) = (out("meta.json"), out("iid"));
    let run = project
        .build(&[
            "-t",
            &name,
            "--push",
            "--output",
            &digest_only,
            "--output",
            &zstd,
            "--output",
            &oci,
            "--output",
            &docker,
            "--output",
            &tar,
            "--metadata-file",
            meta.to_str().unwrap(),
            "--iidfile",
            iid.to_str().unwrap(),
        ])
        .succeeds();
    let digests = world().name("digests@sha256:");
    assert!(run.out.contains(&digests), "{}", run.out);
    let meta = json(&meta);
    assert!(meta["mlint.platforms"]["linux/arm64"]["digest"].is_string(), "{meta}");
    assert_eq!(meta["containerimage.digest"].as_str(), fs::read_to_string(&iid).ok().as_deref());
    // All layers of the one are zstd's, those of the base too.
    let index = blob(&out("zstd"), &json(&out("zstd/index.json"))["manifests"][0]["digest"]);
    let manifest = blob(&out("zstd"), &index["manifests"][0]["digest"]);
    let kinds: Vec<&str> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|l| l["mediaType"].as_str())
        .collect();
    assert!(kinds.len() == 3 && kinds.iter().all(|k| k.ends_with("tar+zstd")), "{kinds:?}");
    for arch in ["amd64", "arm64"] {
        let archive = out(&format!("d-linux_{arch}.tar"));
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["inspect", "--override-arch", arch]);
        skopeo.arg(format!("docker-archive:{}", archive.display()));
        let output = skopeo.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let list = Command::new("tar").arg("-tf").arg(out("r.tar")).output().unwrap().stdout;
    let list = String::from_utf8(list).unwrap();
    for path in ["linux_amd64/f", "linux_arm64/w/", "linux_arm64/bin/busybox"] {
        assert!(list.lines().any(|line| line == path), "{path} in {list}");
    }
}

/// The media types' ends and sizes of the layers in a layout of one platform.
fn layers(layout: &Path) -> Vec<(String, u64)> {
    let manifest = blob(layout, &json(&layout.join("index.json"))["manifests"][0]["digest"]);
    let layers = manifest["layers"].as_array().unwrap().iter();
    let end =
        |layer: &Value| layer["mediaType"].as_str().unwrap().rsplit('+').next().map(str::to_owned);
    layers.map(|layer| (end(layer).unwrap(), layer["size"].as_u64().unwrap())).collect()
}

/// How layers are compressed is the output's affair: no step runs again for it, and what an image
/// has is always what was asked for, whoever made it before.
#[test]
fn compression_runs_nothing_again() {
    let project = Project::new(
        "FROM BASE AS one\nRUN seq 1 20000 > /numbers\nFROM BASE\nCOPY --from=one /numbers /n\n",
    );
    let build = |name: &str, more: &str, args: &[&str]| {
        let to = format!("type=oci,dest={}{more}", project.beside(name).display());
        let one = ["--platforms", "linux/amd64", "-o", &to];
        let said = project.build(&[&one, args].concat()).succeeds().err;
        (said, layers(&project.beside(name)))
    };
    let kinds =
        |layers: &[(String, u64)]| layers[1..].iter().map(|l| l.0.clone()).collect::<Vec<_>>();
    let (_, first) = build("gzip", "", &[]);
    assert_eq!(kinds(&first), ["gzip"]);
    let (said, zstd) = build("zstd", ",compression=zstd", &[]);
    assert!(said.contains("all steps from the cache"), "{said}");
    assert_eq!(kinds(&zstd), ["zstd"]);
    let (said, best) = build("best", ",compression=gzip,compression-level=9", &[]);
    assert!(said.contains("all steps from the cache"), "{said}");
    assert!(best[1].1 < first[1].1, "{best:?} {first:?}");
    // What was a stage's alone is an image's now.
    let (said, stage) = build("stage", "", &["--target", "one"]);
    assert!(said.contains("all steps from the cache"), "{said}");
    assert_eq!(kinds(&stage), ["gzip"]);
    let (said, again) = build("again", "", &[]);
    assert!(said.contains("all steps from the cache"), "{said}");
    assert_eq!(again, first);
}

#[test]
fn times_annotations_and_statements() {
    let project = Project::new("FROM BASE\nCOPY f /f\nRUN echo x > /x\n");
    project.file("f", "content");
    let build = |name: &str| {
        let dest = project.beside(name);
        let output =
            format!("type=oci,name=named:1,rewrite-timestamp=true,dest={}", dest.display());
        let cache = project.beside(&format!("cache-{name}"));
        let mut command = project.command(&[
            "--output",
            &output,
            "--provenance=mode=max",
            "--sbom",
            "--build-arg",
            "SOURCE_DATE_EPOCH=1000000000",
            "--build-arg",
            "A=arg-value",
            "--annotation",
            "manifest[linux/arm64]:m=1",
            "--annotation",
            "index,index-descriptor:i=2",
        ]);
        command.env("MLINT_CACHE_DIR", cache);
        Run::of(&mut command).succeeds();
        dest
    };
    let (one, two) = (build("one"), build("two"));
    let top = json(&one.join("index.json"));
    let root = &top["manifests"][0];
    assert_eq!(root["annotations"]["i"], "2");
    assert_eq!(root["digest"], json(&two.join("index.json"))["manifests"][0]["digest"]);
    let index = blob(&one, &root["digest"]);
    assert_eq!(index["annotations"]["i"], "2");
    let all = index["manifests"].as_array().unwrap();
    let kinds: Vec<&str> =
        all.iter().map(|m| m["platform"]["architecture"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["amd64", "arm64", "unknown", "unknown"]);
    assert_eq!(all[2]["annotations"]["vnd.docker.reference.digest"], all[0]["digest"]);
    let (amd64, arm64) = (blob(&one, &all[0]["digest"]), blob(&one, &all[1]["digest"]));
    assert_eq!(
        (&amd64["annotations"]["m"], &arm64["annotations"]["m"]),
        (&Value::Null, &"1".into())
    );
    let config = blob(&one, &amd64["config"]["digest"]);
    assert_eq!(config["created"], "2001-09-09T01:46:40Z");
    let statements = blob(&one, &all[3]["digest"]);
    let layers = statements["layers"].as_array().unwrap();
    assert_eq!(layers[0]["annotations"]["in-toto.io/predicate-type"], "https://spdx.dev/Document");
    let provenance = blob(&one, &layers[1]["digest"]);
    assert_eq!(
        provenance["subject"][0]["digest"]["sha256"],
        all[1]["digest"].as_str().unwrap()[7..]
    );
    let subject = provenance["subject"][0]["name"].as_str().unwrap();
    assert_eq!(subject, "pkg:docker/named@1?platform=linux%2Farm64");
    let definition = &provenance["predicate"]["buildDefinition"];
    let args = &definition["externalParameters"]["request"]["args"];
    assert_eq!(args["build-arg:A"], "arg-value");
    assert!(definition["resolvedDependencies"][0]["uri"].as_str().unwrap().contains("busybox"));
    project
        .build(&["--platforms", "linux/amd64", "--annotation", "index:a=b", "--output", "../x"])
        .fails_with(&["no index to annotate"]);
    project
        .build(&["--output", "type=oci,rewrite-timestamp=true,dest=../y"])
        .fails_with(&["needs SOURCE_DATE_EPOCH"]);
}

#[test]
fn stages_can_be_built_afresh_and_engines_can_be_missing() {
    let project = Project::new(
        "FROM BASE AS one\nRUN echo 1 > /a\nFROM BASE AS two\nRUN echo 2 > /b\n\
         FROM BASE\nCOPY --from=one /a /\nCOPY --from=two /b /\n",
    );
    let build = |args: &[&str]| project.build(&[&["--platforms", "linux/amd64"], args].concat());
    build(&[]).succeeds();
    let said = build(&["--no-cache-filter", "ONE,three"]).succeeds().err;
    assert!(said.contains("RUN echo 2 > /b · cached"), "{said}");
    assert!(said.contains("RUN echo 1 > /a\n"), "{said}");
    assert!(said.contains("no stage of this build is called three"), "{said}");
    let quiet = ["--platforms", "linux/amd64", "--quiet", "--pull"];
    assert_eq!(Run::of(&mut project.command(&quiet)).succeeds().err, "");
    let mut command = project.command(&["--load"]);
    let failed = Run::of(command.env("PATH", project.dir()));
    let said = failed.fails_with(&["docker: not installed", "type=docker,dest=FILE"]).err;
    assert!(!said.contains("cached"), "it is known before anything is built: {said}");
}
