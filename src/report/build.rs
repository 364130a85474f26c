//! What became of a build: for people, and as JSON.

use mlint_builder::request::{BuildOutcome, EmulatedStep, Failure, PlatformOutcome};
use mlint_lint::Applicability;
use serde_json::{Value, json};

use super::{
    counted,
    lines::Lines,
    text::style::{one_line, wrap},
};

/// Emulated steps that are named per platform.
const SHOWN: usize = 3;

/// A stage that was emulated and need not be.
#[derive(Clone, Debug, PartialEq)]
pub struct Saving {
    /// The rule that says so.
    pub rule: String,
    /// The stage, from its FROM to the next.
    pub place: (u32, u32),
    /// Seconds that its steps took under emulation.
    pub seconds: f64,
    /// How far its repair goes, if there is one.
    pub repair: Option<Applicability>,
}

impl Saving {
    fn holds(&self, step: &EmulatedStep) -> bool {
        self.place.0 <= step.place.0 && step.place.0 < self.place.1
    }

    fn command(&self) -> String {
        match self.repair {
            Some(Applicability::Safe) => "mlint fix repairs it".to_owned(),
            Some(Applicability::Unsafe) => "mlint fix --unsafe repairs it".to_owned(),
            Some(Applicability::Display) | None => format!("mlint explain {}", self.rule),
        }
    }
}

/// A build and what is known of it.
pub struct Summary<'a> {
    /// How it ended.
    pub outcome: &'a BuildOutcome,
    /// The Dockerfile's name.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Whether there was something to hand over, and where to.
    pub outputs: usize,
    /// The stages that need not be emulated.
    pub savings: Vec<Saving>,
}

impl<'a> Summary<'a> {
    /// With the seconds of each stage that need not be emulated; those that took none are left out.
    pub fn new(
        outcome: &'a BuildOutcome,
        (file, text): (&'a str, &'a str),
        outputs: usize,
        savings: impl FnOnce() -> Vec<Saving>,
    ) -> Self {
        let steps: Vec<&EmulatedStep> =
            outcome.platforms.iter().flat_map(|p| &p.emulated).collect();
        let mut savings = if steps.is_empty() { Vec::new() } else { savings() };
        for saving in &mut savings {
            saving.seconds = steps.iter().filter(|s| saving.holds(s)).map(|s| s.seconds).sum();
        }
        savings.retain(|saving| saving.seconds > 0.0);
        savings.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        Self { outcome, file, text, outputs, savings }
    }

    /// For people, in lines of `width` columns where they can be broken.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let places = Lines::new(self.text);
        let outcome = self.outcome;
        let mut out = Vec::new();
        for platform in &outcome.platforms {
            self.platform(platform, &places, width, &mut out);
        }
        for failed in outcome.failed.iter().filter(|f| !f.platforms.is_empty()) {
            let names = failed.platforms.join(", ");
            let why = self.reason(&failed.failure, &places);
            out.extend(broken(&format!("{names}: not built: {why}"), width));
        }
        let mut steps = match (outcome.executed, outcome.cached) {
            (0, 0) => "no steps".to_owned(),
            (0, _) => "all steps from the cache".to_owned(),
            (executed, 0) => counted(executed, "step"),
            (executed, cached) => format!("{}, {cached} from the cache", counted(executed, "step")),
        };
        if outcome.skipped > 0 {
            steps.push_str(&format!(", {} left out", outcome.skipped));
        }
        let ended = if outcome.failed.is_empty() { "done" } else { "ended" };
        out.push(format!("{ended} in {:.1} s: {steps}", outcome.seconds));
        self.emulation(&places, width, &mut out);
        self.handed_over(width, &mut out);
        out
    }

    fn platform(
        &self,
        platform: &PlatformOutcome,
        places: &Lines<'_>,
        width: usize,
        out: &mut Vec<String>,
    ) {
        let emulated = match platform.emulated_seconds {
            0.0 => String::new(),
            seconds => format!(", {seconds:.1} s of them emulated"),
        };
        out.push(format!(
            "{}: {} · {:.1} s{emulated} · {} of the right machine",
            platform.platform,
            platform.digest,
            platform.seconds,
            counted(platform.elf_files, "ELF file")
        ));
        // What took no time is not worth a line.
        let slow: Vec<&EmulatedStep> =
            platform.emulated.iter().filter(|step| step.seconds >= 0.1).collect();
        for step in slow.iter().take(SHOWN) {
            let line = places.position(step.place.0).line;
            let text = format!("{:6.1} s  line {line}: {}", step.seconds, one_line(&step.text));
            out.push(super::progress::clipped(&text, width));
        }
        if slow.len() > SHOWN {
            out.push(format!("          and {} more emulated steps", slow.len() - SHOWN));
        }
    }

    /// Why a platform failed, in one line.
    fn reason(&self, failure: &Failure, places: &Lines<'_>) -> String {
        let said = one_line(failure.message.lines().next().unwrap_or_default());
        match failure.place {
            Some((start, _)) => format!("{}:{}: {said}", self.file, places.position(start).line),
            None => said,
        }
    }

    fn emulation(&self, places: &Lines<'_>, width: usize, out: &mut Vec<String>) {
        let total: f64 = self.outcome.platforms.iter().map(|p| p.emulated_seconds).sum();
        if total < 0.05 {
            return;
        }
        let mut text = format!("emulated steps took {total:.1} s");
        for saving in &self.savings {
            let line = places.position(saving.place.0).line;
            text.push_str(&format!(
                "; {:.1} s of that in the stage at {}:{line}, which need not be emulated \
                 [{}]: {}",
                saving.seconds,
                self.file,
                saving.rule,
                saving.command()
            ));
        }
        out.extend(broken(&text, width));
    }

    fn handed_over(&self, width: usize, out: &mut Vec<String>) {
        let outcome = self.outcome;
        let missing: Vec<&str> =
            outcome.failed.iter().flat_map(|f| &f.platforms).map(String::as_str).collect();
        if !outcome.pushed.is_empty() && !outcome.digest.is_empty() {
            let names: Vec<&str> = outcome.pushed.iter().map(|to| &*to.name).collect();
            let names = names.join(", ");
            out.push(format!("pushed {names} ({} sent)", counted(outcome.uploaded, "blob")));
            if !missing.is_empty() {
                let without = missing.join(", ");
                out.extend(broken(&format!("these names are without {without} now"), width));
            }
        } else if !missing.is_empty() && self.outputs > 0 && outcome.digest.is_empty() {
            let mut text =
                format!("nothing was pushed or written, since {} failed", missing.join(", "));
            if !outcome.platforms.is_empty() {
                text.push_str("; what was built is in the cache, and --push-partial hands it over");
            }
            out.extend(broken(&text, width));
        }
    }

    /// The same as the last event of `--progress json`.
    pub fn json(&self) -> Value {
        let places = Lines::new(self.text);
        let line = |place: (u32, u32)| places.position(place.0).line;
        let outcome = self.outcome;
        let step = |s: &EmulatedStep| json!({ "line": line(s.place), "stage": s.stage, "text": s.text, "seconds": s.seconds });
        let platforms = outcome.platforms.iter().map(|p| {
            json!({
                "platform": p.platform,
                "digest": p.digest,
                "config": p.config,
                "size": p.size,
                "seconds": p.seconds,
                "emulated_seconds": p.emulated_seconds,
                "emulated": p.emulated.iter().map(step).collect::<Vec<_>>(),
                "elf_files": p.elf_files,
            })
        });
        let failed = outcome.failed.iter().map(|f| {
            let mut value = failure(&f.failure, &places);
            value["platforms"] = json!(f.platforms);
            value
        });
        let warnings = outcome
            .warnings
            .iter()
            .map(|w| json!({ "message": w.message, "line": w.place.map(line), "notes": w.notes }));
        let savings = self.savings.iter().map(|s| {
            json!({ "rule": s.rule, "line": line(s.place), "seconds": s.seconds, "repair": s.command() })
        });
        json!({
            "event": "summary",
            "platforms": platforms.collect::<Vec<_>>(),
            "failed": failed.collect::<Vec<_>>(),
            "warnings": warnings.collect::<Vec<_>>(),
            "savings": savings.collect::<Vec<_>>(),
            "executed": outcome.executed,
            "cached": outcome.cached,
            "skipped": outcome.skipped,
            "seconds": outcome.seconds,
            "digest": if outcome.digest.is_empty() { Value::Null } else { json!(outcome.digest) },
            "pushed": outcome.pushed.iter().map(|to| &*to.name).collect::<Vec<_>>(),
        })
    }
}

/// A build that was not begun as the last event of `--progress json`.
pub fn refused(message: &str) -> Value {
    json!({ "event": "error", "message": message, "line": null, "related": [], "notes": [] })
}

/// A failed build as the last event of `--progress json`.
pub fn failed(text: &str, failed: &Failure) -> Value {
    let mut value = json!({ "event": "error" });
    let Value::Object(more) = failure(failed, &Lines::new(text)) else { return value };
    more.into_iter().for_each(|(key, field)| value[key] = field);
    value
}

fn failure(failed: &Failure, places: &Lines<'_>) -> Value {
    let line = |place: &(u32, u32)| places.position(place.0).line;
    let related = failed
        .related
        .iter()
        .map(|(place, message)| json!({ "line": line(place), "message": message }));
    json!({
        "message": failed.message,
        "line": failed.place.as_ref().map(line),
        "related": related.collect::<Vec<_>>(),
        "notes": failed.notes,
    })
}

/// Broken at blanks; what follows the first line is indented.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = wrap(text, width, width.saturating_sub(2));
    for line in lines.iter_mut().skip(1) {
        line.insert_str(0, "  ");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use mlint_builder::request::{PlatformFailure, PushedName};

    const TEXT: &str = "FROM a AS build\nRUN make\nRUN test\nFROM b\nRUN x\n";

    fn outcome() -> BuildOutcome {
        let step = |text: &str, seconds: f64| {
            let start = TEXT.find(text).unwrap() as u32;
            let place = (start, start + text.len() as u32);
            EmulatedStep { place, stage: "build".into(), text: text.into(), seconds }
        };
        BuildOutcome {
            platforms: vec![
                PlatformOutcome {
                    platform: "linux/amd64".into(),
                    digest: "sha256:11".into(),
                    seconds: 2.5,
                    elf_files: 3,
                    ..PlatformOutcome::default()
                },
                PlatformOutcome {
                    platform: "linux/arm64".into(),
                    digest: "sha256:22".into(),
                    seconds: 50.0,
                    emulated_seconds: 42.01,
                    emulated: vec![
                        step("RUN make", 40.0),
                        step("RUN x", 2.0),
                        step("RUN test", 0.01),
                    ],
                    elf_files: 3,
                    ..PlatformOutcome::default()
                },
            ],
            executed: 5,
            cached: 1,
            seconds: 51.0,
            digest: "sha256:33".into(),
            pushed: pushed(),
            uploaded: 4,
            ..BuildOutcome::default()
        }
    }

    fn pushed() -> Vec<PushedName> {
        vec![PushedName { name: "r/a:1".into(), digest: "sha256:33".into() }]
    }

    fn saving() -> Vec<Saving> {
        let end = TEXT.find("FROM b").unwrap() as u32;
        let rule = "missing-build-platform".to_owned();
        vec![Saving { rule, place: (0, end), seconds: 0.0, repair: Some(Applicability::Safe) }]
    }

    #[test]
    fn time_lost_to_emulation_is_named_with_the_way_out() {
        let outcome = outcome();
        let summary = Summary::new(&outcome, ("Dockerfile", TEXT), 1, saving);
        assert_eq!(
            summary.lines(72).join("\n"),
            "linux/amd64: sha256:11 · 2.5 s · 3 ELF files of the right machine\n\
             linux/arm64: sha256:22 · 50.0 s, 42.0 s of them emulated · 3 ELF files of the right machine\n  \
               40.0 s  line 2: RUN make\n   \
                2.0 s  line 5: RUN x\n\
             done in 51.0 s: 5 steps, 1 from the cache\n\
             emulated steps took 42.0 s; 40.0 s of that in the stage at Dockerfile:1,\n  \
               which need not be emulated [missing-build-platform]: mlint fix repairs\n  \
               it\n\
             pushed r/a:1 (4 blobs sent)"
        );
        let json = summary.json();
        assert_eq!(json["savings"][0]["line"], 1);
        assert_eq!(json["savings"][0]["repair"], "mlint fix repairs it");
        assert_eq!(json["platforms"][1]["emulated"][0]["line"], 2);
        assert_eq!(json["platforms"][1]["emulated_seconds"], 42.01);
        let native = BuildOutcome { platforms: outcome.platforms[..1].to_vec(), ..outcome };
        let asked = Summary::new(&native, ("D", TEXT), 0, || panic!("nothing was emulated"));
        assert!(!asked.lines(80).join("\n").contains("emulated"));
    }

    #[test]
    fn what_failed_and_what_that_leaves() {
        let place = TEXT.find("RUN test").map(|at| (at as u32, at as u32 + 8));
        let failure = Failure {
            message: "the command failed with exit status 2 on linux/arm64\nmore".into(),
            place,
            related: Vec::new(),
            notes: Vec::new(),
            interrupted: false,
        };
        let mut outcome = outcome();
        outcome.platforms.truncate(1);
        let platforms = vec!["linux/arm64".to_owned(), "linux/s390x".to_owned()];
        outcome.failed.push(PlatformFailure { platforms, failure });
        (outcome.skipped, outcome.uploaded) = (2, 0);
        outcome.digest.clear();
        outcome.pushed.clear();
        let told = |outcome: &BuildOutcome, outputs| {
            Summary::new(outcome, ("D", TEXT), outputs, Vec::new).lines(100).join("\n")
        };
        assert_eq!(
            told(&outcome, 1),
            "linux/amd64: sha256:11 · 2.5 s · 3 ELF files of the right machine\n\
             linux/arm64, linux/s390x: not built: D:3: the command failed with exit status 2 on linux/arm64\n\
             ended in 51.0 s: 5 steps, 1 from the cache, 2 left out\n\
             nothing was pushed or written, since linux/arm64, linux/s390x failed; what was built is in the\n  \
               cache, and --push-partial hands it over"
        );
        assert!(!told(&outcome, 0).contains("pushed"), "nothing was to be pushed");
        (outcome.digest, outcome.pushed) = ("sha256:9".into(), pushed());
        let partial = told(&outcome, 1);
        assert!(
            partial.ends_with("these names are without linux/arm64, linux/s390x now"),
            "{partial}"
        );
        let json = Summary::new(&outcome, ("D", TEXT), 1, Vec::new).json();
        assert_eq!(json["failed"][0]["line"], 3);
        assert_eq!(json["failed"][0]["platforms"][1], "linux/s390x");
        let alone = failed(TEXT, &outcome.failed[0].failure);
        assert_eq!((&alone["event"], &alone["line"]), (&json!("error"), &json!(3)));
    }
}
