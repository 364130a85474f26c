//! What several rules need: architecture words in values, the way of a value, where a literal
//! stands.

use std::{borrow::Cow, collections::HashMap};

use mlint_lint::{Context, Finding, edit};
use mlint_model::{
    Artifact, Base, Effect, Evaluation, HopKind, MachineSource, Made, Origin, Piece, RunsOn, Stage,
    Value,
};
use mlint_oci::{
    Platform,
    arch::{ArchWord, find_words},
};
use mlint_syntax::{InstructionKind, Span};

use crate::{automatic, words};

/// An architecture word in a value.
#[derive(Clone, Debug)]
pub(crate) struct FoundWord {
    /// The word.
    pub(crate) word: ArchWord,
    /// As it is written.
    pub(crate) text: String,
    /// Its own place, if all of it stands in the file in one piece that can be replaced there.
    pub(crate) place: Option<Span>,
    /// The best place to point at.
    pub(crate) span: Span,
    /// The piece that it (mostly) lies in.
    pub(crate) piece: Piece,
}

/// The architecture words that the file's author wrote: those of literal text, not those that come
/// from a platform argument, a probe or a build argument. Unknown parts count as a separator.
pub(crate) fn literal_words(value: &Value) -> Vec<FoundWord> {
    let (text, starts) = flat_text(value);
    let mut found = Vec::new();
    for word in find_words(&text) {
        let parts: Vec<usize> = (0..starts.len())
            .filter(|&i| {
                let end = starts.get(i + 1).copied().unwrap_or(text.len());
                starts[i] < word.range.end && word.range.start < end
            })
            .collect();
        let pieces = value.pieces();
        if parts.is_empty() || !parts.iter().all(|&i| pieces[i].is_literal()) {
            continue;
        }
        // Of several pieces, the one from farther away is the one that says the architecture:
        // in `linux-$ARCH` that is ARCH's text.
        let Some(&main) = parts.iter().max_by_key(|&&i| pieces[i].trail.hops().len()) else {
            continue;
        };
        let piece = &pieces[main];
        let len = piece.text().map_or(0, str::len);
        let from = word.range.start.saturating_sub(starts[main]);
        let to = (word.range.end - starts[main]).min(len);
        let whole = parts.len() == 1;
        let place = piece
            .source
            .as_ref()
            .filter(|_| whole)
            .map(|s| s.pieces(from as u32, to as u32))
            .and_then(|spans| <[Span; 1]>::try_from(spans).ok())
            .map(|[span]| span);
        found.push(FoundWord {
            text: text[word.range.clone()].to_owned(),
            span: piece.subspan(from..to),
            place,
            piece: piece.clone(),
            word,
        });
    }
    found
}

/// The known text, with a star for each unknown part, and where each piece begins in it.
fn flat_text(value: &Value) -> (String, Vec<usize>) {
    let pieces = value.pieces();
    let mut text = String::with_capacity(pieces.iter().map(|p| p.text().map_or(1, str::len)).sum());
    let mut starts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        starts.push(text.len());
        text.push_str(piece.text().unwrap_or("*"));
    }
    (text, starts)
}

/// The known text of a value, with a star for each unknown part.
pub(crate) fn shown(value: &Value) -> Cow<'_, str> {
    match value.pieces() {
        [one] => Cow::Borrowed(one.text().unwrap_or("*")),
        _ => Cow::Owned(flat_text(value).0),
    }
}

/// Adds the way of a piece to a finding: where it was set, and where it is used.
pub(crate) fn with_trail(mut finding: Finding, piece: &Piece) -> Finding {
    for hop in piece.trail.hops() {
        let name = &hop.name;
        finding = match hop.kind {
            HopKind::GlobalArg => finding.related(hop.span, format!("the default of ARG {name}")),
            HopKind::Arg => finding.related(hop.span, format!("ARG {name} takes it")),
            HopKind::Env => finding.related(hop.span, format!("ENV {name} holds it")),
            HopKind::Script => finding.related(hop.span, format!("it stands in {name}")),
            HopKind::Assigned => finding.related(hop.span, format!("it is assigned to {name}")),
            HopKind::Used if !name.is_empty() => {
                finding.related(hop.span, format!("{name} is used here"))
            }
            _ => finding,
        };
    }
    finding
}

/// Whether the text came through a platform argument that has a default of its own: another rule's
/// matter.
pub(crate) fn is_platform_arg_default(piece: &Piece) -> bool {
    piece.trail.hops().iter().any(|hop| {
        matches!(hop.kind, HopKind::Arg | HopKind::GlobalArg)
            && automatic::NAMES.contains(&&*hop.name)
    })
}

/// Whether the text was assigned in a branch that asks for the platform, where the answer is not
/// about the target: because the platform argument has a default of its own, or because the stage
/// runs somewhere else. That answer is then what is wrong, not the text.
pub(crate) fn follows_another_platform(piece: &Piece, role: RunsOn) -> bool {
    piece
        .trail
        .hops()
        .iter()
        .any(|hop| hop.kind == HopKind::Guarded && (role != RunsOn::Target || !hop.name.is_empty()))
}

/// Whether the stage starts from an image that is by its name for the platforms that `word` means
/// (`arm64v8/debian`, `app:1.2-amd64`): all of it is for one platform then.
pub(crate) fn base_says_the_same(evaluation: &Evaluation, stage: &Stage, word: &ArchWord) -> bool {
    let Base::Image { reference } = &root_stage(evaluation, stage).base else { return false };
    find_words(&shown(reference))
        .iter()
        .any(|base| base.platforms.iter().any(|platform| word.means(platform)))
}

/// Whether the image collects a program for several platforms, as one for a release does: the same
/// name once per platform. None of them is wrong then.
pub(crate) fn collects_platforms(cx: &Context<'_>, evaluation: &Evaluation) -> bool {
    cx.once("collects platforms", evaluation, || collects(evaluation))
}

fn collects(evaluation: &Evaluation) -> bool {
    let mut machines = evaluation.final_artifacts().filter_map(|a| a.machine.platform());
    let first = machines.next();
    if machines.all(|machine| Some(machine) == first) {
        return false;
    }
    let mut programs: HashMap<String, &Platform> = HashMap::new();
    for artifact in evaluation.final_artifacts().filter(|a| a.machine.platform().is_some()) {
        let literal = match &artifact.machine.source {
            MachineSource::Setting { value, .. } => is_literal(value),
            MachineSource::Name { value } => has_literal_arch(value, RunsOn::Target),
            _ => false,
        };
        let Some(platform) = artifact.machine.platform().filter(|_| literal) else { continue };
        let name = without_platform(&artifact.path);
        if *programs.entry(name).or_insert(platform) != platform {
            return true;
        }
    }
    false
}

/// A path without the words that name a system or an architecture.
fn without_platform(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut at = 0;
    for word in find_words(path) {
        out.push_str(path.get(at..word.range.start).unwrap_or_default());
        at = word.range.end;
    }
    out.push_str(path.get(at..).unwrap_or_default());
    out = out.replace("linux", "");
    out.trim_end_matches(".exe").to_owned()
}

/// Whether the stage is nothing but an image that holds no machine code (certificates, time zones,
/// an empty root): whose platform it is does not matter then.
pub(crate) fn is_bare_base(stage: &Stage) -> bool {
    let Base::Image { reference } = &stage.base else { return false };
    let reference = shown(reference);
    let name = reference.split(['@', ':']).next().unwrap_or_default();
    let bare = name.contains("distroless/static") || name.ends_with("chainguard/static");
    bare && !stage.runs_commands()
}

/// The role of the stage that the image's own stages start from.
pub(crate) fn image_role(evaluation: &Evaluation) -> Option<RunsOn> {
    let stage = evaluation.final_stage()?;
    Some(root_stage(evaluation, stage).platform.role)
}

/// Whether a value is what the user gave with `--build-arg`, at least in part.
pub(crate) fn comes_from_build_arg(value: &Value) -> bool {
    value.all_pieces().iter().any(|p| p.origin == Origin::BuildArg)
}

/// The stages that make up the image: the target and those that it starts from.
pub(crate) fn final_chain(evaluation: &Evaluation) -> Vec<usize> {
    let mut chain = Vec::new();
    let mut at = evaluation.target;
    while let Some(i) = at {
        if chain.contains(&i) {
            break;
        }
        chain.push(i);
        at = match evaluation.stages.get(i).map(|s| &s.base) {
            Some(Base::Stage(parent)) => Some(*parent),
            _ => None,
        };
    }
    chain
}

/// Whether all instructions of the stages that make up the image are of certain kinds.
pub(crate) fn image_is_made_by(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    kinds: fn(&InstructionKind) -> bool,
) -> bool {
    final_chain(evaluation).iter().filter_map(|i| evaluation.stages.get(*i)).all(|stage| {
        let end = edit::end_of(cx.file, stage);
        let own = cx.file.instructions.get(stage.from + 1..end).unwrap_or_default();
        own.iter().all(|instruction| kinds(&instruction.kind))
    })
}

/// The stage whose FROM decides the platform of `stage`: itself, or the one it descends from.
pub(crate) fn root_stage<'e>(evaluation: &'e Evaluation, stage: &'e Stage) -> &'e Stage {
    let mut at = stage;
    while let Base::Stage(parent) = at.base {
        match evaluation.stages.get(parent) {
            Some(next) if next.index < at.index => at = next,
            _ => break,
        }
    }
    at
}

/// Artifacts of the image that an instruction of that stage made or brought, and that are for
/// another machine.
pub(crate) fn wrong_from_stage(
    evaluation: &Evaluation,
    stage: usize,
) -> impl Iterator<Item = &Artifact> {
    evaluation
        .wrong_artifacts()
        .filter(move |a| a.way.first().is_some_and(|station| station.stage == stage))
}

/// Why an artifact is of the machine that it is: which rule has the word on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A literal in a download's URL.
    Url,
    /// A literal in a toolchain's setting.
    Setting,
    /// Its stage is on a constant platform.
    ConstantStage,
    /// Its stage is on the build platform.
    BuildStage,
    /// A literal in a file's name.
    Name,
    /// A compiled file of the build context.
    Context,
    /// The default of an argument that holds an architecture.
    ArgDefault,
    /// `BUILDARCH` or the like, or a command that asks the machine that builds.
    BuildWord,
    /// Something else.
    Other,
}

/// The cause of an artifact's machine.
pub(crate) fn cause(evaluation: &Evaluation, artifact: &Artifact) -> Cause {
    let maker = artifact.way.first().and_then(|s| evaluation.stages.get(s.stage));
    let role = maker.map(|stage| root_stage(evaluation, stage).platform.role);
    let by_stage = match role {
        Some(RunsOn::Constant) => Cause::ConstantStage,
        Some(RunsOn::Build) => Cause::BuildStage,
        _ => Cause::Other,
    };
    if let (Some(value), Some(maker)) = (words::deciding_text(evaluation, artifact), maker) {
        if words::build_word(evaluation, maker, value).is_some() {
            return Cause::BuildWord;
        }
        let literals = literal_words(value);
        if literals.iter().any(|w| words::is_arch_arg_default(&w.piece)) {
            return Cause::ArgDefault;
        }
        if literals.iter().any(|w| words::belongs_elsewhere(evaluation, &w.piece)) {
            return Cause::Other;
        }
    }
    match &artifact.machine.source {
        MachineSource::Name { value } => {
            if !has_literal_arch(value, role.unwrap_or(RunsOn::Target)) {
                return by_stage;
            }
            if shown(value).contains("://") { Cause::Url } else { Cause::Name }
        }
        MachineSource::Setting { value, .. } if is_literal(value) => Cause::Setting,
        MachineSource::Elf if named_after_machine(artifact) => Cause::Name,
        MachineSource::Elf => Cause::Context,
        _ => by_stage,
    }
}

/// Whether a file of the build context has a name that says which machine it is for, and is right.
fn named_after_machine(artifact: &Artifact) -> bool {
    let Made::Context { path: Some(path) } = &artifact.made else { return false };
    let machine = artifact.machine.platform();
    find_words(&path.path).iter().any(|w| machine.is_some_and(|m| w.means(m)))
}

fn has_literal_arch(value: &Value, role: RunsOn) -> bool {
    literal_words(value).iter().any(|w| {
        w.word.is_linux()
            && !follows_another_platform(&w.piece, role)
            && !is_platform_arg_default(&w.piece)
    })
}

/// Whether a value is text that the file's author wrote, all of it.
pub(crate) fn is_literal(value: &Value) -> bool {
    !value.is_empty() && value.pieces().iter().all(Piece::is_literal)
}

/// The instruction that an edit at `span` changes, if it is one of `stage`: its index.
pub(crate) fn instruction_in_stage(cx: &Context<'_>, stage: &Stage, span: Span) -> Option<usize> {
    let (index, _) = cx.instruction_at(span.start)?;
    (stage.from < index && index < edit::end_of(cx.file, stage)).then_some(index)
}

/// Whether the instruction is a RUN.
pub(crate) fn is_run(cx: &Context<'_>, instruction: usize) -> bool {
    cx.file.instructions.get(instruction).is_some_and(|i| matches!(i.kind, InstructionKind::Run(_)))
}

/// Whether an effect happens under a condition that asks for the platform, so that a literal in it
/// was written for certain platforms on purpose.
pub(crate) fn is_deliberate(effect: &Effect) -> bool {
    effect.is_guarded_by_platform()
}

/// Whether the command may fail: what follows it begins with `||`.
pub(crate) fn is_tolerated(cx: &Context<'_>, span: Span) -> bool {
    let rest = cx.file.text.get(span.end as usize..).unwrap_or_default();
    rest.trim_start_matches([' ', '\t', '\\', '\n', '\r']).starts_with("||")
}
