//! `undeclared-platform-arg`

use std::{cmp::Reverse, collections::BTreeMap};

use mlint_lint::{
    Confidence, Context, Effect, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit,
};
use mlint_model::{EffectKind, Evaluation, RunsOn, Stage, Step};
use mlint_syntax::{EditSet, InstructionKind, Span};

use crate::{automatic, support::root_stage};

mlint_lint::declare_rule! {
    /// A stage uses `TARGETARCH` or another platform argument without declaring it. BuildKit fills
    /// these in only where an `ARG` declares them, stage by stage; elsewhere they are empty: a URL
    /// lacks its architecture, `GOARCH=$TARGETARCH` builds for the machine that the build runs on,
    /// and `${TARGETARCH:-amd64}` is amd64 everywhere.
    ///
    /// Where it is declared, but in another stage, before the first `FROM` or below its use,
    /// `platform-arg-out-of-scope` says so.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
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
    /// - when the stage, or a stage it starts from, declares the argument above the use;
    /// - when `ENV` or the shell itself sets a variable of that name;
    /// - in `FROM` lines, where the builder fills them in without a declaration;
    /// - where an empty value makes no difference, as for `GOARCH=$TARGETARCH` in the build for
    ///   the platform that the build runs on, or `TARGETVARIANT` on a platform without variant.
    ///
    /// What is only printed (`echo "for $TARGETPLATFORM"`) is a warning.
    ///
    /// ## Fix
    ///
    /// The stage declares all platform arguments that it uses: right below `FROM`, or right above
    /// the first use in a stage that runs on the build platform (what stands below a declaration
    /// there is built once per target). Safe.
    pub struct UndeclaredPlatformArg {
        name: "undeclared-platform-arg",
        group: Values,
        summary: "A platform argument is used in a stage that does not declare it",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Always,
    }
}

impl Rule for UndeclaredPlatformArg {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                for missing in missing(cx, evaluation, stage) {
                    if missing.elsewhere.is_none() {
                        report(evaluation, &missing, sink);
                    }
                }
            }
        }
    }
}

/// A platform argument that a stage uses and does not see.
pub(super) struct Missing {
    /// Its name.
    pub(super) name: &'static str,
    /// What the worst use does.
    pub(super) harm: Effect,
    /// The worst use.
    pub(super) span: Span,
    /// What it is there: nothing, or the default that stands there.
    pub(super) value: String,
    /// Other uses.
    others: Vec<Span>,
    /// Where it is declared without effect on this stage.
    pub(super) elsewhere: Option<Elsewhere>,
    /// Declares all that the stage misses.
    fix: Option<ProposedFix>,
}

/// A declaration that does not reach.
#[derive(Clone, Copy, Debug)]
pub(super) enum Elsewhere {
    /// In the same stage, below the use.
    Below(Span),
    /// Before the first FROM.
    Global(Span),
    /// In another stage.
    Stage(Span),
}

/// The platform arguments that a stage uses and does not see, where that does harm.
pub(super) fn missing(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage) -> Vec<Missing> {
    let mut uses: BTreeMap<&str, Vec<Use<'_>>> = BTreeMap::new();
    for found in defaulted_uses(cx, evaluation, stage) {
        uses.entry(found.name).or_default().push(found);
    }
    for step in &stage.steps {
        for unset in &step.unset {
            if let Some(name) = automatic::NAMES.iter().find(|n| **n == unset.name) {
                let found = Use { name, step, span: unset.span, value: String::new() };
                uses.entry(name).or_default().push(found);
            }
        }
    }
    let names: Vec<&'static str> =
        automatic::NAMES.iter().copied().filter(|n| uses.contains_key(n)).collect();
    let mut found = Vec::new();
    for name in &names {
        let uses = &uses[name];
        let worst = uses.iter().filter_map(|u| Some((harm(cx, evaluation, u)?, u)));
        let Some((harm, first)) = worst.max_by_key(|(harm, u)| (*harm, Reverse(u.span))) else {
            continue;
        };
        let shared = root_stage(evaluation, stage).platform.role != RunsOn::Target;
        let index = first.step.instruction;
        let edits = edit::declare(cx.file, evaluation, stage, index, &names, shared);
        let fix = edits.and_then(|e| EditSet::from_edits([e]).ok());
        let title = format!("declare {} in this stage", mlint_lint::list(&names));
        found.push(Missing {
            name,
            harm,
            span: first.span,
            value: first.value.clone(),
            others: uses.iter().filter(|u| u.span != first.span).map(|u| u.span).collect(),
            elsewhere: declared_elsewhere(cx, stage, name),
            fix: fix.map(|edits| ProposedFix::safe(title, edits)),
        });
    }
    found
}

fn report(evaluation: &Evaluation, missing: &Missing, sink: &mut Sink<'_>) {
    let (name, value) = (missing.name, missing.value.clone());
    let finding = Finding::new(missing.span, &evaluation.platform, move |on| {
        format!(
            "{name} is {} here in the build for {on}: the stage does not declare it, so the \
             builder does not fill it in",
            said(&value)
        )
    });
    sink.report(missing.complete(finding).help(format!("add `ARG {name}` to this stage")));
}

/// What an argument is without its value.
pub(super) fn said(value: &str) -> String {
    if value.is_empty() { "empty".to_owned() } else { format!("'{value}'") }
}

impl Missing {
    /// Adds effect, other places and fix to a finding.
    pub(super) fn complete(&self, mut finding: Finding) -> Finding {
        finding = finding.effect(self.harm);
        if self.harm == Effect::Latent {
            finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
        }
        for other in self.others.iter().take(3) {
            finding = finding.related(*other, "and here");
        }
        finding.maybe_fix(self.fix.clone())
    }
}

/// A use of an argument that nothing sets.
struct Use<'e> {
    name: &'static str,
    step: &'e Step,
    span: Span,
    /// What it gives: nothing, or the default that stands there.
    value: String,
}

/// Uses such as `${TARGETARCH:-amd64}` where nothing sets the name: the default is all they ever
/// give. (A default tells the evaluation that the author expects the name to be unset.)
fn defaulted_uses<'e>(cx: &Context<'_>, evaluation: &Evaluation, stage: &'e Stage) -> Vec<Use<'e>> {
    let mut found = Vec::new();
    for step in &stage.steps {
        let Some(instruction) = cx.file.instructions.get(step.instruction) else { continue };
        let text = cx.text(instruction.span);
        for (at, _) in text.match_indices('$') {
            let Some(rest) = text[at + 1..].strip_prefix('{') else { continue };
            // Letters end where a default may begin.
            let len = rest.bytes().position(|b| !b.is_ascii_uppercase()).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(len);
            let Some(&name) = automatic::NAMES.iter().find(|n| **n == name) else { continue };
            let start = instruction.span.start + at as u32;
            let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'));
            let comment = instruction.trivia.iter().any(|t| t.contains(Span::empty(start)));
            let Some((value, _)) = default.and_then(|d| d.split_once('}')) else { continue };
            if comment
                || edit::declares(cx.file, evaluation, stage, step.instruction, name)
                || is_assigned(cx, stage, name)
            {
                continue;
            }
            let close = rest.find('}').unwrap_or_default();
            let span = Span::new(start, start + (2 + len + close + 1) as u32);
            found.push(Use { name, step, span, value: value.to_owned() });
        }
    }
    found
}

/// Whether the stage's text gives the name a value in some other way.
fn is_assigned(cx: &Context<'_>, stage: &Stage, name: &str) -> bool {
    let range = stage.from + 1..edit::end_of(cx.file, stage);
    let instructions = cx.file.instructions.get(range).unwrap_or_default();
    instructions.iter().any(|i| cx.text(i.span).contains(&format!("{name}=")))
}

/// What the missing value does; `None` where it does no harm on this platform.
fn harm(cx: &Context<'_>, evaluation: &Evaluation, found: &Use<'_>) -> Option<Effect> {
    let right = automatic::value(found.name, evaluation)?;
    if found.value == right {
        return None;
    }
    if is_printed(cx, found) {
        return Some(Effect::Latent);
    }
    if !found.value.is_empty() {
        // The default is there and another platform's: what it names exists.
        return Some(Effect::WrongBinary);
    }
    let setting = found.step.effects.iter().find_map(|effect| match &effect.kind {
        EffectKind::Compile(compile) => compile
            .settings
            .iter()
            .find(|s| s.span.contains(found.span) && s.value.is_empty())
            .map(|s| s.name.as_str()),
        _ => None,
    });
    // A toolchain without a setting takes the machine that it runs on.
    match setting {
        Some("GOOS") if evaluation.platform.os() == evaluation.build_platform.os() => None,
        Some(_) if evaluation.platform == evaluation.build_platform => None,
        Some(_) => Some(Effect::WrongBinary),
        // A file or a URL whose name lacks its architecture is not there.
        None => Some(Effect::BuildFails),
    }
}

/// Whether the value is only printed, or stands in a label.
fn is_printed(cx: &Context<'_>, found: &Use<'_>) -> bool {
    let Some(instruction) = cx.file.instructions.get(found.step.instruction) else { return false };
    if matches!(instruction.kind, InstructionKind::Label(_)) {
        return true;
    }
    let text = cx.text(instruction.span);
    let at = (found.span.start - instruction.span.start) as usize;
    let (Some(before), Some(after)) = (text.get(..at), text.get(at..)) else { return false };
    let separators = ["&&", "||", ";", "|", "$(", "`", "\n", "{ ", "RUN ", "run "];
    let begins = separators.iter().filter_map(|s| Some((before.rfind(s)? + s.len(), *s))).max();
    let Some((start, separator)) = begins else { return false };
    let ends = ["&&", "||", ";", "|", "\n"].iter().filter_map(|s| Some((after.find(s)?, *s)));
    let piped = ends.min().is_some_and(|(_, s)| s == "|");
    let command = before[start..].split_whitespace().next();
    matches!(command, Some("echo" | "printf")) && !piped && !matches!(separator, "$(" | "`")
}

/// Where the argument is declared without effect on this stage.
fn declared_elsewhere(cx: &Context<'_>, stage: &Stage, name: &str) -> Option<Elsewhere> {
    let own = stage.from + 1..edit::end_of(cx.file, stage);
    let declares = |i: usize| match &cx.file.instructions.get(i)?.kind {
        InstructionKind::Arg(pairs) => {
            pairs.iter().find(|p| p.key.as_str() == name).map(|p| p.span)
        }
        _ => None,
    };
    if let Some(span) = own.clone().find_map(declares) {
        return Some(Elsewhere::Below(span));
    }
    let instructions = &cx.file.instructions;
    let first_from =
        instructions.iter().position(|i| matches!(i.kind, InstructionKind::From { .. }))?;
    (0..first_from)
        .find_map(declares)
        .map(Elsewhere::Global)
        .or_else(|| (first_from..instructions.len()).find_map(declares).map(Elsewhere::Stage))
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Effect, testing::Harness};

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "undeclared-platform-arg")
    }

    #[test]
    fn an_undeclared_argument_in_add() {
        let found = harness().check(
            r"
            FROM debian:12
            ADD https://example.org/tool-${TARGETARCH} /usr/local/bin/tool
                                         ^^^^^^^^^^^^^ error: undeclared-platform-arg: TARGETARCH is empty
            ",
        );
        assert_eq!(found[0].platforms.len(), 2, "it breaks every platform");
    }

    #[test]
    fn an_undeclared_argument_in_run() {
        harness().check(
            r"
            FROM debian:12
            RUN curl -fsSLo /usr/local/bin/tool https://example.org/tool-$TARGETARCH
                                                                         ^^^^^^^^^^^ error: undeclared-platform-arg
            ",
        );
    }

    #[test]
    fn a_default_hides_it_but_is_amd64_everywhere() {
        let found = harness().check(
            r"
            FROM debian:12
            RUN curl -fsSLo /usr/local/bin/tool https://example.org/tool-${TARGETARCH:-amd64}
                                                                         ^^^^^^^^^^^^^^^^^^^^ error: undeclared-platform-arg: TARGETARCH is 'amd64' here in the build for linux/arm64:
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
        assert_eq!(found[0].effect, Effect::WrongBinary);
    }

    #[test]
    fn what_is_only_printed_is_no_error() {
        harness().check(
            r#"
            FROM debian:12
            RUN echo "for ${TARGETPLATFORM}" && apt-get update
                          ^^^^^^^^^^^^^^^^^ warning: undeclared-platform-arg
            "#,
        );
        harness().check(
            r"
            FROM debian:12
            RUN A=$(echo $TARGETARCH | sed s/amd64/x64/) && wget https://example.org/t-$A
                         ^^^^^^^^^^^ error: undeclared-platform-arg
            ",
        );
    }

    #[test]
    fn declares_all_names_at_once() {
        harness().check_fix(
            r"
            FROM debian:12 AS fetch
            RUN curl -fsSLo /tool https://example.org/tool-${TARGETOS}-${TARGETARCH}

            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            ",
            r"
            FROM debian:12 AS fetch
            ARG TARGETOS TARGETARCH
            RUN curl -fsSLo /tool https://example.org/tool-${TARGETOS}-${TARGETARCH}

            FROM debian:12
            COPY --from=fetch /tool /usr/local/bin/tool
            ",
        );
    }

    #[test]
    fn in_a_shared_stage_the_declaration_goes_next_to_the_use() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            RUN apt-get update && apt-get install -y git
            COPY . /src
            # build it
            RUN cd /src && CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/app .

            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            RUN apt-get update && apt-get install -y git
            COPY . /src
            ARG TARGETARCH
            # build it
            RUN cd /src && CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/app .

            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
        );
    }

    #[test]
    fn an_empty_goarch_is_right_for_the_build_platform() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/app .
                                                ^^^^^^^^^^^ error: undeclared-platform-arg
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
        assert_eq!(found[0].effect, Effect::WrongBinary);
    }

    #[test]
    fn silent_where_something_sets_it() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nRUN echo $TARGETARCH\n",
            "FROM debian:12 AS base\nARG TARGETARCH\nFROM base\nRUN make ARCH=$TARGETARCH\n",
            "FROM debian:12\nENV TARGETARCH=any\nRUN make ARCH=$TARGETARCH\n",
            "FROM debian:12\nRUN TARGETARCH=$(uname -m) && make ARCH=$TARGETARCH\n",
            "FROM --platform=$BUILDPLATFORM debian:12\nRUN make\n",
            // It is declared where it does not reach: another rule's matter.
            "ARG TARGETARCH\nFROM debian:12\nADD https://h/$TARGETARCH /t\n",
            // On these platforms there is no variant.
            "FROM debian:12\nRUN make GOARM=${TARGETVARIANT#v}\n",
            "FROM debian:12 AS amd64\nFROM debian:12 AS arm64\nFROM ${TARGETARCH}\nRUN make\n",
        ] {
            harness().silent(text);
        }
    }
}
