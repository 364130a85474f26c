//! Applies fixes until nothing is left to apply.

use std::{borrow::Cow, rc::Rc};

use mlint_model::ImageFacts;
use mlint_syntax::{EditSet, Span, parse};

use crate::{
    analysis::Lab,
    context::CheckOptions,
    diagnostic::{Applicability, Diagnostic, Fix},
    joint::{Joint, Round},
    proof::Prover,
    rule::Rule,
    runner::check_all,
};

/// A file is changed at most this many times over.
pub const MAX_ROUNDS: usize = 10;

/// Which fixes to apply.
#[derive(Clone, Debug, Default)]
pub struct FixOptions {
    /// Also those that need a look.
    pub unsafe_too: bool,
    /// Only those of these rules; of all rules if `None`.
    pub only: Option<Vec<String>>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixOutcome {
    /// The file afterwards.
    pub text: String,
    /// What was applied, in order.
    pub applied: Vec<AppliedFix>,
    /// What was not, and why.
    pub unapplied: Vec<UnappliedFix>,
    /// How many rounds it took.
    pub rounds: usize,
}

/// A fix that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFix {
    /// The rule.
    pub rule: &'static str,
    /// The fix's title.
    pub title: String,
    /// How far it may be trusted.
    pub applicability: Applicability,
    /// The finding's place in the file as it was given.
    pub span: Span,
}

/// A fix that was not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnappliedFix {
    /// The rule.
    pub rule: &'static str,
    /// The fix's title.
    pub title: String,
    /// The finding's place in the file as it was given.
    pub span: Span,
    /// Whether it would be applied if unsafe fixes were asked for.
    pub needs_unsafe: bool,
    /// Why not: a sentence without a final stop.
    pub reason: String,
}

/// Applies all fixes that may be applied, in rounds, since one fix may make room for another.
/// Fixing the result again changes nothing.
pub fn fix(
    text: &str,
    options: &CheckOptions,
    fix_options: &FixOptions,
    facts: &ImageFacts,
    rules: &[&dyn Rule],
) -> FixOutcome {
    let mut outcome = FixOutcome { text: text.to_owned(), ..FixOutcome::default() };
    let mut history: Vec<EditSet> = Vec::new();
    let wanted = |rule: &str| {
        fix_options.only.as_ref().is_none_or(|only| only.iter().any(|name| name == rule))
    };
    // First what can be proved as a whole: alone, a lesser repair may bar the way of a better.
    let lab = Lab::new(options, facts, rules);
    let first = Rc::new(lab.analyse(Cow::Owned(parse(text))));
    let joint = Joint::new(&lab, first);
    for round in joint.repair(&wanted).unwrap_or_default() {
        take(round, &mut outcome, &mut history);
    }
    loop {
        let checked = check_all(joint.analyse(&outcome.text), &lab);
        let candidates: Vec<(&Diagnostic, &Fix)> = checked
            .report
            .diagnostics
            .iter()
            .filter(|d| wanted(d.rule))
            .filter_map(|d| Some((d, d.fixes.iter().find(|f| may_apply(f, fix_options))?)))
            .collect();
        let chosen = if outcome.rounds < MAX_ROUNDS {
            choose(&candidates, &Prover::new(&lab, &checked.analysis))
        } else {
            Chosen::default()
        };
        if chosen.edits.is_empty() {
            let back = |span: Span| original(span, &history);
            for d in checked.report.diagnostics.iter().filter(|d| wanted(d.rule)) {
                outcome.unapplied.extend(d.fixes.iter().map(|f| unapplied(d, f, back(d.span))));
            }
            for r in checked.refused.into_iter().filter(|r| wanted(r.rule)) {
                outcome.unapplied.push(UnappliedFix {
                    rule: r.rule,
                    title: r.fix.title,
                    span: back(r.span),
                    needs_unsafe: false,
                    reason: r.refusal.to_string(),
                });
            }
            return outcome;
        }
        outcome.applied.extend(chosen.fixes.iter().map(|(d, f)| AppliedFix {
            rule: d.rule,
            title: f.title.clone(),
            applicability: f.applicability,
            span: original(d.span, &history),
        }));
        outcome.text = chosen.edits.apply(&outcome.text);
        outcome.rounds += 1;
        history.push(chosen.edits);
    }
}

/// Applies a round of fixes that are proved together.
fn take(round: Round, outcome: &mut FixOutcome, history: &mut Vec<EditSet>) {
    outcome.applied.extend(round.taken.into_iter().map(|taken| AppliedFix {
        rule: taken.rule,
        title: taken.title,
        applicability: Applicability::Safe,
        span: original(taken.span, history),
    }));
    outcome.text = round.edits.apply(&outcome.text);
    outcome.rounds += 1;
    history.push(round.edits);
}

fn may_apply(fix: &Fix, options: &FixOptions) -> bool {
    match fix.applicability {
        Applicability::Safe => true,
        Applicability::Unsafe => options.unsafe_too,
        Applicability::Display => false,
    }
}

#[derive(Default)]
struct Chosen<'a> {
    edits: EditSet,
    fixes: Vec<(&'a Diagnostic, &'a Fix)>,
}

/// As many as go together in one round; the first alone if those do not bear each other.
fn choose<'a>(candidates: &[(&'a Diagnostic, &'a Fix)], prover: &Prover<'_>) -> Chosen<'a> {
    let mut chosen = Chosen::default();
    for &(diagnostic, fix) in candidates {
        if chosen.edits.insert_all(&fix.edits).is_ok() {
            chosen.fixes.push((diagnostic, fix));
        }
    }
    if chosen.fixes.len() > 1 && prover.prove_together(&chosen.edits).is_err() {
        let first = chosen.fixes[0];
        chosen = Chosen { edits: first.1.edits.clone(), fixes: vec![first] };
    }
    chosen
}

fn unapplied(diagnostic: &Diagnostic, fix: &Fix, span: Span) -> UnappliedFix {
    let reason = match (&fix.caution, fix.applicability) {
        (Some(caution), _) => caution.clone(),
        (None, Applicability::Display) => "it is a suggestion that nothing can apply".to_owned(),
        (None, Applicability::Unsafe) => "it changes what is built; look at it".to_owned(),
        (None, Applicability::Safe) => format!("the file still changed after {MAX_ROUNDS} rounds"),
    };
    UnappliedFix {
        rule: diagnostic.rule,
        title: fix.title.clone(),
        span,
        needs_unsafe: fix.applicability == Applicability::Unsafe,
        reason,
    }
}

/// Where a place of the current text was in the text as it was given.
fn original(span: Span, history: &[EditSet]) -> Span {
    history.iter().rev().fold(span, |span, edits| {
        Span::new(before_edits(span.start, edits), before_edits(span.end, edits))
    })
}

fn before_edits(offset: u32, edits: &EditSet) -> u32 {
    let mut shift: i64 = 0;
    for edit in edits.as_slice() {
        let new_start = i64::from(edit.span.start) + shift;
        let new_end = new_start + edit.text.len() as i64;
        if i64::from(offset) < new_start {
            break;
        }
        if i64::from(offset) < new_end {
            return edit.span.start;
        }
        shift += edit.text.len() as i64 - i64::from(edit.span.len());
    }
    (i64::from(offset) - shift).max(0) as u32
}

#[cfg(test)]
mod tests {
    use mlint_syntax::Edit;

    use super::*;

    #[test]
    fn places_map_back() {
        let edits = EditSet::from_edits([
            Edit { span: Span::new(2, 4), text: "xyz".into() },
            Edit { span: Span::empty(6), text: "--".into() },
        ])
        .unwrap();
        let text = "abcdefgh";
        assert_eq!(edits.apply(text), "abxyzef--gh");
        let back: Vec<u32> = (0..12).map(|i| before_edits(i, &edits)).collect();
        assert_eq!(back, [0, 1, 2, 2, 2, 4, 5, 6, 6, 6, 7, 8]);
    }
}
