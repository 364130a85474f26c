//! Repairs that several rules have in common, and what they ask of a stage first.

use mlint_lint::{Context, ProposedFix, edit};
use mlint_model::{Base, Compile, CopyFrom, EffectKind, Evaluation, RunsOn, Stage};
use mlint_syntax::{Edit, EditSet, Span};

use crate::support::root_stage;

/// The edits that put `${TARGETARCH}` at a place, with the ARG that it needs there. In FROM and
/// above it, global arguments count, and nothing is declared.
pub(crate) fn follow_target(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    place: Span,
) -> Option<EditSet> {
    let edit = Edit { span: place, text: "${TARGETARCH}".to_owned() };
    let mut edits = EditSet::from_edits([edit]).ok()?;
    let (index, _) = cx.instruction_at(place.start)?;
    if index > stage.from {
        let shared = root_stage(evaluation, stage).platform.role != RunsOn::Target;
        let declared = edit::declare(cx.file, evaluation, stage, index, &["TARGETARCH"], shared);
        if let Some(edit) = declared {
            edits.insert(edit).ok()?;
        }
    }
    Some(edits)
}

/// The image without the namespace at `span`, which is for one architecture; `instead` is what the
/// name needs in its place. `None` if no namespace stands there.
pub(crate) fn without_namespace(
    cx: &Context<'_>,
    span: Span,
    instead: &str,
) -> Option<ProposedFix> {
    if !cx.text(span).trim_end_matches('}').ends_with('/') {
        return None;
    }
    let edits = EditSet::from_edits([Edit { span, text: instead.to_owned() }]).ok()?;
    Some(
        ProposedFix::needs_look("use the name that serves all platforms", edits)
            .because("it is another name, which a mirror or a policy may treat differently"),
    )
}

/// Whether a flag in its FROM moves a stage to another platform, and nothing else with it: it
/// starts from an image, runs on the target without saying so, and no stage starts from it.
pub(crate) fn can_move(evaluation: &Evaluation, stage: &Stage) -> bool {
    let plain = stage.platform.role == RunsOn::Target && stage.platform.flag_span.is_none();
    let is_parent = evaluation
        .reachable()
        .any(|s| s.index != stage.index && root_stage(evaluation, s).index == stage.index);
    plain && matches!(stage.base, Base::Image { .. }) && !is_parent
}

/// What is compiled in a stage.
pub(crate) fn compiles(stage: &Stage) -> Vec<&Compile> {
    stage
        .effects()
        .filter_map(|(_, effect)| match &effect.kind {
            EffectKind::Compile(compile) => Some(compile),
            _ => None,
        })
        .collect()
}

/// Whether something is copied out of a stage, and all of it fits: each path is absolute and without
/// a slash at its end. A path that is not known fits nothing.
pub(crate) fn all_copied_fit(
    evaluation: &Evaluation,
    stage: &Stage,
    fits: impl Fn(&str) -> bool,
) -> bool {
    let mut sources = evaluation
        .effects()
        .filter_map(|(_, _, effect)| match &effect.kind {
            EffectKind::Copy(copy) if copy.from == CopyFrom::Stage(stage.index) => Some(copy),
            _ => None,
        })
        .flat_map(|copy| &copy.sources)
        .peekable();
    sources.peek().is_some()
        && sources.all(|source| {
            let path = source.value.as_known();
            path.is_some_and(|path| fits(&format!("/{}", path.trim_matches('/'))))
        })
}

/// Whether a file or folder is `path`, or lies below it.
pub(crate) fn is_at(file: &str, path: &str) -> bool {
    file.strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || path == "/")
}
