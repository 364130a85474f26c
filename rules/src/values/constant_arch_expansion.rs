//! `constant-arch-expansion`

use mlint_lint::{Context, Effect as Harm, Finding, Meta, ProposedFix, Rule, Sink};
use mlint_model::{Effect, EffectKind, Evaluation, HopKind, MachineSource, Stage, Value};
use mlint_syntax::Span;

use crate::{
    repair,
    support::{FoundWord, literal_words, with_trail},
    words::stands_in_for,
};

mlint_lint::declare_rule! {
    /// An expansion looks as if it followed the platform, and gives the same architecture on all
    /// of them: `${TARGETARCH:+amd64/}` says `amd64/` whenever `TARGETARCH` is set, whatever it is
    /// set to. `:+` asks whether there is a value and does not look at it.
    ///
    /// ## Example
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// ADD https://example.org/tool${TARGETARCH:+-amd64} /usr/local/bin/tool
    /// ```
    ///
    /// ## Repaired
    ///
    /// ```dockerfile
    /// FROM debian:12
    /// ARG TARGETARCH
    /// ADD https://example.org/tool${TARGETARCH:+-${TARGETARCH}} /usr/local/bin/tool
    /// ```
    ///
    /// ## Silent
    ///
    /// - when what stands behind `:+` is the variable itself, or no word for an architecture;
    /// - for variables that do not tell the platform;
    /// - where what is made of it is not used: a download, a base image, a compiler's target or a
    ///   file that is copied.
    ///
    /// ## Fix
    ///
    /// The word becomes the argument itself, where its words are Docker's. Safe if the build for
    /// the platform that it names is unchanged. A base image loses the namespace of one
    /// architecture; that needs a look.
    pub struct ConstantArchExpansion {
        name: "constant-arch-expansion",
        group: Values,
        summary: "An expansion gives one architecture, whatever the argument in it is",
        severity: Error,
        confidence: High,
        effect: WrongBinary,
        needs_image_facts: false,
        fixes: Sometimes,
    }
}

impl Rule for ConstantArchExpansion {
    fn meta(&self) -> &'static Meta {
        &Self::META
    }

    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>) {
        for evaluation in cx.evaluations {
            for used in &evaluation.images {
                let Some(stage) = evaluation.stages.get(used.stage) else { continue };
                let site = Site { stage, span: used.span, is_image: true };
                check_value(cx, evaluation, &site, &used.reference, sink);
            }
            for (stage, _, effect) in evaluation.effects() {
                for value in values(effect) {
                    let site = Site { stage, span: effect.span, is_image: false };
                    check_value(cx, evaluation, &site, value, sink);
                }
            }
        }
    }
}

/// Where a value is used.
struct Site<'e> {
    stage: &'e Stage,
    span: Span,
    is_image: bool,
}

/// What decides which file an effect takes or makes.
fn values(effect: &Effect) -> Vec<&Value> {
    match &effect.kind {
        EffectKind::Download(download) => vec![&download.url],
        EffectKind::Compile(compile) => match &compile.machine.source {
            MachineSource::Setting { value, .. } => vec![value],
            _ => Vec::new(),
        },
        EffectKind::Copy(copy) => copy.sources.iter().map(|s| &s.value).collect(),
        EffectKind::Install(install) => install.packages.iter().map(|p| &p.value).collect(),
        _ => Vec::new(),
    }
}

fn check_value(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    site: &Site<'_>,
    value: &Value,
    sink: &mut Sink<'_>,
) {
    // Hardly any value has such a piece, and to look for words costs more.
    if !value.pieces().iter().any(|piece| stands_in_for(piece).is_some()) {
        return;
    }
    for found in literal_words(value) {
        let Some(name) = stands_in_for(&found.piece) else { continue };
        if !found.word.is_linux() || found.word.means(&evaluation.platform) {
            continue;
        }
        let text = found.text.clone();
        let mut finding = Finding::new(found.span, &evaluation.platform, move |on| {
            format!(
                "this is '{text}' in the build for {on} as well: `:+` asks whether {name} is set, \
                 and not to what"
            )
        })
        .help(format!("say ${{{name}}}, whose value follows the platform"));
        finding = with_trail(finding, &found.piece).related(site.span, "it is used here");
        if site.is_image {
            finding = finding.effect(Harm::WrongBinary);
        }
        sink.report(finding.maybe_fix(fix(cx, evaluation, site, &found)));
    }
}

/// The word becomes the argument.
fn fix(
    cx: &Context<'_>,
    evaluation: &Evaluation,
    site: &Site<'_>,
    found: &FoundWord,
) -> Option<ProposedFix> {
    if site.is_image && is_namespace(cx, found) {
        return without_namespace(cx, found);
    }
    let from = found.word.platforms.first()?;
    let docker_s = |p| found.word.counterparts(p).iter().any(|(_, word)| *word == p.arch());
    if found.text != from.arch() || !cx.options.platforms.iter().all(docker_s) {
        return None;
    }
    let edits = repair::follow_target(cx, evaluation, site.stage, found.place?)?;
    let title = "let the word follow the target";
    let fix = if site.is_image {
        ProposedFix::needs_look(title, edits)
            .because("whether there is an image of that name for each platform is not known")
    } else {
        ProposedFix::safe(title, edits)
    };
    Some(fix.keeping(from))
}

/// Whether the word is a namespace of Docker Hub's for one architecture, as in `amd64/debian`.
fn is_namespace(cx: &Context<'_>, found: &FoundWord) -> bool {
    let rest = cx.file.text.get(found.span.end as usize..).unwrap_or_default();
    rest.starts_with("/}")
}

/// The image without its namespace, which serves all platforms.
fn without_namespace(cx: &Context<'_>, found: &FoundWord) -> Option<ProposedFix> {
    let hops = found.piece.trail.hops();
    let span = hops.iter().find(|hop| hop.kind == HopKind::StandIn)?.span;
    repair::without_namespace(cx, span, "")
}

#[cfg(test)]
mod tests {
    use mlint_lint::testing::Harness;

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "constant-arch-expansion")
    }

    #[test]
    fn in_an_image_s_name() {
        harness().check(
            r"
            FROM ${TARGETARCH:+amd64/}debian:12
                               ^^^^^ error: constant-arch-expansion: this is 'amd64' in the build for linux/arm64 as well
            RUN true
            ",
        );
    }

    #[test]
    fn a_namespace_goes() {
        harness().check_unsafe_fix(
            "FROM ${TARGETARCH:+amd64/}debian:12\nRUN true\n",
            "FROM debian:12\nRUN true\n",
        );
    }

    #[test]
    fn in_downloads() {
        let found = harness().check(
            r"
            FROM debian:12
            ARG TARGETARCH
            ADD https://example.org/tool${TARGETARCH:+-amd64} /usr/local/bin/tool
                                                       ^^^^^ error: constant-arch-expansion
            RUN S=${TARGETARCH:+linux-amd64}; curl -fsSLo /t https://example.org/t-$S
                                      ^^^^^ error: constant-arch-expansion
            ",
        );
        assert!(found.iter().all(|d| d.platforms.len() == 1));
    }

    #[test]
    fn the_argument_itself_is_put_there() {
        harness().check_fix(
            r"
            FROM debian:12
            ARG TARGETARCH
            ADD https://example.org/tool${TARGETARCH:+-amd64} /usr/local/bin/tool
            ",
            r"
            FROM debian:12
            ARG TARGETARCH
            ADD https://example.org/tool${TARGETARCH:+-${TARGETARCH}} /usr/local/bin/tool
            ",
        );
    }

    #[test]
    fn silent_where_it_follows_or_says_nothing_of_the_platform() {
        for text in [
            "FROM debian:12\nARG TARGETARCH\nADD https://h/t${TARGETARCH:+-$TARGETARCH} /t\n",
            "FROM debian:12\nARG TARGETARCH\nADD https://h/t${TARGETARCH:+-static} /t\n",
            "FROM debian:12\nARG MIRROR=h\nADD https://h/t${MIRROR:+-amd64} /t\n",
            "FROM debian:12\nADD https://h/t${TARGETARCH:+-amd64} /t\n",
            "FROM debian:12\nARG TARGETVARIANT\nADD https://h/t${TARGETVARIANT:+-arm} /t\n",
            "FROM debian:12\nARG TARGETARCH\nRUN echo ${TARGETARCH:+amd64}\n",
        ] {
            harness().silent(text);
        }
    }
}
