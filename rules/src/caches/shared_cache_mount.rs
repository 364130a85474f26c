//! `shared-cache-mount`

use mlint_lint::{Confidence, Context, Finding, Meta, ProposedFix, Rule, Severity, Sink, edit};
use mlint_model::{Command, Compile, EffectKind, Evaluation, Linkage, RunsOn, Stage, Step, Tool};
use mlint_oci::Platform;
use mlint_syntax::{Edit, EditSet, Span};

use crate::support::{is_literal, root_stage};

mlint_lint::declare_rule! {
    /// A cache mount keeps what `make`, `ninja`, CMake or Meson compile, and the builds for all
    /// platforms share it: BuildKit keys a cache by its `id`, or by its target path where it has
    /// none, and the platform is no part of that. These tools look at times and not at machines.
    /// The second platform's build takes the first one's objects for up to date: it links what
    /// does not fit, or ships the other machine's program.
    ///
    /// mlint's own builder keeps caches without an `id` apart by architecture; BuildKit does not.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM gcc:12 AS build
    /// COPY . /src
    /// RUN --mount=type=cache,target=/build \
    ///     cmake -S /src -B /build && cmake --build /build && cp /build/app /app
    /// FROM debian:12
    /// COPY --from=build /app /usr/local/bin/app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM gcc:12 AS build
    /// ARG TARGETARCH
    /// COPY . /src
    /// RUN --mount=type=cache,target=/build,id=build-$TARGETARCH \
    ///     cmake -S /src -B /build && cmake --build /build && cp /build/app /app
    /// FROM debian:12
    /// COPY --from=build /app /usr/local/bin/app
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the id or the path follows the platform;
    /// - when all platforms compile for the same machine there;
    /// - for caches that keep machines apart by themselves, or hold nothing compiled: Go's build
    ///   cache, `cargo`'s target folder, ccache's, the archives of apt, pip's wheels, npm's
    ///   downloads;
    /// - when it is not known where the build tool works, or for which machine.
    ///
    /// ## Fix
    ///
    /// The id gets the target's architecture: safe. The first build after it starts with an empty
    /// cache.
    pub struct SharedCacheMount {
        name: "shared-cache-mount",
        group: Caches,
        summary: "Builds for several platforms share a cache of compiled files",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for SharedCacheMount {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        let first = cx.evaluations.iter().find(|e| e.platform == e.build_platform);
        let Some(first) = first.or(cx.evaluations.first()) else { return };
        for stage in first.reachable() {
            for step in &stage.steps {
                for ours in shared(stage, step) {
                    for evaluation in cx.evaluations {
                        check_other(cx, &ours, evaluation, stage.index, step.instruction, sink);
                    }
                }
            }
        }
    }
}

/// A cache mount that a build tool fills with machine code.
struct Filled {
    /// The mount's flag.
    mount: Span,
    id: String,
    /// Where it is mounted, as written; the id can be changed in the text.
    target: String,
    explicit: bool,
    literal: bool,
    machine: Platform,
    /// The command that fills it.
    by: Span,
    certain: bool,
}

/// The other platform's build fills the same cache with something else.
fn check_other(
    cx: &Context<'_>,
    ours: &Filled,
    evaluation: &Evaluation,
    stage: usize,
    instruction: usize,
    sink: &mut Sink<'_>,
) {
    let Some(stage) = evaluation.stages.get(stage).filter(|s| s.reachable) else { return };
    let Some(step) = stage.steps.iter().find(|s| s.instruction == instruction) else { return };
    let theirs = shared(stage, step).find(|theirs| {
        theirs.mount == ours.mount
            && theirs.id == ours.id
            && theirs.machine.arch() != ours.machine.arch()
    });
    if let Some(theirs) = theirs {
        report(cx, evaluation, stage, ours, &theirs, step, sink);
    }
}

/// The caches that a step's build tools fill, as far as all of it is known.
fn shared<'e>(stage: &'e Stage, step: &'e Step) -> impl Iterator<Item = Filled> + use<'e> {
    step.effects.iter().filter_map(move |effect| {
        let EffectKind::CacheMount { id, explicit_id, target, compiles, .. } = &effect.kind else {
            return None;
        };
        let folder = target.as_known()?;
        let folder = folder.trim_end_matches('/').to_owned();
        if !folder.starts_with('/') || folder.is_empty() {
            return None;
        }
        let writer = step.effects.iter().find_map(|e| {
            let EffectKind::Compile(compile) = &e.kind else { return None };
            let inside = compiles.contains(&e.span) && fills(compile, &folder)
                || is_plain_make(stage, step, e.span, compile, &folder);
            let machine = compile.machine.platform().filter(|_| inside)?;
            let sure = e.certain && !compile.outputs.is_empty();
            Some((e.span, machine.clone(), sure))
        });
        let (by, machine, certain) = writer?;
        Some(Filled {
            mount: effect.span,
            id: id.as_known()?.into_owned(),
            target: folder,
            explicit: *explicit_id,
            literal: is_literal(id),
            machine,
            by,
            certain,
        })
    })
}

/// Whether a tool that looks at times only works in a folder of the cache.
fn fills(compile: &Compile, folder: &str) -> bool {
    compile.tool == Tool::Make && compile.outputs.iter().any(|path| is_in(path, folder))
}

/// Whether `make` is called in the cache where C is the only language that there is a compiler for.
fn is_plain_make(stage: &Stage, step: &Step, span: Span, compile: &Compile, folder: &str) -> bool {
    let c_only = compile.tool == Tool::Make
        && compile.outputs.is_empty()
        && compile.linkage != Linkage::Unknown
        && compile.settings.is_empty();
    c_only && stage.platform.platform.is_some() && works_in(step, span, folder)
}

/// Whether the command at `span` works in a folder.
fn works_in(step: &Step, span: Span, folder: &str) -> bool {
    step.effects.iter().any(|e| match &e.kind {
        EffectKind::Command(Command { directory: Some(directory), argv, .. }) if e.span == span => {
            let elsewhere = argv.iter().any(|a| a.value.known_prefix().starts_with("-C"));
            !elsewhere && is_in(directory, folder)
        }
        _ => false,
    })
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    ours: &Filled,
    theirs: &Filled,
    step: &Step,
    sink: &mut Sink<'_>,
) {
    let machine = ours.machine.to_string();
    let mut finding = Finding::new(ours.mount, &evaluation.platform, move |on| {
        format!("the build for {on} takes what was compiled for {machine}: both fill this cache")
    })
    .related(theirs.by, "what is compiled here is kept in it")
    .help("give the cache an id with the architecture in it: id=…-$TARGETARCH");
    if !ours.certain || !theirs.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    let fix = id_edit(cx, ours).and_then(|edit| {
        let names = arch_arguments(cx);
        let shared = root_stage(evaluation, stage).platform.role == RunsOn::Build;
        let declared = edit::declare(cx.file, evaluation, stage, step.instruction, names, shared);
        let edits = EditSet::from_edits(declared.into_iter().chain([edit])).ok()?;
        Some(ProposedFix::safe("keep a cache per architecture", edits).unseen())
    });
    sink.report(finding.maybe_fix(fix));
}

/// The arguments that tell the platforms asked for apart.
fn arch_arguments(cx: &Context<'_>) -> &'static [&'static str] {
    let platforms = &cx.options.platforms;
    let variants =
        platforms.iter().any(|p| platforms.iter().any(|q| p != q && p.arch() == q.arch()));
    if variants { &["TARGETARCH", "TARGETVARIANT"] } else { &["TARGETARCH"] }
}

/// The mount with an id that follows the architecture.
fn id_edit(cx: &Context<'_>, ours: &Filled) -> Option<Edit> {
    let text = cx.text(ours.mount);
    if text.contains(['"', '\'', '\\', '`']) || !ours.literal {
        return None;
    }
    let suffix: String = arch_arguments(cx).iter().map(|name| format!("${name}")).collect();
    let options = text.strip_prefix("--mount=")?;
    if !ours.explicit {
        let name = ours.target.trim_matches('/').replace('/', "-");
        let text = format!(",id={name}-{suffix}");
        return Some(Edit { span: Span::empty(ours.mount.end), text });
    }
    let mut at = ours.mount.start + "--mount=".len() as u32;
    for option in options.split(',') {
        let end = at + option.len() as u32;
        if option.starts_with("id=") {
            return Some(Edit { span: Span::empty(end), text: format!("-{suffix}") });
        }
        at = end + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "shared-cache-mount")
    }

    #[test]
    fn build_folders_of_native_and_cross_compilers() {
        let found = harness().check(
            r"
            FROM gcc:12 AS build
            COPY . /src
            RUN --mount=type=cache,target=/build cmake -S /src -B /build -G Ninja && ninja -C /build && cp /build/app /app
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: shared-cache-mount: the build for linux/arm64 takes what was compiled for linux/amd64: both fill this cache
            RUN --mount=type=cache,id=objects,target=/o cd /o && make -f /src/Makefile CC=gcc && cp tool /tool
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: shared-cache-mount
            RUN --mount=type=cache,target=/m meson setup /m /src && meson compile -C /m && cp /m/x /x
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: shared-cache-mount
            FROM debian:12
            COPY --from=build /app /tool /x /usr/local/bin/
            ",
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
        harness().check(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG TARGETARCH
            COPY . /src
            RUN --mount=type=cache,target=/b \
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: shared-cache-mount: takes what was compiled for linux/amd64
                case $TARGETARCH in arm64) cc=aarch64-linux-gnu-gcc ;; *) cc=x86_64-linux-gnu-gcc ;; esac \
             && cmake -S /src -B /b -DCMAKE_C_COMPILER=$cc && cmake --build /b && cp /b/app /app
            FROM debian:12
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn make_in_the_cache_may_make_something_else() {
        harness().check(
            r"
            FROM debian:12 AS build
            RUN apt-get update && apt-get install -y gcc make
            WORKDIR /work
            RUN --mount=type=cache,target=/work cp -ru /src/. . && make && cp app /app
                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ warning: shared-cache-mount
            FROM debian:12
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn the_id_gets_the_architecture() {
        harness().check_fix(
            r"
            FROM gcc:12 AS build
            COPY . /src
            RUN --mount=type=cache,target=/src/out,sharing=locked cmake -S /src -B /src/out && cmake --build /src/out
            RUN --mount=type=cache,id=b,target=/b cmake -S /src -B /b && cmake --build /b
            ",
            r"
            FROM gcc:12 AS build
            ARG TARGETARCH
            COPY . /src
            RUN --mount=type=cache,target=/src/out,sharing=locked,id=src-out-$TARGETARCH cmake -S /src -B /src/out && cmake --build /src/out
            RUN --mount=type=cache,id=b-$TARGETARCH,target=/b cmake -S /src -B /b && cmake --build /b
            ",
        );
        harness().platforms(&["linux/amd64", "linux/arm/v6", "linux/arm/v7"]).check_fix(
            "FROM gcc:12\nARG TARGETARCH\nRUN --mount=type=cache,target=/b cmake -S /s -B /b && cmake --build /b\n",
            "FROM gcc:12\nARG TARGETVARIANT\nARG TARGETARCH\nRUN --mount=type=cache,target=/b,id=b-$TARGETARCH$TARGETVARIANT cmake -S /s -B /b && cmake --build /b\n",
        );
    }

    #[test]
    fn silent_where_caches_are_apart_or_hold_something_else() {
        let cmake = "cmake -S /src -B /b && cmake --build /b && cp /b/app /app";
        for run in [
            format!("--mount=type=cache,id=b-$TARGETARCH,target=/b {cmake}"),
            format!("--mount=type=cache,target=/b-$TARGETPLATFORM {cmake}"),
            format!("--mount=type=cache,target=/root/.cache/ccache {cmake}"),
            format!("--mount=type=cache,target=/var/cache/apt apt-get install -y make && {cmake}"),
            "--mount=type=cache,target=/root/.cache/go-build make build".to_owned(),
            "--mount=type=cache,target=/root/.cache/go-build go build -o /app .".to_owned(),
            "--mount=type=cache,target=/src/target cargo build --release".to_owned(),
            "--mount=type=cache,target=/o gcc -o /o/app /src/app.c && cp /o/app /app".to_owned(),
            "--mount=type=cache,target=/work make -C /elsewhere".to_owned(),
            format!("--mount=type=tmpfs,target=/b {cmake}"),
        ] {
            harness().silent(&format!(
                "FROM gcc:12 AS build\nARG TARGETARCH TARGETPLATFORM\nWORKDIR /src\nRUN {run}\nFROM debian:12\n\
                 COPY --from=build /app /app\n"
            ));
        }
        // Always for the machine that builds.
        harness().silent(
            "FROM --platform=$BUILDPLATFORM gcc:12 AS build\nRUN --mount=type=cache,target=/b cmake -S /s -B /b && cmake --build /b && /b/gen > /data\nFROM debian:12\nCOPY --from=build /data /data\n",
        );
        // Go or C: a Makefile that is not known.
        harness().silent(
            "FROM golang:1.23 AS build\nRUN --mount=type=cache,target=/go cd /go/src/app && make && cp app /app\nFROM debian:12\nCOPY --from=build /app /app\n",
        );
        harness().platforms(&["linux/amd64"]).silent(
            "FROM gcc:12\nRUN --mount=type=cache,target=/b cmake -S /s -B /b && cmake --build /b\n",
        );
    }
}
