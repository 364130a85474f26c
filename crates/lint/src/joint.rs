//! Fixes that are proved together.
//!
//! One defect can hide what the repair of another does: a default that nothing can see as long as
//! the argument is not declared where it is used. Alone, neither repair can be shown to help; the
//! file with both can be compared with the file as it was. The proof asks what the proof of one
//! fix asks (`proof.rs`), of the whole:
//!
//! 1. no new syntax error, no lost comment,
//! 2. each finding that was repaired is gone, and nothing new is found,
//! 3. on each platform that a fix has to leave alone, the file does what it does after only those
//!    fixes that are about this very platform,
//! 4. no program is executed on a machine that it was not made for,
//! 5. what the file does on a broken platform is nearer than before to what it does on a right one.

use mlint_model::ImageFacts;
use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, EditSet, Span, parse};

use crate::{
    builtin::UnusedSuppression,
    context::CheckOptions,
    diagnostic::{Applicability, Severity},
    finding::{Draft, ProposedFix},
    fix::MAX_ROUNDS,
    proof::{Counts, Prover, counts, no_foreign_run, no_new_finding},
    rule::Rule,
    runner::Analysis,
    signature::{analogy, first_difference, signature, unmatched},
    suppress::Suppressions,
};

/// Fixes that are applied at once; the places are those of the text before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) edits: EditSet,
    pub(crate) taken: Vec<Taken>,
}

/// A fix that was taken, and what the proof needs to know of its finding.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) rule: &'static str,
    pub(crate) title: String,
    pub(crate) span: Span,
    severity: Severity,
    platforms: Vec<Platform>,
    keeps: Vec<Platform>,
}

/// A text and how it is looked at.
pub(crate) struct Joint<'a> {
    pub(crate) text: &'a str,
    pub(crate) options: &'a CheckOptions,
    pub(crate) facts: &'a ImageFacts,
    pub(crate) rules: &'a [&'a dyn Rule],
}

impl Joint<'_> {
    /// The largest set of fixes, wanted by rule, that is proved as a whole: all of them, or all but
    /// those of one rule. `None` if there is no such set of two or more.
    pub(crate) fn repair(&self, wanted: &dyn Fn(&str) -> bool) -> Option<Vec<Round>> {
        let all = self.apply(&|draft| wanted(draft.diagnostic.rule));
        if self.holds(&all, wanted) {
            return Some(all);
        }
        // What matters least is left out first.
        let mut rules: Vec<(Severity, &'static str)> =
            all.iter().flat_map(|r| &r.taken).map(|t| (t.severity, t.rule)).collect();
        rules.sort_unstable();
        rules.dedup_by_key(|(_, rule)| *rule);
        rules.into_iter().find_map(|(_, without)| {
            let fewer = |rule: &str| rule != without && wanted(rule);
            let rounds = self.apply(&|draft| fewer(draft.diagnostic.rule));
            self.holds(&rounds, &fewer).then_some(rounds)
        })
    }

    /// Takes, round by round, what rules propose as safe for the findings that are wanted.
    fn apply(&self, wanted: &dyn Fn(&Draft) -> bool) -> Vec<Round> {
        let mut rounds: Vec<Round> = Vec::new();
        let mut text = self.text.to_owned();
        while rounds.len() < MAX_ROUNDS {
            let file = parse(text.as_str());
            let round = self.round(&file, wanted);
            if round.edits.is_empty() {
                break;
            }
            text = round.edits.apply(&text);
            rounds.push(round);
        }
        rounds
    }

    fn round(&self, file: &Dockerfile, wanted: &dyn Fn(&Draft) -> bool) -> Round {
        let analysis = self.analyse(file);
        let mut suppressions = Suppressions::of(file);
        let mut round = Round::default();
        for draft in &analysis.drafts {
            if suppressions.covers(draft) || !wanted(draft) {
                continue;
            }
            let ambition = |p: &&ProposedFix| p.fix.applicability == Applicability::Safe;
            let Some(proposal) = draft.proposals.iter().find(ambition) else { continue };
            let mut together = round.edits.clone();
            let in_text = |e: &mlint_syntax::Edit| file.text.get(e.span.range()).is_some();
            let fits = |e: &mlint_syntax::Edit| in_text(e) && together.insert(e.clone()).is_ok();
            if proposal.fix.edits.as_slice().iter().all(fits) {
                round.edits = together;
                round.taken.push(self.taken(draft, proposal));
            }
        }
        round
    }

    fn taken(&self, draft: &Draft, proposal: &ProposedFix) -> Taken {
        let diagnostic = &draft.diagnostic;
        let unnamed = self.options.platforms.iter().filter(|p| !diagnostic.platforms.contains(p));
        let mut keeps = proposal.keeps.clone();
        keeps.extend(unnamed.cloned());
        Taken {
            rule: diagnostic.rule,
            title: proposal.fix.title.clone(),
            span: diagnostic.span,
            severity: diagnostic.severity,
            platforms: diagnostic.platforms.clone(),
            keeps,
        }
    }

    fn holds(&self, rounds: &[Round], wanted: &dyn Fn(&str) -> bool) -> bool {
        let taken: Vec<&Taken> = rounds.iter().flat_map(|r| &r.taken).collect();
        if taken.len() < 2 {
            return false;
        }
        let file = parse(self.text);
        let analysis = self.analyse(&file);
        let prover = Prover::new(&file, self.options, self.facts, self.rules, &analysis);
        let Ok(fixed) = prover.readable(parse(result(self.text, rounds)), &UnusedSuppression::META)
        else {
            return false;
        };
        let after = self.analyse(&fixed);
        findings_go(&taken, &counts(&analysis.drafts), &counts(&after.drafts))
            && no_foreign_run(&analysis, &after).is_ok()
            && self.unchanged(&taken, &fixed, wanted)
            && self.nearer(&taken, &file, &fixed)
    }

    /// On each platform that a fix keeps, nothing changes but by the fixes about this platform.
    fn unchanged(
        &self,
        taken: &[&Taken],
        fixed: &Dockerfile,
        wanted: &dyn Fn(&str) -> bool,
    ) -> bool {
        kept(taken).into_iter().all(|platform| {
            let about = |draft: &Draft| {
                wanted(draft.diagnostic.rule) && draft.diagnostic.platforms.contains(platform)
            };
            let baseline = parse(result(self.text, &self.apply(&about)));
            let model = self.options.model_on(platform);
            let run = |f: &Dockerfile| {
                signature(&mlint_model::evaluate(f, platform, &model, self.facts), f)
            };
            first_difference(&run(&baseline), &run(fixed)).is_none()
        })
    }

    /// Each broken platform comes nearer to what a right one does.
    fn nearer(&self, taken: &[&Taken], file: &Dockerfile, fixed: &Dockerfile) -> bool {
        let Some(like) = kept(taken).first().copied() else { return true };
        let model = self.options.model();
        let run = |f: &Dockerfile, p: &Platform| {
            analogy(&mlint_model::evaluate(f, p, &model, self.facts), f)
        };
        let (right_before, right_after) = (run(file, like), run(fixed, like));
        let broken = self
            .options
            .platforms
            .iter()
            .filter(|p| *p != like && taken.iter().any(|t| t.platforms.contains(p)));
        broken.into_iter().all(|platform| {
            let before = unmatched(&run(file, platform), &right_before);
            let after = unmatched(&run(fixed, platform), &right_after);
            after == 0 || after < before
        })
    }

    fn analyse(&self, file: &Dockerfile) -> Analysis {
        Analysis::of(file, self.options, self.facts, self.rules)
    }
}

/// The text after all rounds.
fn result(text: &str, rounds: &[Round]) -> String {
    rounds.iter().fold(text.to_owned(), |text, round| round.edits.apply(&text))
}

/// The platforms that some fix has to leave alone, each once.
fn kept<'t>(taken: &[&'t Taken]) -> Vec<&'t Platform> {
    let mut kept: Vec<&Platform> = Vec::new();
    for platform in taken.iter().flat_map(|t| &t.keeps) {
        if !kept.contains(&platform) {
            kept.push(platform);
        }
    }
    kept
}

/// What was repaired is found less often, or, where only an earlier repair brought it to light,
/// not at all; and nothing is found that was not there.
fn findings_go(taken: &[&Taken], before: &Counts, after: &Counts) -> bool {
    let gone = taken.iter().all(|t| {
        t.platforms.iter().all(|platform| {
            let count = |c: &Counts| c.get(&(t.rule, platform.clone())).map_or(0, |(n, _)| *n);
            count(after) < count(before).max(1)
        })
    });
    gone && no_new_finding(before, after, Severity::Warning).is_ok()
}
