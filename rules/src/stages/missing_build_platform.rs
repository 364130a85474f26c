//! `missing-build-platform`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink, edit};
use mlint_model::{Compile, EffectKind, Evaluation, MachineKind, Stage, Step, Tool, Truth};
use mlint_syntax::{EditSet, Span};

use crate::{cross, repair, support::final_chain};

mlint_lint::declare_rule! {
    /// A stage compiles something that could be made on the build machine for any target, but is
    /// run for each target, under emulation: a Go program without cgo, a Java archive, a web
    /// front end. Emulated compilers are five to twenty times slower, and some crash.
    ///
    /// `FROM --platform=$BUILDPLATFORM` runs the stage natively; Go then compiles for the target
    /// with `GOOS=$TARGETOS GOARCH=$TARGETARCH`, and what runs everywhere needs nothing more.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM golang:1.23 AS build
    /// WORKDIR /src
    /// COPY . .
    /// RUN CGO_ENABLED=0 go build -o /out/app .
    ///
    /// FROM scratch
    /// COPY --from=build /out/app /app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM golang:1.23 AS build
    /// WORKDIR /src
    /// COPY . .
    /// ARG TARGETOS TARGETARCH
    /// RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app .
    ///
    /// FROM scratch
    /// COPY --from=build /out/app /app
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the image itself is made of the stage, or more than the compiled files is copied out
    ///   of it;
    /// - when cgo takes part, on purpose or because nothing is said and a C compiler is there;
    /// - for .NET, whose `publish` writes a launcher for the machine that it runs on;
    /// - for compilers that need a cross toolchain to be set up (C, Rust).
    ///
    /// ## Fix
    ///
    /// For Go with `CGO_ENABLED=0`: `--platform=$BUILDPLATFORM`, the arguments, and `GOOS` and
    /// `GOARCH` (safe). For what runs everywhere: the flag alone, which needs a look, since a build
    /// script may do more than its name says.
    ///
    /// ## Proof
    ///
    /// None by a build: nothing fails: the images are the same before and after, and only the time
    /// that they take differs.
    pub struct MissingBuildPlatform {
        name: "missing-build-platform",
        group: Stages,
        summary: "A compile stage is emulated although it could cross-compile",
        severity: Advice,
        confidence: High,
        effect: Emulated,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for MissingBuildPlatform {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            let chain = final_chain(evaluation);
            for stage in evaluation.reachable() {
                if !chain.contains(&stage.index) {
                    check_stage(cx, evaluation, stage, sink);
                }
            }
        }
    }
}

fn check_stage(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage, sink: &mut Sink<'_>) {
    if !repair::can_move(evaluation, stage) {
        return;
    }
    let emulated: Vec<&Step> = stage.steps.iter().filter(|s| s.emulated).collect();
    let Some(kind) = kind(evaluation, stage) else { return };
    let Some((_, compile)) = emulated.iter().find_map(|step| {
        step.effects.iter().find_map(|e| match &e.kind {
            EffectKind::Compile(compile) => Some((step, (e.span, compile))),
            _ => None,
        })
    }) else {
        return;
    };
    report(cx, evaluation, stage, kind, compile, sink);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Cross-compiles by two variables.
    Go,
    /// Makes what runs everywhere.
    Independent,
}

/// How the stage could be built on another machine; `None` if it can't, or it can't be told.
fn kind(evaluation: &Evaluation, stage: &Stage) -> Option<Kind> {
    let compiles = repair::compiles(stage);
    if compiles.is_empty() {
        return None;
    }
    if compiles.iter().all(|c| c.tool == Tool::Go) {
        let pure = compiles.iter().all(|c| {
            c.cross != Truth::Yes
                && c.cgo
                    .as_ref()
                    .is_some_and(|cgo| cgo.enabled == Truth::No && cgo.cross_compiler.is_none())
        });
        return (pure && takes_only_outputs(evaluation, stage, &compiles)).then_some(Kind::Go);
    }
    // `dotnet publish` also writes a launcher for the machine that it runs on.
    let independent = compiles.iter().all(|c| {
        matches!(c.tool, Tool::Java | Tool::Node) && c.machine.kind == MachineKind::Independent
    });
    let copied: Vec<_> = evaluation
        .stages
        .iter()
        .flat_map(|s| s.files.values())
        .filter(|a| {
            a.way.len() > 1 && a.way.first().is_some_and(|station| station.stage == stage.index)
        })
        .collect();
    let all_independent =
        !copied.is_empty() && copied.iter().all(|a| a.machine.kind == MachineKind::Independent);
    (independent && all_independent).then_some(Kind::Independent)
}

/// Whether nothing but what is compiled is copied out of the stage.
fn takes_only_outputs(evaluation: &Evaluation, stage: &Stage, compiles: &[&Compile]) -> bool {
    let known: Vec<&String> = compiles.iter().flat_map(|c| &c.outputs).collect();
    repair::all_copied_fit(evaluation, stage, |path| {
        known.iter().any(|out| repair::is_at(out, path)) || is_data(path)
    })
}

/// Files that every platform has alike.
fn is_data(path: &str) -> bool {
    ["/etc/ssl/", "/etc/passwd", "/etc/group", "/usr/share/zoneinfo", "/usr/share/ca-certificates"]
        .iter()
        .any(|known| format!("{path}/").starts_with(known))
        || path.ends_with("/zoneinfo.zip")
        || [".html", ".json", ".yaml", ".yml", ".toml", ".sql", ".txt", ".md", ".pem", ".crt"]
            .iter()
            .any(|end| path.ends_with(end))
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    kind: Kind,
    compile: (Span, &Compile),
    sink: &mut Sink<'_>,
) {
    let Some(from) = cx.file.instructions.get(stage.from) else { return };
    let flag = edit::set_flag(from, "platform", "$BUILDPLATFORM");
    let (what, fix) = match kind {
        Kind::Go => (
            "Go can compile for it on the build machine",
            cross::go_fix_with(
                cx,
                evaluation,
                stage,
                "cross-compile on the build machine",
                &[flag],
            ),
        ),
        Kind::Independent => (
            "what it makes runs everywhere",
            EditSet::from_edits([flag]).ok().map(|edits| {
                ProposedFix::needs_look("run the stage on the build machine", edits)
                    .because("a build script may make more than its name says")
            }),
        ),
    };
    let mut finding = Finding::new(stage.base_span, &evaluation.platform, move |on| {
        format!("this stage is emulated in the build for {on}, but {what}")
    })
    .help("FROM --platform=$BUILDPLATFORM runs it natively, once for all targets where it can")
    .related(compile.0, "it compiles here");
    if kind == Kind::Go {
        finding = finding.help(
            "FROM --platform=$BUILDPLATFORM, and GOOS=$TARGETOS GOARCH=$TARGETARCH for the build",
        );
    }
    sink.report(finding.maybe_fix(fix));
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "missing-build-platform")
    }

    #[test]
    fn an_emulated_go_build() {
        let found = harness().check(
            r"
            FROM golang:1.23 AS build
                 ^^^^^^^^^^^ advice: missing-build-platform: emulated in the build for linux/arm64
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /out/app .
            FROM scratch
            COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
            COPY --from=build /out/app /app
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn the_idiom_is_put_in_whole() {
        harness().check_fix(
            r"
            FROM golang:1.23-alpine AS build
            RUN apk add --no-cache git
            WORKDIR /src
            COPY . .
            ENV CGO_ENABLED=0
            RUN go build -o /out/app ./cmd/app \
             && go build -o /out/ctl ./cmd/ctl

            FROM alpine:3.20
            COPY --from=build /out/ /usr/local/bin/
            ",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23-alpine AS build
            RUN apk add --no-cache git
            WORKDIR /src
            COPY . .
            ENV CGO_ENABLED=0
            ARG TARGETOS TARGETARCH
            RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/app ./cmd/app \
             && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/ctl ./cmd/ctl

            FROM alpine:3.20
            COPY --from=build /out/ /usr/local/bin/
            ",
        );
    }

    #[test]
    fn a_goos_that_is_there_stays() {
        harness().check_fix(
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOOS=linux go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            COPY . /src
            ARG TARGETARCH
            RUN cd /src && CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn the_flag_alone_where_the_build_follows_the_target_already() {
        harness().check_fix(
            r"
            FROM golang:1.23 AS build
            ARG TARGETOS TARGETARCH
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
            r"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETOS TARGETARCH
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn a_web_front_end() {
        harness().check_unsafe_fix(
            r"
            FROM node:20 AS web
            WORKDIR /src
            COPY . .
            RUN npm ci && npm run build
            FROM nginx:1.27
            COPY --from=web /src/dist /usr/share/nginx/html
            ",
            r"
            FROM --platform=$BUILDPLATFORM node:20 AS web
            WORKDIR /src
            COPY . .
            RUN npm ci && npm run build
            FROM nginx:1.27
            COPY --from=web /src/dist /usr/share/nginx/html
            ",
        );
    }

    #[test]
    fn silent_where_it_would_change_more() {
        for text in [
            // The stage is the image.
            "FROM golang:1.23\nCOPY . /src\nRUN cd /src && CGO_ENABLED=0 go build -o /app .\n",
            // cgo is wanted.
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=1 go build -o /app .
            FROM debian:12
            COPY --from=build /app /app
            ",
            // cgo may be in it.
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && go build -o /app .
            FROM debian:12
            COPY --from=build /app /app
            ",
            // More is taken from the stage than what it compiles.
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 go build -o /app .
            FROM debian:12
            COPY --from=build /app /app
            COPY --from=build /usr/local/go /usr/local/go
            ",
            // Compiled parts come with it.
            r"
            FROM node:20 AS deps
            WORKDIR /src
            COPY . .
            RUN npm ci && npm run build
            FROM node:20-slim
            COPY --from=deps /src/node_modules /app/node_modules
            COPY --from=deps /src/dist /app/dist
            ",
            // C needs a cross toolchain.
            r"
            FROM gcc:12 AS build
            COPY a.c /
            RUN gcc -o /a /a.c
            FROM debian:12
            COPY --from=build /a /a
            ",
        ] {
            harness().silent(text);
        }
    }
}
