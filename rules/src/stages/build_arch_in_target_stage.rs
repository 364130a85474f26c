//! `build-arch-in-target-stage`

use mlint_lint::{Confidence, Context, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit};
use mlint_model::{
    Artifact, Effect, EffectKind, Evaluation, Hop, HopKind, MachineSource, Origin, RunsOn, Stage,
    Value,
};
use mlint_oci::arch::find_words;
use mlint_syntax::{Edit, EditSet, InstructionKind, Span};

use crate::{
    downloads::names_something_else,
    support::{collects_platforms, final_chain, root_stage, shown},
    words::{Source, build_word, deciding_text, guard_of},
};

mlint_lint::declare_rule! {
    /// `BUILDARCH` or `BUILDPLATFORM` chooses a file, or what a compiler makes code for, and the
    /// result ends up in the image. These arguments tell the machine that builds. The image for
    /// every other platform gets the builder's file; on the builder's own platform all is well, so
    /// nobody notices.
    ///
    /// They are right for tools that run during the build. What goes into the image is a matter of
    /// `TARGETARCH`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG BUILDARCH
    /// ADD https://example.org/tool-linux-${BUILDARCH} /usr/local/bin/tool
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// ADD https://example.org/tool-linux-${TARGETARCH} /usr/local/bin/tool
    /// ```
    ///
    /// ## Silent
    ///
    /// - when what it chooses stays in a stage on the build platform: a tool that runs there;
    /// - in the build for the platform that builds;
    /// - when the image collects files for several platforms.
    ///
    /// ## Fix
    ///
    /// The use says `TARGETARCH` (or `TARGETPLATFORM`), which is declared where it is needed; a
    /// declaration of the other that nothing needs any more becomes that of this one. Safe.
    pub struct BuildArchInTargetStage {
        name: "build-arch-in-target-stage",
        group: Stages,
        summary: "The platform that builds decides what is in the image",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for BuildArchInTargetStage {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            let chain = final_chain(evaluation);
            for artifact in evaluation.wrong_artifacts() {
                by_artifact(cx, evaluation, artifact, sink);
            }
            for (stage, _, effect) in evaluation.effects() {
                let role = root_stage(evaluation, stage).platform.role;
                if chain.contains(&stage.index) && role == RunsOn::Target {
                    by_effect(cx, evaluation, stage, effect, sink);
                }
            }
        }
    }
}

/// A file of the image that is the builder's.
fn by_artifact(
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
    let site = Site { stage, instruction: maker.instruction, span: maker.span };
    report(cx, evaluation, &site, value, artifact.certain, sink);
}

/// A download or a compilation in a stage of the image.
fn by_effect(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    effect: &Effect,
    sink: &mut Sink<'_>,
) {
    let value = match &effect.kind {
        EffectKind::Download(d) if !names_something_else(&shown(&d.url)) => &d.url,
        EffectKind::Compile(compile) => match &compile.machine.source {
            MachineSource::Setting { value, .. } => value,
            _ => return,
        },
        _ => return,
    };
    let words = find_words(&shown(value));
    let right = words.iter().any(|w| w.means(&evaluation.platform));
    if right || !words.iter().any(|w| w.is_linux() && w.means(&evaluation.build_platform)) {
        return;
    }
    let Some((instruction, _)) = cx.instruction_at(effect.span.start) else { return };
    let site = Site { stage, instruction, span: effect.span };
    report(cx, evaluation, &site, value, effect.certain, sink);
}

/// Where the build platform decides.
struct Site<'e> {
    stage: &'e Stage,
    instruction: usize,
    span: Span,
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    site: &Site<'_>,
    value: &Value,
    certain: bool,
    sink: &mut Sink<'_>,
) {
    let Some(told) = build_word(evaluation, site.stage, value) else { return };
    if told.source != Source::Build {
        return;
    }
    let uses = uses(evaluation, value);
    let span = uses.first().map_or(site.span, |hop| hop.span);
    let (by, machine) = (told.by.clone(), told.platform.to_string());
    let mut finding = Finding::new(span, &evaluation.platform, move |on| {
        format!(
            "what goes into the image for {on} is for {machine}: {by} tells the platform that \
             builds"
        )
    })
    .related(site.span, "it decides what is taken here")
    .help(format!(
        "say {} for what goes into the image; {} is for tools that run during the build",
        told.by.replacen("BUILD", "TARGET", 1),
        told.by
    ));
    if !certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    sink.report(finding.maybe_fix(fix(cx, evaluation, site, &uses)));
}

/// The uses of `BUILD…` arguments that the text depends on, in file order.
fn uses<'e>(evaluation: &'e Evaluation, value: &'e Value) -> Vec<&'e Hop> {
    let mut found: Vec<&Hop> = direct_uses(value).collect();
    if found.is_empty() {
        let guards = value.pieces().iter().filter_map(|p| guard_of(evaluation, p));
        found = guards
            .flat_map(|(_, q)| q.comparisons.iter().flat_map(|c| direct_uses(&c.subject.value)))
            .collect();
    }
    found.sort_by_key(|hop| hop.span);
    found.dedup();
    found
}

fn direct_uses(value: &Value) -> impl Iterator<Item = &Hop> {
    value.pieces().iter().filter(|p| matches!(p.origin, Origin::Build(_))).filter_map(|piece| {
        let hops = piece.trail.hops();
        hops.into_iter().find(|h| h.kind == HopKind::Used && h.name.starts_with("BUILD"))
    })
}

/// `BUILD…` becomes `TARGET…` at the uses.
fn fix(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    site: &Site<'_>,
    uses: &[&Hop],
) -> Option<ProposedFix> {
    let mut edits = EditSet::new();
    let mut names: Vec<String> = Vec::new();
    let mut first = site.instruction;
    for hop in uses {
        let at = cx.text(hop.span).find(&*hop.name)?;
        let start = hop.span.start + at as u32;
        let span = Span::new(start, start + "BUILD".len() as u32);
        edits.insert(Edit { span, text: "TARGET".to_owned() }).ok()?;
        let name = hop.name.replacen("BUILD", "TARGET", 1);
        if !names.contains(&name) {
            names.push(name);
        }
        first = first.min(cx.instruction_at(start)?.0);
    }
    if names.is_empty() {
        return None;
    }
    let mut missing: Vec<&str> = Vec::new();
    for name in &names {
        match bare_declaration(cx, site.stage, name, uses) {
            Some(span) => {
                edits.insert(Edit { span, text: name.clone() }).ok()?;
            }
            None => missing.push(name),
        }
    }
    let shared = root_stage(evaluation, site.stage).platform.role != RunsOn::Target;
    let declare = edit::declare(cx.file, evaluation, site.stage, first, &missing, shared);
    if let Some(edit) = declare {
        edits.insert(edit).ok()?;
    }
    let title = format!("follow {}", mlint_lint::list(&names));
    Some(ProposedFix::safe(title, edits).keeping(&evaluation.build_platform))
}

/// The stage's bare `ARG BUILD…` for a name, if the uses that change are all that need it and the
/// other is not declared yet.
fn bare_declaration(cx: &Context<'_>, stage: &Stage, name: &str, uses: &[&Hop]) -> Option<Span> {
    let old = name.replacen("TARGET", "BUILD", 1);
    let range = stage.from + 1..edit::end_of(cx.file, stage);
    let instructions = cx.file.instructions.get(range)?;
    let pairs = |name: &str| {
        let name = name.to_owned();
        instructions.iter().flat_map(move |i| match &i.kind {
            InstructionKind::Arg(pairs) => {
                pairs.iter().filter(|p| p.key.as_str() == name).collect::<Vec<_>>()
            }
            _ => Vec::new(),
        })
    };
    if pairs(name).next().is_some() {
        return None;
    }
    let declared: Vec<_> = pairs(&old).collect();
    let [pair] = declared.as_slice() else { return None };
    let named: usize = instructions.iter().map(|i| cx.text(i.span).matches(&*old).count()).sum();
    let changed = uses.iter().filter(|hop| *hop.name == *old).count();
    (pair.value.is_none() && named == changed + 1).then_some(pair.span)
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "build-arch-in-target-stage")
    }

    #[test]
    fn a_download_into_the_image() {
        let found = harness().check(
            r"
            FROM debian:12
            ARG BUILDARCH
            ADD https://example.org/tool-linux-${BUILDARCH} /usr/local/bin/tool
                                               ^^^^^^^^^^^^ error: build-arch-in-target-stage: what goes into the image for linux/arm64 is for linux/amd64
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn out_of_a_build_stage() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            ARG BUILDARCH
            RUN apt-get update && apt-get install -y curl
            RUN curl -fsSLo /tool https://example.org/tool-linux-${BUILDARCH}
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            ",
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS fetch
            ARG TARGETARCH
            RUN apt-get update && apt-get install -y curl
            RUN curl -fsSLo /tool https://example.org/tool-linux-${TARGETARCH}
            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            ",
        );
    }

    #[test]
    fn a_compiler_s_target_and_a_case() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG BUILDARCH BUILDOS
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOOS=$BUILDOS GOARCH=$BUILDARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETARCH BUILDOS
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOOS=$BUILDOS GOARCH=$TARGETARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        );
        harness().check_fix(
            r#"
            FROM debian:12
            ARG BUILDARCH
            RUN case "$BUILDARCH" in amd64) A=x86_64 ;; arm64) A=aarch64 ;; esac; \
                curl -fsSLo /tool https://example.org/tool-$A
            "#,
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "$TARGETARCH" in amd64) A=x86_64 ;; arm64) A=aarch64 ;; esac; \
                curl -fsSLo /tool https://example.org/tool-$A
            "#,
        );
    }

    #[test]
    fn what_else_needs_the_argument_keeps_it() {
        harness().check_fix(
            r"
            FROM debian:12
            ARG BUILDARCH
            ADD https://example.org/tool-linux-${BUILDARCH} /usr/local/bin/tool
            RUN echo built on $BUILDARCH > /etc/built
            ",
            r"
            FROM debian:12
            ARG TARGETARCH
            ARG BUILDARCH
            ADD https://example.org/tool-linux-${TARGETARCH} /usr/local/bin/tool
            RUN echo built on $BUILDARCH > /etc/built
            ",
        );
    }

    #[test]
    fn silent_for_build_tools() {
        for text in [
            r"
            FROM --platform=$BUILDPLATFORM alpine:3.20 AS site
            ARG BUILDARCH
            RUN wget -O /usr/bin/hugo https://example.org/hugo_linux-${BUILDARCH} && hugo -d /public
            FROM nginx:1.27
            COPY --from=site /public /usr/share/nginx/html
            ",
            r"
            FROM debian:12
            ARG TARGETARCH BUILDARCH
            RUN curl -fsSLo /tool https://example.org/tool-${TARGETARCH} && echo $BUILDARCH > /b
            ",
        ] {
            harness().silent(text);
        }
        let text = "FROM debian:12\nARG BUILDARCH\nADD https://h/tool-${BUILDARCH} /tool\n";
        harness().platforms(&["linux/amd64"]).silent(text);
    }
}
