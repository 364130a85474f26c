//! No input makes these functions panic, and what they accept they write back unchanged.

use mlint_oci::{Document, ImageConfig, Platform, Reference, arch};
use proptest::prelude::*;

/// Text that is near to what the readers look for.
fn pieces(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => proptest::sample::select(words).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(word, 0..12).prop_map(|parts| parts.concat())
}

const REFERENCE: &[&str] = &[
    "a",
    "B",
    "0",
    ".",
    "-",
    "_",
    "/",
    ":",
    "@",
    "localhost",
    "docker.io",
    "[::1]",
    "5000",
    "sha256:",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "$",
    "://",
];

const ARCH: &[&str] = &[
    "amd64", "x86_64", "X64", "arm64", "arm", "386", "linux", "Linux", "darwin", "win64", "64bit",
    "-", "_", "/", ".", " ", "://", "${", "v8", "é",
];

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "2",
    "\"schemaVersion\":2",
    "\"manifests\":[]",
    "\"layers\":",
    "\"config\":",
    "\"digest\"",
    "\"rootfs\":{\"diff_ids\":null}",
    "\"architecture\":\"arm\"",
    "\"config\":{\"Env\":null}",
];

proptest! {
    #[test]
    fn references(text in prop_oneof![pieces(REFERENCE), any::<String>()]) {
        if let Ok(reference) = Reference::parse(&text) {
            let full = reference.to_string();
            prop_assert_eq!(&Reference::parse(&full).unwrap(), &reference, "{}", full);
            let familiar = reference.familiar();
            prop_assert_eq!(&Reference::parse(&familiar).unwrap(), &reference, "{}", familiar);
        }
    }

    #[test]
    fn platforms(text in any::<String>()) {
        if let Ok(platform) = text.parse::<Platform>() {
            prop_assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
    }

    #[test]
    fn arch_words(text in prop_oneof![pieces(ARCH), any::<String>()]) {
        let mut end = 0;
        for word in arch::find_words(&text) {
            prop_assert!(word.range.start >= end && word.range.end > word.range.start);
            prop_assert!(text[word.range.clone()].eq_ignore_ascii_case(word.word));
            end = word.range.end;
        }
    }

    #[test]
    fn documents(text in prop_oneof![pieces(JSON), any::<String>()]) {
        if let Ok(document) = Document::parse(text.as_bytes(), None) {
            let bytes = match &document {
                Document::Manifest(m) => serde_json::to_vec(m).unwrap(),
                Document::Index(i) => serde_json::to_vec(i).unwrap(),
            };
            prop_assert_eq!(Document::parse(&bytes, None).unwrap(), document);
        }
        if let Ok(config) = ImageConfig::parse(text.as_bytes()) {
            let bytes = serde_json::to_vec(&config).unwrap();
            prop_assert_eq!(ImageConfig::parse(&bytes).unwrap(), config);
        }
    }
}

#[test]
fn long_lines_take_linear_time() {
    // With anything quadratic in it, this runs for minutes.
    for piece in ["linux-amd64/", "a://b", "darwin", "-amd64", "x86_64 windows "] {
        let _ = arch::find_words(&piece.repeat(30_000));
    }
    assert_eq!(arch::find_words(&"amd64 ".repeat(30_000)).len(), 30_000);
}
