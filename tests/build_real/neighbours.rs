//! What one build leaves is of use to others, and misleads none.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    interrupt::{processes, wait_for},
    support::{Project, Run, listing, world},
};

const ONE: &[&str] = &["--platforms", "linux/amd64"];

/// A build for one platform on a machine of that name, which has a cache of its own.
fn on(machine: &str, project: &Project, args: &[&str]) -> Run {
    let mut command = project.command(&[ONE, args].concat());
    command.env("MLINT_CACHE_DIR", project.beside(machine));
    Run::of(&mut command)
}

/// A file that a build wrote.
fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_stage_that_makes_the_same_files_runs_nothing_after_it() {
    let project = Project::new(
        "FROM BASE AS made\nARG V\nRUN echo $V > /other; echo same > /f\n\
         FROM BASE\nCOPY --from=made /f /f\nRUN echo copied > /one\n\
         RUN --mount=from=made,source=/f,target=/m cat /m > /two\nRUN echo last > /three\n",
    );
    let cache = format!("type=registry,ref={}", world().name("equal:cache"));
    let to = format!("{cache},mode=max");
    on("a", &project, &["--build-arg", "V=1", "--cache-to", &to]).succeeds();
    // The stage runs, and finds what the others need unchanged; also where only a cache elsewhere
    // knows of the first time.
    for (machine, args) in [("a", &["--build-arg", "V=2"][..]), ("b", &["--build-arg", "V=3"])] {
        let said =
            on(machine, &project, &[args, &["--cache-from", &cache]].concat()).succeeds().err;
        for step in ["COPY --from=made", "RUN echo copied", "cat /m > /two", "RUN echo last"] {
            let line = said.lines().find(|line| line.contains(step)).unwrap_or_default();
            let number = line.split(' ').next().unwrap_or_default();
            let cached = format!("{number} cached");
            assert!(
                line.ends_with("cached") || said.lines().any(|line| line.starts_with(&cached)),
                "{machine} {step}\n{said}"
            );
        }
        assert!(said.contains("1 step, 4 from the cache"), "{machine}\n{said}");
    }
    project.dockerfile(
        "FROM BASE AS made\nRUN echo other > /f\nFROM BASE\nCOPY --from=made /f /f\n\
         RUN echo copied > /one\n",
    );
    let said = on("a", &project, &[]).succeeds().err;
    assert!(said.contains("done") && !said.contains("from the cache"), "{said}");
}

#[test]
fn what_is_wrong_is_told_where_only_names_are_known() {
    let project = Project::new(
        "FROM --platform=$BUILDPLATFORM BASE AS build\nRUN cp /bin/busybox /tool\n\
         FROM BASE\nCOPY --from=build /tool /usr/bin/\n",
    );
    let dir = project.beside("kept");
    let to = format!("type=local,dest={},mode=min", dir.display());
    let from = format!("type=local,src={}", dir.display());
    project.build(&["--allow-foreign=**", "--cache-to", &to]).succeeds();
    let mut command = project.command(&["--cache-from", &from]);
    command.env("MLINT_CACHE_DIR", project.beside("other"));
    Run::of(&mut command).fails_with(&["/usr/bin/tool is x86-64", "Dockerfile:4:1"]);
    // Who wants all layers gets them, whatever was known by name.
    let all = project.beside("all");
    let max = format!("type=local,dest={},mode=max", all.display());
    let mut command = project.command(&["--allow-foreign=**", "--cache-from", &from]);
    command.args(["--cache-to", &max]).env("MLINT_CACHE_DIR", project.beside("third"));
    let said = Run::of(&mut command).succeeds().err;
    assert!(said.contains("has 4 steps of linux/amd64, linux/arm64"), "{said}");
}

/// In a namespace with one id all files belong to root; with more ids, the same cache must not say so.
#[test]
fn who_owns_what_is_not_taken_from_those_who_have_one_id() {
    let project =
        Project::new("FROM BASE\nRUN touch /f && chown 7:8 /f\nRUN stat -c %u:%g /f > /seen\n");
    let build = |command: &mut Command| {
        let out = project.beside("out");
        let _ = fs::remove_dir_all(&out);
        command.arg("-o").arg(&out);
        let said = Run::of(command).succeeds().err;
        (text(out.join("seen")), said)
    };
    let plain = project.command(ONE);
    let mut alone = Command::new("unshare");
    alone.args(["-U", "-r", "-m"]).arg(plain.get_program()).args(plain.get_args());
    alone.current_dir(project.dir()).env("MLINT_CACHE_DIR", project.cache());
    let (seen, said) = build(&mut alone);
    assert_eq!(seen, "0:0\n");
    assert!(said.contains("all files will belong to root"), "{said}");
    let (seen, said) = build(&mut project.command(ONE));
    assert_eq!(seen, "7:8\n", "{said}");
    let (seen, said) = build(&mut project.command(ONE));
    assert!(seen == "7:8\n" && said.contains("all steps from the cache"), "{said}");
}

#[test]
fn a_step_of_two_stages_is_in_both() {
    let project = Project::new(
        "FROM BASE AS a\nRUN cat /proc/sys/kernel/random/uuid > /t\nFROM BASE AS b\n\
         RUN cat /proc/sys/kernel/random/uuid > /t\nFROM scratch\nCOPY --from=a /t /a\n\
         COPY --from=b /t /b\n",
    );
    let out = project.beside("out");
    let to = format!("type=local,dest={}", out.display());
    let build = |args: &[&str]| {
        let said = project.build(&[ONE, &["-o", &to], args].concat()).succeeds().err;
        assert_eq!(text(out.join("a")), text(out.join("b")), "one step");
        (text(out.join("b")), said)
    };
    let (first, _) = build(&[]);
    assert_eq!(build(&[]).0, first);
    let (second, said) = build(&["--no-cache-filter", "b"]);
    assert!(second != first && !said.contains("no stage"), "{said}");
    let (_, said) = build(&["--no-cache-filter", "b,nope"]);
    assert!(said.contains("no stage of this build is called nope"), "{said}");
}

#[test]
fn a_directory_is_written_over_and_keeps_what_is_not_the_images() {
    let project = Project::new("FROM scratch\nCOPY d /\nCOPY --chmod=750 e /e/\n");
    project.file("d/sub/a", "1").file("d/b", "1").file("e/x", "1");
    let out = project.beside("out");
    let to = format!("type=local,dest={}", out.display());
    let build = |args: &[&str]| project.build(&[ONE, &["-o", &to], args].concat());
    build(&[]).succeeds();
    fs::write(out.join("sub/own"), "mine").unwrap();
    project.file("d/sub/a", "2").file("d/c", "2");
    build(&[]).succeeds();
    assert_eq!(listing(&out), ["b", "c", "e/", "e/x", "sub/", "sub/a", "sub/own"]);
    assert_eq!((text(out.join("sub/a")), text(out.join("sub/own"))), ("2".into(), "mine".into()));
    // What would take a directory away fails before anything changes.
    fs::remove_file(out.join("c")).unwrap();
    fs::create_dir(out.join("c")).unwrap();
    project.file("d/sub/a", "3");
    build(&[]).fails_with(&["a directory is there, and the image"]);
    assert_eq!(text(out.join("sub/a")), "2");
    assert_eq!(listing(&project.beside("")).iter().filter(|n| n.contains("partial")).count(), 0);
}

#[test]
fn archives_side_by_side_have_their_own_beginnings() {
    let project = Project::new("FROM BASE\nARG N\nRUN echo $N > /n\n");
    fs::write(project.beside("same.partial"), "mine").unwrap();
    let build = |name: &str| {
        let to = format!("type=tar,dest=../same.{name}");
        let arg = format!("N={name}");
        let mut command = project.command(&[ONE, &["-o", &to, "--build-arg", &arg]].concat());
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let names = ["tar", "img", "x"];
    for mut child in names.map(build) {
        assert!(child.wait().unwrap().success());
    }
    for name in names {
        let mut tar = Command::new("tar");
        tar.arg("-xOf").arg(project.beside(&format!("same.{name}"))).arg("n");
        assert_eq!(String::from_utf8(tar.output().unwrap().stdout).unwrap(), format!("{name}\n"));
    }
    assert_eq!(text(project.beside("same.partial")), "mine");
    // A device takes what comes, and stays one.
    project.build(&[ONE, &["-o", "type=tar,dest=/dev/null"]].concat()).succeeds();
    use std::os::unix::fs::FileTypeExt;
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_layout_keeps_images_of_other_names() {
    let project = Project::new("FROM scratch\nARG N\nLABEL n=$N\nCOPY Dockerfile /\n");
    let layout = project.beside("layout");
    let to = format!("type=oci,dest={}", layout.display());
    let build = |args: &[&str]| project.build(&[ONE, args].concat()).succeeds();
    build(&["-o", &to, "-t", "a:1", "--build-arg", "N=1"]);
    build(&["-o", &to, "-t", "b:1", "--build-arg", "N=2"]);
    build(&["-o", &format!("{to},name=b:2"), "--build-arg", "N=3"]);
    build(&["-o", &to, "-t", "b:1", "--build-arg", "N=4"]);
    let index: serde_json::Value = serde_json::from_str(&text(layout.join("index.json"))).unwrap();
    let all = index["manifests"].as_array().unwrap();
    let name = |m: &serde_json::Value| m["annotations"]["io.containerd.image.name"].to_string();
    let mut names: Vec<String> = all.iter().map(name).collect();
    names.sort();
    let want = ["a:1", "b:1", "b:2"].map(|name| format!("\"docker.io/library/{name}\""));
    assert_eq!(names, want);
    // A layer that is damaged or missing is noticed, also by who has it.
    let verify = |image: &str| {
        let mut command = Command::new(crate::support::MLINT);
        Run::of(command.args(["verify", image]).env("MLINT_CACHE_DIR", project.cache()))
    };
    let one = project.beside("one");
    build(&["-o", &format!("type=oci,dest={}", one.display()), "--build-arg", "N=5"]);
    let one = one.display().to_string();
    assert_eq!(verify(&one).status, Some(0));
    let blobs = Path::new(&one).join("blobs/sha256");
    let is_gzip = |path: &Path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x1f\x8b"));
    let mut blobs = fs::read_dir(blobs).unwrap().flatten().map(|entry| entry.path());
    let layer = blobs.find(|path| is_gzip(path)).unwrap();
    let bytes = fs::read(&layer).unwrap();
    // An index that calls the image another machine's.
    let top = text(Path::new(&one).join("index.json"));
    let other = top.replace(
        "{\"mediaType\"",
        "{\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"},\"mediaType\"",
    );
    assert_ne!(top, other, "{top}");
    fs::write(Path::new(&one).join("index.json"), other).unwrap();
    let found = verify(&one);
    assert_eq!(found.status, Some(1), "{}{}", found.out, found.err);
    assert!(found.out.contains("linux/arm64: wrong, the image's config says linux/amd64"));
    fs::write(&layer, [&bytes[..], b"x"].concat()).unwrap();
    verify(&one).fails_with(&["is sha256:"]);
    fs::remove_file(&layer).unwrap();
    verify(&one).fails_with(&["cannot read"]);
}

#[test]
fn each_name_is_told_with_its_digest() {
    let world = world();
    let project = Project::new("FROM scratch\nCOPY Dockerfile /\n");
    let (name, other) = (world.name("mixed:1"), world.name("mixed-named:2"));
    let run = project
        .build(&[
            "-o",
            "type=oci,dest=../a.tar,compression=zstd",
            "-o",
            &format!("type=registry,compression=gzip,\"name={name},{other}\""),
            "-o",
            "type=image,name=nothing,push=false",
            "-o",
            "type=cacheonly",
            "--metadata-file",
            "../meta.json",
        ])
        .succeeds();
    let meta: serde_json::Value = serde_json::from_str(&text(project.beside("meta.json"))).unwrap();
    for (repository, tag, name) in [("mixed", "1", &name), ("mixed-named", "2", &other)] {
        let digest = world.registry.digest(repository, tag).unwrap_or_default();
        assert!(run.out.contains(&format!("{name}@{digest}")), "{digest}\n{}", run.out);
        assert_eq!(meta["containerimage.digest"], digest.as_str());
    }
}

#[test]
fn who_waits_for_another_build_can_be_interrupted() {
    let project = Project::new("FROM BASE\nRUN sleep 86397\n");
    let spawn = || {
        let mut command = project.command(ONE);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut first = spawn();
    wait_for("the step", || processes("sleep 86397") >= 1);
    let mut second = spawn();
    std::thread::sleep(Duration::from_secs(1));
    let interrupt =
        |id: u32| Command::new("kill").args(["-INT", &id.to_string()]).status().unwrap();
    let start = Instant::now();
    assert!(interrupt(second.id()).success());
    assert_eq!(second.wait().unwrap().code(), Some(2));
    // The other one runs for a day.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(interrupt(first.id()).success());
    first.wait().unwrap();
}
