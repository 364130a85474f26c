//! `unmarked-arch-asset`

use std::ops::Range;

use mlint_lint::{Confidence, Context, Effect as Harm, Finding, Meta, Rule, Severity, Sink};
use mlint_model::{
    Base, Download, Effect, EffectKind, Evaluation, Fetcher, HopKind, Machine, MachineKind,
    MachineSource, Made, Piece, RunsOn, Stage, Step, Value,
};
use mlint_oci::{
    Platform,
    arch::{WordKind, find_words},
};
use mlint_syntax::Span;

use crate::{
    downloads::name_the_file::{self, placed},
    support::{collects_platforms, is_deliberate, root_stage, shown, with_trail},
    unmarked::Unmarked,
};

mlint_lint::declare_rule! {
    /// A download's name says nothing of a machine, but the file is for one: `tini`, `k3s`,
    /// `ninja-linux.zip`, `openshift-client-linux.tar.gz` are for amd64, and so is all that a
    /// project published before it had a second architecture. Every platform's build fetches it,
    /// and the program does not start on the others.
    ///
    /// The files are in a table of mlint's, with what the project calls those for other platforms.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN curl -fsSLo /tini https://github.com/krallin/tini/releases/download/v0.19.0/tini \
    ///  && chmod +x /tini
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN case "${TARGETARCH}" in \
    ///       amd64) suffix= ;; \
    ///       arm64) suffix=-arm64 ;; \
    ///       *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    ///     esac \
    ///  && curl -fsSLo /tini https://github.com/krallin/tini/releases/download/v0.19.0/tini${suffix} \
    ///  && chmod +x /tini
    /// ```
    ///
    /// ## Silent
    ///
    /// - for files that are not in the table, and where the address names an architecture
    ///   (`hardcoded-arch-url` looks at those);
    /// - in a branch that asks for the platform, and for a name that such a branch chose;
    /// - in a stage on the build platform or on a constant one, unless the file reaches the image;
    /// - in a stage whose base image is for the file's architecture by its own name.
    ///
    /// ## Fix
    ///
    /// In a `RUN`, a `case` over `TARGETARCH` with the project's names and a failing default: safe,
    /// or unsafe where a checksum stands beside it. In an `ADD`, `${TARGETARCH}` where the project
    /// has a name of that form for every platform: unsafe, since the file changes its name. None
    /// where the project has no file for a platform.
    ///
    /// ## Proof
    ///
    /// None by a build: the files are on other people's servers.
    pub struct UnmarkedArchAsset {
        name: "unmarked-arch-asset",
        group: Downloads,
        summary: "A downloaded file is for one architecture, and its name does not say so",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for UnmarkedArchAsset {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            for (stage, step, effect) in evaluation.effects() {
                if let EffectKind::Download(download) = &effect.kind
                    && !is_deliberate(effect)
                    && download.tool != Fetcher::Git
                {
                    let url = shown(&download.url).into_owned();
                    let Some(asset) = Unmarked::of(&url) else { continue };
                    let site = Site { evaluation, stage, step, effect, download, url, asset };
                    check_download(cx, &site, sink);
                }
            }
        }
    }
}

/// A download of such a file.
pub(super) struct Site<'a> {
    pub(super) evaluation: &'a Evaluation,
    stage: &'a Stage,
    pub(super) step: &'a Step,
    pub(super) effect: &'a Effect,
    pub(super) download: &'a Download,
    pub(super) url: String,
    pub(super) asset: Unmarked,
}

fn check_download(cx: &Context<'_>, site: &Site<'_>, sink: &mut Sink<'_>) {
    let Site { evaluation, stage, effect, download, url, asset, .. } = site;
    let expected = &evaluation.platform;
    if !is_wrong(&asset.owner, expected) || names_architecture(url) {
        return;
    }
    let chosen = |p: &&Piece| p.trail.hops().iter().any(|hop| hop.kind == HopKind::Guarded);
    if download.url.all_pieces().iter().any(chosen) || base_is_for(site) {
        return;
    }
    let role = root_stage(evaluation, stage).platform.role;
    if role != RunsOn::Target && !reaches_image(evaluation, url) {
        return;
    }
    let name = name_range(url, asset);
    let Some((piece, span)) = place_of(&download.url, &name) else { return };
    let (file, owner) = (url[name].to_owned(), asset.owner.to_string());
    let project = asset.project;
    let mut finding = Finding::new(span, expected, move |on| {
        format!(
            "the build for {on} downloads {file}, which is {project}'s file for {owner}, although \
             its name does not say so"
        )
    })
    .effect(harm(site));
    if !effect.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    finding = with_trail(finding, piece);
    if !effect.span.contains(span) {
        finding = finding.related(download.url_span, "it is downloaded here");
    }
    let missing: Vec<Platform> =
        cx.options.platforms.iter().filter(|p| !asset.offers(p)).cloned().collect();
    finding = match missing.as_slice() {
        [] => finding.help(names(asset, url, &cx.options.platforms)),
        _ => finding.help(format!(
            "{project} publishes no such file for {}, as far as mlint knows: build it, or take it \
             from a package",
            mlint_lint::list(&missing)
        )),
    };
    sink.report(finding.maybe_fix(name_the_file::fix(cx, site)));
}

/// What the project calls its files for the platforms.
fn names(asset: &Unmarked, url: &str, platforms: &[Platform]) -> String {
    let named: Vec<String> = platforms
        .iter()
        .filter_map(|platform| {
            let (gap, text) = (asset.gap.clone()?, asset.text(platform)?);
            let name = format!("{}{text}{}", &url[..gap.start], &url[gap.end..]);
            let file = name.split(['?', '#']).next().unwrap_or_default().rsplit('/').next()?;
            Some(format!("{file} is for {platform}"))
        })
        .collect();
    match named.len() == platforms.len() {
        true => mlint_lint::list(&named),
        false => "its files for other platforms are at other addresses".to_owned(),
    }
}

fn is_wrong(owner: &Platform, expected: &Platform) -> bool {
    let kind = MachineKind::Platform(owner.clone());
    Machine { kind, source: MachineSource::Nothing }.is_wrong_for(expected)
}

fn names_architecture(url: &str) -> bool {
    find_words(url).iter().any(|w| w.kind != WordKind::System && !w.platforms.is_empty() && !w.weak)
}

/// Whether the stage's base image is by its own name for the file's architecture.
fn base_is_for(site: &Site<'_>) -> bool {
    let Base::Image { reference } = &root_stage(site.evaluation, site.stage).base else {
        return false;
    };
    find_words(&shown(reference)).iter().any(|w| w.is_linux() && w.means(&site.asset.owner))
}

fn reaches_image(evaluation: &Evaluation, url: &str) -> bool {
    evaluation
        .final_artifacts()
        .any(|a| matches!(&a.made, Made::Downloaded { url: from } if shown(from) == url))
}

/// What happens: a program that is run in the build stops it.
fn harm(site: &Site<'_>) -> Harm {
    let output = site.download.output.as_ref().and_then(|o| o.as_known());
    let runs = site.stage.effects().any(|(_, e)| match &e.kind {
        EffectKind::Execute { path, .. } => output.as_deref() == Some(path),
        _ => false,
    });
    if runs { Harm::BuildFails } else { Harm::WrongBinary }
}

/// The file's name in its URL, and the folder that tells its machine.
fn name_range(url: &str, asset: &Unmarked) -> Range<usize> {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let start = url[..end].rfind('/').map_or(0, |slash| slash + 1);
    start.min(asset.gap.as_ref().map_or(start, |gap| gap.start))..end
}

/// The piece that has the last byte of `range`, and where as much of the range as it has stands.
fn place_of<'v>(value: &'v Value, range: &Range<usize>) -> Option<(&'v Piece, Span)> {
    let (piece, bytes) = placed(value).find(|(_, bytes)| range.end <= bytes.end)?;
    let from = range.start.saturating_sub(bytes.start);
    Some((piece, piece.subspan(from..range.end - bytes.start)))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "unmarked-arch-asset")
    }

    #[test]
    fn files_for_amd64_without_a_word() {
        let found = harness().check(
            r"
            FROM debian:12
            ADD https://github.com/krallin/tini/releases/download/v0.19.0/tini /tini
                                                                          ^^^^ error: unmarked-arch-asset: the build for linux/arm64 downloads tini, which is tini's file for linux/amd64
            RUN curl -fsSL https://mirror.openshift.com/pub/openshift-v4/clients/ocp/stable/openshift-client-linux.tar.gz | tar xz -C /usr/local/bin oc
                                                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: unmarked-arch-asset
            RUN curl -Os https://uploader.codecov.io/latest/linux/codecov && chmod +x codecov
                                                            ^^^^^^^^^^^^^ error: unmarked-arch-asset
            ",
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
        assert!(found[1].help.as_ref().unwrap().contains("openshift-client-linux-arm64.tar.gz"));
    }

    #[test]
    fn a_version_in_between() {
        let found = harness().check(
            r"
            FROM debian:12
            ARG TINI_VERSION=v0.19.0
            ADD https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini /tini
                                                                                  ^^^^ error: unmarked-arch-asset
            ARG NDK
            RUN wget https://dl.google.com/android/repository/android-ndk-${NDK}-linux.zip
                                                                                ^^^^^^^^^^ error: unmarked-arch-asset
            ",
        );
        assert!(found[1].help.as_ref().unwrap().contains("publishes no such file for linux/arm64"));
        assert!(found[1].fixes.is_empty());
    }

    #[test]
    fn only_where_it_is_wrong() {
        let harness = harness().platforms(&["linux/amd64", "linux/386", "linux/arm64"]);
        let text = "FROM debian:12\nADD https://steamcdn-a.akamaihd.net/client/installer/steamcmd_linux.tar.gz /\n";
        let report = harness.report(text);
        let found: Vec<_> =
            report.diagnostics.iter().filter(|d| d.rule == "unmarked-arch-asset").collect();
        assert_eq!(found.len(), 1);
        assert_eq!(mlint_lint::list(&found[0].platforms), "linux/arm64");
    }

    #[test]
    fn a_case_with_the_project_s_names() {
        harness().check_fix(
            r"
            FROM debian:12
            RUN curl -fsSLO https://github.com/ninja-build/ninja/releases/download/v1.12.1/ninja-linux.zip \
             && unzip ninja-linux.zip -d /usr/local/bin \
             && rm ninja-linux.zip
            ",
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "${TARGETARCH}" in \
                  amd64) suffix= ;; \
                  arm64) suffix=-aarch64 ;; \
                  *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
                esac \
             && curl -fsSLO https://github.com/ninja-build/ninja/releases/download/v1.12.1/ninja-linux${suffix}.zip \
             && unzip ninja-linux${suffix}.zip -d /usr/local/bin \
             && rm ninja-linux${suffix}.zip
            "#,
        );
        harness().check_fix(
            r"
            FROM debian:12
            RUN set -eux; \
                curl -fsSLo fnm.zip https://github.com/Schniz/fnm/releases/download/v1.37.0/fnm-linux.zip; \
                unzip fnm.zip
            ",
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN set -eux; \
                case "${TARGETARCH}" in \
                  amd64) asset=linux ;; \
                  arm64) asset=arm64 ;; \
                  *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
                esac; \
                curl -fsSLo fnm.zip https://github.com/Schniz/fnm/releases/download/v1.37.0/fnm-${asset}.zip; \
                unzip fnm.zip
            "#,
        );
    }

    #[test]
    fn an_output_of_its_own_keeps_its_name() {
        harness().check_fix(
            r"
            FROM debian:12
            RUN wget -qO /usr/local/bin/k3s https://github.com/k3s-io/k3s/releases/download/v1.30.0%2Bk3s1/k3s && chmod +x /usr/local/bin/k3s
            ",
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "${TARGETARCH}" in \
                  amd64) suffix= ;; \
                  arm64) suffix=-arm64 ;; \
                  *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
                esac && \
                wget -qO /usr/local/bin/k3s https://github.com/k3s-io/k3s/releases/download/v1.30.0%2Bk3s1/k3s${suffix} && chmod +x /usr/local/bin/k3s
            "#,
        );
    }

    #[test]
    fn add_takes_the_other_name() {
        harness().check_unsafe_fix(
            r"
            FROM debian:12
            ENV TINI_VERSION=v0.19.0
            ADD https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini /tini
            ",
            r"
            FROM debian:12
            ARG TARGETARCH
            ENV TINI_VERSION=v0.19.0
            ADD https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini-${TARGETARCH} /tini
            ",
        );
    }

    #[test]
    fn silent_where_somebody_thought_of_it() {
        for text in [
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "$TARGETARCH" in \
                  amd64) f=openshift-client-linux.tar.gz ;; \
                  arm64) f=openshift-client-linux-arm64.tar.gz ;; \
                esac; \
                curl -fsSL https://mirror.openshift.com/pub/openshift-v4/clients/ocp/stable/$f | tar xz
            "#,
            r#"
            FROM debian:12
            RUN if [ "$(uname -m)" = x86_64 ]; then \
                  curl -fsSLo /tini https://github.com/krallin/tini/releases/download/v0.19.0/tini; \
                fi
            "#,
            // Another file, another project.
            "FROM debian:12\nADD https://github.com/krallin/tini/releases/download/v0.19.0/tini.asc /\n",
            "FROM debian:12\nADD https://example.org/tini /tini\n",
            // hardcoded-arch-url's.
            "FROM debian:12\nADD https://mirror.openshift.com/pub/openshift-v4/x86_64/clients/ocp/stable/openshift-client-linux.tar.gz /\n",
            // Machine code of the build machine, where it runs.
            r"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            RUN wget https://github.com/ninja-build/ninja/releases/download/v1.12.1/ninja-linux.zip
            RUN make > /out.txt
            FROM debian:12
            COPY --from=build /out.txt /
            ",
            "FROM amd64/debian:12\nADD https://github.com/krallin/tini/releases/download/v0.19.0/tini /tini\n",
        ] {
            harness().silent(text);
        }
    }
}
