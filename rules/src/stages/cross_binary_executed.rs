//! `cross-binary-executed`

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit,
};
use mlint_model::{
    Artifact, Effect, EffectKind, Evaluation, Linkage, Machine, MachineSource, Made, Piece, RunsOn,
    Stage, Step,
};
use mlint_syntax::{Edit, EditSet, InstructionKind, Span};

use crate::support::{
    is_deliberate, is_literal, is_platform_arg_default, is_run, is_tolerated, literal_words,
    root_stage, shown,
};

mlint_lint::declare_rule! {
    /// A program is executed in a stage that runs on another machine than the program is for.
    /// Mostly the stage is on the build platform, and fetches or compiles a tool for the target
    /// which it then runs: `exec format error`. On the platform that the build runs on both are
    /// the same, so nobody notices. A statically linked program may run where the builder happens
    /// to emulate its machine, slowly.
    ///
    /// In a stage on the build platform there are two machines: `BUILDARCH` for tools that are run
    /// here, `TARGETARCH` for files that go into the image.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM debian:12 AS build
    /// ARG TARGETARCH
    /// RUN curl -fsSLo /usr/local/bin/gen https://example.org/gen-linux-${TARGETARCH} \
    ///  && chmod +x /usr/local/bin/gen
    /// COPY . /src
    /// RUN gen /src > /out.txt
    ///
    /// FROM debian:12
    /// COPY --from=build /out.txt /
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM debian:12 AS build
    /// ARG BUILDARCH
    /// RUN curl -fsSLo /usr/local/bin/gen https://example.org/gen-linux-${BUILDARCH} \
    ///  && chmod +x /usr/local/bin/gen
    /// COPY . /src
    /// RUN gen /src > /out.txt
    ///
    /// FROM debian:12
    /// COPY --from=build /out.txt /
    /// ```
    ///
    /// ## Silent
    ///
    /// - where the cause has a rule of its own: a literal in a URL (`hardcoded-arch-url`), a file
    ///   of the build machine that is copied into the image (`wrong-arch-copy`,
    ///   `host-binary-copy`);
    /// - in a branch that asks for the platform, and before `||`, where the failure is expected;
    /// - for programs whose machine is not known.
    ///
    /// ## Fix
    ///
    /// A tool that is downloaded in a stage on the build platform and does not reach the image
    /// follows `BUILDARCH`: unsafe, since it may be wanted for more than to be run here.
    pub struct CrossBinaryExecuted {
        name: "cross-binary-executed",
        group: Stages,
        summary: "A program is run on a machine that it is not for",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for CrossBinaryExecuted {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            let mut seen: Vec<(usize, &str)> = Vec::new();
            for (stage, step, effect) in evaluation.effects() {
                let EffectKind::Execute { path, machine } = &effect.kind else { continue };
                let on = stage.userland.as_ref().or(stage.platform.platform.as_ref());
                let wrong = on.is_some_and(|on| {
                    machine.platform().is_some_and(|m| m.os() == on.os())
                        && machine.is_wrong_for(on)
                });
                if !wrong || is_deliberate(effect) || is_tolerated(cx, effect.span) {
                    continue;
                }
                let run = Run { evaluation, stage, step, effect, path, machine };
                if seen.contains(&(stage.index, path)) || has_its_own_rule(&run) {
                    continue;
                }
                seen.push((stage.index, path));
                report(cx, &run, sink);
            }
        }
    }
}

/// A program that is run.
struct Run<'a> {
    evaluation: &'a Evaluation,
    stage: &'a Stage,
    step: &'a Step,
    effect: &'a Effect,
    path: &'a str,
    machine: &'a Machine,
}

impl<'a> Run<'a> {
    /// The program's file, if it is still there at the end of the stage.
    fn artifact(&self) -> Option<&'a Artifact> {
        self.stage.files.get(self.path).map(|file| &**file)
    }

    fn role(&self) -> RunsOn {
        root_stage(self.evaluation, self.stage).platform.role
    }

    /// Whether the image gets what the program is a part of, and is wrong with it.
    fn reaches_image(&self) -> bool {
        let Some(artifact) = self.artifact() else { return false };
        let first = artifact.way.first();
        self.evaluation.final_artifacts().any(|a| a.way.first() == first && first.is_some())
    }
}

fn has_its_own_rule(run: &Run<'_>) -> bool {
    let on_target = run.role() == RunsOn::Target;
    match &run.machine.source {
        MachineSource::Name { value } | MachineSource::Setting { value, .. } => {
            let by_default = |p: &&Piece| p.is_literal() && is_platform_arg_default(p);
            if value.all_pieces().iter().any(by_default) {
                return true;
            }
            let literal = is_literal(value) || !literal_words(value).is_empty();
            literal && (on_target || run.reaches_image())
        }
        _ => on_target && run.reaches_image(),
    }
}

fn report(cx: &Context<'_>, run: &Run<'_>, sink: &mut Sink<'_>) {
    let Run { evaluation, stage, effect, .. } = run;
    let (path, machine) = (run.path.to_owned(), run.machine.to_string());
    let here = stage.userland.as_ref().or(stage.platform.platform.as_ref());
    let here = here.map_or_else(|| "another machine".to_owned(), ToString::to_string);
    let span = word_of(run).unwrap_or(effect.span);
    let mut finding = Finding::new(span, &evaluation.platform, move |on| {
        format!("in the build for {on}, {path} is for {machine} but is run on {here}")
    });
    let artifact = run.artifact();
    let is_static = artifact.is_some_and(|a| a.linkage == Linkage::Static);
    if is_static || !effect.certain || artifact.is_some_and(|a| !a.certain) {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    if is_static {
        // With an emulator registered it runs.
        finding = finding.effect(Harm::Latent);
    }
    if let Some(maker) = artifact.and_then(|a| a.way.first()).filter(|m| m.span != effect.span) {
        finding = finding.related(maker.span, "it comes from here");
    }
    if let Some(flag) = root_stage(evaluation, stage).platform.flag_span {
        finding = finding.related(flag, "this decides what the stage runs on");
    }
    let from_image = artifact.is_some_and(|a| matches!(a.made, Made::Image { .. }));
    finding = finding.help(match run.role() {
        RunsOn::Build if from_image => {
            "COPY --from=IMAGE takes the image for the target: name it in a stage of its own, FROM \
             --platform=$BUILDPLATFORM IMAGE AS …, and copy from that"
        }
        RunsOn::Build => {
            "a tool that is run here is for the build machine: BUILDARCH, not TARGETARCH; a program \
             for the image is better not run in this stage"
        }
        _ => "take the program for the machine that the stage runs on",
    });
    sink.report(finding.maybe_fix(fix(cx, run)));
}

/// The command's first word.
fn word_of(run: &Run<'_>) -> Option<Span> {
    run.step.effects.iter().find_map(|e| match &e.kind {
        EffectKind::Command(c) if e.span == run.effect.span => c.argv.first().map(|a| a.span),
        _ => None,
    })
}

/// The download follows the build machine.
fn fix(cx: &Context<'_>, run: &Run<'_>) -> Option<ProposedFix> {
    let artifact = run.artifact()?;
    let Made::Downloaded { url } = &artifact.made else { return None };
    if run.role() != RunsOn::Build || run.reaches_image() || !url.follows_platform() {
        return None;
    }
    let maker = artifact.way.first()?;
    let stage = run.evaluation.stages.get(maker.stage)?;
    let step = stage.steps.iter().find(|s| s.instruction == maker.instruction)?;
    // What is compiled there is meant for the target.
    let compiles = step.effects.iter().any(|e| matches!(e.kind, EffectKind::Compile(_)));
    let others = step
        .effects
        .iter()
        .any(|e| matches!(&e.kind, EffectKind::Download(d) if shown(&d.url) != shown(url)));
    if compiles || others || root_stage(run.evaluation, stage).platform.role != RunsOn::Build {
        return None;
    }
    let instruction = cx.file.instructions.get(maker.instruction)?;
    if !is_run(cx, maker.instruction) && !cx.text(instruction.span).contains("TARGETARCH") {
        return None;
    }
    let mut edits = EditSet::new();
    for place in uses(cx, instruction.span) {
        edits.insert(Edit { span: place, text: "BUILDARCH".to_owned() }).ok()?;
    }
    if edits.is_empty() {
        return None;
    }
    match only_declaration(cx, stage, maker.instruction, edits.as_slice().len()) {
        // Nothing else uses it.
        Some(name) => edits.insert(Edit { span: name, text: "BUILDARCH".to_owned() }).ok()?,
        None => {
            let user = maker.instruction;
            let names = ["BUILDARCH"];
            let declared = edit::declare(cx.file, run.evaluation, stage, user, &names, true);
            if let Some(edit) = declared {
                edits.insert(edit).ok()?;
            }
        }
    }
    let fix = ProposedFix::needs_look("download the build machine's file", edits)
        .because("whether the file is wanted for more than to be run here can't be told");
    Some(fix.keeping(&run.evaluation.build_platform))
}

const NAME: &str = "TARGETARCH";

/// Where the stage declares TARGETARCH above `user`, if the file names it there and in `uses` other
/// places only.
fn only_declaration(cx: &Context<'_>, stage: &Stage, user: usize, uses: usize) -> Option<Span> {
    let above = cx.file.instructions.get(stage.from + 1..user)?;
    let name = above.iter().find_map(|instruction| match &instruction.kind {
        InstructionKind::Arg(pairs) => {
            pairs.iter().find(|p| p.key.as_str() == NAME && p.value.is_none()).map(|p| p.key.span())
        }
        _ => None,
    })?;
    (cx.file.text.matches(NAME).count() == uses + 1).then_some(name)
}

/// Where an instruction uses `$TARGETARCH`: the name in each.
fn uses(cx: &Context<'_>, span: Span) -> Vec<Span> {
    let text = cx.text(span);
    text.match_indices(NAME)
        .filter(|(at, _)| {
            let before = &text[..*at];
            let after = text[at + NAME.len()..].chars().next();
            (before.ends_with('$') || before.ends_with("${"))
                && !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        })
        .map(|(at, _)| {
            let start = span.start + at as u32;
            Span::new(start, start + NAME.len() as u32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "cross-binary-executed")
    }

    #[test]
    fn a_tool_for_the_target_on_the_build_machine() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG TARGETARCH
            RUN curl -fsSLo /usr/local/bin/gen https://example.org/gen-linux-$TARGETARCH \
             && chmod +x /usr/local/bin/gen
            RUN gen > /out.txt
                ^^^ error: cross-binary-executed: in the build for linux/arm64, /usr/local/bin/gen is for linux/arm64 but is run on linux/amd64
            FROM debian:12
            COPY --from=build /out.txt /
            ",
        );
        assert_eq!(mlint_lint::list(&found[0].platforms), "linux/arm64");
        assert_eq!(found[0].effect, mlint_lint::Effect::BuildFails);
    }

    #[test]
    fn a_program_that_was_compiled_for_the_target() {
        harness().check(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETOS TARGETARCH
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app .
            RUN /out/app --version
                ^^^^^^^^ warning: cross-binary-executed
            FROM scratch
            COPY --from=build /out/app /app
            ",
        );
    }

    #[test]
    fn a_tool_of_an_image_is_for_the_target() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /usr/local/bin/uv
            RUN uv sync
                ^^ warning: cross-binary-executed
            FROM debian:12
            COPY --from=build /out.txt /
            ",
        );
        assert!(found[0].help.as_ref().unwrap().starts_with("COPY --from=IMAGE"));
    }

    #[test]
    fn the_tool_follows_the_build_machine() {
        harness().check_unsafe_fix(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG TARGETARCH
            RUN curl -fsSL -o /usr/local/bin/gen https://example.org/gen-linux-${TARGETARCH} \
             && chmod +x /usr/local/bin/gen
            RUN gen > /out.txt
            FROM debian:12
            COPY --from=build /out.txt /
            ",
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG BUILDARCH
            RUN curl -fsSL -o /usr/local/bin/gen https://example.org/gen-linux-${BUILDARCH} \
             && chmod +x /usr/local/bin/gen
            RUN gen > /out.txt
            FROM debian:12
            COPY --from=build /out.txt /
            ",
        );
    }

    #[test]
    fn silent_where_it_fits_or_another_rule_speaks() {
        for text in [
            // For the machine that runs it.
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG BUILDARCH
            RUN curl -fsSLo /gen https://example.org/gen-$BUILDARCH && chmod +x /gen && /gen > /out.txt
            FROM debian:12
            COPY --from=build /out.txt /
            ",
            "FROM debian:12\nARG TARGETARCH\nRUN curl -fsSLo /t https://example.org/t-$TARGETARCH && /t --version\n",
            // hardcoded-arch-url's.
            "FROM debian:12\nRUN curl -fsSLo /t https://example.org/t-amd64 && /t --version\n",
            // wrong-arch-copy's.
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /out/app .
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            RUN app --version
            ",
            // Asked first, or expected to fail.
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG TARGETARCH BUILDARCH
            RUN curl -fsSLo /t https://example.org/t-$TARGETARCH; \
                if [ "$TARGETARCH" = "$BUILDARCH" ]; then /t --version; fi
            RUN /t --version || echo "not on this machine"
            FROM debian:12
            COPY --from=build /t /t
            "#,
            // A script.
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG TARGETARCH
            RUN curl -fsSLo /install.sh https://example.org/install-$TARGETARCH.sh && sh /install.sh
            FROM debian:12
            ",
        ] {
            harness().silent(text);
        }
    }
}
