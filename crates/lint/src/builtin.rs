//! The rules that the runner itself applies: syntax errors, builds that certainly stop, and
//! suppressions that suppress nothing.

use crate::rule::Meta;

crate::declare_rule! {
    /// The file breaks the syntax that BuildKit accepts, so no platform can be built from it.
    /// mlint goes on around the break: the other findings hold for the rest of the file.
    ///
    /// A file that is a template (`{{ … }}`, `{% … %}`, `<% … %>`, `%%NAME%%`, `@NAME@` as an
    /// instruction or in a `FROM`), or that begins with a word that is no instruction, gets this
    /// one error and no other finding: nobody builds from it as it is. Name the files that are
    /// made from it.
    ///
    /// This can't be suppressed, since no builder would get past it. Inside an `ONBUILD` trigger
    /// the error does not stop this build but the ones that start from its image; it is then a
    /// warning.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// COPY app
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// COPY app /usr/local/bin/
    /// ```
    pub struct SyntaxErrorRule {
        name: "syntax-error",
        group: Meta,
        summary: "The file breaks the syntax that BuildKit accepts",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: None,
    }
}

crate::declare_rule! {
    /// What is known of the file makes the build stop: a script that ends with an error on a
    /// platform it has no branch for, a `--target` that does not exist, an expansion that BuildKit
    /// refuses, a required value (`${VERSION:?}`) that nothing can give.
    ///
    /// A value that an `ARG` lets in may still come with `--build-arg`: that is no finding.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN case "$TARGETARCH" in \
    ///       amd64) echo x64 > /arch ;; \
    ///       *) echo "no build for $TARGETARCH" >&2; exit 1 ;; \
    ///     esac
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN case "$TARGETARCH" in \
    ///       amd64) echo x64 > /arch ;; \
    ///       arm64) echo arm64 > /arch ;; \
    ///       *) echo "no build for $TARGETARCH" >&2; exit 1 ;; \
    ///     esac
    /// ```
    pub struct BuildStops {
        name: "build-stops",
        group: Meta,
        summary: "The build certainly stops here",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: None,
    }
}

crate::declare_rule! {
    /// A comment for mlint has no effect: nothing is found where it stands, the rule's name is
    /// misspelt, or the comment itself can't be read. It would hide the next real finding there.
    ///
    /// `# mlint ignore=rule-a,rule-b: why` stands above the instruction (or inside it, on a comment
    /// line), `# mlint file-ignore=rule: why` anywhere in the file, and
    /// `# mlint platform=linux/amd64: why` above a `FROM` says that the stage is for one platform on
    /// purpose.
    ///
    /// mlint says nothing about a suppression when the rule is switched off, when it could not get
    /// the facts that the rule needs, or when only one architecture is checked: the finding may
    /// be there at other times.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// # mlint ignore=hardcoded-arch-url: there is no other file
    /// RUN echo nothing to see
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN echo nothing to see
    /// ```
    ///
    /// ## Fix
    ///
    /// Safe: the comment, or the one name in it, is removed.
    ///
    /// ## Proof
    ///
    /// None by a build: no builder reads mlint's comments: the images are the same before and
    /// after.
    pub struct UnusedSuppression {
        name: "unused-suppression",
        group: Meta,
        summary: "A suppression suppresses nothing",
        severity: Warning,
        confidence: High,
        effect: Latent,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

crate::declare_rule! {
    /// A suppression without a reason tells the next reader that something is wrong and not why
    /// it may stay. The reason follows a colon.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// # mlint ignore=hardcoded-arch-url
    /// ADD https://example.org/fonts-amd64.tar /usr/share/
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// # mlint ignore=hardcoded-arch-url: the archive holds fonts only
    /// ADD https://example.org/fonts-amd64.tar /usr/share/
    /// ```
    ///
    /// ## Proof
    ///
    /// None by a build: no builder reads mlint's comments: the images are the same before and
    /// after.
    pub struct SuppressionWithoutReason {
        name: "suppression-without-reason",
        group: Meta,
        summary: "A suppression does not say why",
        severity: Note,
        confidence: High,
        effect: Latent,
        needs_image_facts: false,
        fixes: None,
    }
}

/// What the runner itself reports.
pub static BUILTIN: &[&Meta] = &[
    &SyntaxErrorRule::META,
    &BuildStops::META,
    &UnusedSuppression::META,
    &SuppressionWithoutReason::META,
];
