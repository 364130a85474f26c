//! Makes the architecture words of a download follow the target.

use mlint_lint::{Context, ProposedFix};
use mlint_model::{EffectKind, Evaluation, RunsOn, Stage, Step, Value};
use mlint_oci::{
    Platform,
    arch::{Vocabulary, word_for},
};
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    assets::Scheme,
    downloads::{checksum, shell_case},
    support::{FoundWord, is_run, literal_words, root_stage, shown},
};

/// A download with the wrong words in its URL.
pub(super) struct Site<'a> {
    pub(super) evaluation: &'a Evaluation,
    pub(super) stage: &'a Stage,
    pub(super) step: &'a Step,
    /// The URL as far as it is known.
    pub(super) url: &'a str,
    /// The platform that the words mean.
    pub(super) from: &'a Platform,
    pub(super) words: &'a [FoundWord],
    pub(super) scheme: Option<&'a Scheme>,
}

/// Names for the variable that a `case` sets.
const VARIABLES: &[&str] = &["arch", "target_arch", "asset_arch"];

/// What a word is on each platform.
struct Mapping {
    words: Vec<(Platform, String)>,
    /// Whether the project is known to call its files so.
    known: bool,
}

/// How the word is written from now on.
enum Expression {
    /// `${TARGETARCH}` between these.
    TargetArch(String, String),
    /// `$(uname -m)` between these.
    Uname(String, String),
    /// A variable that a `case` sets, between these; the values by TARGETARCH.
    Case(String, String, Vec<(String, String)>),
}

pub(super) fn fix(cx: &Context<'_>, site: &Site<'_>) -> Option<ProposedFix> {
    let places = places(site)?;
    let homes: Vec<usize> = places
        .iter()
        .map(|(_, place)| cx.instruction_at(place.start).map(|(i, _)| i))
        .collect::<Option<_>>()?;
    let in_run = homes.iter().all(|&i| i == site.step.instruction && is_run(cx, i));
    let mut edits = EditSet::new();
    let mut known = true;
    let mut names = Vec::new();
    let mut cases: Option<Vec<(String, String)>> = None;
    let mut needs_arg = false;
    let variable = || shell_case::free_name(cx, VARIABLES);
    for (word, place) in &places {
        let mapping = mapping(cx, site, word)?;
        known &= mapping.known;
        if mapping.known && names.is_empty() {
            names.clone_from(&mapping.words);
        }
        let text = match expression(site, &mapping, in_run)? {
            Expression::TargetArch(before, after) => {
                needs_arg = true;
                format!("{before}${{TARGETARCH}}{after}")
            }
            Expression::Uname(before, after) => format!("{before}$(uname -m){after}"),
            Expression::Case(before, after, arms) => {
                // Two words that need two variables: a person does that better.
                if cases.as_ref().is_some_and(|known| *known != arms) {
                    return None;
                }
                cases = Some(arms);
                needs_arg = true;
                format!("{before}${{{}}}{after}", variable())
            }
        };
        edits.insert(Edit { span: *place, text }).ok()?;
    }
    if let Some(arms) = cases {
        let instruction = cx.file.instructions.get(site.step.instruction)?;
        edits.insert(shell_case::before(cx, instruction, variable(), &arms)?).ok()?;
    }
    if needs_arg {
        shell_case::declare_for(cx, site.evaluation, &homes, &mut edits)?;
    }
    let title = "let the download follow the target";
    let fix = match caution(cx, site, known) {
        None => ProposedFix::safe(title, edits),
        Some(caution) => {
            ProposedFix::needs_look(title, edits).because(caution).revealing("single-arch-checksum")
        }
    };
    Some(fix.keeping(site.from).alike(names).or_nothing())
}

/// Makes one word of a download follow the target.
pub(crate) fn follow(
    cx: &Context<'_>,
    (evaluation, stage, step): (&Evaluation, &Stage, &Step),
    url: &str,
    word: &FoundWord,
) -> Option<ProposedFix> {
    let from = word.word.platforms.first()?;
    let words = std::slice::from_ref(word);
    let scheme = Scheme::of(url);
    fix(cx, &Site { evaluation, stage, step, url, from, words, scheme: scheme.as_ref() })
}

/// Another spelling of the architecture at `place` in a URL of a download: with these words, one
/// for each platform.
pub(crate) fn respell(
    cx: &Context<'_>,
    (evaluation, stage, step): (&Evaluation, &Stage, &Step),
    place: Span,
    words: Vec<(Platform, String)>,
) -> Option<EditSet> {
    let from = words.first()?.0.clone();
    let site = Site { evaluation, stage, step, url: "", from: &from, words: &[], scheme: None };
    let home = cx.instruction_at(place.start)?.0;
    let in_run = home == step.instruction && is_run(cx, home);
    let variable = shell_case::free_name(cx, VARIABLES);
    let mapping = Mapping { words, known: true };
    let (text, arms) = match expression(&site, &mapping, in_run)? {
        Expression::TargetArch(before, after) => {
            (format!("{before}${{TARGETARCH}}{after}"), Some(Vec::new()))
        }
        Expression::Uname(before, after) => (format!("{before}$(uname -m){after}"), None),
        Expression::Case(before, after, arms) => {
            (format!("{before}${{{variable}}}{after}"), Some(arms))
        }
    };
    let mut edits = EditSet::from_edits([Edit { span: place, text }]).ok()?;
    if let Some(arms) = &arms {
        if !arms.is_empty() {
            let instruction = cx.file.instructions.get(step.instruction)?;
            edits.insert(shell_case::before(cx, instruction, variable, arms)?).ok()?;
        }
        shell_case::declare_for(cx, evaluation, &[home], &mut edits)?;
    }
    Some(edits)
}

/// The words to change: those of the URL, and the same words in file names beside it.
fn places(site: &Site<'_>) -> Option<Vec<(FoundWord, Span)>> {
    let mut places: Vec<(FoundWord, Span)> = Vec::new();
    for word in site.words {
        places.push((word.clone(), word.place?));
    }
    let folder = site.url.rsplit_once('/').map_or(site.url, |(folder, _)| folder);
    for value in values_beside(site.step) {
        let text = shown(value);
        let is_url = text.contains("://");
        if is_url && !text.starts_with(folder) {
            continue;
        }
        for found in literal_words(value) {
            let same = site.words.iter().any(|w| w.text == found.text);
            let in_name = found.text != text && !text.starts_with('-');
            let Some(place) = found.place.filter(|_| same && (in_name || is_url)) else { continue };
            if !places.iter().any(|(_, p)| p.overlaps(place)) {
                places.push((found, place));
            }
        }
    }
    Some(places)
}

/// The words of the step's commands that may name the downloaded file. Commands whose arguments
/// name architectures as such are left alone.
fn values_beside(step: &Step) -> impl Iterator<Item = &Value> {
    const ABOUT_ARCHITECTURES: &[&str] =
        &["dpkg", "apt", "apt-get", "apk", "rustup", "cargo", "go", "docker", "gcc", "make"];
    step.effects.iter().filter(|e| !e.is_guarded_by_platform()).flat_map(|e| match &e.kind {
        EffectKind::Command(command) => {
            let name = command.name().unwrap_or_default();
            let installs_file = |v: &Value| {
                [".deb", ".rpm", ".apk"].iter().any(|end| v.known_suffix().ends_with(end))
            };
            let named = ABOUT_ARCHITECTURES.contains(&&*name);
            command
                .argv
                .iter()
                .map(|a| &a.value)
                .filter(|v| !named || installs_file(v))
                .collect::<Vec<_>>()
        }
        EffectKind::Download(d) => d.output.iter().chain([&d.url]).collect(),
        _ => Vec::new(),
    })
}

fn mapping(cx: &Context<'_>, site: &Site<'_>, found: &FoundWord) -> Option<Mapping> {
    let mut platforms: Vec<&Platform> = vec![site.from];
    platforms.extend(cx.options.platforms.iter().filter(|p| *p != site.from));
    if let Some(scheme) = site.scheme {
        let words = platforms
            .iter()
            .map(|p| Some(((*p).clone(), scheme.translate(&found.text, site.from, p)?)))
            .collect::<Option<Vec<_>>>()?;
        return Some(Mapping { words, known: true });
    }
    let in_vocabulary = |vocabulary: Vocabulary| {
        let ours = word_for(site.from, vocabulary)?;
        if ours != found.text {
            return None;
        }
        platforms
            .iter()
            .map(|p| Some(((*p).clone(), word_for(p, vocabulary)?.to_owned())))
            .collect::<Option<Vec<_>>>()
    };
    let mut candidates: Vec<Vec<(Platform, String)>> =
        found.word.vocabularies.iter().filter_map(in_vocabulary).collect();
    let first = candidates.first()?.clone();
    // Docker Hub's `arm64v8` is for repositories of images, not for files.
    let docker = word_for(site.from, Vocabulary::Docker) == Some(&found.text);
    candidates.retain(|c| *c != first);
    let agreed = cx.options.platforms.iter().all(|p| matches!(p.arch(), "amd64" | "arm64"));
    Some(Mapping { words: first, known: docker && found.text != "386" && agreed })
}

fn expression(site: &Site<'_>, mapping: &Mapping, in_run: bool) -> Option<Expression> {
    let words: Vec<&str> = mapping.words.iter().map(|(_, w)| w.as_str()).collect();
    let (before, after) = common_ends(&words);
    let core = |w: &str| w[before.len()..w.len() - after.len()].to_owned();
    let (before, after) = (before.to_owned(), after.to_owned());
    let all =
        |is: &dyn Fn(&Platform, &str) -> bool| mapping.words.iter().all(|(p, w)| is(p, &core(w)));
    if all(&|p, w| w == p.arch()) {
        return Some(Expression::TargetArch(before, after));
    }
    if !in_run {
        return None;
    }
    let on_target = root_stage(site.evaluation, site.stage).platform.role == RunsOn::Target;
    if on_target && all(&|p, w| word_for(p, Vocabulary::Uname) == Some(w)) {
        return Some(Expression::Uname(before, after));
    }
    let mut arms: Vec<(String, String)> = Vec::new();
    for (platform, word) in &mapping.words {
        let arm = (platform.arch().to_owned(), core(word));
        match arms.iter().find(|(arch, _)| *arch == arm.0) {
            Some(known) if *known != arm => return None,
            Some(_) => {}
            None => arms.push(arm),
        }
    }
    // An architecture whose name is `…` would need quotes; none has such a name.
    Some(Expression::Case(before, after, arms))
}

/// What all words begin and end with, cut at a separator.
fn common_ends<'w>(words: &[&'w str]) -> (&'w str, &'w str) {
    let Some((first, rest)) = words.split_first() else { return ("", "") };
    let is_separator = |b: u8| matches!(b, b'-' | b'_' | b'.' | b'/');
    let mut before = 0;
    let mut after = 0;
    for (i, b) in first.bytes().enumerate() {
        if !rest.iter().all(|w| w.as_bytes().get(i) == Some(&b)) {
            break;
        }
        if is_separator(b) {
            before = i + 1;
        }
    }
    let longest = words.iter().map(|w| w.len() - before).min().unwrap_or(0);
    for (i, b) in first.bytes().rev().enumerate().take(longest.saturating_sub(1)) {
        if !rest.iter().all(|w| w.bytes().rev().nth(i) == Some(b)) {
            break;
        }
        if is_separator(b) {
            after = i + 1;
        }
    }
    // `x86_64` against `aarch_64`: the separator is inside of the word.
    if first[first.len() - after..].bytes().any(|b| b.is_ascii_digit()) {
        after = 0;
    }
    (&first[..before], &first[first.len() - after..])
}

/// Why the fix needs a look, if it does.
fn caution(cx: &Context<'_>, site: &Site<'_>, known: bool) -> Option<String> {
    if !known {
        return Some(
            "what the project calls its files for the other platforms is a guess; look at its \
             release page"
                .to_owned(),
        );
    }
    if checksum::is_beside(cx, site.evaluation, site.step) {
        return Some(checksum::CAUTION.to_owned());
    }
    if is_named_elsewhere(site) {
        return Some("the file's name stands in other instructions too".to_owned());
    }
    None
}

/// Whether another step names the downloaded file with the architecture in its name.
fn is_named_elsewhere(site: &Site<'_>) -> bool {
    let path = site.url.split(['?', '#']).next().unwrap_or(site.url);
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some(word) = site.words.iter().find(|w| name.contains(w.text.as_str())) else {
        return false;
    };
    let at = name.rfind(word.text.as_str()).unwrap_or_default();
    let stem = &name[..at + word.text.len()];
    site.evaluation.effects().any(|(_, step, effect)| {
        if step.instruction == site.step.instruction {
            return false;
        }
        let names = |value: &Value| {
            let text = shown(value);
            !text.contains("://") && text.contains(stem)
        };
        match &effect.kind {
            EffectKind::Command(c) => c.argv.iter().any(|a| names(&a.value)),
            EffectKind::Copy(c) => c.sources.iter().any(|a| names(&a.value)),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_cut_at_separators() {
        assert_eq!(common_ends(&["linux-x64", "linux-arm64"]), ("linux-", ""));
        assert_eq!(common_ends(&["x86_64", "aarch_64"]), ("", ""));
        assert_eq!(
            common_ends(&["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"]),
            ("", "-unknown-linux-gnu")
        );
        assert_eq!(common_ends(&["amd64", "amd64"]), ("", ""));
        assert_eq!(common_ends(&[]), ("", ""));
    }
}
