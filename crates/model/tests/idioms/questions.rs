//! What scripts ask about the platform.

use mlint_model::{Branch, Truth};

use crate::evaluate;

/// The questions of the last RUN as text: what is compared (`=` where it is equal, `!` where not,
/// `~` for patterns), and the branch.
fn questions(run: &str, platform: &str) -> Vec<String> {
    let text =
        format!("FROM debian:12\nSHELL [\"/bin/bash\", \"-c\"]\nARG TARGETARCH\nRUN {run}\n");
    let evaluation = evaluate(&text, platform);
    let step = evaluation.stages[0].steps.last().unwrap();
    let place = |span: mlint_syntax::Span| text[span.range()].trim().to_owned();
    step.questions
        .iter()
        .map(|q| {
            let asked: Vec<String> = q
                .comparisons
                .iter()
                .map(|c| {
                    let sign = match c.equal {
                        Truth::Yes => "=",
                        Truth::No => "!",
                        Truth::Unknown => "?",
                    };
                    let pattern = if c.pattern { "~" } else { "" };
                    format!("{}{sign}{pattern}{}", c.subject.value, c.operand.value)
                })
                .collect();
            let branch = match q.branch {
                Branch::Named(span) => format!("named: {}", place(span)),
                Branch::Otherwise(span) => format!("rest: {}", place(span)),
                Branch::None => "none".to_owned(),
                Branch::Unknown => "-".to_owned(),
            };
            format!("{} -> {branch}, not {}", asked.join(" "), q.others.len())
        })
        .collect()
}

#[test]
fn a_case_tells_all_its_words() {
    let run = "case $TARGETARCH in amd64|x86_64) a ;; arm64) b ;; arm*) c ;; *) d ;; esac";
    assert_eq!(
        questions(run, "linux/arm64"),
        ["arm64!amd64 arm64!x86_64 arm64=arm64 arm64=~arm* -> named: b, not 3"]
    );
    assert_eq!(
        questions(run, "linux/riscv64"),
        ["riscv64!amd64 riscv64!x86_64 riscv64!arm64 riscv64!~arm* -> rest: d, not 3"]
    );
    let run = "case $(uname -m) in aarch64) b ;; esac";
    assert_eq!(questions(run, "linux/amd64"), ["x86_64!aarch64 -> none, not 1"]);
}

#[test]
fn an_if_tells_what_it_came_by() {
    let run =
        "if [ $TARGETARCH = arm ]; then a; elif [[ $TARGETARCH == arm64 ]]; then b; else c; fi";
    assert_eq!(questions(run, "linux/arm"), ["arm=arm -> named: a, not 2"]);
    assert_eq!(questions(run, "linux/arm64"), ["arm64!arm arm64=arm64 -> named: b, not 2"]);
    assert_eq!(questions(run, "linux/amd64"), ["amd64!arm amd64!arm64 -> rest: c, not 2"]);
    // The condition holds although nothing is equal.
    let run = "if [ $TARGETARCH != amd64 ]; then a; fi";
    assert_eq!(questions(run, "linux/arm64"), ["arm64!amd64 -> named: a, not 0"]);
    // What is not known decides nothing: the rest may be taken although something is equal.
    let run = "if [ -e /x ] && [ $TARGETARCH = amd64 ]; then a; else b; fi";
    assert_eq!(questions(run, "linux/amd64"), ["amd64=amd64 -> rest: b, not 0"]);
}

#[test]
fn tests_on_their_own_and_other_questions() {
    let run =
        "[ $TARGETARCH = amd64 ] && a; [[ $(uname -m) =~ ^arm ]] || b; [ \"$X\" = amd64 ] || c";
    assert_eq!(
        questions(run, "linux/amd64"),
        ["amd64=amd64 -> -, not 0", "x86_64!~^arm -> -, not 0"]
    );
}

#[test]
fn a_question_in_a_loop_is_told_once() {
    let run = "for i in 1 2 3; do if [ $TARGETARCH = amd64 ]; then echo $i; fi; done";
    assert_eq!(questions(run, "linux/amd64").len(), 1);
}
