//! Whatever form an image has, the specification's schemas and other programs accept it.

use std::{fs, process::Command};

use serde_json::{Value, json};
use xtask::compare::{
    layout,
    schemas::{Kind, Schemas},
};

use crate::support::{Project, run, world};

#[test]
fn schemas_and_other_programs_accept_every_form() {
    let schemas = Schemas::load().expect("the schemas of the specification");
    let project = Project::new(
        "FROM BASE AS build\nRUN echo x > /x\n\
         FROM BASE\nCOPY --from=build /x /x\nCOPY --chown=5:6 . /data/\nWORKDIR /w\nENV A=b\n\
         EXPOSE 80 53/udp\nVOLUME /v\nLABEL l=m\nHEALTHCHECK --interval=3s CMD true\n\
         STOPSIGNAL SIGINT\nSHELL [\"/bin/sh\", \"-ec\"]\nONBUILD RUN true\nUSER 7:8\nCMD x\n",
    );
    project.file("f", "content");
    let forms: [(&str, &str, &[&str]); 4] = [
        ("gzip", "", &[]),
        ("zstd", ",compression=zstd,force-compression=true", &[]),
        ("attested", "", &["--provenance=mode=max", "--sbom"]),
        (
            "annotated",
            "",
            &["--annotation=a=1", "--annotation=index,index-descriptor,manifest-descriptor:b=2"],
        ),
    ];
    for (form, options, arguments) in forms {
        let dest = project.beside(form);
        let name = world().name(&format!("conforming/{form}:1"));
        let output = format!("--output=type=oci,dest={}{options}", dest.display());
        let push = format!("--output=type=registry{options}");
        let all = [&[&output[..], &push, "-t", &name], arguments].concat();
        project.build(&all).succeeds();
        assert_eq!(layout::check(&dest, Some(&schemas)).unwrap(), Vec::<String>::new(), "{form}");
        let copy = format!("dir:{}", project.beside(&format!("{form}-copy")).display());
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["copy", "--all", "--quiet", "--preserve-digests"]);
        run(skopeo.arg(format!("oci:{}", dest.display())).arg(copy));
        let storage = project.beside(&format!("{form}-storage"));
        for arch in ["amd64", "arm64"] {
            let mut buildah = Command::new("buildah");
            buildah.arg("--root").arg(storage.join("root"));
            buildah.arg("--runroot").arg(storage.join("run"));
            buildah.args(["--storage-driver", "vfs", "pull", "--quiet", "--tls-verify=false"]);
            run(buildah.args(["--arch", arch, &format!("docker://{name}")]));
        }
    }
    let one = project.beside("one");
    fs::create_dir(&one).unwrap();
    for (kind, file) in [("oci", "oci.tar"), ("docker", "docker.tar")] {
        let dest = one.join(file);
        let output = format!("type={kind},dest={}", dest.display());
        project.build(&["--output", &output, "--platforms=linux/arm64"]).succeeds();
        let mut skopeo = Command::new("skopeo");
        skopeo.args(["--override-arch=arm64", "copy", "--quiet"]);
        skopeo.arg(format!("{kind}-archive:{}", dest.display()));
        run(skopeo.arg(format!("dir:{}", one.join(kind).display())));
    }
}

#[test]
fn they_refuse_what_the_specification_refuses() {
    let schemas = Schemas::load().unwrap();
    let digest = format!("sha256:{}", "0".repeat(64));
    let descriptor = |media: &str| json!({"mediaType": media, "digest": digest, "size": 1});
    let good = json!({
        "schemaVersion": 2,
        "config": descriptor("application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip")],
    });
    assert_eq!(schemas.wrong(Kind::Manifest, &good), Vec::<String>::new());
    for (path, value) in [
        ("/schemaVersion", json!(1)),
        ("/config/digest", json!("sha256")),
        ("/layers/0/size", json!("1")),
        ("/layers", Value::Null),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        assert!(!schemas.wrong(Kind::Manifest, &bad).is_empty(), "{path}");
    }
    let config = json!({"architecture": "arm64", "os": "linux", "rootfs":
        {"type": "layers", "diff_ids": [digest]}, "created": "2026-01-02T03:04:05Z"});
    assert_eq!(schemas.wrong(Kind::Config, &config), Vec::<String>::new());
    let mut bad = config.clone();
    bad["config"] = json!({"Env": "A=b"});
    assert!(!schemas.wrong(Kind::Config, &bad).is_empty());
    assert!(!schemas.wrong(Kind::Layout, &json!({"imageLayoutVersion": "2"})).is_empty());
    assert!(!schemas.wrong(Kind::Index, &json!({"schemaVersion": 2})).is_empty());
}
