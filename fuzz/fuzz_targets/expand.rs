//! Words expand to something or to an error with a place, whatever stands in them and in the
//! values of their variables. The values come first, one a line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlint_syntax::LogicalText;
use mlint_syntax::word::{expand, expand_words, parse_heredoc_body, parse_word};

fuzz_target!(|text: &str| {
    let lines: Vec<&str> = text.splitn(4, '\n').collect();
    let (word, values) = lines.split_last().expect("one line at the least");
    let lookup = |name: &str| values.get(name.len().wrapping_sub(1)).map(|v| (*v).to_owned());
    let raw = LogicalText::contiguous(*word, 7);
    let whole = raw.full_span();
    for parsed in [parse_word(&raw, '\\'), parse_word(&raw, '`'), parse_heredoc_body(&raw)] {
        assert!(whole.contains(parsed.span));
        if let Err(error) = expand(&parsed, &lookup) {
            assert!(whole.contains(error.span()), "{error:?}");
        }
        for word in expand_words(&parsed, &lookup).unwrap_or_default() {
            assert!(whole.contains(word.span) && !word.text.is_empty());
        }
        if let Some(text) = parsed.as_literal() {
            assert_eq!(expand(&parsed, &lookup), Ok(text));
        }
    }
});
