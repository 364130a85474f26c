//! Turns a native Go build into one for the target.

use mlint_lint::{Context, ProposedFix, edit};
use mlint_model::{Compile, Effect, EffectKind, Evaluation, Stage, Step, Tool, Truth};
use mlint_syntax::{Edit, EditSet, Span};

/// The Go builds of a stage.
pub(crate) fn go_builds(stage: &Stage) -> impl Iterator<Item = (&Step, &Effect, &Compile)> {
    stage.effects().filter_map(|(step, effect)| match &effect.kind {
        EffectKind::Compile(compile) if compile.tool == Tool::Go => Some((step, effect, compile)),
        _ => None,
    })
}

/// Whether cgo certainly takes no part in any of the stage's Go builds because the file says so.
pub(crate) fn cgo_is_off(stage: &Stage) -> bool {
    go_builds(stage).all(|(_, _, compile)| {
        compile.cgo.as_ref().is_some_and(|cgo| cgo.enabled == Truth::No && cgo.setting.is_some())
    })
}

/// Gives all Go builds of a stage `GOOS` and `GOARCH` where they have none, and declares what that
/// needs.
pub(crate) fn go_edits(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
) -> Option<EditSet> {
    let mut edits = EditSet::new();
    let mut first_user = None;
    for (step, effect, compile) in go_builds(stage) {
        let has = |name: &str| compile.settings.iter().any(|s| s.name == name);
        let (os, arch) = (!has("GOOS"), !has("GOARCH"));
        if !os && !arch {
            continue;
        }
        let at = command_word(step, effect)?;
        let mut prefix = String::new();
        if os {
            prefix.push_str("GOOS=$TARGETOS ");
        }
        if arch {
            prefix.push_str("GOARCH=$TARGETARCH ");
        }
        edits.insert(Edit { span: Span::empty(at.start), text: prefix }).ok()?;
        first_user = first_user.or(Some((step.instruction, os, arch)));
    }
    let (user, os, arch) = first_user?;
    let names: Vec<&str> = [("TARGETOS", os), ("TARGETARCH", arch)]
        .into_iter()
        .filter_map(|(name, used)| used.then_some(name))
        .collect();
    if let Some(edit) = edit::declare(cx.file, evaluation, stage, user, &names, true) {
        edits.insert(edit).ok()?;
    }
    Some(edits)
}

/// As [`go_edits`], as a fix: safe only if the file itself switches cgo off.
pub(crate) fn go_fix(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    title: &str,
) -> Option<ProposedFix> {
    go_fix_with(cx, evaluation, stage, title, &[])
}

/// As [`go_fix`], with more edits that belong to it.
pub(crate) fn go_fix_with(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    title: &str,
    more: &[Edit],
) -> Option<ProposedFix> {
    let mut edits = match go_edits(cx, evaluation, stage) {
        Some(edits) => edits,
        // The builds follow the target already: what else belongs to it is all.
        None if !more.is_empty() && go_builds(stage).all(|(_, _, c)| names_target(c)) => {
            EditSet::new()
        }
        None => return None,
    };
    for edit in more {
        edits.insert(edit.clone()).ok()?;
    }
    let fix = if cgo_is_off(stage) {
        ProposedFix::safe(title, edits)
    } else {
        ProposedFix::needs_look(title, edits).because(
            "Go switches cgo off when it cross-compiles; if the program needs cgo, it needs a \
             cross compiler as well, and if not, CGO_ENABLED=0 says so",
        )
    };
    Some(fix.keeping(&evaluation.build_platform))
}

/// Whether a build says for which system and architecture it is.
fn names_target(compile: &Compile) -> bool {
    ["GOOS", "GOARCH"].iter().all(|name| compile.settings.iter().any(|s| s.name == *name))
}

/// Where the word `go` of a build stands.
fn command_word(step: &Step, effect: &Effect) -> Option<Span> {
    step.effects.iter().find_map(|e| match &e.kind {
        EffectKind::Command(command) if e.span == effect.span => {
            let name = command.argv.first()?;
            // Under `time go build` or `env X=y go build` the prefix would not reach it.
            (command.name().as_deref() == Some("go")).then_some(name.span)
        }
        _ => None,
    })
}
