//! `redundant-target-platform`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink, edit};
use mlint_model::{Base, Evaluation, Origin, Stage, Value};
use mlint_oci::arch::find_words;
use mlint_syntax::EditSet;

mlint_lint::declare_rule! {
    /// `FROM --platform=$TARGETPLATFORM` says what holds without it: a stage is made for the target
    /// unless it says otherwise.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=$TARGETPLATFORM debian:12
    /// RUN apt-get update
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update
    /// ```
    ///
    /// ## Silent
    ///
    /// - for any other value, also one that comes out the same on some platform;
    /// - where the value is built from more than the target's own words.
    ///
    /// ## Fix
    ///
    /// The flag is removed. Safe.
    ///
    /// ## Proof
    ///
    /// None by a build: the images are the same before and after.
    pub struct RedundantTargetPlatform {
        name: "redundant-target-platform",
        group: Stages,
        summary: "--platform=$TARGETPLATFORM is what holds anyway",
        severity: Note,
        confidence: High,
        effect: Latent,
        needs_image_facts: false,
        fixes: Always,
    }
}

impl Rule for RedundantTargetPlatform {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        let Some(first) = cx.evaluations.first() else { return };
        for stage in first.reachable() {
            // Redundant is what is so on every platform.
            let everywhere = cx.evaluations.iter().all(|e| {
                e.stages.get(stage.index).is_some_and(|s| !s.reachable || says_target(e, s))
            });
            let Some(span) = stage.platform.flag_span.filter(|_| everywhere) else { continue };
            for evaluation in cx.evaluations {
                let finding = Finding::new(span, &evaluation.platform, |_| {
                    "a stage is made for the target without this flag, too".to_owned()
                })
                .help("remove it");
                sink.report(finding.maybe_fix(remove(cx, stage)));
            }
        }
    }
}

fn says_target(evaluation: &Evaluation, stage: &Stage) -> bool {
    let Some(flag) = &stage.platform.flag else { return false };
    matches!(stage.base, Base::Image { .. })
        && flag.is(&evaluation.platform.to_string())
        && is_targets(flag)
}

/// `$TARGETPLATFORM`, or `linux/$TARGETARCH` and the like: every word that tells the architecture
/// is the target's.
fn is_targets(flag: &Value) -> bool {
    let pieces = flag.pieces();
    pieces.iter().any(|p| matches!(p.origin, Origin::Target(_)))
        && pieces.iter().all(|p| match p.origin {
            Origin::Target(_) => true,
            Origin::Literal => p.text().is_some_and(|text| find_words(text).is_empty()),
            _ => false,
        })
}

fn remove(cx: &Context<'_>, stage: &Stage) -> Option<ProposedFix> {
    let instruction = cx.file.instructions.get(stage.from)?;
    let edit = edit::remove_flag(cx.file, instruction, "platform")?;
    let edits = EditSet::from_edits([edit]).ok()?;
    Some(ProposedFix::safe("remove the flag that says nothing", edits))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "redundant-target-platform")
    }

    #[test]
    fn the_target_platform() {
        harness().check(
            r"
            FROM --platform=$TARGETPLATFORM debian:12 AS a
                 ^^^^^^^^^^^^^^^^^^^^^^^^^^ note: redundant-target-platform
            RUN true
            FROM --platform=linux/${TARGETARCH} debian:12
                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ note: redundant-target-platform
            COPY --from=a /a /a
            ",
        );
    }

    #[test]
    fn the_flag_goes() {
        harness().check_fix(
            "FROM --platform=$TARGETPLATFORM debian:12 AS final\nRUN true\n",
            "FROM debian:12 AS final\nRUN true\n",
        );
    }

    #[test]
    fn silent_where_it_says_something() {
        for text in [
            "FROM --platform=$BUILDPLATFORM debian:12\nRUN true\n",
            "FROM --platform=linux/amd64 debian:12\nRUN true\n",
            "ARG P=$TARGETPLATFORM\nARG Q=linux/amd64\nFROM --platform=$Q debian:12\nRUN true\n",
            "FROM debian:12 AS a\nFROM --platform=$TARGETPLATFORM a\nRUN true\n",
            "FROM --platform=$TARGETPLATFORM scratch\nCOPY a /a\n",
        ] {
            harness().silent(text);
        }
    }
}
