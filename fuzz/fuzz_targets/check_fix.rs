//! Any file can be checked and repaired: the edits of a fix are disjoint and lie in the file, and
//! the result is no worse a Dockerfile than before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlint_lint::{CheckOptions, FixOptions, check, fix};
use mlint_model::ImageFacts;
use mlint_syntax::parse;

fuzz_target!(|text: &str| {
    let (options, facts, rules) =
        (CheckOptions::default(), ImageFacts::default(), mlint_rules::all());
    let file = parse(text);
    let report = check(&file, &options, &facts, rules);
    for diagnostic in &report.diagnostics {
        assert!(text.get(diagnostic.span.range()).is_some(), "{diagnostic:?}");
        for fix in &diagnostic.fixes {
            let edits = fix.edits.as_slice();
            assert!(edits.windows(2).all(|two| two[0].span.end <= two[1].span.start));
            assert!(edits.iter().all(|e| text.get(e.span.range()).is_some()), "{fix:?}");
        }
    }
    for unsafe_too in [false, true] {
        let outcome = fix(text, &options, &FixOptions { unsafe_too, only: None }, &facts, rules);
        let fixed = parse(outcome.text.as_str());
        assert!(fixed.errors.len() <= file.errors.len(), "{:?}", fixed.errors);
    }
});
