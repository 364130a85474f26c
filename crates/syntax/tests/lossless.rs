//! Whatever the text: every byte is in the tree, nothing panics, and every span can be shown.

use mlint_syntax::shell::{
    Command, ShellWord, Visitor, WordPart, parse_shell, walk_command, walk_part, walk_script,
    walk_word,
};
use mlint_syntax::word::{ParsedWord, Part, expand, expand_words, parse_heredoc_body, parse_word};
use mlint_syntax::{
    CommandLine, CopySource, Dockerfile, ElementKind, Instruction, InstructionKind, KeyValue,
    LogicalText, Span, Word, dump, mount_options, parse,
};
use proptest::prelude::*;

struct Checker<'f> {
    text: &'f str,
    escape: char,
}

impl Checker<'_> {
    fn span(&self, span: Span) {
        assert!(span.start <= span.end, "{span:?}");
        assert!(
            self.text.get(span.range()).is_some(),
            "{span:?} splits a character or lies outside"
        );
    }

    /// The text's pieces in the file, put together, are the text.
    fn text(&self, text: &LogicalText) {
        self.span(text.full_span());
        let pieces = text.pieces(0, text.len());
        pieces.iter().for_each(|p| self.span(*p));
        let written: String = pieces.iter().map(|p| &self.text[p.range()]).collect();
        assert_eq!(written, text.as_str());
    }

    fn raw_word(&self, word: &Word) {
        self.span(word.span());
        let parsed = parse_word(&word.raw, self.escape);
        self.parsed(&parsed);
        let lookup = |name: &str| name.len().is_multiple_of(2).then(|| "v *".to_owned());
        let _ = expand(&parsed, &lookup);
        let _ = expand_words(&parsed, &lookup);
    }

    fn parsed(&self, word: &ParsedWord) {
        self.span(word.span);
        word.error.iter().for_each(|e| self.span(e.span));
        for part in &word.parts {
            match part {
                Part::Literal { span, text, .. } => {
                    self.span(*span);
                    self.span(text.full_span());
                }
                Part::Variable(variable) => {
                    self.span(variable.span);
                    self.span(variable.name_span);
                    if let Some(op) = &variable.op {
                        self.parsed(&op.operand);
                        op.replacement.iter().for_each(|w| self.parsed(w));
                    }
                }
            }
        }
    }

    fn pairs(&self, pairs: &[KeyValue]) {
        for pair in pairs {
            self.span(pair.span);
            self.raw_word(&pair.key);
            pair.value.iter().for_each(|v| self.raw_word(v));
        }
    }

    fn command_line(&self, line: &CommandLine) {
        match line {
            CommandLine::Shell(text) => self.text(text),
            CommandLine::Exec(strings) => strings.iter().for_each(|s| self.span(s.span)),
        }
    }

    fn instruction(&mut self, instruction: &Instruction) {
        self.span(instruction.span);
        self.text(&instruction.keyword);
        self.text(&instruction.rest);
        instruction.trivia.iter().for_each(|t| self.span(*t));
        for flag in &instruction.flags {
            self.span(flag.span);
            self.text(&flag.name);
            flag.value.iter().for_each(|v| self.raw_word(v));
            self.pairs(&mount_options(flag).unwrap_or_default());
        }
        for heredoc in &instruction.heredocs {
            self.span(heredoc.marker);
            self.span(heredoc.body_span);
            self.span(heredoc.terminator);
            self.text(&heredoc.body);
            self.text(&heredoc.raw_body);
            self.parsed(&parse_heredoc_body(&heredoc.body));
        }
        match &instruction.kind {
            InstructionKind::From { image, name } => {
                self.raw_word(image);
                name.iter().for_each(|n| self.raw_word(n));
            }
            InstructionKind::Arg(p) | InstructionKind::Env(p) | InstructionKind::Label(p) => {
                self.pairs(p);
            }
            InstructionKind::Copy { sources, dest } | InstructionKind::Add { sources, dest } => {
                for source in sources {
                    match source {
                        CopySource::Path(path) => self.raw_word(path),
                        CopySource::Heredoc(index) => assert!(*index < instruction.heredocs.len()),
                    }
                }
                self.raw_word(dest);
            }
            InstructionKind::Expose(words) | InstructionKind::Volume(words) => {
                words.iter().for_each(|w| self.raw_word(w));
            }
            InstructionKind::User(w) | InstructionKind::Workdir(w) => self.raw_word(w),
            InstructionKind::Shell(strings) => strings.iter().for_each(|s| self.span(s.span)),
            InstructionKind::Onbuild(inner) => self.instruction(inner),
            _ => {}
        }
        instruction.command_line().iter().for_each(|line| self.command_line(line));
        if let Some(script) = instruction.shell_script() {
            self.shell(&script.text);
        }
    }

    fn shell(&mut self, text: &LogicalText) {
        let script = parse_shell(text);
        script.errors.iter().for_each(|e| self.span(*e));
        walk_script(self, &script);
    }
}

impl Visitor for Checker<'_> {
    fn command(&mut self, command: &Command) {
        self.span(command.span);
        command.redirects.iter().for_each(|r| self.span(r.span));
        walk_command(self, command);
    }

    fn word(&mut self, word: &ShellWord) {
        self.span(word.span);
        walk_word(self, word);
    }

    fn part(&mut self, part: &WordPart) {
        match part {
            WordPart::Literal { span, text, .. } => {
                self.span(*span);
                self.span(text.full_span());
            }
            WordPart::Param(param) => {
                self.span(param.span);
                self.span(param.name_span);
            }
            WordPart::CommandSub { span, .. }
            | WordPart::Arithmetic { span, .. }
            | WordPart::ProcessSub { span, .. }
            | WordPart::Opaque(span) => self.span(*span),
            _ => {}
        }
        walk_part(self, part);
    }
}

fn check(text: &str) {
    let file: Dockerfile = parse(text);
    let mut at = 0;
    for element in &file.elements {
        assert_eq!(element.span.start, at, "a gap or an overlap");
        assert!(!element.span.is_empty());
        at = element.span.end;
        if let ElementKind::Instruction(index) = element.kind {
            assert!(element.span.contains(file.instructions[index].span));
        }
    }
    assert_eq!(at as usize, text.len(), "bytes at the end are missing");
    let printed: String = file.elements.iter().map(|e| &text[e.span.range()]).collect();
    assert_eq!(printed, text);
    let mut checker = Checker { text, escape: file.escape };
    file.errors.iter().for_each(|e| checker.span(e.span));
    file.instructions.iter().for_each(|i| checker.instruction(i));
    let whole = LogicalText::contiguous(text, 0);
    checker.shell(&whole);
    dump::dump(&file);
}

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
