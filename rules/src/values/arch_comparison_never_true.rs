//! `arch-comparison-never-true`

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink,
};
use mlint_model::{Branch, Comparison, Evaluation, Question, Stage, Step, Truth};
use mlint_syntax::{Edit, EditSet};

use super::incomplete_arch_case::{empty_uses, uses_of_rest};
use crate::words::{Dead, dead};

mlint_lint::declare_rule! {
    /// A script compares what tells the architecture with a word that it never says. The branch
    /// that was written for a platform is then never taken there.
    ///
    /// Everybody has words of their own: `uname -m` says `x86_64` and `aarch64`, `dpkg
    /// --print-architecture` and `TARGETARCH` say `amd64` and `arm64`, and `TARGETPLATFORM` says
    /// `linux/arm64`, never `linux/arm64/v8`: the builder leaves out a variant that goes without
    /// saying.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETPLATFORM
    /// RUN if [ "$TARGETPLATFORM" = "linux/arm64/v8" ]; then arch=aarch64; else arch=x86_64; fi; \
    ///     curl -fsSLo /usr/local/bin/tool "https://example.org/tool-$arch"
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETPLATFORM
    /// RUN if [ "$TARGETPLATFORM" = "linux/arm64" ]; then arch=aarch64; else arch=x86_64; fi; \
    ///     curl -fsSLo /usr/local/bin/tool "https://example.org/tool-$arch"
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the same script also asks in the right words (`x86_64|amd64)`);
    /// - for platforms that the image is not made for;
    /// - for patterns, and for texts that went through `sed` or the like;
    /// - for the 32-bit answers of `uname -m`, which depend on the machine under the container.
    ///
    /// It is an error where the build then stops or takes another platform's file, else a warning.
    ///
    /// ## Fix
    ///
    /// The word becomes the one that is said on that platform. Safe if the other platforms do what
    /// they did before.
    pub struct ArchComparisonNeverTrue {
        name: "arch-comparison-never-true",
        group: Values,
        summary: "The architecture is compared with a word that is never said",
        severity: Warning,
        confidence: High,
        effect: Latent,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for ArchComparisonNeverTrue {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                for step in &stage.steps {
                    for question in &step.questions {
                        check_question(cx, evaluation, stage, step, question, sink);
                    }
                }
            }
        }
    }
}

fn check_question(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    step: &Step,
    question: &Question,
    sink: &mut Sink<'_>,
) {
    for comparison in &question.comparisons {
        let Some(found) = dead(evaluation, stage, comparison) else { continue };
        // A script of the context is called here and stands elsewhere.
        let is_here = cx.text(comparison.operand.span).contains(&found.written);
        if is_here && !is_covered(step, comparison) {
            report(cx, evaluation, step, question, comparison, &found, sink);
        }
    }
}

/// Whether the same script asks in other words too, and gets an answer.
pub(super) fn is_covered(step: &Step, comparison: &Comparison) -> bool {
    let same = |c: &Comparison| c.subject.value.as_known() == comparison.subject.value.as_known();
    step.questions.iter().flat_map(|q| &q.comparisons).any(|c| same(c) && c.equal != Truth::No)
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    step: &Step,
    question: &Question,
    comparison: &Comparison,
    found: &Dead<'_>,
    sink: &mut Sink<'_>,
) {
    let (by, answer) = (found.told.by.clone(), found.answer.clone());
    let written = found.written.clone();
    let mut finding = Finding::new(comparison.operand.span, &evaluation.platform, move |on| {
        format!(
            "{by} is '{answer}' in the build for {on}, never '{written}': what was written for \
             that platform is not done"
        )
    })
    .label("never true")
    .related(comparison.subject.span, format!("{} tells the architecture here", found.told.by))
    .help(format!("compare with '{}'", found.answer));
    finding = match question.branch {
        Branch::Otherwise(span) => finding.related(span, "this is done instead"),
        _ => finding,
    };
    let stops = step.failure.is_some() || !empty_uses(cx, step, question).is_empty();
    if stops {
        finding = finding.severity(Severity::Error).effect(Harm::BuildFails);
    } else if !uses_of_rest(evaluation, step, question).is_empty() {
        finding = finding.severity(Severity::Error).effect(Harm::WrongBinary);
    } else if question.branch == Branch::Unknown {
        finding = finding.confidence(Confidence::Medium);
    }
    sink.report(finding.maybe_fix(fix(comparison, found)));
}

/// The word becomes the one that is said.
fn fix(comparison: &Comparison, found: &Dead<'_>) -> Option<ProposedFix> {
    let [piece] = comparison.operand.value.pieces() else { return None };
    let source = piece.source.as_ref().filter(|s| s.as_str() == found.written)?;
    let [span] = <[_; 1]>::try_from(source.pieces(0, source.len())).ok()?;
    if !piece.trail.is_empty() {
        return None;
    }
    let edits = EditSet::from_edits([Edit { span, text: found.answer.clone() }]).ok()?;
    Some(ProposedFix::safe(format!("compare with '{}'", found.answer), edits))
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Effect, testing::Harness};

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-comparison-never-true")
    }

    #[test]
    fn a_variant_that_goes_without_saying() {
        let found = harness().check(
            r#"
            FROM debian:12
            ARG TARGETPLATFORM
            RUN if [ "$TARGETPLATFORM" = "linux/arm64/v8" ]; then A=aarch64; else A=x86_64; fi; curl -fsSLO https://example.org/$A
                                         ^^^^^^^^^^^^^^^^ error: arch-comparison-never-true: TARGETPLATFORM is 'linux/arm64' in the build for linux/arm64, never 'linux/arm64/v8'
            "#,
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn the_words_of_another_tool() {
        let found = harness().check(
            r#"
            FROM debian:12
            RUN case "$(dpkg --print-architecture)" in \
                  x86_64) A=x64 ;; \
                  ^^^^^^ error: arch-comparison-never-true: dpkg --print-architecture is 'amd64' in the build for linux/amd64
                  aarch64) A=arm64 ;; \
                  ^^^^^^^ error: arch-comparison-never-true: in the build for linux/arm64
                  *) echo unsupported >&2; exit 1 ;; \
                esac; curl -fsSLO https://example.org/tool-$A
            "#,
        );
        assert!(found.iter().all(|d| d.effect == Effect::BuildFails));
        harness().check(
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN if [ "$(uname -m)" = arm64 ]; then echo 1 > /a; fi; [ "$TARGETARCH" = x86_64 ] && echo 2 > /b; true
                                     ^^^^^ warning: arch-comparison-never-true
                                                                                      ^^^^^^ warning: arch-comparison-never-true
            "#,
        );
        harness().check(
            r#"
            FROM fedora:40
            SHELL ["/bin/bash", "-c"]
            RUN if [[ $(uname -m) != amd64 ]]; then dnf install -y qemu-user; fi
                                     ^^^^^ warning: arch-comparison-never-true: uname -m is 'x86_64'
            "#,
        );
    }

    #[test]
    fn the_right_word_is_put_there() {
        harness().check_fix(
            r#"
            FROM debian:12
            ARG TARGETPLATFORM
            RUN if [ "$TARGETPLATFORM" = "linux/arm64/v8" ]; then A=aarch64; else A=x86_64; fi; \
                curl -fsSLo /tool "https://example.org/tool-$A"
            "#,
            r#"
            FROM debian:12
            ARG TARGETPLATFORM
            RUN if [ "$TARGETPLATFORM" = "linux/arm64" ]; then A=aarch64; else A=x86_64; fi; \
                curl -fsSLo /tool "https://example.org/tool-$A"
            "#,
        );
    }

    #[test]
    fn silent_where_it_may_be_true_or_is_asked_in_other_words_too() {
        for text in [
            "FROM debian:12\nRUN case $(uname -m) in x86_64|amd64) A=1 ;; aarch64|arm64) A=2 ;; esac; echo $A > /a\n",
            "FROM debian:12\nARG TARGETARCH\nRUN if [ $TARGETARCH = arm ]; then A=1; elif [ $TARGETARCH = amd64 ]; then A=2; else A=3; fi; echo $A > /a\n",
            "FROM debian:12\nRUN if [ $(uname -m) = arm64 ] || [ $(uname -m) = aarch64 ]; then echo 1 > /a; fi\n",
            "FROM debian:12\nARG TARGETPLATFORM\nRUN case $TARGETPLATFORM in linux/arm64|linux/arm64/v8) A=1 ;; *) A=2 ;; esac; echo $A > /a\n",
            "FROM debian:12\nRUN A=$(uname -m | sed s/x86_64/amd64/); if [ $A = amd64 ]; then echo 1 > /a; fi\n",
            "FROM debian:12\nARG ARCH\nRUN if [ \"$ARCH\" = x86_64 ]; then echo 1 > /a; fi\n",
            "FROM debian:12\nARG TARGETPLATFORM\nRUN if [ $TARGETPLATFORM = linux/arm/v6 ]; then echo 1 > /a; fi\n",
        ] {
            harness().silent(text);
        }
        let text = "FROM debian:12\nRUN if [ $(uname -m) = armhf ]; then echo 1 > /a; fi\n";
        harness().platforms(&["linux/amd64", "linux/arm/v7"]).silent(text);
        // Alpine's word for the other ARM.
        let text =
            "FROM alpine:3.20\nRUN if [ $(apk --print-arch) = armhf ]; then echo 1 > /a; fi\n";
        harness().platforms(&["linux/amd64", "linux/arm/v7"]).silent(text);
        let text = "FROM debian:12\nARG TARGETPLATFORM\nRUN if [ $TARGETPLATFORM = linux/arm/v6 ]; then echo 1 > /a; fi\n";
        harness().platforms(&["linux/amd64", "linux/arm/v7"]).silent(text);
    }
}
