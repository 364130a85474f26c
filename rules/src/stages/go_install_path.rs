//! A part of `wrong-arch-copy`: `go install` writes to `bin/linux_arm64/` when it cross-compiles,
//! and a COPY takes the program from `bin/`.

use mlint_lint::{Effect as Harm, Finding, Sink};
use mlint_model::{CopyFrom, EffectKind, Evaluation, Stage, Tool};
use mlint_syntax::Span;

/// Finds copies of a program from where `go install` puts it on its own machine only.
pub(super) fn check(evaluation: &Evaluation, sink: &mut Sink<'_>) {
    for (_, _, effect) in evaluation.effects() {
        let EffectKind::Copy(copy) = &effect.kind else { continue };
        let CopyFrom::Stage(index) = copy.from else { continue };
        let Some(maker) = evaluation.stages.get(index) else { continue };
        for source in &copy.sources {
            let Some(path) = source.value.as_known() else { continue };
            let path = format!("/{}", path.trim_start_matches('/'));
            if let Some((made_at, real)) = elsewhere(maker, &path) {
                report(evaluation, source.span, (path, real), made_at, sink);
            }
        }
    }
}

/// Where the program that is looked for at `path` is in truth, and what put it there.
fn elsewhere(maker: &Stage, path: &str) -> Option<(Span, String)> {
    let (folder, name) = path.rsplit_once('/')?;
    if maker.files.contains_key(path) {
        return None;
    }
    let (step, made_at, real) = maker.effects().find_map(|(step, effect)| {
        let EffectKind::Compile(compile) = &effect.kind else { return None };
        let real = compile.outputs.iter().find(|out| {
            let within = out.strip_prefix(folder).and_then(|o| o.strip_prefix('/'));
            within.and_then(|o| o.split_once('/')).is_some_and(|(pair, file)| {
                file == name && pair.split('_').count() == 2 && pair.starts_with("linux_")
            })
        })?;
        (compile.tool == Tool::Go && effect.certain).then(|| (step, effect.span, real.clone()))
    })?;
    // A later command may move the program in a way that is not followed.
    let moved = maker.effects().any(|(later, effect)| match &effect.kind {
        EffectKind::Command(command) if later.instruction >= step.instruction => command
            .name()
            .is_none_or(|n| ["mv", "cp", "ln", "install", "find", "rsync", "make"].contains(&&*n)),
        _ => false,
    });
    (!moved).then_some((made_at, real))
}

fn report(
    evaluation: &Evaluation,
    span: Span,
    (path, real): (String, String),
    made_at: Span,
    sink: &mut Sink<'_>,
) {
    let finding = Finding::new(span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} fails: {path} is not there, since `go install` writes to {real} \
             when it compiles for another platform"
        )
    })
    .effect(Harm::BuildFails)
    .related(made_at, "it is installed here")
    .help("`go build -o` writes to the same place for every platform");
    sink.report(finding);
}
