//! ARG, ENV, and what words expand to.

use crate::{ARM64, build};

/// What A becomes, built for linux/arm64 on linux/amd64.
#[track_caller]
fn a(text: &str, want: &str) {
    assert_eq!(build().set(text, ARM64, "A"), want, "{text}");
}

#[test]
fn a_default_in_the_stage_beats_the_automatic_value() {
    a("FROM x\nARG TARGETARCH=amd64\nENV A=$TARGETARCH\n", "amd64");
}

#[test]
fn a_global_default_beats_the_automatic_value() {
    a("ARG TARGETARCH=amd64\nFROM x\nARG TARGETARCH\nENV A=$TARGETARCH\n", "amd64");
}

#[test]
fn a_stages_first_fallback_on_itself_is_the_fallback() {
    a("FROM x\nARG TARGETARCH=${TARGETARCH:-amd64}\nENV A=$TARGETARCH\n", "amd64");
}

#[test]
fn a_bare_declaration_takes_the_automatic_value() {
    a("FROM x\nARG TARGETARCH\nENV A=$TARGETARCH\n", "arm64");
    a("FROM x\nARG TARGETARCH\nARG TARGETARCH=${TARGETARCH:-amd64}\nENV A=$TARGETARCH\n", "arm64");
}

#[test]
fn a_global_fallback_on_itself_is_the_automatic_value() {
    a("ARG TARGETARCH=${TARGETARCH:-amd64}\nFROM x\nARG TARGETARCH\nENV A=$TARGETARCH\n", "arm64");
}

#[test]
fn a_global_declaration_without_default_receives_the_automatic_value() {
    a("ARG TARGETARCH\nFROM x\nARG TARGETARCH\nENV A=$TARGETARCH\n", "arm64");
    a("ARG TARGETARCH\nARG W=v-$TARGETARCH\nFROM x\nARG W\nENV A=$W\n", "v-arm64");
}

#[test]
fn the_image_says_the_platform_that_was_asked_for_whatever_the_arguments_say() {
    let text = "FROM x\nARG TARGETARCH=amd64\n";
    assert_eq!(build().evaluate(text, ARM64).platform.to_string(), ARM64);
}

#[test]
fn build_arguments_beat_the_automatic_value_and_all_defaults() {
    for text in [
        "FROM x\nARG TARGETARCH\nENV A=$TARGETARCH\n",
        "FROM x\nARG TARGETARCH=amd64\nENV A=$TARGETARCH\n",
        "ARG TARGETARCH=amd64\nFROM x\nARG TARGETARCH\nENV A=$TARGETARCH\n",
        "ARG TARGETARCH=amd64\nFROM x\nARG TARGETARCH=386\nENV A=$TARGETARCH\n",
    ] {
        assert_eq!(build().arg("TARGETARCH", "s390x").set(text, ARM64, "A"), "s390x", "{text}");
    }
}

#[test]
fn a_build_argument_keeps_a_bad_default_from_being_expanded() {
    // `dispatchArg` looks at the default only where no value is given.
    let text = "FROM x\nARG V=${W:?no W}\nENV A=$V\n";
    assert_eq!(build().arg("V", "1").set(text, ARM64, "A"), "1");
    assert!(build().arg("V", "1").failures(text, ARM64).is_empty());
}

#[test]
fn two_words_after_arg_are_two_arguments() {
    let text = "FROM x\nARG TARGETARCH amd64\nENV A=$TARGETARCH\n";
    a(text, "arm64");
    build().lacks(text, ARM64, &["arg amd64", "unset amd64"]);
    a("FROM x\nARG TARGETARCH amd64\nENV A=${amd64:-none}\n", "none");
}

#[test]
fn what_a_stage_does_not_declare_is_empty_in_it() {
    let text = "FROM scratch\nENV A=x$TARGETARCH\n";
    a(text, "x");
    build().has(text, ARM64, &["2: unset TARGETARCH"]);
}

#[test]
fn a_stage_on_a_stage_inherits_its_arguments() {
    a("FROM x AS b\nARG TARGETARCH\nARG V=1\nFROM b\nENV A=$TARGETARCH-$V\n", "arm64-1");
    a("FROM scratch AS b\nARG V=1\nFROM scratch\nENV A=x$V\nCOPY --from=b / /\n", "x");
}

#[test]
fn what_a_stage_inherits_is_given_by_build_arguments_as_well() {
    let text = "FROM x AS b\nARG V=1\nFROM b\nENV A=$V\n";
    assert_eq!(build().arg("V", "2").set(text, ARM64, "A"), "2");
}

#[test]
fn global_arguments_reach_from_lines() {
    build().has(
        "ARG V=12\nFROM debian:$V\n",
        ARM64,
        &["stage 0 from debian:12 on linux/arm64 (target), libc glibc"],
    );
}

#[test]
fn global_arguments_reach_bare_declarations_and_nothing_else() {
    a("ARG V=1\nFROM scratch\nENV A=x$V\n", "x");
    a("ARG V=1\nFROM scratch\nARG V\nENV A=x$V\n", "x1");
    a("ARG V=1\nFROM scratch\nARG V=2\nENV A=x$V\n", "x2");
    a("ARG V=1\nFROM scratch\nARG W=x$V\nENV A=$W\n", "x");
}

#[test]
fn an_argument_after_an_env_of_its_name_wins() {
    // The reference manual says that ENV always wins.
    a("FROM x\nENV B=env\nARG B=arg\nENV A=$B\n", "arg");
    build().has("FROM x\nENV B=env\nARG B=arg\nRUN tool $B\n", ARM64, &["4: run tool arg"]);
}

#[test]
fn an_env_after_an_argument_wins_over_build_arguments_too() {
    let text = "FROM x\nARG B=arg\nENV B=env\nENV A=$B\n";
    assert_eq!(build().arg("B", "given").set(text, ARM64, "A"), "env");
}

#[test]
fn the_image_keeps_the_env_that_an_argument_hides() {
    // A child stage starts from the image's ENVs.
    a("FROM x AS b\nENV B=env\nARG B=arg\nFROM b\nENV A=$B\n", "env");
}

#[test]
fn an_instruction_sees_the_state_before_it() {
    a("FROM x\nENV a=1\nENV a=2 A=$a\n", "1");
    a("FROM x\nENV a=1\nENV a=2\nENV A=$a\n", "2");
    // The pairs of one ARG come one after the other (`dispatchArg`).
    a("FROM x\nARG a=1\nARG a=2 b=$a\nENV A=$b\n", "2");
}

#[test]
fn env_without_an_equals_sign_takes_the_rest_of_the_line() {
    a("FROM x\nENV A b c\n", "b c");
}

#[test]
fn names_of_env_are_expanded_and_those_of_arg_are_not() {
    a("FROM x\nENV n=A\nENV $n=1\n", "1");
    build().lacks("FROM x\nENV n=A\nARG $n=1\n", ARM64, &["arg A=1"]);
}

#[test]
fn operators_of_the_dockerfile_language() {
    for (word, want) in [
        ("${S:-d}", "a.b.c"),
        ("${S-d}", "a.b.c"),
        ("${S:+d}", "d"),
        ("${S+d}", "d"),
        ("${N:-d}", "d"),
        ("${N-d}", ""),
        ("${N:+d}", ""),
        ("${N+d}", "d"),
        ("${U:-d}", "d"),
        ("${U-d}", "d"),
        ("${U:+d}", ""),
        ("${U+d}", ""),
        ("${S:?t}", "a.b.c"),
        ("${N?t}", ""),
        ("${S#*.}", "b.c"),
        ("${S##*.}", "c"),
        ("${S%.*}", "a.b"),
        ("${S%%.*}", "a"),
        ("${S/./-}", "a-b.c"),
        ("${S//./-}", "a-b-c"),
        ("${U:-${S%%.*}}", "a"),
        ("'$S'", "$S"),
        ("\"$S\"", "a.b.c"),
        ("\\$S", "$S"),
    ] {
        a(&format!("FROM scratch\nENV S=a.b.c N=\nENV A={word}\n"), want);
    }
}

#[test]
fn a_required_variable_that_is_not_set_stops_the_build() {
    for (word, stops) in [("${U:?no U}", true), ("${U?no U}", true), ("${N:?no N}", true)] {
        let text = format!("FROM scratch\nENV N=\nENV A={word}\n");
        assert_eq!(!build().failures(&text, ARM64).is_empty(), stops, "{word}");
    }
    let text = "FROM scratch\nENV A=\"${U:?set it}\"\n";
    assert_eq!(build().failures(text, ARM64), ["${U:?set it}: U: set it"]);
}

#[test]
fn a_required_variable_stops_the_build_in_any_instruction() {
    for instruction in [
        "LABEL a=${U:?}",
        "LABEL ${U:?}=a",
        "EXPOSE ${U:?}",
        "VOLUME ${U:?}",
        "STOPSIGNAL ${U:?}",
        "USER ${U:?}",
        "WORKDIR ${U:?}",
        "COPY --chown=${U:?} a b",
        "COPY a ${U:?}",
        "ADD --checksum=${U:?} https://h/f /",
        "RUN --mount=type=cache,target=${U:?} true",
        "COPY <<EOF /f\n${U:?}\nEOF",
    ] {
        let text = format!("FROM scratch\n{instruction}\n");
        assert_eq!(build().failures(&text, ARM64).len(), 1, "{text}");
    }
}

#[test]
fn the_builder_does_not_expand_run() {
    build().has("FROM x\nENV V=1\nRUN tool '$V'\n", ARM64, &["3: run tool $V"]);
    build().has("FROM x\nENV V=1\nRUN [\"tool\", \"$V\"]\n", ARM64, &["3: run tool $V"]);
    // CMD and ENTRYPOINT run later: a variable that is missing there stops nothing.
    let text = "FROM scratch\nCMD [\"${U:?}\"]\nENTRYPOINT tool ${U:?}\n";
    assert!(build().failures(text, ARM64).is_empty());
}

#[test]
fn json_with_a_mistake_is_shell_text() {
    build().has("FROM x\nRUN [\"tool\", 'a']\n", ARM64, &["2: run [tool, a]"]);
}

#[test]
fn here_documents_of_copy_are_expanded_unless_quoted() {
    let read = "RUN tool $(cat /f)\n";
    let text = |marker: &str| format!("FROM x\nENV V=1\nCOPY <<{marker} /f\nv=$V'\nEOF\n{read}");
    build().has(&text("EOF"), ARM64, &["6: run tool v=1'"]);
    build().has(&text("\"EOF\""), ARM64, &["6: run tool v=$V'"]);
}

#[test]
fn a_platform_argument_out_of_a_label_is_told_as_unset() {
    build().has("FROM scratch\nLABEL arch=$TARGETARCH\n", ARM64, &["2: unset TARGETARCH"]);
}

#[test]
fn comments_and_blank_lines_in_a_continuation_are_dropped() {
    build().has("FROM x\nRUN tool \\\n# comment\n\n  a\n", ARM64, &["2: run tool a"]);
}

#[test]
fn directives_count_at_the_very_top_only() {
    build().has("# escape=`\nFROM x\nENV A=a`\nb\n", ARM64, &["3: env A=ab"]);
    build().has("FROM x\n# escape=`\nENV A=a\\\nb\n", ARM64, &["3: env A=ab"]);
}
