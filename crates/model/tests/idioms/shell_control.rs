//! The shell: where control goes.

use mlint_model::EffectKind;

use crate::{
    evaluate, has, lacks,
    shell::{same, word},
};

#[test]
fn cases() {
    word(
        "A=; case $TARGETARCH in a*4) A=1;;& arm64) A=${A}2;; esac; curl -O https://h/$A",
        "1",
        "12",
    );
    word(
        "A=; case $TARGETARCH in amd64) A=x;& arm64) A=${A}y;; esac; curl -O https://h/$A",
        "xy",
        "y",
    );
    word(
        "case $(uname -m) in x86_64|i?86) A=x;; aarch64) A=y;; esac; curl -O https://h/$A",
        "x",
        "y",
    );
    word("case $(uname -m) in [xX]*) A=x;; *) A=y;; esac; curl -O https://h/$A", "x", "y");
    same("case $NOBODY in a) A=1;; b) A=2;; *) exit 1;; esac; curl -O https://h/$A", &["{1|2}"]);
}

#[test]
fn conditions() {
    word(
        "if [[ $(uname -m) =~ ^(aarch|arm) ]]; then A=x; else A=y; fi; curl -O https://h/$A",
        "y",
        "x",
    );
    word("if ! [ $TARGETARCH = amd64 ]; then A=x; else A=y; fi; curl -O https://h/$A", "y", "x");
    word(
        "if [ -n \"$TARGETARCH\" -a $TARGETARCH != amd64 ]; then A=x; else A=y; fi; curl -O https://h/$A",
        "y",
        "x",
    );
    word(
        "if uname -m | grep -q -E 'aarch64|arm'; then A=x; else A=y; fi; curl -O https://h/$A",
        "y",
        "x",
    );
    word(
        "if dpkg --print-architecture | grep -qx amd64; then A=y; else A=x; fi; curl -O https://h/$A",
        "y",
        "x",
    );
    word(
        "if [[ ${TARGETARCH} < b && -v TARGETARCH ]]; then A=x; fi; curl -O https://h/$A",
        "x",
        "x",
    );
}

#[test]
fn loops_over_known_text() {
    same(
        "printf 'a 1\\nb 2\\n' | while read -r n v; do curl -O https://h/$n-$v; done",
        &["a-1", "b-2"],
    );
    same("while read -r n; do curl -O https://h/$n; done <<EOF\na\nb\nEOF\n", &["a", "b"]);
    same("while IFS=: read -r n v; do curl -O https://h/$v; done <<< $'a:1\\nb:2'", &["1", "2"]);
    word(
        "while read -r a b; do [ \"$a\" = \"$(uname -m)\" ] && curl -O https://h/$b; done <<< $'x86_64 amd64\\naarch64 arm64'",
        "amd64",
        "arm64",
    );
    same(
        "for ((i=0; i<2; i++)); do curl -O https://h/$i; done; curl -O https://h/$i",
        &["0", "1", "2"],
    );
    same("i=0; until [ $i -ge 2 ]; do i=$((i+1)); done; curl -O https://h/$i", &["2"]);
    same("for a in x y z; do [ $a = y ] && continue; curl -O https://h/$a; done", &["x", "z"]);
    same(
        "for a in x y; do for b in 1 2; do [ $b = 2 ] && continue 2; curl -O https://h/$a$b; done; done",
        &["x1", "y1"],
    );
    same("select a in x y; do curl -O https://h/$a; done", &["maybe ?"]);
}

#[test]
fn what_leaves_early_is_joined() {
    same(
        "while true; do A=x; if [ -f /x ]; then A=y; break; fi; done; curl -O https://h/$A",
        &["{y|?|x}"],
    );
    same(
        "for i in 1 2; do A=x; if [ -f /x ]; then A=y; break; fi; done; curl -O https://h/$A",
        &["{y|x}"],
    );
    same(
        "f() { A=x; if [ -f /x ]; then A=y; return; fi; A=z; }; f; curl -O https://h/$A",
        &["{y|z}"],
    );
    same("A=$(if [ -f /x ]; then echo a; exit; fi; echo b); curl -O https://h/$A", &["{a|b}"]);
    same(
        "for i in 1 2; do if [ -f /x ]; then A=y; continue; fi; A=z; done; curl -O https://h/$A",
        &["{y|z}"],
    );
    // After a loop that may have been left, what follows happens all the same.
    same("for i in 1 2; do [ -f /x ] && break; done; curl -O https://h/a", &["a"]);
    same("f() { [ -f /x ] && return 0; true; }; f; curl -O https://h/a", &["a"]);
    same("for i in 1; do [ -f /x ] && exit 0; done; curl -O https://h/a", &["maybe a"]);
}

#[test]
fn loops_that_run_an_unknown_number_of_times() {
    same("i=0; while [ -f /x$i ]; do i=$((i+1)); done; curl -O https://h/$i", &["{?|0}"]);
    same("A=a; for f in /x/*; do A=b; done; curl -O https://h/$A", &["{b|a}"]);
    same("A=a; while read -r l; do A=$l; done < /etc/passwd; curl -O https://h/$A", &["{?|a}"]);
}

#[test]
fn within_the_only_branch_that_goes_on_not_all_is_certain() {
    same(
        "if [ -d /x ]; then exit 1; else if [ -f /y ]; then curl -O https://h/a; fi; curl -O https://h/b; fi",
        &["maybe a", "b"],
    );
}

#[test]
fn functions() {
    same(
        "A=o; f() { local A=i B; B=x; curl -O https://h/$A$B; }; f; curl -O https://h/$A$B",
        &["ix", "o"],
    );
    same("f() { echo x-$1; }; curl -O https://h/$(f a)", &["x-a"]);
    same(
        "function f { curl -O https://h/$1; shift; [ $# -gt 0 ] && f \"$@\"; }; f a b",
        &["a", "b"],
    );
    word(
        "arch() { case $(uname -m) in x86_64) echo amd64; return;; esac; echo other; }; curl -O https://h/$(arch)",
        "amd64",
        "other",
    );
    same("f() { return 3; }; f || curl -O https://h/a", &["a"]);
    same(
        "f() { readonly R=x; export E=y; declare -g G=z; }; f; curl -O https://h/$R$E$G",
        &["xyz"],
    );
}

#[test]
fn options_that_end_the_script() {
    let fails = "fails: this fails, and the script stops at failures (set -e)";
    for (body, ends) in [
        ("set -e; false; curl -O https://h/a", true),
        ("set -e; (exit 3); curl -O https://h/a", true),
        ("set -e; A=$(false); curl -O https://h/a", true),
        ("set -eo pipefail; false | true; curl -O https://h/a", true),
        ("set -e; false | true; curl -O https://h/a", false),
        ("set -e; false || true; curl -O https://h/a", false),
        ("set -e; false && true; curl -O https://h/a", false),
        ("set -e; { false; true; } && curl -O https://h/a", false),
        ("set -e; if false; then :; fi; curl -O https://h/a", false),
        ("set -e; ! true; curl -O https://h/a", false),
        ("set -e; f() { false; true; }; f || :; curl -O https://h/a", false),
        ("set -ex; set +e; false; curl -O https://h/a", false),
    ] {
        let text = format!("FROM debian\nSHELL [\"bash\", \"-c\"]\nRUN {body}\n");
        match ends {
            true => has(&text, "linux/arm64", &[&format!("3: {fails}")]),
            false => has(&text, "linux/arm64", &["3: download https://h/a -> /a"]),
        }
        if !ends {
            lacks(&text, "linux/arm64", &["fails"]);
        }
    }
    same("A=$(if [ -f /x ]; then exit 1; fi; echo a) && curl -O https://h/$A", &["a"]);
}

#[test]
fn subshells_pipes_and_the_background() {
    same("A=o; { A=i; }; curl -O https://h/$A", &["i"]);
    same("A=o; echo x | A=i; curl -O https://h/$A", &["o"]);
    same("A=o; A=i & wait; curl -O https://h/$A", &["o"]);
    same("cd /x; (cd /y); [ $PWD = /x ] && curl -O https://h/a", &["a"]);
    same("trap 'curl -O https://h/late' EXIT; curl -O https://h/a", &["a", "late"]);
    same("time { curl -O https://h/a; }; coproc curl -O https://h/b", &["a", "b"]);
}

#[test]
fn files_of_both_branches() {
    // Whichever branch runs, the file is there; whose machine it has is not known.
    has(
        "FROM debian\nRUN if [ -f /x ]; then curl -o /f https://h/a-amd64; else curl -o /f https://h/a-arm64; fi\n",
        "linux/arm64",
        &["file /f: ? ? downloaded, lines 2"],
    );
    // One that only one branch removes may still be there.
    has(
        "FROM debian\nRUN curl -o /f https://h/a-amd64; if [ -f /x ]; then rm /f; fi\n",
        "linux/arm64",
        &["file /f: maybe linux/amd64 ? downloaded, lines 2"],
    );
    same(
        "if [ -f /x ]; then echo a > /f; else echo b > /f; fi; curl -O https://h/$(cat /f)",
        &["{a|b}"],
    );
    same("[ -f /x ] && echo a > /f; curl -O https://h/$(cat /f)", &["?"]);
}

#[test]
fn commands_that_run_in_some_round_are_not_dead() {
    let text = "FROM debian\nARG TARGETARCH\nRUN for a in amd64 arm64; do [ $a = $TARGETARCH ] || continue; curl -O https://h/$a; done\n";
    let evaluation = evaluate(text, "linux/arm64");
    let step = &evaluation.stages[0].steps[1];
    assert!(step.dead.iter().all(|s| !text[s.range()].contains("curl")), "{:?}", step.dead);
    assert!(step.effects.iter().any(|e| matches!(e.kind, EffectKind::Download(_))));
}

#[test]
fn what_follows_a_list_of_which_every_way_succeeds() {
    for list in [
        "if [ -f /x ]; then mkdir /q; fi",
        "if ! command -v p; then apt-get install -y p; fi",
        "for p in a; do if ! command -v $p; then apt-get install -y $p; fi; done",
        "{ test -f /x && rm /x || true; }",
        "case $(cat /x) in a) mkdir /q;; esac",
        "f() { if [ -f /x ]; then mkdir /q; return; fi; true; } && f",
    ] {
        same(&format!("{list} && curl -O https://h/a && curl -O https://h/b"), &["a", "b"]);
    }
    // Those of which one way does not.
    same("{ test -f /x && rm /x; } && curl -O https://h/a; true", &["maybe a"]);
    same("if [ -f /x ]; then mkdir /q; fi || curl -O https://h/a", &["maybe a"]);
}

#[test]
fn a_variable_of_the_script_that_no_branch_set_is_empty() {
    has(
        "FROM debian:12-slim\nRUN case x in y) T=1;; esac; if [ -n \"$T\" ]; then touch /a; else curl -O https://h/b; fi\n",
        "linux/arm64",
        &["2: download https://h/b -> /b"],
    );
    // The base image may set it.
    has(
        "FROM example.org/x\nRUN case x in y) T=1;; esac; [ -n \"$T\" ] || curl -O https://h/b\n",
        "linux/arm64",
        &["2: maybe download https://h/b -> /b"],
    );
    // So may what is read in.
    same(
        ". /etc/os-release; case x in y) T=1;; esac; [ -n \"$T\" ] || curl -O https://h/b",
        &["maybe b"],
    );
}

#[test]
fn package_managers_of_the_system() {
    for (from, manager, there) in [
        ("debian:12", "apk", false),
        ("debian:12", "apt-get", true),
        ("alpine:3.22", "apk", true),
        ("alpine:3.22", "dnf", false),
        ("almalinux:9", "apt-get", false),
    ] {
        let text = format!(
            "FROM {from}\nRUN if command -v {manager} >/dev/null 2>&1; then wget http://h/yes; else wget http://h/no; fi\n"
        );
        let (yes, no) = ("2: download http://h/yes -> /yes", "2: download http://h/no -> /no");
        has(&text, "linux/arm64", &[if there { yes } else { no }]);
    }
}

#[test]
fn text_that_is_run_with_an_unknown_part() {
    for text in [
        "n=\"$(nproc)\"; eval \"curl -o /x -m '$n' https://h/a\"",
        "n=\"$(nproc)\"; eval \"curl -o /x -m \\\"$n\\\" https://h/a\"",
        "n=\"$(nproc)\"; eval \"curl -o /x -m $n https://h/a\"",
        "sh -c \"cd /x && curl -m $(nproc) -O https://h/a\"",
    ] {
        same(text, &["a"]);
    }
    same("eval \"$(cat /x)\"; curl -O https://h/a", &["a"]);
}
