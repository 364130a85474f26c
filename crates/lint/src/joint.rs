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

use std::{borrow::Cow, cell::RefCell, collections::HashMap, rc::Rc};

use mlint_oci::Platform;
use mlint_syntax::{EditSet, Span, parse};

use crate::{
    analysis::{Analysis, Lab},
    builtin::UnusedSuppression,
    diagnostic::{Applicability, Severity},
    finding::{Draft, ProposedFix},
    fix::MAX_ROUNDS,
    proof::{Counts, counts, no_foreign_run, no_new_finding, readable},
    signature::{first_difference, unmatched},
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

/// A fix that a rule proposes as safe, for a finding that nothing suppresses.
#[derive(Debug)]
struct Candidate {
    edits: EditSet,
    taken: Taken,
}

/// A text and how it is looked at.
pub(crate) struct Joint<'a> {
    lab: &'a Lab<'a>,
    /// Of the text as it was given.
    first: Rc<Analysis<'a>>,
    /// Of the text that was looked at last.
    latest: RefCell<Rc<Analysis<'a>>>,
    /// By text: several sets of fixes begin alike.
    candidates: RefCell<HashMap<String, Rc<Vec<Candidate>>>>,
}

impl<'a> Joint<'a> {
    pub(crate) fn new(lab: &'a Lab<'a>, first: Rc<Analysis<'a>>) -> Self {
        let latest = RefCell::new(Rc::clone(&first));
        Self { lab, first, latest, candidates: RefCell::default() }
    }

    /// The largest set of fixes, wanted by rule, that is proved as a whole: all of them, or all but
    /// those of one rule. `None` if there is no such set of two or more.
    pub(crate) fn repair(&self, wanted: &dyn Fn(&str) -> bool) -> Option<Vec<Round>> {
        let all = self.apply(&|taken| wanted(taken.rule));
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
            let rounds = self.apply(&|taken| fewer(taken.rule));
            self.holds(&rounds, &fewer).then_some(rounds)
        })
    }

    /// What is found out about a text of this file's history.
    pub(crate) fn analyse(&self, text: &str) -> Rc<Analysis<'a>> {
        if *self.first.file().text == *text {
            return Rc::clone(&self.first);
        }
        if *self.latest.borrow().file().text != *text {
            let analysis = self.lab.analyse(Cow::Owned(parse(text)));
            *self.latest.borrow_mut() = Rc::new(analysis);
        }
        Rc::clone(&self.latest.borrow())
    }

    /// Takes, round by round, what rules propose as safe for the findings that are wanted.
    fn apply(&self, wanted: &dyn Fn(&Taken) -> bool) -> Vec<Round> {
        let mut rounds: Vec<Round> = Vec::new();
        let mut text = self.first.file().text.to_string();
        while rounds.len() < MAX_ROUNDS {
            let round = self.round(&text, wanted);
            if round.edits.is_empty() {
                break;
            }
            text = round.edits.apply(&text);
            rounds.push(round);
        }
        rounds
    }

    fn round(&self, text: &str, wanted: &dyn Fn(&Taken) -> bool) -> Round {
        let mut round = Round::default();
        for candidate in self.candidates(text).iter().filter(|c| wanted(&c.taken)) {
            if round.edits.insert_all(&candidate.edits).is_ok() {
                round.taken.push(candidate.taken.clone());
            }
        }
        round
    }

    fn candidates(&self, text: &str) -> Rc<Vec<Candidate>> {
        if let Some(known) = self.candidates.borrow().get(text) {
            return Rc::clone(known);
        }
        let analysis = self.analyse(text);
        let mut suppressions = Suppressions::of(analysis.file());
        let mut candidates = Vec::new();
        for draft in analysis.drafts.iter().filter(|d| !suppressions.covers(d)) {
            let ambition = |p: &&ProposedFix| p.fix.applicability == Applicability::Safe;
            let Some(proposal) = draft.proposals.iter().find(ambition) else { continue };
            let in_text = |e: &mlint_syntax::Edit| text.get(e.span.range()).is_some();
            let edits = &proposal.fix.edits;
            if edits.as_slice().iter().all(in_text) {
                let taken = self.taken(draft, proposal);
                candidates.push(Candidate { edits: edits.clone(), taken });
            }
        }
        let candidates = Rc::new(candidates);
        self.candidates.borrow_mut().insert(text.to_owned(), Rc::clone(&candidates));
        candidates
    }

    fn taken(&self, draft: &Draft, proposal: &ProposedFix) -> Taken {
        let diagnostic = &draft.diagnostic;
        let platforms = &self.lab.options.platforms;
        let unnamed = platforms.iter().filter(|p| !diagnostic.platforms.contains(p));
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
        let before = &self.first;
        let after = self.analyse(&result(&before.file().text, rounds));
        readable(before.file(), after.file(), &UnusedSuppression::META).is_ok()
            && findings_go(&taken, &counts(&before.drafts), &counts(&after.drafts))
            && no_foreign_run(before, &after).is_ok()
            && self.unchanged(&taken, &after, wanted)
            && self.nearer(&taken, &after)
    }

    /// On each platform that a fix keeps, nothing changes but by the fixes about this platform.
    fn unchanged(
        &self,
        taken: &[&Taken],
        after: &Analysis<'_>,
        wanted: &dyn Fn(&str) -> bool,
    ) -> bool {
        kept(taken).into_iter().all(|platform| {
            let about = |t: &Taken| wanted(t.rule) && t.platforms.contains(platform);
            let baseline = result(&self.first.file().text, &self.apply(&about));
            if *baseline == *after.file().text {
                return true;
            }
            let baseline = self.lab.signature(&self.analyse(&baseline), platform);
            first_difference(&baseline, &self.lab.signature(after, platform)).is_none()
        })
    }

    /// Each broken platform comes nearer to what a right one does.
    fn nearer(&self, taken: &[&Taken], after: &Analysis<'_>) -> bool {
        let Some(like) = kept(taken).first().copied() else { return true };
        let distance = |of: &Analysis<'_>, platform: &Platform| {
            unmatched(&self.lab.analogy(of, platform), &self.lab.analogy(of, like))
        };
        let platforms = &self.lab.options.platforms;
        let mut broken = platforms
            .iter()
            .filter(|p| *p != like && taken.iter().any(|t| t.platforms.contains(p)));
        broken.all(|platform| {
            let (before, after) = (distance(&self.first, platform), distance(after, platform));
            after == 0 || after < before
        })
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
