//! Downloads that the author's own words tie to another platform than the target's: what
//! `hardcoded-arch-url` and `arch-arg-default` report.

use mlint_lint::{Confidence, Context, Effect as Harm, Finding, ProposedFix, Severity};
use mlint_model::{
    Artifact, Download, Effect, EffectKind, Evaluation, Fetcher, RunsOn, Stage, Step,
    is_package_index,
};
use mlint_oci::{Platform, arch::find_words};
use mlint_syntax::Span;

use crate::{
    assets::{Scheme, is_same},
    automatic,
    downloads::follow_target::{self, Site},
    support::{
        Cause, FoundWord, base_says_the_same, cause, collects_platforms, follows_another_platform,
        is_deliberate, literal_words, root_stage, shown, with_trail,
    },
    words::{belongs_elsewhere, is_arch_arg_default},
};

/// A download of another platform's file, because the author's own words say so.
pub(crate) struct WrongDownload<'e> {
    pub(super) evaluation: &'e Evaluation,
    stage: &'e Stage,
    step: &'e Step,
    effect: &'e Effect,
    download: &'e Download,
    /// As far as it is known.
    url: String,
    /// The words; never empty.
    words: Vec<FoundWord>,
    /// The platform that they mean.
    pub(crate) from: Platform,
    scheme: Option<Scheme>,
}

/// All downloads of a platform's build that are tied to another one.
pub(crate) fn wrong_downloads<'e>(
    cx: &Context<'_>,
    evaluation: &'e Evaluation,
) -> Vec<WrongDownload<'e>> {
    // Two rules ask; mostly there are none.
    let some = cx.once("wrong downloads", evaluation, || !all_of(cx, evaluation).is_empty());
    if some { all_of(cx, evaluation) } else { Vec::new() }
}

fn all_of<'e>(cx: &Context<'_>, evaluation: &'e Evaluation) -> Vec<WrongDownload<'e>> {
    if collects_platforms(cx, evaluation) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (stage, step, effect) in evaluation.effects() {
        if let EffectKind::Download(download) = &effect.kind
            && !is_deliberate(effect)
            && download.tool != Fetcher::Git
        {
            found.extend(wrong_download(cx, evaluation, (stage, step, effect), download));
        }
    }
    found
}

fn wrong_download<'e>(
    cx: &Context<'_>,
    evaluation: &'e Evaluation,
    (stage, step, effect): (&'e Stage, &'e Step, &'e Effect),
    download: &'e Download,
) -> Option<WrongDownload<'e>> {
    let url = shown(&download.url).into_owned();
    if names_something_else(&url) || is_package_index(&url) {
        return None;
    }
    let role = root_stage(evaluation, stage).platform.role;
    if role != RunsOn::Target && !reaches_image(evaluation, effect, &url) {
        return None;
    }
    let expected = &evaluation.platform;
    // A right word anywhere means that somebody has thought of it.
    if find_words(&url).iter().any(|w| w.means(expected)) {
        return None;
    }
    let mut words = literal_words(&download.url);
    words.retain(|w| is_wrong(w, expected));
    // `${TARGETARCH:-amd64}` where nothing declares TARGETARCH is another rule's matter.
    words.retain(|w| !is_default_of_platform_arg(cx, w));
    words.retain(|w| is_arch_arg_default(&w.piece) || !belongs_elsewhere(evaluation, &w.piece));
    words.retain(|w| !follows_another_platform(&w.piece, role));
    words.retain(|w| !base_says_the_same(evaluation, stage, &w.word));
    let main = words.last()?;
    // A project's own word may mean something else than it does elsewhere: gcloud's `arm`.
    let scheme = Scheme::of(&url);
    let told = scheme.as_ref().and_then(|s| s.platform_of(&main.text));
    if told.is_some_and(|platform| is_same(platform, expected)) {
        return None;
    }
    let from = told.or(main.word.platforms.first())?.clone();
    Some(WrongDownload { evaluation, stage, step, effect, download, url, words, from, scheme })
}

impl WrongDownload<'_> {
    /// The word that decides.
    pub(crate) fn main(&self) -> &FoundWord {
        &self.words[self.words.len() - 1]
    }

    /// The command or instruction.
    pub(crate) fn span(&self) -> Span {
        self.effect.span
    }

    /// Adds what happens, how sure that is and where, and what the project offers.
    pub(crate) fn complete(&self, cx: &Context<'_>, mut finding: Finding) -> Finding {
        let expected = &self.evaluation.platform;
        finding = finding.effect(harm(cx, self.stage, self.download, &self.url, expected));
        let several = self.download.url.texts().is_some_and(|t| t.len() > 1);
        if !self.effect.certain || several {
            finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
        }
        let main = self.main();
        finding = with_trail(finding, &main.piece);
        if !self.effect.span.contains(main.span) {
            finding = finding.related(self.download.url_span, "it is downloaded here");
        }
        finding = match self.missing_help(cx) {
            Some(help) => finding.help(help),
            None => finding.help(
                "let the word follow the target: `ARG TARGETARCH` and ${TARGETARCH} where the \
                 project uses Docker's words, a `case` where it has its own",
            ),
        };
        finding.maybe_fix(self.fix(cx))
    }

    /// What to say where the project has no file for a platform.
    fn missing_help(&self, cx: &Context<'_>) -> Option<String> {
        let scheme = self.scheme.as_ref()?;
        let missing: Vec<Platform> =
            cx.options.platforms.iter().filter(|p| !scheme.offers(p)).cloned().collect();
        (!missing.is_empty()).then(|| {
            format!(
                "{} publishes no file for {}, as far as mlint knows",
                scheme.project,
                mlint_lint::list(&missing)
            )
        })
    }

    fn fix(&self, cx: &Context<'_>) -> Option<ProposedFix> {
        let site = Site {
            evaluation: self.evaluation,
            stage: self.stage,
            step: self.step,
            url: &self.url,
            from: &self.from,
            words: &self.words,
            scheme: self.scheme.as_ref(),
        };
        follow_target::fix(cx, &site)
    }
}
fn is_default_of_platform_arg(cx: &Context<'_>, found: &FoundWord) -> bool {
    // No name is longer, and the file may be long.
    const NEAR: usize = 40;
    let end = found.span.start as usize;
    let near = (end.saturating_sub(NEAR)..=end).find(|&at| cx.file.text.is_char_boundary(at));
    let before = near.and_then(|at| cx.file.text.get(at..end)).unwrap_or_default();
    let Some((_, inner)) = before.rsplit_once("${") else { return false };
    let name = inner.strip_suffix(":-").or_else(|| inner.strip_suffix('-'));
    name.is_some_and(|name| automatic::NAMES.contains(&name))
}

fn is_wrong(found: &FoundWord, expected: &Platform) -> bool {
    let word = &found.word;
    word.is_linux() && !word.means(expected) && (!word.weak || word.system_is_written)
}

/// Files whose architecture word is about something other than where they run, and companions of
/// the file itself.
pub(crate) fn names_something_else(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    const ABOUT_A_TARGET: &[&str] =
        &["qemu", "cross", "toolchain", "sysroot", "rootfs", "-none-", "gcc-arm", "binutils"];
    const COMPANIONS: &[&str] = &[
        ".sha256",
        ".sha256sum",
        ".sha512",
        ".sha512sum",
        ".sha1",
        ".md5",
        ".asc",
        ".sig",
        ".pem",
        ".crt",
        ".minisig",
        ".sbom",
        ".json",
        ".txt",
        ".md",
        ".jar",
    ];
    ABOUT_A_TARGET.iter().any(|part| name.contains(part))
        || COMPANIONS.iter().any(|end| name.ends_with(end))
}

/// Whether what is downloaded here reaches the image and is wrong there.
fn reaches_image(evaluation: &Evaluation, effect: &Effect, url: &str) -> bool {
    let ours = |a: &&Artifact| {
        matches!(cause(evaluation, a), Cause::Url | Cause::ArgDefault)
            && (a.way.first().is_some_and(|s| s.span == effect.span)
                || matches!(&a.made, mlint_model::Made::Downloaded { url: u } if shown(u) == url))
    };
    evaluation.wrong_artifacts().any(|a| ours(&a))
}

/// What happens: a package of another architecture can't be installed, a program can't be run.
fn harm(
    cx: &Context<'_>,
    stage: &Stage,
    download: &Download,
    url: &str,
    platform: &Platform,
) -> Harm {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let is_package = [".deb", ".rpm", ".apk", ".whl"].iter().any(|end| path.ends_with(end));
    let output = download.output.as_ref().and_then(|o| o.as_known());
    let is_run = stage.effects().any(|(_, e)| match &e.kind {
        EffectKind::Execute { path, machine } => {
            let rest = cx.file.text.get(e.span.end as usize..).unwrap_or_default();
            let is_tolerated = rest.trim_start().starts_with("||");
            machine.is_wrong_for(platform) && output.as_deref() == Some(path) && !is_tolerated
        }
        _ => false,
    });
    if is_package || is_run { Harm::BuildFails } else { Harm::WrongBinary }
}
