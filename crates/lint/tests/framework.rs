//! The framework with rules made for the purpose: one that finds the word BAD in the build for
//! linux/arm64 and proposes what a test wants, one that finds the word WORSE everywhere.

use mlint_lint::{
    Applicability, CheckOptions, Confidence, Context, Effect, Finding, FixAvailability, FixOptions,
    Group, Level, Meta, ProposedFix, Report, Rule, Severity, Sink, Verdict, check, fix,
};
use mlint_model::ImageFacts;
use mlint_oci::Platform;
use mlint_syntax::{Edit, EditSet, Span, parse};

struct Bad {
    propose: fn(&Context<'_>, Span) -> Vec<ProposedFix>,
}

static BAD: Meta = Meta {
    name: "bad",
    group: Group::Values,
    summary: "BAD stands there",
    docs: "",
    severity: Severity::Error,
    confidence: Confidence::High,
    effect: Effect::WrongBinary,
    needs_image_facts: false,
    fixes: FixAvailability::Sometimes,
};

impl Rule for Bad {
    fn meta(&self) -> &'static Meta {
        &BAD
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for (at, _) in cx.file.text.match_indices("BAD") {
            let span = Span::new(at as u32, at as u32 + 3);
            let platform = Platform::linux("arm64");
            let mut finding = Finding::new(span, &platform, |on| format!("BAD on {on}"));
            for fix in (self.propose)(cx, span) {
                finding = finding.fix(fix);
            }
            sink.report(finding);
        }
    }
}

struct Worse;

static WORSE: Meta = Meta { name: "worse", fixes: FixAvailability::None, ..BAD_COPY };

const BAD_COPY: Meta = Meta {
    name: "worse",
    group: Group::Values,
    summary: "WORSE stands there",
    docs: "",
    severity: Severity::Warning,
    confidence: Confidence::Low,
    effect: Effect::BuildFails,
    needs_image_facts: false,
    fixes: FixAvailability::None,
};

impl Rule for Worse {
    fn meta(&self) -> &'static Meta {
        &WORSE
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for (at, _) in cx.file.text.match_indices("WORSE") {
                let span = Span::new(at as u32, at as u32 + 5);
                sink.report(Finding::new(span, &evaluation.platform, |on| format!("on {on}")));
            }
        }
    }
}

fn replace(span: Span, text: &str) -> EditSet {
    EditSet::from_edits([Edit { span, text: text.to_owned() }]).unwrap()
}

fn run_with(
    text: &str,
    options: &CheckOptions,
    propose: fn(&Context<'_>, Span) -> Vec<ProposedFix>,
) -> Report {
    let bad = Bad { propose };
    check(&parse(text), options, &ImageFacts::default(), &[&bad, &Worse])
}

fn run(text: &str) -> Report {
    run_with(text, &CheckOptions::default(), |_, _| Vec::new())
}

fn names(report: &Report) -> Vec<(&str, &str)> {
    report.diagnostics.iter().map(|d| (d.rule, d.message.as_str())).collect()
}

/// What became of the one fix that is proposed: applicability and caution, or why it was refused.
fn fate(text: &str, propose: fn(&Context<'_>, Span) -> Vec<ProposedFix>) -> String {
    let report = run_with(text, &CheckOptions::default(), propose);
    let diagnostic = report.diagnostics.iter().find(|d| d.rule == "bad").unwrap();
    match diagnostic.fixes.as_slice() {
        [fix] => format!("{}: {}", fix.applicability, fix.caution.as_deref().unwrap_or("")),
        [] => {
            let bad = Bad { propose };
            let (options, facts) = (CheckOptions::default(), ImageFacts::default());
            let outcome = fix(text, &options, &FixOptions::default(), &facts, &[&bad, &Worse]);
            assert_eq!(outcome.text, text, "a refused fix was applied");
            format!("refused: {}", outcome.unapplied[0].reason)
        }
        more => panic!("{more:?}"),
    }
}

#[test]
fn the_same_finding_on_several_platforms_is_one() {
    let report = run("FROM debian:12\nENV A=WORSE B=WORSE\n");
    assert_eq!(report.diagnostics.len(), 2);
    assert_eq!(report.diagnostics[0].message, "on linux/amd64 and linux/arm64");
    assert!(report.diagnostics[0].span < report.diagnostics[1].span);
    assert!(report.verdicts.iter().all(|v| v.verdict == Verdict::AtRisk));
}

#[test]
fn verdicts_take_the_worst_of_each_platform() {
    let verdicts = |text: &str| -> Vec<&str> {
        run(text).verdicts.iter().map(|v| v.verdict.as_str()).collect()
    };
    assert_eq!(verdicts("FROM debian:12\n"), ["ok", "ok"]);
    assert_eq!(verdicts("FROM debian:12\nRUN true\n"), ["ok", "emulated"]);
    assert_eq!(verdicts("FROM debian:12\nENV A=BAD B=WORSE\n"), ["at-risk", "wrong-binary"]);
    assert_eq!(verdicts("FROM debian:12\nENV A=BAD\nNONSENSE\n"), ["build-fails", "build-fails"]);
    assert_eq!(verdicts(""), ["build-fails", "build-fails"]);
}

#[test]
fn levels_change_severities_and_switch_rules_off() {
    let mut options = CheckOptions::default();
    options.levels.insert("bad".to_owned(), Level::At(Severity::Note));
    options.levels.insert("worse".to_owned(), Level::Off);
    let report = run_with("FROM debian:12\nENV A=BAD B=WORSE\n", &options, |_, _| Vec::new());
    assert_eq!(report.diagnostics.len(), 1);
    assert_eq!(report.diagnostics[0].severity, Severity::Note);
    // What a rule is called does not change what happens.
    assert_eq!(report.verdicts[1].verdict, Verdict::WrongBinary);
}

#[test]
fn suppressions_cover_their_instruction_or_the_file() {
    assert_eq!(run("FROM debian:12\n# mlint ignore=bad: why\nENV A=BAD\n").diagnostics, []);
    assert_eq!(run("# mlint file-ignore=bad: why\nFROM debian:12\nENV A=BAD\n").diagnostics, []);
    // Between the lines of an instruction, and as the shell's own comment.
    let text = "FROM debian:12\nRUN a && \\\n # mlint ignore=bad: why\n    echo BAD\n";
    assert_eq!(run(text).diagnostics, []);
    assert_eq!(run("FROM debian:12\nRUN echo BAD # mlint ignore=bad: why\n").diagnostics, []);
    // Other instructions are not covered, nor are other rules.
    let text = "FROM debian:12\n# mlint ignore=bad: why\nENV A=BAD\nENV B=BAD C=WORSE\n";
    let report = run(text);
    assert_eq!(names(&report).iter().map(|n| n.0).collect::<Vec<_>>(), ["bad", "worse"]);
    let suppressed = run("FROM debian:12\n# mlint ignore=bad: why\nENV A=BAD\n");
    assert_eq!(suppressed.verdicts[1].verdict, Verdict::Ok);
}

#[test]
fn a_stage_for_one_platform_on_purpose() {
    let text = "# mlint platform=linux/amd64: why\nFROM debian:12 AS a\nENV A=BAD\n\
                FROM debian:12\nENV A=BAD\n";
    let report = run(text);
    assert_eq!(names(&report), [("bad", "BAD on linux/arm64")]);
    assert_eq!(report.diagnostics[0].span.start as usize, text.rfind("BAD").unwrap());
}

#[test]
fn suppressions_that_do_nothing_are_found_and_removed() {
    let text = "FROM debian:12\n# mlint ignore=bad,worse,wors: why\nENV A=BAD\n\
                # mlint ignore=worse: why\nRUN true # mlint ignore=bad\n";
    let report = run(text);
    assert_eq!(
        names(&report),
        [
            ("unused-suppression", "nothing that worse finds is suppressed here"),
            ("unused-suppression", "there is no rule 'wors'; did you mean worse?"),
            ("unused-suppression", "nothing that worse finds is suppressed here"),
            (
                "suppression-without-reason",
                "this suppression does not say why the finding may stay"
            ),
            ("unused-suppression", "nothing that bad finds is suppressed here"),
        ]
    );
    let bad = Bad { propose: |_, _| Vec::new() };
    let (options, facts) = (CheckOptions::default(), ImageFacts::default());
    let outcome = fix(text, &options, &FixOptions::default(), &facts, &[&bad, &Worse]);
    assert_eq!(outcome.text, "FROM debian:12\n# mlint ignore=bad: why\nENV A=BAD\nRUN true\n");
}

#[test]
fn a_suppression_may_wait_for_what_is_not_checked_now() {
    let text = "FROM debian:12\n# mlint ignore=bad: why\nENV A=1\n";
    assert_eq!(run(text).diagnostics.len(), 1);
    let mut off = CheckOptions::default();
    off.levels.insert("bad".to_owned(), Level::Off);
    assert_eq!(run_with(text, &off, |_, _| Vec::new()).diagnostics, []);
    let one = CheckOptions { platforms: vec![Platform::linux("amd64")], ..CheckOptions::default() };
    assert_eq!(run_with(text, &one, |_, _| Vec::new()).diagnostics, []);
}

#[test]
fn a_syntax_error_can_not_be_suppressed() {
    let report = run("FROM debian:12\n# mlint ignore=syntax-error: why\nNONSENSE\n");
    let rules: Vec<&str> = report.diagnostics.iter().map(|d| d.rule).collect();
    assert_eq!(rules, ["unused-suppression", "syntax-error"]);
}

#[test]
fn a_fix_that_changes_nothing_for_others_is_safe() {
    // On amd64 TARGETARCH is amd64, as the literal was.
    let fate = fate("FROM debian:12\nARG TARGETARCH BAD\nENV A=amd64\n", |cx, span| {
        let at = cx.file.text.find("=amd64").unwrap() as u32 + 1;
        let edits = [
            Edit { span, text: "GOOD".to_owned() },
            Edit { span: Span::new(at, at + 5), text: "$TARGETARCH".to_owned() },
        ];
        vec![ProposedFix::safe("x", EditSet::from_edits(edits).unwrap())]
    });
    assert_eq!(fate, "safe: ");
}

#[test]
fn a_fix_that_changes_a_platform_that_was_right_needs_a_look() {
    let text = "FROM debian:12\nENV A=BAD\n";
    let found = fate(text, |_, span| vec![ProposedFix::safe("x", replace(span, "GOOD"))]);
    assert_eq!(
        found,
        "unsafe: on linux/amd64, which is right today, `set A=BAD in the image` would become \
         `set A=GOOD in the image`"
    );
    let found =
        fate(text, |_, span| vec![ProposedFix::safe("x", replace(span, "GOOD")).or_nothing()]);
    assert!(found.starts_with("refused: on linux/amd64"), "{found}");
}

#[test]
fn a_fix_that_does_not_do_its_work_is_refused() {
    let text = "FROM debian:12\n# BAD\nENV A=1\n";
    for (propose, why) in [
        (
            (|_: &Context<'_>, _| vec![ProposedFix::safe("x", replace(Span::empty(0), "# a\n"))])
                as fn(&Context<'_>, Span) -> Vec<ProposedFix>,
            "refused: bad would find the same on linux/arm64 afterwards",
        ),
        (
            |cx, _| {
                let at = cx.file.text.find("# BAD").unwrap() as u32;
                vec![ProposedFix::safe("x", replace(Span::new(at, at + 6), ""))]
            },
            "refused: the comment '# BAD' would be lost",
        ),
        (
            |_, span| vec![ProposedFix::safe("x", replace(span, "x\nNONSENSE"))],
            "refused: the file would no longer be read: unknown instruction NONSENSE",
        ),
        (
            |_, _| vec![ProposedFix::safe("x", replace(Span::empty(9999), "x"))],
            "refused: its edits do not fit the file",
        ),
    ] {
        assert!(fate(text, propose).starts_with(why), "{}", fate(text, propose));
    }
    let new = fate("FROM debian:12\nENV A=BAD\n", |_, span| {
        vec![ProposedFix::needs_look("x", replace(span, "WORSE"))]
    });
    assert_eq!(new, "refused: worse would find something new on linux/amd64 afterwards");
}

#[test]
fn the_caution_of_a_fix_that_needs_a_look_is_kept() {
    let found = fate("FROM debian:12\nENV A=BAD\n", |_, span| {
        vec![ProposedFix::needs_look("x", replace(span, "GOOD")).because("of that")]
    });
    assert_eq!(found, "unsafe: of that");
}

#[test]
fn fixes_are_applied_in_rounds_and_reported_at_their_first_place() {
    let bad = Bad {
        propose: |cx, span| {
            // One at a time: they all add the same line.
            let edits = [
                Edit { span: Span::empty(0), text: "# fixed\n".to_owned() },
                Edit { span, text: format!("GOOD{}", cx.file.text.matches("GOOD").count()) },
            ];
            vec![ProposedFix::needs_look("x", EditSet::from_edits(edits).unwrap())]
        },
    };
    let text = "FROM debian:12\nENV A=BAD\nENV B=BAD\n";
    let (options, facts) = (CheckOptions::default(), ImageFacts::default());
    let safe = fix(text, &options, &FixOptions::default(), &facts, &[&bad]);
    assert_eq!((safe.text.as_str(), safe.applied.len()), (text, 0));
    assert!(safe.unapplied.iter().all(|u| u.needs_unsafe));
    let all = FixOptions { unsafe_too: true, only: None };
    let outcome = fix(text, &options, &all, &facts, &[&bad]);
    assert_eq!(outcome.text, "# fixed\nFROM debian:12\nENV A=GOOD0\nENV B=GOOD0\n");
    let places: Vec<u32> = outcome.applied.iter().map(|a| a.span.start).collect();
    assert_eq!(places, [21, 31]);
    assert!(outcome.applied.iter().all(|a| a.applicability == Applicability::Unsafe));
    let other = FixOptions { unsafe_too: true, only: Some(vec!["worse".to_owned()]) };
    assert_eq!(fix(text, &options, &other, &facts, &[&bad]).text, text);
}

#[test]
fn fixes_that_never_end_are_stopped() {
    let bad = Bad {
        // Each round takes one away and leaves the others.
        propose: |cx, _| {
            let at = cx.file.text.rfind("BAD").unwrap() as u32;
            vec![ProposedFix::needs_look("x", replace(Span::new(at, at + 3), "ok"))]
        },
    };
    let text = format!("FROM debian:12\nENV A={}\n", "BAD.".repeat(14));
    let options = FixOptions { unsafe_too: true, only: None };
    let facts = ImageFacts::default();
    let outcome = fix(&text, &CheckOptions::default(), &options, &facts, &[&bad]);
    assert_eq!(outcome.rounds, fix::MAX_ROUNDS);
    assert_eq!(outcome.text.matches("BAD").count(), 4);
    assert!(!outcome.unapplied.is_empty());
}
