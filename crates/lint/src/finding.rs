//! What a rule reports for one platform, and how the same finding on several platforms becomes
//! one diagnostic.

use std::fmt;

use mlint_model::SumQuery;
use mlint_oci::Platform;
use mlint_syntax::{EditSet, Span};

use crate::{
    diagnostic::{Applicability, Confidence, Diagnostic, Effect, Fix, Related, Severity},
    rule::Meta,
};

/// Builds the message from the list of platforms, given as `linux/arm64 and linux/s390x`.
type Message = Box<dyn Fn(&str) -> String>;

/// A finding on one platform (or on several for the same reason).
pub struct Finding {
    span: Span,
    platforms: Vec<Platform>,
    message: Message,
    severity: Option<Severity>,
    confidence: Option<Confidence>,
    effect: Option<Effect>,
    label: Option<String>,
    related: Vec<Related>,
    help: Option<String>,
    fixes: Vec<ProposedFix>,
    asks: Vec<SumQuery>,
}

/// A fix as a rule proposes it, before its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedFix {
    /// The fix, with what the rule thinks of it at best.
    pub fix: Fix,
    /// Platforms on which the file must do after the fix what it did before, beside those that the
    /// finding does not name: the one that a literal in the file means.
    pub keeps: Vec<Platform>,
    /// Refused, not demoted, if a platform that was right would do something else.
    pub or_nothing: bool,
    /// Rules that may find more afterwards: what the fix leaves to be looked at is said there.
    pub reveals: Vec<&'static str>,
    /// What the same thing is called on each platform, where the names do not tell it: two
    /// platforms that differ in that do the analogous thing.
    pub alike: Vec<(Platform, String)>,
    /// What is wrong does not show in what the file does (which cache is mounted): the broken
    /// platform does the same before and after.
    pub unseen: bool,
}

impl ProposedFix {
    /// A fix that is safe if the proof holds.
    pub fn safe(title: impl Into<String>, edits: EditSet) -> Self {
        Self::new(title, Applicability::Safe, edits)
    }

    /// A fix that needs a look in any case.
    pub fn needs_look(title: impl Into<String>, edits: EditSet) -> Self {
        Self::new(title, Applicability::Unsafe, edits)
    }

    /// A fix to be read only.
    pub fn display(title: impl Into<String>, edits: EditSet) -> Self {
        Self::new(title, Applicability::Display, edits)
    }

    fn new(title: impl Into<String>, applicability: Applicability, edits: EditSet) -> Self {
        Self {
            fix: Fix { title: title.into(), applicability, caution: None, together: false, edits },
            keeps: Vec::new(),
            or_nothing: false,
            reveals: Vec::new(),
            alike: Vec::new(),
            unseen: false,
        }
    }

    /// Says what has to be looked at before a fix that is not safe is taken.
    #[must_use]
    pub fn because(mut self, caution: impl Into<String>) -> Self {
        self.fix.caution = Some(caution.into());
        self
    }

    /// Withdraws the fix where it changes what a right platform does: it would then be nonsense
    /// and not just daring.
    #[must_use]
    pub fn or_nothing(mut self) -> Self {
        self.or_nothing = true;
        self
    }

    /// Names a rule that says after the fix what is left to do. Only for a fix that needs a look.
    #[must_use]
    pub fn revealing(mut self, rule: &'static str) -> Self {
        self.reveals.push(rule);
        self
    }

    /// Says what the same thing is called on each platform.
    #[must_use]
    pub fn alike(mut self, names: Vec<(Platform, String)>) -> Self {
        self.alike = names;
        self
    }

    /// Says that the broken platform comes no nearer to the others by what it does.
    #[must_use]
    pub fn unseen(mut self) -> Self {
        self.unseen = true;
        self
    }

    /// Adds a platform on which nothing may change.
    #[must_use]
    pub fn keeping(mut self, platform: &Platform) -> Self {
        if !self.keeps.contains(platform) {
            self.keeps.push(platform.clone());
        }
        self
    }
}

impl Finding {
    /// A finding at `span` on `platform`. The message says what happens, on which platform, and
    /// why, in one sentence without a final stop; it gets the platforms as `linux/arm64 and
    /// linux/s390x`.
    pub fn new(
        span: Span,
        platform: &Platform,
        message: impl Fn(&str) -> String + 'static,
    ) -> Self {
        Self {
            span,
            platforms: vec![platform.clone()],
            message: Box::new(message),
            severity: None,
            confidence: None,
            effect: None,
            label: None,
            related: Vec::new(),
            help: None,
            fixes: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// How bad, where it differs from the rule's.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }

    /// How sure, where it differs from the rule's.
    #[must_use]
    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = Some(confidence);
        self
    }

    /// What happens, where it differs from the rule's.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.effect = Some(effect);
        self
    }

    /// A short text under the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// A second place. Repetitions, and the finding's own place, are left out.
    #[must_use]
    pub fn related(mut self, span: Span, message: impl Into<String>) -> Self {
        let related = Related { span, message: message.into() };
        if span != self.span && !self.related.contains(&related) {
            self.related.push(related);
        }
        self
    }

    /// What to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A repair; the best one first.
    #[must_use]
    pub fn fix(mut self, fix: ProposedFix) -> Self {
        self.fixes.push(fix);
        self
    }

    /// A repair, if there is one.
    #[must_use]
    pub fn maybe_fix(self, fix: Option<ProposedFix>) -> Self {
        match fix {
            Some(fix) => self.fix(fix),
            None => self,
        }
    }

    /// Names sums without which there is no repair. Who may fetch files can look them up.
    #[must_use]
    pub fn asks(mut self, sums: impl IntoIterator<Item = SumQuery>) -> Self {
        self.asks.extend(sums);
        self
    }

    /// Whether it says the same as `other`, apart from the platforms.
    fn same_as(&self, other: &Self) -> bool {
        self.span == other.span
            && self.severity == other.severity
            && self.confidence == other.confidence
            && self.effect == other.effect
            && (self.message)("…") == (other.message)("…")
    }

    fn absorb(&mut self, other: Self) {
        for platform in other.platforms {
            if !self.platforms.contains(&platform) {
                self.platforms.push(platform);
            }
        }
        for related in other.related {
            if !self.related.contains(&related) {
                self.related.push(related);
            }
        }
        for query in other.asks {
            if !self.asks.contains(&query) {
                self.asks.push(query);
            }
        }
        for fix in other.fixes {
            match self.fixes.iter_mut().find(|f| f.fix == fix.fix) {
                Some(known) => {
                    known.keeps.extend(fix.keeps);
                    known.keeps.sort_unstable();
                    known.keeps.dedup();
                }
                None => self.fixes.push(fix),
            }
        }
    }
}

impl fmt::Debug for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finding")
            .field("span", &self.span)
            .field("message", &(self.message)("…"))
            .finish_non_exhaustive()
    }
}

/// Where a rule puts its findings.
#[derive(Debug)]
pub struct Sink<'a> {
    meta: &'static Meta,
    order: &'a [Platform],
    findings: Vec<Finding>,
}

/// A diagnostic whose fixes are still proposals.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) diagnostic: Diagnostic,
    pub(crate) proposals: Vec<ProposedFix>,
    pub(crate) asks: Vec<SumQuery>,
    pub(crate) meta: &'static Meta,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(meta: &'static Meta, order: &'a [Platform]) -> Self {
        Self { meta, order, findings: Vec::new() }
    }

    /// Adds a finding; one that says the same as an earlier one only adds its platforms.
    pub fn report(&mut self, finding: Finding) {
        match self.findings.iter_mut().find(|f| f.same_as(&finding)) {
            Some(known) => known.absorb(finding),
            None => self.findings.push(finding),
        }
    }

    pub(crate) fn into_drafts(self) -> Vec<Draft> {
        let Self { meta, order, findings } = self;
        let place = |p: &Platform| order.iter().position(|o| o == p).unwrap_or(usize::MAX);
        findings
            .into_iter()
            .map(|mut f| {
                f.platforms.sort_by_key(place);
                Draft {
                    diagnostic: Diagnostic {
                        rule: meta.name,
                        severity: f.severity.unwrap_or(meta.severity),
                        confidence: f.confidence.unwrap_or(meta.confidence),
                        effect: f.effect.unwrap_or(meta.effect),
                        message: (f.message)(&list(&f.platforms)),
                        platforms: f.platforms,
                        span: f.span,
                        label: f.label,
                        related: f.related,
                        help: f.help,
                        fixes: Vec::new(),
                    },
                    proposals: f.fixes,
                    asks: f.asks,
                    meta,
                }
            })
            .collect()
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: fmt::Display>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [head @ .., last] => {
            let head: Vec<String> = head.iter().map(ToString::to_string).collect();
            format!("{} and {last}", head.join(", "))
        }
    }
}
