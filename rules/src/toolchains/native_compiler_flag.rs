//! `native-compiler-flag`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink};
use mlint_syntax::{Edit, EditSet, Span};

use super::flags::{Flag, flags};

mlint_lint::declare_rule! {
    /// A compiler is told to make code for the processor that it runs on (`-march=native`,
    /// `-mcpu=native`, `target-cpu=native`). The image then works on machines like the builder's
    /// and dies with "illegal instruction" on older ones; under emulation, it is made for what the
    /// emulator pretends to be.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM gcc:14
    /// COPY hash.c .
    /// RUN gcc -O2 -march=native -o /usr/local/bin/hash hash.c
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM gcc:14
    /// COPY hash.c .
    /// RUN gcc -O2 -o /usr/local/bin/hash hash.c
    /// ```
    ///
    /// ## Silent
    ///
    /// - in a branch that asks for the platform;
    /// - for `-mtune=native`, which changes speed only.
    ///
    /// ## Fix
    ///
    /// The flag is removed where it stands by itself. It needs a look: the code for the machine
    /// that worked changes, too.
    ///
    /// ## Proof
    ///
    /// None by a build: the program runs on the machine that compiled it. It stops on an older one,
    /// which is not at hand.
    pub struct NativeCompilerFlag {
        name: "native-compiler-flag",
        group: Toolchains,
        summary: "Code is made for whatever processor the build runs on",
        severity: Warning,
        confidence: High,
        effect: Latent,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for NativeCompilerFlag {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                for flag in flags(stage).into_iter().filter(|f| is_native(&f.text)) {
                    let text = flag.text.clone();
                    let finding = Finding::new(flag.span, &evaluation.platform, move |on| {
                        format!(
                            "{text} makes code for the processor of the machine that builds, in \
                             the build for {on}: it may not run on others"
                        )
                    })
                    .help("name the oldest processor that you support, or leave the flag out");
                    sink.report(finding.maybe_fix(remove(cx, &flag)));
                }
            }
        }
    }
}

fn is_native(flag: &str) -> bool {
    matches!(flag, "-march=native" | "-mcpu=native" | "-Ctarget-cpu=native" | "target-cpu=native")
}

/// Takes the flag away with one blank, where it is a word among others.
fn remove(cx: &Context<'_>, flag: &Flag) -> Option<ProposedFix> {
    let Span { start, end } = flag.span;
    if cx.text(flag.span) != flag.text || !flag.text.starts_with("-m") {
        return None;
    }
    let before = cx.text(Span::new(start.checked_sub(1)?, start));
    let after = cx.text(Span::new(end, end + 1));
    let span = match (before, after) {
        (" ", _) => Span::new(start - 1, end),
        ("\"" | "'" | "=", " ") => Span::new(start, end + 1),
        _ => return None,
    };
    let edits = EditSet::from_edits([Edit { span, text: String::new() }]).ok()?;
    Some(
        ProposedFix::needs_look("leave the flag out", edits)
            .because("the code for the machine that worked changes, too"),
    )
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "native-compiler-flag")
    }

    #[test]
    fn wherever_flags_are_given() {
        let found = harness().check(
            r#"
            FROM gcc:14
            ENV CFLAGS="-O2 -march=native" RUSTFLAGS="-C target-cpu=native"
                            ^^^^^^^^^^^^^ warning: native-compiler-flag
                                                         ^^^^^^^^^^^^^^^^^ warning: native-compiler-flag
            RUN gcc -mcpu=native -c a.c
                    ^^^^^^^^^^^^ warning: native-compiler-flag: -mcpu=native makes code
            "#,
        );
        assert_eq!(found[0].platforms.len(), 2);
    }

    #[test]
    fn the_flag_goes() {
        harness().check_unsafe_fix(
            "FROM gcc:14\nENV CFLAGS=\"-march=native -O2\"\nRUN gcc -O2 -march=native -c a.c\n",
            "FROM gcc:14\nENV CFLAGS=\"-O2\"\nRUN gcc -O2 -c a.c\n",
        );
    }

    #[test]
    fn silent_otherwise() {
        for text in [
            "FROM gcc:14\nRUN gcc -O2 -mtune=native a.c\n",
            "FROM gcc:14\nRUN echo -march=native\n",
            "FROM gcc:14\nARG TARGETARCH\nRUN if [ $TARGETARCH = amd64 ]; then gcc -march=native a.c; fi\n",
            "FROM gcc:14 AS a\nRUN gcc -march=native a.c\nFROM debian:12\nRUN true\n",
        ] {
            harness().silent(text);
        }
    }
}
