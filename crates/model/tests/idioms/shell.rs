//! The shell: values and branches.

use mlint_model::{EffectKind, HopKind, Origin, Truth};

use crate::{evaluate, has, lacks};

/// `RUN` with this body on Debian, for two platforms: what is fetched.
#[track_caller]
pub(crate) fn fetches(body: &str, amd64: &[&str], arm64: &[&str]) {
    for (platform, want) in [("linux/amd64", amd64), ("linux/arm64", arm64)] {
        let text = format!("FROM debian:12\nARG TARGETARCH\nARG TARGETPLATFORM\n{body}\n");
        let evaluation = evaluate(&text, platform);
        let got: Vec<String> = evaluation
            .effects()
            .filter_map(|(_, _, e)| match &e.kind {
                EffectKind::Download(d) => {
                    Some(format!("{}{}", if e.certain { "" } else { "maybe " }, d.url))
                }
                _ => None,
            })
            .collect();
        assert_eq!(got, want, "{platform}\n{body}");
    }
}

/// The same address but for one word, which is given for each platform; in bash.
#[track_caller]
pub(crate) fn word(body: &str, amd64: &str, arm64: &str) {
    let body = format!("SHELL [\"/bin/bash\", \"-c\"]\nRUN {body}");
    fetches(&body, &[&format!("https://h/{amd64}")], &[&format!("https://h/{arm64}")]);
}

/// The same on both platforms; in bash.
#[track_caller]
pub(crate) fn same(body: &str, urls: &[&str]) {
    let urls: Vec<String> = urls
        .iter()
        .map(|url| match url.strip_prefix("maybe ") {
            Some(url) => format!("maybe https://h/{url}"),
            None => format!("https://h/{url}"),
        })
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    fetches(&format!("SHELL [\"/bin/bash\", \"-c\"]\nRUN {body}"), &urls, &urls);
}

#[test]
fn probes_and_filters() {
    for word in [
        "$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')",
        "$(uname -m | sed -e s/x86_64/amd64/ -e s/aarch64/arm64/)",
        "$(dpkg --print-architecture)",
        "`dpkg --print-architecture`",
        "${TARGETARCH}",
        "${TARGETPLATFORM#linux/}",
        "${TARGETPLATFORM##*/}",
        "$(echo $TARGETPLATFORM | cut -d/ -f2)",
        "$(echo ${TARGETPLATFORM} | awk -F/ '{print $2}')",
        "$(printf '%s' \"$TARGETPLATFORM\" | tr / '\\n' | tail -n1)",
        "$(basename $TARGETPLATFORM)",
        "$([ \"$(uname -m)\" = x86_64 ] && echo amd64 || echo arm64)",
        "$(if [ $TARGETARCH = amd64 ]; then echo amd64; else echo arm64; fi)",
        "$(case $(arch) in x86_64) echo amd64;; *) echo arm64;; esac)",
    ] {
        fetches(
            &format!("RUN curl -fsSLO https://h/x-{word}.tgz"),
            &["https://h/x-amd64.tgz"],
            &["https://h/x-arm64.tgz"],
        );
    }
}

#[test]
fn case_assigns_per_platform() {
    fetches(
        "RUN set -eux; \\\n    case \"$TARGETARCH\" in \\\n      'amd64') A=x64; SUM=1 ;; \\\n      arm64|aarch64) A=aarch64 ;; \\\n      arm*) A=armv7 ;; \\\n      *) echo >&2 \"unsupported\"; exit 1 ;; \\\n    esac; \\\n    wget -q https://h/$A.zip",
        &["https://h/x64.zip"],
        &["https://h/aarch64.zip"],
    );
}

#[test]
fn case_that_forgets_a_platform_ends_the_build() {
    let text = "FROM debian:12\nRUN case $(uname -m) in x86_64) A=amd64;; *) exit 3;; esac; \\\n  curl -O https://h/$A\n";
    has(text, "linux/arm64", &["2: fails: the script ends here with status 3"]);
    lacks(text, "linux/arm64", &["download"]);
    lacks(text, "linux/amd64", &["fails"]);
}

#[test]
fn branches_not_taken_have_no_effects_and_are_told() {
    let text = "FROM debian:12\nARG TARGETARCH\nRUN if [ \"$TARGETARCH\" = \"amd64\" ]; then \\\n    curl -O https://h/amd64.tgz; \\\n  elif [ \"$TARGETARCH\" = arm64 ]; then \\\n    curl -O https://h/arm64.tgz; \\\n  fi\n";
    has(text, "linux/arm64", &["6: download https://h/arm64.tgz -> /arm64.tgz", "4: dead"]);
    lacks(text, "linux/arm64", &["amd64.tgz"]);
    let evaluation = evaluate(text, "linux/arm64");
    let (_, step, download) = evaluation
        .effects()
        .find(|(_, _, e)| matches!(e.kind, EffectKind::Download(_)))
        .expect("a download");
    assert!(download.is_guarded_by_platform() && download.certain);
    assert_eq!(text[step.dead[0].range()].trim(), "curl -O https://h/amd64.tgz");
}

#[test]
fn words_assigned_in_a_branch_remember_what_it_asked_for() {
    for (text, question) in [
        ("RUN case $(uname -m) in aarch64) A=arm64;; esac; curl -O https://h/$A\n", Some("")),
        (
            "ARG TARGETPLATFORM=linux/amd64\nRUN case $TARGETPLATFORM in linux/amd64) A=x64;; esac; \
             curl -O https://h/$A\n",
            Some("TARGETPLATFORM"),
        ),
        ("ARG V=1\nRUN case $V in 1) A=amd64;; esac; curl -O https://h/$A\n", None),
        ("ARG TARGETARCH\nRUN A=amd64; curl -O https://h/$A\n", None),
    ] {
        let evaluation = evaluate(&format!("FROM debian:12\n{text}"), "linux/arm64");
        let download = evaluation.effects().find_map(|(_, _, e)| match &e.kind {
            EffectKind::Download(download) => Some(download),
            _ => None,
        });
        let word = download.expect(text).url.pieces().last().expect("a word").clone();
        let hops = word.trail.hops();
        let found = hops.iter().find(|h| h.kind == HopKind::Guarded).map(|h| &*h.name);
        assert_eq!(found, question, "{text}");
    }
}

#[test]
fn unknown_conditions_follow_both_branches() {
    fetches(
        "RUN if grep -q x /etc/os-release; then A=1; else A=2; fi; curl -O https://h/$A; wget https://h/z",
        &["https://h/{1|2}", "https://h/z"],
        &["https://h/{1|2}", "https://h/z"],
    );
    fetches(
        "RUN if [ -d /x ]; then curl -O https://h/a; fi; curl -O https://h/b",
        &["maybe https://h/a", "https://h/b"],
        &["maybe https://h/a", "https://h/b"],
    );
    // One of the branches ends the build: the other is the only way to success.
    fetches(
        "RUN if [ -d /x ]; then exit 1; else curl -O https://h/a; fi; [ -f y ] || exit 2; curl -O https://h/b",
        &["https://h/a", "https://h/b"],
        &["https://h/a", "https://h/b"],
    );
    // Ends well, but early.
    fetches(
        "RUN if [ -d /x ]; then exit 0; fi; curl -O https://h/b",
        &["maybe https://h/b"],
        &["maybe https://h/b"],
    );
}

#[test]
fn lists_rely_on_success_and_allow_for_failure() {
    fetches(
        "RUN apt-get update && curl -O https://h/a && (true; false) || curl -O https://h/b",
        &["https://h/a", "https://h/b"],
        &["https://h/a", "https://h/b"],
    );
    fetches(
        "RUN apt-get update || curl -O https://h/b",
        &["maybe https://h/b"],
        &["maybe https://h/b"],
    );
    fetches(
        "RUN [ -z \"$TARGETARCH\" ] || curl -O https://h/$TARGETARCH",
        &["https://h/amd64"],
        &["https://h/arm64"],
    );
    fetches(
        "RUN [ -f /x ] && A=1 || A=2; curl -O https://h/$A",
        &["https://h/{1|2}"],
        &["https://h/{1|2}"],
    );
}

#[test]
fn a_failing_test_at_the_end_fails_the_step() {
    let text = "FROM debian:12\nRUN [ \"$(uname -m)\" = x86_64 ] && curl -O https://h/amd64\n";
    has(text, "linux/arm64", &["2: fails: the last command ends with a status other than 0"]);
    lacks(text, "linux/amd64", &["fails"]);
    let text = "FROM debian:12\nRUN set -e; test $(uname -m) = x86_64; curl -O https://h/amd64\n";
    has(text, "linux/arm64", &["2: fails: this fails, and the script stops at failures (set -e)"]);
    lacks(text, "linux/arm64", &["download"]);
}

#[test]
fn loops_functions_and_subshells() {
    fetches(
        "RUN for a in one two; do curl -O https://h/$a-$TARGETARCH; done",
        &["https://h/one-amd64", "https://h/two-amd64"],
        &["https://h/one-arm64", "https://h/two-arm64"],
    );
    fetches(
        "RUN for a in amd64 arm64 arm; do if [ $a = $TARGETARCH ]; then curl -O https://h/$a; break; fi; done",
        &["https://h/amd64"],
        &["https://h/arm64"],
    );
    fetches(
        "RUN get() { curl -fsSL \"https://h/$1-$(uname -m)\" -o \"/usr/local/bin/$1\"; }; get a; get b",
        &["https://h/a-x86_64", "https://h/b-x86_64"],
        &["https://h/a-aarch64", "https://h/b-aarch64"],
    );
    fetches(
        "RUN A=out; (A=in; cd /x && curl -O https://h/$A); curl -O https://h/$A",
        &["https://h/in", "https://h/out"],
        &["https://h/in", "https://h/out"],
    );
    fetches(
        "RUN i=0; while [ $i -lt 3 ]; do curl -O https://h/$i; i=$((i+1)); done",
        &["https://h/0", "https://h/1", "https://h/2"],
        &["https://h/0", "https://h/1", "https://h/2"],
    );
    fetches(
        "RUN until curl -O https://h/a; do sleep 1; done; for f in *.tgz; do wget https://h/$f; done",
        &["https://h/a", "maybe https://h/?"],
        &["https://h/a", "maybe https://h/?"],
    );
    // Endless loops and recursion end.
    lacks("FROM a\nRUN while true; do :; done; f() { f; f; }; f\n", "linux/arm64", &["download"]);
}

#[test]
fn other_ways_to_say_it() {
    fetches(
        "SHELL [\"/bin/bash\", \"-c\"]\nRUN declare -A m=([amd64]=x64 [arm64]=aarch64); curl -O https://h/${m[$TARGETARCH]}",
        &["https://h/x64"],
        &["https://h/aarch64"],
    );
    fetches(
        "RUN bash -c 'if [[ $(uname -m) == x86* ]]; then curl -O https://h/amd64; else curl -O https://h/arm64; fi'",
        &["https://h/amd64"],
        &["https://h/arm64"],
    );
    fetches(
        "RUN <<EOF\nset -e\nARCH=$(uname -m)\ncurl -O https://h/$ARCH\nEOF",
        &["https://h/x86_64"],
        &["https://h/aarch64"],
    );
    fetches(
        "RUN [\"/bin/bash\", \"-c\", \"curl -O https://h/$TARGETARCH\"]",
        &["https://h/amd64"],
        &["https://h/arm64"],
    );
    fetches("RUN [\"curl\", \"-O\", \"https://h/$X\"]", &["https://h/$X"], &["https://h/$X"]);
    fetches(
        "RUN eval \"A=$TARGETARCH\"; export A; sh -c 'curl -O https://h/$A'",
        &["https://h/amd64"],
        &["https://h/arm64"],
    );
    fetches(
        "RUN read -r os arch <<< \"linux $TARGETARCH\"; curl -O https://h/$os-$arch",
        &["https://h/linux-amd64"],
        &["https://h/linux-arm64"],
    );
    fetches(
        "RUN uname -m > /tmp/arch\nRUN curl -O https://h/$(cat /tmp/arch)",
        &["https://h/x86_64"],
        &["https://h/aarch64"],
    );
    fetches(
        "RUN A=${TARGETARCH/amd64/x86_64}; A=${A/arm64/aarch64}; curl -O https://h/${A}",
        &["https://h/x86_64"],
        &["https://h/aarch64"],
    );
    fetches(
        "RUN A=$TARGETARCH set -x && get() { curl -O https://h/$A-$B; } && B=1 get",
        &["https://h/amd64-1"],
        &["https://h/arm64-1"],
    );
    fetches(
        "RUN A=$(uname -m); [ \"$A\" = aarch64 ] && A=arm64; B=\"${A^^}\"; curl -O https://h/$B",
        &["https://h/X86_64"],
        &["https://h/ARM64"],
    );
}

#[test]
fn a_variable_ends_with_its_run() {
    let text = "FROM debian:12\nRUN ARCH=$(uname -m)\nRUN curl -O https://h/$ARCH\n";
    has(text, "linux/arm64", &["3: download https://h/? <Unset> -> ?", "3: unset ARCH"]);
    let evaluation = evaluate(text, "linux/arm64");
    let lost = &evaluation.stages[0].steps[0].lost;
    assert_eq!(lost.len(), 1);
    assert!(lost[0].name == "ARCH" && lost[0].value.is("aarch64"));
}

#[test]
fn undeclared_platform_arguments_are_empty() {
    has(
        "FROM debian:12\nRUN curl -O https://h/x-$TARGETARCH.tgz\n",
        "linux/arm64",
        &["2: download https://h/x-.tgz -> /x-.tgz", "2: unset TARGETARCH"],
    );
}

#[test]
fn literals_know_where_they_stand_and_how_they_came() {
    let text = "ARG URL=https://h/amd64.tgz\nFROM debian:12\nARG URL\nRUN F=$URL; curl -O \"$F\"\n";
    let evaluation = evaluate(text, "linux/arm64");
    let url = evaluation
        .effects()
        .find_map(|(_, _, e)| match &e.kind {
            EffectKind::Download(d) => Some(d.url.clone()),
            _ => None,
        })
        .expect("a download");
    let spelled = url.spelled();
    let at = spelled.text.find("amd64").expect("the word");
    let (piece, range) = spelled.pieces_at(at..at + 5).next().expect("its piece");
    assert_eq!(piece.origin, Origin::Literal);
    assert_eq!(&text[piece.subspan(range).range()], "amd64");
    let way: Vec<&str> = piece.trail.hops().iter().map(|h| &text[h.span.range()]).collect();
    assert_eq!(way, ["URL=https://h/amd64.tgz", "URL", "$URL", "F=$URL", "$F"]);
}

#[test]
fn spans_reach_through_continuations() {
    let text = "FROM debian:12\nRUN curl -O https://h/tool-lin\\\nux-am\\\nd64.tgz\n";
    let evaluation = evaluate(text, "linux/arm64");
    let (_, _, effect) = evaluation
        .effects()
        .find(|(_, _, e)| matches!(e.kind, EffectKind::Download(_)))
        .expect("a download");
    let EffectKind::Download(download) = &effect.kind else { panic!() };
    assert!(download.url.is("https://h/tool-linux-amd64.tgz"));
    let at = "https://h/tool-linux-".len();
    let span = download.url.pieces()[0].subspan(at..at + 5);
    assert_eq!(&text[span.range()], "am\\\nd64");
}

#[test]
fn unset_options_and_required_variables() {
    let text = "FROM scratch\nRUN set -u; echo $NOPE\n";
    has(text, "linux/arm64", &["2: fails: NOPE is not set, and the script forbids that (set -u)"]);
    has("FROM scratch\nRUN echo ${NOPE:?give it}\n", "linux/arm64", &["2: fails: NOPE: give it"]);
}

#[test]
fn truth_tables() {
    use Truth::{No, Unknown, Yes};
    assert_eq!([Yes.and(Unknown), No.and(Unknown), Unknown.negate()], [Unknown, No, Unknown]);
    assert_eq!([Yes.or(Unknown), No.or(Unknown), Yes.negate()], [Yes, Unknown, No]);
}
