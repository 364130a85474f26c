//! What the model believes of real idioms: a Dockerfile in, lines of the dump out.

mod arguments;
mod artifacts;
mod downloads;
mod folders;
mod images;
mod langs;
mod native;
mod packages;
mod questions;
mod shell;
mod shell_bounds;
mod shell_control;
mod shell_programs;
mod shell_scripts;
mod shell_values;
mod stages;
mod toolchains;

use mlint_model::{Evaluation, ImageFacts, Options, Prepared, dump::dump};

fn evaluate_with(text: &str, platform: &str, options: &Options) -> Evaluation {
    let file = mlint_syntax::parse(text);
    Prepared::new(&file).evaluate(
        &platform.parse().expect("a platform"),
        options,
        &ImageFacts::default(),
    )
}

fn evaluate(text: &str, platform: &str) -> Evaluation {
    evaluate_with(text, platform, &Options::default())
}

/// Every line of `wanted` is a line of the dump, in this order.
#[track_caller]
fn has(text: &str, platform: &str, wanted: &[&str]) {
    let dumped = dump(&evaluate(text, platform), text);
    let mut lines = dumped.lines().map(str::trim);
    for want in wanted {
        assert!(lines.any(|line| line == *want), "no line '{want}' (in this order) in\n{dumped}");
    }
}

/// No line of the dump holds any of `unwanted`.
#[track_caller]
fn lacks(text: &str, platform: &str, unwanted: &[&str]) {
    let dumped = dump(&evaluate(text, platform), text);
    for text in unwanted {
        assert!(!dumped.contains(text), "'{text}' in\n{dumped}");
    }
}
