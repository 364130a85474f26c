//! `arch-arg-default`

use std::collections::BTreeMap;

use mlint_lint::{Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit};
use mlint_model::{Evaluation, HopKind, ImageUse, MachineSource, Piece, RunsOn};
use mlint_oci::arch::WordKind;
use mlint_syntax::{Edit, EditSet, InstructionKind, Span};

use crate::{
    downloads::wrong_downloads,
    images::arch_tagged_image::{is_maker_only, names_the_image, wrong_name},
    support::{
        Cause, FoundWord, cause, collects_platforms, literal_words, root_stage, shown, with_trail,
    },
    toolchains::hardcoded_goarch::{compilations, tied_to},
    words::{deciding_text, is_arch_arg_default},
};

mlint_lint::declare_rule! {
    /// An argument of the file's own has an architecture as its default (`ARG ARCH=amd64`), and
    /// decides what is downloaded, compiled, copied or started from. A build for several platforms
    /// runs with one set of arguments, so the default holds for all of them: the image for every
    /// other platform gets that one's files. An argument is part of each `RUN`'s environment, too:
    /// `ARG GOARCH=amd64` steers `go build` and `make` without being named again.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG ARCH=amd64
    /// ADD https://example.org/tool-linux-${ARCH} /usr/local/bin/tool
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// ARG ARCH=${TARGETARCH}
    /// ADD https://example.org/tool-linux-${ARCH} /usr/local/bin/tool
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the value was given with `--build-arg`, or the default follows `TARGETARCH`;
    /// - when nothing that is known depends on it;
    /// - for `TARGETARCH` and its kin, which are `platform-arg-default`'s matter, and for a whole
    ///   URL or image name as the default (`hardcoded-arch-url`, `arch-tagged-image`);
    /// - for `FROM --platform=$ARG`: that is `constant-platform`.
    ///
    /// ## Fix
    ///
    /// The default becomes `${TARGETARCH}` where its words are Docker's, and `--build-arg` still
    /// works. Safe if the build for the platform of the default is unchanged; for an image or a
    /// file of the build context it needs a look, since the others may not be there.
    pub struct ArchArgDefault {
        name: "arch-arg-default",
        group: Values,
        summary: "The default of an argument ties the build to one architecture",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for ArchArgDefault {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            let mut found = Found::default();
            downloads(cx, evaluation, &mut found);
            compiles(cx, evaluation, &mut found);
            for used in &evaluation.images {
                image(cx, evaluation, used, &mut found);
            }
            copies(cx, evaluation, &mut found);
            for (_, (finding, others)) in found.by_default {
                let others = others.into_iter().take(3);
                let all = others.fold(finding, |f, span| f.related(span, "and it decides here"));
                sink.report(all);
            }
        }
    }
}

/// One finding for each default, by its place, with where else it decides.
#[derive(Default)]
struct Found {
    by_default: BTreeMap<Span, (Finding, Vec<Span>)>,
}

impl Found {
    /// Adds a use; the first one of a default makes the finding.
    fn add(&mut self, default: Span, at: Span, make: impl FnOnce() -> Finding) {
        match self.by_default.get_mut(&default) {
            Some((_, others)) => others.push(at),
            None => {
                self.by_default.insert(default, (make(), Vec::new()));
            }
        }
    }
}

/// The finding about a default that decides `what`.
fn finding(evaluation: &Evaluation, found: &FoundWord, what: &'static str) -> Finding {
    let said = (argument(&found.piece), found.text.clone());
    about(evaluation, found.span, said, what)
}

/// The finding about a default, by the argument's name and its text.
fn about(
    evaluation: &Evaluation,
    span: Span,
    (name, text): (String, String),
    what: &'static str,
) -> Finding {
    Finding::new(span, &evaluation.platform, move |on| {
        format!(
            "{name} is '{text}' in the build for {on} as well, and decides {what}: a default is \
             the same on every platform"
        )
    })
}

/// The name of the argument whose default a text is.
fn argument(piece: &Piece) -> String {
    let hops = piece.trail.hops();
    let oldest = hops.iter().find(|hop| hop.kind != HopKind::Used);
    oldest.map_or_else(String::new, |hop| hop.name.to_string())
}

fn downloads(cx: &Context<'_>, evaluation: &Evaluation, found: &mut Found) {
    for wrong in wrong_downloads(cx, evaluation) {
        let main = wrong.main();
        if is_arch_arg_default(&main.piece) {
            found.add(main.span, wrong.span(), || {
                wrong.complete(cx, finding(evaluation, main, "what is downloaded"))
            });
        } else if let Some((name, text, span)) = wrong.deciding_default(cx) {
            found.add(span, wrong.span(), || {
                let finding = about(evaluation, span, (name, text), "what is downloaded");
                wrong.complete_for_default(cx, finding)
            });
        }
    }
}

fn compiles(cx: &Context<'_>, evaluation: &Evaluation, found: &mut Found) {
    for (stage, step, effect, compile) in compilations(cx, evaluation) {
        let Some(tied) = tied_to(evaluation, stage, effect, compile) else { continue };
        if is_arch_arg_default(&tied.found.piece) {
            found.add(tied.found.span, effect.span, || {
                let finding = finding(evaluation, &tied.found, "what is compiled for")
                    .help("let the default follow the target: `ARG TARGETARCH`, and its value");
                tied.complete(cx, evaluation, (stage, step, effect), finding)
            });
        }
    }
}

fn image(cx: &Context<'_>, evaluation: &Evaluation, used: &ImageUse, found: &mut Found) {
    let counts = |_: &str, word: &FoundWord| {
        word.word.kind == WordKind::Arch && is_arch_arg_default(&word.piece)
    };
    let Some(word) = wrong_name(evaluation, used, counts) else { return };
    let maker_only = is_maker_only(evaluation, used);
    // The image of a maker may be for what its tools compile for.
    if maker_only && !names_the_image(&shown(&used.reference), &word) {
        return;
    }
    found.add(word.span, used.span, || {
        let mut finding = finding(evaluation, &word, "which image is taken")
            .help("let the default follow ${TARGETARCH}, or name an image that serves all");
        finding = with_trail(finding, &word.piece).related(used.span, "it names the image here");
        if maker_only {
            finding = finding.severity(Severity::Warning).effect(Harm::Emulated);
        }
        let caution = "whether there is an image of that name for each platform is not known";
        finding.maybe_fix(follow(cx, evaluation, used.stage, &word, caution))
    });
}

/// Files that are copied by a name with the default in it.
fn copies(cx: &Context<'_>, evaluation: &Evaluation, found: &mut Found) {
    if collects_platforms(cx, evaluation) {
        return;
    }
    for artifact in evaluation.wrong_artifacts() {
        if matches!(artifact.machine.source, MachineSource::Setting { .. }) {
            continue;
        }
        let Some(value) = deciding_text(evaluation, artifact) else { continue };
        let Some(maker) = artifact.way.first() else { continue };
        if cause(evaluation, artifact) != Cause::ArgDefault || shown(value).contains("://") {
            continue;
        }
        let mut words = literal_words(value).into_iter();
        let Some(word) = words.find(|w| is_arch_arg_default(&w.piece)) else { continue };
        found.add(word.span, maker.span, || {
            let finding = finding(evaluation, &word, "which file is copied")
                .help("let the default follow the target: `ARG TARGETARCH`, and its value");
            let finding = with_trail(finding, &word.piece).related(maker.span, "it is copied here");
            let caution = "whether there is a file of that name for each platform is not known";
            finding.maybe_fix(follow(cx, evaluation, maker.stage, &word, caution))
        });
    }
}

/// The default follows TARGETARCH, where the words are Docker's.
fn follow(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: usize,
    word: &FoundWord,
    caution: &str,
) -> Option<ProposedFix> {
    let place = word.place?;
    let from = word.word.platforms.first()?;
    let docker_s = |p| word.word.counterparts(p).iter().any(|(_, w)| *w == p.arch());
    let (index, instruction) = cx.instruction_at(place.start)?;
    let is_default = matches!(instruction.kind, InstructionKind::Arg(_));
    if !is_default || word.text != from.arch() || !cx.options.platforms.iter().all(docker_s) {
        return None;
    }
    let mut edits =
        EditSet::from_edits([Edit { span: place, text: "${TARGETARCH}".to_owned() }]).ok()?;
    // Before the first FROM the platform arguments need no declaration.
    let owner = evaluation.stages.iter().rev().find(|s| s.from < index && s.index <= stage);
    if let Some(stage) = owner {
        let shared = root_stage(evaluation, stage).platform.role != RunsOn::Target;
        let declare = edit::declare(cx.file, evaluation, stage, index, &["TARGETARCH"], shared);
        if let Some(edit) = declare {
            edits.insert(edit).ok()?;
        }
    }
    let title = "let the default follow the target";
    Some(ProposedFix::needs_look(title, edits).because(caution).keeping(from))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-arg-default")
    }

    #[test]
    fn it_decides_by_the_answer_to_a_question() {
        for script in [
            r#"S6="$BUILD_ARCH" && if [ "$BUILD_ARCH" = amd64 ]; then S6=x86_64; fi && \"#,
            r#"case "$BUILD_ARCH" in amd64) S6=x86_64 ;; arm64) S6=aarch64 ;; esac && \"#,
        ] {
            harness().check(&format!(
                "FROM alpine:3.22\nARG BUILD_ARCH=amd64\n               ^^^^^ error: arch-arg-default: decides what is downloaded\nRUN {script}\n    wget -qO- https://example.org/s6-overlay-$S6.tar.xz | tar -C / -Jxpf -\n"
            ));
        }
        harness().check(
            r#"
            FROM alpine:3.22
            ARG BUILD_ARCH=amd64
                           ^^^^^ error: arch-arg-default
            RUN if [ "$BUILD_ARCH" = amd64 ]; then wget -O /s https://example.org/s-x86_64.tar; fi
            "#,
        );
    }

    #[test]
    fn it_decides_a_download() {
        let found = harness().check(
            r"
            FROM debian:12
            ARG ARCH=amd64
                     ^^^^^ error: arch-arg-default: ARCH is 'amd64' in the build for linux/arm64 as well, and decides what is downloaded
            RUN curl -fsSLO https://example.org/tool-${ARCH}.tar.gz
            RUN curl -fsSLO https://example.org/other-${ARCH}.tar.gz
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
        assert!(found[0].related.iter().any(|r| r.message == "and it decides here"));
    }

    #[test]
    fn the_default_follows_the_target() {
        harness().check_fix(
            r"
            FROM debian:12
            ARG ARCH=amd64
            ADD https://example.org/tool-linux-${ARCH} /usr/local/bin/tool
            ",
            r"
            FROM debian:12
            ARG TARGETARCH
            ARG ARCH=${TARGETARCH}
            ADD https://example.org/tool-linux-${ARCH} /usr/local/bin/tool
            ",
        );
    }

    #[test]
    fn it_steers_a_compiler() {
        harness().check_fix(
            r"
            FROM golang:1.23 AS build
            ARG GOARCH=amd64
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
            r"
            FROM golang:1.23 AS build
            ARG TARGETARCH
            ARG GOARCH=$TARGETARCH
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        );
        harness().check(
            r"
            FROM --platform=$BUILDPLATFORM rust:1.77 AS build
            ARG TARGET=x86_64-unknown-linux-musl
                       ^^^^^^^^^^^^^^^^^^^^^^^^^ error: arch-arg-default: TARGET is 'x86_64-unknown-linux-musl'
            WORKDIR /src
            COPY . .
            RUN cargo build --release --target $TARGET
            FROM scratch
            ARG TARGET=x86_64-unknown-linux-musl
            COPY --from=build /src/target/$TARGET/release/app /app
            ",
        );
    }

    #[test]
    fn it_names_an_image_and_a_file() {
        harness().check_unsafe_fix(
            r#"
            ARG ARCH="amd64"
            FROM quay.io/example/busybox-linux-${ARCH}:latest
            ARG ARCH
            COPY .build/linux-${ARCH}/exporter /bin/exporter
            "#,
            r#"
            ARG ARCH="${TARGETARCH}"
            FROM quay.io/example/busybox-linux-${ARCH}:latest
            ARG ARCH
            COPY .build/linux-${ARCH}/exporter /bin/exporter
            "#,
        );
        harness().check(
            r"
            FROM scratch
            ARG ARCH=amd64
                     ^^^^^ error: arch-arg-default: decides which file is copied
            COPY bin/app-${ARCH} /app
            ",
        );
    }

    #[test]
    fn silent_where_it_is_given_follows_or_decides_nothing() {
        let text = "FROM debian:12\nARG ARCH=amd64\nADD https://h/tool-linux-${ARCH} /tool\n";
        harness().build_arg("ARCH", "riscv64").silent(text);
        for text in [
            "FROM debian:12\nARG TARGETARCH\nARG ARCH=${TARGETARCH}\nADD https://h/tool-linux-${ARCH} /tool\n",
            "FROM debian:12\nARG TARGETARCH=amd64\nADD https://h/tool-linux-${TARGETARCH} /tool\n",
            "FROM debian:12\nARG ARCH=amd64\nLABEL arch=$ARCH\n",
            "FROM debian:12\nARG URL=https://h/tool-linux-amd64\nADD $URL /tool\n",
            "FROM debian:12\nARG ARCH\nADD https://h/tool-linux-${ARCH} /tool\n",
            "ARG P=linux/amd64\nFROM --platform=$P debian:12\nRUN make\n",
        ] {
            harness().silent(text);
        }
    }
}
