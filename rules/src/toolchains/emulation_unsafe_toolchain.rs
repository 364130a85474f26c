//! `emulation-unsafe-toolchain`

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Sink, edit,
};
use mlint_model::{Base, Command, Compile, Effect, EffectKind, Evaluation, Stage, Step, Tool};
use mlint_oci::arch::{ArchWord, find_words};
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    repair,
    support::{final_chain, root_stage, shown},
};

mlint_lint::declare_rule! {
    /// A stage runs the .NET SDK under emulation: it has no `--platform`, so for every target but
    /// the build machine's own it runs in QEMU. Microsoft supports no version of .NET there (the
    /// "QEMU" section of .NET's `supported-os.md`, and "Build .NET container images for a
    /// platform" in `dotnet/dotnet-docker`): `dotnet restore` and `dotnet build` hang or crash with
    /// a segmentation fault, one day or the other.
    ///
    /// The SDK compiles for any target: `FROM --platform=$BUILDPLATFORM`, and `-a $TARGETARCH`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build
    /// WORKDIR /src
    /// COPY . .
    /// RUN dotnet restore
    /// RUN dotnet publish --no-restore -o /app
    ///
    /// FROM mcr.microsoft.com/dotnet/aspnet:8.0
    /// COPY --from=build /app /app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:8.0 AS build
    /// WORKDIR /src
    /// COPY . .
    /// ARG TARGETARCH
    /// RUN dotnet restore -a $TARGETARCH
    /// RUN dotnet publish -a $TARGETARCH --no-restore -o /app
    ///
    /// FROM mcr.microsoft.com/dotnet/aspnet:8.0
    /// COPY --from=build /app /app
    /// ```
    ///
    /// ## Silent
    ///
    /// - on the build machine's own platform, and in stages on the build platform;
    /// - in a stage whose base image is for one architecture by its own name, which is meant for
    ///   machines of that;
    /// - for the .NET runtime alone, and for SDK commands that build nothing.
    ///
    /// ## Fix
    ///
    /// Where only what is published is copied out of the stage: the platform, the argument and
    /// `-a $TARGETARCH`. Unsafe: what is published is then for one architecture in name, too, and
    /// SDKs before 7.0.300 do not know Docker's words.
    ///
    /// ## Proof
    ///
    /// None by a build: it needs the SDK's image, and whether the SDK crashes is chance.
    pub struct EmulationUnsafeToolchain {
        name: "emulation-unsafe-toolchain",
        group: Toolchains,
        summary: "A toolchain that is not supported under emulation is emulated",
        severity: Warning,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for EmulationUnsafeToolchain {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                if base_names_machine(evaluation, stage) {
                    continue;
                }
                let first = sdk_calls(stage).find(|(step, _, _)| step.emulated);
                if let Some((_, effect, command)) = first {
                    report(cx, evaluation, stage, (effect, command), sink);
                }
            }
        }
    }
}

fn base_names_machine(evaluation: &Evaluation, stage: &Stage) -> bool {
    match &root_stage(evaluation, stage).base {
        Base::Image { reference } => find_words(&shown(reference)).iter().any(ArchWord::is_linux),
        _ => false,
    }
}

/// The calls of the SDK that build something.
fn sdk_calls(stage: &Stage) -> impl Iterator<Item = (&Step, &Effect, &Command)> {
    stage.effects().filter_map(|(step, effect)| match &effect.kind {
        EffectKind::Command(command) if verb(command).is_some() => Some((step, effect, command)),
        _ => None,
    })
}

/// What the SDK is told to do.
fn verb(command: &Command) -> Option<String> {
    const BUILD: &[&str] =
        &["restore", "build", "publish", "test", "pack", "run", "msbuild", "tool", "workload"];
    if command.name().as_deref() != Some("dotnet") {
        return None;
    }
    let verb = command.argv.get(1)?.value.as_known()?.into_owned();
    BUILD.contains(&verb.as_str()).then_some(verb)
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    (effect, command): (&Effect, &Command),
    sink: &mut Sink<'_>,
) {
    let root = root_stage(evaluation, stage);
    let verb = verb(command).unwrap_or_default();
    let mut finding = Finding::new(root.base_span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} runs `dotnet {verb}` under emulation, where .NET is not supported: \
             it may hang or crash"
        )
    })
    .related(effect.span, "the SDK runs here")
    .help("FROM --platform=$BUILDPLATFORM, and -a $TARGETARCH for restore and publish");
    if !effect.certain {
        finding = finding.confidence(Confidence::Medium).effect(Harm::Emulated);
    }
    sink.report(finding.maybe_fix(fix(cx, evaluation, stage)));
}

/// The stage runs on the build machine and publishes for the target.
fn fix(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage) -> Option<ProposedFix> {
    let in_image = final_chain(evaluation).contains(&stage.index);
    if in_image || !repair::can_move(evaluation, stage) {
        return None;
    }
    let published = repair::compiles(stage);
    let only_dotnet = published.iter().all(|c| c.tool == Tool::DotNet && c.settings.is_empty());
    if !only_dotnet || !takes_what_is_published(evaluation, stage, &published) {
        return None;
    }
    let mut edits = EditSet::new();
    let from = cx.file.instructions.get(stage.from)?;
    edits.insert(edit::set_flag(from, "platform", "$BUILDPLATFORM")).ok()?;
    let mut user = None;
    for (step, _, command) in sdk_calls(stage) {
        let verb = verb(command)?;
        if !matches!(verb.as_str(), "restore" | "build" | "publish") {
            return None;
        }
        let word = command.argv.get(1)?;
        // It has to stand in this file, where it can be changed.
        if cx.text(word.span) != verb {
            return None;
        }
        let text = " -a $TARGETARCH".to_owned();
        edits.insert(Edit { span: Span::empty(word.span.end), text }).ok()?;
        user = user.or(Some(step.instruction));
    }
    let declared = edit::declare(cx.file, evaluation, stage, user?, &["TARGETARCH"], true);
    if let Some(edit) = declared {
        edits.insert(edit).ok()?;
    }
    let title = "run the SDK on the build machine and publish for the target";
    let fix = ProposedFix::needs_look(title, edits).because(
        "what is published is then for one architecture in name, too; the SDK has to be 7.0.300 or \
         later",
    );
    Some(fix.keeping(&evaluation.build_platform))
}

/// Whether nothing but what is published is copied out of the stage.
fn takes_what_is_published(evaluation: &Evaluation, stage: &Stage, made: &[&Compile]) -> bool {
    let outputs: Vec<&String> = made.iter().flat_map(|c| &c.outputs).collect();
    repair::all_copied_fit(evaluation, stage, |path| {
        let beside = |out: &str| path.starts_with(&format!("{}/", folder_of(out)));
        outputs.iter().any(|out| repair::is_at(out, path) || beside(out))
    })
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "emulation-unsafe-toolchain")
    }

    #[test]
    fn the_sdk_in_a_stage_without_a_platform() {
        let found = harness().check(
            r"
            FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build
                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ warning: emulation-unsafe-toolchain: the build for linux/arm64 runs `dotnet restore` under emulation
            WORKDIR /src
            COPY . .
            RUN dotnet restore
            RUN dotnet publish --no-restore -o /app
            FROM mcr.microsoft.com/dotnet/aspnet:8.0
            COPY --from=build /app /app
            ",
        );
        assert_eq!(mlint_lint::list(&found[0].platforms), "linux/arm64");
    }

    #[test]
    fn on_the_build_machine_for_the_target() {
        harness().check_unsafe_fix(
            r"
            FROM mcr.microsoft.com/dotnet/sdk:8.0 AS build
            WORKDIR /src
            COPY . .
            RUN dotnet restore
            RUN dotnet publish --no-restore -o /app
            FROM mcr.microsoft.com/dotnet/aspnet:8.0
            COPY --from=build /app /app
            ",
            r"
            FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:8.0 AS build
            WORKDIR /src
            COPY . .
            ARG TARGETARCH
            RUN dotnet restore -a $TARGETARCH
            RUN dotnet publish -a $TARGETARCH --no-restore -o /app
            FROM mcr.microsoft.com/dotnet/aspnet:8.0
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn an_image_that_is_the_sdk_has_no_fix() {
        let found = harness().check(
            r"
            FROM mcr.microsoft.com/dotnet/sdk:8.0
                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ warning: emulation-unsafe-toolchain
            RUN dotnet tool install -g dotnet-ef
            ",
        );
        assert!(found[0].fixes.is_empty());
    }

    #[test]
    fn silent_on_the_build_machine_and_for_the_runtime() {
        for text in [
            r"
            FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:8.0 AS build
            ARG TARGETARCH
            COPY . /src
            RUN dotnet publish /src -a $TARGETARCH -o /app
            FROM mcr.microsoft.com/dotnet/aspnet:8.0
            COPY --from=build /app /app
            ",
            "FROM mcr.microsoft.com/dotnet/aspnet:8.0\nCOPY app /app\nRUN dotnet --info\nENTRYPOINT [\"dotnet\", \"/app/a.dll\"]\n",
            "FROM debian:12\nRUN apt-get update && apt-get install -y dotnet-sdk-8.0\n",
            "FROM mcr.microsoft.com/dotnet/sdk:8.0-arm64v8\nCOPY . /src\nRUN dotnet build /src\n",
        ] {
            harness().silent(text);
        }
    }
}
