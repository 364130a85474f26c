//! `cgo-cross-compile`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink, edit};
use mlint_model::{Cgo, Effect, EffectKind, Evaluation, RunsOn, Stage, Tool, Truth};
use mlint_syntax::{Edit, EditSet};

use crate::support::{is_literal, root_stage, with_trail};

mlint_lint::declare_rule! {
    /// A Go program is cross-compiled with cgo switched on, and nothing names a C compiler for the
    /// target. Go then hands the target's C and assembler files to the build machine's `gcc`,
    /// which stops with errors such as `gcc: error: unrecognized command-line option '-marm'` or
    /// `Error: no such instruction`.
    ///
    /// Either the program does not need cgo: then `CGO_ENABLED=0` says so. Or it needs a cross
    /// compiler (`CC=aarch64-linux-gnu-gcc` with the target's headers, `zig cc`, or the `xx`
    /// helpers). Or it is built for each target on that target, under emulation.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM golang:1.23 AS build
    /// ARG TARGETARCH
    /// COPY . /src
    /// RUN cd /src && CGO_ENABLED=1 GOARCH=$TARGETARCH go build -o /out/app .
    ///
    /// FROM debian:12
    /// COPY --from=build /out/app /usr/local/bin/app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM golang:1.23 AS build
    /// ARG TARGETARCH
    /// COPY . /src
    /// RUN cd /src && CGO_ENABLED=1 GOARCH=$TARGETARCH go build -o /out/app .
    ///
    /// FROM debian:12
    /// COPY --from=build /out/app /usr/local/bin/app
    /// ```
    ///
    /// ## Silent
    ///
    /// - when `CC` or `CC_FOR_TARGET` is set, or `xx-go` builds;
    /// - when nothing says `CGO_ENABLED`: Go switches cgo off by itself in a cross build;
    /// - when the value of `CGO_ENABLED` is not known.
    ///
    /// ## Fix
    ///
    /// The stage is built on the target platform, emulated: safe, the build for the build platform
    /// is unchanged. Or `CGO_ENABLED=0`: unsafe, since the program may need cgo.
    pub struct CgoCrossCompile {
        name: "cgo-cross-compile",
        group: Libc,
        summary: "Go cross-compiles with cgo on and without a C compiler for the target",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for CgoCrossCompile {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for (stage, _, effect) in evaluation.effects() {
                let EffectKind::Compile(compile) = &effect.kind else { continue };
                let Some(cgo) = &compile.cgo else { continue };
                let broken = compile.tool == Tool::Go
                    && compile.cross == Truth::Yes
                    && cgo.enabled == Truth::Yes
                    && cgo.cross_compiler.is_none();
                // A GOARCH that is tied to one architecture is another rule's matter.
                let meant = !compile.machine.is_wrong_for(&evaluation.platform);
                if broken && meant && !is_helped(stage, effect) {
                    report(cx, evaluation, stage, effect, cgo, &compile.machine.to_string(), sink);
                }
            }
        }
    }
}

/// Whether a wrapper takes care of the compiler.
fn is_helped(stage: &Stage, effect: &Effect) -> bool {
    stage.effects().any(|(_, e)| match &e.kind {
        EffectKind::Command(command) => {
            let name = command.name();
            let name = name.as_deref().unwrap_or_default();
            name == "xx-go" && e.span == effect.span || name == "goxx-go"
        }
        _ => false,
    })
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    effect: &Effect,
    cgo: &Cgo,
    machine: &str,
    sink: &mut Sink<'_>,
) {
    let setting = cgo.setting.as_ref();
    let literal = setting.filter(|v| is_literal(v)).and_then(|v| v.pieces().first());
    let machine = machine.to_owned();
    let mut finding = Finding::new(effect.span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} fails: cgo is on, and the build machine's C compiler can't make \
             code for {machine}"
        )
    })
    .help(
        "switch cgo off if the program does not need it, give a cross compiler with CC=…, or build \
         this stage on the target",
    );
    if let Some(piece) = literal {
        finding = with_trail(finding.related(piece.span, "cgo is switched on here"), piece);
    }
    let root = root_stage(evaluation, stage);
    if let Some(flag) = root.platform.flag_span {
        finding = finding.related(flag, "the stage runs on the build platform");
    }
    let native = (root.platform.role == RunsOn::Build)
        .then(|| cx.file.instructions.get(root.from))
        .flatten()
        .and_then(|from| edit::remove_flag(cx.file, from, "platform"))
        .and_then(|edit| EditSet::from_edits([edit]).ok())
        .map(|edits| {
            ProposedFix::safe("build the stage on the target platform (emulated)", edits)
                .keeping(&evaluation.build_platform)
        });
    let pure = literal
        .filter(|piece| piece.text() == Some("1"))
        .and_then(|piece| {
            EditSet::from_edits([Edit { span: piece.subspan(0..1), text: "0".to_owned() }]).ok()
        })
        .map(|edits| {
            ProposedFix::needs_look("switch cgo off", edits)
                .because("the program may need cgo: a driver for SQLite does, for one")
        });
    sink.report(finding.maybe_fix(native).maybe_fix(pure));
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Applicability, testing::Harness};

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "cgo-cross-compile")
    }

    #[test]
    fn cgo_without_a_cross_compiler() {
        let found = harness().check(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETARCH
            ENV CGO_ENABLED=1
            COPY . /src
            RUN cd /src && GOARCH=$TARGETARCH go build -o /app .
                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: cgo-cross-compile: the build for linux/arm64 fails
            FROM debian:12
            COPY --from=build /app /app
            ",
        );
        let fixes: Vec<_> =
            found[0].fixes.iter().map(|f| (f.title.as_str(), f.applicability)).collect();
        assert_eq!(
            fixes,
            [
                ("build the stage on the target platform (emulated)", Applicability::Safe),
                ("switch cgo off", Applicability::Unsafe),
            ]
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn the_stage_goes_to_the_target() {
        harness().check_fix(
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETOS TARGETARCH
            COPY . /src
            RUN cd /src && CGO_ENABLED=1 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app .
            FROM debian:12
            COPY --from=build /app /app
            ",
            r"
            FROM golang:1.23 AS build
            ARG TARGETOS TARGETARCH
            COPY . /src
            RUN cd /src && CGO_ENABLED=1 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app .
            FROM debian:12
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn silent_with_a_cross_compiler_or_without_cgo() {
        for run in [
            "CGO_ENABLED=1 CC=aarch64-linux-gnu-gcc GOARCH=$TARGETARCH go build -o /app .",
            "CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app .",
            "GOARCH=$TARGETARCH go build -o /app .",
            "CGO_ENABLED=$CGO GOARCH=$TARGETARCH go build -o /app .",
            "CGO_ENABLED=1 go build -o /app .",
            "CGO_ENABLED=1 xx-go build -o /app .",
        ] {
            harness().silent(&format!(
                "FROM --platform=$BUILDPLATFORM golang:1.23 AS build\nARG TARGETARCH\nARG CGO\n\
                 RUN {run}\nFROM debian:12\nCOPY --from=build /app /app\n"
            ));
        }
        harness().silent(
            "FROM golang:1.23 AS build\nARG TARGETARCH\nRUN CGO_ENABLED=1 GOARCH=$TARGETARCH go \
             build -o /app .\nFROM debian:12\nCOPY --from=build /app /app\n",
        );
    }
}
