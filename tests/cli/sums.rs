//! `--look-up-sums`: the only way in which `check` and `fix` download what a Dockerfile downloads.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use mlint_oci::Digest;
use xtask::files::Files;

use crate::Place;

/// A release with a file for each of two platforms.
struct Release {
    files: Files,
    _dir: tempfile::TempDir,
}

impl Release {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for arch in ["amd64", "arm64"] {
            std::fs::write(dir.path().join(format!("t-{arch}")), contents(arch)).expect("a file");
        }
        Self { files: Files::serve(dir.path()).expect("a server"), _dir: dir }
    }

    fn host(&self) -> String {
        self.files.url().replace("http://", "")
    }
}

fn contents(arch: &str) -> String {
    format!("the tool for {arch}\n")
}

fn sum(arch: &str) -> String {
    Digest::sha256(contents(arch)).hex().to_owned()
}

/// A Dockerfile whose base is on a host of loopback, as no other answers here.
fn dockerfile(base: &str, address: &str, sum: &str) -> String {
    format!(
        "FROM {base}/base\nARG TARGETARCH\nARG FILES={address}\n\n\n\n\
         RUN curl -fsSLo /t \"${{FILES}}/t-${{TARGETARCH}}\" \\\n \
         && echo \"{sum}  /t\" | sha256sum -c\n"
    )
}

/// A text without its line breaks: lines are wrapped for people.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_platform_gets_the_sum_of_its_file() {
    let release = Release::new();
    let host = release.host();
    let text = dockerfile(&host, &format!("http://me:secret@{host}"), &sum("amd64"));
    let place = Place::new(&[("Dockerfile", &text)]);
    let run = place.run(&["fix", "--look-up-sums", "--unsafe", "--diff"]);
    let want = format!(
        "--- a/Dockerfile\n+++ b/Dockerfile\n@@ -4,5 +4,10 @@\n \n \n \n\
         -RUN curl -fsSLo /t \"${{FILES}}/t-${{TARGETARCH}}\" \\\n\
         - && echo \"{amd64}  /t\" | sha256sum -c\n\
         +RUN case \"${{TARGETARCH}}\" in \\\n\
         +      amd64) sum={amd64} ;; \\\n\
         +      arm64) sum={arm64} ;; \\\n\
         +      *) echo \"unsupported architecture: ${{TARGETARCH}}\" >&2; exit 1 ;; \\\n\
         +    esac \\\n\
         + && curl -fsSLo /t \"${{FILES}}/t-${{TARGETARCH}}\" \\\n\
         + && echo \"${{sum}}  /t\" | sha256sum -c\n",
        amd64 = sum("amd64"),
        arm64 = sum("arm64"),
    );
    assert_eq!((run.code, run.out), (Some(1), want), "{}", run.err);
    assert!(run.err.contains(&format!("downloaded {host}/t-arm64 for its sum\n")), "{}", run.err);
    assert!(!run.err.contains("secret"), "{}", run.err);
    assert_eq!(place.read("Dockerfile"), text, "--diff writes nothing");
    // Nobody but the server vouches for the other sum.
    let run = place.run(&["fix", "--look-up-sums", "--diff"]);
    assert!(
        run.out.is_empty() && flat(&run.err).contains("needs --unsafe: the other sums"),
        "{run:?}"
    );
}

/// The sum beside an address that says amd64 becomes one of several once the address is repaired.
#[test]
fn a_repaired_address_leads_to_its_sums() {
    let release = Release::new();
    let host = release.host();
    let text = dockerfile(&host, &format!("http://{host}"), &sum("amd64"))
        .replace("t-${TARGETARCH}", "t-amd64");
    let place = Place::new(&[("Dockerfile", &text)]);
    let run = place.run(&["fix", "--look-up-sums", "--unsafe"]);
    let fixed = place.read("Dockerfile");
    assert!(fixed.contains("/t-${TARGETARCH}\""), "{fixed}{}", run.err);
    for arch in ["amd64", "arm64"] {
        assert!(fixed.contains(&format!("{arch}) sum={} ;;", sum(arch))), "{fixed}{}", run.err);
    }
    let again = place.run(&["fix", "--look-up-sums", "--unsafe", "--diff"]);
    assert_eq!((again.code, again.out), (Some(0), String::new()), "{}", again.err);
}

#[test]
fn a_sum_that_no_file_has_is_not_replaced() {
    let release = Release::new();
    let host = release.host();
    let text = dockerfile(&host, &format!("http://{host}"), &sum("another"));
    let place = Place::new(&[("Dockerfile", &text)]);
    let run = place.run(&["fix", "--look-up-sums", "--unsafe", "--diff"]);
    assert_eq!((run.code, run.out), (Some(0), String::new()), "{}", run.err);
    let run = place.run(&["check", "--look-up-sums"]);
    assert!(
        flat(&run.out).contains("no platform's file has the sum that is written"),
        "{}",
        run.out
    );
    // Nor one of a file that is not there.
    let text = text.replace("/t-", "/u-");
    place.put("Dockerfile", text.as_bytes());
    let run = place.run(&["check", "--look-up-sums"]);
    assert!(run.err.contains(&format!("the sum of {host}/u-amd64 is not known: ")), "{}", run.err);
    assert!(flat(&run.out).contains("could not be looked up:"), "{}", run.out);
}

#[test]
fn nothing_is_downloaded_unasked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    let visits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&visits);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let bases = Release::new();
    let text = dockerfile(&bases.host(), &format!("http://{host}"), &sum("amd64"));
    let place = Place::new(&[("Dockerfile", &text)]);
    for args in [&["check"][..], &["check", "--offline"], &["fix", "--unsafe", "--diff"]] {
        let run = place.run(args);
        assert_eq!(visits.load(Ordering::SeqCst), 0, "{args:?}: {run:?}");
    }
    let run = place.run(&["check"]);
    assert!(run.out.contains("--look-up-sums"), "{}", run.out);
    let run = place.run(&["check", "--look-up-sums", "--offline"]);
    assert_eq!((run.code, visits.load(Ordering::SeqCst)), (Some(2), 0), "{run:?}");
    assert!(run.err.contains("cannot be used with"), "{}", run.err);
    // Not asked for: the finding is another rule's.
    place.run(&["fix", "--look-up-sums", "--only", "hardcoded-arch-url"]);
    assert_eq!(visits.load(Ordering::SeqCst), 0);
    let run = place.run(&["check", "--look-up-sums"]);
    assert!(visits.load(Ordering::SeqCst) > 0, "{run:?}");
}
