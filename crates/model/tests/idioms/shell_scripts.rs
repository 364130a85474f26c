//! The shell: text that is run, and programs in other languages.

use mlint_model::EffectKind;

use crate::{
    evaluate, has, lacks,
    shell::{same, word},
};

#[test]
fn shells_of_their_own() {
    same("A=x; bash -c 'curl -O https://h/${A:-none}'", &["none"]);
    same("A=x bash -c 'curl -O https://h/$A'", &["x"]);
    same("export A=x; sh -ec 'curl -O https://h/$A-$0-$1' zero one", &["x-zero-one"]);
    same("sh -ec 'false; curl -O https://h/a' || curl -O https://h/b", &["b"]);
    same("bash <<'EOF'\ncurl -O https://h/a\nEOF\n", &["a"]);
    same("bash -s -- x <<'EOF'\ncurl -O https://h/$1\nEOF\n", &["x"]);
    word("eval \"A=\\$TARGETARCH\"; curl -O https://h/$A", "amd64", "arm64");
}

#[test]
fn files_that_the_build_writes() {
    same("echo 'A=x' > /e; . /e; curl -O https://h/$A", &["x"]);
    same("printf 'curl -O https://h/%s\\n' '$1' > /s; sh /s a", &["a"]);
    has(
        "FROM debian\nCOPY <<EOF /s.sh\n#!/bin/sh\ncurl -O https://h/\\$1-$(uname -m)\nEOF\nRUN chmod +x /s.sh && /s.sh a\n",
        "linux/arm64",
        &["4: download https://h/a-aarch64 <uname -m> -> /a-aarch64"],
    );
    same(
        "printf '#!/bin/bash -e\\nfor i in {a,b}; do curl -O https://h/$i; done\\n' > /s; chmod +x /s; cd / && ./s",
        &["a", "b"],
    );
    // What is not known makes variables unknown, and is no misuse of them.
    let text = "FROM debian\nRUN . /etc/os-release && curl -O https://h/$VERSION_ID\n";
    has(text, "linux/arm64", &["2: download https://h/? <Unset> -> ?"]);
    lacks(text, "linux/arm64", &["unset"]);
    lacks("FROM debian\nRUN export $(cat /vars) && echo $X\n", "linux/arm64", &["unset"]);
}

#[test]
fn other_languages_are_looked_at() {
    for body in [
        "RUN python3 <<EOF\nimport urllib.request\nurl = 'https://h/x-amd64.tgz'\nEOF\n",
        "RUN <<EOF\n#!/usr/bin/env python3\nurl = 'https://h/x-amd64.tgz'\nEOF\n",
        "RUN node <<'JS'\nfetch(\"https://h/x-amd64.tgz\")\nJS\n",
        "RUN perl -MLWP::Simple -e 'getstore(\"https://h/x-amd64.tgz\", \"x\")'\n",
        "RUN ruby -ropen-uri -e 'URI.open(\"https://h/x-amd64.tgz\")'\n",
        "RUN python -c \"open('https://h/x-amd64.tgz')\"\n",
        "SHELL [\"pwsh\", \"-Command\"]\nRUN Invoke-WebRequest https://h/x-amd64.tgz -OutFile x\n",
    ] {
        let text = format!("FROM debian\n{body}");
        let evaluation = evaluate(&text, "linux/arm64");
        let found = evaluation.effects().find_map(|(_, _, e)| match &e.kind {
            EffectKind::Foreign(foreign) => Some((foreign.clone(), e.certain)),
            _ => None,
        });
        let Some((foreign, certain)) = found else { panic!("nothing in {text}") };
        let literal = &foreign.literals[0];
        assert_eq!(literal.value.to_string(), "https://h/x-amd64.tgz", "{text}");
        assert_eq!(&text[literal.span.range()], "https://h/x-amd64.tgz", "{text}");
        assert!(!certain);
        let downloads = evaluation.effects().filter_map(|(_, _, e)| match &e.kind {
            EffectKind::Download(_) => Some(e.certain),
            _ => None,
        });
        // What is known to fetch, may fetch it.
        let want: &[bool] = if text.contains("fetch(") { &[false] } else { &[] };
        assert_eq!(downloads.collect::<Vec<_>>(), want, "{text}");
    }
    lacks("FROM debian\nRUN python3 -c 'print(1)'\n", "linux/arm64", &["foreign"]);
}

#[test]
fn what_cannot_be_read_is_left_out() {
    // The shell runs what stands before the break.
    let text = "FROM debian\nRUN curl -O https://h/a; if true; then curl -O https://h/b\n";
    has(text, "linux/arm64", &["2: download https://h/a -> /a"]);
    lacks(text, "linux/arm64", &["https://h/b"]);
    same("A=${x y}; curl -O https://h/$A", &["?"]);
}
