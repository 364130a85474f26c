//! Prints what the rules find in files, without facts about images: `cargo run -p mlint-rules
//! --example findings -- [--fix] PATH…`. For reading many real Dockerfiles at once.

use std::{env, error::Error, fs, io::Write as _};

use mlint_lint::{CheckOptions, FixOptions, check, fix, testing::render};
use mlint_model::ImageFacts;

fn main() -> Result<(), Box<dyn Error>> {
    let (flags, paths): (Vec<String>, Vec<String>) =
        env::args().skip(1).partition(|a| a.starts_with("--"));
    let mut out = std::io::stdout().lock();
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let options = CheckOptions::default();
        let facts = ImageFacts::default();
        let report =
            check(&mlint_syntax::parse(text.as_str()), &options, &facts, mlint_rules::all());
        if report.diagnostics.is_empty() {
            continue;
        }
        writeln!(out, "== {path}\n{}", render(&text, &report))?;
        if flags.iter().any(|f| f == "--fix") {
            let wanted = FixOptions { unsafe_too: true, only: None };
            let outcome = fix(&text, &options, &wanted, &facts, mlint_rules::all());
            for u in &outcome.unapplied {
                writeln!(out, "-- not applied for {}: {}: {}", u.rule, u.title, u.reason)?;
            }
            writeln!(out, "-- after {} fixes\n{}", outcome.applied.len(), outcome.text)?;
        }
    }
    Ok(())
}
