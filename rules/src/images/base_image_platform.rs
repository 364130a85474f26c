//! `base-image-platform`

use mlint_lint::{Confidence, Context, Effect, Finding, Meta, Rule, Severity, Sink, list};
use mlint_model::{Evaluation, Fact, FactSource, ImageInfo, ImageUse, ImageUser};
use mlint_oci::{Platform, matching};

mlint_lint::declare_rule! {
    /// An image that the build needs is not offered for a platform that it is needed for. If the
    /// reference names an index, the build stops with "no match for platform in manifest". If it
    /// names a single image, the build goes on with that image, and the result holds the wrong
    /// machine's files.
    ///
    /// mlint asks the registry. Offline, or when the registry does not answer, it looks the tag up
    /// in its table of official images; the table is as old as its date says, so it gives a
    /// warning at most. What neither knows is said by `unknown-image-platform`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM mysql:5.7
    /// COPY schema.sql /docker-entrypoint-initdb.d/
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM mysql:8.4
    /// COPY schema.sql /docker-entrypoint-initdb.d/
    /// ```
    ///
    /// ## Silent
    ///
    /// - for stages that the target does not need;
    /// - when the reference, or the platform it is needed for, depends on something unknown;
    /// - for a variant that runs on the target: an arm/v6 image serves arm/v7;
    /// - for the digest of a single image, which `single-arch-digest` has.
    ///
    /// ## Fix
    ///
    /// None: another tag or another image is a decision.
    pub struct BaseImagePlatform {
        name: "base-image-platform",
        group: Images,
        summary: "An image is not offered for a platform that it is needed for",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: true,
        fixes: None,
    }
}

impl Rule for BaseImagePlatform {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for image in &evaluation.images {
                let (Some(reference), Some(platform)) =
                    (image.reference.as_known(), &image.platform)
                else {
                    continue;
                };
                if let Fact::Known(info) = cx.facts.image(&reference)
                    && !offers(&info, platform)
                    && !is_digest_of_one(&reference, &info)
                {
                    report(evaluation, image, platform, &info, sink);
                }
            }
        }
    }
}

/// Whether the image can be had for a platform, as far as is known.
pub(super) fn offers(info: &ImageInfo, want: &Platform) -> bool {
    // A single manifest may not say its platform.
    info.platforms.is_empty()
        || info.platforms.iter().any(|have| matching::compatibility(want, have).is_some())
}

/// Whether the reference pins one platform's image where the name may well have more:
/// `single-arch-digest`.
pub(super) fn is_digest_of_one(reference: &str, info: &ImageInfo) -> bool {
    !info.is_index && reference.contains("@sha256:")
}

fn report(
    evaluation: &Evaluation,
    image: &ImageUse,
    platform: &Platform,
    info: &ImageInfo,
    sink: &mut Sink<'_>,
) {
    let reference = image.reference.to_string();
    let have = list(&info.platforms);
    let needed = match image.user {
        ImageUser::From => "starts from",
        ImageUser::Copy => "copies from",
        ImageUser::Mount => "mounts",
    };
    // On the build platform or a constant one, the image is needed for that and not the target.
    let wanted = (*platform != evaluation.platform).then(|| platform.to_string());
    let single = !info.is_index;
    let source = info.source.clone();
    let finding = Finding::new(image.span, &evaluation.platform, move |on| {
        let wanted = wanted.as_deref().unwrap_or(on);
        let what = if single {
            format!("the build for {on} {needed} {reference}, a single image for {have}")
        } else {
            format!("the build for {on} {needed} {reference}, which is not offered for {wanted}, only for {have}")
        };
        match &source {
            FactSource::Registry => what,
            FactSource::Table { as_of } => format!("{what} (as of {as_of})"),
        }
    })
    .effect(if single { Effect::WrongBinary } else { Effect::BuildFails })
    .help("take a tag or an image that offers all platforms, or leave the platform out");
    sink.report(match info.source {
        FactSource::Registry => finding,
        FactSource::Table { .. } => {
            finding.severity(Severity::Warning).confidence(Confidence::Medium)
        }
    });
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Effect, testing::Harness};
    use mlint_model::FactSource;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "base-image-platform")
    }

    #[test]
    fn the_registry_knows() {
        let h = harness().image("example.org/app:1", &["linux/amd64", "linux/s390x"]);
        let found = h.check(
            r"
            FROM example.org/app:1
                 ^^^^^^^^^^^^^^^^^ error: base-image-platform: not offered for linux/arm64, only for linux/amd64 and linux/s390x
            RUN true
            ",
        );
        assert_eq!(found[0].effect, Effect::BuildFails);
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn the_table_warns_with_its_date() {
        let source = FactSource::Table { as_of: "2026-08-21".to_owned() };
        let h = harness().image_from("mysql:5.7", &["linux/amd64"], source);
        h.check(
            r"
            FROM mysql:5.7
                 ^^^^^^^^^ warning: base-image-platform: (as of 2026-08-21)
            ",
        );
    }

    #[test]
    fn images_of_copies() {
        let h = harness().image("example.org/tool:1", &["linux/amd64"]);
        h.check(
            r"
            FROM scratch
            COPY --from=example.org/tool:1 /tool /tool
                        ^^^^^^^^^^^^^^^^^^ error: base-image-platform: copies from example.org/tool:1
            ",
        );
    }

    #[test]
    fn silent_where_it_is_offered_or_not_needed() {
        let h = harness()
            .image("example.org/app:1", &["linux/amd64", "linux/arm64"])
            .image("example.org/x86:1", &["linux/amd64"]);
        h.silent("FROM example.org/app:1\nRUN true\n");
        h.silent("FROM example.org/x86:1 AS unused\nRUN true\nFROM example.org/app:1\nRUN true\n");
        h.silent("FROM --platform=$BUILDPLATFORM example.org/x86:1 AS b\nRUN echo > /a\nFROM example.org/app:1\nCOPY --from=b /a /a\n");
        let h = harness().platforms(&["linux/arm/v7"]).image("a/b:1", &["linux/arm/v6"]);
        h.silent("FROM a/b:1\nRUN true\n");
        harness().no_image("example.org/app:1", "offline").silent("FROM example.org/app:1\n");
    }
}
