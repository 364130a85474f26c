//! `constant-platform`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink, edit};
use mlint_model::{Evaluation, RunsOn, Stage};
use mlint_oci::Platform;
use mlint_syntax::EditSet;

use crate::support::{final_chain, is_bare_base, root_stage, wrong_from_stage};

mlint_lint::declare_rule! {
    /// A stage that the image is made of is tied to one platform with `FROM --platform=…`. The
    /// image for every other platform then holds that platform's files, while its configuration
    /// claims otherwise: it fails with "exec format error" where it runs.
    ///
    /// The stage that becomes the image needs no `--platform` at all: without it, it is built for
    /// each target. A stage that only makes something may run on a constant platform when what it
    /// makes runs everywhere; what it compiles does not.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=linux/amd64 debian:12
    /// RUN apt-get update && apt-get install -y --no-install-recommends nginx
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y --no-install-recommends nginx
    /// ```
    ///
    /// ## Silent
    ///
    /// - for a stage whose output is machine-independent (a jar, JavaScript, fonts) or unknown;
    /// - where BuildKit ignores the flag: the base is another stage, or scratch;
    /// - where the base holds no machine code (`distroless/static`) and nothing is run;
    /// - under `# mlint platform=linux/amd64: why`.
    ///
    /// ## Fix
    ///
    /// The flag is removed. Safe where the platform stands there as text: the build for that
    /// platform is unchanged. Where it comes from an argument, somebody may pass another: unsafe.
    pub struct ConstantPlatform {
        name: "constant-platform",
        group: Stages,
        summary: "A stage that the image is made of is tied to one platform",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Always,
    }
}

impl Rule for ConstantPlatform {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            let chain = final_chain(evaluation);
            for stage in evaluation.reachable() {
                let Some(constant) = constant(stage) else { continue };
                if *constant == evaluation.platform || is_bare_base(stage) {
                    continue;
                }
                if chain.contains(&stage.index) {
                    image_stage(cx, evaluation, stage, constant, sink);
                } else {
                    maker_stage(cx, evaluation, stage, constant, sink);
                }
            }
        }
    }
}

fn constant(stage: &Stage) -> Option<&Platform> {
    let platform = &stage.platform;
    (platform.role == RunsOn::Constant && !platform.ignored && platform.flag_span.is_some())
        .then_some(platform.platform.as_ref()?)
}

fn image_stage(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    constant: &Platform,
    sink: &mut Sink<'_>,
) {
    let Some(span) = stage.platform.flag_span else { return };
    let name = constant.to_string();
    let finding = Finding::new(span, &evaluation.platform, move |on| {
        format!("the image for {on} is made of {name} files: this stage is tied to {name}")
    })
    .help("remove --platform: without it the stage is built for each target");
    sink.report(finding.maybe_fix(remove_flag(cx, stage, constant)));
}

/// A stage whose files reach the image: only machine code matters.
fn maker_stage(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    constant: &Platform,
    sink: &mut Sink<'_>,
) {
    let Some(span) = stage.platform.flag_span else { return };
    let mut wrong = evaluation
        .stages
        .iter()
        .filter(|s| root_stage(evaluation, s).index == stage.index)
        .flat_map(|s| wrong_from_stage(evaluation, s.index))
        .filter(|a| crate::support::cause(evaluation, a) == crate::support::Cause::ConstantStage);
    let Some(artifact) = wrong.next() else { return };
    let (name, path) = (constant.to_string(), artifact.path.clone());
    let mut finding = Finding::new(span, &evaluation.platform, move |on| {
        format!(
            "{path} in the image for {on} is for {name}: the stage that makes it is tied to {name}"
        )
    })
    .help(
        "remove --platform, or build on $BUILDPLATFORM and cross-compile for $TARGETARCH; if the \
         stage is meant to be so, say it: `# mlint platform=… : why`",
    );
    for station in artifact.way.iter().skip(1).take(3) {
        finding = finding.related(station.span, format!("brings it to {}", station.path));
    }
    sink.report(finding.maybe_fix(remove_flag(cx, stage, constant)));
}

fn remove_flag(cx: &Context<'_>, stage: &Stage, constant: &Platform) -> Option<ProposedFix> {
    let instruction = cx.file.instructions.get(stage.from)?;
    let edit = edit::remove_flag(cx.file, instruction, "platform")?;
    let edits = EditSet::from_edits([edit]).ok()?;
    let title = "build the stage for each target";
    let direct = stage.platform.flag_span.is_some_and(|span| !cx.text(span).contains('$'));
    let fix = if direct {
        ProposedFix::safe(title, edits)
    } else {
        ProposedFix::needs_look(title, edits)
            .because("the platform comes from an argument, which somebody may pass on purpose")
    };
    Some(fix.keeping(constant))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "constant-platform")
    }

    #[test]
    fn the_final_stage() {
        let found = harness().check(
            r"
            FROM --platform=linux/amd64 debian:12
                 ^^^^^^^^^^^^^^^^^^^^^^ error: constant-platform: the image for linux/arm64
            RUN apt-get update
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn a_stage_that_the_final_one_starts_from() {
        harness().check(
            r"
            FROM --platform=linux/amd64 debian:12 AS base
                 ^^^^^^^^^^^^^^^^^^^^^^ error: constant-platform
            RUN apt-get update
            FROM base
            RUN apt-get install -y nginx
            ",
        );
    }

    #[test]
    fn a_stage_that_compiles_for_the_image() {
        harness().check(
            r"
            FROM --platform=linux/amd64 golang:1.23 AS build
                 ^^^^^^^^^^^^^^^^^^^^^^ error: constant-platform: /usr/local/bin/app in the image for linux/arm64 is for linux/amd64
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /out/app .
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
        );
    }

    #[test]
    fn the_flag_is_removed() {
        harness().check_fix(
            r"
            # the image
            FROM --platform=linux/amd64  debian:12  AS final
            RUN apt-get update
            ",
            r"
            # the image
            FROM debian:12  AS final
            RUN apt-get update
            ",
        );
    }

    #[test]
    fn an_argument_may_be_given_on_purpose() {
        harness().check_unsafe_fix(
            r"
            ARG PLATFORM=linux/amd64
            FROM --platform=$PLATFORM debian:12
            RUN apt-get update
            ",
            r"
            ARG PLATFORM=linux/amd64
            FROM debian:12
            RUN apt-get update
            ",
        );
    }

    #[test]
    fn silent_where_the_output_runs_everywhere() {
        for text in [
            r"
            FROM --platform=linux/amd64 maven:3-eclipse-temurin-21 AS build
            COPY . /src
            RUN cd /src && mvn -q package
            FROM eclipse-temurin:21-jre
            COPY --from=build /src/target/app.jar /app.jar
            ",
            r"
            FROM --platform=linux/amd64 node:20 AS build
            COPY . /src
            RUN cd /src && npm ci && npm run build
            FROM nginx:1.27
            COPY --from=build /src/dist /usr/share/nginx/html
            ",
            r"
            FROM --platform=linux/amd64 debian:12 AS fonts
            RUN apt-get update && apt-get install -y fonts-noto
            FROM debian:12
            COPY --from=fonts /usr/share/fonts /usr/share/fonts
            ",
            "FROM --platform=$TARGETPLATFORM debian:12\nRUN true\n",
            "FROM --platform=linux/amd64 scratch\nCOPY a /a\n",
            "# mlint platform=linux/amd64: x86 only appliance\nFROM --platform=linux/amd64 debian:12\nRUN true\n",
        ] {
            harness().silent(text);
        }
    }
}
