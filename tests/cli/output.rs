//! Colours, pipes and terminals.

use std::process::{Command, Stdio};

use crate::{DEFECT, Place, Run};

fn colored(place: &Place, args: &[&str], env: &[(&str, &str)]) -> bool {
    let mut command = place.command(&[&["check", "--offline"], args].concat());
    let run = Run::of(command.envs(env.iter().copied()).output().expect("mlint runs"));
    assert_eq!(run.code, Some(1), "{run:?}");
    run.out.contains("\x1b[")
}

#[test]
fn colours_are_for_terminals_or_who_asks_for_them() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    assert!(!colored(&place, &[], &[]));
    assert!(colored(&place, &["--color", "always"], &[]));
    assert!(colored(&place, &[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&place, &[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colored(&place, &["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&place, &["--color", "always", "--format", "json"], &[]));
}

#[test]
fn colours_add_nothing_but_colours() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let plain = place.run(&["check", "--offline"]).out;
    let colored = place.run(&["check", "--offline", "--color", "always"]).out;
    assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
}

#[test]
fn nothing_in_a_file_commands_the_terminal() {
    let place = Place::new(&[("Dockerfile", "FROM debian:12\n\x1b]0;title\x07BOGUS \x1b[2J\n")]);
    let run = place.run(&["check", "--offline"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(!run.out.contains(['\x1b', '\x07']), "{:?}", run.out);
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let place = Place::new(&[]);
    for at in 0..300 {
        place.put(&format!("d{at}/Dockerfile"), DEFECT.as_bytes());
    }
    for args in [&["check", "--offline"][..], &["check", "--offline", "--format", "json"][..]] {
        let mut child = place
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mlint runs");
        // More is to come than a pipe holds.
        drop(child.stdout.take());
        let run = Run::of(child.wait_with_output().expect("mlint ends"));
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.err.lines().all(|line| line.starts_with("note: ")), "{}", run.err);
    }
}

#[test]
fn a_full_disk_is_said() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let run = place.command(&["check", "--offline"]).stdout(full).output().expect("mlint runs");
    let run = Run::of(run);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.err.contains("error: can't write to standard output: No space left"),
        "{}",
        run.err
    );
}

#[test]
fn closed_streams_are_no_panic() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let binary = env!("CARGO_BIN_EXE_mlint");
    let script = format!("'{binary}' check --offline >&- 2>&-; echo $?");
    let run = Command::new("sh").args(["-c", &script]).current_dir(place.path()).output();
    let code = Run::of(run.expect("sh runs")).out;
    assert!(matches!(code.trim(), "1" | "2"), "{code}");
}
