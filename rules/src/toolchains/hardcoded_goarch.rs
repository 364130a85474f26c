//! `hardcoded-goarch`

use std::cell::OnceCell;

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit,
};
use mlint_model::{
    Cgo, Compile, CopyFrom, Effect, EffectKind, Evaluation, MachineSource, RunsOn, Setting, Stage,
    Step, Tool, Toolchain, Truth, Value,
};
use mlint_syntax::{Edit, EditSet};

use crate::{
    support::{
        FoundWord, base_says_the_same, collects_platforms, final_chain, instruction_in_stage,
        is_deliberate, is_literal, is_platform_arg_default, literal_words, root_stage, with_trail,
        wrong_from_stage,
    },
    toolchains::fixed_target,
    words::belongs_elsewhere,
};

mlint_lint::declare_rule! {
    /// A Go build says `GOARCH=amd64` (in front of the command, with `export` or `ENV`), so
    /// the image for every other platform gets a binary for that one. The build itself succeeds:
    /// the image fails where it runs, with "exec format error".
    ///
    /// The same goes for what names the target of other toolchains: `cargo build --target
    /// x86_64-unknown-linux-musl`, `dotnet publish -r linux-x64`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM golang:1.23 AS build
    /// COPY . /src
    /// RUN cd /src && CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o /out/app .
    ///
    /// FROM scratch
    /// COPY --from=build /out/app /app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM golang:1.23 AS build
    /// ARG TARGETARCH
    /// COPY . /src
    /// RUN cd /src && CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -o /out/app .
    ///
    /// FROM scratch
    /// COPY --from=build /out/app /app
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the value follows `TARGETARCH`, or was given with `--build-arg`;
    /// - for the default of an `ARG`: that is `arch-arg-default`;
    /// - inside a branch that asks for the platform;
    /// - when the image collects programs for several platforms, or the program is for another
    ///   system (`GOOS=windows`), which no Linux image runs;
    /// - when the same stage also builds for the target, as a loop over architectures does;
    /// - when what is built stays in its stage.
    ///
    /// ## Fix
    ///
    /// The literal becomes `$TARGETARCH`, declared where it is needed. Safe if the build for the
    /// platform that the literal means is unchanged. Other toolchains have words of their own for
    /// each platform, and paths that hold them: those are repaired by hand.
    pub struct HardcodedGoarch {
        name: "hardcoded-goarch",
        group: Toolchains,
        summary: "GOARCH is tied to one architecture",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for HardcodedGoarch {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for (stage, step, effect, compile) in compilations(cx, evaluation) {
                fixed_target::check(cx, evaluation, stage, effect, compile, sink);
                check_go(cx, evaluation, (stage, step, effect), compile, sink);
            }
        }
    }
}

/// The compilations whose result counts: it reaches the image, and nothing says that the one for
/// the target is made elsewhere in the stage.
pub(crate) fn compilations<'e>(
    cx: &Context<'_>,
    evaluation: &'e Evaluation,
) -> Vec<(&'e Stage, &'e Step, &'e Effect, &'e Compile)> {
    let mut found = Vec::new();
    if collects_platforms(cx, evaluation) {
        return found;
    }
    let chain = final_chain(evaluation);
    for stage in evaluation.reachable() {
        // Asked once per stage, and only where something is compiled.
        let counts = OnceCell::new();
        let ask = || {
            let reaches = chain.contains(&stage.index)
                || wrong_from_stage(evaluation, stage.index).next().is_some();
            reaches && !also_right(evaluation, stage)
        };
        for (step, effect) in stage.effects() {
            let EffectKind::Compile(compile) = &effect.kind else { continue };
            let may_make_go = || {
                compile.tool == Tool::Make
                    && stage.toolchains.contains(&Toolchain::Go)
                    && is_copied_from(evaluation, stage, &chain)
            };
            if !is_deliberate(effect)
                && !is_for_another_system(evaluation, compile)
                && (*counts.get_or_init(ask) || may_make_go())
            {
                found.push((stage, step, effect, compile));
            }
        }
    }
    found
}

/// Whether the program is for another system than Linux and the image's: one to hand out.
fn is_for_another_system(evaluation: &Evaluation, compile: &Compile) -> bool {
    let is_other = |os: &str| !os.is_empty() && os != "linux" && os != evaluation.platform.os();
    match compile.machine.platform() {
        Some(platform) => is_other(platform.os()),
        None => compile
            .settings
            .iter()
            .filter(|s| s.name == "GOOS")
            .any(|s| s.value.as_known().is_some_and(|os| is_other(&os))),
    }
}

/// Whether the image's own stages copy from a stage. What `make` leaves is not known by name.
fn is_copied_from(evaluation: &Evaluation, stage: &Stage, chain: &[usize]) -> bool {
    chain.iter().filter_map(|i| evaluation.stages.get(*i)).flat_map(Stage::effects).any(
        |(_, effect)| {
            matches!(&effect.kind, EffectKind::Copy(copy)
                if copy.from == CopyFrom::Stage(stage.index))
        },
    )
}

/// A word that ties a compilation to a wrong machine.
pub(crate) struct TiedTo<'e> {
    pub(crate) found: FoundWord,
    /// The machine, as a platform.
    pub(crate) machine: String,
    pub(crate) certain: bool,
    /// The build stops, and makes no wrong binary.
    pub(crate) stops: bool,
    /// GOARCH, if it is that.
    setting: Option<&'e Setting>,
}

/// The author's own word that ties a compilation to another machine than the target's.
pub(crate) fn tied_to<'e>(
    evaluation: &Evaluation,
    stage: &Stage,
    effect: &Effect,
    compile: &'e Compile,
) -> Option<TiedTo<'e>> {
    if let Some(found) = fixed_target::word(evaluation, stage, compile) {
        let machine = compile.machine.platform()?.to_string();
        return Some(TiedTo { found, machine, certain: true, stops: false, setting: None });
    }
    let setting = compile.settings.iter().find(|s| s.name == "GOARCH")?;
    let (certain, machine) = match compile.machine.platform() {
        Some(p) if compile.machine.is_wrong_for(&evaluation.platform) => {
            (compile.tool == Tool::Go && effect.certain, p.to_string())
        }
        // `make` reads GOARCH, if it builds Go at all.
        None if compile.tool == Tool::Make => (false, wrong_literal(evaluation, &setting.value)?),
        _ => return None,
    };
    let words = literal_words(&setting.value);
    let [found] = words.as_slice() else { return None };
    if !is_literal(&setting.value)
        || is_platform_arg_default(&found.piece)
        || base_says_the_same(evaluation, stage, &found.word)
    {
        return None;
    }
    let stops = compile.cgo.as_ref().is_some_and(is_stuck) && compile.cross == Truth::Yes;
    Some(TiedTo { found: found.clone(), machine, certain, stops, setting: Some(setting) })
}

/// Whether the stage also builds for the target, because something says so.
fn also_right(evaluation: &Evaluation, stage: &Stage) -> bool {
    stage.effects().any(|(_, e)| match &e.kind {
        EffectKind::Compile(c) => {
            matches!(c.machine.source, MachineSource::Setting { .. })
                && c.machine.platform().is_some()
                && !c.machine.is_wrong_for(&evaluation.platform)
        }
        _ => false,
    })
}

fn check_go(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    (stage, step, effect): (&Stage, &Step, &Effect),
    compile: &Compile,
    sink: &mut Sink<'_>,
) {
    let Some(tied) = tied_to(evaluation, stage, effect, compile) else { return };
    if tied.setting.is_none() || belongs_elsewhere(evaluation, &tied.found.piece) {
        return;
    }
    let (machine, stops) = (tied.machine.clone(), tied.stops);
    let finding = Finding::new(tied.found.span, &evaluation.platform, move |on| match stops {
        true => format!(
            "the build for {on} compiles for {machine}, with cgo and the C compiler of the stage's \
             own platform, which can't: GOARCH is tied to it"
        ),
        false => format!("the binary in the image for {on} is for {machine}: GOARCH is tied to it"),
    })
    .help("GOARCH=$TARGETARCH builds for each target; the stage has to declare `ARG TARGETARCH`");
    sink.report(tied.complete(cx, evaluation, (stage, step, effect), finding));
}

impl TiedTo<'_> {
    /// Adds what happens, how sure that is, where, and the fix.
    pub(crate) fn complete(
        &self,
        cx: &Context<'_>,
        evaluation: &Evaluation,
        (stage, step, effect): (&Stage, &Step, &Effect),
        mut finding: Finding,
    ) -> Finding {
        if self.stops {
            finding = finding.effect(Harm::BuildFails);
        }
        if !self.certain {
            finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
        }
        finding = with_trail(finding, &self.found.piece).related(effect.span, "it is built here");
        let fix = self.setting.and_then(|s| fix(cx, evaluation, stage, step, s, &self.found));
        finding.maybe_fix(fix)
    }
}

/// With cgo on, a cross build without a cross compiler stops.
fn is_stuck(cgo: &Cgo) -> bool {
    cgo.enabled == Truth::Yes && cgo.setting.is_some() && cgo.cross_compiler.is_none()
}

fn wrong_literal(evaluation: &Evaluation, value: &Value) -> Option<String> {
    let text = value.as_known()?;
    (*text != *evaluation.platform.arch()).then(|| format!("linux/{text}"))
}

fn fix(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    step: &Step,
    setting: &Setting,
    found: &FoundWord,
) -> Option<ProposedFix> {
    let place = found.place?;
    let from = found.word.platforms.first()?;
    if !setting.value.is(from.arch()) {
        return None;
    }
    let braces = cx
        .file
        .text
        .as_bytes()
        .get(place.end as usize)
        .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let text = if braces { "${TARGETARCH}" } else { "$TARGETARCH" };
    let mut edits = EditSet::from_edits([Edit { span: place, text: text.to_owned() }]).ok()?;
    // A default before the first FROM sees the platform arguments without a declaration.
    let (index, _) = cx.instruction_at(place.start)?;
    if index > stage.from || instruction_in_stage(cx, stage, place).is_some() {
        let user = index.min(step.instruction);
        let shared = root_stage(evaluation, stage).platform.role != RunsOn::Target;
        if let Some(edit) = edit::declare(cx.file, evaluation, stage, user, &["TARGETARCH"], shared)
        {
            edits.insert(edit).ok()?;
        }
    }
    Some(ProposedFix::safe("build for the target's architecture", edits).keeping(from))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "hardcoded-goarch")
    }

    #[test]
    fn rust_without_a_linker_for_it_stops() {
        for (before, want) in [
            ("", mlint_lint::Effect::BuildFails),
            ("RUN apt-get install -y gcc-x86-64-linux-gnu", mlint_lint::Effect::WrongBinary),
            ("ENV RUSTFLAGS=-Clinker=rust-lld", mlint_lint::Effect::WrongBinary),
        ] {
            let text = format!(
                "FROM rust:1.92-bookworm AS b\n{before}\nCOPY . .\nRUN cargo build --release \\\n  \
                 --target x86_64-unknown-linux-gnu && cp \\\n  \
                 target/x86_64-unknown-linux-gnu/release/app /app\nFROM debian:12\n\
                 COPY --from=b /app /app\n"
            );
            let report = harness().report(&text);
            assert_eq!(report.diagnostics[0].effect, want, "{before}");
        }
    }

    #[test]
    fn in_front_of_the_command() {
        let found = harness().check(
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o /app .
                                                           ^^^^^ error: hardcoded-goarch: the image for linux/arm64 is for linux/amd64
            FROM scratch
            COPY --from=build /app /app
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn through_env() {
        harness().check_fix(
            r"
            FROM golang:1.23 AS build
            ENV CGO_ENABLED=0 \
                GOARCH=amd64
            COPY . /src
            RUN cd /src && go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
            r"
            FROM golang:1.23 AS build
            ARG TARGETARCH
            ENV CGO_ENABLED=0 \
                GOARCH=$TARGETARCH
            COPY . /src
            RUN cd /src && go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn through_an_exported_variable() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            COPY . /src
            RUN export GOARCH=amd64 CGO_ENABLED=0; cd /src && go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            COPY . /src
            ARG TARGETARCH
            RUN export GOARCH=$TARGETARCH CGO_ENABLED=0; cd /src && go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn targets_of_other_toolchains() {
        harness().check(
            r"
            FROM --platform=$BUILDPLATFORM rust:1.77 AS build
            WORKDIR /src
            COPY . .
            RUN cargo build --release --target x86_64-unknown-linux-gnu
                                               ^^^^^^^^^^^^^^^^^^^^^^^^ error: hardcoded-goarch: --target says 'x86_64-unknown-linux-gnu'
            FROM debian:12
            COPY --from=build /src/target/x86_64-unknown-linux-gnu/release/app /app
            ",
        );
        harness().silent(
            r#"
            FROM --platform=$BUILDPLATFORM rust:1.77 AS build
            ARG TARGETARCH
            WORKDIR /src
            COPY . .
            RUN case "$TARGETARCH" in amd64) T=x86_64 ;; arm64) T=aarch64 ;; esac; \
                cargo build --release --target $T-unknown-linux-gnu && cp target/*/release/app /app
            FROM debian:12
            COPY --from=build /app /app
            "#,
        );
    }

    #[test]
    fn a_program_for_another_system_excuses_no_other() {
        harness().check(
            r"
            FROM golang:1.23 AS build
            RUN GOOS=windows GOARCH=amd64 go build -o /out/app.exe /src
            RUN GOOS=linux GOARCH=amd64 go build -o /out/app /src
                                  ^^^^^ error: hardcoded-goarch
            FROM debian:12
            COPY --from=build /out/app.exe /srv/app.exe
            COPY --from=build /out/app /usr/local/bin/app
            ",
        );
    }

    #[test]
    fn silent_where_it_follows_the_target_or_is_meant() {
        for text in [
            r"
            FROM golang:1.23 AS build
            ARG TARGETARCH
            RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
            r"
            FROM golang:1.23 AS build
            RUN for arch in amd64 arm64; do GOARCH=$arch CGO_ENABLED=0 go build -o /out/app-$arch .; done
            FROM scratch
            ARG TARGETARCH
            COPY --from=build /out/app-$TARGETARCH /app
            ",
            r#"
            FROM golang:1.23 AS build
            ARG TARGETARCH
            RUN if [ "$TARGETARCH" = amd64 ]; then GOARCH=amd64 GOAMD64=v2 go build -o /app .; else go build -o /app .; fi
            FROM scratch
            COPY --from=build /app /app
            "#,
            // Programs to hand out, for other systems.
            r"
            FROM golang:1.23 AS build
            RUN GOOS=windows GOARCH=amd64 CGO_ENABLED=0 go build -o /out/app.exe /src
            RUN GOOS=darwin GOARCH=arm64 go build -o /out/app-mac /src
            FROM debian:12
            COPY --from=build /out/app.exe /srv/downloads/app.exe
            COPY --from=build /out/app-mac /srv/downloads/app-mac
            ",
            // A generator that runs on the build machine.
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETARCH
            RUN GOARCH=amd64 CGO_ENABLED=0 go build -o /tmp/gen ./gen && /tmp/gen
            RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        ] {
            harness().silent(text);
        }
    }
}
