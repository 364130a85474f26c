//! `single-arch-package`

use mlint_lint::{Confidence, Context, Finding, Meta, Rule, Severity, Sink};
use mlint_model::{EffectKind, Evaluation, Install, Manager, RunsOn, Stage};
use mlint_oci::Platform;

use crate::{
    support::{is_deliberate, is_tolerated, root_stage, shown, with_trail},
    table::Table,
};

mlint_lint::declare_rule! {
    /// The distribution builds this package for some architectures only: drivers and tools for
    /// Intel's hardware, 32-bit libraries for x86, boot loaders for a PC. On the others the package
    /// manager does not know it, and the build stops with `Unable to locate package`, `has no
    /// installation candidate`, or `no such package`.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN apt-get update && apt-get install -y ffmpeg intel-media-va-driver
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN apt-get update && apt-get install -y ffmpeg \
    ///  && if [ "$TARGETARCH" = amd64 ]; then apt-get install -y intel-media-va-driver; fi
    /// ```
    ///
    /// ## Silent
    ///
    /// - in branches that ask for the platform, and in stages on the build platform or on a
    ///   constant one;
    /// - after `dpkg --add-architecture`, which brings packages of another machine, and for
    ///   `NAME:amd64`, which is `arch-specific-package`'s;
    /// - where the command may fail: `|| true`;
    /// - for packages that are not in the table, and architectures that it says nothing about.
    ///
    /// ## Fix
    ///
    /// By hand: install it under a condition, as above, or leave it out where the machine has no
    /// use for it.
    pub struct SingleArchPackage {
        name: "single-arch-package",
        group: Packages,
        summary: "A package exists for some architectures only",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: None,
    }
}

static TABLE: Table = Table::new(include_str!("../../data/single-arch-packages.tsv"));

/// The architectures that the table's author asked about.
const ASKED: &[&str] = &["386", "amd64", "arm", "arm64", "ppc64le", "riscv64", "s390x"];

impl Rule for SingleArchPackage {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        let known = |e: &&Evaluation| ASKED.contains(&e.platform.arch());
        for evaluation in cx.evaluations.iter().filter(known) {
            for stage in evaluation.reachable() {
                let on_target = root_stage(evaluation, stage).platform.role == RunsOn::Target
                    && stage.userland.as_ref() == Some(&evaluation.platform);
                if on_target {
                    check_stage(cx, evaluation, stage, sink);
                }
            }
        }
    }
}

fn check_stage(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage, sink: &mut Sink<'_>) {
    for (_, effect) in stage.effects().filter(|(_, e)| !is_deliberate(e)) {
        let EffectKind::Install(install) = &effect.kind else { continue };
        for (index, package) in install.packages.iter().enumerate() {
            let text = shown(&package.value);
            let Some(have) = lacking(install, index, &text, &evaluation.platform) else { continue };
            if super::wants_others(stage) || is_tolerated(cx, effect.span) {
                return;
            }
            let name = text.split('=').next().unwrap_or_default().to_owned();
            let shown_name = name.clone();
            let mut finding = Finding::new(package.span, &evaluation.platform, move |on| {
                format!(
                    "the build for {on} can't install this: {shown_name} exists for {have} only"
                )
            })
            .help(format!("install {name} under a condition: if [ \"$TARGETARCH\" = amd64 ]"));
            if !effect.certain {
                finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
            }
            if !effect.span.contains(package.span) {
                finding = finding.related(effect.span, "it is installed here");
            }
            if let [piece] = package.value.pieces() {
                finding = with_trail(finding, piece);
            }
            sink.report(finding);
        }
    }
}

/// What has the package, if `platform` certainly has not.
fn lacking(install: &Install, index: usize, text: &str, platform: &Platform) -> Option<String> {
    let manager = match install.manager {
        Manager::Apt => "apt",
        Manager::Apk => "apk",
        _ => return None,
    };
    if install.targets.iter().any(|t| t.package == index) {
        return None;
    }
    let name = text.split(['=', '<', '>', '~']).next().unwrap_or_default();
    let of = |key: &str| {
        TABLE.named(key).find_map(|row| {
            let mut columns = row.split('\t').skip(1);
            (columns.next() == Some(manager)).then(|| columns.nth(1).unwrap_or_default())
        })
    };
    let have = of(name).or_else(|| of(&without_version(name)?))?;
    let mut architectures: Vec<&str> = have.split(' ').collect();
    if architectures.contains(&platform.arch()) {
        return None;
    }
    let last = architectures.pop()?;
    Some(match architectures.is_empty() {
        true => last.to_owned(),
        false => format!("{} and {last}", architectures.join(", ")),
    })
}

/// `gcc-*-multilib` of `gcc-12-multilib`.
fn without_version(name: &str) -> Option<String> {
    let is_version = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    let parts: Vec<&str> = name.split('-').collect();
    let at = parts.iter().position(is_version)?;
    let mut parts = parts;
    *parts.get_mut(at)? = "*";
    Some(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    use super::*;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "single-arch-package")
    }

    #[test]
    fn drivers_multilib_and_boot_loaders() {
        let found = harness().check(
            r#"
            FROM ubuntu:24.04
            ENV DRIVERS="i965-va-driver vainfo"
            RUN apt-get update && apt-get install -y --no-install-recommends gcc-12-multilib msr-tools=1.3-5 $DRIVERS
                                                                             ^^^^^^^^^^^^^^^ error: single-arch-package: the build for linux/arm64 can't install this: gcc-12-multilib exists for amd64, 386 and s390x only
                                                                                             ^^^^^^^^^^^^^^^ error: single-arch-package: msr-tools exists for amd64 and 386 only
                                                                                                             ^^^^^^^^ error: single-arch-package: i965-va-driver
            "#,
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
        harness().check(
            r"
            FROM alpine:3.20
            RUN apk add --no-cache ffmpeg intel-media-driver
                                          ^^^^^^^^^^^^^^^^^^ error: single-arch-package: exists for amd64 only
            ",
        );
    }

    #[test]
    fn perhaps() {
        harness().check(
            r#"
            FROM debian:12
            RUN if [ -e /etc/with-boot ]; then apt-get install -y grub-pc-bin; fi
                                                                  ^^^^^^^^^^^ warning: single-arch-package
            "#,
        );
    }

    #[test]
    fn silent_where_it_exists_or_is_meant() {
        for text in [
            "FROM debian:12\nRUN if [ \"$(dpkg --print-architecture)\" = amd64 ]; then apt-get install -y grub-pc-bin; fi\n",
            "FROM debian:12\nARG TARGETARCH\nRUN case $TARGETARCH in amd64) drivers=intel-media-va-driver ;; esac && apt-get install -y vainfo $drivers\n",
            "FROM --platform=linux/amd64 debian:12 AS b\nRUN apt-get install -y syslinux && echo > /image\nFROM debian:12\nCOPY --from=b /image /image\n",
            "FROM --platform=$BUILDPLATFORM debian:12 AS b\nRUN apt-get install -y gcc-multilib && echo > /image\nFROM debian:12\nCOPY --from=b /image /image\n",
            "FROM debian:12\nRUN apt-get install -y intel-media-va-driver || true\n",
            "FROM debian:12\nRUN dpkg --add-architecture amd64 && apt-get update && apt-get install -y libc6-i386\n",
            "FROM debian:12\nRUN apt-get install -y gcc g++ grub-common vainfo gcc-12 nasm isolinux\n",
            "FROM debian:12\nRUN pip install cpuid\n",
            "FROM alpine:3.20\nRUN apk add --no-cache grub-efi libva-utils\n",
            "FROM --platform=linux/amd64 debian:12\nRUN apt-get install -y i965-va-driver\n",
        ] {
            harness().silent(text);
        }
        harness()
            .platforms(&["linux/amd64", "linux/s390x", "linux/mips64le"])
            .silent("FROM debian:12\nRUN apt-get install -y gcc-multilib\n");
    }

    #[test]
    fn the_table_names_architectures_and_sources() {
        for row in TABLE.all() {
            let columns: Vec<&str> = row.split('\t').collect();
            assert_eq!(columns.len(), 4, "{row}");
            assert!(["apt", "apk"].contains(&columns[1]) && !columns[2].is_empty(), "{row}");
            assert!(columns[3].split(' ').all(|a| ASKED.contains(&a)), "{row}");
        }
        assert_eq!(without_version("lib32stdc++-12-dev").as_deref(), Some("lib32stdc++-*-dev"));
        assert_eq!(without_version("gcc-multilib"), None);
    }
}
