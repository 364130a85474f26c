//! Downloads that the author's own words tie to another platform than the target's: what
//! `hardcoded-arch-url` and `arch-arg-default` report.

use mlint_lint::{Confidence, Context, Effect as Harm, Finding, ProposedFix, Severity};
use mlint_model::{
    Artifact, Download, Effect, EffectKind, Evaluation, Fetcher, HopKind, MachineSource, Manager,
    RunsOn, Stage, Step, is_package_index,
};
use mlint_oci::{Platform, arch::find_words};
use mlint_syntax::{InstructionKind, Span};

use crate::{
    assets::{Scheme, is_same},
    automatic,
    downloads::follow_target::{self, Site},
    failure::stops,
    support::{
        Cause, FoundWord, base_says_the_same, cause, collects_platforms, follows_another_platform,
        is_deliberate, literal_words, root_stage, shown, with_trail,
    },
    words::{belongs_elsewhere, guarding_default, is_arch_arg_default, is_arch_text},
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
    words.retain(|w| {
        guarding_default(&w.piece).is_some() || !follows_another_platform(&w.piece, role)
    });
    words.retain(|w| !is_chosen_for(w, expected));
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
        finding = self.with_harm(cx, finding);
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

    /// Adds what happens, and how sure that is.
    fn with_harm(&self, cx: &Context<'_>, finding: Finding) -> Finding {
        let harm = self.harm(cx);
        let finding = finding.effect(match harm {
            Some(true) => Harm::BuildFails,
            _ => Harm::WrongBinary,
        });
        let several = self.download.url.texts().is_some_and(|t| t.len() > 1);
        if !self.effect.certain || several || harm == Some(false) {
            return finding.severity(Severity::Warning).confidence(Confidence::Medium);
        }
        finding
    }

    /// The argument of the file's own whose default decides, through a question about it, that this
    /// is downloaded: its name, its default, and where that stands.
    pub(crate) fn deciding_default(&self, cx: &Context<'_>) -> Option<(String, String, Span)> {
        let asked = || {
            let guards = self.effect.guards.iter().rev();
            let mut subjects = guards.filter_map(|guard| guard.subject.as_ref());
            let piece = subjects.find_map(|subject| {
                subject.pieces().iter().find(|piece| is_arch_arg_default(piece))
            })?;
            let hops = piece.trail.hops();
            let oldest = hops.iter().find(|hop| hop.kind != HopKind::Used)?;
            Some(oldest.name.to_string())
        };
        let name = guarding_default(&self.main().piece).map(str::to_owned).or_else(asked)?;
        let before = self.effect.span.start;
        let instructions = cx.file.instructions.iter().rev().filter(|i| i.span.end <= before);
        let mut defaults = instructions.filter_map(|instruction| match &instruction.kind {
            InstructionKind::Arg(pairs) => {
                pairs.iter().find(|pair| *pair.key == *name)?.value.as_ref()
            }
            _ => None,
        });
        let default = defaults.find(|value| is_arch_text(value))?;
        Some((name, default.as_str().to_owned(), default.span()))
    }

    /// The finding about that default.
    pub(crate) fn complete_for_default(&self, cx: &Context<'_>, finding: Finding) -> Finding {
        self.with_harm(cx, finding).related(self.effect.span, "it is downloaded here").help(
            "let the default follow the target: `ARG TARGETARCH`, and ${TARGETARCH} where the \
             questions about it use Docker's words",
        )
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

    /// What happens: a package of another architecture can't be installed, a program can't be run.
    /// `Some(true)`: and that stops the build; `Some(false)`: it does not, since the failure is
    /// covered. `None`: the file is just there.
    fn harm(&self, cx: &Context<'_>) -> Option<bool> {
        let root = root_stage(self.evaluation, self.stage);
        if root.platform.platform.as_ref().is_some_and(|on| is_same(on, &self.from)) {
            return None;
        }
        let path = self.url.split(['?', '#']).next().unwrap_or(&self.url);
        let is_package = [".deb", ".rpm", ".apk", ".whl"].iter().any(|end| path.ends_with(end));
        if is_package {
            return Some(self.installation(cx).is_none_or(|at| stops(cx, at)));
        }
        // A script runs anywhere; what it brings along may not.
        if path.ends_with(".sh") {
            return None;
        }
        let output = self.download.output.as_ref().and_then(|o| o.as_known());
        let runs = self.stage.effects().filter_map(|(_, e)| match &e.kind {
            EffectKind::Execute { path, machine } => {
                let is_it = output.as_deref() == Some(path)
                    || e.certain && matches!(&machine.source, MachineSource::Name { value } if shown(value) == self.url);
                (is_it && machine.is_wrong_for(&self.evaluation.platform)).then_some(e.span)
            }
            _ => None,
        });
        runs.into_iter().any(|at| stops(cx, at)).then_some(true)
    }

    /// The command that installs the package.
    fn installation(&self, cx: &Context<'_>) -> Option<Span> {
        if matches!(self.download.tool, Fetcher::Pip | Fetcher::PackageManager) {
            return Some(self.effect.span);
        }
        let output = self.download.output.as_ref().map(|o| shown(o).into_owned());
        let name = output.as_deref().unwrap_or(&self.url).rsplit('/').next()?.to_owned();
        let installs = || {
            self.stage.effects().filter_map(|(_, e)| match &e.kind {
                EffectKind::Install(install) if e.span.start >= self.effect.span.start => {
                    Some((e.span, install))
                }
                _ => None,
            })
        };
        let names_it = |p: &mlint_model::Argument| {
            let text = shown(&p.value);
            text.ends_with(&name) || text.ends_with(cx.text(self.download.url_span))
        };
        installs()
            .find(|(_, install)| install.packages.iter().any(names_it))
            .or_else(|| installs().find(|(_, install)| install.manager == Manager::Dpkg))
            .map(|(span, _)| span)
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

/// Whether the author chose, in a branch for this very platform, the file for its 32-bit kin, which
/// most machines of the platform run: some projects have nothing else.
fn is_chosen_for(found: &FoundWord, expected: &Platform) -> bool {
    let is_kin =
        |p: &Platform| matches!((expected.arch(), p.arch()), ("arm64", "arm") | ("amd64", "386"));
    let hops = found.piece.trail.hops();
    hops.iter().any(|hop| hop.kind == HopKind::Guarded) && found.word.platforms.iter().any(is_kin)
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
        // Windows' own.
        ".exe",
        ".msi",
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
