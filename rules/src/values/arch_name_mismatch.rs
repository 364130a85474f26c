//! `arch-name-mismatch`

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink,
};
use mlint_model::{
    Compile, Download, Effect, EffectKind, Evaluation, Fetcher, HopKind, Origin, Piece, Setting,
    Stage, Step, Tool, Value,
};
use mlint_oci::{
    Platform,
    arch::{ArchWord, Vocabulary, find_words, word_for},
};
use mlint_syntax::Span;

use crate::{
    assets::Scheme,
    automatic,
    downloads::{names_something_else, respell},
    values::apt_words,
    words::{substitution, told},
};

mlint_lint::declare_rule! {
    /// The architecture follows the platform, but in the wrong words: `$(uname -m)` says `aarch64`
    /// where the project calls its file `arm64`, or `${TARGETARCH}` says `amd64` where it is
    /// `x86_64`. The download fails, often on one platform only. The same goes for toolchains:
    /// `GOARCH=$(uname -m)`, `cargo build --target $TARGETARCH-unknown-linux-musl`, `dotnet publish
    /// -p:RuntimeIdentifier=linux-$TARGETARCH`. And for a source of apt: with `[arch=$(uname -m)]` it
    /// asks for `x86_64`, which Debian calls `amd64`, and finds no package.
    ///
    /// mlint says so only where it knows the right word: from its table of what well-known
    /// projects call their files, and from the toolchains' and Debian's own lists.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// RUN curl -fsSLo /usr/local/bin/hadolint \
    ///       "https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-$(uname -m)"
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN case "${TARGETARCH}" in \
    ///         amd64) arch=x86_64 ;; \
    ///         arm64) arch=arm64 ;; \
    ///         *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    ///       esac && \
    ///       curl -fsSLo /usr/local/bin/hadolint \
    ///       "https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-${arch}"
    /// ```
    ///
    /// ## Silent
    ///
    /// - for projects that are not in the table, and for platforms that they publish no file for;
    /// - where the words were mapped (`sed`, `case`) to what the project says;
    /// - for words that the author wrote out: those are meant;
    /// - for `dotnet publish -r linux-$TARGETARCH`: of that option, `dotnet` takes `amd64` for `x64`;
    /// - for a source of apt whose list of packages is the same for all architectures (`https://… ./`).
    ///
    /// It is a warning where no platform asked for gets the right word: the project may have more
    /// files than the table knows.
    ///
    /// ## Fix
    ///
    /// The word is said as the project says it: by `${TARGETARCH}`, `$(uname -m)`, or a `case` with
    /// its words and a branch that fails for the rest; in a source of apt by `$(dpkg
    /// --print-architecture)`. Safe if the platforms that were right stay as they are.
    ///
    /// ## Proof
    ///
    /// Not by a build: the files that it knows of lie on their projects' servers, and the proofs
    /// use no network.
    pub struct ArchNameMismatch {
        name: "arch-name-mismatch",
        group: Values,
        summary: "The architecture is said in words that the file or the toolchain does not have",
        severity: Error,
        confidence: High,
        effect: BuildFails,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for ArchNameMismatch {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            apt_words::check(cx, evaluation, sink);
            for (stage, step, effect) in evaluation.effects() {
                match &effect.kind {
                    EffectKind::Download(d) if d.tool != Fetcher::Git => {
                        check_download(cx, (evaluation, stage, step), effect, d, sink);
                    }
                    EffectKind::Compile(compile) => {
                        for setting in &compile.settings {
                            check_setting(cx, (evaluation, stage, effect), compile, setting, sink);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

/// A word that follows the platform, in a text.
pub(super) struct Following<'v> {
    pub(super) word: ArchWord,
    /// As it is said.
    pub(super) said: String,
    /// What tells it.
    pub(super) by: String,
    pub(super) piece: &'v Piece,
}

/// The words of a text that follow the platform under evaluation.
pub(super) fn following<'v>(
    evaluation: &Evaluation,
    stage: &Stage,
    value: &'v Value,
) -> (String, Vec<Following<'v>>) {
    let spelled = value.spelled();
    let mut found = Vec::new();
    for word in find_words(&spelled.text) {
        let mut pieces = spelled.pieces_at(word.range.clone());
        let Some((piece, part)) = pieces.find(|(p, _)| p.origin.follows_platform()) else {
            continue;
        };
        let own = Value::new([piece.clone()]);
        let Some(told) = told(evaluation, stage, &own) else { continue };
        if told.platform == &evaluation.platform && word.is_linux() && word.means(told.platform) {
            let said = piece.text().and_then(|text| text.get(part)).unwrap_or_default().to_owned();
            found.push(Following { word, said, by: told.by, piece });
        }
    }
    (spelled.text, found)
}

fn check_download(
    cx: &Context<'_>,
    (evaluation, stage, step): (&Evaluation, &Stage, &Step),
    effect: &Effect,
    download: &Download,
    sink: &mut Sink<'_>,
) {
    let Some((scheme, wrong)) = mismatch(evaluation, stage, download) else { return };
    // Somewhere it works: then the table knows these files, and the project's words are these.
    let works = cx.evaluations.iter().filter(|e| e.platform != evaluation.platform).any(|e| {
        e.effects().any(|(s, _, other)| match &other.kind {
            EffectKind::Download(d) if d.url_span == download.url_span => {
                let offers = d.url.as_known().is_some() || d.url.known_prefix().contains("://");
                offers && scheme.offers(&e.platform) && mismatch(e, s, d).is_none()
            }
            _ => false,
        })
    });
    let words: Vec<String> = cx
        .options
        .platforms
        .iter()
        .filter_map(|p| Some(format!("'{}' for {p}", scheme.words(p)?.join("', '"))))
        .collect();
    let (by, project, words) = (wrong.by.clone(), scheme.project, mlint_lint::list(&words));
    let mut finding = Finding::new(download.url_span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} asks for a file that is not there: {by} does not say what \
             {project} calls its files, which is {words}"
        )
    })
    .help("map the word to the project's own, with a `case` over $TARGETARCH");
    if let Some(span) = place(cx, wrong.piece) {
        finding = finding.related(span, "the word comes from here");
    }
    if !works || !effect.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    let fix = fix(cx, (evaluation, stage, step), &scheme, &wrong);
    sink.report(finding.maybe_fix(fix));
}

/// The word of a download that its project does not use, and the one that it does.
fn mismatch<'v>(
    evaluation: &Evaluation,
    stage: &Stage,
    download: &'v Download,
) -> Option<(Scheme, Following<'v>)> {
    let (url, words) = following(evaluation, stage, &download.url);
    if words.is_empty() || names_something_else(&url) {
        return None;
    }
    let scheme = Scheme::of(&url)?;
    let theirs = scheme.words(&evaluation.platform)?;
    let lower = url.to_ascii_lowercase();
    let is_said = |range: &std::ops::Range<usize>| {
        theirs.iter().map(|word| word.to_ascii_lowercase()).any(|word| {
            let places = lower.match_indices(word.as_str());
            places
                .map(|(at, w)| at..at + w.len())
                .any(|p| p.start < range.end && range.start < p.end)
        })
    };
    // A file of that name that is for another machine is not what this is about.
    let wrong = words.into_iter().find(|f| !is_said(&f.word.range) && !scheme.has_word(&f.said))?;
    Some((scheme, wrong))
}

/// Where the word comes into the file: the probe, or the use of the argument.
fn place(cx: &Context<'_>, piece: &Piece) -> Option<Span> {
    let hops = piece.trail.hops();
    if hops.iter().any(|h| h.kind == HopKind::Transformed) {
        return None;
    }
    let span = match piece.origin {
        Origin::Probe(_) => substitution(cx, piece.span)?,
        _ => {
            let used = |h: &&&mlint_model::Hop| {
                h.kind == HopKind::Used && automatic::NAMES.contains(&&*h.name)
            };
            hops.iter().find(used)?.span
        }
    };
    cx.text(span).starts_with(['$', '`']).then_some(span)
}

fn fix(
    cx: &Context<'_>,
    site: (&Evaluation, &Stage, &Step),
    scheme: &Scheme,
    wrong: &Following<'_>,
) -> Option<ProposedFix> {
    let place = place(cx, wrong.piece)?;
    let words = cx
        .options
        .platforms
        .iter()
        .map(|p| match scheme.words(p)? {
            [word] => Some((p.clone(), (*word).to_owned())),
            _ => None,
        })
        .collect::<Option<Vec<(Platform, String)>>>()?;
    // A part of a word (`linux-` before it) that is said with it stays where it is.
    if wrong.piece.text() != Some(wrong.said.as_str()) {
        return None;
    }
    let edits = respell(cx, site, place, words)?;
    Some(ProposedFix::safe("say it in the project's words", edits).or_nothing())
}

fn check_setting(
    cx: &Context<'_>,
    (evaluation, stage, effect): (&Evaluation, &Stage, &Effect),
    compile: &Compile,
    setting: &Setting,
    sink: &mut Sink<'_>,
) {
    let (text, words) = following(evaluation, stage, &setting.value);
    let [found] = words.as_slice() else { return };
    let Some((whose, expected)) = expected(compile, setting, &text, &evaluation.platform) else {
        return;
    };
    if expected == text {
        return;
    }
    let platforms = &cx.options.platforms;
    let (name, by) = (setting.name.clone(), found.by.clone());
    let words: Vec<String> = platforms
        .iter()
        .filter_map(|p| self::expected(compile, setting, &text, p))
        .map(|(_, word)| format!("'{word}'"))
        .collect();
    let words = mlint_lint::list(&words);
    let finding = Finding::new(setting.span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} stops: {name} takes its word from {by}, and {whose} words are \
             {words}"
        )
    })
    .related(effect.span, "it compiles here")
    .effect(Harm::BuildFails)
    .help(format!("map the word to {whose} own, with a `case` over $TARGETARCH"));
    let finding = if effect.certain {
        finding
    } else {
        finding.severity(Severity::Warning).confidence(Confidence::Medium)
    };
    sink.report(finding);
}

/// What a toolchain calls the platform in a setting, and whose word that is.
fn expected(
    compile: &Compile,
    setting: &Setting,
    text: &str,
    platform: &Platform,
) -> Option<(&'static str, &'static str)> {
    let pick = |vocabulary: Vocabulary| word_for(platform, vocabulary);
    match (compile.tool, setting.name.as_str()) {
        (Tool::Go, "GOARCH") => Some(("Go's", pick(Vocabulary::Go)?)),
        (Tool::Rust, "--target") => {
            let (_, tail) = text.split_once('-')?;
            let vocabulary = match tail {
                "unknown-linux-gnu" => Vocabulary::RustGnu,
                "unknown-linux-musl" => Vocabulary::RustMusl,
                _ => return None,
            };
            // 32-bit ARM has other tails.
            let word = pick(vocabulary)?;
            word.ends_with(tail).then_some(("Rust's", word))
        }
        (Tool::DotNet, name)
            if name == "-r" || name.ends_with("untime") || name.ends_with("RuntimeIdentifier") =>
        {
            // Of this option, the command line itself takes Docker's word for .NET's.
            if matches!(name, "-r" | "--runtime") && text.ends_with("-amd64") {
                return None;
            }
            let vocabulary = match text {
                t if t.starts_with("linux-musl-") => Vocabulary::DotnetMuslRid,
                t if t.starts_with("linux-") => Vocabulary::DotnetRid,
                _ => return None,
            };
            Some((".NET's", pick(vocabulary)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Effect, testing::Harness};

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-name-mismatch")
    }

    #[test]
    fn uname_where_the_project_says_arm64() {
        let found = harness().check(
            r"
            FROM debian:12
            RUN curl -fsSLo /h https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-$(uname -m)
                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: arch-name-mismatch: the build for linux/arm64 asks for a file that is not there: uname -m does not say what hadolint calls its files, which is 'x86_64' for linux/amd64 and 'arm64' for linux/arm64
            ",
        );
        assert_eq!(found[0].platforms.len(), 1);
        assert_eq!(found[0].effect, Effect::BuildFails);
    }

    #[test]
    fn targetarch_where_the_project_says_x86_64() {
        harness().check(
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN curl -fsSLo /a.zip "https://awscli.amazonaws.com/awscli-exe-linux-${TARGETARCH}.zip"
                                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ warning: arch-name-mismatch: TARGETARCH does not say what awscli calls its files
            "#,
        );
    }

    #[test]
    fn the_project_s_words_in_a_case() {
        harness().check_fix(
            r#"
            FROM debian:12
            RUN curl -fsSLo /usr/local/bin/hadolint "https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-$(uname -m)"
            "#,
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "${TARGETARCH}" in \
                  amd64) arch=x86_64 ;; \
                  arm64) arch=arm64 ;; \
                  *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
                esac && \
                curl -fsSLo /usr/local/bin/hadolint "https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-${arch}"
            "#,
        );
    }

    #[test]
    fn toolchains_have_words_too() {
        harness().check(
            r"
            FROM golang:1.23 AS build
            COPY . /src
            RUN cd /src && CGO_ENABLED=0 GOARCH=$(uname -m) go build -o /app .
                                         ^^^^^^^^^^^^^^^^^^ error: arch-name-mismatch: GOARCH takes its word from uname -m, and Go's words are 'amd64' and 'arm64'
            FROM scratch
            COPY --from=build /app /app
            ",
        );
        harness().check(
            r"
            FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:8.0 AS build
            ARG TARGETARCH
            COPY . /src
            RUN dotnet publish /src/app.csproj -p:RuntimeIdentifier=linux-$TARGETARCH -o /app
                                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ error: arch-name-mismatch: the build for linux/amd64 stops: RuntimeIdentifier takes its word from TARGETARCH, and .NET's words are 'linux-x64' and 'linux-arm64'
            FROM mcr.microsoft.com/dotnet/aspnet:8.0
            COPY --from=build /app /app
            ",
        );
        harness().silent(
            r"
            FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:8.0 AS build
            ARG TARGETARCH
            COPY . /src
            RUN dotnet publish /src/app.csproj -r linux-$TARGETARCH -o /app
            FROM mcr.microsoft.com/dotnet/aspnet:8.0
            COPY --from=build /app /app
            ",
        );
    }

    #[test]
    fn silent_where_the_words_agree_or_are_not_known() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nADD https://dl.k8s.io/release/v1.30.0/bin/linux/${TARGETARCH}/kubectl /k\n",
            "FROM debian:12\nRUN curl -fsSLO https://awscli.amazonaws.com/awscli-exe-linux-$(uname -m).zip\n",
            "FROM debian:12\nRUN curl -fsSLO https://example.org/tool-$(uname -m)\n",
            "FROM debian:12\nRUN A=$(uname -m | sed s/aarch64/arm64/) && curl -fsSLO https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-$A\n",
            "FROM golang:1.23\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build -o /app .\n",
            "FROM rust:1.80\nRUN cargo build --target $(uname -m)-unknown-linux-musl\n",
        ] {
            harness().silent(text);
        }
    }
}
