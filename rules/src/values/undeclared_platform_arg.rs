//! `undeclared-platform-arg`

use std::collections::BTreeMap;

use mlint_lint::{
    Confidence, Context, Effect, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit,
};
use mlint_model::{EffectKind, Evaluation, RunsOn, Stage, Step, UnsetUse};
use mlint_syntax::{EditSet, InstructionKind, Span};

use crate::{automatic, support::root_stage};

mlint_lint::declare_rule! {
    /// A stage uses `TARGETARCH` or another platform argument without declaring it. BuildKit fills
    /// these in only where an `ARG` declares them, stage by stage; elsewhere they are empty: a URL
    /// lacks its architecture, `GOARCH=$TARGETARCH` builds for the machine that the build runs on,
    /// and `${TARGETARCH:-amd64}` is amd64 everywhere.
    ///
    /// An `ARG` before the first `FROM` serves the `FROM` lines only; a stage that starts from
    /// another stage inherits its arguments.
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
    ///   the platform that the build runs on.
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
                check_stage(cx, evaluation, stage, sink);
            }
        }
    }
}

fn check_stage(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage, sink: &mut Sink<'_>) {
    let defaulted = defaulted_uses(cx, evaluation, stage);
    let mut uses: BTreeMap<&str, Vec<(&Step, &UnsetUse)>> = BTreeMap::new();
    for (step, unset) in &defaulted {
        uses.entry(&unset.name).or_default().push((step, unset));
    }
    for step in &stage.steps {
        for unset in step.unset.iter().filter(|u| automatic::NAMES.contains(&u.name.as_str())) {
            uses.entry(&unset.name).or_default().push((step, unset));
        }
    }
    let names: Vec<&str> =
        automatic::NAMES.iter().copied().filter(|n| uses.contains_key(n)).collect();
    for name in &names {
        let uses = &uses[name];
        let (step, first) = uses[0];
        let Some(harm) = harm(evaluation, stage, uses) else { continue };
        let owned = (*name).to_owned();
        let mut finding = Finding::new(first.span, &evaluation.platform, move |on| {
            format!(
                "{owned} is empty here in the build for {on}: the stage does not declare it, so \
                 the builder does not fill it in"
            )
        })
        .effect(harm)
        .help(format!("add `ARG {name}` to this stage"));
        if harm == Effect::Latent {
            finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
        }
        for (_, other) in uses.iter().skip(1).take(3) {
            finding = finding.related(other.span, "and here");
        }
        if let Some((span, note)) = declared_elsewhere(cx, stage, name) {
            finding = finding.related(span, note);
        }
        let shared = root_stage(evaluation, stage).platform.role != RunsOn::Target;
        let edits = edit::declare(cx.file, evaluation, stage, step.instruction, &names, shared);
        let fix = edits.and_then(|e| EditSet::from_edits([e]).ok());
        let title = format!("declare {} in this stage", mlint_lint::list(&names));
        sink.report(finding.maybe_fix(fix.map(|edits| ProposedFix::safe(title, edits))));
    }
}

/// Uses such as `${TARGETARCH:-amd64}` where nothing sets the name: the default is all they ever
/// give. (A default tells the evaluation that the author expects the name to be unset.)
fn defaulted_uses<'e>(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &'e Stage,
) -> Vec<(&'e Step, UnsetUse)> {
    let mut found = Vec::new();
    for step in &stage.steps {
        let Some(instruction) = cx.file.instructions.get(step.instruction) else { continue };
        let text = cx.text(instruction.span);
        for name in automatic::NAMES {
            let opening = format!("${{{name}");
            for (at, _) in text.match_indices(&opening) {
                let rest = &text[at + opening.len()..];
                let start = instruction.span.start + at as u32;
                let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'));
                let comment = instruction.trivia.iter().any(|t| t.contains(Span::empty(start)));
                let Some(end) = default.and_then(|_| rest.find('}')).filter(|_| !comment) else {
                    continue;
                };
                if edit::declares(cx.file, evaluation, stage, step.instruction, name)
                    || is_assigned(cx, stage, name)
                {
                    continue;
                }
                let end = start + (opening.len() + end + 1) as u32;
                let name = (*name).to_owned();
                found.push((step, UnsetUse { name, span: Span::new(start, end) }));
            }
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

/// What the empty value does; `None` where it does no harm on this platform.
fn harm(evaluation: &Evaluation, stage: &Stage, uses: &[(&Step, &UnsetUse)]) -> Option<Effect> {
    let mut worst = None;
    for (step, unset) in uses {
        let harm = match use_of(step, unset) {
            Use::Compile(right) if right(evaluation) => continue,
            Use::Compile(_) => Effect::WrongBinary,
            Use::Url => Effect::BuildFails,
            Use::Text => Effect::Latent,
            // A file whose name lacks its architecture is not there.
            Use::Other => Effect::BuildFails,
        };
        worst = worst.max(Some(harm));
    }
    let _ = stage;
    worst
}

/// What the empty value goes into.
enum Use {
    /// A compiler's setting; the function tells whether the result is right all the same.
    Compile(fn(&Evaluation) -> bool),
    /// A download.
    Url,
    /// A label, or text that is only printed.
    Text,
    /// Anything else.
    Other,
}

fn use_of(step: &Step, unset: &UnsetUse) -> Use {
    for effect in &step.effects {
        match &effect.kind {
            EffectKind::Compile(compile) => {
                let holds = |s: &mlint_model::Setting| s.span.contains(unset.span);
                if compile.settings.iter().any(|s| holds(s) && s.value.is_empty()) {
                    return Use::Compile(|e| e.platform == e.build_platform);
                }
            }
            EffectKind::Download(d) if d.url_span.contains(unset.span) => return Use::Url,
            EffectKind::Command(c) if effect.span.contains(unset.span) => {
                if matches!(c.name().as_deref(), Some("echo" | "printf" | ":")) {
                    return Use::Text;
                }
            }
            _ => {}
        }
    }
    Use::Other
}

/// Where the argument is declared without effect on this stage.
fn declared_elsewhere(cx: &Context<'_>, stage: &Stage, name: &str) -> Option<(Span, &'static str)> {
    let end = edit::end_of(cx.file, stage);
    let declares = |i: usize| match &cx.file.instructions.get(i)?.kind {
        InstructionKind::Arg(pairs) => {
            pairs.iter().find(|p| p.key.as_str() == name).map(|p| p.span)
        }
        _ => None,
    };
    if let Some(span) = (stage.from + 1..end).find_map(declares) {
        return Some((span, "it is declared too late, below its use"));
    }
    let first_from =
        cx.file.instructions.iter().position(|i| matches!(i.kind, InstructionKind::From { .. }))?;
    (0..first_from).find_map(declares).map(|span| (span, "this declaration serves FROM lines only"))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

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
            ARG TARGETARCH
            FROM debian:12
            RUN curl -fsSLo /usr/local/bin/tool https://example.org/tool-$TARGETARCH
                                                                         ^^^^^^^^^^^ error: undeclared-platform-arg
            ",
        );
    }

    #[test]
    fn a_default_hides_it_but_is_amd64_everywhere() {
        harness().check(
            r"
            FROM debian:12
            RUN curl -fsSLo /usr/local/bin/tool https://example.org/tool-${TARGETARCH:-amd64}
                                                                         ^^^^^^^^^^^^^^^^^^^^ error: undeclared-platform-arg
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
        assert_eq!(found[0].effect, mlint_lint::Effect::WrongBinary);
    }

    #[test]
    fn silent_where_something_sets_it() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nRUN echo $TARGETARCH\n",
            "FROM debian:12 AS base\nARG TARGETARCH\nFROM base\nRUN make ARCH=$TARGETARCH\n",
            "FROM debian:12\nENV TARGETARCH=any\nRUN make ARCH=$TARGETARCH\n",
            "FROM debian:12\nRUN TARGETARCH=$(uname -m) && make ARCH=$TARGETARCH\n",
            "FROM --platform=$BUILDPLATFORM debian:12\nRUN make\n",
            "FROM debian:12 AS amd64\nFROM debian:12 AS arm64\nFROM ${TARGETARCH}\nRUN make\n",
        ] {
            harness().silent(text);
        }
    }
}
