use crate::dump::dump;
use crate::{Dockerfile, ElementKind, InstructionKind, mount_options, parse};

/// The dump of a file; instructions before FROM are let pass so that rows can be short.
fn tree(text: &str) -> String {
    let mut file = parse(text);
    file.errors.retain(|e| !matches!(&e.kind, crate::SyntaxErrorKind::NoStages));
    file.errors.retain(|e| !matches!(&e.kind, crate::SyntaxErrorKind::BeforeFirstFrom { .. }));
    dump(&file)
}

fn check(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(tree(text).trim_end(), *expected, "for {text:?}");
    }
}

fn messages(file: &Dockerfile) -> Vec<(&str, String)> {
    file.errors.iter().map(|e| (&file.text[e.span.range()], e.message())).collect()
}

#[test]
fn directives_stand_at_the_very_top() {
    check(&[
        (
            "# syntax = docker/dockerfile:1 \n#ESCAPE=`\nRUN a `\n b",
            "directive syntax=\"docker/dockerfile:1\"\ndirective escape=\"`\"\nrun \"a  b\"",
        ),
        ("# hi\n# escape=`\nRUN a `\n", "comment\ncomment\nrun \"a `\""),
        ("\n# escape=`\n", "blank\ncomment\nerror at \"\": the file has no instructions"),
        (
            "# check=skip=all\n# other=1\n# escape=`\nRUN a",
            "directive check=\"skip=all\"\ncomment\ncomment\nrun \"a\"",
        ),
        (
            "#!/usr/bin/env x\n# syntax=a\n# escape=`\nRUN a",
            "comment\ndirective syntax=\"a\"\ncomment\nrun \"a\"",
        ),
        (
            "# escape=x\nRUN a",
            "directive escape=\"x\"\nrun \"a\"\nerror at \"# escape=x\": the escape directive takes ` or \\, not 'x'",
        ),
        (
            "# escape=\\\n# escape=`\nRUN a",
            "directive escape=\"\\\\\"\ndirective escape=\"`\"\nrun \"a\"\nerror at \"# escape=`\": the escape directive can be given only once",
        ),
        ("\u{feff}# syntax=a\nRUN a", "bom\ndirective syntax=\"a\"\nrun \"a\""),
    ]);
}

#[test]
fn continuations_join_lines() {
    check(&[
        ("RUN a \\\n  b", "run \"a   b\""),
        ("RUN a\\\nb", "run \"ab\""),
        ("RUN a \\  \t\n  b", "run \"a   b\""),
        ("RUN a \\\n# why\n\n  \t\n b # c\n", "run \"a  b # c\""),
        ("RUN a \\\r\n b\r\nRUN c\r\n", "run \"a  b\"\nrun \"c\""),
        ("RUN a \\\\\nRUN b", "run \"a \\\\\\\\\"\nrun \"b\""),
        ("RUN a \\", "run \"a\""),
        ("RUN a \\\n\n# end\n", "run \"a\""),
        ("\\\nRUN a", "run \"a\""),
        ("RU\\\nN a", "run \"a\""),
        ("  run   a  ", "run \"a\""),
        ("# a \\\nRUN b", "comment\nrun \"b\""),
    ]);
}

#[test]
fn names_and_values() {
    check(&[
        ("ENV a b  c ", "env a=\"b  c\""),
        (
            "ENV a=b c=\"d e\" f='g h' i=j\\ k",
            "env a=\"b\" c=\"\\\"d e\\\"\" f=\"'g h'\" i=\"j\\\\ k\"",
        ),
        ("ENV a=", "env a=\"\""),
        (
            "ENV a=b c",
            "env a=\"b\" c\nerror at \"c\": 'c' has no =; write name=value, with quotes around a value that has blanks",
        ),
        ("ENV a", "env a\nerror at \"a\": ENV needs a name and a value: name=value"),
        ("ENV =a", "env =\"a\"\nerror at \"=a\": ENV needs a name before the ="),
        ("ENV", "env invalid\nerror at \"ENV\": ENV needs at least one argument"),
        ("LABEL \"a b\"=c d=\\", "label \"a b\"=\"c\" d=\"\""),
        ("LABEL a b=c", "label a=\"b=c\""),
        ("ARG a b=c d=\"e f\" g=", "arg a b=\"c\" d=\"\\\"e f\\\"\" g=\"\""),
        ("ARG --x a", "arg --x a"),
        ("ARG", "arg invalid\nerror at \"ARG\": ARG needs at least one argument"),
        ("ENV a=b \\\n # c\n d=e", "env a=\"b\" d=\"e\""),
    ]);
}

#[test]
fn exec_form_is_json_or_plain_text() {
    check(&[
        ("CMD [\"a\", \"b\\n\\u00e9\\ud83d\\ude80\\ud83d\"]", "cmd [\"a\", \"b\\né🚀\u{fffd}\"]"),
        ("CMD []", "cmd []"),
        ("CMD ['a']", "cmd \"['a']\""),
        ("CMD [\"a\",]", "cmd \"[\\\"a\\\",]\""),
        ("CMD [\"a\"] b", "cmd \"[\\\"a\\\"] b\""),
        ("CMD [\"a", "cmd \"[\\\"a\""),
        ("CMD [\"\\x\"]", "cmd \"[\\\"\\\\x\\\"]\""),
        (
            "CMD [\"a\", 1, {\"b\": [null, -1.5e3]}]",
            "cmd invalid\nerror at \"[\\\"a\\\", 1, {\\\"b\\\": [null, -1.5e3]}]\": the exec form takes strings only; put every element in double quotes",
        ),
        ("RUN [ \"a\" \\\n , \"b\" ]", "run [\"a\", \"b\"]"),
        ("VOLUME [\"/a b\", \"/c\"]", "volume \"/a b\" \"/c\""),
        ("VOLUME /a  /b", "volume \"/a\" \"/b\""),
        ("VOLUME [\"\"]", "volume \"\"\nerror at \"\": VOLUME cannot be an empty string"),
        ("SHELL [\"/bin/sh\", \"-c\"]", "shell [\"/bin/sh\", \"-c\"]"),
        (
            "SHELL sh -c",
            "shell invalid\nerror at \"sh -c\": SHELL takes a JSON array, such as [\"/bin/bash\", \"-c\"]",
        ),
        ("COPY [\"a b\", \"c\\\\d\", \"/e\"]", "copy \"a b\" \"c\\\\d\" -> \"/e\""),
        ("ENTRYPOINT", "entrypoint \"\""),
    ]);
}

#[test]
fn flags_are_split_and_checked() {
    check(&[
        (
            "COPY --from=a --chown=1:2 --link b c",
            "copy --from=\"a\" --chown=\"1:2\" --link \"b\" -> \"c\"",
        ),
        ("COPY --link=FALSE a b", "copy --link=\"FALSE\" \"a\" -> \"b\""),
        ("COPY -- --a b", "copy \"--a\" -> \"b\""),
        (
            "COPY --fron=a b c",
            "copy --fron=\"a\" \"b\" -> \"c\"\nerror at \"--fron=a\": COPY has no flag --fron; did you mean --from?",
        ),
        (
            "COPY --link=x --link --from a b",
            "copy --link=\"x\" --link --from \"a\" -> \"b\"\nerror at \"x\": --link takes true or false, not 'x'\nerror at \"--link\": --link is given twice\nerror at \"--from\": --from needs a value: --from=…",
        ),
        (
            "RUN --mount=type=bind,\"source=a b\",target='/c d' --mount=type=tmpfs x",
            "run --mount=\"type=bind,source=a b,target=/c d\" --mount=\"type=tmpfs\" \"x\"",
        ),
        (
            "RUN --mount=from=$a,target=/b c",
            "run --mount=\"from=$a,target=/b\" \"c\"\nerror at \"$a\": from= of --mount takes no variables; name a stage FROM that image and use its name",
        ),
        (
            "RUN --network=x --security=y z",
            "run --network=\"x\" --security=\"y\" \"z\"\nerror at \"x\": --network takes default, none or host, not 'x'\nerror at \"y\": --security takes sandbox or insecure, not 'y'",
        ),
        (
            "RUN --device=a,b c",
            "run --device=\"a,b\" \"c\"\nerror at \"b\": --device takes one device name and perhaps required=true, not 'b'",
        ),
        ("WORKDIR --x /a", "workdir --x \"/a\"\nerror at \"--x\": WORKDIR has no flag --x"),
    ]);
}

#[test]
fn stages() {
    check(&[
        ("FROM a", "from \"a\""),
        (
            "FROM --platform=$BUILDPLATFORM a:1 aS B",
            "from --platform=\"$BUILDPLATFORM\" \"a:1\" as \"B\"",
        ),
        (
            "FROM",
            "from \"\"\nerror at \"FROM\": FROM takes an image, or an image followed by AS and a name",
        ),
        (
            "FROM a AS",
            "from \"a\"\nerror at \"AS\": FROM takes an image, or an image followed by AS and a name",
        ),
        (
            "FROM a AS b c",
            "from \"a\" as \"b\"\nerror at \"AS b c\": FROM takes an image, or an image followed by AS and a name",
        ),
        (
            "FROM a AS 1b",
            "from \"a\" as \"1b\"\nerror at \"1b\": '1b' is no name for a stage: a letter comes first, then letters, digits, -, _ and .",
        ),
    ]);
    let errors = |text: &str| {
        messages(&parse(text)).into_iter().map(|(t, m)| format!("{t}|{m}")).collect::<Vec<_>>()
    };
    assert_eq!(
        errors("ARG a\nRUN b\nENV c=d\nFROM e"),
        ["RUN|RUN before the first FROM: only ARG may stand there"]
    );
    assert_eq!(errors("ARG a\n"), ["|the file has no FROM, so there is no stage to build"]);
    assert_eq!(errors(""), ["|the file has no instructions"]);
}

#[test]
fn here_documents() {
    check(&[
        ("RUN <<EOF\na\n\tb\nEOF\nRUN c", "run \"<<EOF\"\n  <<EOF \"a\\n\\tb\\n\"\nrun \"c\""),
        ("RUN <<-'A B' cat\n\t\ta\n\tA B\n", "run \"<<-'A B' cat\"\n  <<-A B (quoted) \"a\\n\""),
        (
            "RUN a <<X 3<<\"Y\" > b\n1\nX\n2\nY\nRUN c",
            "run \"a <<X 3<<\\\"Y\\\" > b\"\n  <<X \"1\\n\"\n  <<Y (quoted) \"2\\n\"\nrun \"c\"",
        ),
        (
            "COPY <<a.txt <<-b.txt c /d/\n1\na.txt\n\t2\n\tb.txt\n",
            "copy <<0 <<1 \"c\" -> \"/d/\"\n  <<a.txt \"1\\n\"\n  <<-b.txt \"2\\n\"",
        ),
        ("ADD <<EOF /x\r\na\r\nEOF\r\n", "add <<0 -> \"/x\"\n  <<EOF \"a\\r\\n\""),
        ("ONBUILD RUN <<E\na\nE\nRUN b", "onbuild run \"<<E\"\n  <<E \"a\\n\"\nrun \"b\""),
        ("RUN << EOF\na\nEOF\n", "run \"<< EOF\"\n  <<EOF \"a\\n\""),
        (
            "COPY a <<EOF\nb\nEOF",
            "copy \"a\" -> \"<<EOF\"\n  <<EOF \"b\\n\"\nerror at \"<<EOF\": the destination of COPY cannot be a here-document",
        ),
        // No marker for BuildKit: glued to a word, a here-string, in a line it cannot read, in JSON.
        ("RUN cat<<EOF", "run \"cat<<EOF\""),
        ("RUN cat <<<EOF", "run \"cat <<<EOF\""),
        ("RUN echo ${a^^} <<EOF", "run \"echo ${a^^} <<EOF\""),
        ("RUN [\"a\", \"<<EOF\"]", "run [\"a\", \"<<EOF\"]"),
        ("CMD cat <<EOF", "cmd \"cat <<EOF\""),
    ]);
}

#[test]
fn a_missing_end_leaves_the_next_instruction_alone() {
    check(&[(
        "RUN <<EOF\na\nrun b\nCOPY c /d\nRUN <<EOF <<X\nFROM e",
        "run \"<<EOF\"\n  <<EOF \"a\\nrun b\\n\"\ncopy \"c\" -> \"/d\"\nrun \"<<EOF <<X\"\n  <<EOF \"\"\n  <<X \"\"\nfrom \"e\"\n\
         error at \"<<EOF\": the here-document has no end: a line that holds EOF alone is missing\n\
         error at \"<<EOF\": the here-document has no end: a line that holds EOF alone is missing",
    )]);
}

#[test]
fn the_other_instructions() {
    check(&[
        ("EXPOSE 80 443/tcp $P", "expose \"80\" \"443/tcp\" \"$P\""),
        ("USER a b", "user \"a b\""),
        ("WORKDIR /a b", "workdir \"/a b\""),
        ("STOPSIGNAL 9", "stopsignal \"9\""),
        ("MAINTAINER A B <a@b>", "maintainer \"A B <a@b>\""),
        ("USER", "user invalid\nerror at \"USER\": USER needs at least one argument"),
        (
            "COPY a",
            "copy -> \"a\"\nerror at \"COPY\": COPY needs at least one source and a destination",
        ),
        ("HEALTHCHECK --x NONE", "healthcheck --x none"),
        (
            "HEALTHCHECK none a",
            "healthcheck none\nerror at \"a\": HEALTHCHECK NONE takes no arguments",
        ),
        (
            "HEALTHCHECK --interval=1m30s --retries=3 cmd [\"a\"]",
            "healthcheck --interval=\"1m30s\" --retries=\"3\" [\"a\"]",
        ),
        (
            "HEALTHCHECK --interval=10 --retries=-1 CMD a",
            "healthcheck --interval=\"10\" --retries=\"-1\" \"a\"\nerror at \"10\": --interval takes a duration of 1ms or more, such as 30s or 1m30s, not '10'\nerror at \"-1\": --retries takes a number from 0 on, not '-1'",
        ),
        ("HEALTHCHECK CMD", "healthcheck \"\"\nerror at \"CMD\": HEALTHCHECK CMD needs a command"),
        (
            "HEALTHCHECK foo",
            "healthcheck invalid\nerror at \"foo\": HEALTHCHECK takes CMD or NONE, not 'foo'",
        ),
        ("ONBUILD COPY a b", "onbuild copy \"a\" -> \"b\""),
        (
            "ONBUILD COPY a",
            "onbuild copy -> \"a\"\nerror (when triggered) at \"COPY\": COPY needs at least one source and a destination",
        ),
        (
            "ONBUILD ENV a",
            "onbuild env a\nerror at \"a\": ENV needs a name and a value: name=value",
        ),
        (
            "ONBUILD ONBUILD RUN a",
            "onbuild onbuild invalid\nerror at \"ONBUILD\": ONBUILD cannot hold another ONBUILD",
        ),
        ("ONBUILD FROM a", "onbuild from \"a\"\nerror at \"FROM\": ONBUILD cannot hold FROM"),
        (
            "WROKDIR /a\nRUN b",
            "wrokdir invalid\nrun \"b\"\nerror at \"WROKDIR\": unknown instruction WROKDIR; did you mean WORKDIR?",
        ),
        ("{{ x }}", "{{ invalid\nerror at \"{{\": unknown instruction {{"),
    ]);
}

#[test]
fn places_are_exact_across_continuations() {
    let text = "FROM a AS b\nRUN --mount=type=cache,\\\n  # c\ntarget=\"/d e\" go\nCOPY [\"x\", \\\n \"y\\t\", \"z\"]\nENV k=\"v\\\n w\"\n";
    let file = parse(text);
    assert_eq!(messages(&file), []);
    let at = |span: crate::Span| &text[span.range()];
    let flag = &file.instructions[1].flags[0];
    assert_eq!(at(flag.span), "--mount=type=cache,\\\n  # c\ntarget=\"/d e\"");
    let fields = mount_options(flag).expect("two fields");
    let field = &fields[1];
    assert_eq!((field.key.as_str(), at(field.key.span())), ("target", "target"));
    let value = field.value.as_ref().expect("a value");
    assert_eq!((value.as_str(), at(value.span())), ("/d e", "/d e"));
    let InstructionKind::Copy { sources, dest } = &file.instructions[2].kind else { panic!() };
    let crate::CopySource::Path(second) = &sources[1] else { panic!() };
    assert_eq!((second.as_str(), at(second.span()), at(dest.span())), ("y\t", "y\\t", "z"));
    let InstructionKind::Env(pairs) = &file.instructions[3].kind else { panic!() };
    assert_eq!(at(pairs[0].span), "k=\"v\\\n w\"");
    assert_eq!(file.instructions[1].trivia.len(), 1);
    assert_eq!(at(file.instructions[1].trivia[0]), "  # c\n");
}

#[test]
fn mount_fields_are_csv() {
    let fields = |text: &str| {
        let file = parse(format!("FROM a\nRUN --mount={text} b"));
        let fields = mount_options(&file.instructions[1].flags[0]).ok()?;
        Some(
            fields
                .iter()
                .map(|f| match &f.value {
                    Some(value) => format!("{}={}", f.key.as_str(), value.as_str()),
                    None => f.key.as_str().to_owned(),
                })
                .collect::<Vec<_>>(),
        )
    };
    let some = |all: &[&str]| Some(all.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
    assert_eq!(fields("type=cache,ro,target=/a=b"), some(&["type=cache", "ro", "target=/a=b"]));
    assert_eq!(fields("'\"a=b,c\",d=\"\"'"), None);
    assert_eq!(fields("'\"a=b,c\"\"d\",e'"), some(&["a=b,c\"d", "e"]));
    assert_eq!(fields("'\"a'"), None);
    assert_eq!(fields("'a\"b'"), None);
    assert_eq!(fields("''"), None);
}

#[test]
fn scripts_are_what_the_shell_gets() {
    let script = |text: &str| {
        let file = parse(text);
        let script = file.instructions[0].shell_script().expect("shell form");
        (script.text.to_string(), script.shebang.map(|s| s.to_string()))
    };
    assert_eq!(script("RUN a \\\n b"), ("a  b".to_owned(), None));
    assert_eq!(script("RUN <<EOF\na\nEOF"), ("a\n".to_owned(), None));
    assert_eq!(script("RUN <<-EOF\n\ta\n\tEOF"), ("a\n".to_owned(), None));
    let python = "#!/usr/bin/env python3 \nprint()\n";
    assert_eq!(
        script(&format!("RUN <<EOF\n{python}EOF")),
        (python.to_owned(), Some("/usr/bin/env python3".to_owned()))
    );
    assert_eq!(
        script("RUN cat <<-A <<B > f\n\t1\n\tA\n2\nB\nRUN x"),
        ("cat <<-A <<B > f\n\t1\nA\n2\nB".to_owned(), None)
    );
    assert_eq!(
        script("RUN python3 <<EOF\r\n1\r\nEOF\r\n"),
        ("python3 <<EOF\n1\r\nEOF".to_owned(), None)
    );
    assert!(parse("RUN [\"a\"]").instructions[0].shell_script().is_none());
    assert!(parse("ENV a=b").instructions[0].shell_script().is_none());
}

#[test]
fn long_lines_are_named_and_still_read() {
    let text = format!("FROM a\nRUN echo {}\nRUN b\n", "x".repeat(70_000));
    let file = parse(text);
    assert_eq!(file.instructions.len(), 3);
    let expected = "this line has 70009 bytes, but BuildKit reads at most 65535 in a line; split it with continuations";
    assert_eq!(file.errors.iter().map(|e| e.message()).collect::<Vec<_>>(), [expected]);
}

/// Sizes at which anything quadratic would take minutes.
#[test]
fn huge_files_are_read_in_linear_time() {
    let rows = [
        ("x".to_owned(), 10 << 20),
        ("RUN a \\\n".to_owned(), 100_000),
        ("RUN a\n".to_owned(), 100_000),
        ("\\\n# c\n\n".to_owned(), 100_000),
        ("RUN <<A\n".to_owned(), 50_000),
        ("COPY <<A <<B <<C /x\n".to_owned(), 20_000),
        ("ENV a=b \\\n c=\"d e\" \\\n".to_owned(), 50_000),
        ("COPY --from=a \\\n".to_owned(), 30_000),
        ("RUN --mount=a,b=\\\n".to_owned(), 30_000),
        ("[\"a\", \\\n".to_owned(), 50_000),
        ("ONBUILD ".to_owned(), 200_000),
        ("RUN ${a:-".to_owned(), 100_000),
        ("RUN <<\"a".to_owned(), 100_000),
    ];
    for (text, times) in rows {
        let text = text.repeat(times);
        let file = parse(text.as_str());
        assert_eq!(file.elements.iter().map(|e| e.span.len() as usize).sum::<usize>(), text.len());
    }
    let json = format!("FROM a\nCOPY [{}\"z\"]", "\"a\", \\\n".repeat(50_000));
    let file = parse(json);
    let InstructionKind::Copy { sources, .. } = &file.instructions[1].kind else { panic!() };
    assert_eq!(sources.len(), 50_000);
}

#[test]
fn elements_cover_the_file() {
    let text = "\u{feff}# syntax=a\r\n\r\nFROM b # c\n  # d\nRUN <<E \\\n f\ng\nE\n\n\t";
    let file = parse(text);
    let kinds: Vec<_> = file.elements.iter().map(|e| (&text[e.span.range()], &e.kind)).collect();
    assert!(matches!(kinds[0], ("\u{feff}", ElementKind::Bom)));
    assert!(matches!(kinds[1], ("# syntax=a\r\n", ElementKind::Directive(_))));
    assert!(matches!(kinds[2], ("\r\n", ElementKind::Blank)));
    assert!(matches!(kinds[3], ("FROM b # c\n", ElementKind::Instruction(0))));
    assert!(matches!(kinds[4], ("  # d\n", ElementKind::Comment)));
    assert!(matches!(kinds[5], ("RUN <<E \\\n f\ng\nE\n", ElementKind::Instruction(1))));
    assert!(matches!(kinds[6], ("\n", ElementKind::Blank)));
    assert!(matches!(kinds[7], ("\t", ElementKind::Blank)));
    assert_eq!(&text[file.instructions[1].span.range()], "RUN <<E \\\n f\ng\nE");
}
