//! `arch-variable-lost`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink};
use mlint_model::{Base, Evaluation, HopKind, LostVariable, Stage, Value};
use mlint_oci::arch::find_words;
use mlint_syntax::{Edit, EditSet, Instruction, InstructionKind, Span};

use crate::support::is_run;

mlint_lint::declare_rule! {
    /// A `RUN` works out the architecture and keeps it in a shell variable; a later `RUN` uses the
    /// variable. Each `RUN` is a shell of its own, so the variable is empty there: the URL lacks
    /// its architecture, or the compiler gets no target.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN ARCH=$(dpkg --print-architecture)
    /// RUN curl -fsSLO "https://example.org/tool-linux-${ARCH}.tgz"
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN ARCH=$(dpkg --print-architecture) && \
    ///     curl -fsSLO "https://example.org/tool-linux-${ARCH}.tgz"
    /// ```
    ///
    /// ## Silent
    ///
    /// - when an `ARG`, an `ENV` or the same `RUN` sets the variable as well;
    /// - where a default stands at the use (`${ARCH:-amd64}`);
    /// - for variables that have nothing to do with the platform.
    ///
    /// ## Fix
    ///
    /// Two `RUN` instructions that follow each other and are plain commands become one. It needs a
    /// look: what the first one installed was a layer of its own.
    pub struct ArchVariableLost {
        name: "arch-variable-lost",
        group: Values,
        summary: "A variable with the architecture is set in one RUN and used in another",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for ArchVariableLost {
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
    let mut lost = inherited(evaluation, stage);
    for step in &stage.steps {
        let mut told: Vec<&str> = Vec::new();
        for unset in &step.unset {
            let Some((from, variable)) = lost.iter().rev().find(|(_, l)| l.name == unset.name)
            else {
                continue;
            };
            if told.contains(&unset.name.as_str()) || !is_run(cx, step.instruction) {
                continue;
            }
            told.push(&unset.name);
            let name = unset.name.clone();
            let finding = Finding::new(unset.span, &evaluation.platform, move |on| {
                format!(
                    "{name} is empty here in the build for {on}: it was set in an earlier RUN, \
                     and each RUN is a shell of its own"
                )
            })
            .related(variable.span, format!("{} is set here, and gone with this RUN", unset.name))
            .help("set it in the RUN that uses it, or make one RUN of both");
            sink.report(finding.maybe_fix(merge(cx, *from, step.instruction)));
        }
        for variable in &step.lost {
            if tells_the_platform(variable) {
                lost.push((step.instruction, variable));
            }
        }
    }
}

/// What the stages that this one starts from lost.
fn inherited<'e>(evaluation: &'e Evaluation, stage: &Stage) -> Vec<(usize, &'e LostVariable)> {
    let Base::Stage(parent) = stage.base else { return Vec::new() };
    let Some(parent) = evaluation.stages.get(parent).filter(|p| p.index < stage.index) else {
        return Vec::new();
    };
    let mut lost = inherited(evaluation, parent);
    for step in &parent.steps {
        let own = step.lost.iter().filter(|v| tells_the_platform(v));
        lost.extend(own.map(|v| (step.instruction, v)));
    }
    lost
}

/// Whether the variable was about the platform: its text follows it, or is a word for it that was
/// chosen in a branch.
fn tells_the_platform(variable: &LostVariable) -> bool {
    let value: &Value = &variable.value;
    let chosen = || {
        let pieces = value.all_pieces();
        pieces.iter().any(|p| p.trail.hops().iter().any(|h| h.kind == HopKind::Guarded))
    };
    value.follows_platform()
        || (chosen() && value.as_known().is_some_and(|text| !find_words(&text).is_empty()))
}

/// One RUN of two that follow each other.
fn merge(cx: &Context<'_>, first: usize, second: usize) -> Option<ProposedFix> {
    if second != first + 1 {
        return None;
    }
    let (a, b) = (plain_script(cx, first)?, plain_script(cx, second)?);
    let between = cx.text(Span::new(a.end, b.start));
    let indent = "    ";
    // A comment between the two would end up inside the command.
    if between.contains('#') {
        return None;
    }
    let text = format!(" && \\{}{indent}", mlint_lint::edit::line_end(cx.file));
    let edit = Edit { span: Span::new(a.end, b.start), text };
    let edits = EditSet::from_edits([edit]).ok()?;
    Some(
        ProposedFix::needs_look("make one RUN of the two", edits)
            .because("what the first RUN does is no layer of its own any more"),
    )
}

/// Where the commands of a RUN stand, if they can be put into a list with others: shell form, no
/// flags, no here-document, nothing that ends or changes the shell.
fn plain_script(cx: &Context<'_>, instruction: usize) -> Option<Span> {
    let found: &Instruction = cx.file.instructions.get(instruction)?;
    if !matches!(found.kind, InstructionKind::Run(_)) || !found.flags.is_empty() {
        return None;
    }
    let script = found.shell_script()?;
    let text = script.text.as_str();
    let unfit = ["<<", "#", "\n", "||", "set +e"];
    let ends = text.trim_end();
    if unfit.iter().any(|u| text.contains(u)) || ends.ends_with([';', '&', '|', '\\']) {
        return None;
    }
    // `a; b` before `&&` would let b's status decide alone, as it did at the end of the RUN.
    let span = script.text.full_span();
    let written = cx.text(span);
    let kept = written.trim_end().len() as u32;
    Some(Span::new(span.start, span.start + kept))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-variable-lost")
    }

    #[test]
    fn set_in_one_run_used_in_the_next() {
        let found = harness().check(
            r#"
            FROM debian:12
            RUN ARCH=$(dpkg --print-architecture)
            RUN curl -fsSLO "https://example.org/tool-${ARCH}.tgz"
                                                      ^^^^^^^ error: arch-variable-lost: ARCH is empty here
            "#,
        );
        assert_eq!(found[0].platforms.len(), 2);
    }

    #[test]
    fn chosen_in_a_case_and_exported_in_vain() {
        harness().check(
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case $TARGETARCH in amd64) export T=x86_64 ;; arm64) export T=aarch64 ;; esac
            WORKDIR /x
            RUN echo one
            RUN curl -fsSLO https://example.org/$T.tgz
                                                ^^ error: arch-variable-lost
            "#,
        );
    }

    #[test]
    fn in_the_stage_that_it_starts_from() {
        harness().check(
            r#"
            FROM debian:12 AS base
            RUN A=$(uname -m)
            FROM base
            RUN curl -fsSLO https://example.org/$A.tgz
                                                ^^ error: arch-variable-lost
            "#,
        );
    }

    #[test]
    fn two_runs_become_one() {
        harness().check_unsafe_fix(
            r#"
            FROM debian:12
            RUN ARCH=$(dpkg --print-architecture)

            RUN curl -fsSLO "https://example.org/tool-${ARCH}.tgz"
            "#,
            r#"
            FROM debian:12
            RUN ARCH=$(dpkg --print-architecture) && \
                curl -fsSLO "https://example.org/tool-${ARCH}.tgz"
            "#,
        );
    }

    #[test]
    fn what_stands_between_stays() {
        harness().check_no_fix(
            r#"
            FROM debian:12
            RUN ARCH=$(dpkg --print-architecture)
            # the tool
            RUN curl -fsSLO "https://example.org/tool-${ARCH}.tgz"
            "#,
        );
    }

    #[test]
    fn silent_where_it_is_set_again_or_says_nothing_of_the_platform() {
        for text in [
            "FROM debian:12\nRUN A=$(uname -m)\nENV A=x\nRUN curl https://h/$A\n",
            "FROM debian:12\nRUN A=$(uname -m)\nRUN A=$(uname -m) && curl https://h/$A\n",
            "FROM debian:12\nRUN A=$(uname -m)\nRUN curl https://h/${A:-amd64}\n",
            "FROM debian:12\nRUN V=1.2\nRUN curl https://h/$V\n",
            "FROM debian:12\nRUN A=$(uname -m)\nRUN echo '$A'\n",
            "FROM debian:12\nARG A\nRUN A=$(uname -m)\nRUN curl https://h/$A\n",
        ] {
            harness().silent(text);
        }
    }
}
