//! What was done before a build or a push was killed is not done again.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    interrupt::{processes, wait_for},
    support::{Project, Run, world},
};

#[test]
fn a_killed_build_goes_on_at_its_step() {
    // A secret does not count for the cache: the step is the same with it and without.
    let project = Project::new(
        "FROM BASE\nRUN echo one > /1\nRUN echo two > /2\n\
         RUN --mount=type=secret,id=go test -e /run/secrets/go || sleep 86394\n\
         RUN cat /1 /2 > /4\n",
    );
    let one = ["--platforms", "linux/amd64"];
    let mut command = project.command(&one);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_for("the third step", || processes("sleep 86394") >= 1);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the end of the step", || processes("sleep 86394") == 0);
    project.file("../token", "x");
    let said = project.build(&[&one[..], &["--secret", "id=go,src=../token"]].concat()).succeeds();
    assert!(said.err.contains("RUN echo two > /2 · cached"), "{}", said.err);
    assert!(said.err.contains("2 steps, 2 from the cache"), "{}", said.err);
}

/// What a registry was asked to take in through the door, and how many it lets through.
#[derive(Default)]
struct Door {
    /// Digests of blobs that are in.
    taken: BTreeSet<String>,
    /// Whether somebody waits outside.
    waiting: bool,
    /// Blobs that still may pass; nobody is stopped without it.
    open_for: Option<usize>,
}

/// A door before a registry, on an address of its own.
fn door(registry: String) -> (String, Arc<Mutex<Door>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let door = Arc::new(Mutex::new(Door::default()));
    let shared = door.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (registry, door) = (registry.clone(), shared.clone());
            std::thread::spawn(move || pass(client, &registry, &door));
        }
    });
    (address, door)
}

/// The head of a message with its length, and the first line.
fn head(reader: &mut impl BufRead) -> Option<(Vec<u8>, usize, String)> {
    let (mut bytes, mut length, mut first) = (Vec::new(), 0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        bytes.extend(line.as_bytes());
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        if first.is_empty() {
            first = line.clone();
        }
        if line.trim().is_empty() {
            return Some((bytes, length, first));
        }
    }
}

fn pass(client: TcpStream, registry: &str, door: &Mutex<Door>) -> Option<()> {
    let mut server = TcpStream::connect(registry).ok()?;
    let mut asked = BufReader::new(client.try_clone().ok()?);
    let mut told = BufReader::new(server.try_clone().ok()?);
    let mut client = client;
    loop {
        let (request, length, first) = head(&mut asked)?;
        let digest = first.strip_prefix("PUT ").and_then(|rest| {
            let value = rest.split("digest=").nth(1)?;
            Some(value.split([' ', '&']).next()?.replace("%3A", ":"))
        });
        let mut waited = false;
        while digest.is_some() {
            let mut door = door.lock().unwrap();
            match &mut door.open_for {
                Some(0) => (door.waiting, waited) = (true, true),
                Some(more) => {
                    *more -= 1;
                    break;
                }
                // Who waited has died in the meantime.
                None if waited => return None,
                None => break,
            }
            drop(door);
            std::thread::sleep(Duration::from_millis(20));
        }
        server.write_all(&request).ok()?;
        std::io::copy(&mut asked.by_ref().take(length as u64), &mut server).ok()?;
        let (answer, length, status) = head(&mut told)?;
        if let Some(digest) = digest.filter(|_| status.contains(" 201 ")) {
            door.lock().unwrap().taken.insert(digest);
        }
        client.write_all(&answer).ok()?;
        if !first.starts_with("HEAD ") {
            std::io::copy(&mut told.by_ref().take(length as u64), &mut client).ok()?;
        }
    }
}

#[test]
fn a_killed_push_sends_only_what_is_missing() {
    let world = world();
    let (address, door) = door(world.registry.host());
    let lines: String = (0..6).map(|n| format!("RUN echo {n} > /resumed-{n}\n")).collect();
    let project = Project::new(&format!("FROM BASE\n{lines}"));
    let name = format!("{address}/resumed:1");
    let args = ["--platforms", "linux/amd64", "-t", &name, "--push"];
    project.build(&args[..2]).succeeds();
    door.lock().unwrap().open_for = Some(3);
    let mut command = project.command(&args);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let stuck = || {
        let door = door.lock().unwrap();
        door.waiting && door.taken.len() == 3
    };
    wait_for("a push that is half done", stuck);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the end of its session", || processes(&name) == 0);
    assert!(world.registry.tags("resumed").is_empty(), "no tag is there");
    let first = {
        let mut door = door.lock().unwrap();
        door.open_for = None;
        std::mem::take(&mut door.taken)
    };
    let said = Run::of(&mut project.command(&args)).succeeds();
    let second = &door.lock().unwrap().taken;
    // Six layers, the base image's and the config.
    assert!(first.is_disjoint(second), "{first:?} {second:?}");
    assert_eq!((first.len(), world.registry.tags("resumed").len()), (3, 1));
    assert!(said.err.contains("(5 blobs sent)"), "{}", said.err);
}
