//! What must hold for every rule on every Dockerfile of the corpus: fixes are as available as the
//! rule says, converge, bring no syntax error, lose no comment, and leave nothing to do.

use std::{collections::BTreeSet, fs, path::PathBuf};

use mlint_lint::{CheckOptions, FixOptions, Report, Severity, check, fix, testing::Harness};
use mlint_model::ImageFacts;
use mlint_syntax::{ElementKind, parse};

/// All Dockerfiles of the corpus, by path.
fn files() -> Vec<(PathBuf, String)> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let mut open = vec![corpus];
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|n| n == "Dockerfile") {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                files.push((path, text));
            }
        }
    }
    assert!(files.len() >= 40, "only {} cases", files.len());
    files.sort();
    files
}

#[test]
fn every_rule_keeps_the_contract() {
    for (path, text) in files() {
        // A rule that finds nothing in a file has nothing to keep.
        let found: BTreeSet<&str> = run(&text).diagnostics.iter().map(|d| d.rule).collect();
        for rule in mlint_rules::all().iter().filter(|r| found.contains(r.meta().name)) {
            let harness = Harness::new(mlint_rules::all(), rule.meta().name);
            if let Err(why) = harness.check_fix_contract(&text) {
                panic!("{} on {}: {why}", rule.meta().name, path.display());
            }
        }
    }
}

fn run(text: &str) -> Report {
    let file = parse(text);
    check(&file, &CheckOptions::default(), &ImageFacts::default(), mlint_rules::all())
}

/// All fixes together, safe ones only: nothing gets worse, and what is said to be applied is gone.
#[test]
fn safe_fixes_together_make_nothing_worse() {
    for (path, text) in files() {
        let before = run(&text);
        let facts = ImageFacts::default();
        let options = CheckOptions::default();
        let outcome = fix(&text, &options, &FixOptions::default(), &facts, mlint_rules::all());
        let after = run(&outcome.text);
        let errors =
            |r: &Report| r.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
        assert!(errors(&after) <= errors(&before), "{}", path.display());
        for (b, a) in before.verdicts.iter().zip(&after.verdicts) {
            assert!(a.verdict <= b.verdict, "{}: {:?} became {:?}", path.display(), b, a);
        }
        if !outcome.applied.is_empty() {
            assert_ne!(outcome.text, text, "{}", path.display());
        }
    }
}

/// Comments outside of instructions come through all fixes, those for mlint excepted.
#[test]
fn comments_survive_all_fixes() {
    for (path, text) in files() {
        let options = FixOptions { unsafe_too: true, only: None };
        let facts = ImageFacts::default();
        let outcome = fix(&text, &CheckOptions::default(), &options, &facts, mlint_rules::all());
        let comments = |text: &str| -> Vec<String> {
            let file = parse(text);
            let found = file.elements.iter().filter(|e| e.kind == ElementKind::Comment);
            let lines = found.map(|e| file.text[e.span.range()].trim().to_owned());
            lines.filter(|line| !line.contains("mlint")).collect()
        };
        assert_eq!(comments(&outcome.text), comments(&text), "{}", path.display());
    }
}
