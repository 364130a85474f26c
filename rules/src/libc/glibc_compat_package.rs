//! `glibc-compat-package`

use mlint_lint::{Context, Effect as Harm, Finding, Meta, Rule, Sink};
use mlint_model::{Download, EffectKind, Evaluation, Manager, RunsOn, Stage};
use mlint_syntax::Span;

use crate::support::{is_deliberate, root_stage, shown, with_trail};

mlint_lint::declare_rule! {
    /// The package of glibc for Alpine that is downloaded here exists for x86_64 only. Its file
    /// name does not say so. On every other platform `apk` refuses it (`uninstallable`, `arch:
    /// x86_64`), and the build stops; unpacked by hand it brings a loader that the machine can't
    /// run.
    ///
    /// Alpine's own `gcompat` (before 3.13 `libc6-compat`) exists for all its architectures and is
    /// enough for many programs. Others are better off on an image with glibc, or built for musl.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM alpine:3.20
    /// RUN wget -q -O /etc/apk/keys/sgerrand.rsa.pub https://alpine-pkgs.sgerrand.com/sgerrand.rsa.pub \
    ///  && wget -q https://github.com/sgerrand/alpine-pkg-glibc/releases/download/2.35-r1/glibc-2.35-r1.apk \
    ///  && apk add --no-cache ./glibc-2.35-r1.apk
    /// COPY tool /usr/local/bin/
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM alpine:3.20
    /// RUN apk add --no-cache gcompat
    /// COPY tool /usr/local/bin/
    /// ```
    ///
    /// ## Silent
    ///
    /// - for `gcompat`, `libc6-compat` and packages from elsewhere;
    /// - in branches that ask for the platform, and in stages on the build platform or on a
    ///   constant one.
    ///
    /// ## Fix
    ///
    /// By hand: what fits depends on the programs that need glibc.
    ///
    /// ## Proof
    ///
    /// None by a build: it takes Alpine's package manager and a package from GitHub, and the proof
    /// has neither.
    pub struct GlibcCompatPackage {
        name: "glibc-compat-package",
        group: Libc,
        summary: "A package of glibc for Alpine exists for x86_64 only",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: None,
    }
}

/// Where the releases are; the first name is the second one's today.
const RELEASES: &[&str] = &[
    "://github.com/sgerrand/alpine-pkg-glibc/releases/download/",
    "://github.com/andyshinn/alpine-pkg-glibc/releases/download/",
];

impl Rule for GlibcCompatPackage {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| e.platform.arch() != "amd64") {
            for stage in evaluation.reachable() {
                let on_target = root_stage(evaluation, stage).platform.role == RunsOn::Target
                    && stage.userland.as_ref() == Some(&evaluation.platform);
                if on_target {
                    check_stage(evaluation, stage, sink);
                }
            }
        }
    }
}

/// One finding a stage: the packages of one release belong together.
fn check_stage(evaluation: &Evaluation, stage: &Stage, sink: &mut Sink<'_>) {
    let packages = stage.effects().filter_map(|(_, effect)| match &effect.kind {
        EffectKind::Download(download) if effect.certain && !is_deliberate(effect) => {
            is_package(download).then_some((download, effect.span))
        }
        _ => None,
    });
    let packages: Vec<(&Download, Span)> = packages.collect();
    let Some((first, rest)) = packages.split_first() else { return };
    let installed = stage.effects().find_map(|(_, effect)| match &effect.kind {
        EffectKind::Install(install) if install.manager == Manager::Apk => {
            let file = |text: &str| text.ends_with(".apk");
            install.packages.iter().any(|p| file(&shown(&p.value))).then_some(effect.span)
        }
        _ => None,
    });
    let mut finding = Finding::new(first.0.url_span, &evaluation.platform, |on| {
        format!("the build for {on} gets a glibc for x86_64: there is none for other machines here")
    })
    .help("install gcompat, start from an image with glibc, or build the program for musl");
    match installed {
        Some(span) => finding = finding.related(span, "apk refuses it here"),
        None => finding = finding.effect(Harm::WrongBinary),
    }
    // A loop fetches them all at one place.
    for (_, span) in rest.iter().filter(|(_, span)| *span != first.1) {
        finding = finding.related(*span, "so does this");
    }
    if let Some(piece) = first.0.url.pieces().iter().find(|p| names_project(p.text())) {
        finding = with_trail(finding, piece);
    }
    sink.report(finding);
}

fn names_project(text: Option<&str>) -> bool {
    text.is_some_and(|text| text.contains("/alpine-pkg-glibc"))
}

fn is_package(download: &Download) -> bool {
    let url = shown(&download.url);
    let file = url.rsplit('/').next().unwrap_or_default();
    RELEASES.iter().any(|release| url.contains(release))
        && file.starts_with("glibc")
        && file.ends_with(".apk")
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "glibc-compat-package")
    }

    #[test]
    fn packages_of_one_release() {
        let found = harness().check(
            r"
            FROM alpine:3.19
            ARG GLIBC=2.35-r1
            ENV REPO=https://github.com/sgerrand/alpine-pkg-glibc
            RUN wget -q ${REPO}/releases/download/${GLIBC}/glibc-${GLIBC}.apk ${REPO}/releases/download/${GLIBC}/glibc-bin-${GLIBC}.apk \
                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: glibc-compat-package: the build for linux/arm64 gets a glibc for x86_64
             && apk add --allow-untrusted glibc-${GLIBC}.apk glibc-bin-${GLIBC}.apk
            ",
        );
        assert_eq!(found[0].effect, mlint_lint::Effect::BuildFails);
        assert!(found[0].related.iter().any(|r| r.message == "apk refuses it here"));
        let text = "FROM alpine\nRUN curl -fsSL https://github.com/sgerrand/alpine-pkg-glibc/releases/download/2.34-r0/glibc-2.34-r0.apk | tar -xz -C /\n";
        let report = harness().report(text);
        let ours = report.diagnostics.iter().find(|d| d.rule == "glibc-compat-package").unwrap();
        assert_eq!(ours.effect, mlint_lint::Effect::WrongBinary);
    }

    #[test]
    fn silent_for_other_packages_and_chosen_platforms() {
        let url = "https://github.com/sgerrand/alpine-pkg-glibc/releases/download/2.35-r1/glibc-2.35-r1.apk";
        for text in [
            "FROM alpine:3.20\nRUN apk add --no-cache gcompat libc6-compat\n".to_owned(),
            format!("FROM alpine:3.20\nRUN if [ \"$(apk --print-arch)\" = x86_64 ]; then wget {url} && apk add glibc-2.35-r1.apk; fi\n"),
            format!("FROM --platform=linux/amd64 alpine:3.20 AS b\nRUN wget {url} && apk add glibc-2.35-r1.apk && tool > /out\nFROM alpine:3.20\nCOPY --from=b /out /out\n"),
            "FROM alpine:3.20\nRUN wget https://github.com/example/alpine-pkg-glibc/releases/download/2.35/glibc-2.35.apk\n".to_owned(),
            "FROM alpine:3.20\nRUN wget https://github.com/sgerrand/alpine-pkg-glibc/releases/download/2.35-r1/sgerrand.rsa.pub\n".to_owned(),
        ] {
            harness().silent(&text);
        }
        harness()
            .platforms(&["linux/amd64"])
            .silent(&format!("FROM alpine:3.20\nRUN wget {url}\n"));
    }
}
