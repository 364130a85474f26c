//! What a Dockerfile does on a platform, as lines that can be compared: the basis of a fix's
//! proof. Places in the file, and how a value came to be, are left out.

use std::{collections::HashMap, fmt::Write as _, hash::Hash};

use mlint_model::{Base, Command, Effect, EffectKind, Evaluation, Value};
use mlint_oci::{Platform, arch::find_words};
use mlint_syntax::{Dockerfile, InstructionKind};

/// Arguments that the builder sets by itself: declaring one changes no step.
pub(crate) const AUTOMATIC: &[&str] = &[
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETSTAGE",
];

/// Variables whose whole meaning is in the compile effect that follows.
const TOLD_BY_COMPILE: &[&str] = &["GOOS", "GOARCH", "GOARM", "CGO_ENABLED"];

/// What happens, in order.
pub(crate) fn signature(evaluation: &Evaluation, file: &Dockerfile) -> Vec<String> {
    let mut lines = Vec::new();
    for failure in &evaluation.failures {
        lines.push(format!("fails: {}", failure.message));
    }
    for stage in evaluation.reachable() {
        let base = match &stage.base {
            Base::Scratch => "scratch".to_owned(),
            Base::Image { reference } => reference.to_string(),
            Base::Stage(i) => format!("stage {i}"),
            Base::Context { name } => format!("context {name}"),
        };
        let on = stage.platform.platform.as_ref().map_or("?".to_owned(), Platform::to_string);
        lines.push(format!("stage {} from {base} on {on}", stage.index));
        for step in &stage.steps {
            lines.extend(step.failure.iter().map(|f| format!("fails: {}", f.message)));
            // A command that only asks for the machine changes nothing.
            let asks = |e: &Effect| {
                matches!(e.kind, EffectKind::Command(_))
                    && step.effects.iter().any(|other| {
                        matches!(other.kind, EffectKind::Ask { .. }) && other.span == e.span
                    })
            };
            lines.extend(step.effects.iter().filter(|e| !asks(e)).filter_map(effect_line));
            lines.extend(fixed_text(file, step.instruction));
        }
    }
    for artifact in evaluation.final_artifacts() {
        lines.push(format!(
            "file {} for {} linked {}",
            artifact.path, artifact.machine, artifact.linkage
        ));
    }
    lines
}

/// Whether a line counts where two platforms are compared: where a step runs does not.
pub(crate) fn is_analogous(line: &str) -> bool {
    !line.starts_with("stage ")
}

/// The programs that are executed in a stage of another platform, as `path (machine) on platform`:
/// the machine for which they were made is known, and the stage's machine can't run them by itself.
pub(crate) fn foreign_runs(evaluation: &Evaluation) -> Vec<String> {
    let stages = evaluation.reachable().filter_map(|s| Some((s, s.platform.platform.as_ref()?)));
    stages
        .flat_map(|(stage, on)| stage.steps.iter().flat_map(|s| &s.effects).map(move |e| (e, on)))
        .filter_map(|(effect, on)| match &effect.kind {
            EffectKind::Execute { path, machine } => {
                let foreign = machine.platform().filter(|m| m.arch() != on.arch())?;
                Some(format!("{path} ({foreign}) on {on}"))
            }
            _ => None,
        })
        .collect()
}

/// How many lines of `ours` have no equal in `theirs`.
pub(crate) fn unmatched<T: Eq + Hash>(ours: &[T], theirs: &[T]) -> usize {
    let mut left: HashMap<&T, usize> = HashMap::new();
    for line in theirs {
        *left.entry(line).or_default() += 1;
    }
    let equal = |line: &T| match left.get_mut(line) {
        Some(n) if *n > 0 => {
            *n -= 1;
            true
        }
        _ => false,
    };
    ours.len() - ours.iter().map(equal).filter(|equal| *equal).count()
}

/// The first line in which the two differ, as `before` and `after`.
pub(crate) fn first_difference<'a>(
    before: &'a [String],
    after: &'a [String],
) -> Option<(&'a str, &'a str)> {
    let n = before.len().max(after.len());
    let line = |lines: &'a [String], i: usize| lines.get(i).map_or("nothing", String::as_str);
    (0..n).map(|i| (line(before, i), line(after, i))).find(|(a, b)| a != b)
}

/// A line with every word for `platform` replaced by one and the same mark.
pub(crate) fn mark_words(text: &str, platform: &Platform) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for word in find_words(text) {
        if word.range.start < at || !word.means(platform) {
            continue;
        }
        out.push_str(&text[at..word.range.start]);
        // `linux-arm64` is one word and `linux-x86_64` two; the system is no part of the name.
        let written = &text[word.range.clone()];
        let is_system = |head: &str| head.eq_ignore_ascii_case("linux");
        if let Some(cut) = written.find(['-', '_', '/']).filter(|&cut| is_system(&written[..cut])) {
            out.push_str(&written[..=cut]);
        }
        out.push_str("<arch>");
        at = word.range.end;
    }
    out.push_str(&text[at..]);
    out
}

fn effect_line(effect: &Effect) -> Option<String> {
    let mut line = match &effect.kind {
        EffectKind::Command(command) => command_line(command),
        EffectKind::Download(d) => {
            let output = d.output.as_ref().map_or("-".to_owned(), Value::to_string);
            format!("download {:?} {} to {output}", d.tool, d.url)
        }
        EffectKind::Install(i) => {
            let names: Vec<String> = i.packages.iter().map(|p| p.value.to_string()).collect();
            format!("install {:?} {}", i.manager, names.join(" "))
        }
        EffectKind::Compile(c) => {
            let cgo = c.cgo.as_ref().map_or(String::new(), |cgo| format!(" cgo {:?}", cgo.enabled));
            format!(
                "compile {:?} for {} linked {}{cgo} to {}",
                c.tool,
                c.machine,
                c.linkage,
                c.outputs.join(" ")
            )
        }
        EffectKind::Execute { path, machine } => format!("execute {path} for {machine}"),
        EffectKind::Checksum { sums } => format!("compare with {sums}"),
        EffectKind::Copy(c) => {
            let sources: Vec<String> = c.sources.iter().map(|s| s.value.to_string()).collect();
            format!("copy {:?} {} to {}", c.from, sources.join(" "), c.dest.value)
        }
        // What a cache is called decides what a build may find in it, and not what it makes.
        EffectKind::CacheMount { target, .. } => format!("cache at {target}"),
        EffectKind::SetEnv { name, value, kept } => {
            if !kept && AUTOMATIC.contains(&name.as_str()) {
                return None;
            }
            format!("set {name}={value}{}", if *kept { " in the image" } else { "" })
        }
        EffectKind::Foreign(f) => {
            let words: Vec<String> = f.literals.iter().map(|l| l.value.to_string()).collect();
            format!("foreign {:?} {}", f.language, words.join(" "))
        }
        EffectKind::Label { key, value } => format!("label {key}={}", value.value),
        // A question changes nothing; what is done with the answer shows elsewhere.
        EffectKind::Ask { .. } => return None,
        // A kind of effect that is not known here can't be compared: any change of it counts.
        other => format!("{other:?}"),
    };
    if !effect.certain {
        line.push_str(" (perhaps)");
    }
    Some(line)
}

fn command_line(command: &Command) -> String {
    let mut line = String::from("run");
    for (name, argument) in &command.prefix {
        if !TOLD_BY_COMPILE.contains(&name.as_str()) {
            let _ = write!(line, " {name}={}", argument.value);
        }
    }
    for argument in &command.argv {
        let _ = write!(line, " {}", argument.value);
    }
    if let Some(directory) = &command.directory {
        let _ = write!(line, " in {directory}");
    }
    line
}

/// Instructions that no effect tells about: no fix may touch them unseen.
fn fixed_text(file: &Dockerfile, instruction: usize) -> Option<String> {
    let instruction = file.instructions.get(instruction)?;
    match instruction.kind {
        InstructionKind::Cmd(_)
        | InstructionKind::Entrypoint(_)
        | InstructionKind::Expose(_)
        | InstructionKind::User(_)
        | InstructionKind::Workdir(_)
        | InstructionKind::Volume(_)
        | InstructionKind::StopSignal(_)
        | InstructionKind::Shell(_)
        | InstructionKind::Healthcheck(_)
        | InstructionKind::Onbuild(_)
        | InstructionKind::Maintainer(_) => {
            let keyword = instruction.keyword.as_str().to_ascii_uppercase();
            Some(format!("{keyword} {}", instruction.rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_without_an_equal() {
        let lines = |s: &str| s.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(unmatched(&lines("a b c"), &lines("c b a")), 0);
        assert_eq!(unmatched(&lines("a a"), &lines("a")), 1);
        assert_eq!(unmatched(&lines("a"), &lines("a a")), 0);
        let (a, b) = (lines("a b"), lines("a c d"));
        assert_eq!(first_difference(&a, &b), Some(("b", "c")));
        assert_eq!(first_difference(&a, &a), None);
    }

    #[test]
    fn marks_the_platform_s_words_only() {
        let arm64 = Platform::linux("arm64");
        assert_eq!(
            mark_words("curl https://a/x-linux-aarch64-amd64.tgz", &arm64),
            "curl https://a/x-linux-<arch>-amd64.tgz"
        );
        assert_eq!(mark_words("a-Linux_arm64", &arm64), "a-Linux_<arch>");
    }
}
