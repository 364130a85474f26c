//! However a build ends, and at whatever stage: nothing runs on, nothing stays mounted, nothing half is
//! there, no tag has moved, and the next build works.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::support::{Project, Run, world};

const SIGNALS: [&str; 5] = ["-INT", "-INT twice", "-TERM", "-HUP", "-KILL"];

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes that belong to a project: by their arguments, environment or mounts.
fn processes(project: &Project) -> Vec<String> {
    let mark = project.beside("").display().to_string();
    let mark = mark.trim_end_matches('/');
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let read = |name: &str| {
            let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', " ")
        };
        let here = std::process::id().to_string();
        if entry.file_name().to_string_lossy() == here {
            continue;
        }
        if ["cmdline", "environ", "mountinfo"].iter().any(|name| read(name).contains(mark)) {
            found.push(format!("{} {}", entry.file_name().display(), read("cmdline")));
        }
    }
    found
}

fn signal(child: &Child, signal: &str) {
    // The build may be over before the second one comes.
    let _ =
        Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status();
}

/// Arguments of a build for one platform.
fn for_one<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &["--platforms", "linux/amd64"]].concat()
}

/// Everything beside the cache, so that a half-written output shows.
fn beside(project: &Project) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(project.beside(""))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "cache")
        .collect();
    names.sort();
    names
}

/// Whoever runs the tests may ignore some signals, and a program keeps what is ignored.
fn with_default_signals(command: &Command) -> Command {
    let mut wrapped = Command::new("env");
    wrapped
        .arg("--default-signal=INT,TERM,HUP")
        .arg(command.get_program())
        .args(command.get_args());
    wrapped.current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap());
    }
    wrapped
}

/// Ends a build by a signal as soon as `begun`, and looks at what is left.
fn ended(project: &Project, args: &[&str], how: &str, begun: impl Fn(&str) -> bool) {
    let before = beside(project);
    let mut child = with_default_signals(&project.command(&for_one(args)))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Read on while the build runs, so that it never waits for us.
    let said = Arc::new(Mutex::new(String::new()));
    let (lines, to) = (BufReader::new(child.stderr.take().unwrap()).lines(), said.clone());
    std::thread::spawn(move || {
        lines.map_while(Result::ok).for_each(|line| to.lock().unwrap().push_str(&line));
    });
    let said = || said.lock().unwrap().clone();
    wait_for("the beginning", || {
        assert!(child.try_wait().unwrap().is_none(), "{how}: it ended before its time: {}", said());
        begun(&said())
    });
    let (word, twice) = match how.split_once(' ') {
        Some((word, _)) => (word, true),
        None => (how, false),
    };
    signal(&child, word);
    if twice {
        std::thread::sleep(Duration::from_millis(600));
        signal(&child, word);
    }
    let start = Instant::now();
    let status = child.wait().unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{how}: it took {:?}", start.elapsed());
    assert!(!status.success(), "{how}: {}", said());
    if word == "-KILL" {
        assert_eq!(status.code(), None);
    } else if !twice {
        assert_eq!(status.code(), Some(2), "{how}: {}", said());
    }
    // Of a git that dies with its starter, the helper goes when the server says nothing for a minute.
    let helper = |line: &String| word == "-KILL" && line.contains("remote-http");
    wait_for("the end of all processes", || processes(project).iter().all(helper));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&project.cache().display().to_string()), "{how}: {mounts}");
    assert_eq!(beside(project), before, "{how}: something is left");
    if word != "-KILL" && !twice {
        let tmp = project.cache().join("v2/tmp");
        assert_eq!(fs::read_dir(tmp).map_or(0, Iterator::count), 0, "{how}");
    }
}

/// The next build works, and nothing of the one before is left in the cache.
fn next_works(project: &Project) {
    project.dockerfile("FROM BASE\nRUN true\n");
    let next = project.command(&for_one(&[])).output().unwrap();
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    assert_eq!(fs::read_dir(project.cache().join("v2/tmp")).unwrap().count(), 0);
}

/// A server that takes what it is sent and never answers.
fn silent() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap().to_string(), listener)
}

#[test]
fn while_a_command_runs() {
    for (number, how) in SIGNALS.into_iter().enumerate() {
        // Native for one, emulated for the other.
        let platform = if number % 2 == 0 { "linux/amd64" } else { "linux/arm64" };
        let project = Project::new(&format!(
            "FROM --platform={platform} BASE\nRUN trap '' INT TERM HUP; echo it-runs; \
             (sleep 300 &); sleep 300\n"
        ));
        ended(&project, &[], how, |said| said.contains("it-runs"));
        next_works(&project);
    }
}

#[test]
fn while_a_registry_or_a_server_is_silent() {
    let (address, _listener) = silent();
    let files = [
        format!("FROM {address}/x:1\n"),
        format!("FROM scratch\nADD http://{address}/file /\n"),
        format!("FROM scratch\nADD http://{address}/x.git /\n"),
    ];
    for (number, how) in SIGNALS.iter().chain(&["-INT", "-KILL"]).enumerate() {
        let project = Project::new(&files[number % files.len()]);
        let start = Instant::now();
        ended(&project, &[], how, |_| start.elapsed() > Duration::from_millis(700));
    }
    let project = Project::new("FROM scratch\n");
    next_works(&project);
}

#[test]
fn while_the_context_is_fetched() {
    let (address, _listener) = silent();
    for how in ["-INT", "-TERM", "-KILL"] {
        let project = Project::new("");
        let context = format!("http://{address}/x.git");
        let mut command = Command::new(crate::support::MLINT);
        command.args(["build", &context, "--platforms", "linux/amd64"]);
        command.current_dir(project.dir()).env("MLINT_CACHE_DIR", project.cache());
        let mut child = with_default_signals(&command).stderr(Stdio::null()).spawn().unwrap();
        wait_for("git", || processes(&project).iter().any(|line| line.contains("ls-remote")));
        signal(&child, how);
        let status = child.wait().unwrap();
        assert!(!status.success());
        let helper = |line: &String| how == "-KILL" && line.contains("remote-http");
        wait_for("the end of git", || processes(&project).iter().all(helper));
        next_works(&project);
    }
}

fn big(project: &Project, megabytes: usize) {
    // Random enough not to shrink.
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33).to_le_bytes()
    });
    let noise: Vec<u8> = noise.take(megabytes << 17).flatten().collect();
    project.file("big", noise);
}

#[test]
fn while_files_are_copied_and_pushed() {
    for how in ["-INT", "-INT twice", "-KILL"] {
        let project = Project::new("FROM scratch\nCOPY big /\n");
        big(&project, 16);
        let name = world().name("ended:1");
        // A slow level, so that there is something to interrupt.
        let args = ["-t", &name, "--push", "--compression", "zstd:19"];
        ended(&project, &args, how, |said| said.contains("COPY big"));
        assert!(world().registry.tags("ended").is_empty(), "{how}: a tag is there");
        next_works(&project);
        // To where nobody answers.
        let (address, _listener) = silent();
        let name = format!("{address}/x:1");
        project.dockerfile("FROM scratch\nCOPY Dockerfile /\n");
        ended(&project, &["-t", &name, "--push"], how, |said| said.contains("done"));
    }
}

/// The session, and the sandbox of a step, may die alone.
#[test]
fn when_a_part_of_it_is_killed() {
    for (part, words) in [("__session", "ended unexpectedly"), ("__step", "ended unexpectedly")] {
        let project = Project::new("FROM BASE\nRUN echo it-runs; sleep 300\n");
        let mut child = project
            .command(&for_one(&[]))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut reader = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("it-runs\n") {
            assert!(reader.read_line(&mut said).unwrap() > 0, "{said}");
        }
        let victim = descendants(child.id()).into_iter().find(|(_, line)| line.contains(part));
        let (victim, _) = victim.expect(part);
        let killed = Command::new("kill").args(["-KILL", &victim.to_string()]).status().unwrap();
        assert!(killed.success());
        std::io::Read::read_to_string(&mut reader, &mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(2), "{said}");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(words), "{part}: {said}");
        wait_for("the end of all processes", || processes(&project).is_empty());
        next_works(&project);
    }
}

/// The processes below one, with their arguments.
fn descendants(of: u32) -> Vec<(u32, String)> {
    let mut out = Vec::new();
    let mut todo = vec![of];
    while let Some(parent) = todo.pop() {
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let mut all = children.unwrap_or_default();
        for task in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
            all.push(' ');
            all += &fs::read_to_string(task.path().join("children")).unwrap_or_default();
        }
        for child in all.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            if out.iter().any(|(known, _)| *known == child) {
                continue;
            }
            let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
            out.push((child, String::from_utf8_lossy(&line).replace('\0', " ")));
            todo.push(child);
        }
    }
    out
}

/// Runs a build with a small file system at a place, then once more with room.
fn with_little_room(project: &Project, at: &Path, kilobytes: usize, args: &[&str]) -> (Run, Run) {
    fs::create_dir_all(at).unwrap();
    let script = "mount -t tmpfs -o size=${2}k none \"$1\" && \
                  \"${@:3}\"; first=$?; ls -A \"$MLINT_CACHE_DIR/v2/tmp\" | sed 's/^/left: /'; \
                  find \"$(dirname \"$OUT\")\" -mindepth 1 2>/dev/null | sed 's/^/there: /'; echo ---; echo --- >&2; \
                  mount -o remount,size=64m \"$1\" && \"${@:3}\"; echo \"$first $?\"";
    let command = project.command(&for_one(args));
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "bash", "-c", script, "bash"]).arg(at).arg(kilobytes.to_string());
    wrapped.arg(command.get_program()).args(command.get_args());
    wrapped.current_dir(project.dir());
    for (name, value) in command.get_envs() {
        wrapped.env(name, value.unwrap());
    }
    wrapped.env("OUT", project.beside("place/out"));
    let run = Run::of(&mut wrapped);
    let (out, err) = (run.out.clone(), run.err.clone());
    let (first_out, second_out) = out.split_once("---\n").expect("two runs");
    let (first_err, second_err) = err.split_once("---\n").expect("two runs");
    let codes = second_out.trim_end().lines().next_back().unwrap_or_default();
    let (first, second) = codes.split_once(' ').expect("two codes");
    let one = |status: &str, out: &str, err: &str| Run {
        status: status.parse().ok(),
        out: out.to_owned(),
        err: err.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    (one(first, first_out, first_err), one(second, second_out, second_err))
}

#[test]
fn when_a_disk_is_full() {
    let project =
        Project::new("FROM BASE\nCOPY big /big\nRUN cat /big > /more\nRUN rm /more /big\n");
    big(&project, 3);
    let place = project.beside("place");
    let out = place.join("out");
    let oci = format!("type=oci,dest={}.tar", out.display());
    let directory = format!("type=local,dest={}", out.display());
    let (mut failed, mut worked) = (0, 0);
    // The cache: full while the base is pulled, unpacked, files are copied, a command runs, …
    for kilobytes in [200, 2000, 5000, 8000, 11000, 32000] {
        let cache = project.cache();
        let (first, second) = with_little_room(&project, &cache, kilobytes, &[]);
        assert!(!first.out.contains("left: "), "{kilobytes}k: {}", first.out);
        match first.status {
            Some(0) => worked += 1,
            _ => {
                failed += 1;
                assert_eq!(first.status, Some(2), "{kilobytes}k: {}", first.err);
                let said = first.err.to_lowercase();
                assert!(said.contains("no space left"), "{kilobytes}k: {}", first.err);
                assert!(!said.contains("panicked"), "{}", first.err);
            }
        }
        assert_eq!(second.status, Some(0), "{kilobytes}k: {}", second.err);
    }
    assert!(failed > 2 && worked > 0, "{failed} failed, {worked} worked");
    // The outputs.
    for output in [&oci, &directory] {
        let (first, second) = with_little_room(&project, &place, 1000, &["--output", output]);
        assert_eq!(first.status, Some(2), "{}", first.err);
        assert!(first.err.contains("no space left"), "{output}: {}", first.err);
        let there: Vec<&str> = first.out.lines().filter(|l| l.starts_with("there: ")).collect();
        let nothing = |line: &&str| line.ends_with("/out");
        assert!(there.iter().all(nothing), "{output}: {there:?}");
        assert_eq!(second.status, Some(0), "{output}: {}", second.err);
    }
}
