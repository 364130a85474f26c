//! The cache: what it holds, what is removed, and that nothing damaged leaves it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::support::{MLINT, Project, Run, run, world};

/// Runs `mlint cache`.
fn cache(project: &Project, args: &[&str]) -> Run {
    let mut command = Command::new(MLINT);
    Run::of(command.arg("cache").args(args).env("MLINT_CACHE_DIR", project.cache()))
}

fn json(project: &Project, args: &[&str]) -> Value {
    let args = [args, &["--format", "json"]].concat();
    serde_json::from_str(&cache(project, &args).succeeds().out).unwrap()
}

/// Items and bytes of a kind.
fn kind(usage: &Value, name: &str) -> (u64, u64) {
    let kinds = usage["kinds"].as_array().unwrap();
    let found = kinds.iter().find(|k| k["kind"] == name);
    found.map_or((0, 0), |k| (k["items"].as_u64().unwrap(), k["size"].as_u64().unwrap()))
}

/// The files below a directory of the store, the largest first.
fn stored(project: &Project, dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(project.cache().join("v2").join(dir)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    files.sort_by_key(|path| std::cmp::Reverse(fs::metadata(path).unwrap().len()));
    files
}

const FILE: &str = "FROM BASE\nRUN --mount=type=cache,target=/c echo kept > /c/f\n\
                    RUN head -c 300000 /dev/urandom > /noise\nCOPY Dockerfile /copy\n";

#[test]
fn what_it_holds_is_told_and_goes_on_request() {
    let project = Project::new(FILE);
    let one = ["--platforms", "linux/amd64"];
    project.build(&one).succeeds();
    let usage = json(&project, &["du"]);
    assert_eq!((kind(&usage, "layer").0, kind(&usage, "mount").0), (3, 1));
    assert!(kind(&usage, "layer").1 > 300_000 && kind(&usage, "base").0 == 1, "{usage:#}");
    assert!(kind(&usage, "unpacked").0 >= 3, "{usage:#}");
    let entries = usage["entries"].as_array().unwrap();
    let total: u64 = entries.iter().map(|e| e["size"].as_u64().unwrap()).sum();
    assert_eq!(usage["total"], total);
    let about = |text: &str| entries.iter().any(|e| e["about"].as_str().unwrap().contains(text));
    assert!(about("RUN head -c 300000") && about("/c linux/amd64"), "{usage:#}");
    let text = cache(&project, &["du", "--verbose"]).succeeds().out;
    assert!(text.contains("RUN head -c 300000") && text.contains("cache mounts"), "{text}");
    // Nothing is old, and nothing is above a size that is large enough.
    let none = json(&project, &["prune", "--filter", "until=24h"]);
    assert_eq!((&none["freed"], none["removed"].as_array().unwrap().len()), (&0.into(), 0));
    assert_eq!(json(&project, &["prune", "--keep-storage", "1g"])["freed"], 0);
    assert!(json(&project, &["prune", "--dry-run"])["freed"].as_u64().unwrap() > 600_000);
    let mounts = json(&project, &["prune", "-f", "--filter", "type=mount"]);
    assert_eq!(mounts["removed"].as_array().unwrap().len(), 1);
    assert!(project.build(&one).succeeds().err.contains("all steps from the cache"));
    // A build holds itself to the size that it is given; what it needs it makes anew.
    let bounded = ["--platforms", "linux/amd64", "--cache-max-size", "100k", "--no-cache"];
    let said = project.build(&bounded).succeeds().err;
    assert!(said.contains("the cache was above its size"), "{said}");
    assert!(json(&project, &["du"])["total"].as_u64().unwrap() < 110_000);
    assert!(!project.build(&one).succeeds().err.contains("all steps from the cache"));
    let pruned = cache(&project, &["prune", "--all", "--force"]).succeeds().out;
    assert!(pruned.contains("freed"), "{pruned}");
    assert!(json(&project, &["du"])["total"].as_u64().unwrap() < 20_000);
    project.build(&one).succeeds();
    cache(&project, &["prune", "--filter", "colour=red"]).fails_with(&["until= and type="]);
}

/// What a failed build says, on one line.
/// What was told, in one line.
fn words(run: Run) -> String {
    run.err.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

#[test]
fn nothing_damaged_leaves_it() {
    let world = world();
    let project = Project::new(FILE);
    let name = world.name("damaged:1");
    let push = ["--platforms", "linux/amd64", "-t", &name, "--push"];
    let archive = ["--platforms", "linux/amd64", "-o", "type=oci,dest=../a.tar"];
    project.build(&["--platforms", "linux/amd64"]).succeeds();
    // A layer of a step: neither pushed nor written as it is, but made anew.
    let noise = || {
        stored(&project, "blobs/sha256").into_iter().find(|path| {
            // The base image's is larger.
            fs::metadata(path).unwrap().len() < 400_000
        })
    };
    damage(&noise().unwrap());
    let mended = |arguments: &[&str]| {
        let said = words(project.build(arguments).succeeds());
        assert_eq!(said.matches("was damaged on this disk").count(), 1, "{said}");
        assert!(said.contains("the build begins again"), "{said}");
    };
    mended(&push);
    assert_eq!(world.registry.tags("damaged"), ["1"]);
    assert!(world.layers("damaged:1", "amd64").len() > 1);
    damage(&noise().unwrap());
    mended(&[&archive[..], &["--keep-going"]].concat());
    let (from, to) = (project.beside("a.tar"), project.beside("read"));
    let (from, to) = (format!("oci-archive:{}", from.display()), format!("dir:{}", to.display()));
    run(Command::new("skopeo").args(["copy", "--quiet", &from, &to]));
    // Also where what is written can't be taken back: it is looked at before the first byte.
    damage(&noise().unwrap());
    let pipe = ["--platforms", "linux/amd64", "-o", "type=docker,dest=-"];
    let said = project.command(&pipe).output().unwrap();
    let warned = String::from_utf8_lossy(&said.stderr).contains("was damaged on this disk");
    assert!(said.status.success() && warned, "{}", String::from_utf8_lossy(&said.stderr));
    let list = b"manifest.json\0";
    let lists = said.stdout.windows(list.len()).filter(|bytes| bytes == list).count();
    assert_eq!(lists, 1, "one archive");
    // Cut short, and records that do not fit their sum: as if they were not there.
    project.build(&archive).succeeds();
    let file = fs::File::options().write(true).open(noise().unwrap()).unwrap();
    file.set_len(1000).unwrap();
    for record in stored(&project, "records/copy") {
        damage(&record);
    }
    project.build(&push).succeeds();
    // A base image's layer is fetched once more.
    for dir in ["layers", "index"] {
        fs::remove_dir_all(project.cache().join("v2").join(dir)).unwrap();
    }
    damage(&stored(&project, "blobs/sha256")[0]);
    project.dockerfile("FROM BASE\nRUN echo other\n");
    project.build(&["--platforms", "linux/amd64"]).succeeds();
}

#[test]
fn unpacked_files_that_are_not_what_they_were_are_unpacked_anew() {
    let project = Project::new("FROM BASE\nRUN echo one > /made\n");
    project.build(&["--platforms", "linux/amd64"]).succeeds();
    let out = project.beside("out");
    let build = |end: &str| {
        project.dockerfile(&format!("FROM BASE AS a\nRUN echo one > /made\n{end}"));
        let to = format!("type=local,dest={}", out.display());
        let said = project.build(&["--platforms", "linux/amd64", "-o", &to]).succeeds().err;
        (said, fs::read_to_string(out.join("seen")).unwrap())
    };
    // Longer, cut off as after a loss of power, and as long as before but written later.
    let changes = ["other and longer", "", "two\n"];
    for (change, number) in changes.iter().zip(0..) {
        for end in [
            format!("FROM scratch\nCOPY --chmod=64{number} --from=a /made /seen\n"),
            format!("RUN cat /made > /seen; : {number}\n"),
        ] {
            for layer in stored(&project, "layers") {
                if layer.join("made").exists() {
                    fs::write(layer.join("made"), change).unwrap();
                    // Times are told in seconds, and all this takes less than one.
                    let file = fs::File::options().write(true).open(layer.join("made")).unwrap();
                    file.set_modified(SystemTime::now() + Duration::from_secs(10)).unwrap();
                }
            }
            let (said, seen) = build(&end);
            assert!(said.contains("was changed on this disk (/made)"), "{end}{said}");
            assert_eq!(seen, "one\n", "{end}");
            fs::remove_dir_all(&out).unwrap();
        }
    }
}

#[test]
fn what_is_gone_from_an_unpacked_layer_is_there_again() {
    let file = "FROM BASE\nRUN rm /bin/true && ln -s sh /bin/lnk && mkdir /empty\n";
    let project = Project::new(file);
    project.build(&["--platforms", "linux/amd64"]).succeeds();
    // With the whiteout gone, what it hides is back.
    for (name, number) in ["bin/true", "bin/lnk", "empty"].iter().zip(0..) {
        let layers = stored(&project, "layers");
        let made = layers.iter().find(|layer| layer.join("empty").is_dir()).unwrap();
        let path = made.join(name);
        match path.is_dir() && !path.is_symlink() {
            true => fs::remove_dir(&path).unwrap(),
            false => fs::remove_file(&path).unwrap(),
        }
        let look = "[ ! -e /bin/true ] && [ -L /bin/lnk ] && [ -d /empty ]";
        project.dockerfile(&format!("{file}RUN {look} && : {number}\n"));
        let said = project.build(&["--platforms", "linux/amd64"]).succeeds().err;
        assert!(said.contains(&format!("was changed on this disk (/{name})")), "{said}");
    }
}

#[test]
fn a_full_disk_leaves_no_half_of_a_cache_elsewhere() {
    // A mount of its own, in a namespace of its own: root, or a user who may make one.
    let project = Project::new("FROM scratch\nCOPY big /\n");
    let noise: Vec<u8> =
        (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(n ^ 2_654_435_761).to_le_bytes()).collect();
    project.file("big", noise).file("small", "x");
    let script = "mount -t tmpfs -o size=6m none to && mkdir to/c && \
                  ! \"$@\" && echo FROM scratch > Dockerfile && echo COPY small / >> Dockerfile && \
                  ls -R to >&2 && \"$@\" && ls -R to";
    let build =
        project.command(&["--platforms", "linux/amd64", "--cache-to", "type=local,dest=to/c"]);
    fs::create_dir(project.dir().join("to")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--user", "sh", "-c", script, "sh"]);
    command.arg(build.get_program()).args(build.get_args());
    command.current_dir(project.dir()).env("MLINT_CACHE_DIR", project.cache());
    let run = Run::of(&mut command);
    assert_eq!(run.status, Some(0), "{}{}", run.out, run.err);
    assert!(run.err.contains("no space left") && !run.err.contains(".partial"), "{}", run.err);
    assert!(run.out.contains("index.json") && !run.out.contains(".partial"), "{}", run.out);
}
