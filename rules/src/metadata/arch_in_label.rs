//! `arch-in-label`

use mlint_lint::{Context, Finding, Meta, ProposedFix, Rule, Sink, edit};
use mlint_model::{Argument, EffectKind, Evaluation, RunsOn, Stage, Step, Value};
use mlint_oci::arch::{Vocabulary, word_for};
use mlint_syntax::{Edit, EditSet};

use crate::support::{
    FoundWord, base_says_the_same, collects_platforms, final_chain, is_platform_arg_default,
    literal_words, root_stage, shown, with_trail,
};

mlint_lint::declare_rule! {
    /// A label says the image's architecture as text, so the image for every other platform says
    /// something wrong about itself. Whoever reads labels, such as a catalogue, a scanner or a
    /// scheduler, is misled. The image's own configuration has the architecture in any case.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// LABEL org.example.architecture="amd64"
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// LABEL org.example.architecture="${TARGETARCH}"
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the word follows the platform, or comes from an ARG, which other rules look at;
    /// - for keys that do not say that they are about the architecture, and for values that hold
    ///   more than one word;
    /// - for labels of stages that are not part of the image, and for an image that is for one
    ///   platform on purpose.
    ///
    /// ## Fix
    ///
    /// `${TARGETARCH}` where the word is Docker's: safe. For the kernel's words (`x86_64`) there
    /// is no variable: drop the label, or let whoever builds give it (`--label`).
    ///
    /// ## Proof
    ///
    /// None by a build: a label is no file: every file of both images is right before and after.
    pub struct ArchInLabel {
        name: "arch-in-label",
        group: Metadata,
        summary: "A label says one architecture, whatever the target is",
        severity: Warning,
        confidence: High,
        effect: Latent,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for ArchInLabel {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations.iter().filter(|e| !collects_platforms(cx, e)) {
            let chain = final_chain(evaluation);
            for stage in evaluation.reachable().filter(|s| chain.contains(&s.index)) {
                if root_stage(evaluation, stage).platform.role != RunsOn::Target {
                    continue;
                }
                for (step, effect) in stage.effects() {
                    if let EffectKind::Label { key, value } = &effect.kind {
                        check_label(cx, evaluation, (stage, step), key, value, sink);
                    }
                }
            }
        }
    }
}

/// Whether a key is about the architecture: `architecture`, `com.example.arch`.
fn is_about_architecture(key: &str) -> bool {
    let last = key.rsplit(['.', '-', '_', '/']).next().unwrap_or(key).to_ascii_lowercase();
    matches!(last.as_str(), "arch" | "architecture" | "targetarch" | "cpuarch" | "platform")
}

fn check_label(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    (stage, step): (&Stage, &Step),
    key: &Value,
    value: &Argument,
    sink: &mut Sink<'_>,
) {
    let (Some(key), text) = (key.as_known(), shown(&value.value)) else { return };
    let words = literal_words(&value.value);
    let [word] = words.as_slice() else { return };
    let rest = text.len() - word.text.len();
    // `amd64`, `linux/amd64`
    let whole = rest == 0 || rest == "linux/".len() && text.starts_with("linux/");
    let fits = word.word.is_linux() && whole && word.piece.trail.is_empty();
    if !is_about_architecture(&key)
        || !fits
        || word.word.means(&evaluation.platform)
        || is_platform_arg_default(&word.piece)
        || base_says_the_same(evaluation, stage, &word.word)
    {
        return;
    }
    let (name, said) = (key.into_owned(), word.text.clone());
    let finding = Finding::new(word.span, &evaluation.platform, move |on| {
        format!("the image for {on} says {said} in its label {name}")
    })
    .help("let it follow the target, or leave it out: the image's configuration says it anyway");
    let fix = fix(cx, evaluation, stage, step, word);
    sink.report(with_trail(finding, &word.piece).maybe_fix(fix));
}

fn fix(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    stage: &Stage,
    step: &Step,
    word: &FoundWord,
) -> Option<ProposedFix> {
    let place = word.place?;
    let from = word.word.platforms.first()?;
    // Docker's words are without the variant.
    let plain = cx.options.platforms.iter().all(|p| p.variant().is_none());
    let docker_s = word_for(from, Vocabulary::Docker) == Some(&word.text);
    let before = cx.file.text.get(..place.start as usize)?;
    let line = before.rsplit('\n').next()?;
    if !docker_s || !plain || line.matches('\'').count() % 2 == 1 {
        return None;
    }
    let text = "${TARGETARCH}".to_owned();
    let mut edits = EditSet::from_edits([Edit { span: place, text }]).ok()?;
    let user = step.instruction;
    if let Some(edit) = edit::declare(cx.file, evaluation, stage, user, &["TARGETARCH"], false) {
        edits.insert(edit).ok()?;
    }
    Some(ProposedFix::safe("let the label follow the target", edits).keeping(from).or_nothing())
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-in-label")
    }

    #[test]
    fn keys_about_the_architecture() {
        let found = harness().check(
            r#"
            FROM debian:12
            LABEL name="app" architecture="x86_64" \
                                           ^^^^^^ warning: arch-in-label: the image for linux/arm64 says x86_64 in its label architecture
                  com.example.arch=amd64 com.example.platform="linux/arm64"
                                   ^^^^^ warning: arch-in-label
                                                                     ^^^^^ warning: arch-in-label: the image for linux/amd64 says arm64
            "#,
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
    }

    #[test]
    fn docker_s_words_follow() {
        harness().check_fix(
            "FROM debian:12\nLABEL com.example.arch=amd64 a=b\n",
            "FROM debian:12\nARG TARGETARCH\nLABEL com.example.arch=${TARGETARCH} a=b\n",
        );
        harness().check_no_fix("FROM debian:12\nLABEL architecture=\"x86_64\"\n");
        harness().check_no_fix("FROM debian:12\nLABEL architecture='amd64'\n");
    }

    #[test]
    fn silent_where_it_follows_or_is_about_something_else() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nLABEL arch=$TARGETARCH\n",
            "FROM debian:12\nARG ARCH=amd64\nLABEL arch=$ARCH\n",
            "FROM debian:12\nLABEL description=\"runs on amd64 and arm64\" version=\"1-amd64\"\n",
            "FROM debian:12\nLABEL supported.arch=\"amd64 arm64\" archive=x86_64\n",
            "FROM debian:12 AS a\nLABEL arch=amd64\nRUN echo > /a\nFROM debian:12\nCOPY --from=a /a /a\n",
            "FROM --platform=linux/amd64 debian:12\nLABEL arch=amd64\n",
        ] {
            harness().silent(text);
        }
    }
}
