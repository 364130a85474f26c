//! A context that changes while a build runs, or that others own: what comes of it is in no cache, and
//! the owner in no image.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime},
};

use crate::support::{Project, run};

const ONE: &[&str] = &["--platforms", "linux/amd64"];
/// Goes on when the file of that name says so.
const WAIT: &str = "RUN --mount=type=bind,source=gate,target=/gate echo ready; \
                    until [ \"$(cat /gate)\" = open ]; do sleep 0.05; done\n";

/// Builds into a directory, and changes things as soon as a command says `ready`.
fn change_meanwhile(project: &Project, change: impl FnOnce()) -> String {
    let args = [ONE, &["-o", "../out"]].concat();
    let mut child =
        project.command(&args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let (mut reader, mut said) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    while !said.ends_with(" ready\n") {
        assert!(reader.read_line(&mut said).unwrap() > 0, "{said}");
    }
    change();
    fs::write(project.dir().join("gate"), "open").unwrap();
    reader.read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

/// The file in the image that is built now.
fn built(project: &Project, file: &str) -> String {
    project.build(&[ONE, &["-o", "../out"]].concat()).succeeds();
    fs::read_to_string(project.beside("out").join(file)).unwrap()
}

/// Digests of files that changed just now are not remembered.
fn grown_old(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

#[test]
fn a_command_that_saw_other_files_than_its_key_says_runs_again() {
    let wait =
        WAIT.replace("source=gate,target=/gate", "target=/c").replace("cat /gate", "cat /c/gate");
    let project = Project::new(&format!("FROM BASE\n{} && cp /c/f /seen\n", wait.trim_end()));
    project.file("gate", "shut").file("f", "old");
    let said = change_meanwhile(&project, || {
        project.file("f", "new");
    });
    assert!(said.contains("changed while a command ran that mounts it"), "{said}");
    assert_eq!(fs::read_to_string(project.beside("out/seen")).unwrap(), "new");
    // The files that the first key tells of, but for the gate that is open.
    project.file("f", "old").file("gate", "shut");
    change_meanwhile(&project, || ());
    assert_eq!(built(&project, "seen"), "old");
}

#[test]
fn an_archive_that_was_replaced_is_unpacked_again() {
    let project = Project::new("FROM BASE\nADD a.tar /a/\n");
    project.file("gate", "shut").file("old", "old").file("new", "new");
    let pack = |name: &str| {
        let (at, path) = (project.dir(), project.dir().join("a.tar"));
        let flag = format!("--transform=s/{name}/f/");
        let mut tar = std::process::Command::new("tar");
        run(tar.arg("-cf").arg(project.beside("b.tar")).arg(flag).arg("-C").arg(at).arg(name));
        fs::rename(project.beside("b.tar"), &path).unwrap();
        grown_old(&path);
    };
    pack("old");
    // A digest is remembered of what is older than a second, all changes counted.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(built(&project, "a/f"), "old");
    project.dockerfile(&format!("FROM BASE\nCOPY old /\n{WAIT}ADD a.tar /a/\n"));
    let said = change_meanwhile(&project, || pack("new"));
    assert!(said.contains("a.tar changed in the context while the build ran"), "{said}");
    pack("old");
    assert_eq!(built(&project, "a/f"), "old");
    pack("new");
    assert_eq!(built(&project, "a/f"), "new");
}

#[test]
fn a_mounted_context_is_roots_as_a_copied_one_is() {
    let see = "stat -c '%n %u:%g %a %Y' /c /c/d /c/d/f /c/d/l; ls /c/d";
    let file = format!("FROM BASE\nRUN --mount=type=bind,target=/c ({see}) > /seen\n");
    let project = Project::new(&file);
    project.file("d/f", "x").file("d/left-out", "x").file(".dockerignore", "**/left-out\n");
    let dir = project.dir().join("d");
    std::os::unix::fs::symlink("f", dir.join("l")).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let age = || {
        for path in [dir.join("f"), dir.clone()] {
            fs::File::open(path).unwrap().set_modified(old).unwrap();
        }
    };
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o750)).unwrap();
    age();
    let mine = built(&project, "seen");
    assert!(mine.contains("/c/d 0:0 750 1000000000\n/c/d/f 0:0 644 1000000000\n"), "{mine}");
    assert!(mine.ends_with("\nf\nl\n"), "{mine}");
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for path in [dir.join("f"), dir.join("left-out"), dir.clone()] {
        chown(path, Some(1234), Some(1234)).unwrap();
    }
    age();
    project.dockerfile(&format!("{file}RUN : again\n"));
    let theirs = built(&project, "seen");
    let owned = |text: &str| {
        let words =
            text.lines().filter(|line| !line.starts_with("/c 0:0") && !line.contains("/l "));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(owned(&theirs), owned(&mine));
}
