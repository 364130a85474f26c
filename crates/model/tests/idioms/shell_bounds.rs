//! The shell: whatever the script, there is an end to it. Each of these would go on for hours, or
//! fill the memory, without the bound that it is for.

use std::fmt::Write as _;

use crate::{
    evaluate, lacks,
    shell::{fetches, same},
};

/// Follows a script in bash; how many effects there are.
fn effects(script: &str) -> usize {
    let text = format!("FROM fedora\nRUN <<EOS\n{script}\nEOS\n");
    evaluate(&text, "linux/arm64").effects().count()
}

#[test]
fn rounds() {
    // Past the bound, what a round assigns is not known.
    same("i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; curl -O https://h/$i", &["{?|64}"]);
    same("for i in {1..200}; do A=$i; done; curl -O https://h/$A", &["{?|64}"]);
    same("for ((i=0; i<1000; i++)); do A=$i; done; curl -O https://h/$A", &["{?|63}"]);
    same("f() { A=$i; }; for i in {1..200}; do f; done; curl -O https://h/$A", &["{?|64}"]);
    same("A=none; for i in {1..1000000}; do A=$i; done; curl -O https://h/$A", &["{?|none}"]);
    let nested = "for a in {1..60}; do ".repeat(6) + "curl https://h/x;" + &"done; ".repeat(6);
    assert!(effects(&nested) <= 40_000);
}

#[test]
fn steps_and_depth() {
    let url = ["https://h/?"];
    // A function that calls itself twice; nothing is known behind it.
    fetches("RUN f() { f; f; }; A=1; f; curl -O https://h/$A", &[], &[]);
    fetches("RUN f() { A=$A; [ $1 = x ] && f $1; }; A=1; f x; curl -O https://h/$A", &url, &url);
    let eval = "A='eval \"$A\"'; eval \"$A\"; curl -O https://h/x";
    assert!(effects(eval) <= 40_000);
    let mut long = String::new();
    for i in 0..30_000 {
        let _ = writeln!(long, "A{i}=x; echo $A{i}");
    }
    // What is not followed any more leaves no old value.
    let text = format!("FROM debian\nRUN <<EOS\nV=amd64\n{long}\ncurl -O https://h/$V\nEOS\n");
    lacks(&text, "linux/arm64", &["download"]);
}

#[test]
fn texts_that_double() {
    same("A=x; for i in {1..60}; do A=$A$A; done; curl -O https://h/$A", &["?"]);
    same("A=x; for i in {1..60}; do A=\"$A-$NOBODY\"; done; curl -O https://h/${A:0:1}", &["?"]);
    let either = "A=x; for i in {1..60}; do if [ -f /$i ]; then A=$A-a; else A=$A-b; fi; done; curl -O https://h/$A";
    assert!(effects(either) < 200);
    let mut cases = String::from("A=x\n");
    for i in 0..200 {
        let _ = writeln!(cases, "case $X{i} in a) A=$A.a;; b) A=$A.b;; *) A=$A.c;; esac");
    }
    assert!(effects(&cases) < 100);
    assert!(effects("a=(x); for i in {1..60}; do a+=(\"${a[@]}\"); done") < 100);
}

#[test]
fn branches_in_branches() {
    let nested = "if [ -f /x ]; then A=1; else ".repeat(60) + "A=2; " + &"fi; ".repeat(60);
    assert!(effects(&nested) < 1000);
    let mut falls = String::from("case $X in\n");
    for i in 0..300 {
        let _ = writeln!(falls, "{i}) echo {i} ;&");
    }
    falls.push_str("*) : ;; esac");
    assert!(effects(&falls) <= 40_000);
    let list = "[ -f /x ] && ".repeat(500) + "curl https://h/x";
    assert!(effects(&list) < 1000);
    let returns = "f() { [ -f /x ] && return 1; }\n".to_owned() + &"f\n".repeat(500);
    assert!(effects(&returns) < 1000);
}

#[test]
fn hostile_words() {
    for script in [
        "echo {a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",
        "echo {1..999999999999}{1..999999999999}",
        "echo $(echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa | sed -E 's/(a*)*(a*)*(a*)*b/x/')",
        "echo $(echo a | grep -E '((((a{1,500}){1,500}){1,500}){1,500})')",
        "[[ aaaaaaaaaaaaaaaaaaaaaaaa =~ (a|a)*(a|a)*(a|a)*b ]]",
        "printf '%999999999s' x",
        "echo $((1<<99999)) $((9**9**9))",
        "seq 1 999999999 | xargs -n1 echo",
        "A=$(printf '%s' {1..200}); echo ${A//?/xxxxxxxxxxxxxxxx}",
    ] {
        assert!(effects(script) < 1000, "{script}");
    }
    let deep = format!("echo $(( {}1{} ))", "(".repeat(5000), ")".repeat(5000));
    assert!(effects(&deep) < 10);
    let braces = "{a,".repeat(3000) + &"}".repeat(3000);
    assert!(effects(&format!("echo {braces}")) < 10);
}
