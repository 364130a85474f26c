//! Runs rules over a file and puts the report together.

use std::{borrow::Cow, rc::Rc};

use mlint_model::{Evaluation, Fact, ImageFacts, SumQuery};
use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, Span};

use crate::{
    analysis::{Analysis, Lab},
    builtin::{BUILTIN, BuildStops, SyntaxErrorRule},
    context::{CheckOptions, Context, Level},
    diagnostic::{
        Applicability, Diagnostic, Effect, Fix, PlatformVerdict, Report, Severity, Verdict,
    },
    finding::{Draft, Finding, Sink},
    joint::{Joint, Taken},
    proof::{Proof, Prover, Refusal},
    rule::{Meta, Rule},
    suppress::Suppressions,
    template::NoDockerfile,
};

/// Checks a file: every rule on every platform, suppressions and levels applied, fixes proved,
/// findings sorted by place.
pub fn check(
    file: &Dockerfile,
    options: &CheckOptions,
    facts: &ImageFacts,
    rules: &[&dyn Rule],
) -> Report {
    let lab = Lab::new(options, facts, rules);
    let Checked { mut report, refused, analysis } =
        check_all(Rc::new(lab.analyse(Cow::Borrowed(file))), &lab);
    if refused.iter().any(|r| r.fix.applicability == Applicability::Safe)
        || report.diagnostics.iter().flat_map(|d| &d.fixes).any(|f| f.caution.is_some())
    {
        let joint = Joint::new(&lab, analysis);
        let rounds = joint.repair(&|_| true).unwrap_or_default();
        // What later rounds repair has no place in this text.
        for taken in rounds.first().into_iter().flat_map(|round| &round.taken) {
            mark_together(taken, &mut report, &refused);
        }
    }
    report
}

/// The sums of downloads that the rules' findings on a file ask for and that are not in `options`.
pub fn sums_asked(
    file: &Dockerfile,
    options: &CheckOptions,
    facts: &ImageFacts,
    rules: &[&dyn Rule],
) -> Vec<SumQuery> {
    let analysis = Lab::new(options, facts, rules).analyse(Cow::Borrowed(file));
    let mut suppressions = Suppressions::of(file);
    let mut asked: Vec<SumQuery> = Vec::new();
    for draft in analysis.drafts.iter().filter(|d| !d.asks.is_empty()) {
        if !suppressions.covers(draft) {
            let open = |q: &&SumQuery| matches!(options.sums.sum(q), Fact::NotAsked);
            asked.extend(draft.asks.iter().filter(open).cloned());
        }
    }
    asked.sort();
    asked.dedup();
    asked
}

/// Says of a fix that could not be proved alone that it is safe together with the others.
fn mark_together(taken: &Taken, report: &mut Report, refused: &[RefusedFix]) {
    let same = |d: &&mut Diagnostic| d.rule == taken.rule && d.span == taken.span;
    let Some(diagnostic) = report.diagnostics.iter_mut().find(same) else { return };
    if let Some(fix) = diagnostic.fixes.iter_mut().find(|f| f.title == taken.title) {
        fix.together = fix.applicability < Applicability::Safe;
    } else if let Some(refused) = refused
        .iter()
        .find(|r| r.rule == taken.rule && r.span == taken.span && r.fix.title == taken.title)
    {
        diagnostic.fixes.insert(
            0,
            Fix {
                applicability: Applicability::Unsafe,
                caution: Some(format!("alone, {}", refused.refusal)),
                together: true,
                ..refused.fix.clone()
            },
        );
    }
}

/// A report, the fixes that were refused on the way, and what it was made from.
pub(crate) struct Checked<'f> {
    pub(crate) report: Report,
    pub(crate) refused: Vec<RefusedFix>,
    pub(crate) analysis: Rc<Analysis<'f>>,
}

/// A fix that a rule proposed and that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedFix {
    pub(crate) rule: &'static str,
    pub(crate) fix: Fix,
    pub(crate) span: Span,
    pub(crate) refusal: Refusal,
}

pub(crate) fn check_all<'f>(analysis: Rc<Analysis<'f>>, lab: &Lab<'_>) -> Checked<'f> {
    let Lab { options, facts, rules, .. } = *lab;
    let file = analysis.file();
    let mut suppressions = Suppressions::of(file);
    let (suppressed, mut open): (Vec<Draft>, Vec<Draft>) =
        analysis.drafts.iter().cloned().partition(|d| suppressions.covers(d));
    drop(suppressed);
    drop_repeated_failures(&mut open);
    let known: Vec<&'static Meta> =
        rules.iter().map(|r| r.meta()).chain(BUILTIN.iter().copied()).collect();
    let undecided = |name: &str| {
        options.is_off(name)
            || known.iter().any(|m| m.name == name && m.needs_image_facts)
                && !all_images_known(&analysis.evaluations, facts)
    };
    let of_suppressions = analysis.is_dockerfile.then(|| {
        suppressions
            .findings(file, &known, &undecided, options)
            .into_iter()
            .filter(|d| !options.is_off(d.meta.name))
    });
    open.extend(of_suppressions.into_iter().flatten());
    open.sort_by(|a, b| {
        let key = |d: &Draft| (d.diagnostic.span, d.meta.name);
        key(a).cmp(&key(b))
    });
    let verdicts = verdicts(&analysis.evaluations, options, &open);
    let prover = Prover::new(lab, &analysis);
    let mut refused = Vec::new();
    let diagnostics = open
        .into_iter()
        .map(|draft| {
            let mut diagnostic = prove_fixes(draft, &prover, &mut refused);
            if let Some(Level::At(severity)) = options.levels.get(diagnostic.rule) {
                diagnostic.severity = *severity;
            }
            diagnostic
        })
        .collect();
    drop(prover);
    Checked { report: Report { diagnostics, verdicts }, refused, analysis }
}

/// Where a rule says why the build stops, that it stops need not be said as well.
fn drop_repeated_failures(drafts: &mut Vec<Draft>) {
    let explained: Vec<(Span, Vec<Platform>)> = drafts
        .iter()
        .filter(|d| d.meta.name != BuildStops::META.name)
        .filter(|d| d.diagnostic.effect == Effect::BuildFails)
        .map(|d| (d.diagnostic.span, d.diagnostic.platforms.clone()))
        .collect();
    drafts.retain(|d| {
        let same = |(span, platforms): &(Span, Vec<Platform>)| {
            *span == d.diagnostic.span
                && d.diagnostic.platforms.iter().all(|p| platforms.contains(p))
        };
        d.meta.name != BuildStops::META.name || !explained.iter().any(same)
    });
}

pub(crate) fn syntax_errors(cx: &Context<'_>) -> Vec<Draft> {
    let mut sink = Sink::new(&SyntaxErrorRule::META, &cx.options.platforms);
    for error in &cx.file.errors {
        for platform in &cx.options.platforms {
            let message = error.message();
            let mut finding = Finding::new(error.span, platform, move |_| message.clone());
            if error.in_trigger {
                finding = finding.severity(Severity::Warning).effect(Effect::Latent);
            }
            sink.report(finding);
        }
    }
    sink.into_drafts()
}

/// The one error of a file that is no Dockerfile.
pub(crate) fn no_dockerfile_error(cx: &Context<'_>, why: &NoDockerfile) -> Vec<Draft> {
    let mut sink = Sink::new(&SyntaxErrorRule::META, &cx.options.platforms);
    for platform in &cx.options.platforms {
        let word = cx.text(why.span).to_owned();
        let is_template = why.mark.is_some();
        let finding = Finding::new(why.span, platform, move |_| match is_template {
            true => format!(
                "this file is a template and no Dockerfile yet: '{word}' has to be filled in"
            ),
            false => format!(
                "this file is no Dockerfile: it begins with '{word}', which is no instruction"
            ),
        });
        sink.report(finding.help(match is_template {
            true => "check the files that are made from it; nothing else in this one is looked at",
            false => "nothing else in it is looked at; check the path",
        }));
    }
    sink.into_drafts()
}

pub(crate) fn certain_failures(cx: &Context<'_>) -> Vec<Draft> {
    if cx.options.is_off(BuildStops::META.name) {
        return Vec::new();
    }
    let mut sink = Sink::new(&BuildStops::META, &cx.options.platforms);
    for evaluation in cx.evaluations {
        let steps =
            evaluation.reachable().flat_map(|s| &s.steps).filter_map(|s| s.failure.as_ref());
        let failures = evaluation.failures.iter().chain(steps);
        for failure in failures.filter(|f| !f.lacks_argument) {
            // A syntax error at the place says it already.
            if cx.file.errors.iter().any(|e| e.span.overlaps(failure.span)) {
                continue;
            }
            let message = failure.message.clone();
            sink.report(Finding::new(failure.span, &evaluation.platform, move |on| {
                format!("the build for {on} stops here: {message}")
            }));
        }
    }
    sink.into_drafts()
}

fn all_images_known(evaluations: &[Evaluation], facts: &ImageFacts) -> bool {
    evaluations.iter().flat_map(|e| &e.images).all(|image| {
        image
            .reference
            .as_known()
            .is_some_and(|reference| matches!(facts.image(&reference), Fact::Known(_)))
    })
}

fn verdicts(
    evaluations: &[Evaluation],
    options: &CheckOptions,
    drafts: &[Draft],
) -> Vec<PlatformVerdict> {
    options
        .platforms
        .iter()
        .map(|platform| {
            let emulated_steps = evaluations
                .iter()
                .find(|e| e.platform == *platform)
                .map_or(0, |e| e.emulated_steps().count());
            let steps = if emulated_steps > 0 { Verdict::Emulated } else { Verdict::Ok };
            let verdict = drafts
                .iter()
                .filter_map(|d| outlook(&d.diagnostic, platform))
                .fold(steps, Verdict::max);
            PlatformVerdict { platform: platform.clone(), verdict, emulated_steps }
        })
        .collect()
}

/// What a diagnostic means for a platform. Latent findings and notes change no verdict.
fn outlook(diagnostic: &Diagnostic, platform: &Platform) -> Option<Verdict> {
    if !diagnostic.platforms.contains(platform) || diagnostic.severity == Severity::Note {
        return None;
    }
    match (diagnostic.effect, diagnostic.severity) {
        (Effect::BuildFails, Severity::Error) => Some(Verdict::BuildFails),
        (Effect::WrongBinary, Severity::Error) => Some(Verdict::WrongBinary),
        (Effect::BuildFails | Effect::WrongBinary, _) => Some(Verdict::AtRisk),
        (Effect::Emulated, _) => Some(Verdict::Emulated),
        (Effect::Latent, _) => None,
    }
}

fn prove_fixes(draft: Draft, prover: &Prover<'_>, refused: &mut Vec<RefusedFix>) -> Diagnostic {
    let Draft { mut diagnostic, proposals, meta, .. } = draft;
    for proposal in proposals {
        match prover.prove(&diagnostic, meta, &proposal) {
            Proof::Holds => diagnostic.fixes.push(proposal.fix),
            Proof::Demoted(why) => diagnostic.fixes.push(Fix {
                applicability: proposal.fix.applicability.min(Applicability::Unsafe),
                caution: Some(why.to_string()),
                ..proposal.fix
            }),
            Proof::Refused(refusal) => refused.push(RefusedFix {
                rule: meta.name,
                fix: proposal.fix,
                span: diagnostic.span,
                refusal,
            }),
        }
    }
    diagnostic
}
