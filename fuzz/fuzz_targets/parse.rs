//! Every byte is in the tree, and a break in one instruction leaves the others intact.
#![no_main]

#[path = "../../crates/syntax/tests/lossless/check.rs"]
mod check;

use libfuzzer_sys::fuzz_target;

const BEFORE: &str = "FROM a\nRUN --mount=type=cache,target=/c b \\\n # why\n c\n";
const AFTER: &str =
    "COPY <<-\"Last ]\" <<Other /d/\n\te\nFROM\n\tLast ]\nOther\nENV f=\"g\\\n h\"\nCMD [\"i\"]\n";

fuzz_target!(|text: &str| {
    check::check(text);
    check::check_break(BEFORE, text, AFTER);
});
