//! An interrupted build leaves nothing behind.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Project, Run, world};

/// Processes whose arguments hold this text.
pub fn processes(text: &str) -> usize {
    let mut found = 0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        found += usize::from(line.contains(text));
    }
    found
}

/// Waits until something holds.
pub fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn stopped_by(signal: &str, seconds: &str) -> Option<i32> {
    let world = world();
    let project = Project::new(&format!("FROM BASE\nRUN (sleep {seconds} &); sleep {seconds}\n"));
    let name = world.name(&format!("stopped{seconds}:1"));
    let mut child = project
        .command(&["-t", &name, "--push"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let sleeper = format!("sleep {seconds}");
    wait_for("the step", || processes(&sleeper) >= 2);
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let status = child.wait().unwrap();
    wait_for("the end of the step's processes", || processes(&sleeper) == 0);
    let repository = format!("stopped{seconds}");
    assert!(world.registry.tags(&repository).is_empty(), "no tag is there");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&project.cache().display().to_string()), "{mounts}");
    // The next build works, and sweeps what a killed one left.
    project.dockerfile("FROM BASE\nRUN true\n");
    Run::of(&mut project.command(&[])).succeeds();
    assert_eq!(fs::read_dir(project.cache().join("v2/tmp")).unwrap().count(), 0);
    status.code()
}

#[test]
fn by_the_keyboard() {
    assert_eq!(stopped_by("-INT", "86391"), Some(2));
}

#[test]
fn politely() {
    assert_eq!(stopped_by("-TERM", "86392"), Some(2));
}

#[test]
fn by_force() {
    assert_eq!(stopped_by("-KILL", "86393"), None);
}
