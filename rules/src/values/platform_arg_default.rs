//! `platform-arg-default`

use mlint_lint::{Confidence, Context, Effect, Finding, Meta, ProposedFix, Rule, Severity, Sink};
use mlint_model::{EffectKind, Evaluation, RunsOn, Value};
use mlint_oci::Platform;
use mlint_syntax::{Edit, EditSet, InstructionKind, KeyValue, Span};

use crate::{
    automatic,
    support::{comes_from_build_arg, root_stage},
};

mlint_lint::declare_rule! {
    /// A platform argument (`TARGETARCH`, `TARGETPLATFORM`, `BUILDARCH`, …) is declared with a
    /// default of its own. BuildKit then takes the default and not the value it would fill in: on
    /// every platform the argument says what the default says, while the image's configuration
    /// still claims the right platform. A bare `ARG TARGETARCH` is all that is needed.
    ///
    /// The same happens when the default stands before the first `FROM` and a stage lets it in
    /// with a bare `ARG TARGETARCH`, and with `ARG TARGETARCH=${TARGETARCH:-amd64}` as the first
    /// declaration in a stage, where the name is still unset.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH=amd64
    /// ADD https://example.org/tool-linux-${TARGETARCH} /usr/local/bin/tool
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
    /// - when the default is what the platform has anyway, as in `ARG TARGETOS=linux`;
    /// - for `ARG TARGETARCH=${TARGETARCH:-amd64}` before the first `FROM`, or after a bare
    ///   declaration: there the value is filled in;
    /// - when the value was given with `--build-arg`;
    /// - in a stage whose own platform is the same constant, and for a default before the first
    ///   `FROM` that nothing uses.
    ///
    /// ## Fix
    ///
    /// The default is dropped. Safe: where the default was right, BuildKit fills in the same.
    pub struct PlatformArgDefault {
        name: "platform-arg-default",
        group: Values,
        summary: "A platform argument has a default, which wins over the value that the builder fills in",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for PlatformArgDefault {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            check_globals(cx, evaluation, sink);
            check_stages(cx, evaluation, sink);
        }
    }
}

/// Defaults before the first FROM that a FROM line uses.
fn check_globals(cx: &Context<'_>, evaluation: &Evaluation, sink: &mut Sink<'_>) {
    for global in &evaluation.globals {
        let Some(value) = &global.value else { continue };
        let Some(wrong) = wrong_value(&global.name, value, evaluation) else { continue };
        let user = evaluation.reachable().find_map(|stage| {
            let from = cx.file.instructions.get(stage.from)?;
            expands(cx.text(from.span), &global.name).then_some(from.span)
        });
        if let Some(user) = user {
            report(cx, evaluation, sink, global.span, &global.name, wrong, user, true);
        }
    }
}

/// Whether a text holds `$NAME` or `${NAME…}`.
fn expands(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        ends && (before.ends_with('$') || before.ends_with("${"))
    })
}

fn check_stages(cx: &Context<'_>, evaluation: &Evaluation, sink: &mut Sink<'_>) {
    for (stage, step, effect) in evaluation.effects() {
        let EffectKind::SetEnv { name, value, kept: false } = &effect.kind else { continue };
        let Some(wrong) = wrong_value(name, value, evaluation) else { continue };
        let root = root_stage(evaluation, stage);
        if root.platform.role == RunsOn::Constant && root.platform.platform.is_some() {
            continue;
        }
        let Some(pair) = pair_of(cx, step.instruction, name) else { continue };
        // A bare declaration lets in the default from before the first FROM.
        let place = match &pair.value {
            Some(_) => Some(pair.span),
            None => evaluation.globals.iter().find(|g| g.name == *name).map(|g| g.span),
        };
        let Some(place) = place else { continue };
        let used = is_used_after(cx, step.span.end, name);
        report(cx, evaluation, sink, place, name, wrong, pair.span, used);
    }
}

/// The value that the argument has, where it is known and another than the builder would fill in.
fn wrong_value(name: &str, value: &Value, evaluation: &Evaluation) -> Option<String> {
    let right = automatic::value(name, evaluation)?;
    if comes_from_build_arg(value) {
        return None;
    }
    let text = value.as_known()?.into_owned();
    (text != right).then_some(text)
}

/// Whether the text after `offset` names the argument outside of its declarations.
fn is_used_after(cx: &Context<'_>, offset: u32, name: &str) -> bool {
    cx.file
        .instructions
        .iter()
        .filter(|i| i.span.start >= offset && !matches!(i.kind, InstructionKind::Arg(_)))
        .any(|i| cx.text(i.span).contains(name))
}

fn pair_of<'c>(cx: &Context<'c>, instruction: usize, name: &str) -> Option<&'c KeyValue> {
    match &cx.file.instructions.get(instruction)?.kind {
        InstructionKind::Arg(pairs) => pairs.iter().rev().find(|p| p.key.as_str() == name),
        _ => None,
    }
}

#[expect(clippy::too_many_arguments, reason = "one finding, taken apart")]
fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    sink: &mut Sink<'_>,
    place: Span,
    name: &str,
    wrong: String,
    user: Span,
    used: bool,
) {
    let said = if wrong.is_empty() { "empty".to_owned() } else { format!("'{wrong}'") };
    let (said, title_name) = (said, name.to_owned());
    let owned = name.to_owned();
    let mut finding = Finding::new(place, &evaluation.platform, move |on| {
        format!(
            "{owned} is {said} in the build for {on} as well: the default wins over the value that \
             the builder fills in"
        )
    })
    .label("this default wins")
    .related(user, "here the stage takes it")
    .help(format!("declare it bare, `ARG {name}`: the builder fills in the value"));
    if name.starts_with("BUILD") {
        finding = finding.severity(Severity::Advice).effect(Effect::Emulated);
    } else if !used {
        // Every RUN gets it in its environment all the same.
        finding = finding.severity(Severity::Note).confidence(Confidence::Low);
    }
    let fix = drop_default(cx, place).map(|edits| {
        let fix = ProposedFix::safe(format!("drop the default of {title_name}"), edits);
        match wrong.parse::<Platform>() {
            Ok(platform) if name.starts_with("TARGET") => fix.keeping(&platform),
            _ => fix,
        }
    });
    sink.report(finding.maybe_fix(fix));
}

fn drop_default(cx: &Context<'_>, place: Span) -> Option<EditSet> {
    let (_, instruction) = cx.instruction_at(place.start)?;
    let InstructionKind::Arg(pairs) = &instruction.kind else { return None };
    let pair = pairs.iter().find(|p| p.span == place)?;
    let span = Span::new(pair.key.span().end, pair.span.end);
    EditSet::from_edits([Edit { span, text: String::new() }]).ok().filter(|_| !span.is_empty())
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "platform-arg-default")
    }

    #[test]
    fn a_default_in_a_stage() {
        let found = harness().check(
            r"
            FROM debian:12
            ARG TARGETARCH=amd64
                ^^^^^^^^^^^^^^^^ error: platform-arg-default: 'amd64' in the build for linux/arm64
            ADD https://example.org/tool-${TARGETARCH} /usr/local/bin/tool
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn the_default_is_dropped_and_nothing_else() {
        harness().check_fix(
            r#"
            FROM debian:12
            # the machine
            ARG VERSION=1 TARGETARCH="amd64"  TARGETOS=linux
            ADD https://example.org/${VERSION}/tool-${TARGETARCH} /usr/local/bin/tool
            "#,
            r"
            FROM debian:12
            # the machine
            ARG VERSION=1 TARGETARCH  TARGETOS=linux
            ADD https://example.org/${VERSION}/tool-${TARGETARCH} /usr/local/bin/tool
            ",
        );
    }

    #[test]
    fn a_default_before_the_first_from() {
        harness().check(
            r"
            ARG TARGETARCH=amd64
                ^^^^^^^^^^^^^^^^ error: platform-arg-default
            FROM debian:12
            ARG TARGETARCH
            ADD https://example.org/tool-${TARGETARCH} /usr/local/bin/tool
            ",
        );
        harness().check(
            r"
            ARG TARGETARCH=amd64
                ^^^^^^^^^^^^^^^^ error: platform-arg-default
            FROM debian:12 AS base-amd64
            FROM debian:12 AS base-arm64
            FROM base-${TARGETARCH}
            ",
        );
    }

    #[test]
    fn the_self_reference_is_wrong_in_a_stage_only() {
        harness().check(
            r"
            FROM debian:12
            ARG TARGETARCH=${TARGETARCH:-amd64}
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: platform-arg-default
            ADD https://example.org/tool-${TARGETARCH} /usr/local/bin/tool
            ",
        );
        harness().silent(
            r"
            ARG TARGETARCH=${TARGETARCH:-amd64}
            FROM debian:12
            ARG TARGETARCH
            ADD https://example.org/tool-${TARGETARCH} /usr/local/bin/tool
            ",
        );
        harness().silent(
            r"
            FROM debian:12
            ARG TARGETARCH
            ADD https://example.org/tool-${TARGETARCH:-amd64} /usr/local/bin/tool
            ",
        );
    }

    #[test]
    fn silent_where_the_default_is_right_or_wanted() {
        let text = r"
            FROM debian:12
            ARG TARGETOS=linux
            ARG ARCH=amd64
            RUN make TARGETOS=${TARGETOS}
            ";
        harness().silent(text);
        let text = r"
            FROM debian:12
            ARG TARGETARCH=arm64
            RUN make ARCH=${TARGETARCH}
            ";
        harness().build_arg("TARGETARCH", "riscv64").silent(text);
        harness().silent("ARG TARGETARCH=amd64\nFROM debian:12\nRUN make\n");
        harness().silent(
            r"
            FROM --platform=linux/amd64 debian:12 AS fonts
            ARG TARGETARCH=amd64
            ADD https://example.org/tool-${TARGETARCH} /usr/local/bin/tool
            FROM debian:12
            COPY --from=fonts /usr/share/fonts /usr/share/fonts
            ",
        );
    }

    #[test]
    fn a_default_that_nothing_names_is_a_note() {
        harness().check(
            r"
            FROM debian:12
            ARG TARGETARCH=amd64
                ^^^^^^^^^^^^^^^^ note: platform-arg-default
            RUN make
            ",
        );
    }
}
