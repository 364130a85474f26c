//! What does not work on its platform is not pushed, and what is there already is told.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{MLINT, Project, Run, world};

#[test]
fn a_wrong_binary_blocks_the_push_at_its_line() {
    let world = world();
    let project = Project::new(
        "FROM --platform=$BUILDPLATFORM BASE AS build\nRUN cp /bin/busybox /tool\n\n\
         FROM BASE\nCOPY --from=build /tool /usr/bin/\n",
    );
    let name = world.name("wrong:1");
    project.build(&["-t", &name, "--push"]).fails_with(&[
        "Dockerfile:5:1",
        "/usr/bin/tool is x86-64",
        "made here, in stage build",
        "linux/arm64",
    ]);
    assert!(world.registry.tags("wrong").is_empty(), "no tag is there");

    project.build(&["-t", &name, "--push", "--allow-foreign", "usr/bin/tool"]).succeeds();
    let cache = project.cache();
    let verify = |args: &[&str]| {
        let mut command = Command::new(MLINT);
        Run::of(command.arg("verify").arg(&name).args(args).env("MLINT_CACHE_DIR", &cache))
    };
    let found = verify(&[]);
    assert_eq!(found.status, Some(1), "{}", found.err);
    assert!(found.out.contains("linux/amd64: ok"), "{}", found.out);
    assert!(found.out.contains("/usr/bin/tool is x86-64"), "{}", found.out);
    assert!(found.out.contains("brought by: COPY /tool /usr/bin/"), "{}", found.out);
    assert_eq!(verify(&["--allow-foreign", "/usr/bin/tool"]).status, Some(0));
    let missing = verify(&["--platforms", "linux/amd64,linux/s390x"]);
    assert_eq!(missing.status, Some(1));
    assert!(missing.out.contains("linux/s390x: missing"), "{}", missing.out);
}

/// Puts this machine's own busybox into the image for arm64.
const FOREIGN: &str = "FROM --platform=$BUILDPLATFORM BASE AS build\n\
    RUN cp /bin/busybox /tool && cp /bin/busybox /other\n";

#[test]
fn what_is_meant_is_said_above_the_instruction() {
    let project = Project::new(&format!(
        "{FOREIGN}FROM BASE\n# mlint allow-foreign=/opt/run/tool /opt/run/none*: for a test\n\
         COPY --from=build /tool /opt/run/\n"
    ));
    let built = project.build(&[]).succeeds();
    for word in ["warning: no file of another machine is at /opt/run/none*", "Dockerfile:4:1"] {
        assert!(built.err.contains(word), "{word}: {}", built.err);
    }
    assert!(!built.err.contains("at /opt/run/tool"), "{}", built.err);
    // It is for what this instruction brings alone; at the top it is for all.
    let elsewhere = "COPY --from=build /other /opt/run/tool\n";
    let above = "# mlint allow-foreign=/opt/run/tool: for a test\nRUN true\n";
    project.dockerfile(&format!("{FOREIGN}FROM BASE\n{above}{elsewhere}"));
    project.build(&[]).fails_with(&["Dockerfile:6:1", "# mlint allow-foreign=/opt/run/tool: why"]);
    let top = "# mlint allow-foreign=/opt/**: for a test\n";
    project.dockerfile(&format!("{top}{FOREIGN}FROM BASE\n{elsewhere}"));
    let built = project.build(&[]).succeeds();
    assert!(!built.err.contains("warning"), "{}", built.err);
    project.dockerfile(&format!("# mlint allow-foreign=/opt/**\nFROM BASE\n{elsewhere}"));
    project.build(&[]).fails_with(&["Dockerfile:1:1", "this allowance does not say why"]);
}

#[test]
fn images_are_verified_wherever_they_are() {
    let world = world();
    let project = Project::new(&format!("{FOREIGN}FROM BASE\nCOPY --from=build /tool /usr/bin/\n"));
    let name = world.name("anywhere:1");
    let path = |name: &str| project.beside(name).display().to_string();
    let (layout, oci, docker) = (path("layout"), path("oci.tar"), path("docker.tar"));
    let outputs = [
        format!("type=oci,dest={layout}"),
        format!("type=oci,dest={oci}"),
        format!("type=docker,dest={docker}"),
    ];
    let mut args = vec!["-t", &name, "--push", "--allow-foreign=**", "--provenance"];
    args.extend(outputs.iter().flat_map(|o| ["-o", o]));
    project.build(&args).succeeds();
    let verify = |image: &str, args: &[&str]| {
        let mut command = Command::new(MLINT);
        command.arg("verify").arg(image).args(args).env("MLINT_CACHE_DIR", project.beside("other"));
        Run::of(&mut command)
    };
    let foreign = path("docker-linux_arm64.tar");
    let native = path("docker-linux_amd64.tar");
    let saved = path("saved.tar");
    let copied = Command::new("skopeo")
        .args(["copy", "--quiet", "--src-tls-verify=false", "--override-arch", "arm64"])
        .args([&format!("docker://{name}"), &format!("docker-archive:{saved}:app:1")])
        .status();
    assert!(copied.unwrap().success());
    for image in [
        name.clone(),
        format!("docker://{name}"),
        layout.clone(),
        format!("oci:{layout}:1"),
        oci.clone(),
        format!("oci-archive:{oci}"),
    ] {
        let found = verify(&image, &[]);
        assert_eq!(found.status, Some(1), "{image}: {}{}", found.out, found.err);
        assert!(found.out.contains("linux/amd64: ok"), "{image}: {}", found.out);
        assert!(
            found.out.contains("/usr/bin/tool is x86-64\n    brought by: COPY"),
            "{}",
            found.out
        );
        assert_eq!(
            verify(&image, &["--allow-foreign", "/usr/bin/tool"]).status,
            Some(0),
            "{image}"
        );
    }
    for image in [foreign.clone(), format!("docker-archive:{saved}:app:1"), saved] {
        let found = verify(&image, &["--format", "json"]);
        assert_eq!(found.status, Some(1), "{image}: {}{}", found.out, found.err);
        let json: Value = serde_json::from_str(&found.out).unwrap();
        assert_eq!(json["platforms"][0]["platform"], "linux/arm64");
        let file = &json["platforms"][0]["files"][0];
        assert_eq!((&file["path"], &file["reason"]), (&"/usr/bin/tool".into(), &"machine".into()));
    }
    assert_eq!(verify(&native, &[]).status, Some(0));
    let missing = verify(&format!("oci:{layout}"), &["--platforms", "linux/s390x"]);
    assert_eq!((missing.status, missing.out.as_str()), (Some(1), "linux/s390x: missing\n"));
    verify(&format!("oci:{layout}:none"), &[]).fails_with(&["it has no image 'none'"]);
    verify(&format!("docker-archive:{foreign}:none"), &[]).fails_with(&["no image 'none'"]);

    // What is no image, and what wants to lead elsewhere.
    project.file("nothing", "plain text");
    let text = project.dir().join("nothing").display().to_string();
    verify(&text, &[]).fails_with(&["nothing"]);
    let evil = project.beside("evil");
    fs::create_dir(&evil).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", evil.join("config.json")).unwrap();
    let list = r#"[{"Config":"config.json","RepoTags":[],"Layers":["config.json"]}]"#;
    fs::write(evil.join("manifest.json"), list).unwrap();
    let tar = path("evil.tar");
    let made = Command::new("tar").arg("-C").arg(&evil).args(["-cf", &tar, "."]).status();
    assert!(made.unwrap().success());
    verify(&tar, &[]).fails_with(&["config.json"]);
    let kept = fs::read_dir(project.beside("other/v2/tmp")).unwrap().count();
    assert_eq!(kept, 0, "nothing is left of archives");
}
