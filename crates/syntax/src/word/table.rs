//! What the lexer makes of every operator, name, quote and escape, row by row; each row was run
//! through BuildKit's own.

use super::{ExpandError, WordErrorKind, expand, expand_text, expand_words, parse_word};
use crate::text::LogicalText;

fn value(name: &str) -> Option<String> {
    let value = match name {
        "SET" => "one",
        "EMPTY" => "",
        "PATH_" => "/usr/lib/lib.so.6",
        "META" => "(a)[b]{c}^$.+|*?\\",
        "GLOB" => "*.",
        "QUOTED" => "\\*/",
        "SPACES" => "  p  q ",
        "큰" => "값",
        _ => return None,
    };
    Some(value.to_owned())
}

fn text(raw: &str) -> LogicalText {
    LogicalText::contiguous(raw, 0)
}

fn expanded(raw: &str) -> Result<String, String> {
    expand_text(&text(raw), '\\', &value).map_err(|error| error.to_string())
}

fn check(rows: &[(&str, &str)]) {
    for (raw, expected) in rows {
        assert_eq!(expanded(raw).as_deref(), Ok(*expected), "for {raw:?}");
    }
}

fn refused(rows: &[(&str, WordErrorKind)]) {
    for (raw, expected) in rows {
        match expand_text(&text(raw), '\\', &value) {
            Err(ExpandError::Syntax { kind, .. }) => assert_eq!(kind, *expected, "for {raw:?}"),
            other => panic!("{raw:?}: {other:?}"),
        }
    }
}

#[test]
fn every_operator_with_a_set_an_empty_and_an_unset_variable() {
    let unset = |why: &'static str| Err::<&str, _>(why);
    let rows = [
        ("", Ok("one"), Ok(""), Ok("")),
        ("-d", Ok("one"), Ok(""), Ok("d")),
        (":-d", Ok("one"), Ok("d"), Ok("d")),
        ("-", Ok("one"), Ok(""), Ok("")),
        (":-", Ok("one"), Ok(""), Ok("")),
        ("+d", Ok("d"), Ok("d"), Ok("")),
        (":+d", Ok("d"), Ok(""), Ok("")),
        ("+", Ok(""), Ok(""), Ok("")),
        (":+", Ok(""), Ok(""), Ok("")),
        ("?why not", Ok("one"), Ok(""), unset("why not")),
        (":?why not", Ok("one"), unset("why not"), unset("why not")),
        (":?no $SET", Ok("one"), unset("no one"), unset("no one")),
        ("?", Ok("one"), Ok(""), unset("is not allowed to be unset")),
        (":?", Ok("one"), unset("is not allowed to be empty"), unset("is not allowed to be unset")),
        ("#o", Ok("ne"), Ok(""), Ok("")),
        ("##*n", Ok("e"), Ok(""), Ok("")),
        ("#", Ok("one"), Ok(""), Ok("")),
        ("##", Ok("one"), Ok(""), Ok("")),
        ("%e", Ok("on"), Ok(""), Ok("")),
        ("%%n*", Ok("o"), Ok(""), Ok("")),
        ("%", Ok("one"), Ok(""), Ok("")),
        ("%%", Ok("one"), Ok(""), Ok("")),
        ("/n/N", Ok("oNe"), Ok(""), Ok("")),
        ("//?/x", Ok("xxx"), Ok(""), Ok("")),
        ("//*/x", Ok("x"), Ok("x"), Ok("x")),
        ("///", Ok("one"), Ok(""), Ok("")),
    ];
    for (op, set, empty, unset) in rows {
        for (name, expected) in [("SET", set), ("EMPTY", empty), ("NONE", unset)] {
            let expected = expected.map_err(|why| format!("{name}: {why}"));
            for (open, close) in [("<", ">"), ("\"<", ">\""), ("\"<\"", "'>'"), ("큰", "큰")] {
                let raw = format!("{open}${{{name}{op}}}{close}");
                let edge = if open == "큰" { ("큰", "큰") } else { ("<", ">") };
                let expected = expected.clone().map(|text| format!("{}{text}{}", edge.0, edge.1));
                assert_eq!(expanded(&raw), expected, "for {raw:?}");
            }
            let quoted = format!("'${{{name}{op}}}'");
            assert_eq!(expanded(&quoted).as_deref(), Ok(quoted.trim_matches('\'')));
        }
    }
}

#[test]
fn what_no_operator_is_fails_whether_the_variable_is_set_or_not() {
    let ops = [
        "=d", ":=d", "=", "=:d", ":d", ":#o", ":##o", ":%e", ":%%e", ":/o/x", "^", "^^", ",", ",,",
        "@Q", "[0]", "!", ".x", " ", " -d", "'", "\"", ":0:1", "::", "$SET", "<", "~",
    ];
    for op in ops {
        for name in ["SET", "EMPTY", "NONE"] {
            let raw = format!("a${{{name}{op}}}b");
            let error = expand_text(&text(&raw), '\\', &value);
            let Err(ExpandError::Syntax { kind, .. }) = error else { panic!("{raw}: {error:?}") };
            assert!(matches!(kind, WordErrorKind::UnsupportedOperator(_)), "{raw}: {kind:?}");
        }
    }
    let unsupported = |sign: &str| WordErrorKind::UnsupportedOperator(sign.to_owned());
    refused(&[
        ("${.}", unsupported(".")),
        ("${#SET}", unsupported("S")),
        ("${!SET}", unsupported("S")),
        ("${1x}", unsupported("x")),
        ("${SET", WordErrorKind::MissingBrace),
    ]);
}

#[test]
fn names() {
    // Nothing gives the parameters of a shell a value.
    for name in ["0", "1", "2", "9", "42", "007", "@", "*", "#", "?", "-", "$", "!"] {
        let rows = [
            (format!("${name}"), ""),
            (format!("a${name}.a"), "a.a"),
            (format!("${name}aaa"), "aaa"),
            (format!("\"${name}aaa\""), "aaa"),
            (format!("${{{name}}}aaa"), "aaa"),
            (format!("${{{name}:+bb}}aaa"), "aaa"),
            (format!("${{{name}+bb}}"), ""),
            (format!("${{{name}:-bb}}aaa"), "bbaaa"),
            (format!("${{{name}-bb}}"), "bb"),
            (format!("${{{name}#*}}${{{name}%*}}${{{name}/x/y}}"), ""),
        ];
        for (raw, expected) in rows {
            assert_eq!(expanded(&raw).as_deref(), Ok(expected), "for {raw:?}");
        }
        assert_eq!(expanded(&format!("${{{name}?}}")).ok(), None, "{name}");
    }
    check(&[
        ("$$SET", "SET"),
        ("$$$SET", "one"),
        ("$$", ""),
        ("$@@@", "@@"),
        ("$1$2$SET", "one"),
        ("$SET$SET", "oneone"),
        ("$SET.$SET", "one.one"),
        ("$SETS-$set", "-"),
        ("$SET-d", "one-d"),
        ("$NONE:-d", ":-d"),
        ("$_$_a", ""),
        ("$PATH_", "/usr/lib/lib.so.6"),
        ("$큰$큰.", "값값."),
        ("${큰}${큰:+있음}${작은:-없음}", "값있음없음"),
        ("$", "$"),
        ("a$", "a$"),
        ("\"a$\"", "a$"),
        ("$.$,$/$=$ $)", "$.$,$/$=$ $)"),
        ("$'SET'$\"SET\"", "$SET$SET"),
        ("$(SET) $((1+1))", "$(SET) $((1+1))"),
        ("\"$\\SET\"", "$\\SET"),
        // The name may be missing before + and %, and nothing is set then.
        ("${+x}${%x}${/a/b}", ""),
        ("${-}${?}${#}", ""),
    ]);
}

#[test]
fn operands_nest() {
    check(&[
        ("${NONE:-${NONE:-d}}", "d"),
        ("${NONE:-${SET:-d}}", "one"),
        ("${NONE:-a${EMPTY:-b${NONE-c}}d}e", "abcde"),
        ("${NONE:-$SET}$SET", "oneone"),
        ("${SET:+${NONE}}", ""),
        ("${SET:+${SET}:}/bin", "one:/bin"),
        ("${NONE:+${SET}}", ""),
        ("${SET:+-${SET:+${SET#o}}}", "-ne"),
        ("${SET#${NONE:-o}}", "ne"),
        ("${SET/${NONE:-n}/${NONE:-N}}", "oNe"),
        ("${NONE:-\"a b\"}", "a b"),
        ("${NONE:-'$SET'}", "$SET"),
        ("${NONE:-\"$SET\"}", "one"),
        ("\"${NONE:-'$SET'}\"", "$SET"),
        ("\"${NONE:-\"a  b\"}\"", "a  b"),
        ("${NONE:-\\$SET}", "$SET"),
        // The escaped dollar opens nothing, so the first brace is the end.
        ("${NONE:-\\${SET}d}e", "${SETd}e"),
        ("${NONE:-\\}}", "}"),
        ("${NONE:-a{b}", "a{b"),
        ("${NONE:-{}}", "{}"),
        ("${NONE:-a:b-c?d+e#f%g/h}", "a:b-c?d+e#f%g/h"),
        ("${NONE:- a  b }", " a  b "),
        ("${NONE:--}${NONE:-:-}${NONE--}", "-:--"),
        ("${SET}}", "one}"),
        ("${NONE:-d}}", "d}"),
        ("{$SET}{${SET}}", "{one}{one}"),
    ]);
    // An operand that is not used is read all the same.
    assert_eq!(expanded("${SET:-${NONE:?gone}}").err().as_deref(), Some("NONE: gone"));
    assert_eq!(expanded("${NONE:+${EMPTY:?gone}}").err().as_deref(), Some("EMPTY: gone"));
}

#[test]
fn what_is_not_closed() {
    use WordErrorKind::{
        BadSubstitution, MissingBrace, MissingSlash, UnclosedDoubleQuote, UnclosedSingleQuote,
    };
    refused(&[
        ("${}", BadSubstitution),
        ("a${}b", BadSubstitution),
        ("\"${}\"", BadSubstitution),
        ("${{SET}", BadSubstitution),
        ("${{SET:-d}", BadSubstitution),
        ("${:}", BadSubstitution),
        ("${:-d}", BadSubstitution),
        ("${:+d}", BadSubstitution),
        ("${", MissingBrace),
        ("${SET:", MissingBrace),
        ("${SET:-", MissingBrace),
        ("${SET:-d", MissingBrace),
        ("${SET+d", MissingBrace),
        ("${SET#o", MissingBrace),
        ("${SET:-a ${SET}", MissingBrace),
        ("${SET:-a\\}", MissingBrace),
        ("${SET:-'d}", MissingBrace),
        ("\"${SET:-d\"", MissingBrace),
        ("${SET/n}", MissingSlash),
        ("${SET//n}", MissingSlash),
        ("${SET//}", MissingSlash),
        ("${SET/", MissingSlash),
        ("${SET/n/N", MissingBrace),
        ("'a", UnclosedSingleQuote),
        ("a'b'c'", UnclosedSingleQuote),
        ("\\\\'a", UnclosedSingleQuote),
        ("\"a", UnclosedDoubleQuote),
        ("\"a\\\"", UnclosedDoubleQuote),
        ("\"a\\", UnclosedDoubleQuote),
        ("\"a'b'", UnclosedDoubleQuote),
    ]);
    check(&[("\\${}", "${}"), ("\\${}a", "${}a"), ("a\\${SET}", "a${SET}"), ("'${}'", "${}")]);
}

#[test]
fn the_escape_character_in_and_out_of_quotes() {
    // What stands after the escape character: outside, in double quotes, in single quotes.
    let rows = [
        ("t", "t", "\\t", "\\t"),
        ("n", "n", "\\n", "\\n"),
        (" ", " ", "\\ ", "\\ "),
        ("$SET", "$SET", "$SET", "\\$SET"),
        ("${SET}", "${SET}", "${SET}", "\\${SET}"),
        ("\\", "\\", "\\", "\\\\"),
        ("\\$SET", "\\one", "\\one", "\\\\$SET"),
        ("\\\\$SET", "\\$SET", "\\$SET", "\\\\\\$SET"),
        ("`", "`", "\\`", "\\`"),
        ("큰", "큰", "\\큰", "\\큰"),
        ("*", "*", "\\*", "\\*"),
    ];
    for (after, bare, double, single) in rows {
        for (raw, expected) in [
            (format!("a\\{after}b"), bare),
            (format!("\"a\\{after}b\""), double),
            (format!("'a\\{after}b'"), single),
        ] {
            let expected = format!("a{expected}b");
            // The name of a variable must end before the b.
            let raw = raw.replace("SETb", "SET.");
            let expected = if raw.contains("SET.") {
                format!("{}.", expected.strip_suffix('b').expect("the b"))
            } else {
                expected
            };
            assert_eq!(expanded(&raw).as_deref(), Ok(expected.as_str()), "for {raw:?}");
        }
    }
    check(&[
        ("a\\'b\\\"c", "a'b\"c"),
        ("\"a\\\"b\"", "a\"b"),
        ("\"a'b\"", "a'b"),
        ("'a\"b'", "a\"b"),
        ("\"''\"'\"\"'", "''\"\""),
        ("'a\\'", "a\\"),
        ("a\\", "a"),
        ("a\\\\", "a\\"),
        ("\\", ""),
        ("a''b\"\"c", "abc"),
        ("\"a'$SET'\"", "a'one'"),
        ("'a'$SET\"b\"", "aoneb"),
    ]);
}

#[test]
fn patterns_and_replacements() {
    check(&[
        ("${PATH_#*/}", "usr/lib/lib.so.6"),
        ("${PATH_##*/}", "lib.so.6"),
        ("${PATH_%/*}", "/usr/lib"),
        ("${PATH_%%/*}", ""),
        ("${PATH_%.*}", "/usr/lib/lib.so"),
        ("${PATH_%%.*}", "/usr/lib/lib"),
        ("${PATH_##*.}", "6"),
        ("${PATH_#lib}", "/usr/lib/lib.so.6"),
        ("${PATH_#*$GLOB}", "so.6"),
        ("${PATH_##$GLOB}", "6"),
        ("${PATH_#????}", "/lib/lib.so.6"),
        ("${PATH_%.?}", "/usr/lib/lib.so"),
        ("${PATH_#\"/usr\"}${PATH_%'.6'}", "/lib/lib.so.6/usr/lib/lib.so"),
        // Brackets are no classes.
        ("${SET#[a-z]}${SET%[!a]}${SET/[n]/x}", "oneoneone"),
        ("${META#(a)[b]{c\\}^$.+|\\*\\?\\\\}", ""),
        ("${META##*\\?}", "\\"),
        ("${META%%|*}", "(a)[b]{c}^$.+"),
        ("${META#*\\}}", "^$.+|*?\\"),
        ("${META/[b]/}", "(a){c}^$.+|*?\\"),
        ("${META/./-}", "(a)[b]{c}^$-+|*?\\"),
        ("${PATH_/lib/LIB}", "/usr/LIB/lib.so.6"),
        ("${PATH_//lib/LIB}", "/usr/LIB/LIB.so.6"),
        ("${PATH_/lib/}", "/usr//lib.so.6"),
        ("${PATH_//lib/}", "/usr//.so.6"),
        ("${PATH_//\\//-}", "-usr-lib-lib.so.6"),
        ("${PATH_/\\//-}", "-usr/lib/lib.so.6"),
        ("${PATH_/l*b/x}", "/usr/x.so.6"),
        ("${PATH_//?ib/x}", "/usr/x/x.so.6"),
        ("${PATH_//./}", "/usr/lib/libso6"),
        ("${PATH_/$GLOB/x}", "x6"),
        ("${PATH_/$EMPTY/x}", "x/usr/lib/lib.so.6"),
        ("${SET//$EMPTY/-}", "-o-n-e-"),
        ("${SET/z/x}${SET//z/x}", "oneone"),
        // The escape stays in the replacement.
        ("${PATH_//\\//\\/}", "\\/usr\\/lib\\/lib.so.6"),
        ("${SET/n/\\}}", "o\\}e"),
        ("${SET/n/'a b'}${SET/'n'/\"$SET\"}", "oa beoonee"),
        ("${META/$QUOTED/x}", "(a)[b]{c}^$.+|*?\\"),
        ("${SET//n/<$$>}", "o<>e"),
        ("${SET//n/<\\$0>}", "o<\\n>e"),
    ]);
    for raw in ["${SET#\\o}", "${SET%\\o}", "${SET/\\o/x}", "${SET#\\[}", "${SET##a\\\\\\n}"] {
        let error = expand_text(&text(raw), '\\', &value).expect_err(raw);
        assert!(matches!(error, ExpandError::Pattern { .. }), "{raw}: {error:?}");
    }
}

#[test]
fn splitting_into_words() {
    let rows: &[(&str, &[&str])] = &[
        ("a", &["a"]),
        ("a${NONE}b", &["ab"]),
        ("a${SPACES}b", &["a", "p", "q", "b"]),
        ("a\"${SPACES}\"b", &["a  p  q b"]),
        ("a \"${SPACES}\"b", &["a", "  p  q b"]),
        ("\"a${SPACES}\"", &["a  p  q "]),
        ("a$SPACES", &["a", "p", "q"]),
        ("a\" b  \"", &["a b  "]),
        ("  a b   ", &["a", "b"]),
        ("a\\ b", &["a b"]),
        ("a\\\" b", &["a\"", "b"]),
        ("a'\\b$SET'", &["a\\b$SET"]),
        ("a\"\\\\b\\c\"", &["a\\b\\c"]),
        ("a\u{a0}b\nc", &["a", "b", "c"]),
        // An operator forgets what its word had before it,
        ("80${NONE:-81}", &["81"]),
        ("${NONE:-80}/tcp", &["80/tcp"]),
        ("${NONE:-80}/${NONE:-tcp}", &["tcp"]),
        ("80/${NONE-}", &[]),
        ("a b${SET#o}c d", &["a", "nec", "d"]),
        ("a'b'\\c${SET+x}", &["x"]),
        ("a${SET/n/ }b", &["o", "eb"]),
        // … but not in the same quotes.
        ("a\"b${NONE:-c}d\"e", &["bcde"]),
        ("a\"b\"\"c${NONE:-d}\"", &["cd"]),
        ("\"a${NONE:-b}${NONE:-c}\"", &["abc"]),
        ("\"a\\\"${NONE:-b}\"", &["a\"b"]),
        ("\"${NONE:-a}\"${NONE:-b}", &["b"]),
        ("\"a$${NONE:-b}\"", &["a{NONE:-b}"]),
        ("\"$.${NONE:-b}\"", &["$.b"]),
    ];
    for (raw, expected) in rows {
        let parsed = parse_word(&text(raw), '\\');
        assert!(expand(&parsed, &value).is_ok(), "{raw:?}");
        let words = expand_words(&parsed, &value).expect("no error");
        let words: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
        assert_eq!(words, *expected, "for {raw:?}");
    }
    for raw in ["a\" b", "a ${SET", "a ${NONE:?}", "'"] {
        assert!(expand_words(&parse_word(&text(raw), '\\'), &value).is_err(), "{raw:?}");
    }
}
