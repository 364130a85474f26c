//! `wrong-arch-copy`

use mlint_lint::{Confidence, Context, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit};
use mlint_model::{
    Artifact, Copy, CopyFrom, Effect, EffectKind, Evaluation, MachineSource, Made, Manager, RunsOn,
    Stage, Station, Tool,
};
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    cross,
    stages::go_install_path,
    support::{
        Cause, cause, collects_platforms, final_chain, image_role, literal_words, root_stage,
    },
};

mlint_lint::declare_rule! {
    /// A `COPY` brings a file of another machine into the image. Mostly the file was made in a
    /// stage on the build platform (`FROM --platform=$BUILDPLATFORM`) by something that knows
    /// nothing of the target: a compiler without `GOARCH`, `pip install` or `npm ci` with their
    /// compiled parts. Or the file's name holds one architecture: `COPY bin/app-amd64 /app`.
    ///
    /// On the platform that the build runs on everything is right, so nobody notices before the
    /// other image runs. A `COPY` that takes `/go/bin/app` from a stage where `go install`
    /// cross-compiles does not even find it: it is in `/go/bin/linux_arm64/`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM golang:1.23 AS build
    /// WORKDIR /src
    /// COPY . .
    /// RUN CGO_ENABLED=0 go build -o /out/app .
    ///
    /// FROM debian:12
    /// COPY --from=build /out/app /usr/local/bin/app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM golang:1.23 AS build
    /// WORKDIR /src
    /// COPY . .
    /// ARG TARGETOS TARGETARCH
    /// RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app .
    ///
    /// FROM debian:12
    /// COPY --from=build /out/app /usr/local/bin/app
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the stage compiles for `$TARGETARCH`, or what it makes runs everywhere;
    /// - when another rule names the cause: a literal in a URL (`hardcoded-arch-url`), a literal
    ///   `GOARCH` (`hardcoded-goarch`), a constant stage (`constant-platform`), an argument's default
    ///   (`arch-arg-default`), `BUILDARCH` (`build-arch-in-target-stage`), `uname -m`
    ///   (`build-arch-probe`), a compiled file of the build context (`host-binary-copy`);
    /// - for files whose machine is not known.
    ///
    /// ## Fix
    ///
    /// A Go build without cgo gets `GOOS` and `GOARCH` (safe). With cgo by default it gets the
    /// same, but the other platforms are then built without cgo: unsafe. Anything else that a
    /// stage on the build platform makes natively moves to the target platform by removing the
    /// flag (safe, but emulated). In a file name the literal becomes `${TARGETARCH}`: safe if the
    /// file is known to be there for each platform, else unsafe.
    pub struct WrongArchCopy {
        name: "wrong-arch-copy",
        group: Stages,
        summary: "A COPY brings a file of another machine into the image",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for WrongArchCopy {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            // An image that is itself of another platform is the matter of the rules on stages.
            if !matches!(image_role(evaluation), Some(RunsOn::Target)) {
                continue;
            }
            go_install_path::check(evaluation, sink);
            let mut seen: Vec<(usize, usize)> = Vec::new();
            for artifact in evaluation.wrong_artifacts() {
                let cause = cause(evaluation, artifact);
                let guess = !artifact.certain && matches!(artifact.made, Made::Image { .. });
                if guess || !matches!(cause, Cause::BuildStage | Cause::Name) {
                    continue;
                }
                if has_undeclared_target(cx, evaluation, artifact)
                    || is_refused_package(evaluation, artifact)
                {
                    continue;
                }
                let Some(station) = arrival(evaluation, artifact) else { continue };
                // One finding per COPY and maker, however many files it brings.
                let maker = artifact.way.first().map_or(0, |s| s.instruction);
                if seen.contains(&(station.instruction, maker)) {
                    continue;
                }
                seen.push((station.instruction, maker));
                report(cx, evaluation, artifact, station, cause, sink);
            }
        }
    }
}

/// A package of npm for one machine, installed on the target: `arch-specific-package` has that.
fn is_refused_package(evaluation: &Evaluation, artifact: &Artifact) -> bool {
    let maker = artifact.way.first().and_then(|s| evaluation.stages.get(s.stage));
    matches!(artifact.made, Made::Installed { manager: Manager::Npm })
        && matches!(artifact.machine.source, MachineSource::Name { .. })
        && maker.is_some_and(|s| root_stage(evaluation, s).platform.role == RunsOn::Target)
}

/// Whether the target was meant, by an argument that is empty there: `undeclared-platform-arg`
/// says so.
fn has_undeclared_target(cx: &Context<'_>, evaluation: &Evaluation, artifact: &Artifact) -> bool {
    let Some(maker) = artifact.way.first() else { return false };
    let Some(stage) = evaluation.stages.get(maker.stage) else { return false };
    cross::go_builds(stage).filter(|(_, _, c)| c.outputs.contains(&maker.path)).any(|(_, _, c)| {
        c.settings
            .iter()
            .any(|s| s.name == "GOARCH" && s.value.is_empty() && cx.text(s.span).contains("TARGET"))
    })
}

/// The instruction that brings an artifact into the stages that the image is made of.
fn arrival<'a>(evaluation: &Evaluation, artifact: &'a Artifact) -> Option<&'a Station> {
    let chain = final_chain(evaluation);
    let at = artifact.way.iter().position(|s| chain.contains(&s.stage))?;
    artifact.way.get(at)
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    artifact: &Artifact,
    station: &Station,
    cause: Cause,
    sink: &mut Sink<'_>,
) {
    let copy = copy_at(evaluation, station);
    let span = copy.and_then(|(_, c)| c.sources.first()).map_or(station.span, |s| s.span);
    let (path, machine) = (artifact.path.clone(), artifact.machine.to_string());
    let why = reason(artifact, cause);
    let mut finding = Finding::new(span, &evaluation.platform, move |on| {
        format!("{path} in the image for {on} is for {machine}: {why}")
    });
    if !artifact.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    if let Some(maker) = artifact.way.first().filter(|m| m.instruction != station.instruction) {
        finding = finding.related(maker.span, "it is made here");
        if let Some(flag) = evaluation
            .stages
            .get(maker.stage)
            .and_then(|s| root_stage(evaluation, s).platform.flag_span)
        {
            finding = finding.related(flag, "on the platform that the build runs on");
        }
    }
    finding = finding.help(match cause {
        Cause::Name => "copy the file that is for the target, as in ${TARGETARCH}",
        _ => "make it for the target: cross-compile with $TARGETARCH, or make it in a stage without --platform",
    });
    let fix = match cause {
        Cause::Name => copy.and_then(|(effect, c)| name_fix(cx, evaluation, station, effect, c)),
        _ => stage_fix(cx, evaluation, artifact),
    };
    sink.report(finding.maybe_fix(fix));
}

fn reason(artifact: &Artifact, cause: Cause) -> String {
    if cause == Cause::Name {
        return "its name says so".to_owned();
    }
    match &artifact.made {
        Made::Compiled { tool: Tool::Go, .. } => {
            "Go compiles for the machine it runs on unless GOARCH says otherwise".to_owned()
        }
        Made::Compiled { .. } => {
            "its stage runs on the build platform, and so compiles for that".to_owned()
        }
        Made::Installed { .. } => {
            "it was installed in a stage that runs on the build platform".to_owned()
        }
        _ => "it comes from a stage that runs on the build platform".to_owned(),
    }
}

/// The copy that a station stands for.
pub(super) fn copy_at<'e>(
    evaluation: &'e Evaluation,
    station: &Station,
) -> Option<(&'e Effect, &'e Copy)> {
    let stage = evaluation.stages.get(station.stage)?;
    let step = stage.steps.iter().find(|s| s.instruction == station.instruction)?;
    step.effects.iter().find_map(|e| match &e.kind {
        EffectKind::Copy(copy) => Some((e, copy)),
        _ => None,
    })
}

/// The literal in the file's name becomes the target's word.
fn name_fix(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    station: &Station,
    effect: &Effect,
    copy: &Copy,
) -> Option<ProposedFix> {
    let stage = evaluation.stages.get(station.stage)?;
    let mut edits = EditSet::new();
    let mut keeps = None;
    for source in &copy.sources {
        for found in literal_words(&source.value) {
            let from = found.word.platforms.first()?;
            let same = cx
                .options
                .platforms
                .iter()
                .chain([from])
                .all(|p| found.word.counterparts(p).iter().any(|(_, word)| *word == p.arch()));
            let place = found.place?;
            if !same || !found.text.eq(from.arch()) || !effect.span.contains(place) {
                return None;
            }
            edits.insert(Edit { span: place, text: "${TARGETARCH}".to_owned() }).ok()?;
            keeps = Some(from.clone());
        }
    }
    let keeps = keeps?;
    let declare =
        edit::declare(cx.file, evaluation, stage, station.instruction, &["TARGETARCH"], false);
    if let Some(edit) = declare {
        edits.insert(edit).ok()?;
    }
    let title = "copy the target's file";
    let fix = if copy.from == CopyFrom::Context {
        ProposedFix::needs_look(title, edits)
            .because("whether the build context holds the other platforms' files is not known")
    } else {
        ProposedFix::safe(title, edits)
    };
    Some(fix.keeping(&keeps))
}

/// What the stage makes is made for the target.
pub(super) fn stage_fix(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    artifact: &Artifact,
) -> Option<ProposedFix> {
    let maker = artifact.way.first()?;
    let stage = evaluation.stages.get(maker.stage)?;
    if matches!(artifact.made, Made::Compiled { tool: Tool::Go, .. }) {
        return cross::go_fix(cx, evaluation, stage, "cross-compile for the target");
    }
    let root = root_stage(evaluation, stage);
    if root.platform.role != RunsOn::Build || shares_work(evaluation, root, maker.span) {
        return None;
    }
    let instruction = cx.file.instructions.get(root.from)?;
    let edit = edit::remove_flag(cx.file, instruction, "platform")?;
    let edits = EditSet::from_edits([edit]).ok()?;
    Some(
        ProposedFix::safe("run the stage on the target platform (emulated)", edits)
            .keeping(&evaluation.build_platform),
    )
}

/// Whether the stage was put on the build platform for a compiler that does cross-compile there.
fn shares_work(evaluation: &Evaluation, root: &Stage, maker: Span) -> bool {
    evaluation
        .stages
        .iter()
        .filter(|s| root_stage(evaluation, s).index == root.index)
        .flat_map(Stage::effects)
        .any(|(_, e)| {
            e.span != maker
                && matches!(&e.kind, EffectKind::Compile(c) if c.cross == mlint_model::Truth::Yes)
        })
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "wrong-arch-copy")
    }

    #[test]
    fn a_text_about_an_architecture_is_for_all() {
        harness().silent(
            r"
            FROM alpine:3.22
            COPY loongarch64-unknown-linux-musl.config /
            COPY aarch64.cmake x86_64.mk amd64.patch riscv64.toml s390x.json /etc/
            ",
        );
        harness().check(
            r"
            FROM alpine:3.22
            COPY app-arm64.config /srv/app.config
            COPY app-arm64 /srv/app
                 ^^^^^^^^^ error: wrong-arch-copy: /srv/app in the image for linux/amd64
            ",
        );
    }

    #[test]
    fn go_without_goarch() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /out/app .
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
                              ^^^^^^^^ error: wrong-arch-copy: /usr/local/bin/app in the image for linux/arm64 is for linux/amd64
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn go_gets_goos_and_goarch() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            WORKDIR /src
            COPY . .
            # static, for scratch
            RUN CGO_ENABLED=0 \
                go build -trimpath -o /out/app .
            FROM scratch
            COPY --from=build /out/app /app
            ",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            WORKDIR /src
            COPY . .
            ARG TARGETOS TARGETARCH
            # static, for scratch
            RUN CGO_ENABLED=0 \
                GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/app .
            FROM scratch
            COPY --from=build /out/app /app
            ",
        );
    }

    #[test]
    fn a_c_program_from_the_build_platform() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM gcc:12 AS build
            COPY hello.c /src/
            RUN gcc -O2 -o /hello /src/hello.c
            FROM debian:12
            COPY --from=build /hello /usr/local/bin/hello
            ",
            r"
            FROM gcc:12 AS build
            COPY hello.c /src/
            RUN gcc -O2 -o /hello /src/hello.c
            FROM debian:12
            COPY --from=build /hello /usr/local/bin/hello
            ",
        );
    }

    #[test]
    fn a_file_of_the_context_that_names_its_machine() {
        harness().check_unsafe_fix(
            r"
            FROM debian:12
            COPY bin/app-linux-amd64 /usr/local/bin/app
            ",
            r"
            FROM debian:12
            ARG TARGETARCH
            COPY bin/app-linux-${TARGETARCH} /usr/local/bin/app
            ",
        );
    }

    #[test]
    fn go_install_writes_elsewhere_when_it_crosses() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETARCH
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go install -v ./cmd/app
            FROM scratch
            COPY --from=build /go/bin/app /app
                              ^^^^^^^^^^^ error: wrong-arch-copy: the build for linux/arm64 fails: /go/bin/app is not there
            ",
        );
        assert_eq!(found[0].effect, mlint_lint::Effect::BuildFails);
        harness().silent(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETARCH
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go install ./cmd/app \
             && find /go/bin -type f -exec mv {} /go/bin/ ';'
            FROM scratch
            COPY --from=build /go/bin/app /app
            ",
        );
    }

    #[test]
    fn another_rule_s_matter_where_goarch_is_an_empty_argument() {
        harness().silent(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            WORKDIR /src
            COPY . .
            RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn silent_where_the_target_is_meant_or_the_output_runs_everywhere() {
        for text in [
            // Other rules' matter.
            r#"
            FROM --platform=$BUILDPLATFORM alpine:3.20 AS tools
            RUN wget -O /tool https://example.org/tool-$(uname -m)
            FROM alpine:3.20
            COPY --from=tools /tool /tool
            "#,
            r#"
            FROM --platform=$BUILDPLATFORM alpine:3.20 AS tools
            ARG BUILDARCH
            RUN wget -O /tool https://example.org/tool-$BUILDARCH
            FROM alpine:3.20
            ARG ARCH=amd64
            COPY bin/app-$ARCH /app
            COPY --from=tools /tool /tool
            "#,
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETOS TARGETARCH
            COPY . /src
            RUN cd /src && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app .
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
            r"
            FROM --platform=$BUILDPLATFORM maven:3-eclipse-temurin-21 AS build
            COPY . /src
            RUN cd /src && mvn -q package
            FROM eclipse-temurin:21-jre
            COPY --from=build /src/target/app.jar /app.jar
            ",
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && go build -o /out/app .
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
            "FROM debian:12\nARG TARGETARCH\nCOPY bin/app-linux-${TARGETARCH} /usr/local/bin/app\n",
            "FROM debian:12\nCOPY docs/amd64.md /usr/share/doc/\n",
        ] {
            harness().silent(text);
        }
    }
}
