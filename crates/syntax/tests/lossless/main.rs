//! Whatever the text: every byte is in the tree, nothing panics, every span can be shown, and what is
//! broken stays where it is.

mod check;

use check::{check, check_break};
use proptest::prelude::*;

/// Pieces that mean something to one of the parsers.
fn fragment() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "\u{feff}",
        "# escape=`\n",
        "# syntax=a\n",
        "FROM a AS b\n",
        "FROM --platform=$X y\n",
        "RUN ",
        "COPY ",
        "ADD ",
        "ENV ",
        "ARG ",
        "LABEL ",
        "CMD ",
        "HEALTHCHECK ",
        "ONBUILD ",
        "SHELL ",
        "VOLUME ",
        "EXPOSE ",
        "\n",
        "\r\n",
        "\\\n",
        "`\n",
        "\\\r\n# c\n",
        "\\",
        "`",
        " ",
        "\t",
        "\u{a0}",
        "--mount=type=cache,target=",
        "--from=",
        "--",
        "[\"a\", \"b\\n\"]",
        "[",
        "]",
        ",",
        "'",
        "\"",
        "$",
        "${a",
        "${a:-",
        "${a//",
        "}",
        "=",
        "<<EOF",
        "<<-'X'",
        "\nEOF\n",
        "\n\tX\n",
        "$(",
        "$((",
        ")",
        "((",
        "))",
        "`uname`",
        "if a; then ",
        "fi",
        "case x in ",
        "a) b;; ",
        "esac",
        "for i in a; do ",
        "done",
        "{ ",
        "; }",
        "&&",
        "||",
        "|",
        "&",
        ";",
        ";;",
        "<(",
        ">&2",
        "[[ ",
        " ]]",
        "f() ",
        "$'\\x41'",
        "#",
        "é",
        "🚀",
        "\u{0}",
        "\\\u{e9}",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "[a-zA-Z0-9/:.]{1,5}", 1 => "\\PC{1,3}"]
}

/// What the random texts below have found.
#[test]
fn found_before() {
    check("RUN é<<EOF");
    check("RUN a <<EOF <<b\né");
    check("<<EOF$\n${a\u{feff}");
    // The name of a here-document that ends in the next instruction's.
    check_break("FROM a\n", "COPY <<FROM b", "COPY <<E /c\nFROM\nE\n");
    check_break("FROM a\n", "COPY <<FROM b", "COPY d /c\n");
}

// PROPTEST_CASES asks for more of them.
proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_fragments(parts in prop::collection::vec(fragment(), 0..40)) {
        check(&parts.concat());
    }

    #[test]
    fn any_damage(cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..6, fragment()), 0..8)) {
        let mut text = SAMPLE.to_owned();
        for (at, len, insert) in cuts {
            let boundary = |mut i: usize| { while !text.is_char_boundary(i) { i -= 1; } i };
            let start = boundary(at.index(text.len() + 1));
            let end = boundary((start + len).min(text.len())).max(start);
            text.replace_range(start..end, &insert);
        }
        check(&text);
    }

    #[test]
    fn any_break_among_any_neighbours(
        before in prop::collection::vec(neighbour(), 0..6),
        broken in prop::collection::vec(fragment(), 0..25),
        after in prop::collection::vec(neighbour(), 1..6),
    ) {
        let before = format!("FROM a\n{}", before.concat());
        check_break(&before, &broken.concat(), &after.concat());
    }
}

/// A whole instruction.
fn neighbour() -> impl Strategy<Value = String> {
    let word = "[a-zA-Z0-9/.:_-]{1,8}";
    prop_oneof![
        (word, word).prop_map(|(a, b)| format!("FROM --platform=$BUILDPLATFORM {a} AS s{b}\n")),
        (word, "\\PC{0,12}").prop_map(|(a, b)| format!("RUN {a} '{b}' && \\\n  # why\n\n  {a}\n")),
        (word, word).prop_map(|(a, b)| format!("COPY --from={a} --chown=1:2 {b} /x/\r\n")),
        (word, word).prop_map(|(a, b)| format!("RUN <<-\"ENDE\" cat > {a}\n\t{b}\nFROM\n\tENDE\n")),
        (word, word).prop_map(|(a, b)| format!("COPY <<ENDE <<LAST /{a}/\n{b}\nENDE\nLAST\n")),
        (word, word).prop_map(|(a, b)| format!("ENV A={a} \\\n B=\"{b} $A\"\n")),
        (word, word).prop_map(|(a, b)| format!("CMD [\"{a}\", \"\\u00e9{b}\"]\n")),
        (word, word).prop_map(|(a, b)| format!("ONBUILD RUN --mount=type=bind,target={a} {b}\n")),
        (word, word).prop_map(|(a, b)| format!("HEALTHCHECK --interval=5{a} CMD {b}\n")),
        Just("COPY one\n".to_owned()),
    ]
}

const SAMPLE: &str = r#"# syntax=docker/dockerfile:1
ARG VERSION=1.2
FROM --platform=$BUILDPLATFORM golang:${VERSION:-1.2} AS build
ARG TARGETOS TARGETARCH
ENV CGO_ENABLED=0 NAME="größe ${TARGETARCH}"
RUN --mount=type=cache,target=/root/.cache \
    # why
    set -eux; \
    case "$(uname -m)" in \
      x86_64|amd64) arch=amd64 ;; \
      *) echo "no ${arch:-'x'}" >&2; exit 1 ;; \
    esac; \
    curl -fsSL "https://x/${arch}.tar.gz" | tar -xz -C /usr/local --strip-components=1
RUN <<-EOF
	for f in a b; do
		GOARCH=$TARGETARCH go build -o "/out/$f" ./cmd/$f
	done
	EOF
COPY <<"A" <<B /etc/
$x
A
${y}
B
FROM scratch
COPY --from=build --chown=1:2 ["/out/a b", "/"]
HEALTHCHECK --interval=30s CMD ["/a", "-x"]
ONBUILD RUN echo $((1 + 2)) `date`
LABEL a.b="c d" e=f
EXPOSE 80/tcp
ENTRYPOINT ["/a"]
"#;
