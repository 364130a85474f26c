//! What BuildKit's parser accepts and how it splits it, case by case: text in, dump out.

use mlint_syntax::{InstructionKind, SyntaxErrorKind, dump::dump, parse};

fn check(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let mut file = parse(*text);
        file.errors.retain(|e| {
            !matches!(e.kind, SyntaxErrorKind::NoStages | SyntaxErrorKind::BeforeFirstFrom { .. })
        });
        assert_eq!(dump(&file).trim_end(), *expected, "for {text:?}");
    }
}

#[test]
fn directives() {
    check(&[
        // The front end looks for syntax and check at the start of a line only, the parser for
        // escape also behind blanks.
        (" # syntax=a\n # escape=`\nRUN b `\n c", "comment\ndirective escape=\"`\"\nrun \"b  c\""),
        (" # escape=`\n# check=skip=all\nRUN a", "directive escape=\"`\"\ncomment\nrun \"a\""),
        // Of blanks alone, the last is a value.
        (
            "# escape= \nRUN a",
            "directive escape=\" \"\nrun \"a\"\nerror at \"# escape= \": the escape directive takes ` or \\, not ' '",
        ),
        ("# escape=\n# escape=`\nRUN a", "comment\ncomment\nrun \"a\""),
        (
            "\u{feff}# check=error=true\r\nRUN a\r\n",
            "bom\ndirective check=\"error=true\"\nrun \"a\"",
        ),
        ("RUN a\n# escape=`\nRUN b `\n", "run \"a\"\ncomment\nrun \"b `\""),
    ]);
}

#[test]
fn lines() {
    check(&[
        ("\tRUN\ta\t\n", "run \"a\""),
        ("rUn a\r\n\r\nCoPy b c\r\n", "run \"a\"\nblank\ncopy \"b\" -> \"c\""),
        ("RUN a \\\r\n\t# b\r\n \t\r\n\tc\r\n", "run \"a \\tc\""),
        (
            "# escape=`\nRUN a `  \n b \\\nRUN c",
            "directive escape=\"`\"\nrun \"a  b \\\\\"\nrun \"c\"",
        ),
        ("RUN a\u{b}b\u{c}c", "run \"a\\u{b}b\\u{c}c\""),
        ("RUN a\0b", "run \"a\\0b\""),
    ]);
}

#[test]
fn flags() {
    check(&[
        // Quotes and escapes are the flag's own.
        (
            "COPY --from='a b' --chmod=\"6\"'44' c d",
            "copy --from=\"a b\" --chmod=\"644\" \"c\" -> \"d\"",
        ),
        (
            "RUN --mount=type=secret,id=a\\ b,required c",
            "run --mount=\"type=secret,id=a b,required\" \"c\"",
        ),
        // Only ASCII blanks end a flag.
        ("COPY --from=a\u{1680}b c d", "copy --from=\"a\\u{1680}b\" \"c\" -> \"d\""),
        ("RUN \u{a0}--mount=a", "run \"--mount=a\""),
        (
            "FROM --platfrom=a b",
            "from --platfrom=\"a\" \"b\"\nerror at \"--platfrom=a\": FROM has no flag --platfrom; did you mean --platform?",
        ),
        (
            "ADD --checksum=sha256:0 --keep-git-dir --unpack=true --exclude=a --exclude=b c d",
            "add --checksum=\"sha256:0\" --keep-git-dir --unpack=\"true\" --exclude=\"a\" --exclude=\"b\" \"c\" -> \"d\"",
        ),
        ("COPY --parents --exclude=*.md a b", "copy --parents --exclude=\"*.md\" \"a\" -> \"b\""),
        ("ONBUILD --x RUN a", "onbuild --x run \"a\"\nerror at \"--x\": ONBUILD has no flag --x"),
    ]);
}

#[test]
fn triggers() {
    check(&[
        (
            "ONBUILD run --network=none <<-E\n\ta\n\tE\n",
            "onbuild run --network=\"none\" \"<<-E\"\n  <<-E \"a\\n\"",
        ),
        ("ONBUILD CMD [\"a\", \"b\"]", "onbuild cmd [\"a\", \"b\"]"),
        (
            "ONBUILD maintainer a",
            "onbuild maintainer \"a\"\nerror at \"maintainer\": ONBUILD cannot hold MAINTAINER",
        ),
        ("ONBUILD", "onbuild invalid\nerror at \"ONBUILD\": ONBUILD needs at least one argument"),
        (
            "ONBUILD FRMO a",
            "onbuild frmo invalid\nerror (when triggered) at \"FRMO\": unknown instruction FRMO; did you mean FROM?",
        ),
        (
            "ONBUILD RUN [1]",
            "onbuild run invalid\nerror at \"[1]\": the exec form takes strings only; put every element in double quotes",
        ),
    ]);
}

#[test]
fn values_and_lists() {
    check(&[
        ("ARG =a", "arg =\"a\"\nerror at \"=a\": ARG needs a name before the ="),
        ("ARG a= b='c d' \"e f\"", "arg a=\"\" b=\"'c d'\" \"e f\""),
        ("LABEL a=\"b \\\n c\" d=e", "label a=\"\\\"b  c\\\"\" d=\"e\""),
        ("LABEL a", "label a\nerror at \"a\": LABEL needs a name and a value: name=value"),
        ("# escape=`\nENV a=b` c d=`\"", "directive escape=\"`\"\nenv a=\"b` c\" d=\"`\\\"\""),
        ("CMD [\"\\ud83d\\u0041\", \"\\/\"]", "cmd [\"\u{fffd}A\", \"/\"]"),
        ("CMD [\"a\" \"b\"]", "cmd \"[\\\"a\\\" \\\"b\\\"]\""),
        ("COPY [\"a\", \"b\"", "copy \"[\\\"a\\\",\" -> \"\\\"b\\\"\""),
        ("EXPOSE", "expose invalid\nerror at \"EXPOSE\": EXPOSE needs at least one argument"),
        ("SHELL []", "shell invalid\nerror at \"[]\": SHELL needs at least one argument"),
        ("VOLUME []", "volume invalid\nerror at \"VOLUME\": VOLUME needs at least one argument"),
        (
            "COPY []",
            "copy -> \"[]\"\nerror at \"COPY\": COPY needs at least one source and a destination",
        ),
        ("STOPSIGNAL --x 9", "stopsignal --x \"9\""),
    ]);
}

#[test]
fn here_documents() {
    check(&[
        (
            "RUN <<A <<-B\n1\nA\n\t2\n\tB\nRUN c",
            "run \"<<A <<-B\"\n  <<A \"1\\n\"\n  <<-B \"2\\n\"\nrun \"c\"",
        ),
        ("RUN <<E\n# a\n\n\\\nE\n", "run \"<<E\"\n  <<E \"# a\\n\\n\\\\\\n\""),
        ("RUN <<'E'\n E\nE \nE\n", "run \"<<'E'\"\n  <<E (quoted) \" E\\nE \\n\""),
        ("RUN a \\\n <<E\nb\nE\n", "run \"a  <<E\"\n  <<E \"b\\n\""),
        (
            "COPY <<\"a b\" /c/\nd\na b\n",
            "copy \"<<\\\"a\" \"b\\\"\" -> \"/c/\"\n  <<a b (quoted) \"d\\n\"",
        ),
        ("COPY <<$a /b\nc\n$a\n", "copy <<0 -> \"/b\"\n  <<$a \"c\\n\""),
        // An operator makes the lexer forget what its word had before it, the marker too.
        ("RUN <<E${a:-b}\nRUN c", "run \"<<E${a:-b}\"\nrun \"c\""),
        ("RUN \"a\" <<E${a:-b}\nRUN c", "run \"\\\"a\\\" <<E${a:-b}\"\nrun \"c\""),
        ("RUN a${b:-c} <<E\nd\nE\n", "run \"a${b:-c} <<E\"\n  <<E \"d\\n\""),
        ("RUN a${b:-c <<E}\nd\nE}\n", "run \"a${b:-c <<E}\"\n  <<E} \"d\\n\""),
    ]);
}

/// Whatever it is, there is a tree with an error at its place, soon.
#[test]
fn hostile_input_is_bounded() {
    let flags = format!("FROM a\nRUN {}b\n", "--mount=type=tmpfs,target=/c ".repeat(20_000));
    assert_eq!(parse(flags).instructions[1].flags.len(), 20_000);
    let deep = parse(format!("FROM a\n{}RUN b\nRUN c\n", "ONBUILD ".repeat(5_000)));
    let InstructionKind::Onbuild(inner) = &deep.instructions[1].kind else { panic!() };
    assert!(matches!(inner.kind, InstructionKind::Invalid));
    assert_eq!(deep.errors[0].message(), "ONBUILD cannot hold another ONBUILD");
    assert!(matches!(deep.instructions[2].kind, InstructionKind::Run(_)));
    let json = parse(format!("FROM a\nRUN {}\n", "[".repeat(60_000)));
    assert!(matches!(json.instructions[1].kind, InstructionKind::Run(_)));
}
