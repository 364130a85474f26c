//! `final-stage-on-build-platform`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink, edit};
use mlint_model::{CopyFrom, EffectKind, Evaluation, RunsOn, Stage};
use mlint_syntax::{EditSet, InstructionKind};

use crate::support::{final_chain, image_is_made_by, is_bare_base, root_stage};

mlint_lint::declare_rule! {
    /// The stage that becomes the image, or the one that it starts from, runs on the platform that
    /// the build runs on (`FROM --platform=$BUILDPLATFORM`). The images for all other platforms
    /// then hold that machine's files. It is worse than a constant platform: what is in the image
    /// depends on whose machine built it.
    ///
    /// `$BUILDPLATFORM` belongs on stages that make something, not on the one that is shipped.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM node:20
    /// WORKDIR /app
    /// COPY . .
    /// RUN npm ci
    /// CMD ["node", "server.js"]
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM node:20
    /// WORKDIR /app
    /// COPY . .
    /// RUN npm ci
    /// CMD ["node", "server.js"]
    /// ```
    ///
    /// ## Silent
    ///
    /// - where BuildKit ignores the flag: the base is another stage, or scratch;
    /// - where the base holds no machine code (`distroless/static`) and nothing is run;
    /// - where the stage only checks, whatever tools it installs first: its last instruction sees the
    ///   sources through `RUN --mount=type=bind` and leaves nothing that is known, none of the
    ///   sources is copied, and nothing says what to start;
    /// - for another target that is no image to run (`--target` names a stage that tests): say so
    ///   with `# mlint ignore=final-stage-on-build-platform: why`.
    ///
    /// ## Fix
    ///
    /// The flag is removed. Safe: the build for the build platform is unchanged.
    pub struct FinalStageOnBuildPlatform {
        name: "final-stage-on-build-platform",
        group: Stages,
        summary: "The image is made of a stage on the platform that the build runs on",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Always,
    }
}

impl Rule for FinalStageOnBuildPlatform {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            let Some(image) = evaluation.final_stage() else { continue };
            let stage = root_stage(evaluation, image);
            let role = &stage.platform;
            if role.role != RunsOn::Build
                || role.ignored
                || is_bare_base(stage)
                || evaluation.platform == evaluation.build_platform
                || only_checks(cx, evaluation)
            {
                continue;
            }
            let Some(span) = role.flag_span else { continue };
            let build = evaluation.build_platform.to_string();
            let mut finding = Finding::new(span, &evaluation.platform, move |on| {
                format!(
                    "the image for {on} is made of files for the build platform (here {build}): \
                     this stage is shipped, not just used to make something"
                )
            })
            .help("remove --platform: without it the stage is built for each target");
            if stage.index != image.index {
                finding = finding.related(image.span, "the image starts from it");
            }
            let fix = cx
                .file
                .instructions
                .get(stage.from)
                .and_then(|from| edit::remove_flag(cx.file, from, "platform"))
                .and_then(|edit| EditSet::from_edits([edit]).ok())
                .map(|edits| {
                    ProposedFix::safe("build the stage for each target", edits)
                        .keeping(&evaluation.build_platform)
                });
            sink.report(finding.maybe_fix(fix));
        }
    }
}

/// Whether the image is nothing to ship, as that of a stage for a linter: its last instruction looks
/// at files of the context that are mounted, and leaves nothing that is known; none of them is
/// copied, and nothing says what to start.
fn only_checks(cx: &Context<'_>, evaluation: &Evaluation) -> bool {
    let chain = final_chain(evaluation);
    let stages = || chain.iter().filter_map(|i| evaluation.stages.get(*i));
    // `FROM lint` as the last line: the stage that it starts from has the last instruction.
    let has_some = |stage: &&Stage| stage.from + 1 < edit::end_of(cx.file, stage);
    let Some(last) = stages().find(has_some).and_then(|stage| {
        let last = edit::end_of(cx.file, stage).checked_sub(1)?;
        stage.steps.iter().find(|step| step.instruction == last)
    }) else {
        return false;
    };
    let looks = last.effects.iter().any(|effect| {
        matches!(&effect.kind, EffectKind::BindMount { from: CopyFrom::Context, .. })
    });
    let makes = last.effects.iter().any(|effect| match &effect.kind {
        EffectKind::Install(_) | EffectKind::Download(_) | EffectKind::Copy(_) => true,
        EffectKind::Compile(compile) => !compile.outputs.is_empty(),
        _ => false,
    });
    let brings = stages().flat_map(Stage::effects).any(|(_, effect)| {
        matches!(&effect.kind, EffectKind::Copy(copy) if copy.from == CopyFrom::Context)
    });
    let is_plain = image_is_made_by(cx, evaluation, |kind| {
        matches!(
            kind,
            InstructionKind::Run(_)
                | InstructionKind::Copy { .. }
                | InstructionKind::Add { .. }
                | InstructionKind::Arg(_)
                | InstructionKind::Env(_)
                | InstructionKind::Label(_)
                | InstructionKind::Shell(_)
                | InstructionKind::User(_)
                | InstructionKind::Workdir(_)
        )
    });
    looks && !makes && !brings && is_plain
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "final-stage-on-build-platform")
    }

    #[test]
    fn the_final_stage_and_its_parents() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM node:20 AS base
                 ^^^^^^^^^^^^^^^^^^^^^^^^^ error: final-stage-on-build-platform: the image for linux/arm64
            RUN npm ci
            FROM base
            CMD node server.js
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn the_flag_is_removed() {
        harness().check_fix(
            "FROM --platform=${BUILDPLATFORM} node:20 AS app\nRUN npm ci\n",
            "FROM node:20 AS app\nRUN npm ci\n",
        );
    }

    #[test]
    fn silent_where_it_only_checks() {
        harness().silent(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS lint
            WORKDIR /src
            RUN --mount=type=bind,target=. go vet ./...
            ",
        );
        // Tools of its own.
        harness().silent(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS base
            RUN apk add --no-cache git
            FROM base AS lint
            COPY --from=example.org/linter:1 /linter /usr/bin/
            RUN --mount=target=/src cd /src && linter run
            FROM lint
            ",
        );
        for more in [
            "CMD [\"app\"]",
            "COPY . /app",
            "RUN apt-get update && apt-get install -y curl",
            "RUN --mount=type=bind,target=/src cd /src && go build -o /usr/local/bin/app .",
        ] {
            let text = format!(
                "FROM --platform=$BUILDPLATFORM golang:1.26\nWORKDIR /src\n\
                 RUN --mount=type=bind,target=. go vet ./...\n{more}\n"
            );
            assert_eq!(harness().report(&text).diagnostics.len(), 1, "{more}");
        }
    }

    #[test]
    fn silent_where_it_only_makes_something_or_is_ignored() {
        for text in [
            r"
            FROM --platform=$BUILDPLATFORM node:20 AS build
            RUN npm ci && npm run build
            FROM nginx:1.27
            COPY --from=build /dist /usr/share/nginx/html
            ",
            "FROM debian:12 AS base\nRUN true\nFROM --platform=$BUILDPLATFORM base\nRUN true\n",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETARCH
            RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .
            FROM --platform=$BUILDPLATFORM gcr.io/distroless/static-debian12:nonroot
            COPY --from=build /app /app
            ",
            "FROM --platform=$BUILDPLATFORM scratch\nCOPY a /a\n",
            "FROM --platform=$TARGETPLATFORM debian:12\nRUN true\n",
        ] {
            harness().silent(text);
        }
    }
}
