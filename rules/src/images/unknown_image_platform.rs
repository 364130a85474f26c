//! `unknown-image-platform`

use mlint_lint::{Context, Finding, Meta, Rule, Sink};
use mlint_model::Fact;

mlint_lint::declare_rule! {
    /// Whether an image is offered for a platform that it is needed for could not be found out: the
    /// registry did not answer or wants a login, or mlint works offline and its table of official
    /// images does not know the tag. A build may stop there, and nothing else was found out either.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM registry.example.org/team/base:1
    /// RUN true
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM ghcr.io/example/base:1
    /// RUN true
    /// ```
    ///
    /// ## Silent
    ///
    /// - for stages that the target does not need;
    /// - when the reference depends on something unknown, so that nobody could be asked;
    /// - when the answer is known: `base-image-platform` says so if the image is not offered.
    ///
    /// ## Fix
    ///
    /// None: log in with the registry, check with a network, or switch the rule off.
    ///
    /// ## Proof
    ///
    /// None by a build: it says that something is not known. A build knows it.
    pub struct UnknownImagePlatform {
        name: "unknown-image-platform",
        group: Images,
        summary: "Whether an image is offered for a platform could not be found out",
        severity: Note,
        confidence: Low,
        effect: Latent,
        needs_image_facts: true,
        fixes: None,
    }
}

impl Rule for UnknownImagePlatform {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for image in evaluation.images.iter().filter(|image| image.platform.is_some()) {
                let Some(reference) = image.reference.as_known() else { continue };
                let Fact::Unavailable(why) = cx.facts.image(&reference) else { continue };
                let reference = reference.into_owned();
                sink.report(Finding::new(image.span, &evaluation.platform, move |on| {
                    format!("whether {reference} is offered for {on} could not be found out: {why}")
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "unknown-image-platform")
    }

    #[test]
    fn nobody_knows() {
        harness().no_image("example.org/app:1", "offline").check(
            r"
            FROM example.org/app:1
                 ^^^^^^^^^^^^^^^^^ note: unknown-image-platform: could not be found out: offline
            ",
        );
    }

    #[test]
    fn silent_where_it_is_known_or_nobody_was_asked() {
        harness().silent("FROM example.org/app:1\n");
        harness().image("example.org/app:1", &["linux/amd64"]).silent("FROM example.org/app:1\n");
        harness()
            .no_image("example.org/app:1", "offline")
            .silent("FROM example.org/app:1 AS unused\nFROM scratch\nCOPY a /a\n");
    }
}
