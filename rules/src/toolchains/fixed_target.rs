//! A part of `hardcoded-goarch`: the same for toolchains other than Go, by the option or variable
//! that names their target.

use mlint_lint::{Context, Effect as Harm, Finding, Sink, edit};
use mlint_model::{Base, Compile, Effect, Evaluation, MachineSource, Stage, Tool, Truth};
use mlint_syntax::Span;

use crate::{
    support::{
        FoundWord, base_says_the_same, follows_another_platform, is_platform_arg_default,
        literal_words, root_stage, shown, with_trail,
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
    let stops = compile.tool == Tool::Rust
        && compile.cross == Truth::Yes
        && lacks_linker(cx, evaluation, stage);
    let finding = Finding::new(place, &evaluation.platform, move |on| match stops {
        true => format!(
            "the build for {on} compiles for {machine}, for which the stage has no linker: \
             {option} says '{written}' whatever the target is"
        ),
        false => format!(
            "the binary in the image for {on} is for {machine}: {option} says '{written}' \
             whatever the target is"
        ),
    })
    .effect(if stops { Harm::BuildFails } else { Harm::WrongBinary })
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

/// Whether a stage that Rust is compiled in says nothing of another linker than the machine's own,
/// which links for that machine only.
fn lacks_linker(cx: &Context<'_>, evaluation: &Evaluation, stage: &Stage) -> bool {
    const SIGNS: [&str; 8] =
        ["linker", "LINKER", "zig", "xx-", "cross", "clang", "lld", "x86-64-linux-gnu"];
    let mut at = Some(stage);
    while let Some(stage) = at {
        let image =
            matches!(&stage.base, Base::Image { reference } if !is_rust_s(&shown(reference)));
        let own = cx.file.instructions.get(stage.from..edit::end_of(cx.file, stage));
        let text = own.and_then(|own| {
            let span = Span::new(own.first()?.span.start, own.last()?.span.end);
            Some(cx.text(span))
        });
        if image || text.is_none_or(|text| SIGNS.iter().any(|sign| text.contains(sign))) {
            return false;
        }
        at = match stage.base {
            Base::Stage(parent) => evaluation.stages.get(parent).filter(|p| p.index < stage.index),
            _ => None,
        };
    }
    true
}

/// Whether an image is the official one of Rust, of which it is known that it has no other linker.
fn is_rust_s(reference: &str) -> bool {
    let name = reference.split([':', '@']).next().unwrap_or_default();
    matches!(name.trim_start_matches("docker.io/").trim_start_matches("library/"), "rust")
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
