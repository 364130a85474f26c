//! `incomplete-arch-case`

use mlint_lint::{
    Confidence, Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Severity, Sink,
};
use mlint_model::{
    Argument, Branch, Effect, EffectKind, Evaluation, Question, Stage, Step, UnsetUse, Value,
};
use mlint_oci::arch::find_words;
use mlint_syntax::Span;

use super::arch_comparison_never_true::is_covered;
use crate::{
    downloads::{self, names_something_else},
    support::{FoundWord, literal_words, shown, with_trail},
    words::{answer_for_the_rest, asks_for_target, dead, is_arch_text},
};

mlint_lint::declare_rule! {
    /// A script chooses by architecture, and a platform that the image is made for is not among
    /// the choices. Either the rest (`*)`, `else`) silently means one architecture, and the image
    /// gets that one's files; or there is no branch at all, and a variable stays empty that a URL
    /// or a command needs.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN case "$TARGETARCH" in \
    ///       arm) arch=armv7 ;; \
    ///       *) arch=x86_64 ;; \
    ///     esac; \
    ///     curl -fsSLo /usr/local/bin/tool "https://example.org/tool-$arch"
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// RUN case "$TARGETARCH" in \
    ///       arm) arch=armv7 ;; \
    ///       *) arch=$(uname -m) ;; \
    ///     esac; \
    ///     curl -fsSLo /usr/local/bin/tool "https://example.org/tool-$arch"
    /// ```
    ///
    /// ## Silent
    ///
    /// - when the rest stops the build with a message: that is what it should do (and
    ///   `build-stops` tells where);
    /// - when what the rest says is right for the platform, or is no word for an architecture;
    /// - when a branch is missing and nothing needs what it would set: not every platform needs
    ///   every package;
    /// - when the branch is there and asked for in the wrong words: that is
    ///   `arch-comparison-never-true`.
    ///
    /// ## Fix
    ///
    /// The word that the rest gets follows the target: as `${TARGETARCH}`, `$(uname -m)` or a `case`
    /// with the words of a project that mlint knows. Safe for those; else it needs a look, since
    /// only the project knows what it calls its files. A branch that is missing is not made up.
    pub struct IncompleteArchCase {
        name: "incomplete-arch-case",
        group: Values,
        summary: "A choice by architecture lacks a platform, or takes another one's branch for it",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for IncompleteArchCase {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for stage in evaluation.reachable() {
                for step in &stage.steps {
                    let asked = step.questions.iter().filter(|q| {
                        q.names_nothing()
                            && asks_for_target(evaluation, stage, q)
                            && !is_in_wrong_words(evaluation, stage, step, q)
                    });
                    for question in asked {
                        let told = wrong_rest(cx, (evaluation, stage, step), question, sink);
                        if !told && step.failure.is_none() {
                            stays_empty(cx, evaluation, step, question, sink);
                        }
                    }
                }
            }
        }
    }
}

/// Whether the platform is asked for, in words that nobody says.
fn is_in_wrong_words(
    evaluation: &Evaluation,
    stage: &Stage,
    step: &Step,
    question: &Question,
) -> bool {
    question
        .comparisons
        .iter()
        .any(|c| dead(evaluation, stage, c).is_some() && !is_covered(step, c))
}

/// The rest means another architecture: reported at the word.
fn wrong_rest(
    cx: &Context<'_>,
    (evaluation, stage, step): (&Evaluation, &Stage, &Step),
    question: &Question,
    sink: &mut Sink<'_>,
) -> bool {
    let uses = uses_of_rest(evaluation, step, question);
    for (effect, used, found) in &uses {
        let fix = match &effect.kind {
            EffectKind::Download(_) => {
                downloads::follow(cx, (evaluation, stage, step), &shown(&used.value), found)
            }
            _ => None,
        };
        report_rest(evaluation, question, effect, used, (found, fix), sink);
    }
    !uses.is_empty()
}

/// Where the branch for the rest decides for another architecture than the platform's: the effect,
/// what it takes, and the word.
pub(super) fn uses_of_rest<'e>(
    evaluation: &Evaluation,
    step: &'e Step,
    question: &Question,
) -> Vec<(&'e Effect, Argument, FoundWord)> {
    let Some(rest) = question.rest() else { return Vec::new() };
    let mut uses = Vec::new();
    for effect in &step.effects {
        for used in arguments(effect) {
            let found = wrong_word(evaluation, question, rest, effect, &used.value);
            uses.extend(found.map(|found| (effect, used, found)));
        }
    }
    uses
}

/// What an effect takes that may name an architecture.
fn arguments(effect: &Effect) -> Vec<Argument> {
    match &effect.kind {
        EffectKind::Download(download) if !names_something_else(&shown(&download.url)) => {
            vec![Argument { value: download.url.clone(), span: download.url_span }]
        }
        EffectKind::Compile(compile) => match &compile.machine.source {
            mlint_model::MachineSource::Setting { value, span, .. } => {
                vec![Argument { value: value.clone(), span: *span }]
            }
            _ => Vec::new(),
        },
        EffectKind::Copy(copy) => copy.sources.clone(),
        _ => Vec::new(),
    }
}

/// The word for another platform that the branch for the rest gave.
fn wrong_word(
    evaluation: &Evaluation,
    question: &Question,
    rest: Span,
    effect: &Effect,
    value: &Value,
) -> Option<FoundWord> {
    let platform = &evaluation.platform;
    if find_words(&shown(value)).iter().any(|w| w.means(platform)) {
        return None;
    }
    literal_words(value).into_iter().rev().find(|found| {
        let word = &found.word;
        let wrong = word.is_linux() && (!word.weak || word.system_is_written);
        let by_assignment = || {
            answer_for_the_rest(evaluation, &found.piece)
                .is_some_and(|(_, q)| q.span == question.span)
        };
        let within = || rest.contains(effect.span) && rest.contains(found.span);
        wrong && (by_assignment() || within())
    })
}

fn report_rest(
    evaluation: &Evaluation,
    question: &Question,
    effect: &Effect,
    used: &Argument,
    (found, fix): (&FoundWord, Option<ProposedFix>),
    sink: &mut Sink<'_>,
) {
    let Some(machine) = found.word.platforms.first().map(ToString::to_string) else { return };
    let what = match &effect.kind {
        EffectKind::Download(_) => "downloads the file for",
        EffectKind::Compile(_) => "compiles for",
        _ => "takes the file for",
    };
    let text = found.text.clone();
    let mut finding = Finding::new(found.span, &evaluation.platform, move |on| {
        format!(
            "the build for {on} {what} {machine}: no branch names that platform, and the rest \
             gets '{text}'"
        )
    })
    .related(question.span, "the branch is chosen here");
    finding = with_trail(finding, &found.piece);
    if !effect.span.contains(found.span) {
        finding = finding.related(used.span, "it is used here");
    }
    if !effect.certain {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    finding = finding.help(
        "name each platform, and let the rest fail: `*) echo \"unsupported: $TARGETARCH\" >&2; \
         exit 1 ;;`",
    );
    sink.report(finding.maybe_fix(fix));
}

/// A variable that only other platforms' branches set is used.
fn stays_empty(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    step: &Step,
    question: &Question,
    sink: &mut Sink<'_>,
) {
    let uses = empty_uses(cx, step, question);
    let Some(first) = uses.iter().min_by_key(|u| (!u.in_url, u.unset.span)) else { return };
    let name = first.unset.name.clone();
    let mut finding = Finding::new(first.unset.span, &evaluation.platform, move |on| {
        format!(
            "{name} is empty here in the build for {on}: the choice by architecture that sets it \
             has no branch for that platform"
        )
    })
    .effect(Harm::BuildFails)
    .related(question.span, "no branch fits here")
    .related(first.branch, "it is set for other platforms only")
    .help("add the platform, and a branch for the rest that fails with a message");
    for other in uses.iter().filter(|u| u.unset.span != first.unset.span).take(3) {
        finding = finding.related(other.unset.span, format!("{} is empty, too", other.unset.name));
    }
    if !first.in_url {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    sink.report(finding);
}

/// A use of a variable that only branches set which are not taken.
pub(super) struct EmptyUse<'e> {
    unset: &'e UnsetUse,
    /// One of those branches.
    branch: Span,
    /// It stands in the address of a download.
    in_url: bool,
}

/// The uses of what a choice would set for other platforms: in an address, or of a word for an
/// architecture. (An option that only one architecture needs may well be empty on others.)
pub(super) fn empty_uses<'e>(
    cx: &Context<'_>,
    step: &'e Step,
    question: &Question,
) -> Vec<EmptyUse<'e>> {
    if question.branch == Branch::Unknown {
        return Vec::new();
    }
    let others = &question.others;
    let in_url = |u: &UnsetUse| {
        step.effects.iter().any(|effect| match &effect.kind {
            EffectKind::Download(download) => download.url_span.contains(u.span),
            _ => false,
        })
    };
    let mut uses = Vec::new();
    for unset in step.unset.iter().filter(|u| !others.iter().any(|b| b.contains(u.span))) {
        let in_url = in_url(unset);
        let counts = |value: &str| in_url || is_arch_text(value);
        let branch = others.iter().find(|b| assigns(cx.text(**b), &unset.name, &counts));
        uses.extend(branch.map(|branch| EmptyUse { unset, branch: *branch, in_url }));
    }
    uses
}

/// Whether a branch's text assigns a value that counts to the variable.
fn assigns(text: &str, name: &str, counts: &dyn Fn(&str) -> bool) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let value = text[at + name.len()..].strip_prefix('=');
        let value = value.and_then(|v| v.split([';', '&', ' ', '\n']).next());
        value.is_some_and(|v| counts(v.trim_matches(['"', '\''])))
            && before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '_' && c != '$')
    })
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Effect, testing::Harness};

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "incomplete-arch-case")
    }

    #[test]
    fn the_rest_means_amd64() {
        let found = harness().check(
            r#"
            FROM debian:12
            ARG TARGETPLATFORM
            RUN if [ "$TARGETPLATFORM" = linux/arm/v7 ]; then A=armv7; else A=x86_64; fi; \
                                                                              ^^^^^^ error: incomplete-arch-case: the build for linux/arm64 downloads the file for linux/amd64
                curl -fsSLo /tool "https://example.org/tool-$A"
            "#,
        );
        assert_eq!(found[0].platforms.len(), 1);
        assert_eq!(found[0].effect, Effect::WrongBinary);
    }

    #[test]
    fn the_download_stands_in_the_branch() {
        harness().check(
            r#"
            FROM debian:12
            RUN case "$(uname -m)" in \
                  armv7l) curl -fsSLo /tool https://example.org/tool-linux-armv7 ;; \
                  *) curl -fsSLo /tool https://example.org/tool-linux-amd64 ;; \
                                                                      ^^^^^ error: incomplete-arch-case
                esac
            "#,
        );
    }

    #[test]
    fn the_rest_follows_the_target() {
        harness().check_unsafe_fix(
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "$TARGETARCH" in \
                  arm) A=armv7 ;; \
                  *) A=x86_64 ;; \
                esac; \
                curl -fsSLo /tool "https://example.org/tool-$A"
            "#,
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "$TARGETARCH" in \
                  arm) A=armv7 ;; \
                  *) A=$(uname -m) ;; \
                esac; \
                curl -fsSLo /tool "https://example.org/tool-$A"
            "#,
        );
    }

    #[test]
    fn an_empty_word_outside_of_an_address() {
        harness().check(
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN if [ "$TARGETARCH" = amd64 ]; then RID=linux-x64; fi && echo "RID=$RID" > /rid
                                                                                  ^^^^ warning: incomplete-arch-case: RID is empty here
            "#,
        );
    }

    #[test]
    fn a_compiler_s_target() {
        harness().check(
            r#"
            FROM --platform=$BUILDPLATFORM golang:1.23 AS build
            ARG TARGETARCH
            COPY . /src
            RUN cd /src && if [ "$TARGETARCH" != arm ]; then export GOARCH=amd64; else export GOARCH=arm; fi; \
                                                                           ^^^^^ error: incomplete-arch-case: the build for linux/arm64 compiles for linux/amd64
                CGO_ENABLED=0 go build -o /app .
            FROM scratch
            COPY --from=build /app /app
            "#,
        );
    }

    #[test]
    fn no_branch_and_an_empty_variable() {
        let found = harness().check(
            r#"
            FROM debian:12
            ARG TARGETARCH
            RUN case "$TARGETARCH" in \
                  amd64) A=x86_64 ;; \
                  arm) A=armv7 ;; \
                esac; \
                curl -fsSLo /tool "https://example.org/tool-$A"
                                                            ^^ error: incomplete-arch-case: A is empty here in the build for linux/arm64
            "#,
        );
        assert_eq!(found[0].effect, Effect::BuildFails);
    }

    #[test]
    fn silent_where_all_are_named_or_the_rest_is_right_or_fails() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nRUN case $TARGETARCH in amd64) A=x86_64 ;; *) A=aarch64 ;; esac; curl -fsSLO https://h/t-$A\n",
            "FROM debian:12\nARG TARGETARCH\nRUN case $TARGETARCH in amd64) A=x64 ;; arm64) A=arm64 ;; *) exit 1 ;; esac; curl -fsSLO https://h/t-$A\n",
            "FROM debian:12\nARG TARGETARCH\nRUN case $TARGETARCH in amd64) A=x64 ;; *) echo no >&2; exit 1 ;; esac; curl -fsSLO https://h/t-$A\n",
            "FROM debian:12\nARG TARGETARCH\nRUN if [ $TARGETARCH = amd64 ]; then apt-get install -y libvpl2; fi\n",
            "FROM debian:12\nARG TARGETARCH\nRUN case $TARGETARCH in arm) A=armv7 ;; *) A=$TARGETARCH ;; esac; curl -fsSLO https://h/t-$A\n",
            "FROM debian:12\nARG TARGETARCH\nRUN case $TARGETARCH in amd64) F=-O3 ;; esac; make CFLAGS=\"$F\"\n",
            "FROM golang:1.23\nARG TARGETARCH\nRUN if [ $TARGETARCH = arm64 ]; then CC=/x/aarch64-linux-musl-gcc; fi; CC=$CC make\n",
            "FROM debian:12\nARG DEBUG\nRUN if [ \"$DEBUG\" = 1 ]; then A=x86_64; else A=amd64; fi; curl -fsSLO https://h/t-$A\n",
            // A build tool, by the machine that builds.
            "FROM --platform=$BUILDPLATFORM alpine:3.20 AS b\nRUN case $(uname -m) in armv7l) A=arm ;; *) A=amd64 ;; esac; wget -O /t https://h/t-$A && /t > /doc\nFROM alpine:3.20\nCOPY --from=b /doc /doc\n",
        ] {
            harness().silent(text);
        }
    }
}
