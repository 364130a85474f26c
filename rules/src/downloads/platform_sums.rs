//! The sum of each platform's file, where those were looked up, and the repair that writes them.

use mlint_lint::{Context, ProposedFix};
use mlint_model::{Effect, EffectKind, Evaluation, Fact, SumQuery};
use mlint_oci::{Algorithm, Digest, Platform};
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    downloads::shell_case,
    support::{is_run, shown},
};

/// What to know before sums are trusted that nobody but the server vouches for.
const CAUTION: &str = "the other sums are those of what the server sends today: compare them with \
                       the list of checksums that the project publishes";

/// The file that one written sum is compared with, on each platform.
pub(super) struct PlatformSums<'a> {
    written: &'a str,
    files: Vec<File<'a>>,
}

struct File<'a> {
    platform: &'a Platform,
    query: SumQuery,
    sum: Fact<&'a Digest>,
}

impl<'a> PlatformSums<'a> {
    /// For the download and the comparison of a stage at these places. `None` where a platform
    /// compares with something else, or where it can't be told what it fetches.
    pub(super) fn of(
        cx: &Context<'a>,
        stage: usize,
        download: Span,
        comparison: Span,
        written: &'a str,
    ) -> Option<Self> {
        // Another function of the same length shows: no file has the sum that is written.
        let algorithm = [Algorithm::Sha256, Algorithm::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.hex_len() == written.len())?;
        let file = |evaluation: &'a Evaluation| {
            if !compares_with(evaluation, stage, comparison, written) {
                return None;
            }
            let url = address(evaluation, stage, download)?;
            let query = SumQuery { url, algorithm };
            let sum = cx.options.sums.sum(&query);
            Some(File { platform: &evaluation.platform, query, sum })
        };
        let files = cx.evaluations.iter().map(file).collect::<Option<_>>()?;
        Some(Self { written, files })
    }

    /// What would have to be looked up.
    pub(super) fn queries(&self) -> impl Iterator<Item = SumQuery> + '_ {
        self.files.iter().map(|file| file.query.clone())
    }

    /// A platform whose file has the sum that is written.
    pub(super) fn owner(&self) -> Option<&'a Platform> {
        self.files.iter().find(|file| self.has_written(file)).map(|file| file.platform)
    }

    /// Whether the file of a platform has the sum that is written.
    pub(super) fn fits(&self, platform: &Platform) -> bool {
        self.files.iter().any(|file| file.platform == platform && self.has_written(file))
    }

    fn has_written(&self, file: &File<'_>) -> bool {
        matches!(file.sum, Fact::Known(sum) if sum.hex().eq_ignore_ascii_case(self.written))
    }

    /// What to do, as far as it is known.
    pub(super) fn help(&self) -> String {
        let mut sums = Vec::new();
        for File { platform, sum, .. } in &self.files {
            match sum {
                Fact::Known(sum) => sums.push(format!("{} for {platform}", sum.hex())),
                Fact::Unavailable(why) => {
                    return format!(
                        "give each platform its own sum; that of the file for {platform} could \
                         not be looked up: {why}"
                    );
                }
                Fact::NotAsked => {
                    return "give each platform its own sum, as in a `case` over TARGETARCH with \
                            the name; `mlint fix --look-up-sums` downloads the files to find the \
                            sums out"
                        .to_owned();
                }
            }
        }
        match self.owner() {
            Some(_) => format!("give each platform its own sum: {}", mlint_lint::list(&sums)),
            None => "no platform's file has the sum that is written: what the addresses serve may \
                     have changed; see why before you write other sums"
                .to_owned(),
        }
    }

    /// A `case` with the sums, in front of the script in which the sum is written at `place`.
    pub(super) fn fix(
        &self,
        cx: &Context<'_>,
        evaluation: &Evaluation,
        place: Option<Span>,
    ) -> Option<ProposedFix> {
        let (owner, place) = (self.owner()?, place?);
        let (home, instruction) = cx.instruction_at(place.start)?;
        if !is_run(cx, home) {
            return None;
        }
        let mut arms: Vec<(String, String)> = Vec::new();
        for File { platform, sum, .. } in &self.files {
            let Fact::Known(sum) = sum else { return None };
            let arm = (platform.arch().to_owned(), sum.hex().to_owned());
            match arms.iter().find(|(arch, _)| *arch == arm.0) {
                Some(known) if *known != arm => return None,
                Some(_) => {}
                None => arms.push(arm),
            }
        }
        let variable = shell_case::free_name(cx, &["sum", "checksum", "file_sum", "digest"]);
        let mut edits = EditSet::new();
        edits.insert(Edit { span: place, text: format!("${{{variable}}}") }).ok()?;
        edits.insert(shell_case::before(cx, instruction, variable, &arms)?).ok()?;
        shell_case::declare_for(cx, evaluation, &[home], &mut edits)?;
        let fix = ProposedFix::needs_look("give each platform its own sum", edits);
        Some(fix.because(CAUTION).keeping(owner).or_nothing())
    }
}

/// The one address that a command fetches from, if all of it is known.
fn address(evaluation: &Evaluation, stage: usize, span: Span) -> Option<String> {
    let mut urls = effects(evaluation, stage, span).filter_map(|effect| match &effect.kind {
        EffectKind::Download(download) => Some(&download.url),
        _ => None,
    });
    let url = urls.next()?.as_known()?.into_owned();
    let scheme = url.split_once("://")?.0.to_ascii_lowercase();
    (urls.next().is_none() && matches!(&*scheme, "http" | "https")).then_some(url)
}

fn compares_with(evaluation: &Evaluation, stage: usize, span: Span, digest: &str) -> bool {
    effects(evaluation, stage, span).any(
        |effect| matches!(&effect.kind, EffectKind::Checksum { sums } if shown(sums).contains(digest)),
    )
}

fn effects(evaluation: &Evaluation, stage: usize, span: Span) -> impl Iterator<Item = &Effect> {
    let stage = evaluation.stages.get(stage);
    stage.into_iter().flat_map(|s| s.effects()).map(|(_, e)| e).filter(move |e| e.span == span)
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    const AMD: &str = "0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80";
    const ARM: &str = "9d1e3a7c5b2f4e6d8a0c1b3f5e7d9a2c4b6e8f0a1c3d5e7f9b0d2f4a6c8e0b1d";

    fn unasked() -> Harness<'static> {
        Harness::new(crate::all(), "single-arch-checksum")
    }

    fn asked(amd64: &str, arm64: &str) -> Harness<'static> {
        unasked()
            .sum("https://example.org/t-amd64", amd64)
            .sum("https://example.org/t-arm64", arm64)
    }

    /// The text with the sum of the amd64 file for AMD, and that of the other for ARM.
    fn spell(text: &str) -> String {
        text.replace("AMD", AMD).replace("ARM", ARM)
    }

    const PLAIN: &str = r#"
        FROM debian:12
        ARG TARGETARCH
        RUN curl -fsSLo /t "https://example.org/t-${TARGETARCH}" && echo "AMD  /t" | sha256sum -c
        "#;

    fn help(harness: &Harness<'_>, text: &str) -> String {
        let report = harness.report(text);
        let found = report.diagnostics.iter().find(|d| d.rule == "single-arch-checksum");
        found.and_then(|d| d.help.clone()).unwrap_or_default()
    }

    #[test]
    fn a_case_in_front_of_the_script() {
        let after = r#"
        FROM debian:12
        ARG TARGETARCH
        RUN case "${TARGETARCH}" in \
              amd64) sum=AMD ;; \
              arm64) sum=ARM ;; \
              *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
            esac && \
            curl -fsSLo /t "https://example.org/t-${TARGETARCH}" && echo "${sum}  /t" | sha256sum -c
        "#;
        asked(AMD, ARM).check_unsafe_fix(&spell(PLAIN), &spell(after));
    }

    #[test]
    fn declares_the_argument_and_finds_a_free_name() {
        let before = r#"
        FROM debian:12 AS base
        ENV sum=3
        RUN set -eux; \
            wget -O /t "https://example.org/t-$(dpkg --print-architecture)"; \
            T_SHA=AMD; \
            echo "$T_SHA */t" | sha256sum -c -
        "#;
        let after = r#"
        FROM debian:12 AS base
        ARG TARGETARCH
        ENV sum=3
        RUN set -eux; \
            case "${TARGETARCH}" in \
              amd64) checksum=AMD ;; \
              arm64) checksum=ARM ;; \
              *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
            esac; \
            wget -O /t "https://example.org/t-$(dpkg --print-architecture)"; \
            T_SHA=${checksum}; \
            echo "$T_SHA */t" | sha256sum -c -
        "#;
        asked(AMD, ARM).check_unsafe_fix(&spell(before), &spell(after));
    }

    #[test]
    fn two_files_of_one_script_get_a_name_each() {
        let text = r#"
        FROM debian:12
        ARG TARGETARCH
        RUN curl -fsSLo /t https://example.org/t-${TARGETARCH} \
         && echo "AMD  /t" | sha256sum -c \
         && curl -fsSLo /u https://example.org/u-${TARGETARCH} \
         && echo "ARM  /u" | sha256sum -c
        "#;
        let after = r#"
        FROM debian:12
        ARG TARGETARCH
        RUN case "${TARGETARCH}" in \
              amd64) checksum=ARM ;; \
              arm64) checksum=AMD ;; \
              *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
            esac \
         && case "${TARGETARCH}" in \
              amd64) sum=AMD ;; \
              arm64) sum=ARM ;; \
              *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
            esac \
         && curl -fsSLo /t https://example.org/t-${TARGETARCH} \
         && echo "${sum}  /t" | sha256sum -c \
         && curl -fsSLo /u https://example.org/u-${TARGETARCH} \
         && echo "${checksum}  /u" | sha256sum -c
        "#;
        let harness = asked(AMD, ARM)
            .sum("https://example.org/u-amd64", ARM)
            .sum("https://example.org/u-arm64", AMD);
        harness.check_unsafe_fix(&spell(text), &spell(after));
    }

    #[test]
    fn it_is_the_other_platform_that_stops() {
        let found = asked(ARM, AMD).check(&spell(
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN curl -fsSLo /t "https://example.org/t-${TARGETARCH}" && echo "AMD  /t" | sha256sum -c
            "#,
        ).replacen("sha256sum -c\n", &format!("sha256sum -c\n{}{} error: single-arch-checksum: the build for linux/amd64 stops\n", " ".repeat(78), "^".repeat(64)), 1));
        assert_eq!(mlint_lint::list(&found[0].platforms), "linux/amd64");
    }

    #[test]
    fn nothing_to_find_where_both_files_are_the_same() {
        asked(AMD, AMD).silent(&spell(PLAIN));
    }

    #[test]
    fn no_sum_is_written_down_that_nobody_can_tell_to_be_right() {
        let text = spell(PLAIN);
        // Nobody asked.
        unasked().check_no_fix(&text);
        assert!(help(&unasked(), &text).contains("--look-up-sums"));
        // What is served is not what was served when the sum was written.
        let other = asked(ARM, &AMD.replace('0', "1"));
        other.check_no_fix(&text);
        assert!(help(&other, &text).contains("may have changed"), "{}", help(&other, &text));
        // One is not to be had.
        let gone = unasked()
            .sum("https://example.org/t-amd64", AMD)
            .no_sum("https://example.org/t-arm64", "404 Not Found");
        gone.check_no_fix(&text);
        assert!(help(&gone, &text).ends_with("could not be looked up: 404 Not Found"));
    }

    #[test]
    fn no_fix_where_no_script_writes_the_sum() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\n\
             ADD --checksum=sha256:AMD https://example.org/t-${TARGETARCH} /t\n",
            "FROM debian:12\nARG TARGETARCH\nARG T_SHA=AMD\n\
             RUN curl -fsSLo /t https://example.org/t-$TARGETARCH && echo \"$T_SHA  /t\" | sha256sum -c\n",
            // Nothing is expanded in these quotes.
            "FROM debian:12\nARG TARGETARCH\n\
             RUN curl -fsSLo /t https://example.org/t-$TARGETARCH && echo 'AMD  /t' | sha256sum -c\n",
        ] {
            let (text, harness) = (spell(text), asked(AMD, ARM));
            harness.check_no_fix(&text);
            let help = help(&harness, &text);
            assert!(help.contains(&format!("{ARM} for linux/arm64")), "{text}{help}");
        }
    }

    #[test]
    fn asks_for_each_platforms_file_and_no_other() {
        let urls = |text: &str| -> Vec<String> {
            unasked().asked(&spell(text)).into_iter().map(|query| query.url).collect()
        };
        assert_eq!(urls(PLAIN), ["https://example.org/t-amd64", "https://example.org/t-arm64"]);
        for text in [
            // Which version it is, the build finds out.
            "FROM debian:12\nARG TARGETARCH\n\
             RUN curl -fsSLo /t https://example.org/$(cat /v)/t-$TARGETARCH && echo \"AMD  /t\" | sha256sum -c\n",
            // Not a web server's.
            "FROM debian:12\nARG TARGETARCH\n\
             RUN curl -fsSLo /t ftp://example.org/t-$TARGETARCH && echo \"AMD  /t\" | sha256sum -c\n",
            // Not a sum that is looked up.
            "FROM debian:12\nARG TARGETARCH\n\
             RUN curl -fsSLo /t https://example.org/t-$TARGETARCH && echo \"5d41402abc4b2a76b9719d911017c592  /t\" | md5sum -c\n",
            // The finding is not wanted.
            "FROM debian:12\nARG TARGETARCH\n# mlint ignore=single-arch-checksum: known\n\
             RUN curl -fsSLo /t https://example.org/t-$TARGETARCH && echo \"AMD  /t\" | sha256sum -c\n",
            // Nothing is wrong.
            "FROM debian:12\n\
             RUN curl -fsSLo /t https://example.org/t && echo \"AMD  /t\" | sha256sum -c\n",
        ] {
            assert_eq!(urls(text), [""; 0], "{text}");
        }
    }
}
