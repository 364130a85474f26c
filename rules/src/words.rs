//! Architecture words: which of them belong to which rule. A word has one cause, and the rule about
//! that cause reports it; the others leave it alone.

use mlint_lint::Context;
use mlint_model::{
    Artifact, Comparison, EffectKind, Evaluation, HopKind, MachineSource, Origin, Piece,
    PlatformPart, Probe, Question, RunsOn, Stage, Value,
};
use mlint_oci::{
    Platform,
    arch::{ALL, Vocabulary, find_words},
};
use mlint_syntax::Span;

use crate::{
    automatic,
    support::{is_platform_arg_default, root_stage, shown},
};

/// Whether a text is nothing but a word for an architecture, perhaps with its system: `amd64`,
/// `linux/arm64`, `x86_64-unknown-linux-musl`.
pub(crate) fn is_arch_text(text: &str) -> bool {
    let words = find_words(text);
    let [word] = words.as_slice() else { return false };
    if !word.is_linux() {
        return false;
    }
    let rest = [&text[..word.range.start], &text[word.range.end..]];
    rest.iter().flat_map(|r| r.split(['-', '_', '/', '.'])).all(|part| {
        let part = part.to_ascii_lowercase();
        ["", "linux", "unknown", "pc", "gnu", "musl", "v8", "v7"].contains(&part.as_str())
    })
}

/// Whether the word is the default of an argument of the file's own: `arch-arg-default` has it.
pub(crate) fn is_arch_arg_default(piece: &Piece) -> bool {
    let hops = piece.trail.hops();
    let oldest = hops.iter().find(|hop| hop.kind != HopKind::Used);
    oldest.is_some_and(|hop| {
        matches!(hop.kind, HopKind::Arg | HopKind::GlobalArg)
            && !automatic::NAMES.contains(&&*hop.name)
    }) && piece.is_literal()
        && piece.text().is_some_and(is_arch_text)
}

/// The argument of the file's own with an architecture as its default, where a question about it
/// decided that the text was assigned: `arch-arg-default` has that.
pub(crate) fn guarding_default(piece: &Piece) -> Option<&str> {
    let hops = piece.trail.hops();
    let guard = hops.iter().find(|hop| hop.kind == HopKind::Guarded && !hop.name.is_empty())?;
    (!automatic::NAMES.contains(&&*guard.name)).then_some(&*guard.name)
}

/// Whether the word stands in for a platform argument that is set, as in `${TARGETARCH:+amd64}`:
/// `constant-arch-expansion` has it.
pub(crate) fn is_stand_in(piece: &Piece) -> bool {
    stands_in_for(piece).is_some()
}

/// The platform argument that the word stands in for.
pub(crate) fn stands_in_for(piece: &Piece) -> Option<&'static str> {
    piece
        .trail
        .hops()
        .iter()
        .filter(|hop| hop.kind == HopKind::StandIn)
        .find_map(|hop| automatic::NAMES.iter().copied().find(|name| **name == *hop.name))
}

/// Whether a rule about literals leaves the word to a rule about where it comes from.
pub(crate) fn belongs_elsewhere(evaluation: &Evaluation, piece: &Piece) -> bool {
    is_platform_arg_default(piece)
        || is_arch_arg_default(piece)
        || is_stand_in(piece)
        || answer_for_the_rest(evaluation, piece).is_some()
        || guarded_by_build(evaluation, piece).is_some()
}

/// The build's platform, where a question about it decided that the text was assigned:
/// `build-arch-in-target-stage` and `build-arch-probe` have that.
fn guarded_by_build<'e>(evaluation: &'e Evaluation, piece: &Piece) -> Option<Told<'e>> {
    let (stage, question) = guard_of(evaluation, piece)?;
    let subject = &question.comparisons.first()?.subject.value;
    told(evaluation, stage, subject).filter(|t| is_build_s(evaluation, stage, t))
}

/// Whether it is the build platform that is told, seen from the file.
fn is_build_s(evaluation: &Evaluation, stage: &Stage, told: &Told<'_>) -> bool {
    match told.source {
        Source::Build => true,
        Source::Probe(_) => root_stage(evaluation, stage).platform.role == RunsOn::Build,
        Source::Target => false,
    }
}

/// The question in whose branch for all the rest the word was assigned: `incomplete-arch-case`
/// has it.
pub(crate) fn answer_for_the_rest<'e>(
    evaluation: &'e Evaluation,
    piece: &Piece,
) -> Option<(&'e Stage, &'e Question)> {
    let (stage, question) = guard_of(evaluation, piece)?;
    let counts = question.rest().is_some() && asks_for_target(evaluation, stage, question);
    counts.then_some((stage, question))
}

/// The question on whose answer the assignment of a text depends.
pub(crate) fn guard_of<'e>(
    evaluation: &'e Evaluation,
    piece: &Piece,
) -> Option<(&'e Stage, &'e Question)> {
    let hops = piece.trail.hops();
    let span = hops.iter().find(|hop| hop.kind == HopKind::Guarded)?.span;
    evaluation.reachable().find_map(|stage| {
        let questions = stage.steps.iter().flat_map(|step| &step.questions);
        Some((stage, questions.into_iter().find(|q| q.span == span)?))
    })
}

/// Whether a question asks which architecture the target has, by words for some.
pub(crate) fn asks_for_target(evaluation: &Evaluation, stage: &Stage, question: &Question) -> bool {
    question.comparisons.iter().all(|c| {
        told(evaluation, stage, &c.subject.value)
            .is_some_and(|t| t.platform == &evaluation.platform)
    }) && question.comparisons.iter().any(|c| {
        c.operand
            .value
            .as_known()
            .is_some_and(|text| find_words(&text).iter().any(|w| w.is_linux()))
    })
}

/// What a text tells about a platform.
pub(crate) struct Told<'e> {
    /// Which platform.
    pub(crate) platform: &'e Platform,
    /// What tells it: `TARGETARCH`, `uname -m`.
    pub(crate) by: String,
    /// Whether it is the build's and not the target's, seen from the file: `BUILDARCH`, or a probe
    /// where programs run on the build platform.
    pub(crate) source: Source,
}

/// Who tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A `TARGET…` argument.
    Target,
    /// A `BUILD…` argument.
    Build,
    /// A command that asks the machine it runs on.
    Probe(Probe),
}

/// The platform that a text names, if all of it that is not literal tells the same one's
/// architecture.
pub(crate) fn told<'e>(
    evaluation: &'e Evaluation,
    stage: &'e Stage,
    text: &Value,
) -> Option<Told<'e>> {
    let is_clear = |p: &Piece| p.origin == Origin::Literal || p.origin.follows_platform();
    if !text.pieces().iter().all(is_clear) {
        return None;
    }
    told_within(evaluation, stage, text)
}

/// The platform that the parts of a text name which tell an architecture, if it is one.
fn told_within<'e>(evaluation: &'e Evaluation, stage: &'e Stage, text: &Value) -> Option<Told<'e>> {
    let mut found: Option<Told<'e>> = None;
    for piece in text.pieces() {
        let is_arch =
            |part: &PlatformPart| matches!(part, PlatformPart::Arch | PlatformPart::Platform);
        let next = match &piece.origin {
            Origin::Target(part) | Origin::Build(part) if !is_arch(part) => continue,
            Origin::Target(part) => Told {
                platform: &evaluation.platform,
                by: format!("TARGET{}", part_name(*part)),
                source: Source::Target,
            },
            Origin::Build(part) => Told {
                platform: &evaluation.build_platform,
                by: format!("BUILD{}", part_name(*part)),
                source: Source::Build,
            },
            Origin::Probe(probe) if probe.vocabulary().is_some() => Told {
                platform: match probe {
                    Probe::XxInfo => &evaluation.platform,
                    _ => stage.userland.as_ref().or(stage.platform.platform.as_ref())?,
                },
                by: probe.command().to_owned(),
                source: if *probe == Probe::XxInfo {
                    Source::Target
                } else {
                    Source::Probe(*probe)
                },
            },
            _ => continue,
        };
        match &found {
            Some(known) if known.platform != next.platform => return None,
            Some(_) => {}
            None => found = Some(next),
        }
    }
    found
}

fn part_name(part: PlatformPart) -> &'static str {
    match part {
        PlatformPart::Platform => "PLATFORM",
        PlatformPart::Os => "OS",
        PlatformPart::OsVersion => "OSVERSION",
        PlatformPart::Arch => "ARCH",
        PlatformPart::Variant => "VARIANT",
    }
}

/// Whether a text that is compared means a platform, by a word or as a whole.
pub(crate) fn means(text: &str, platform: &Platform) -> bool {
    if text.contains('/') {
        let whole =
            if text.starts_with("linux/") { text.to_owned() } else { format!("linux/{text}") };
        if let Ok(parsed) = whole.parse::<Platform>()
            && mlint_oci::arch::words_of(&parsed).is_some()
        {
            return parsed == *platform;
        }
    }
    find_words(text).iter().any(|w| w.is_linux() && w.means(platform))
}

/// A comparison that is meant for the platform under evaluation and is never true.
pub(crate) struct Dead<'e> {
    /// What tells the platform.
    pub(crate) told: Told<'e>,
    /// What it says there.
    pub(crate) answer: String,
    /// What it is compared with.
    pub(crate) written: String,
}

/// Whether a comparison is meant for a platform, in words that its subject never says there.
pub(crate) fn dead<'e>(
    evaluation: &'e Evaluation,
    stage: &'e Stage,
    comparison: &Comparison,
) -> Option<Dead<'e>> {
    let (subject, operand) = (&comparison.subject.value, &comparison.operand.value);
    let changed = |p: &Piece| p.trail.hops().iter().any(|h| h.kind == HopKind::Transformed);
    if comparison.pattern
        || comparison.equal != mlint_model::Truth::No
        || subject.pieces().iter().any(changed)
        || !operand.pieces().iter().all(Piece::is_literal)
    {
        return None;
    }
    let (answer, written) = (subject.as_known()?.into_owned(), operand.as_known()?.into_owned());
    let told = told(evaluation, stage, subject)?;
    // In a 32-bit container on a 64-bit kernel, `uname -m` may tell the kernel's.
    let is_sure = !matches!(told.source, Source::Probe(Probe::UnameMachine | Probe::PythonMachine))
        || !matches!(told.platform.arch(), "arm" | "386");
    (is_sure && !is_ever_said(&told, &written) && means(&written, told.platform)).then_some(Dead {
        told,
        answer,
        written,
    })
}

/// Whether a word is said on some platform, if not on this one: `armhf` is Alpine's word for
/// another ARM than Debian's.
fn is_ever_said(told: &Told<'_>, word: &str) -> bool {
    let vocabulary = match told.source {
        Source::Probe(probe) => probe.vocabulary().unwrap_or(Vocabulary::Docker),
        _ => Vocabulary::Docker,
    };
    let is_platform = told.by.ends_with("PLATFORM")
        && word.parse::<Platform>().is_ok_and(|p| p.to_string() == word);
    is_platform || ALL.iter().any(|row| row.get(vocabulary) == Some(word))
}

/// What made a file's machine the build platform's, if a word in its name or setting did.
pub(crate) fn build_word<'e>(
    evaluation: &'e Evaluation,
    maker: &'e Stage,
    value: &Value,
) -> Option<Told<'e>> {
    let direct = told_within(evaluation, maker, value).filter(|t| is_build_s(evaluation, maker, t));
    direct.or_else(|| {
        let mut literals = value.pieces().iter().filter(|p| p.is_literal());
        literals.find_map(|piece| guarded_by_build(evaluation, piece))
    })
}

/// The text that decided a file's machine: a URL, a setting, the name by which it was copied.
pub(crate) fn deciding_text<'e>(
    evaluation: &'e Evaluation,
    artifact: &'e Artifact,
) -> Option<&'e Value> {
    match &artifact.machine.source {
        MachineSource::Name { value } | MachineSource::Setting { value, .. } => Some(value),
        MachineSource::Elf => {
            let maker = artifact.way.first()?;
            let stage = evaluation.stages.get(maker.stage)?;
            let step = stage.steps.iter().find(|s| s.instruction == maker.instruction)?;
            let copies = step.effects.iter().filter_map(|effect| match &effect.kind {
                EffectKind::Copy(copy) if effect.span == maker.span => Some(copy),
                _ => None,
            });
            let mut sources = copies.flat_map(|copy| &copy.sources).map(|s| &s.value);
            sources.find(|source| find_words(&shown(source)).iter().any(|w| w.is_linux()))
        }
        _ => None,
    }
}

/// The whole `$(…)` around a command that is all of it.
pub(crate) fn substitution(cx: &Context<'_>, command: Span) -> Option<Span> {
    let text = &cx.file.text;
    let before = text.get(..command.start as usize)?;
    let after = text.get(command.end as usize..)?;
    let (head, tail) = (before.trim_end_matches(' '), after.trim_start_matches(' '));
    let (opening, closing) = match head.ends_with('`') {
        true => ("`", "`"),
        false => ("$(", ")"),
    };
    if !head.ends_with(opening) || !tail.starts_with(closing) {
        return None;
    }
    let start = head.len() - opening.len();
    let end = text.len() - tail.len() + closing.len();
    Some(Span::new(start as u32, end as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_a_word() {
        for text in [
            "amd64",
            "x86_64",
            "arm64",
            "linux/amd64",
            "linux-x64",
            "linux-amd64",
            "arm64/v8",
            "x86_64-unknown-linux-musl",
            "aarch64-linux-gnu",
            "linux64",
        ] {
            assert!(is_arch_text(text), "{text}");
        }
        for text in
            ["", "amd64/debian:12", "tool-amd64", "https://h/amd64", "darwin", "1.2", "amd64 arm64"]
        {
            assert!(!is_arch_text(text), "{text}");
        }
    }

    #[test]
    fn operands_that_mean_a_platform() {
        let is = |text: &str, platform: &str| means(text, &platform.parse().unwrap());
        assert!(is("linux/arm64/v8", "linux/arm64"));
        assert!(is("arm64/v8", "linux/arm64"));
        assert!(is("aarch64", "linux/arm64"));
        assert!(!is("linux/arm/v6", "linux/arm/v7"));
        assert!(!is("arm", "linux/arm64"));
        assert!(!is("i386", "linux/amd64"));
    }
}
