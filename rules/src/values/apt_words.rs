//! Sources of apt whose architecture follows the platform in words that are not Debian's: a part of
//! `arch-name-mismatch`.

use std::ops::Range;

use mlint_lint::{Confidence, Context, Effect as Harm, Finding, ProposedFix, Severity, Sink};
use mlint_model::{EffectKind, Evaluation, HopKind, Made, Piece, RunsOn, Stage, Value};
use mlint_oci::arch::{Vocabulary, find_words, word_for};
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    packages::source::{installs, is_source, lists},
    support::{is_run, root_stage},
    values::arch_name_mismatch::{Following, following},
    words::substitution,
};

/// What prints Debian's word.
const DEBIAN_S: &str = "$(dpkg --print-architecture)";

/// Reports the sources of apt in the stages that are for the target.
pub(super) fn check(cx: &Context<'_>, evaluation: &Evaluation, sink: &mut Sink<'_>) {
    for stage in evaluation.reachable() {
        let on_target = root_stage(evaluation, stage).platform.role == RunsOn::Target
            && stage.userland.as_ref() == Some(&evaluation.platform);
        if !on_target {
            continue;
        }
        for (_, artifact) in stage.files.iter().filter(|(path, _)| is_source(path)) {
            let here = artifact.way.first().filter(|s| s.stage == stage.index);
            let written = matches!(artifact.made, Made::Written) && artifact.certain;
            if let (Some(station), Some(content), true) = (here, &artifact.content, written) {
                check_source(cx, (evaluation, stage), content, station.span, sink);
            }
        }
        for (_, effect) in stage.effects().filter(|(_, e)| e.certain) {
            if let EffectKind::Command(command) = &effect.kind
                && command.name().as_deref() == Some("add-apt-repository")
            {
                for argument in &command.argv {
                    check_source(cx, (evaluation, stage), &argument.value, effect.span, sink);
                }
            }
        }
    }
}

fn check_source(
    cx: &Context<'_>,
    (evaluation, stage): (&Evaluation, &Stage),
    content: &Value,
    written: Span,
    sink: &mut Sink<'_>,
) {
    let (text, words) = following(evaluation, stage, content);
    if words.is_empty() {
        return;
    }
    let Some(debian_s) = word_for(&evaluation.platform, Vocabulary::Debian) else { return };
    for list in lists(&text) {
        let Some(part) = text.get(list.clone()) else { continue };
        let known = part.chars().all(|c| c.is_ascii_graphic() || c.is_ascii_whitespace());
        let is_word = |c: char| c == ',' || c.is_whitespace();
        let right = part.split(is_word).any(|word| word == debian_s || word == "any");
        let inside =
            |f: &&Following<'_>| f.word.range.start >= list.start && f.word.range.end <= list.end;
        let Some(wrong) = words.iter().find(inside) else { continue };
        // Another word of the list may be one that is known by another name.
        let others = find_words(part).len() > 1;
        if !known || right || others || is_flat(&text, list) {
            continue;
        }
        report(cx, (evaluation, stage), wrong, part, written, sink);
    }
}

/// Whether a source has one list of packages for all architectures: its suite is a folder.
fn is_flat(text: &str, list: Range<usize>) -> bool {
    let start = text.get(..list.start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
    let line = text.get(start..).and_then(|t| t.lines().next()).unwrap_or_default();
    if !line.starts_with("Architectures:") {
        let mut words = line.split_whitespace().skip_while(|w| !w.contains("://")).skip(1);
        return words.next().is_some_and(|suite| suite.ends_with('/'));
    }
    let suites = text.lines().filter_map(|line| line.strip_prefix("Suites:"));
    suites.flat_map(str::split_whitespace).any(|suite| suite.ends_with('/'))
}

fn report(
    cx: &Context<'_>,
    (evaluation, stage): (&Evaluation, &Stage),
    wrong: &Following<'_>,
    list: &str,
    written: Span,
    sink: &mut Sink<'_>,
) {
    let hops = wrong.piece.trail.hops();
    let used = hops.iter().rev().find(|h| h.kind == HopKind::Used).map(|h| h.span);
    let probe = substitution(cx, wrong.piece.span).unwrap_or(wrong.piece.span);
    let origin = Some(probe).filter(|span| !span.is_empty());
    let at = used.or(origin).unwrap_or(written);
    let by = wrong.by.clone();
    let words: Vec<String> = cx
        .options
        .platforms
        .iter()
        .filter_map(|p| Some(format!("'{}' for {p}", word_for(p, Vocabulary::Debian)?)))
        .collect();
    let words = mlint_lint::list(&words);
    let mut finding = Finding::new(at, &evaluation.platform, move |on| {
        format!(
            "the build for {on} finds no package in this source of apt: it asks for what {by} says, \
             and Debian's words are {words}"
        )
    })
    .effect(Harm::BuildFails)
    .help(format!("let dpkg say the word: {DEBIAN_S}"));
    if let Some(origin) = origin.filter(|origin| !at.contains(*origin)) {
        finding = finding.related(origin, "the word comes from here");
    }
    if !written.contains(at) {
        finding = finding.related(written, "the source is written here");
    }
    if !installs(stage) {
        finding = finding.severity(Severity::Warning).confidence(Confidence::Medium);
    }
    let whole = list.trim() == wrong.said;
    let fix = whole.then(|| fix(cx, stage, wrong.piece)).flatten();
    sink.report(finding.maybe_fix(fix));
}

/// dpkg's word where the source itself says the other one, in a shell's text: `[arch=$(uname -m)]`
/// or `[arch=$ARCH]`. What sets a variable stays: others may use it.
fn fix(cx: &Context<'_>, stage: &Stage, piece: &Piece) -> Option<ProposedFix> {
    let hops = piece.trail.hops();
    if hops.iter().any(|h| matches!(h.kind, HopKind::Script | HopKind::Transformed)) {
        return None;
    }
    let mut used = hops.iter().filter(|h| h.kind == HopKind::Used);
    // A line that is held in a variable may have the word in it as it is.
    let place = [used.next().map(|h| h.span), substitution(cx, piece.span)]
        .into_iter()
        .flatten()
        .find(|place| cx.text(*place).starts_with(['$', '`']) && is_named(cx, *place))?;
    let (index, _) = cx.instruction_at(place.start)?;
    if !is_run(cx, index) || index <= stage.from {
        return None;
    }
    let edits = EditSet::from_edits([Edit { span: place, text: DEBIAN_S.to_owned() }]).ok()?;
    Some(ProposedFix::safe("let dpkg say the word", edits).or_nothing())
}

/// Whether the file says what the word at that place is for: `arch=` before it, and nothing that
/// would make it a longer word behind it.
fn is_named(cx: &Context<'_>, place: Span) -> bool {
    let before = cx.file.text.get(..place.start as usize).unwrap_or_default();
    let after = cx.file.text.get(place.end as usize..).unwrap_or_default();
    let named = before.ends_with("arch=") || before.trim_end().ends_with("Architectures:");
    named && after.starts_with([']', ' ', '\n', '\r', '\\', '"'])
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Effect, testing::Harness};

    fn harness() -> Harness<'static> {
        Harness::new(crate::all(), "arch-name-mismatch")
    }

    #[test]
    fn uname_in_a_source_of_apt() {
        let found = harness().check(
            r#"
            FROM debian:12
            RUN echo "deb [arch=$(uname -m)] https://a.example.org stable main" > /etc/apt/sources.list.d/a.list && apt-get update && apt-get install -y tool
                                ^^^^^^^^^^^ error: arch-name-mismatch: the build for linux/amd64 and linux/arm64 finds no package in this source of apt: it asks for what uname -m says, and Debian's words are 'amd64' for linux/amd64 and 'arm64' for linux/arm64
            "#,
        );
        assert_eq!(found[0].platforms.len(), 2);
        assert_eq!(found[0].effect, Effect::BuildFails);
        harness().check(
            r#"
            FROM debian:12
            RUN ARCH=$(arch) && echo "deb [signed-by=/k arch=$ARCH] https://a.example.org stable main" > /etc/apt/sources.list.d/a.list
                                                             ^^^^^ warning: arch-name-mismatch: the build for linux/amd64 and linux/arm64 finds no package in this source of apt
            "#,
        );
        harness().check(
            r#"
            FROM debian:12
            RUN add-apt-repository "deb [arch=$(uname -m)] https://a.example.org stable main" && apt-get install -y tool
                                              ^^^^^^^^^^^ error: arch-name-mismatch
            "#,
        );
    }

    #[test]
    fn a_word_that_is_mapped_for_one_platform_only() {
        let found = harness().check(
            r#"
            FROM debian:12
            RUN A=$(uname -m | sed s/x86_64/amd64/) && echo "deb [arch=$A] https://a.example.org stable main" > /etc/apt/sources.list.d/a.list && apt-get install -y tool
                                                                       ^^ error: arch-name-mismatch: the build for linux/arm64 finds no package
            "#,
        );
        assert_eq!(found[0].platforms.len(), 1);
    }

    #[test]
    fn docker_s_word_for_32_bit_arm() {
        let text = "FROM debian:12\nARG TARGETARCH\nRUN echo \"deb [arch=${TARGETARCH}] https://a.example.org s m\" > /etc/apt/sources.list.d/a.list && apt-get install -y tool\n";
        harness().silent(text);
        let found = harness().platforms(&["linux/amd64", "linux/arm/v7"]).report(text);
        let [one] = found.diagnostics.as_slice() else { panic!("{found:?}") };
        assert_eq!(one.platforms.len(), 1);
        assert!(one.message.contains("it asks for what TARGETARCH says"), "{}", one.message);
    }

    #[test]
    fn dpkg_says_the_word() {
        harness().check_fix(
            r#"
            FROM debian:12
            RUN echo "deb [arch=$(uname -m)] https://a.example.org stable main" > /etc/apt/sources.list.d/a.list && apt-get update && apt-get install -y tool
            "#,
            r#"
            FROM debian:12
            RUN echo "deb [arch=$(dpkg --print-architecture)] https://a.example.org stable main" > /etc/apt/sources.list.d/a.list && apt-get update && apt-get install -y tool
            "#,
        );
        harness().check_fix(
            r#"
            FROM debian:12
            RUN ARCH=$(uname -m) && LINE="deb [arch=$ARCH] https://a.example.org stable main" && echo "$LINE" > /etc/apt/sources.list.d/a.list && apt-get install -y tool && rm -rf /opt/$ARCH
            "#,
            r#"
            FROM debian:12
            RUN ARCH=$(uname -m) && LINE="deb [arch=$(dpkg --print-architecture)] https://a.example.org stable main" && echo "$LINE" > /etc/apt/sources.list.d/a.list && apt-get install -y tool && rm -rf /opt/$ARCH
            "#,
        );
        harness().check_no_fix(
            "FROM debian:12\nRUN printf 'deb [arch=%s] https://a.example.org s m\\n' \"$(uname -m)\" > /etc/apt/sources.list.d/a.list && apt-get install -y tool\n",
        );
    }

    #[test]
    fn silent_where_apt_finds_the_packages() {
        for source in [
            "deb [arch=$(dpkg --print-architecture)] https://h s m",
            "deb [arch=amd64] https://h s m",
            "deb [arch=amd64,arm64] https://h s m",
            "deb https://h/$(uname -m) s m",
            "deb [arch=$(uname -m)] https://h ./",
            "deb [arch=$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')] https://h s m",
        ] {
            harness().silent(&format!(
                "FROM debian:12\nRUN echo \"{source}\" > /etc/apt/sources.list.d/a.list && apt-get update && apt-get install -y tool\n"
            ));
        }
        harness().silent(
            "FROM debian:12\nRUN echo \"deb [arch=$(uname -m)] https://h s m\" > /usr/share/doc/a.list && apt-get install -y tool\n",
        );
    }
}
