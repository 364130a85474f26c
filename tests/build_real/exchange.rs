//! `--cache-to` and `--cache-from`: several machines, one cache.

use std::fs;

use crate::support::{Project, Run, world};

const FILE: &str = "FROM --platform=$BUILDPLATFORM BASE AS build\nRUN echo compiled once > /out\n\
                    FROM BASE\nRUN uname -m > /machine\nCOPY --from=build /out /srv/\nWORKDIR /w\n\
                    RUN echo last > /last\n";

/// A build on a machine of that name, which has a cache of its own.
fn on(machine: &str, project: &Project, args: &[&str]) -> Run {
    let mut command = project.command(args);
    command.env("MLINT_CACHE_DIR", project.beside(machine)).env("COLUMNS", "160");
    Run::of(&mut command)
}

/// Blobs in a machine's cache.
fn blobs(machine: &str, project: &Project) -> usize {
    let dir = project.beside(machine).join("v2/blobs/sha256");
    fs::read_dir(dir).unwrap().count()
}

#[test]
fn two_machines_fill_one_cache_and_a_third_runs_nothing() {
    let world = world();
    let project = Project::new(FILE);
    let cache = format!("type=registry,ref={}", world.name("cached:cache"));
    let to = format!("{cache},mode=max");
    let first = ["--platforms", "linux/amd64", "--cache-to", &to, "--cache-from", &cache];
    let said = on("a", &project, &first).succeeds().err;
    assert!(said.contains("there is no cache at") && said.contains("has 5 steps"), "{said}");
    let second = ["--platforms", "linux/arm64", "--cache-to", &to, "--cache-from", &cache];
    let said = on("b", &project, &second).succeeds().err;
    assert!(said.contains("RUN echo compiled once > /out · cached"), "{said}");
    assert!(said.contains("(emulated) RUN uname"), "{said}");
    // Both are hits now, and the registry moves the layers itself.
    let index = world.raw("cached:cache");
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2, "{index:#}");
    assert_eq!(index["artifactType"], "application/vnd.mlint.cache.v1");
    let name = world.name("cached:app");
    let third = ["-t", &name, "--push", "--cache-from", &cache];
    let said = on("c", &project, &third).succeeds().err;
    assert!(said.contains("all steps from the cache"), "{said}");
    assert_eq!(blobs("c", &project), 0, "nothing was fetched: {said}");
    let layers = world.layers("cached:app", "arm64").concat();
    assert!(layers.contains(&"machine".to_owned()) && layers.contains(&"srv/out".to_owned()));
    // In another registry's terms: what has to be sent is fetched first.
    let apart = xtask::registry::Registry::start().unwrap();
    let away = format!("{}/cached:app", apart.host());
    let fourth = ["-t", &away, "--push", "--cache-from", &cache];
    let said = on("d", &project, &fourth).succeeds().err;
    assert!(said.contains("all steps from the cache"), "{said}");
    assert_eq!(apart.digest("cached", "app"), world.registry.digest("cached", "app"));
    // A change at the end runs the end.
    project.dockerfile(&FILE.replace("echo last", "cat /machine; echo other"));
    let said = on("e", &project, &["--cache-from", &cache]).succeeds().err;
    assert!(said.contains("2 steps, ") && said.contains("aarch64"), "{said}");
}

#[test]
fn a_directory_keeps_what_is_of_use() {
    let project = Project::new(FILE);
    let dir = project.beside("kept");
    let from = format!("type=local,src={}", dir.display());
    let to = format!("type=local,dest={}", dir.display());
    let said = on("a", &project, &["--cache-from", &from, "--cache-to", &to]).succeeds().err;
    assert!(said.contains("there is no cache at"), "{said}");
    let count = || fs::read_dir(dir.join("blobs/sha256")).unwrap().count();
    let first = count();
    // Only what the images have, and the names of the rest: enough as long as nothing changes.
    let said = on("b", &project, &["--cache-from", &from]).succeeds().err;
    assert!(said.contains("all steps from the cache"), "{said}");
    assert_eq!(blobs("b", &project), 0, "{said}");
    // With a change at the end, what comes before it need not be there.
    project.dockerfile(&FILE.replace("echo last", "echo other"));
    let said = on("b", &project, &["--cache-from", &from]).succeeds().err;
    assert!(said.contains("RUN uname -m > /machine · cached"), "{said}");
    assert!(said.contains("2 steps, 7 from the cache"), "{said}");
    // A stage of which only the name is known is built when it is what is wanted.
    project.dockerfile(FILE);
    let stage = ["--target", "build", "--platforms", "linux/amd64", "--cache-from", &from];
    let said = on("stage", &project, &stage).succeeds().err;
    assert!(said.contains("done in") && said.contains("1 step"), "{said}");
    let all = format!("{to},mode=max,tag=all");
    on("a", &project, &["--cache-from", &from, "--cache-to", &all]).succeeds();
    assert!(count() > first);
    let all = format!("{from},tag=all");
    let out = format!("type=oci,dest={}", project.beside("out").display());
    let said = on("c", &project, &["--cache-from", &all, "-o", &out]).succeeds().err;
    assert!(said.contains("all steps from the cache"), "{said}");
    // What no tag names any more is removed.
    project.dockerfile("FROM scratch\nCOPY Dockerfile /\n");
    for tag in ["all", "latest"] {
        let to = format!("{to},tag={tag}");
        on("c", &project, &["--cache-to", &to]).succeeds();
    }
    assert!(count() < first, "{} of {first} are left", count());
    // What was damaged there is noticed.
    for entry in fs::read_dir(dir.join("blobs/sha256")).unwrap().flatten() {
        let mut bytes = fs::read(entry.path()).unwrap();
        if bytes.starts_with(&[0x1f, 0x8b]) {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(entry.path(), bytes).unwrap();
        }
    }
    let failed = on("d", &project, &["--cache-from", &from, "-o", "type=tar,dest=../x.tar"]);
    failed.fails_with(&["sha256:"]);
    assert!(!project.beside("x.tar").exists());
}

#[test]
fn what_is_no_cache_is_neither_read_nor_overwritten() {
    let world = world();
    let project = Project::new("FROM BASE\nRUN echo hi\n");
    let one = |args: &[&str]| on("a", &project, &[&["--platforms", "linux/amd64"], args].concat());
    let image = world.name("busybox:1");
    one(&["--cache-from", &image]).fails_with(&["is an image, not a cache of mlint's"]);
    let before = world.registry.digest("busybox", "1");
    let failed = one(&["--cache-to", &image]).fails_with(&["not a cache of mlint's"]);
    assert!(failed.err.contains("the build is done, but its cache"), "{}", failed.err);
    assert_eq!(world.registry.digest("busybox", "1"), before);
    let tolerant = format!("type=registry,ref={image},ignore-error=true");
    let said = one(&["--cache-to", &tolerant]).succeeds().err;
    assert!(said.contains("warning: the build is done"), "{said}");
    let said = one(&["--cache-from", "127.0.0.1:1/x:cache"]).succeeds().err;
    assert!(said.contains("warning: the cache 127.0.0.1:1/x:cache is not used"), "{said}");
    one(&["--cache-to", "type=gha"]).fails_with(&["actions/cache"]);
}

#[test]
fn a_small_cache_is_of_use_though_the_end_changed() {
    let start = "FROM BASE AS build\nRUN cat /proc/sys/kernel/random/uuid > /u\nRUN echo b > /b\n";
    let end = "FROM BASE\nCOPY --from=build /u /u\nCOPY last /last\n";
    let project = Project::new(&format!("{start}{end}"));
    let cache = format!("type=registry,ref={}", world().name("late:cache"));
    let build = |machine: &str, args: &[&str]| {
        let args = [&["--platforms", "linux/amd64", "-o", "../out"], args].concat();
        let mut command = project.command(&args);
        command.env("MLINT_CACHE_DIR", project.beside(machine));
        let said = Run::of(&mut command).succeeds().err;
        let read = |name: &str| fs::read_to_string(project.beside("out").join(name)).unwrap();
        (said, read("u"), read("last"))
    };
    project.file("last", "1");
    let (_, first, _) = build("a", &["-t", "late", "--cache-to", &cache]);
    // What comes before the change is taken as it was, though of one stage there is but its name.
    project.file("last", "2");
    let (said, second, last) = build("b", &["--cache-from", &cache]);
    assert_eq!((&second, &*last), (&first, "2"), "{said}");
    assert!(said.contains("1 step, 3 from the cache"), "{said}");
    // Who needs the stage itself makes it anew, and all of the image is of the new one.
    let mount = "RUN --mount=from=build,source=/u,target=/m cp /m /last\n";
    project.dockerfile(&format!("{start}{}{mount}", end.replace("COPY last /last\n", "")));
    let (said, third, last) = build("c", &["--cache-from", &cache]);
    assert!(third != first && third == last, "{third}{last}{said}");
    assert!(said.contains("RUN echo b > /b\n"), "{said}");
}
