//! `single-arch-checksum`

use mlint_lint::{Confidence, Context, Finding, Meta, Rule, Severity, Sink};
use mlint_model::{Download, Effect, EffectKind, Evaluation, HopKind, Piece, Stage, Step, Value};
use mlint_syntax::Span;

use crate::{
    downloads::{checksum::digests, platform_sums::PlatformSums},
    support::{is_deliberate, is_platform_arg_default, shown, with_trail},
};

mlint_lint::declare_rule! {
    /// A download follows the platform, and the checksum that it is compared with does not: it is
    /// the sum of one platform's file, so the builds for all others stop there. This happens when
    /// a second platform is added to a file that was careful: the name in the URL gets
    /// `${TARGETARCH}`, the sum beside it stays.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN curl -fsSLo /tool https://example.org/tool-${TARGETARCH} \
    ///  && echo "0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80  /tool" | sha256sum -c
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN case "${TARGETARCH}" in \
    ///       amd64) sum=0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80 ;; \
    ///       arm64) sum=9d1e3a7c5b2f4e6d8a0c1b3f5e7d9a2c4b6e8f0a1c3d5e7f9b0d2f4a6c8e0b1d ;; \
    ///       *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    ///     esac \
    ///  && curl -fsSLo /tool https://example.org/tool-${TARGETARCH} \
    ///  && echo "${sum}  /tool" | sha256sum -c
    /// ```
    ///
    /// ## Silent
    ///
    /// - where the sum follows the platform too: from a `case`, from a variable per architecture,
    ///   from a list that the project publishes and that is fetched;
    /// - where the file is the same for all platforms, or it can't be told which file is compared;
    /// - where the URL names one architecture: that is `hardcoded-arch-url`'s.
    ///
    /// ## Fix
    ///
    /// Only with `--look-up-sums`, since the other sums are not in the file: `mlint check` and
    /// `mlint fix` then download the file of each platform, compute its sum, and keep nothing else of
    /// it. If one of the files has the sum that is written, a `case` over TARGETARCH with all sums
    /// goes in front of the script; if none has it, what the addresses serve may have changed, and
    /// there is no fix. It needs a look: that the other files are the right ones is the server's word
    /// alone, so compare their sums with the project's list of checksums.
    ///
    /// SHA-256 and SHA-512 are looked up. There is no fix where the sum stands in an ARG, an ENV or
    /// `ADD --checksum`, but the help tells the sums. For ADD, write a stage per architecture (`FROM
    /// scratch AS tool-amd64` with its ADD), and take the file from the right one: `FROM
    /// tool-${TARGETARCH} AS tool`, `COPY --from=tool`.
    pub struct SingleArchChecksum {
        name: "single-arch-checksum",
        group: Downloads,
        summary: "One checksum for a download that differs from platform to platform",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for SingleArchChecksum {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        // The sum is most likely that of the machine that the author builds on.
        let own = cx.evaluations.iter().find(|e| e.platform == cx.options.build_platform);
        let Some(own) = own.or(cx.evaluations.first()) else { return };
        // Where sums were looked up, they tell whose it is.
        let is_guess = cx.options.sums.is_empty();
        let others = cx.evaluations.iter().filter(|e| !is_guess || e.platform != own.platform);
        for evaluation in others {
            for (stage, step, effect) in evaluation.effects() {
                if let EffectKind::Checksum { sums } = &effect.kind
                    && !is_deliberate(effect)
                {
                    for line in lines(sums) {
                        check_line(cx, (own, evaluation), (stage, step, effect), &line, sink);
                    }
                }
            }
        }
    }
}

/// A line of a list of checksums.
struct Line<'v> {
    digest: String,
    /// The piece that has the digest.
    piece: &'v Piece,
    span: Span,
    /// The digest's own place, if all of it can be replaced there.
    place: Option<Span>,
    /// The file's name; empty for `ADD --checksum`.
    name: String,
}

/// The lines whose digest the author wrote for all platforms.
fn lines(sums: &Value) -> Vec<Line<'_>> {
    let text = shown(sums);
    let mut found = Vec::new();
    for range in digests(&text) {
        let mut at = 0;
        let piece = sums.pieces().iter().find_map(|piece| {
            let start = at;
            at += piece.text().map_or(1, str::len);
            (start <= range.start && range.end <= at).then_some((piece, start))
        });
        let Some((piece, start)) = piece else { continue };
        let chosen = piece.trail.hops().iter().any(|hop| hop.kind == HopKind::Guarded);
        if !piece.is_literal() || chosen || is_platform_arg_default(piece) {
            continue;
        }
        let rest = text[range.end..].lines().next().unwrap_or_default();
        let name = rest.trim_start_matches([' ', '*', '\t']).trim_end();
        let (from, to) = ((range.start - start) as u32, (range.end - start) as u32);
        let place = piece
            .source
            .as_ref()
            .and_then(|source| <[Span; 1]>::try_from(source.pieces(from, to)).ok())
            .map(|[place]| place);
        found.push(Line {
            place,
            digest: text[range.clone()].to_owned(),
            piece,
            span: piece.subspan(range.start - start..range.end - start),
            name: name.trim_end_matches("\\n").to_owned(),
        });
    }
    found
}

fn check_line(
    cx: &Context<'_>,
    (own, evaluation): (&Evaluation, &Evaluation),
    (stage, step, effect): (&Stage, &Step, &Effect),
    line: &Line<'_>,
    sink: &mut Sink<'_>,
) {
    let Some((made, download)) = compared(stage, step, effect, line) else { return };
    let sums = || PlatformSums::of(cx, stage.index, made.span, effect.span, &line.digest);
    let known = if cx.options.sums.is_empty() { None } else { sums() };
    let owner = known.as_ref().and_then(PlatformSums::owner);
    let own = cx.evaluations.iter().find(|e| Some(&e.platform) == owner).unwrap_or(own);
    if own.platform == evaluation.platform
        || known.as_ref().is_some_and(|sums| sums.fits(&evaluation.platform))
    {
        return;
    }
    let Some(same) = own.stages.get(stage.index) else { return };
    // The same command there, with other addresses and the same sum. One command may fetch often:
    // in a loop, in a function.
    let mut elsewhere = same.effects().filter_map(|(_, e)| match &e.kind {
        EffectKind::Download(d) if e.span == made.span => Some(shown(&d.url)),
        _ => None,
    });
    let url = shown(&download.url);
    let differs =
        elsewhere.next().is_some_and(|first| first != url && elsewhere.all(|other| other != url));
    let same_sum = same.effects().any(|(_, e)| match &e.kind {
        EffectKind::Checksum { sums } => {
            e.span == effect.span && shown(sums).contains(line.digest.as_str())
        }
        _ => false,
    });
    if !same_sum || !differs {
        return;
    }
    let other = own.platform.to_string();
    let mut finding = Finding::new(line.span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} stops: it downloads a file of its own and compares it with the \
             same checksum as the build for {other}"
        )
    })
    .related(download.url_span, "the address follows the platform");
    finding = match known.or_else(sums) {
        Some(sums) => finding
            .help(sums.help())
            .asks(sums.queries())
            .maybe_fix(sums.fix(cx, evaluation, line.place)),
        None => finding
            .help("give each platform its own sum, as in a `case` over TARGETARCH with the name"),
    };
    finding = with_trail(finding, line.piece);
    if !effect.certain || !made.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    sink.report(finding);
}

/// The download that a line of a list is about.
fn compared<'s>(
    stage: &'s Stage,
    step: &Step,
    effect: &Effect,
    line: &Line<'_>,
) -> Option<(&'s Effect, &'s Download)> {
    let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let name = file(&line.name);
    let downloads = stage.effects().filter_map(|(s, e)| match &e.kind {
        EffectKind::Download(download) if s.instruction <= step.instruction => Some((e, download)),
        _ => None,
    });
    if line.name.is_empty() {
        let mut at = downloads.filter(|(e, _)| e.span == effect.span);
        return at.next();
    }
    let named = downloads.filter(|(_, download)| match &download.output {
        Some(output) => file(&shown(output)) == name,
        None => false,
    });
    named.last()
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "single-arch-checksum")
    }

    #[test]
    fn one_sum_for_a_file_that_follows_the_platform() {
        let found = harness().check(
            r#"
            FROM debian:12
            ARG TARGETARCH
            ADD --checksum=sha256:0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80 https://example.org/a-${TARGETARCH} /a
                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: single-arch-checksum: the build for linux/arm64 stops
            RUN curl -fsSLo /b https://example.org/b-$(uname -m) && echo "5d41402abc4b2a76b9719d911017c592  /b" | md5sum -c -
                                                                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: single-arch-checksum
            "#,
        );
        assert!(found.iter().all(|d| d.effect == mlint_lint::Effect::BuildFails));
        assert!(found.iter().all(|d| mlint_lint::list(&d.platforms) == "linux/arm64"));
    }

    #[test]
    fn through_variables_and_lists() {
        harness().check(
            r#"
            FROM debian:12
            ENV TOOL_SHA256=0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80
                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: single-arch-checksum
            RUN arch="$(dpkg --print-architecture)"; \
                wget -O tool.tgz "https://example.org/tool-$arch.tgz"; \
                echo "$TOOL_SHA256 *tool.tgz" | sha256sum --strict --check -
            RUN case "$(uname -m)" in x86_64) a=x64 ;; aarch64) a=arm64 ;; esac; \
                curl -fsSLO https://example.org/t-$a.zip; \
                echo "5d41402abc4b2a76b9719d911017c592  t-$a.zip" > sums; \
                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: single-arch-checksum
                md5sum -c sums
            "#,
        );
    }

    #[test]
    fn silent_where_the_sum_follows_or_the_file_does_not() {
        for text in [
            r#"
            FROM debian:12
            RUN case "$(uname -m)" in \
                  x86_64) a=x64; sum=5d41402abc4b2a76b9719d911017c592 ;; \
                  aarch64) a=arm64; sum=7d793037a0760186574b0282f2f435e7 ;; \
                  *) exit 1 ;; \
                esac; \
                curl -fsSLo /t "https://example.org/t-$a"; echo "$sum  /t" | md5sum -c
            "#,
            r#"
            FROM debian:12
            RUN curl -fsSLo /t https://example.org/t.zip; \
                echo "5d41402abc4b2a76b9719d911017c592  /t" | md5sum -c
            "#,
            // The sum of another file.
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN curl -fsSLo /t https://example.org/t-$TARGETARCH; \
                curl -fsSLo /data https://example.org/data; \
                echo "5d41402abc4b2a76b9719d911017c592  /data" | md5sum -c
            "#,
            // A list that is fetched as well.
            r"
            FROM debian:12
            ARG TARGETARCH
            RUN curl -fsSLO https://example.org/t-$TARGETARCH; \
                curl -fsSL https://example.org/SHA256SUMS | grep t-$TARGETARCH | sha256sum -c
            ",
            // hardcoded-arch-url's.
            r#"
            FROM debian:12
            RUN curl -fsSLo /t https://example.org/t-amd64; \
                echo "5d41402abc4b2a76b9719d911017c592  /t" | md5sum -c
            "#,
            // One file for all targets.
            r#"
            FROM --platform=$BUILDPLATFORM debian:12 AS build
            RUN curl -fsSLo /t https://example.org/t-$(uname -m); \
                echo "5d41402abc4b2a76b9719d911017c592  /t" | md5sum -c; \
                /t > /out.txt
            FROM debian:12
            COPY --from=build /out.txt /
            "#,
            // Mirrors are tried one after the other.
            r#"
            FROM debian:12
            RUN fetch() { \
                  for url in "https://a.org/$1" "https://b.org/$1" "https://c.org/${1%%-*}"; do \
                    if wget -O "$1" "$url"; then break; fi; \
                  done; \
                }; \
                fetch t-1.tar.gz; \
                echo "5d41402abc4b2a76b9719d911017c592  t-1.tar.gz" | md5sum -c
            "#,
            // A sum per architecture in variables.
            r#"
            FROM debian:12
            ARG TARGETARCH
            ARG SUM_amd64=5d41402abc4b2a76b9719d911017c592
            ARG SUM_arm64=7d793037a0760186574b0282f2f435e7
            RUN curl -fsSLo /t https://example.org/t-$TARGETARCH; \
                if [ "$TARGETARCH" = amd64 ]; then sum=$SUM_amd64; else sum=$SUM_arm64; fi; \
                echo "$sum  /t" | md5sum -c
            "#,
        ] {
            harness().silent(text);
        }
    }
}
