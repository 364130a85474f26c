//! `platform-arg-out-of-scope`

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit,
};
use mlint_model::{EffectKind, Evaluation, RunsOn, Stage, Step, Value};
use mlint_syntax::{EditSet, Span};

use super::undeclared_platform_arg::{Elsewhere, Missing, missing, said};
use crate::{
    automatic,
    support::{is_run, root_stage},
    words::is_arch_text,
};

mlint_lint::declare_rule! {
    /// An argument that tells the platform is declared, but not where it is used. A declaration
    /// reaches from its line to the end of its stage, and into the stages that start from it; one
    /// before the first `FROM` serves the `FROM` lines only. Elsewhere the argument is empty: a URL
    /// lacks its architecture, and `GOARCH=$TARGETARCH` builds for the machine that the build runs
    /// on. The other way round, a `FROM` line does not see what a stage declares.
    ///
    /// It holds for `TARGETARCH` and its kin as well as for arguments of the file's own that are
    /// set to a platform or made from one.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// ARG TARGETARCH
    /// FROM debian:12
    /// ADD https://example.org/tool-linux-${TARGETARCH} /usr/local/bin/tool
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// ARG TARGETARCH
    /// FROM debian:12
    /// ARG TARGETARCH
    /// ADD https://example.org/tool-linux-${TARGETARCH} /usr/local/bin/tool
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the stage, or a stage it starts from, declares the argument above the use;
    /// - when `ENV` or the shell itself sets a variable of that name;
    /// - where the argument is declared nowhere: `undeclared-platform-arg` says so;
    /// - where an empty value makes no difference.
    ///
    /// For an argument of the file's own it is a warning where a script may go another way without
    /// it.
    ///
    /// ## Fix
    ///
    /// The stage declares the argument with a bare `ARG`: right below `FROM`, or right above the
    /// first use in a stage that runs on the build platform. Safe. An argument of the file's own
    /// that another stage gives its value is not repaired: the value would have to be said twice.
    pub struct PlatformArgOutOfScope {
        name: "platform-arg-out-of-scope",
        group: Values,
        summary: "An argument with the platform is declared where it does not reach its use",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for PlatformArgOutOfScope {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                for found in missing(cx, evaluation, stage) {
                    automatic_argument(evaluation, &found, sink);
                }
                own_arguments(cx, evaluation, stage, sink);
            }
            from_lines(evaluation, sink);
        }
    }
}

/// `TARGETARCH` and its kin.
fn automatic_argument(evaluation: &Evaluation, found: &Missing, sink: &mut Sink<'_>) {
    let Some(elsewhere) = found.elsewhere else { return };
    let (name, value) = (found.name, found.value.clone());
    let (declared, why, note) = told(elsewhere);
    let finding = Finding::new(found.span, &evaluation.platform, move |on| {
        format!("{name} is {} here in the build for {on}: {why}", said(&value))
    })
    .related(declared, note)
    .help(format!("add `ARG {name}` to this stage, above the use"));
    sink.report(found.complete(finding));
}

/// Where the declaration is, why it does not reach, and what to say at its place.
fn told(elsewhere: Elsewhere) -> (Span, &'static str, &'static str) {
    match elsewhere {
        Elsewhere::Below(span) => {
            (span, "it is declared further down", "it is declared too late, below its use")
        }
        Elsewhere::Global(span) => (
            span,
            "it is declared before the first FROM, which serves FROM lines only",
            "this declaration serves FROM lines only",
        ),
        Elsewhere::Stage(span) => (
            span,
            "it is declared in another stage, and each stage has arguments of its own",
            "this declaration is another stage's",
        ),
    }
}

/// Arguments of the file's own with a platform in them.
fn own_arguments(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage, sink: &mut Sink<'_>) {
    let mut seen: Vec<&str> = Vec::new();
    for step in &stage.steps {
        for unset in &step.unset {
            let name = unset.name.as_str();
            let is_new = !seen.contains(&name) && !automatic::NAMES.contains(&name);
            if !is_new || is_shell_s(stage, name) {
                continue;
            }
            seen.push(name);
            let global = global(evaluation, name);
            let Some(span) = global.or_else(|| in_stage(evaluation, Some(stage), name)) else {
                continue;
            };
            let place = if global.is_some() { Elsewhere::Global } else { Elsewhere::Stage };
            let (declared, why, note) = told(place(span));
            let (severity, harm) = match needs_it(cx, step, unset.span) {
                true => (Severity::Error, Harm::BuildFails),
                false => (Severity::Warning, Harm::Latent),
            };
            let owned = name.to_owned();
            let finding = Finding::new(unset.span, &evaluation.platform, move |on| {
                format!("{owned} is empty here in the build for {on}: {why}")
            })
            .confidence(Confidence::Medium)
            .severity(severity)
            .effect(harm)
            .related(declared, note)
            .help(format!("add `ARG {name}` to this stage, above the use"));
            let fix = global.and_then(|_| declare(cx, evaluation, stage, step, name)).map(|fix| {
                // The finding is about each platform, so none is left that the proof could compare.
                match severity {
                    Severity::Error => fix,
                    _ => ProposedFix::needs_look(fix.fix.title, fix.fix.edits)
                        .because("the script may go another way on each platform"),
                }
            });
            sink.report(finding.maybe_fix(fix));
        }
    }
}

/// Arguments of a stage that a later FROM line uses.
fn from_lines(evaluation: &Evaluation, sink: &mut Sink<'_>) {
    for unset in &evaluation.unset {
        let name = unset.name.as_str();
        if evaluation.globals.iter().any(|g| g.name == name) {
            continue;
        }
        let Some(declared) = in_stage(evaluation, None, name) else { continue };
        let owned = name.to_owned();
        let finding = Finding::new(unset.span, &evaluation.platform, move |on| {
            format!(
                "{owned} is empty here in the build for {on}: it is declared in a stage, and FROM \
                 lines see what is declared before the first FROM"
            )
        })
        .related(declared, "this declaration is a stage's")
        .help(format!("declare `ARG {name}` before the first FROM, with its value"));
        sink.report(finding);
    }
}

/// Whether nothing is found without the value: a download, a file that is copied. A script may go
/// another way without it.
fn needs_it(cx: &Context<'_>, step: &Step, at: Span) -> bool {
    !is_run(cx, step.instruction)
        || step.effects.iter().any(|effect| match &effect.kind {
            EffectKind::Download(download) => download.url_span.contains(at),
            _ => false,
        })
}

/// Whether some RUN of the stage has a variable of that name: `arch-variable-lost` is about those.
fn is_shell_s(stage: &Stage, name: &str) -> bool {
    stage.steps.iter().any(|s| s.lost.iter().any(|l| l.name == name))
}

fn global(evaluation: &Evaluation, name: &str) -> Option<Span> {
    let found = evaluation.globals.iter().find(|g| g.name == name)?;
    is_platform(found.value.as_ref()?).then_some(found.span)
}

/// Where a stage, other than that one, declares it with a platform in it.
fn in_stage(evaluation: &Evaluation, but: Option<&Stage>, name: &str) -> Option<Span> {
    let others = evaluation.effects().filter(|(s, _, _)| but.is_none_or(|b| b.index != s.index));
    others.into_iter().find_map(|(_, _, effect)| match &effect.kind {
        EffectKind::SetEnv { name: n, value, kept: false } if n == name => {
            is_platform(value).then_some(effect.span)
        }
        _ => None,
    })
}

/// Whether a value follows the platform, or is a word for one.
fn is_platform(value: &Value) -> bool {
    value.follows_platform() || value.as_known().is_some_and(|text| is_arch_text(&text))
}

fn declare(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    step: &Step,
    name: &str,
) -> Option<ProposedFix> {
    let shared = root_stage(evaluation, stage).platform.role != RunsOn::Target;
    let edit = edit::declare(cx.file, evaluation, stage, step.instruction, &[name], shared)?;
    let edits = EditSet::from_edits([edit]).ok()?;
    Some(ProposedFix::safe(format!("declare {name} in this stage"), edits))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "platform-arg-out-of-scope")
    }

    #[test]
    fn before_the_first_from() {
        let found = harness().check(
            r"
            ARG TARGETARCH
            FROM debian:12
            RUN curl -fsSLo /usr/local/bin/tool https://example.org/tool-$TARGETARCH
                                                                         ^^^^^^^^^^^ error: platform-arg-out-of-scope: it is declared before the first FROM
            ",
        );
        assert_eq!(found[0].platforms.len(), 2);
    }

    #[test]
    fn in_another_stage_and_too_late() {
        harness().check(
            r"
            FROM debian:12 AS fetch
            ARG TARGETARCH
            ADD https://example.org/tool-${TARGETARCH} /tool
            FROM debian:12
            COPY dist/app-${TARGETARCH} /app
                          ^^^^^^^^^^^^^ error: platform-arg-out-of-scope: in another stage
            COPY --from=fetch /tool /usr/local/bin/tool
            ",
        );
        harness().check(
            r"
            FROM debian:12
            COPY dist/app-${TARGETARCH} /app
                          ^^^^^^^^^^^^^ error: platform-arg-out-of-scope: declared further down
            ARG TARGETARCH
            ",
        );
    }

    #[test]
    fn the_file_s_own_argument() {
        harness().check_fix(
            r"
            ARG ARCH=${TARGETARCH}
            FROM debian:12
            ADD https://example.org/tool-${ARCH} /tool
            ",
            r"
            ARG ARCH=${TARGETARCH}
            FROM debian:12
            ARG ARCH
            ADD https://example.org/tool-${ARCH} /tool
            ",
        );
        harness().check(
            r"
            FROM debian:12 AS fetch
            ARG TARGETARCH
            ARG SUFFIX=linux-${TARGETARCH}
            ADD https://example.org/tool-${SUFFIX} /tool
            FROM debian:12
            COPY dist/app-${SUFFIX} /app
                          ^^^^^^^^^ error: platform-arg-out-of-scope: SUFFIX is empty here
            COPY --from=fetch /tool /usr/local/bin/tool
            ",
        );
    }

    #[test]
    fn a_script_that_goes_another_way_wants_a_look() {
        harness().check_unsafe_fix(
            r#"
            ARG TARGET=x86_64-unknown-linux-musl
            FROM example.org/${TARGET}:1
            RUN if [ "$TARGET" = x86_64-unknown-linux-musl ]; then mkdir -p /n; fi
            "#,
            r#"
            ARG TARGET=x86_64-unknown-linux-musl
            FROM example.org/${TARGET}:1
            ARG TARGET
            RUN if [ "$TARGET" = x86_64-unknown-linux-musl ]; then mkdir -p /n; fi
            "#,
        );
    }

    #[test]
    fn a_stage_s_argument_in_a_from_line() {
        harness().check(
            r"
            FROM debian:12 AS fetch
            ARG TARGETARCH
            ARG FLAVOR=${TARGETARCH}-slim
            ADD https://example.org/tool-${FLAVOR} /tool
            FROM example.org/base:${FLAVOR}
                                  ^^^^^^^^^ error: platform-arg-out-of-scope: FROM lines see what is declared before the first FROM
            COPY --from=fetch /tool /tool
            ",
        );
    }

    #[test]
    fn in_a_shared_stage_it_goes_next_to_the_use() {
        harness().check_fix(
            r"
            ARG TARGETOS TARGETARCH
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            RUN apt-get update && apt-get install -y git
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/app .
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
            r"
            ARG TARGETOS TARGETARCH
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            RUN apt-get update && apt-get install -y git
            COPY . /src
            ARG TARGETARCH
            RUN cd /src && CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/app .
            FROM debian:12
            COPY --from=build /out/app /usr/local/bin/app
            ",
        );
    }

    #[test]
    fn silent_where_it_reaches() {
        for text in [
            "ARG TARGETARCH\nFROM debian:12\nARG TARGETARCH\nADD https://h/$TARGETARCH /t\n",
            "FROM debian:12 AS a\nARG TARGETARCH\nFROM a\nADD https://h/$TARGETARCH /t\n",
            "ARG TARGETARCH\nFROM debian:12 AS a-amd64\nFROM debian:12 AS a-arm64\nFROM a-$TARGETARCH\nRUN make\n",
            "FROM debian:12\nADD https://h/$TARGETARCH /t\n",
            "ARG VERSION=12\nFROM debian:12\nADD https://h/$VERSION /t\n",
            "ARG ARCH=amd64\nFROM debian:12\nRUN ARCH=$(uname -m) && wget https://h/$ARCH\n",
            "ARG ARCH=amd64\nFROM debian:12\nRUN ARCH=$(uname -m)\nRUN wget https://h/$ARCH\n",
            "ARG TARGETVARIANT\nFROM debian:12\nRUN make GOARM=${TARGETVARIANT#v}\n",
        ] {
            harness().silent(text);
        }
    }
}
