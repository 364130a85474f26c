use super::{
    ExpandError, OpKind, Part, Quoting, WordErrorKind, expand, expand_text, expand_words,
    parse_heredoc_body, parse_word,
};
use crate::text::{LogicalText, TextBuilder};

fn value(name: &str) -> Option<String> {
    let value = match name {
        "ARCH" => "arm64",
        "PLATFORM" => "linux/arm/v7",
        "URL" => "https://x/a.tar.gz",
        "EMPTY" => "",
        "TWO" => "a  b",
        "STAR" => "*",
        "HASH" => "#l",
        "größe" => "m",
        _ => return None,
    };
    Some(value.to_owned())
}

fn text(raw: &str) -> LogicalText {
    LogicalText::contiguous(raw, 11)
}

/// Rows of a raw word and its expansion, `Err` where the build stops.
fn check(rows: &[(&str, Result<&str, ()>)]) {
    for (raw, expected) in rows {
        let got = expand_text(&text(raw), '\\', &value);
        assert_eq!(got.as_deref().map_err(|_| ()), *expected, "for {raw:?}: {got:?}");
    }
}

#[test]
fn quotes_and_escapes() {
    check(&[
        ("plain", Ok("plain")),
        ("'a $ARCH' \"b $ARCH\"", Ok("a $ARCH b arm64")),
        ("a\\ b\\$ARCH\\'\\\"", Ok("a b$ARCH'\"")),
        ("\"a\\\"b\\$c\\\\d\\e\"", Ok("a\"b$c\\d\\e")),
        ("'a\\'", Ok("a\\")),
        ("a'b'\"c\"d", Ok("abcd")),
        ("''\"\"", Ok("")),
        ("a\\", Ok("a")),
        ("\"'\"", Ok("'")),
        ("'a", Err(())),
        ("\"a", Err(())),
        ("\"a\\\"", Err(())),
        ("é'ü'\"ß\"", Ok("éüß")),
    ]);
}

#[test]
fn variables() {
    check(&[
        ("$ARCH", Ok("arm64")),
        ("${ARCH}", Ok("arm64")),
        ("x$ARCH/y${ARCH}z", Ok("xarm64/yarm64z")),
        ("$ARCHS", Ok("")),
        ("$größe", Ok("m")),
        ("$1x$@y$", Ok("xy$")),
        ("$12ARCH", Ok("ARCH")),
        ("a$.b", Ok("a$.b")),
        ("$(ARCH)", Ok("$(ARCH)")),
        ("${}", Err(())),
        ("${{ARCH}}", Err(())),
        ("${:ARCH}", Err(())),
        ("${ARCH", Err(())),
        ("${", Err(())),
        ("$EMPTY-$NONE-", Ok("--")),
        ("\"$TWO\" $TWO", Ok("a  b a  b")),
    ]);
}

#[test]
fn defaults_alternatives_and_requirements() {
    check(&[
        ("${NONE:-x}${EMPTY:-x}${ARCH:-x}", Ok("xxarm64")),
        ("${NONE-x}${EMPTY-x}${ARCH-x}", Ok("xarm64")),
        ("${NONE:+x}${EMPTY:+x}${ARCH:+x}", Ok("x")),
        ("${NONE+x}${EMPTY+x}${ARCH+x}", Ok("xx")),
        ("${ARCH:?x}${EMPTY?x}", Ok("arm64")),
        ("${NONE:?x}", Err(())),
        ("${EMPTY:?x}", Err(())),
        ("${NONE?x}", Err(())),
        ("${NONE:-${NONE:-${ARCH}}}", Ok("arm64")),
        ("${NONE:-'}'}${NONE:-\"}\"}", Ok("}}")),
        ("${NONE:-a b\\}c}", Ok("a b}c")),
        ("${NONE:-}", Ok("")),
        // The operand counts even when it is not used.
        ("${ARCH:-${NONE:?x}}", Err(())),
        ("${ARCH=x}", Err(())),
        ("${ARCH:=x}", Err(())),
        ("${ARCH^^}", Err(())),
        ("${ARCH:0:3}", Err(())),
        ("${#ARCH}", Err(())),
    ]);
}

#[test]
fn patterns() {
    check(&[
        ("${PLATFORM#*/}", Ok("arm/v7")),
        ("${PLATFORM##*/}", Ok("v7")),
        ("${PLATFORM%/*}", Ok("linux/arm")),
        ("${PLATFORM%%/*}", Ok("linux")),
        ("${PLATFORM//\\//-}", Ok("linux-arm-v7")),
        ("${PLATFORM/\\//-}", Ok("linux-arm/v7")),
        ("${PLATFORM//$NONE/}", Ok("linux/arm/v7")),
        ("${ARCH/arm64/aarch64}", Ok("aarch64")),
        ("${ARCH/a*6/x}", Ok("x4")),
        ("${ARCH/??/}", Ok("m64")),
        ("${ARCH#a?m}", Ok("64")),
        ("${ARCH%'64'}", Ok("arm")),
        ("${URL##*.}", Ok("gz")),
        ("${URL#https://}", Ok("x/a.tar.gz")),
        ("${ARCH#$STAR}", Ok("arm64")),
        ("${ARCH##$STAR}", Ok("")),
        ("${NONE#x}${EMPTY%%x}", Ok("")),
        // A pattern's value may bring the second sign.
        ("${ARCH#$HASH}", Ok("arm64")),
        ("${ARCH:#x}", Err(())),
        ("${ARCH#\\x}", Err(())),
        ("${ARCH/x}", Err(())),
        ("${ARCH/x/y", Err(())),
    ]);
}

#[test]
fn the_escape_character_can_be_a_backtick() {
    let rows = [("a`$ARCH\\", "a$ARCH\\"), ("\"`\"\\\"", "\"\\"), ("c:\\$ARCH", "c:\\arm64")];
    for (raw, expected) in rows {
        assert_eq!(expand_text(&text(raw), '`', &value).as_deref(), Ok(expected), "{raw}");
    }
}

#[test]
fn bodies_of_here_documents_keep_their_quotes() {
    let word = parse_heredoc_body(&text("'$ARCH' \"${NONE:-x}\" \\$ARCH it's\n"));
    assert_eq!(expand(&word, &value).as_deref(), Ok("'arm64' \"x\" $ARCH it's\n"));
}

#[test]
fn words_split_at_unquoted_blanks() {
    let rows: [(&str, &[&str]); 8] = [
        ("a  b\tc", &["a", "b", "c"]),
        ("'a b' \"c d\" e\\ f", &["a b", "c d", "e f"]),
        ("$TWO \"$TWO\"", &["a", "b", "a  b"]),
        ("x$TWO-y", &["xa", "b-y"]),
        ("$NONE '' \"\"", &[]),
        ("80 $EMPTY ${NONE:-1 2}", &["80", "1", "2"]),
        (" a ", &["a"]),
        ("", &[]),
    ];
    for (raw, expected) in rows {
        let words = expand_words(&parse_word(&text(raw), '\\'), &value).expect("no error");
        let words: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(words, expected, "for {raw:?}");
    }
}

#[test]
fn parts_know_their_places() {
    let raw = "a\"b ${X:-y$Z}\"\\$'c'";
    let word = parse_word(&text(raw), '\\');
    let at = |span: crate::Span| &raw[span.start as usize - 11..span.end as usize - 11];
    let seen: Vec<(&str, &str)> = word
        .parts
        .iter()
        .map(|part| match part {
            Part::Literal { text, span, .. } => (text.as_str(), at(*span)),
            Part::Variable(variable) => (variable.name.as_str(), at(variable.span)),
        })
        .collect();
    let expected =
        [("a", "a"), ("b ", "\"b "), ("X", "${X:-y$Z}"), ("", "\""), ("$", "\\$"), ("c", "'c'")];
    assert_eq!(seen, expected);
    let variables: Vec<_> = word.variables().iter().map(|v| at(v.name_span)).collect();
    assert_eq!(variables, ["X", "Z"]);
    let Part::Variable(outer) = &word.parts[2] else { panic!("{word:?}") };
    let op = outer.op.as_ref().expect("an operator");
    assert_eq!((op.kind, at(op.operand.span)), (OpKind::Default { null: true }, "y$Z"));
    assert!(outer.quoted && outer.braced);
    let Part::Literal { quoting, .. } = &word.parts[5] else { panic!("{word:?}") };
    assert_eq!(*quoting, Quoting::Single);
}

#[test]
fn places_are_exact_where_text_was_left_out() {
    // `am` at 100, a continuation, `d64` at 110.
    let mut builder = TextBuilder::default();
    builder.push("x-am", 98);
    builder.push("d64", 110);
    let raw = builder.finish(0);
    let word = parse_word(&raw, '\\');
    let Part::Literal { text, .. } = &word.parts[0] else { panic!("{word:?}") };
    let at = text.find("amd64").expect("the joined word") as u32;
    assert_eq!(text.span(at, at + 5), crate::Span::new(100, 113));
    assert_eq!(text.pieces(at, at + 5), [crate::Span::new(100, 102), crate::Span::new(110, 113)]);
}

#[test]
fn errors_say_where_and_why() {
    let error = |raw: &'static str| match expand_text(&text(raw), '\\', &value) {
        Err(ExpandError::Syntax { span, kind }) => {
            (&raw[span.start as usize - 11..][..span.len() as usize], kind)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(error("a 'b").1, WordErrorKind::UnclosedSingleQuote);
    assert_eq!(error("a \"b"), ("\"b", WordErrorKind::UnclosedDoubleQuote));
    assert_eq!(error("a ${b"), ("${b", WordErrorKind::MissingBrace));
    assert_eq!(error("a ${b^c} d"), ("^", WordErrorKind::UnsupportedOperator("^".to_owned())));
    assert_eq!(error("a ${b/c} d").1, WordErrorKind::MissingSlash);
    let required = expand_text(&text("${NONE:?set it}"), '\\', &value).expect_err("required");
    assert_eq!(required.to_string(), "NONE: set it");
}

#[test]
fn hostile_words_end_soon() {
    for token in ["${a:-", "${a/", "\"${a:-", "'", "\\", "$", "${a#*"] {
        let raw = token.repeat(200_000);
        let word = parse_word(&LogicalText::contiguous(raw, 0), '\\');
        let _ = expand(&word, &value);
    }
    // Every level puts the one within it between all characters of a value.
    let growing = format!("{}x{}", "${URL///".repeat(90), "}".repeat(90));
    assert_eq!(expand_text(&text(&growing), '\\', &value).ok(), None);
    let deep = format!("{}x{}", "${NONE:-".repeat(90), "}".repeat(90));
    assert_eq!(expand_text(&text(&deep), '\\', &value).as_deref(), Ok("x"));
}
