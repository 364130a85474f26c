//! A part of `hardcoded-goarch`: the same for toolchains other than Go, by the option or variable
//! that names their target.

use mlint_lint::{Context, Finding, Sink};
use mlint_model::{Compile, Effect, Evaluation, MachineSource, Stage, Tool};

use crate::{
    support::{
        FoundWord, base_says_the_same, follows_another_platform, is_platform_arg_default,
        literal_words, root_stage, with_trail,
    },
    words::belongs_elsewhere,
};

/// Finds a compilation that a literal ties to a wrong machine: `cargo build --target
/// x86_64-unknown-linux-musl`, `dotnet publish -r linux-x64`.
pub(super) fn check(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    effect: &Effect,
    compile: &Compile,
    sink: &mut Sink<'_>,
) {
    let MachineSource::Setting { name, span, .. } = &compile.machine.source else { return };
    let Some(machine) = compile.machine.platform().map(ToString::to_string) else { return };
    let Some(found) = word(evaluation, stage, compile) else { return };
    if belongs_elsewhere(evaluation, &found.piece) {
        return;
    }
    let place = if found.span.is_empty() { *span } else { found.span };
    let (option, written) = (name.clone(), found.text.clone());
    let finding = Finding::new(place, &evaluation.platform, move |on| {
        format!(
            "the binary in the image for {on} is for {machine}: {option} says '{written}' \
             whatever the target is"
        )
    })
    .help(
        "let it follow the target: a `case` over $TARGETARCH (with `ARG TARGETARCH` in the stage) \
         that sets the toolchain's own word",
    );
    let finding = if cx.text(effect.span).is_empty() {
        finding
    } else {
        finding.related(effect.span, "it is built here")
    };
    sink.report(with_trail(finding, &found.piece));
}

/// The literal word that ties a compilation by another toolchain than Go to a wrong machine.
pub(super) fn word(evaluation: &Evaluation, stage: &Stage, compile: &Compile) -> Option<FoundWord> {
    let MachineSource::Setting { value, .. } = &compile.machine.source else { return None };
    if matches!(compile.tool, Tool::Go | Tool::Make)
        || !compile.machine.is_wrong_for(&evaluation.platform)
    {
        return None;
    }
    let role = root_stage(evaluation, stage).platform.role;
    literal_words(value).into_iter().find(|w| {
        w.word.is_linux()
            && !is_platform_arg_default(&w.piece)
            && !follows_another_platform(&w.piece, role)
            && !base_says_the_same(evaluation, stage, &w.word)
    })
}
