//! `ignored-stage-platform`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit};
use mlint_model::{Base, Evaluation, Stage};
use mlint_syntax::EditSet;

mlint_lint::declare_rule! {
    /// `FROM --platform=… name` where `name` is a stage of the same file: the builder ignores the
    /// flag, and the stage runs on its parent's platform. Whoever reads the line believes
    /// otherwise.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12 AS base
    /// RUN apt-get update
    /// FROM --platform=$BUILDPLATFORM base AS build
    /// RUN make
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12 AS base
    /// RUN apt-get update
    /// FROM base AS build
    /// RUN make
    /// ```
    ///
    /// ## Silent
    ///
    /// - where the flag says what the parent's says anyway;
    /// - for `scratch`, which holds nothing that could be of a platform.
    ///
    /// ## Fix
    ///
    /// The flag is removed. Safe: the builder never looked at it. If the other platform was meant,
    /// the flag belongs on the parent.
    ///
    /// ## Proof
    ///
    /// None by a build: the images are the same before and after: what is ignored shows in none of
    /// them.
    pub struct IgnoredStagePlatform {
        name: "ignored-stage-platform",
        group: Stages,
        summary: "--platform on a FROM that names a stage is ignored",
        severity: Warning,
        confidence: High,
        effect: Latent,
        needs_image_facts: false,
        fixes: Always,
    }
}

impl Rule for IgnoredStagePlatform {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                check_stage(cx, evaluation, stage, sink);
            }
        }
    }
}

fn check_stage(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage, sink: &mut Sink<'_>) {
    let Base::Stage(parent) = stage.base else { return };
    let (Some(span), Some(flag)) = (stage.platform.flag_span, &stage.platform.flag) else { return };
    let Some(parent) = evaluation.stages.get(parent) else { return };
    let wanted = flag.as_known().and_then(|text| text.parse::<mlint_oci::Platform>().ok());
    if wanted.is_none() || wanted == parent.platform.platform {
        return;
    }
    let runs_on = parent.platform.platform.as_ref().map_or("?".to_owned(), ToString::to_string);
    let name = parent.name.clone().unwrap_or_else(|| format!("stage {}", parent.index));
    let finding = Finding::new(span, &evaluation.platform, move |on| {
        format!(
            "this --platform is ignored in the build for {on}: '{name}' is a stage, and what \
             starts from it runs on {runs_on} as it does"
        )
    })
    .related(parent.span, "the stage that decides")
    .help("remove it, or put it on the FROM of the stage that decides");
    let finding = match stage.runs_commands() {
        true => finding,
        false => finding.severity(Severity::Note),
    };
    sink.report(finding.maybe_fix(remove(cx, stage)));
}

fn remove(cx: &Context<'_>, stage: &Stage) -> Option<ProposedFix> {
    let instruction = cx.file.instructions.get(stage.from)?;
    let edit = edit::remove_flag(cx.file, instruction, "platform")?;
    let edits = EditSet::from_edits([edit]).ok()?;
    Some(ProposedFix::safe("remove the flag that is ignored", edits))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "ignored-stage-platform")
    }

    #[test]
    fn on_a_stage() {
        let found = harness().check(
            r"
            FROM debian:12 AS base
            RUN apt-get update
            FROM --platform=$BUILDPLATFORM base
                 ^^^^^^^^^^^^^^^^^^^^^^^^^ warning: ignored-stage-platform: 'base' is a stage
            RUN make
            ",
        );
        assert_eq!(found[0].platforms.len(), 1, "on the build platform it makes no difference");
    }

    #[test]
    fn the_flag_goes() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS base
            FROM --platform=linux/arm64 base AS other
            RUN true
            FROM scratch
            COPY --from=other /etc/hostname /
            ",
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS base
            FROM base AS other
            RUN true
            FROM scratch
            COPY --from=other /etc/hostname /
            ",
        );
    }

    #[test]
    fn silent_where_it_says_the_same() {
        for text in [
            "FROM --platform=$BUILDPLATFORM debian:12 AS a\nFROM --platform=$BUILDPLATFORM a\nRUN true\n",
            "FROM debian:12 AS a\nFROM --platform=$TARGETPLATFORM a\nRUN true\n",
            "FROM --platform=$BUILDPLATFORM scratch\nCOPY a /a\n",
            "FROM --platform=$BUILDPLATFORM debian:12\nRUN true\n",
        ] {
            harness().silent(text);
        }
    }
}
