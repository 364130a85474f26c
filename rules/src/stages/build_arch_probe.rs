//! `build-arch-probe`

use mlint_lint::{Confidence, Context, Finding, Meta, ProposedFix, Rule, Severity, Sink};
use mlint_model::{Artifact, Evaluation, Made, Origin, Probe, Question, Stage, Value};
use mlint_oci::arch::{Vocabulary, find_words, word_for};
use mlint_syntax::{Edit, EditSet, Span};

use super::wrong_arch_copy::stage_fix;
use crate::{
    repair,
    support::{collects_platforms, root_stage},
    words::{Source, build_word, deciding_text, guard_of, substitution},
};

mlint_lint::declare_rule! {
    /// In a stage on the build platform (`FROM --platform=$BUILDPLATFORM`), `uname -m`, `dpkg
    /// --print-architecture` or the like decides which file is fetched or what is compiled, and the
    /// result ends up in the image. A command asks the machine that it runs on, which is the
    /// builder's. The image for every other platform gets the builder's file.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM debian:12 AS fetch
    /// RUN curl -fsSLo /tool "https://example.org/tool-$(dpkg --print-architecture)"
    ///
    /// FROM debian:12
    /// COPY --from=fetch /tool /usr/local/bin/tool
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM debian:12 AS fetch
    /// ARG TARGETARCH
    /// RUN curl -fsSLo /tool "https://example.org/tool-${TARGETARCH}"
    ///
    /// FROM debian:12
    /// COPY --from=fetch /tool /usr/local/bin/tool
    /// ```
    ///
    /// ## Silent
    ///
    /// - for a tool that runs in that stage and does not reach the image;
    /// - in a stage on the target platform: there the answer is right;
    /// - in the build for the platform that builds;
    /// - when the image collects files for several platforms.
    ///
    /// ## Fix
    ///
    /// Where the words are the same on all platforms asked for, the probe becomes
    /// `${TARGETARCH}`; a `case` over `uname -m` becomes one over `TARGETARCH`. Else the stage runs
    /// on the target platform (emulated). Safe.
    pub struct BuildArchProbe {
        name: "build-arch-probe",
        group: Stages,
        summary: "A command asks the build's machine, and its answer decides what is in the image",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for BuildArchProbe {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            for artifact in evaluation.wrong_artifacts() {
                check_artifact(cx, evaluation, artifact, sink);
            }
        }
    }
}

fn check_artifact(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    artifact: &Artifact,
    sink: &mut Sink<'_>,
) {
    let Some(value) = deciding_text(evaluation, artifact) else { return };
    // Perhaps some file of a folder: too little to go by.
    if artifact.folder && !artifact.certain {
        return;
    }
    let Some(maker) = artifact.way.first() else { return };
    let Some(stage) = evaluation.stages.get(maker.stage) else { return };
    let Some(told) = build_word(evaluation, stage, value) else { return };
    let Source::Probe(probe) = told.source else { return };
    let Some(asked) = Asked::of(evaluation, value) else { return };
    let (by, machine) = (told.by.clone(), told.platform.to_string());
    let verb = match artifact.made {
        Made::Compiled { .. } => "is compiled",
        Made::Downloaded { .. } => "is fetched",
        _ => "is taken",
    };
    let mut finding = Finding::new(asked.span, &evaluation.platform, move |on| {
        format!(
            "what {verb} for the image for {on} is for {machine}: {by} asks the machine that \
             builds, where this stage runs"
        )
    })
    .related(maker.span, "it decides what is made here");
    if let Some(flag) = root_stage(evaluation, stage).platform.flag_span {
        finding = finding.related(flag, "on the platform that the build runs on");
    }
    if let Some(station) = artifact.way.last().filter(|s| s.stage != maker.stage) {
        finding = finding.related(station.span, format!("brings it to {}", station.path));
    }
    if !artifact.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    finding = finding.help("let $TARGETARCH decide, or make it in a stage without --platform");
    let fix = in_place(cx, evaluation, stage, probe, &asked)
        .or_else(|| stage_fix(cx, evaluation, artifact));
    sink.report(finding.maybe_fix(fix));
}

/// The question to the machine.
struct Asked<'e> {
    /// The command.
    span: Span,
    /// The `case` or `if` that its answer decides, where the answer itself is not used.
    question: Option<&'e Question>,
}

impl<'e> Asked<'e> {
    fn of(evaluation: &'e Evaluation, value: &Value) -> Option<Self> {
        if let Some(span) = probe_span(value) {
            return Some(Self { span, question: None });
        }
        let (_, question) = value.pieces().iter().find_map(|p| guard_of(evaluation, p))?;
        let span = probe_span(&question.comparisons.first()?.subject.value)?;
        Some(Self { span, question: Some(question) })
    }
}

fn probe_span(value: &Value) -> Option<Span> {
    value.pieces().iter().find(|p| matches!(p.origin, Origin::Probe(_))).map(|p| p.span)
}

/// The same, decided by TARGETARCH.
fn in_place(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    probe: Probe,
    asked: &Asked<'_>,
) -> Option<ProposedFix> {
    let span = substitution(cx, asked.span)?;
    let vocabulary = probe.vocabulary()?;
    let mut edits = repair::follow_target(cx, evaluation, stage, span)?;
    let platforms = &cx.options.platforms;
    let same = platforms.iter().all(|p| word_for(p, vocabulary) == Some(p.arch()));
    if !same {
        rename_answers(cx, asked.question?, vocabulary, &mut edits)?;
    }
    let title = "let TARGETARCH decide";
    Some(ProposedFix::safe(title, edits).keeping(&evaluation.build_platform).or_nothing())
}

/// The words that the answer is compared with become Docker's.
fn rename_answers(
    cx: &Context<'_>,
    question: &Question,
    vocabulary: Vocabulary,
    edits: &mut EditSet,
) -> Option<()> {
    let mut new: Vec<&str> = Vec::new();
    for comparison in &question.comparisons {
        let operand = &comparison.operand;
        let text = operand.value.as_known()?;
        let words = find_words(&text);
        let [word] = words.as_slice() else { return None };
        let platform = word.platforms.first()?;
        let said = word_for(platform, vocabulary)?;
        // Two branches for one word of Docker's (armv6l and armv7l) are a person's matter.
        let docker = word_for(platform, Vocabulary::Docker)?;
        if comparison.pattern || *text != *said || new.contains(&docker) {
            return None;
        }
        new.push(docker);
        let at = cx.text(operand.span).find(&*text)?;
        let start = operand.span.start + at as u32;
        let span = Span::new(start, start + text.len() as u32);
        if *docker != *text {
            edits.insert(Edit { span, text: docker.to_owned() }).ok()?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "build-arch-probe")
    }

    #[test]
    fn a_download_by_the_builder_s_machine() {
        let found = harness().check(
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            RUN curl -fsSLo /tool "https://example.org/tool-$(uname -m)"
                                                              ^^^^^^^^ error: build-arch-probe: what is fetched for the image for linux/arm64 is for linux/amd64
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn from_a_server_that_is_given() {
        harness().build_arg("MIRROR", "https://mirror.example.org").check(
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            ARG MIRROR
            RUN curl -fsSLo /tool "$MIRROR/tool-$(uname -m)"
                                                  ^^^^^^^^ error: build-arch-probe
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
        );
    }

    #[test]
    fn debian_s_words_are_docker_s() {
        harness().check_fix(
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            RUN arch="$(dpkg --print-architecture)" && curl -fsSLo /tool "https://example.org/tool-$arch"
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            ARG TARGETARCH
            RUN arch="${TARGETARCH}" && curl -fsSLo /tool "https://example.org/tool-$arch"
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
        );
    }

    #[test]
    fn a_case_over_uname() {
        harness().check_fix(
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            RUN case "$(uname -m)" in \
                  x86_64) A=x64 ;; \
                  aarch64) A=arm64 ;; \
                  *) exit 1 ;; \
                esac; curl -fsSLo /tool "https://example.org/tool-linux-$A"
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            ARG TARGETARCH
            RUN case "${TARGETARCH}" in \
                  amd64) A=x64 ;; \
                  arm64) A=arm64 ;; \
                  *) exit 1 ;; \
                esac; curl -fsSLo /tool "https://example.org/tool-linux-$A"
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
        );
    }

    #[test]
    fn a_tool_that_uname_chose_on_the_build_machine() {
        harness().check(
            r#"
            FROM --platform=$BUILDPLATFORM alpine:3.20 AS tools
            RUN case "$(uname -m)" in x86_64) A=amd64 ;; aarch64) A=arm64 ;; esac; \
                        ^^^^^^^^ error: build-arch-probe
                wget -O /tool https://example.org/tool-$A
            FROM alpine:3.20
            COPY --from=tools /tool /tool
            "#,
        );
    }

    #[test]
    fn else_the_stage_moves() {
        harness().check_fix(
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            RUN curl -fsSLo /tool "https://example.org/tool-$(uname -m)"
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
            r#"
            FROM debian:12 AS fetch
            RUN curl -fsSLo /tool "https://example.org/tool-$(uname -m)"
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
        );
    }

    #[test]
    fn silent_for_tools_of_the_build_and_on_the_target() {
        for text in [
            r#"
            FROM debian:12
            RUN curl -fsSLo /tool "https://example.org/tool-$(uname -m)"
            "#,
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS site
            RUN curl -fsSLo /hugo "https://example.org/hugo-$(uname -m)" && /hugo -d /public
            FROM nginx:1.27
            COPY --from=site /public /usr/share/nginx/html
            "#,
            r#"
            FROM --platform=$BUILDPLATFORM tonistiigi/xx AS xx
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            COPY --from=xx / /
            ARG TARGETPLATFORM
            RUN curl -fsSLo /tool "https://example.org/tool-$(xx-info arch)"
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            "#,
        ] {
            harness().silent(text);
        }
    }
}
