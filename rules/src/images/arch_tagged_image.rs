//! `arch-tagged-image`

use mlint_lint::{Confidence, Context, Effect, Finding, Meta, ProposedFix, Rule, Severity, Sink};
use mlint_model::{Evaluation, HopKind, ImageUse, ImageUser, RunsOn};
use mlint_oci::{Platform, arch::WordKind};

use crate::{
    repair,
    support::{FoundWord, comes_from_build_arg, final_chain, literal_words, shown, with_trail},
    words::belongs_elsewhere,
};

mlint_lint::declare_rule! {
    /// The image's own name says an architecture (`amd64/debian`, `app:1.2-arm64v8`): whatever the
    /// target is, it is that one's files that arrive. Docker's official images have one name for
    /// all architectures.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM amd64/debian:12
    /// RUN apt-get update
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update
    /// ```
    ///
    /// ## Silent
    ///
    /// - where the word follows the target (`base-$TARGETARCH`);
    /// - for a stage that is on a constant platform of that architecture on purpose;
    /// - where the word does not stand alone (`amd64-tools`, a team's name).
    ///
    /// For a stage that only makes something it is a warning: what it makes may run anywhere. So it
    /// is for the default of an argument, which `--build-arg` may replace for each platform.
    ///
    /// ## Fix
    ///
    /// For the official images' namespaces the prefix goes. It needs a look: the name without
    /// prefix is another image as far as a registry is concerned, if one with the same files.
    ///
    /// ## Proof
    ///
    /// None by a build: mlint's own builder refuses a base image that lacks a platform before the
    /// first step, as the case of `base-image-platform` shows; builders that take such an image are
    /// not part of the proof.
    pub struct ArchTaggedImage {
        name: "arch-tagged-image",
        group: Images,
        summary: "An image's own name says an architecture that is not the target's",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

/// The namespaces in which Docker's official images stand per architecture.
const NAMESPACES: &[&str] = &[
    "amd64", "arm32v5", "arm32v6", "arm32v7", "arm64v8", "i386", "mips64le", "ppc64le", "riscv64",
    "s390x",
];

impl Rule for ArchTaggedImage {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for used in &evaluation.images {
                check_image(cx, evaluation, used, sink);
            }
        }
    }
}

fn check_image(cx: &Context<'_>, evaluation: &Evaluation, used: &ImageUse, sink: &mut Sink<'_>) {
    let Some(word) = wrong_name(evaluation, used, names_the_image) else { return };
    if belongs_elsewhere(evaluation, &word.piece) {
        return;
    }
    let text = shown(&used.reference);
    let (image, meant) = (text.clone().into_owned(), word.word.platforms[0].to_string());
    let finding = Finding::new(word.span, &evaluation.platform, move |on| {
        format!("{image} is for {meant} by its name, also in the build for {on}")
    })
    .help("use a name that serves all platforms, or let the word follow ${TARGETARCH}");
    let mut finding = with_trail(finding, &word.piece);
    if is_maker_only(evaluation, used) {
        finding = finding.severity(Severity::Warning).effect(Effect::Emulated);
    } else if is_default(&word) {
        // A whole image as a default is there to be replaced: by `--build-arg`, for each platform.
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    sink.report(finding.maybe_fix(drop_namespace(cx, &text, &word)));
}

/// Whether the word stands in the default of an argument.
fn is_default(word: &FoundWord) -> bool {
    let hops = word.piece.trail.hops();
    hops.iter().any(|hop| matches!(hop.kind, HopKind::Arg | HopKind::GlobalArg))
}

/// What a stage makes that is not the image may run anywhere; the stage itself does not.
pub(crate) fn is_maker_only(evaluation: &Evaluation, used: &ImageUse) -> bool {
    used.user == ImageUser::From && !final_chain(evaluation).contains(&used.stage)
}

/// The word in the name of an image that says another platform than the one it is needed for.
pub(crate) fn wrong_name(
    evaluation: &Evaluation,
    used: &ImageUse,
    counts: fn(&str, &FoundWord) -> bool,
) -> Option<FoundWord> {
    let stage = evaluation.stages.get(used.stage)?;
    // A stage on another platform than the target's has a reason to name it.
    let for_target = used.user != ImageUser::From || stage.platform.role == RunsOn::Target;
    let platform = used.platform.as_ref().filter(|_| for_target)?;
    if comes_from_build_arg(&used.reference) {
        return None;
    }
    let text = used.reference.as_known()?;
    let word = literal_words(&used.reference)
        .into_iter()
        .find(|w| counts(&text, w) && w.word.is_linux())?;
    (!word.word.platforms.iter().any(|p| same_machine(p, platform))).then_some(word)
}

fn same_machine(a: &Platform, b: &Platform) -> bool {
    a.arch() == b.arch() || (a.arch(), b.arch()) == ("386", "amd64")
}

/// Whether the word is a namespace of its own, or the end of a tag. At the start of a tag it may
/// as well be what the image's tools compile for (`rust-musl-cross:aarch64-musl`).
pub(crate) fn names_the_image(reference: &str, word: &FoundWord) -> bool {
    let (start, end) = (word.word.range.start, word.word.range.end);
    let reference = reference.split('@').next().unwrap_or_default();
    if end > reference.len() || word.word.kind != WordKind::Arch {
        return false;
    }
    let before = reference[..start].chars().next_back();
    let after = reference[end..].chars().next();
    let namespace = matches!(before, None | Some('/')) && after == Some('/');
    let tag_at = reference.rfind(':').filter(|colon| !reference[*colon..].contains('/'));
    let in_tag = tag_at.is_some_and(|colon| start > colon);
    namespace && NAMESPACES.contains(&&reference[start..end])
        || in_tag && after.is_none() && matches!(before, Some('-' | '_' | '.' | ':'))
}

fn drop_namespace(cx: &Context<'_>, reference: &str, word: &FoundWord) -> Option<ProposedFix> {
    let place = word.place?;
    let at = word.word.range.start;
    let path = reference.strip_prefix("docker.io/").map_or(0, |_| "docker.io/".len());
    if at != path || !reference[word.word.range.end..].starts_with('/') {
        return None;
    }
    let span = mlint_syntax::Span::new(place.start, place.end + 1);
    repair::without_namespace(cx, span, if path > 0 { "library/" } else { "" })
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-tagged-image")
    }

    #[test]
    fn namespaces_and_tags() {
        harness().check(
            r"
            ARG BASE=example.com/team/base:1.2-amd64
                                               ^^^^^ warning: arch-tagged-image: is for linux/amd64 by its name
            FROM amd64/debian:12 AS a
                 ^^^^^ warning: arch-tagged-image: amd64/debian:12
            FROM $BASE
            COPY --from=a /a /a
            COPY --from=amd64/busybox:1 /bin/busybox /bin/busybox
                        ^^^^^ error: arch-tagged-image
            ",
        );
    }

    #[test]
    fn for_the_other_one() {
        let found = harness().check(
            r"
            FROM arm64v8/alpine:3.20
                 ^^^^^^^ error: arch-tagged-image: in the build for linux/amd64
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn the_namespace_goes() {
        harness()
            .check_unsafe_fix("FROM amd64/debian:12\nRUN true\n", "FROM debian:12\nRUN true\n");
    }

    #[test]
    fn silent_where_the_word_follows_or_is_no_name_of_a_machine() {
        for text in [
            "FROM example.com/base:1-$TARGETARCH\nRUN true\n",
            "FROM base-$TARGETARCH\nRUN true\n",
            "FROM --platform=linux/amd64 amd64/debian:12 AS a\nRUN true\nFROM debian:12\nCOPY --from=a /fonts /fonts\n",
            "FROM example.com/amd64-tools/base:1\nRUN true\n",
            "FROM debian:12\nRUN true\n",
            "FROM ghcr.io/rust-cross/rust-musl-cross:aarch64-musl\nRUN true\n",
        ] {
            harness().silent(text);
        }
    }
}
