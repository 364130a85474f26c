//! `missing-cross-libc`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink};
use mlint_model::{
    Argument, Base, Command, Compile, Effect, EffectKind, Evaluation, Install, Manager, Setting,
    Stage, Tool, Truth,
};
use mlint_oci::{
    Platform,
    arch::{Vocabulary, word_for},
};
use mlint_syntax::{Edit, EditSet, Span};

use crate::support::{root_stage, shown};

mlint_lint::declare_rule! {
    /// Debian's and Ubuntu's cross compilers (`gcc-aarch64-linux-gnu`) only *recommend* the C
    /// library of their target. With `--no-install-recommends` it does not come, and the first
    /// program that is linked stops with `cannot find crt1.o`, or before that with `stdio.h: No
    /// such file or directory`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM debian:12 AS build
    /// RUN apt-get update && apt-get install -y --no-install-recommends gcc gcc-aarch64-linux-gnu libc6-dev
    /// COPY app.c /src/
    /// ARG TARGETARCH
    /// RUN if [ "$TARGETARCH" = arm64 ]; then \
    ///       aarch64-linux-gnu-gcc -o /app /src/app.c; \
    ///     else \
    ///       gcc -o /app /src/app.c; \
    ///     fi
    /// FROM debian:12
    /// COPY --from=build /app /usr/local/bin/app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM --platform=$BUILDPLATFORM debian:12 AS build
    /// RUN apt-get update && apt-get install -y --no-install-recommends gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross libc6-dev
    /// COPY app.c /src/
    /// ARG TARGETARCH
    /// RUN if [ "$TARGETARCH" = arm64 ]; then \
    ///       aarch64-linux-gnu-gcc -o /app /src/app.c; \
    ///     else \
    ///       gcc -o /app /src/app.c; \
    ///     fi
    /// FROM debian:12
    /// COPY --from=build /app /usr/local/bin/app
    /// ```
    ///
    /// ## Silent
    ///
    /// - without `--no-install-recommends`: then apt brings the library;
    /// - when another package brings it or may do so: `g++-aarch64-linux-gnu`,
    ///   `crossbuild-essential-arm64`, `libc6-dev:arm64`, anything for that machine, a package
    ///   whose name is not known;
    /// - for what needs no C library: object files, `-nostdlib`, kernels and firmware with
    ///   `CROSS_COMPILE`, Rust for musl; and where `--sysroot` names one;
    /// - where the base image is not known to be plain Debian or Ubuntu.
    ///
    /// ## Fix
    ///
    /// The package goes beside the compiler's. It needs a look: where the compiler is installed for
    /// all platforms, so is the library, and steps that work today install one package more.
    pub struct MissingCrossLibc {
        name: "missing-cross-libc",
        group: Libc,
        summary: "A cross compiler is installed without the C library of its target",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

/// Images that hold no cross compiler's library, by the last part of their names.
const PLAIN: &[&str] =
    &["buildpack-deps", "debian", "gcc", "golang", "node", "python", "ruby", "rust", "ubuntu"];

/// Options with which nothing of the C library is linked, or one from elsewhere.
const WITHOUT: &[&str] = &[
    "-c",
    "-E",
    "-M",
    "-MM",
    "-S",
    "-r",
    "-fsyntax-only",
    "-ffreestanding",
    "-nodefaultlibs",
    "-nolibc",
    "-nostartfiles",
    "-nostdinc",
    "-nostdlib",
];

impl Rule for MissingCrossLibc {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable().filter(|s| is_plain(root_stage(evaluation, s))) {
                check_stage(cx, evaluation, stage, sink);
            }
        }
    }
}

fn is_plain(root: &Stage) -> bool {
    let Base::Image { reference } = &root.base else { return false };
    let reference = shown(reference);
    let name = reference.split('@').next().unwrap_or_default();
    let last = name.rsplit('/').next().unwrap_or_default();
    let (repository, tag) = last.split_once(':').unwrap_or((last, ""));
    PLAIN.contains(&repository) && !tag.contains("alpine") && !tag.contains('*')
}

fn check_stage(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage, sink: &mut Sink<'_>) {
    let mut said: Vec<String> = Vec::new();
    for (_, effect) in stage.effects().filter(|(_, e)| e.certain) {
        let Some(triple) = links_for(stage, effect) else { continue };
        if said.contains(&triple) {
            continue;
        }
        if let Some(compiler) = lacks_library(evaluation, stage, &triple) {
            report(cx, evaluation, &compiler, effect, sink);
            said.push(triple);
        }
    }
}

/// The triple that the effect links a program for with Debian's cross compiler, if it needs the C
/// library for that.
fn links_for(stage: &Stage, effect: &Effect) -> Option<String> {
    match &effect.kind {
        EffectKind::Compile(compile) if compile.cross == Truth::Yes => {
            by_compile(stage, effect, compile)
        }
        // autoconf tries the compiler out before anything else.
        EffectKind::Command(command) if command.name().as_deref() == Some("configure") => {
            let chosen = |name: &str| {
                let begins = |a: &Argument| a.value.known_prefix().starts_with(&format!("{name}="));
                command.argv.iter().any(begins) || command.prefix.iter().any(|(n, _)| n == name)
            };
            let host = command.argv.iter().find_map(|a| {
                let text = a.value.as_known()?;
                text.strip_prefix("--host=").map(str::to_owned)
            });
            host.filter(|_| !chosen("CC") && !chosen("CFLAGS"))
        }
        _ => None,
    }
}

fn by_compile(stage: &Stage, effect: &Effect, compile: &Compile) -> Option<String> {
    let triple = word_for(compile.machine.platform()?, Vocabulary::GnuTriple)?;
    let compiler = format!("{triple}-gcc");
    let names = |text: &str| text.rsplit('/').next() == Some(compiler.as_str());
    let links = match compile.tool {
        Tool::C => {
            let command = command_at(stage, effect.span)?;
            let without = |a: &Argument| {
                let text = a.value.known_prefix();
                WITHOUT.contains(&&*text) || text.starts_with("--sysroot") || text.starts_with("-B")
            };
            names(&shown(&command.argv.first()?.value)) && !command.argv.iter().any(without)
        }
        Tool::Go => {
            let cgo = compile.cgo.as_ref()?;
            let chosen = cgo.cross_compiler.as_ref()?;
            cgo.enabled == Truth::Yes && names(&shown(chosen)) && !has_flags(&compile.settings)
        }
        Tool::Rust => {
            let linker = |s: &Setting| s.name.ends_with("_LINKER") && names(&shown(&s.value));
            let gnu = word_for(compile.machine.platform()?, Vocabulary::RustGnu)?;
            let for_gnu = |s: &Setting| s.value.is(gnu);
            compile.settings.iter().any(linker)
                && compile.settings.iter().any(for_gnu)
                && !has_flags(&compile.settings)
        }
        _ => false,
    };
    links.then(|| triple.to_owned())
}

/// Flags that may name another library.
fn has_flags(settings: &[Setting]) -> bool {
    settings.iter().any(|s| s.name.ends_with("FLAGS") && !s.value.is_empty())
}

fn command_at(stage: &Stage, span: Span) -> Option<&Command> {
    stage.effects().find_map(|(_, e)| match &e.kind {
        EffectKind::Command(command) if e.span == span => Some(command),
        _ => None,
    })
}

/// A cross compiler's package that came without its library.
struct Compiler {
    /// The library's package.
    library: String,
    /// The word that installs the compiler, and the command.
    package: Argument,
    command: Span,
}

/// The compiler for `triple` if it certainly was installed and its library certainly was not.
fn lacks_library(evaluation: &Evaluation, stage: &Stage, triple: &str) -> Option<Compiler> {
    let platform = debian_platform(triple)?;
    let arch = word_for(&platform, Vocabulary::Debian)?;
    let tail = format!("-{}", triple.replace('_', "-"));
    let mut found = None;
    for stage in chain(evaluation, stage) {
        if stage.files.keys().any(|path| is_sysroot(path, triple)) {
            return None;
        }
        for (_, effect) in stage.effects() {
            let EffectKind::Install(install) = &effect.kind else { continue };
            if !matches!(install.manager, Manager::Apt | Manager::Dpkg) {
                continue;
            }
            for (index, package) in install.packages.iter().enumerate() {
                let name = package.value.as_known()?;
                let name = name.split('=').next().unwrap_or_default();
                let is_compiler = name.starts_with("gcc-") && name.ends_with(&tail);
                let is_for_it = is_for(install, index, &platform);
                let tool = ["binutils", "cpp"].iter().any(|t| name.starts_with(t));
                match () {
                    () if is_compiler && effect.certain && is_bare(stage, effect.span) => {
                        found.get_or_insert(Compiler {
                            library: format!("libc6-dev-{arch}-cross"),
                            package: package.clone(),
                            command: effect.span,
                        });
                    }
                    () if is_for_it && !tool => return None,
                    () if name.ends_with(&format!("-{arch}-cross")) => return None,
                    () => {}
                }
            }
        }
    }
    found
}

fn debian_platform(triple: &str) -> Option<Platform> {
    let known = ["amd64", "arm64", "ppc64le", "riscv64", "s390x"];
    let mut platforms: Vec<Platform> = known.iter().map(|arch| Platform::linux(arch)).collect();
    platforms.push(Platform::new("linux", "arm", Some("v7")));
    platforms.into_iter().find(|p| word_for(p, Vocabulary::GnuTriple) == Some(triple))
}

fn is_for(install: &Install, package: usize, platform: &Platform) -> bool {
    install.targets.iter().any(|t| {
        t.package == package && t.machine.platform().is_none_or(|p| p.arch() == platform.arch())
    })
}

/// Whether only what is needed is installed, by an option of the command or by apt's settings.
fn is_bare(stage: &Stage, span: Span) -> bool {
    let off = |text: &str| {
        let text = text.to_ascii_lowercase();
        text == "--no-install-recommends"
            || text.split_once("install-recommends").is_some_and(|(_, value)| {
                let value = value.trim_matches(|c: char| !c.is_ascii_alphanumeric());
                value.starts_with('0') || value.starts_with("false") || value.starts_with("no")
            })
    };
    let by_option = command_at(stage, span)
        .is_some_and(|command| command.argv.iter().any(|a| off(&shown(&a.value))));
    by_option
        || stage.files.iter().any(|(path, artifact)| {
            let settings = path.starts_with("/etc/apt/apt.conf") && artifact.certain;
            settings && artifact.content.as_ref().is_some_and(|c| off(&shown(c)))
        })
}

/// Where Debian's cross compilers look for the library, beside their own folder.
fn is_sysroot(path: &str, triple: &str) -> bool {
    let folders =
        [format!("/usr/{triple}"), format!("/usr/lib/{triple}"), format!("/usr/include/{triple}")];
    folders.iter().any(|folder| path.starts_with(folder.as_str()))
}

/// A stage and those that it starts from.
fn chain<'e>(evaluation: &'e Evaluation, stage: &'e Stage) -> impl Iterator<Item = &'e Stage> {
    std::iter::successors(Some(stage), |stage| match stage.base {
        Base::Stage(parent) => evaluation.stages.get(parent).filter(|p| p.index < stage.index),
        _ => None,
    })
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    compiler: &Compiler,
    effect: &Effect,
    sink: &mut Sink<'_>,
) {
    let Compiler { library, package, command } = compiler;
    let missing = library.clone();
    let finding = Finding::new(package.span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} fails: the cross compiler comes without the C library of its \
             target, which is in {missing}"
        )
    })
    .related(effect.span, "a program is linked with it here")
    .help(format!("install {library} as well"));
    let written = cx.text(package.span) == shown(&package.value);
    let within =
        cx.instruction_at(command.start).is_some_and(|(_, i)| i.span.contains(package.span));
    let fix = (written && within)
        .then(|| Edit { span: Span::empty(package.span.end), text: format!(" {library}") })
        .and_then(|edit| EditSet::from_edits([edit]).ok())
        .map(|edits| {
            ProposedFix::needs_look(format!("install {library} as well"), edits)
                .because("wherever the compiler is installed, so is then the library")
        });
    sink.report(finding.maybe_fix(fix));
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "missing-cross-libc")
    }

    /// A stage that installs and then links.
    fn file(install: &str, link: &str) -> String {
        format!(
            "FROM --platform=$BUILDPLATFORM golang:1.23-bookworm AS build\nARG TARGETARCH\nRUN apt-get \
             install -y {install}\nRUN {link}\nFROM debian:12\nCOPY --from=build /app /app\n"
        )
    }

    const ON_ARM64: &str = "if [ $TARGETARCH = arm64 ]; then aarch64-linux-gnu-gcc -o /app a.c; else gcc -o /app a.c; fi";

    #[test]
    fn c_go_rust_and_configure() {
        harness().check(
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            ARG TARGETARCH
            RUN apt-get update && apt-get install -y --no-install-recommends gcc gcc-12-aarch64-linux-gnu
                                                                                 ^^^^^^^^^^^^^^^^^^^^^^^^ error: missing-cross-libc: the build for linux/arm64 fails: the cross compiler comes without the C library of its target, which is in libc6-dev-arm64-cross
            RUN if [ $TARGETARCH = arm64 ]; then aarch64-linux-gnu-gcc -O2 -o /app a.c; fi
            FROM debian:12
            COPY --from=build /app /app
            ",
        );
        for link in [
            "CGO_ENABLED=1 CC=aarch64-linux-gnu-gcc GOARCH=$TARGETARCH go build -o /app .",
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc cargo build --target aarch64-unknown-linux-gnu",
            "./configure --host=aarch64-linux-gnu && make",
        ] {
            let link = format!("if [ $TARGETARCH = arm64 ]; then {link}; fi");
            let text = file("--no-install-recommends gcc-aarch64-linux-gnu", &link);
            let report = harness().report(&text);
            let found = report.diagnostics.iter().filter(|d| d.rule == "missing-cross-libc");
            assert_eq!(found.count(), 1, "{text}\n{:#?}", report.diagnostics);
        }
    }

    #[test]
    fn the_library_stands_beside_the_compiler() {
        harness().check_unsafe_fix(
            &file("--no-install-recommends gcc gcc-aarch64-linux-gnu=4:12.2.0-3", ON_ARM64),
            &file("--no-install-recommends gcc gcc-aarch64-linux-gnu=4:12.2.0-3 libc6-dev-arm64-cross", ON_ARM64),
        );
        // A word that stands elsewhere.
        harness().check_no_fix(&format!(
            "FROM --platform=$BUILDPLATFORM debian:12 AS build\nARG TARGETARCH\nENV CROSS=gcc-aarch64-linux-gnu\n\
             RUN apt-get install -y --no-install-recommends $CROSS\nRUN {ON_ARM64}\nFROM debian:12\nCOPY --from=build /app /app\n"
        ));
    }

    #[test]
    fn silent_where_the_library_comes_or_is_not_needed() {
        for install in [
            "gcc-aarch64-linux-gnu",
            "--no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
            "--no-install-recommends gcc-aarch64-linux-gnu g++-aarch64-linux-gnu",
            "--no-install-recommends gcc-aarch64-linux-gnu libc6-dev:arm64",
            "--no-install-recommends gcc-aarch64-linux-gnu libssl-dev:arm64",
            "--no-install-recommends crossbuild-essential-arm64",
            "--no-install-recommends gcc-aarch64-linux-gnu $(cat packages)",
            "--no-install-recommends gcc",
        ] {
            harness().silent(&file(install, ON_ARM64));
        }
        for link in [
            "aarch64-linux-gnu-gcc -c -o /app a.c",
            "aarch64-linux-gnu-gcc -nostdlib -o /app a.c",
            "aarch64-linux-gnu-gcc --sysroot=/sysroot -o /app a.c",
            "make ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-",
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER=aarch64-linux-gnu-gcc cargo build --target aarch64-unknown-linux-musl",
            "CGO_ENABLED=0 CC=aarch64-linux-gnu-gcc GOARCH=arm64 go build -o /app .",
        ] {
            harness().silent(&file("--no-install-recommends gcc-aarch64-linux-gnu", link));
        }
        let text = file("--no-install-recommends gcc-aarch64-linux-gnu", ON_ARM64);
        harness()
            .silent(&text.replace("golang:1.23-bookworm", "registry.example.org/team/builder:1"));
        harness().silent(&text.replace("RUN if", "COPY sysroot/ /usr/aarch64-linux-gnu/\nRUN if"));
    }
}
