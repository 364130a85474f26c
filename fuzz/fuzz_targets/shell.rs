//! Scripts are read without a panic, every span can be shown, and commands stand in their order.
#![no_main]

#[allow(dead_code, reason = "the other half is for another target")]
#[path = "../../crates/syntax/tests/lossless/check.rs"]
mod check;

use libfuzzer_sys::fuzz_target;
use mlint_syntax::LogicalText;
use mlint_syntax::shell::{Command, Visitor, parse_shell, walk_command, walk_script};

struct Spans<'t>(&'t str);

impl Visitor for Spans<'_> {
    fn command(&mut self, command: &Command) {
        assert!(self.0.get(command.span.range()).is_some(), "{:?}", command.span);
        walk_command(self, command);
    }
}

fuzz_target!(|text: &str| {
    let script = parse_shell(&LogicalText::contiguous(text, 0));
    for error in &script.errors {
        assert!(text.get(error.range()).is_some(), "{error:?}");
    }
    let starts: Vec<u32> = script.commands.iter().map(|c| c.span.start).collect();
    assert!(starts.is_sorted(), "{starts:?}");
    walk_script(&mut Spans(text), &script);
    // The same text inside of a RUN, joined and with here-documents.
    check::check(&format!("FROM a\nRUN {text}"));
});
