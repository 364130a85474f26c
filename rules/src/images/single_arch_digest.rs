//! `single-arch-digest`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink, list};
use mlint_model::{Evaluation, Fact, ImageInfo, ImageUse, ImageUser, IndexInfo};
use mlint_syntax::{Edit, EditSet, Span};

use super::base_image_platform::{is_digest_of_one, offers};
use crate::support::{comes_from_build_arg, with_trail};

mlint_lint::declare_rule! {
    /// The digest that pins an image is that of one platform's image and not that of the index
    /// which lists all platforms: `docker inspect` shows it after a pull, a registry's page shows
    /// it beside each platform. The build for another platform does not stop, it takes that image
    /// all the same, and the result holds its files.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12@sha256:8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d8a3d
    /// RUN true
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12@sha256:1dec1dec1dec1dec1dec1dec1dec1dec1dec1dec1dec1dec1dec1dec1dec1dec
    /// RUN true
    /// ```
    ///
    /// ## Silent
    ///
    /// - for the digest of an index, and where nobody could be asked;
    /// - when the image is needed for just that platform (`--platform=linux/amd64`);
    /// - when the reference comes from a build argument that was given.
    ///
    /// ## Fix
    ///
    /// The digest of the index that the tag beside it points at: safe while that index holds the
    /// image which was pinned, since its platform then gets the very same; else it needs a look, for
    /// the tag has moved since. Where the index can't be had, the digest goes and the tag stays,
    /// which needs a look as well. Without a tag it can't be told which index is meant.
    ///
    /// ## Proof
    ///
    /// None by a build: the digest stands in the Dockerfile before the local registry has the
    /// image, and mlint's own builder refuses an image that lacks the platform.
    pub struct SingleArchDigest {
        name: "single-arch-digest",
        group: Images,
        summary: "A digest pins one platform's image instead of the index of all",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: true,
        fixes: Sometimes,
    }
}

impl Rule for SingleArchDigest {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for image in &evaluation.images {
                let Some(reference) = image.reference.as_known() else { continue };
                let Some(platform) = &image.platform else { continue };
                if let Fact::Known(info) = cx.facts.image(&reference)
                    && is_digest_of_one(&reference, &info)
                    && !offers(&info, platform)
                    && !comes_from_build_arg(&image.reference)
                {
                    report(cx, evaluation, image, &reference, &info, sink);
                }
            }
        }
    }
}

fn report(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    image: &ImageUse,
    reference: &str,
    info: &ImageInfo,
    sink: &mut Sink<'_>,
) {
    let name = reference.split('@').next().unwrap_or_default().to_owned();
    let have = list(&info.platforms);
    let needed = match image.user {
        ImageUser::From => "starts from",
        ImageUser::Copy => "copies from",
        ImageUser::Mount => "mounts",
    };
    let digest = digest(image);
    let span = digest.map_or(image.span, |(span, _)| span);
    let message = move |on: &str| {
        format!(
            "the build for {on} {needed} {name} for {have}: the digest is that of this one image"
        )
    };
    let mut finding = Finding::new(span, &evaluation.platform, message).help(
        "pin the digest of the index, which serves all platforms; the registry tells it by the tag",
    );
    if let Some(piece) = image.reference.pieces().iter().find(|p| holds_digest(p.text())) {
        finding = with_trail(finding, piece);
    }
    if !span.overlaps(image.span) {
        finding = finding.related(image.span, "the image is needed here");
    }
    let has_tag = reference
        .split('@')
        .next()
        .and_then(|name| name.rsplit('/').next())
        .is_some_and(|last| last.contains(':'));
    let at = digest.and_then(|(_, at)| at).filter(|at| cx.text(*at).starts_with('@'));
    let fix = at.and_then(|at| match cx.facts.index(reference) {
        Some(index) => pin_index(at, index, &list(&info.platforms)),
        None if has_tag => drop_it(at),
        None => None,
    });
    sink.report(finding.maybe_fix(fix));
}

/// The digest of the index in the place of the image's own.
fn pin_index(span: Span, index: &IndexInfo, have: &str) -> Option<ProposedFix> {
    let digest = index.reference.split('@').nth(1)?;
    let edits = EditSet::from_edits([Edit { span, text: format!("@{digest}") }]).ok()?;
    let title = "pin the index that the tag points at";
    Some(match index.holds {
        true => ProposedFix::safe(title, edits).unseen(),
        false => ProposedFix::needs_look(title, edits)
            .because(format!("the tag has moved: the image for {have} is another one now")),
    })
}

fn holds_digest(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.contains("@sha256:"))
}

/// Where the digest stands, and its bytes with the `@` if they can be taken away there.
fn digest(image: &ImageUse) -> Option<(Span, Option<Span>)> {
    let piece =
        image.reference.pieces().iter().find(|p| p.is_literal() && holds_digest(p.text()))?;
    let text = piece.text()?;
    let at = text.find("@sha256:")?;
    let len = "@sha256:".len() + 64;
    let end = (at + len).min(text.len());
    let whole = piece.source.as_ref().filter(|_| end == at + len);
    let place = whole.map(|s| s.pieces(at as u32, end as u32));
    let place = place.and_then(|spans| <[Span; 1]>::try_from(spans).ok()).map(|[span]| span);
    Some((piece.subspan(at + 1..end), place))
}

fn drop_it(span: Span) -> Option<ProposedFix> {
    let edits = EditSet::from_edits([Edit { span, text: String::new() }]).ok()?;
    Some(
        ProposedFix::needs_look("take the tag, which serves all platforms", edits)
            .because("a tag can move; pin the digest of its index instead"),
    )
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    const DIGEST: &str = "sha256:1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c1b2c";

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "single-arch-digest")
            .single_image(&format!("debian:12@{DIGEST}"), "linux/amd64")
            .single_image(&format!("debian@{DIGEST}"), "linux/amd64")
            .image("debian:12", &["linux/amd64", "linux/arm64"])
    }

    #[test]
    fn in_from_copy_and_arg() {
        let text = "FROM debian:12@DIGEST AS a\nRUN true\nFROM debian:12\nCOPY --from=debian@DIGEST /a /a\nCOPY --from=a /b /b\n";
        let found = harness().report(&text.replace("DIGEST", DIGEST)).diagnostics;
        let ours: Vec<_> = found.iter().filter(|d| d.rule == "single-arch-digest").collect();
        assert_eq!(ours.len(), 2, "{found:#?}");
        assert!(ours[0].message.contains("for linux/arm64 starts from debian:12 for linux/amd64"));
        assert!(found.iter().all(|d| d.rule != "base-image-platform"));
        let text = "ARG BASE=debian:12@DIGEST\nFROM $BASE\nRUN true\n";
        let found = harness().report(&text.replace("DIGEST", DIGEST)).diagnostics;
        assert_eq!((found[0].rule, found[0].span.start), ("single-arch-digest", 19));
        assert!(!found[0].related.is_empty());
    }

    #[test]
    fn the_tag_stays() {
        harness().check_unsafe_fix(
            &format!("FROM debian:12@{DIGEST}\nRUN true\n"),
            "FROM debian:12\nRUN true\n",
        );
        harness().check_no_fix(&format!("FROM debian@{DIGEST}\nRUN true\n"));
    }

    #[test]
    fn the_index_takes_the_image_s_place() {
        const INDEX: &str =
            "sha256:9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e9d8e";
        let both = &["linux/amd64", "linux/arm64"];
        let pinned = format!("debian:12@{DIGEST}");
        let text = "FROM debian:12@DIGEST AS a\nRUN true\nFROM debian:12\nCOPY --from=a /a /a\n";
        let (before, after) = (text.replace("DIGEST", DIGEST), text.replace("DIGEST", INDEX));
        harness().index(&pinned, INDEX, both, true).check_fix(&before, &after);
        harness().index(&pinned, INDEX, both, false).check_unsafe_fix(&before, &after);
        // An index that lacks the platform would be no better.
        harness().index(&pinned, INDEX, &["linux/amd64"], true).check_no_fix(&before);
        let text = "ARG BASE=debian:12@DIGEST\nFROM $BASE\nRUN true\n";
        let (before, after) = (text.replace("DIGEST", DIGEST), text.replace("DIGEST", INDEX));
        harness().index(&pinned, INDEX, both, true).check_fix(&before, &after);
    }

    #[test]
    fn silent_for_an_index_and_for_its_own_platform() {
        let text = format!("FROM debian:13@{DIGEST}\nRUN true\n");
        let both = &["linux/amd64", "linux/arm64"];
        harness().image(&format!("debian:13@{DIGEST}"), both).silent(&text);
        harness().no_image(&format!("debian:13@{DIGEST}"), "offline").silent(&text);
        harness().silent(&format!(
            "FROM --platform=linux/amd64 debian:12@{DIGEST} AS b\nRUN echo > /a\nFROM debian:12\nCOPY --from=b /a /a\n"
        ));
        harness().platforms(&["linux/amd64"]).silent(&format!("FROM debian:12@{DIGEST}\n"));
    }
}
