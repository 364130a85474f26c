//! `x86-compiler-flag`

use mlint_lint::{Context, Finding, Meta, Rule, Sink};
use mlint_model::RunsOn;

use super::flags::flags;

mlint_lint::declare_rule! {
    /// A compiler gets a flag that exists for x86 only (`-msse4.2`, `-mavx2`, `-m64`,
    /// `-march=x86-64-v3`). The compilers for other machines refuse it, and the build stops.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM gcc:14
    /// COPY hash.c .
    /// RUN gcc -O2 -msse4.2 -o /usr/local/bin/hash hash.c
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM gcc:14
    /// ARG TARGETARCH
    /// COPY hash.c .
    /// RUN case "$TARGETARCH" in amd64) FLAGS=-msse4.2 ;; esac; \
    ///     gcc -O2 $FLAGS -o /usr/local/bin/hash hash.c
    /// ```
    ///
    /// ## Silent
    ///
    /// - in a branch that asks for the platform;
    /// - in a stage that runs on the build platform or on a constant one: it may compile for that;
    /// - for words of programs that are no compilers (`curl -m64`).
    ///
    /// ## Fix
    ///
    /// None: what the flag is good for on the other machine is for a person to say.
    pub struct X86CompilerFlag {
        name: "x86-compiler-flag",
        group: Toolchains,
        summary: "A compiler flag that exists for x86 only",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: None,
    }
}

impl Rule for X86CompilerFlag {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                let other = |p: &mlint_oci::Platform| !matches!(p.arch(), "amd64" | "386");
                let runs_elsewhere = stage.platform.role == RunsOn::Target
                    && stage.platform.platform.as_ref().is_some_and(other);
                if !runs_elsewhere {
                    continue;
                }
                for flag in flags(stage).into_iter().filter(|f| is_x86_only(&f.text)) {
                    let text = flag.text.clone();
                    let finding = Finding::new(flag.span, &evaluation.platform, move |on| {
                        format!(
                            "the compiler refuses {text} in the build for {on}: the flag exists \
                             for x86 only"
                        )
                    })
                    .help("give it only where ${TARGETARCH} is amd64");
                    sink.report(finding);
                }
            }
        }
    }
}

/// Flags of GCC and Clang for x86 (GCC's manual, "x86 Options"), and Rust's processors.
fn is_x86_only(flag: &str) -> bool {
    const FEATURES: &[&str] = &[
        "-m64",
        "-m32",
        "-mx32",
        "-maes",
        "-mpclmul",
        "-mpopcnt",
        "-mfma",
        "-mfma4",
        "-mbmi",
        "-mbmi2",
        "-mlzcnt",
        "-mf16c",
        "-mrdrnd",
        "-mrdseed",
        "-mmovbe",
        "-mrtm",
        "-mmmx",
        "-m3dnow",
        "-mfpmath=sse",
        "-msha",
    ];
    const PROCESSORS: &[&str] = &[
        "x86-64",
        "i386",
        "i486",
        "i586",
        "i686",
        "nocona",
        "core2",
        "corei7",
        "core-avx",
        "nehalem",
        "westmere",
        "sandybridge",
        "ivybridge",
        "haswell",
        "broadwell",
        "skylake",
        "cascadelake",
        "icelake",
        "sapphirerapids",
        "silvermont",
        "goldmont",
        "k8",
        "opteron",
        "athlon64",
        "amdfam10",
        "barcelona",
        "bdver",
        "btver",
        "znver",
    ];
    let processor = |name: &str| PROCESSORS.iter().any(|p| name.starts_with(p));
    FEATURES.contains(&flag)
        || flag.strip_prefix("-mssse3").or(flag.strip_prefix("-msse")).is_some_and(is_version)
        || flag.strip_prefix("-mavx").is_some_and(is_version)
        || flag.strip_prefix("-march=").is_some_and(processor)
        || flag.strip_prefix("-Ctarget-cpu=").is_some_and(processor)
        || flag.strip_prefix("target-cpu=").is_some_and(processor)
}

/// What follows `-msse` and `-mavx`: `4.2`, `2`, `512f`, `vnni`, nothing.
fn is_version(rest: &str) -> bool {
    rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "x86-compiler-flag")
    }

    #[test]
    fn wherever_flags_are_given() {
        let found = harness().check(
            r#"
            FROM gcc:14
            ENV CXXFLAGS="-O3 -mavx2"
                              ^^^^^^ error: x86-compiler-flag: refuses -mavx2 in the build for linux/arm64
            RUN gcc -O2 -msse4.2 -c a.c
                        ^^^^^^^^ error: x86-compiler-flag
            RUN CFLAGS="-march=x86-64-v3 -g" make
                        ^^^^^^^^^^^^^^^^ error: x86-compiler-flag
            RUN make CFLAGS=-m64 && cmake -DCMAKE_C_FLAGS="-mfma" .
                            ^^^^ error: x86-compiler-flag
                                                           ^^^^^ error: x86-compiler-flag
            "#,
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn silent_where_it_is_meant_or_no_compiler() {
        for text in [
            "FROM gcc:14\nARG TARGETARCH\nRUN if [ \"$TARGETARCH\" = amd64 ]; then gcc -msse4.2 a.c; fi\n",
            "FROM gcc:14\nRUN case $(uname -m) in x86_64) F=-mavx2 ;; esac; gcc $F a.c\n",
            "FROM gcc:14\nRUN curl -m64 https://example.org/x && gcc -O2 -mcpu=generic a.c\n",
            "FROM --platform=$BUILDPLATFORM gcc:14 AS t\nRUN gcc -msse2 -o /t t.c\nFROM debian:12\nCOPY --from=t /data /data\n",
            "FROM gcc:14\nRUN gcc -march=armv8-a a.c\n",
        ] {
            harness().silent(text);
        }
        harness()
            .platforms(&["linux/amd64", "linux/386"])
            .silent("FROM gcc:14\nRUN gcc -msse2 a.c\n");
    }
}
