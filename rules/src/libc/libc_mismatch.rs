//! `libc-mismatch`

use mlint_lint::{Confidence, Context, Finding, Meta, ProposedFix, Rule, Severity, Sink};
use mlint_model::{
    Artifact, Base, EffectKind, Evaluation, Libc, Linkage, Made, Stage, Tool, Truth,
};
use mlint_syntax::{Edit, EditSet, InstructionKind, Span};

use crate::{
    cross,
    support::{image_is_made_by, root_stage},
};

mlint_lint::declare_rule! {
    /// A dynamically linked program goes into an image whose C library is another one, or that has
    /// none: built where glibc is (Debian, Ubuntu, Fedora) and copied to Alpine or to `scratch`,
    /// or the other way round. The kernel does not find the program's loader and says "no such
    /// file or directory" or "not found", about a file that is plainly there.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM gcc:12 AS build
    /// COPY hello.c /src/
    /// RUN gcc -O2 -o /hello /src/hello.c
    ///
    /// FROM scratch
    /// COPY --from=build /hello /hello
    /// ENTRYPOINT ["/hello"]
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM gcc:12 AS build
    /// COPY hello.c /src/
    /// RUN gcc -static -O2 -o /hello /src/hello.c
    ///
    /// FROM scratch
    /// COPY --from=build /hello /hello
    /// ENTRYPOINT ["/hello"]
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the program is linked statically, or how it is linked is not known; a Go program
    ///   for which nothing says `CGO_ENABLED=1` is mostly static;
    /// - when the image's C library is not known;
    /// - when the image is `scratch` with files in it and nothing else, as one that others take
    ///   files from with `COPY --from`: nothing is started there;
    /// - when it is not sure that the file needs the other library, and the image neither runs nor
    ///   starts anything;
    /// - when the image gets a compatibility layer (`gcompat`, `libc6-compat`), or the loader and
    ///   its libraries are copied too.
    ///
    /// ## Fix
    ///
    /// A Go program gets `CGO_ENABLED=0`, a C program `-static`. Unsafe: a Go program may need cgo,
    /// and a statically linked one does without glibc's plug-ins for names and users.
    pub struct LibcMismatch {
        name: "libc-mismatch",
        group: Libc,
        summary: "A program goes into an image that lacks its C library",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for LibcMismatch {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            let Some(image) = evaluation.final_stage() else { continue };
            if brings_loader(evaluation) || only_carries(cx, evaluation, image) {
                continue;
            }
            let mut seen: Vec<Span> = Vec::new();
            for artifact in evaluation.libc_mismatches() {
                let Some(last) = artifact.way.last() else { continue };
                let is_only_shown = !artifact.certain && starts_nothing(cx, evaluation);
                if artifact.way.len() < 2 || seen.contains(&last.span) || is_only_shown {
                    continue;
                }
                seen.push(last.span);
                report(cx, evaluation, image, artifact, sink);
            }
        }
    }
}

/// Whether the image is nothing but files, and not said to start one.
fn only_carries(cx: &Context<'_>, evaluation: &Evaluation, image: &Stage) -> bool {
    matches!(root_stage(evaluation, image).base, Base::Scratch)
        && image_is_made_by(cx, evaluation, |kind| {
            matches!(
                kind,
                InstructionKind::Copy { .. }
                    | InstructionKind::Add { .. }
                    | InstructionKind::Arg(_)
                    | InstructionKind::Env(_)
                    | InstructionKind::Label(_)
            )
        })
}

/// Whether nothing in the image is run or said to start, so that it may be one to copy from.
fn starts_nothing(cx: &Context<'_>, evaluation: &Evaluation) -> bool {
    image_is_made_by(cx, evaluation, |kind| {
        !matches!(
            kind,
            InstructionKind::Run(_) | InstructionKind::Cmd(_) | InstructionKind::Entrypoint(_)
        )
    })
}

/// Whether the image is given the other library, by a package or by copying its loader.
fn brings_loader(evaluation: &Evaluation) -> bool {
    let chain = crate::support::final_chain(evaluation);
    evaluation.effects().filter(|(stage, ..)| chain.contains(&stage.index)).any(
        |(_, _, e)| match &e.kind {
            EffectKind::Install(install) => install.packages.iter().any(|p| {
                let name = p.value.to_string();
                ["gcompat", "libc6-compat", "glibc", "musl"].iter().any(|known| {
                    name == *known
                        || name.starts_with(&format!("{known}="))
                        || name.starts_with("glibc-")
                })
            }),
            EffectKind::Copy(copy) => copy.sources.iter().chain([&copy.dest]).any(|s| {
                let path = s.value.to_string();
                path.contains("ld-linux")
                    || path.contains("ld-musl")
                    || ["/lib", "/lib64", "/usr/lib", "/"]
                        .contains(&path.trim_end_matches(['/', '*']))
                        && matches!(copy.from, mlint_model::CopyFrom::Stage(_))
                        && path != "/"
            }),
            _ => false,
        },
    )
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    image: &Stage,
    artifact: &Artifact,
    sink: &mut Sink<'_>,
) {
    let (Some(maker), Some(last)) = (artifact.way.first(), artifact.way.last()) else { return };
    let needs = match artifact.linkage {
        Linkage::Glibc => "glibc",
        Linkage::Musl => "musl",
        Linkage::Static | Linkage::Unknown => return,
    };
    let has = match image.libc {
        Libc::Glibc => "has glibc",
        Libc::Musl => "has musl",
        Libc::None => "has no C library",
        Libc::Unknown => return,
    };
    // Without a word on cgo, Go links dynamically only if the program uses a package with C in
    // it, and the file does not tell.
    let is_go = matches!(artifact.made, Made::Compiled { tool: Tool::Go, .. });
    if is_go && !cgo_is_on(evaluation, artifact) {
        return;
    }
    let certain = artifact.certain;
    let path = artifact.path.clone();
    let mut finding = Finding::new(last.span, &evaluation.platform, move |_| {
        if certain {
            format!("{path} does not start in this image: it needs {needs}'s loader, and the image {has}")
        } else {
            format!("{path} may not start in this image: it may need {needs}'s loader, and the image {has}")
        }
    })
    .related(maker.span, format!("it is linked here, with {needs}"))
    .related(image.base_span, format!("the image {has}"))
    .help(if is_go {
        "build it with CGO_ENABLED=0, or take a base image with the same C library"
    } else {
        "link it statically, or take a base image with the same C library as where it is built"
    });
    if !certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    sink.report(finding.maybe_fix(fix(cx, evaluation, artifact)));
}

fn cgo_is_on(evaluation: &Evaluation, artifact: &Artifact) -> bool {
    let Some(maker) = artifact.way.first() else { return false };
    let Some(stage) = evaluation.stages.get(maker.stage) else { return false };
    cross::go_builds(stage).any(|(step, _, compile)| {
        step.instruction == maker.instruction
            && compile
                .cgo
                .as_ref()
                .is_some_and(|cgo| cgo.enabled == Truth::Yes && cgo.setting.is_some())
    })
}

fn fix(cx: &Context<'_>, evaluation: &Evaluation, artifact: &Artifact) -> Option<ProposedFix> {
    let maker = artifact.way.first()?;
    let stage = evaluation.stages.get(maker.stage)?;
    let step = stage.steps.iter().find(|s| s.instruction == maker.instruction)?;
    let compile_at = step
        .effects
        .iter()
        .find(|e| matches!(&e.kind, EffectKind::Compile(c) if c.outputs.contains(&maker.path)))?;
    let EffectKind::Compile(compile) = &compile_at.kind else { return None };
    let command = step.effects.iter().find_map(|e| match &e.kind {
        EffectKind::Command(c) if e.span == compile_at.span => Some(c),
        _ => None,
    })?;
    let word = command.argv.first()?.span;
    let (edit, title, caution) = match compile.tool {
        Tool::Go => {
            let set = compile.cgo.as_ref().and_then(|cgo| cgo.setting.as_ref());
            let edit = match set {
                Some(value) => {
                    let piece = value.pieces().first().filter(|p| p.is_literal())?;
                    Edit { span: piece.subspan(0..piece.text()?.len()), text: "0".to_owned() }
                }
                None => Edit { span: Span::empty(word.start), text: "CGO_ENABLED=0 ".to_owned() },
            };
            (edit, "build without cgo", "the program may need cgo")
        }
        Tool::C => (
            Edit { span: Span::empty(word.end), text: " -static".to_owned() },
            "link statically",
            "static libraries must be there, and glibc's lookups of users and hosts do not work in \
             a statically linked program",
        ),
        _ => return None,
    };
    // The file holds the word as it is only if nothing was expanded.
    if edit.span.is_empty() && cx.text(word).trim() != cx.text(word) {
        return None;
    }
    let edits = EditSet::from_edits([edit]).ok()?;
    Some(ProposedFix::needs_look(title, edits).because(caution))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "libc-mismatch")
    }

    #[test]
    fn glibc_into_scratch_and_alpine() {
        for base in ["scratch", "alpine:3.20"] {
            let found = harness().check(&format!(
                r"
            FROM gcc:12 AS build
            COPY hello.c /src/
            RUN gcc -O2 -o /hello /src/hello.c
            FROM {base}
            COPY --from=build /hello /bin/hello
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: libc-mismatch: /bin/hello does not start
            CMD /bin/hello
            "
            ));
            assert_eq!(found[0].platforms.len(), 2);
        }
    }

    #[test]
    fn musl_into_debian() {
        harness().check(
            r"
            FROM alpine:3.20 AS build
            RUN apk add --no-cache gcc musl-dev
            COPY hello.c /src/
            RUN gcc -O2 -o /hello /src/hello.c
            FROM debian:12
            COPY --from=build /hello /bin/hello
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: libc-mismatch
            ",
        );
    }

    #[test]
    fn go_with_cgo_into_alpine() {
        harness().check_unsafe_fix(
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=1 go build -o /app .
            FROM alpine:3.20
            COPY --from=build /app /app
            ",
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /app .
            FROM alpine:3.20
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn c_is_linked_statically() {
        harness().check_unsafe_fix(
            r"
            FROM gcc:12 AS build
            COPY hello.c /src/
            RUN gcc -O2 \
                -o /hello /src/hello.c
            FROM scratch
            COPY --from=build /hello /hello
            ENTRYPOINT /hello
            ",
            r"
            FROM gcc:12 AS build
            COPY hello.c /src/
            RUN gcc -static -O2 \
                -o /hello /src/hello.c
            FROM scratch
            COPY --from=build /hello /hello
            ENTRYPOINT /hello
            ",
        );
    }

    #[test]
    fn silent_where_the_library_is_there_or_not_needed() {
        for text in [
            r"
            FROM gcc:12 AS build
            RUN gcc -static -o /hello /hello.c
            FROM scratch
            COPY --from=build /hello /hello
            ",
            r"
            FROM gcc:12 AS build
            RUN gcc -o /hello /hello.c
            FROM debian:12
            COPY --from=build /hello /hello
            ",
            r"
            FROM golang:1.23 AS build
            RUN CGO_ENABLED=0 go build -o /app .
            FROM alpine:3.20
            COPY --from=build /app /app
            ",
            r"
            FROM golang:1.23 AS build
            RUN go build -o /app .
            FROM alpine:3.20
            COPY --from=build /app /app
            ",
            r"
            FROM gcc:12 AS build
            RUN gcc -o /hello /hello.c
            FROM alpine:3.20
            RUN apk add --no-cache gcompat
            COPY --from=build /hello /hello
            ",
            r"
            FROM gcc:12 AS build
            RUN gcc -o /hello /hello.c
            FROM some/unknown-image
            COPY --from=build /hello /hello
            ",
            // Others take the file from it.
            r"
            FROM gcc:12 AS build
            RUN gcc -o /hello /hello.c
            FROM scratch
            COPY --from=build /hello /hello
            ",
            r"
            FROM gcc:12 AS build
            RUN gcc -o /hello /hello.c
            FROM scratch
            COPY --from=build /hello /hello
            ARG VERSION
            ENV HELLO_VERSION=$VERSION
            ",
        ] {
            harness().silent(text);
        }
    }
}
