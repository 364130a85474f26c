//! `mlint fix`: what is written, and what is not.

use std::{
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Stdio},
};

use snapbox::str;

use crate::{CLEAN, DEFECT, Place, Run};

fn fixed() -> String {
    DEFECT.replace("=amd64", "")
}

#[test]
fn a_second_run_changes_nothing() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let run = place.run(&["fix", "--offline"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(place.read("Dockerfile"), fixed());
    assert_eq!(run.out, "");
    assert!(
        run.err.contains("Dockerfile: 1 finding fixed\n  2:5  platform-arg-default: "),
        "{}",
        run.err
    );
    let modified = || std::fs::metadata(place.path().join("Dockerfile")).and_then(|m| m.modified());
    let before = modified().expect("a time");
    let again = place.run(&["fix", "--offline"]);
    assert_eq!((again.code, place.read("Dockerfile")), (Some(0), fixed()));
    assert_eq!(modified().expect("a time"), before, "not even touched");
}

#[test]
fn a_diff_is_shown_and_nothing_written() {
    let place = Place::new(&[("d/Dockerfile", DEFECT), ("Dockerfile", CLEAN)]);
    for _ in 0..2 {
        let run = place.run(&["fix", "--offline", "--diff"]);
        assert_eq!(run.code, Some(1), "{run:?}");
        snapbox::assert_data_eq!(
            run.out,
            str![[r#"
--- a/d/Dockerfile
+++ b/d/Dockerfile
@@ -1,3 +1,3 @@
 FROM debian:12 AS base
-ARG TARGETARCH=amd64
+ARG TARGETARCH
 RUN apt-get update && echo "$TARGETARCH" > /arch

"#]]
        );
        assert_eq!(place.read("d/Dockerfile"), DEFECT);
    }
    assert_eq!(place.run(&["fix", "--offline", "--diff", "Dockerfile"]).code, Some(0));
}

#[test]
fn the_diff_is_one_that_patch_reads() {
    let place = Place::new(&[("Dockerfile", &format!("{DEFECT}CMD [\"x\"]"))]);
    let diff = place.run(&["fix", "--offline", "--diff"]).out;
    place.put("fix.patch", diff.as_bytes());
    let git = Command::new("git").args(["apply", "fix.patch"]).current_dir(place.path()).output();
    assert!(git.as_ref().is_ok_and(|o| o.status.success()), "{git:?}");
    assert_eq!(place.read("Dockerfile"), format!("{}CMD [\"x\"]", fixed()));
}

#[test]
fn standard_input_goes_to_standard_output() {
    let place = Place::new(&[]);
    let run = place.run_with_stdin(&["fix", "--offline", "-"], DEFECT.as_bytes());
    assert_eq!((run.code, run.out.as_str()), (Some(0), fixed().as_str()));
    let run = place.run_with_stdin(&["fix", "--offline", "-"], CLEAN.as_bytes());
    assert_eq!((run.code, run.out.as_str()), (Some(0), CLEAN), "unchanged, but there");
}

#[test]
fn line_ends_and_byte_order_marks_stay() {
    let text = format!("\u{feff}{}", DEFECT.replace('\n', "\r\n"));
    let place = Place::new(&[("Dockerfile", &text)]);
    assert_eq!(place.run(&["fix", "--offline"]).code, Some(0));
    assert_eq!(place.read("Dockerfile"), text.replace("=amd64", ""));
}

#[test]
fn only_the_rules_asked_for() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let run = place.run(&["fix", "--offline", "--only", "hardcoded-arch-url"]);
    assert_eq!((run.code, place.read("Dockerfile")), (Some(0), DEFECT.to_owned()));
    let run = place.run(&["fix", "--offline", "--only", "platform-arg-default"]);
    assert_eq!((run.code, place.read("Dockerfile")), (Some(0), fixed()));
}

#[test]
fn what_is_not_applied_is_said_with_the_reason() {
    let text = "FROM gcc:12 AS build\nCOPY main.c .\nRUN gcc -O2 -o /app main.c\nFROM scratch\n\
                COPY --from=build /app /app\nENTRYPOINT [\"/app\"]\n";
    let place = Place::new(&[("Dockerfile", text)]);
    let json = place.run(&["check", "--offline", "--format", "json"]).json();
    let unsafe_fixes = json["files"][0]["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .flat_map(|f| f["fixes"].as_array().expect("fixes").clone())
        .filter(|f| f["applicability"] == "unsafe")
        .count();
    assert!(unsafe_fixes > 0, "the case has lost its point: {json:#}");
    let run = place.run(&["fix", "--offline", "--diff"]);
    assert!(run.err.contains("not applied") && run.err.contains("needs --unsafe: "), "{}", run.err);
    let with = place.run(&["fix", "--offline", "--diff", "--unsafe"]);
    assert_ne!(with.out, run.out);
}

#[test]
fn links_are_written_through_and_modes_kept() {
    let place = Place::new(&[("real/Dockerfile", DEFECT)]);
    let real = place.path().join("real/Dockerfile");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o664)).expect("mode");
    symlink("real/Dockerfile", place.path().join("Dockerfile")).expect("a link");
    let run = place.run(&["fix", "--offline", "Dockerfile"]);
    assert_eq!((run.code, place.read("real/Dockerfile")), (Some(0), fixed()));
    let link = std::fs::symlink_metadata(place.path().join("Dockerfile")).expect("there");
    assert!(link.file_type().is_symlink());
    let mode = std::fs::metadata(&real).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o664);
}

/// A command of an ordinary user: root may write everywhere.
fn as_ordinary_user(place: &Place, args: &[&str]) -> Run {
    let binary = env!("CARGO_BIN_EXE_mlint");
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", binary]);
        command
    } else {
        Command::new(binary)
    };
    let output = command
        .args(args)
        .current_dir(place.path())
        .env("MLINT_CACHE_DIR", "/nonexistent")
        .stdin(Stdio::null())
        .output();
    Run::of(output.expect("setpriv runs"))
}

/// A copy of the binary that everybody may run is not at hand where the build folder is private.
fn ordinary_user_can_run(place: &Place) -> bool {
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).expect("mode");
    let open = as_ordinary_user(place, &["--version"]).code == Some(0);
    if !open {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: an ordinary user can't run {}", env!("CARGO_BIN_EXE_mlint"));
        }
    }
    open
}

#[test]
fn a_directory_that_may_not_be_written_leaves_the_file_as_it_was() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let file = place.path().join("Dockerfile");
    if !ordinary_user_can_run(&place) {
        return;
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).expect("mode");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o555)).expect("mode");
    let run = as_ordinary_user(&place, &["fix", "--offline", "Dockerfile"]);
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).expect("mode");
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.err.contains("can't write Dockerfile: Permission denied"), "{}", run.err);
    assert!(run.err.contains("the file is as it was"), "{}", run.err);
    assert_eq!(place.read("Dockerfile"), DEFECT);
    assert_eq!(place.names(), ["Dockerfile"]);
}

#[test]
fn a_file_that_may_not_be_written_is_not_replaced() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    if !ordinary_user_can_run(&place) {
        return;
    }
    let file = place.path().join("Dockerfile");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).expect("mode");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o777)).expect("mode");
    let run = as_ordinary_user(&place, &["fix", "--offline", "Dockerfile"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert_eq!(place.read("Dockerfile"), DEFECT);
    assert_eq!(place.names(), ["Dockerfile"]);
}

#[test]
fn a_full_disk_leaves_the_file_as_it_was() {
    // A file system of one page, in a mount namespace of its own that ends with the shell.
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let binary = env!("CARGO_BIN_EXE_mlint");
    let script = format!(
        "mkdir t && mount -t tmpfs -o size=8k none t && cp Dockerfile t/ && \
         {{ dd if=/dev/zero of=t/fill bs=4k count=9 2>/dev/null; \
         '{binary}' fix --offline t/Dockerfile; echo \"code $?\"; ls -A t; cat t/Dockerfile; }}"
    );
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(place.path())
        .output()
        .expect("unshare runs");
    let run = Run::of(output);
    if run.out.is_empty() {
        #[allow(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: no tmpfs in a namespace here: {}", run.err);
        }
        return;
    }
    assert!(run.err.contains("can't write t/Dockerfile: No space left"), "{run:?}");
    assert_eq!(run.out, format!("code 2\nDockerfile\nfill\n{DEFECT}"), "{run:?}");
}
