//! The proof of a fix: the file is changed in memory, read and executed abstractly again, and what
//! it does is compared.
//!
//! A fix holds when
//! 1. the changed file has no new syntax error and still has all its comments,
//! 2. on each platform that was right before, what the file does is unchanged,
//! 3. the finding is gone, and no rule finds anything new,
//! 4. no program is executed on a machine that it was not made for,
//! 5. what the file does on the broken platform is nearer than before to what it does on the right
//!    one, apart from the architecture's name.

use std::{
    borrow::Cow,
    cell::Cell,
    collections::{BTreeMap, HashMap},
};

use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, EditSet, ElementKind, parse};
use thiserror::Error;

use crate::{
    analysis::{Analysis, Lab},
    builtin::{BuildStops, UnusedSuppression},
    diagnostic::{Applicability, Diagnostic, Effect, Severity},
    finding::{Draft, ProposedFix},
    rule::Meta,
    signature::{first_difference, foreign_runs, mark_words, unmatched},
};

/// Why a fix may not be applied at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The edits do not fit the file.
    #[error("its edits do not fit the file")]
    Edits,
    /// The file would be broken.
    #[error("the file would no longer be read: {0}")]
    Syntax(String),
    /// A comment would be lost.
    #[error("the comment '{0}' would be lost")]
    CommentLost(String),
    /// The finding would still be there.
    #[error("{rule} would find the same on {platform} afterwards")]
    FindingStays {
        /// The rule.
        rule: &'static str,
        /// Where.
        platform: Platform,
    },
    /// A platform that is right would do something else.
    #[error(transparent)]
    Changed(Doubt),
    /// A program would be executed on a machine that it was not made for.
    #[error(
        "in the build for {platform} a program would run on a machine it is not for: {program}"
    )]
    ForeignRun {
        /// The program, its machine, and the one that it would run on.
        program: String,
        /// Where.
        platform: Platform,
    },
    /// Something else would be found.
    #[error("{rule} would find something new on {platform} afterwards")]
    NewFinding {
        /// The rule that finds it.
        rule: &'static str,
        /// Where.
        platform: Platform,
    },
}

/// Why a fix needs a look.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Doubt {
    /// A platform that worked would do something else.
    #[error("on {platform}, which is right today, `{before}` would become `{after}`")]
    Changed {
        /// The platform.
        platform: Platform,
        /// What happens today.
        before: String,
        /// What would happen.
        after: String,
    },
    /// The broken platform would not do what the others do.
    #[error("it can't be shown that {platform} would then do what {like} does")]
    NotAnalogous {
        /// The broken platform.
        platform: Platform,
        /// The platform that is right.
        like: Platform,
    },
    /// Each proof looks at the whole file again, and there were very many.
    #[error(
        "it was not proved by itself: the file has more than {MAX_PROOFS} fixes; apply those \
         that are proved and check again"
    )]
    NotProved,
    /// The rule itself knows that it needs a look.
    #[error("{0}")]
    Known(String),
}

/// The outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Holds,
    Demoted(Doubt),
    Refused(Refusal),
}

/// How many fixes of one file are proved one by one: a proof costs what a check of the file costs,
/// and the cost of a check is to grow with the file and no faster.
pub const MAX_PROOFS: usize = 100;

/// Proves fixes for one file.
pub(crate) struct Prover<'a> {
    lab: &'a Lab<'a>,
    analysis: &'a Analysis<'a>,
    counts: Counts,
    left: Cell<usize>,
}

/// Findings per rule and platform.
pub(crate) type Counts = BTreeMap<(&'static str, Platform), (usize, Severity)>;

impl<'a> Prover<'a> {
    pub(crate) fn new(lab: &'a Lab<'a>, analysis: &'a Analysis<'a>) -> Self {
        Self { lab, analysis, counts: counts(&analysis.drafts), left: Cell::new(MAX_PROOFS) }
    }

    pub(crate) fn prove(
        &self,
        diagnostic: &Diagnostic,
        meta: &'static Meta,
        proposal: &ProposedFix,
    ) -> Proof {
        let fixed = match self.apply(&proposal.fix.edits, meta) {
            Ok(fixed) => fixed,
            Err(refusal) => return Proof::Refused(refusal),
        };
        // Comments for mlint change nothing but what mlint says.
        if meta.name == UnusedSuppression::META.name
            || proposal.fix.applicability == Applicability::Display
        {
            return Proof::Holds;
        }
        let Some(left) = self.left.get().checked_sub(1) else {
            return Proof::Demoted(Doubt::NotProved);
        };
        self.left.set(left);
        let after = self.lab.analyse(Cow::Owned(fixed));
        if let Err(refusal) = no_foreign_run(self.analysis, &after) {
            return Proof::Refused(refusal);
        }
        if let Err(refusal) = self.findings_shrink(diagnostic, proposal, &after) {
            return Proof::Refused(refusal);
        }
        let keeps = self.kept_platforms(diagnostic, proposal);
        if proposal.or_nothing
            && let Err(doubt) = self.unchanged(&keeps, &after)
        {
            return Proof::Refused(Refusal::Changed(doubt));
        }
        if proposal.fix.applicability < Applicability::Safe {
            let caution = proposal.fix.caution.clone();
            return Proof::Demoted(Doubt::Known(
                caution.unwrap_or_else(|| "it changes what is built; look at it".to_owned()),
            ));
        }
        match self
            .unchanged(&keeps, &after)
            .and_then(|()| self.analogous(diagnostic, proposal, &keeps, &after))
        {
            Ok(()) => Proof::Holds,
            Err(doubt) => Proof::Demoted(doubt),
        }
    }

    /// Proves a set of edits taken from several fixes: that they do not break each other.
    pub(crate) fn prove_together(&self, edits: &EditSet) -> Result<(), Refusal> {
        let fixed = self.apply(edits, &UnusedSuppression::META)?;
        let after = self.lab.analyse(Cow::Owned(fixed));
        no_foreign_run(self.analysis, &after)?;
        no_new_finding(&self.counts, &counts(&after.drafts), Severity::Note)
    }

    fn apply(&self, edits: &EditSet, meta: &Meta) -> Result<Dockerfile, Refusal> {
        let text = &self.analysis.file().text;
        let fits = |e: &mlint_syntax::Edit| text.get(e.span.range()).is_some();
        if edits.is_empty() || !edits.as_slice().iter().all(fits) {
            return Err(Refusal::Edits);
        }
        let fixed = parse(edits.apply(text));
        readable(self.analysis.file(), &fixed, meta)?;
        Ok(fixed)
    }

    fn findings_shrink(
        &self,
        diagnostic: &Diagnostic,
        proposal: &ProposedFix,
        after: &Analysis<'_>,
    ) -> Result<(), Refusal> {
        let before = &self.counts;
        let mut after = counts(&after.drafts);
        for platform in &diagnostic.platforms {
            let key = (diagnostic.rule, platform.clone());
            let count = |c: &Counts| c.get(&key).map_or(0, |(n, _)| *n);
            if count(&after) >= count(before) {
                return Err(Refusal::FindingStays {
                    rule: diagnostic.rule,
                    platform: platform.clone(),
                });
            }
        }
        if proposal.fix.applicability < Applicability::Safe {
            after.retain(|(rule, _), _| !proposal.reveals.contains(rule));
        }
        // What was wrong, or might have been, may turn into what is merely slow.
        let floor = match diagnostic.severity {
            Severity::Error | Severity::Warning => Severity::Warning,
            _ => Severity::Note,
        };
        no_new_finding(before, &after, floor)
    }

    /// The platforms on which nothing may change: those that the fix names, those that were asked
    /// for and are not broken; and if there is none, the build platform.
    fn kept_platforms(&self, diagnostic: &Diagnostic, proposal: &ProposedFix) -> Vec<Platform> {
        let mut kept = proposal.keeps.clone();
        for platform in &self.lab.options.platforms {
            if !diagnostic.platforms.contains(platform) && !kept.contains(platform) {
                kept.push(platform.clone());
            }
        }
        if kept.is_empty() && !diagnostic.platforms.contains(&self.lab.options.build_platform) {
            kept.push(self.lab.options.build_platform.clone());
        }
        kept
    }

    /// On a machine of its own architecture, the build for each of these does what it did.
    fn unchanged(&self, keeps: &[Platform], after: &Analysis<'_>) -> Result<(), Doubt> {
        for platform in keeps {
            let before = self.lab.signature(self.analysis, platform);
            let after = self.lab.signature(after, platform);
            if let Some((before, after)) = first_difference(&before, &after) {
                return Err(Doubt::Changed {
                    platform: platform.clone(),
                    before: before.to_owned(),
                    after: after.to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Each broken platform comes nearer to what the first right one does.
    fn analogous(
        &self,
        diagnostic: &Diagnostic,
        proposal: &ProposedFix,
        keeps: &[Platform],
        after: &Analysis<'_>,
    ) -> Result<(), Doubt> {
        let Some(like) = keeps.first() else { return Ok(()) };
        let name = |platform: &Platform| {
            let (of, name) = proposal.alike.iter().find(|(p, _)| p == platform)?;
            Some(mark_words(name, of))
        };
        let distance = |of: &Analysis<'_>, platform: &Platform| {
            let (ours, theirs) = (self.lab.analogy(of, platform), self.lab.analogy(of, like));
            match (name(platform), name(like)) {
                (Some(our), Some(their)) if our != their => {
                    // A name that says nothing leaves the file's machine unknown.
                    let vague = |line: &str| line.replace(" for linux/<arch>", " for ?");
                    let ours: Vec<String> =
                        ours.iter().map(|line| vague(&line.replace(&our, &their))).collect();
                    let theirs: Vec<String> = theirs.iter().map(|line| vague(line)).collect();
                    unmatched(&ours, &theirs)
                }
                _ => unmatched(&ours, &theirs),
            }
        };
        for platform in &diagnostic.platforms {
            let (before, after) = (distance(self.analysis, platform), distance(after, platform));
            // Where names tell nothing, what was wrong did not show.
            let must_shrink = before > 0
                && !proposal.unseen
                && name(platform) == name(like)
                && matches!(diagnostic.effect, Effect::WrongBinary | Effect::BuildFails);
            if after > before || must_shrink && after == before {
                return Err(Doubt::NotAnalogous { platform: platform.clone(), like: like.clone() });
            }
        }
        Ok(())
    }
}

/// No platform's build executes a program of another machine that it did not execute before: a tool
/// that is fetched for the target must not end up in a stage that runs on the build machine.
pub(crate) fn no_foreign_run(before: &Analysis<'_>, after: &Analysis<'_>) -> Result<(), Refusal> {
    for (before, after) in before.evaluations.iter().zip(&after.evaluations) {
        let known = foreign_runs(before);
        if let Some(program) = foreign_runs(after).into_iter().find(|run| !known.contains(run)) {
            return Err(Refusal::ForeignRun { platform: after.platform.clone(), program });
        }
    }
    Ok(())
}

/// Whether the changed file has no new syntax error and all its comments.
pub(crate) fn readable(file: &Dockerfile, fixed: &Dockerfile, meta: &Meta) -> Result<(), Refusal> {
    if fixed.errors.len() > file.errors.len() {
        let known: Vec<String> = file.errors.iter().map(|e| e.message()).collect();
        let new = fixed.errors.iter().map(|e| e.message()).find(|m| !known.contains(m));
        return Err(Refusal::Syntax(new.unwrap_or_else(|| "one more error".to_owned())));
    }
    if meta.name != UnusedSuppression::META.name {
        let mut kept: HashMap<&str, usize> = HashMap::new();
        for comment in comments(fixed) {
            *kept.entry(comment).or_default() += 1;
        }
        for comment in comments(file) {
            match kept.get_mut(comment) {
                Some(n) if *n > 0 => *n -= 1,
                _ => return Err(Refusal::CommentLost(comment.to_owned())),
            }
        }
    }
    Ok(())
}

pub(crate) fn counts(drafts: &[Draft]) -> Counts {
    let mut counts = Counts::new();
    for draft in drafts {
        let diagnostic = &draft.diagnostic;
        for platform in &diagnostic.platforms {
            let entry = counts
                .entry((diagnostic.rule, platform.clone()))
                .or_insert((0, diagnostic.severity));
            entry.0 += 1;
            entry.1 = entry.1.max(diagnostic.severity);
        }
    }
    counts
}

/// No rule finds more than before on any platform; findings below `floor` do not count.
pub(crate) fn no_new_finding(
    before: &Counts,
    after: &Counts,
    floor: Severity,
) -> Result<(), Refusal> {
    for ((rule, platform), (n, severity)) in after {
        let known = before.get(&(*rule, platform.clone())).map_or(0, |(n, _)| *n);
        let counts = *severity >= floor || *rule == BuildStops::META.name;
        if *n > known && counts {
            return Err(Refusal::NewFinding { rule, platform: platform.clone() });
        }
    }
    Ok(())
}

/// Comment lines, trimmed, those inside instructions included.
fn comments(file: &Dockerfile) -> Vec<&str> {
    let outside = file.elements.iter().filter(|e| e.kind == ElementKind::Comment).map(|e| e.span);
    let inside = file.instructions.iter().flat_map(|i| i.trivia.iter().copied());
    outside.chain(inside).map(|s| file.text[s.range()].trim()).filter(|c| !c.is_empty()).collect()
}
