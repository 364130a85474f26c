//! The harness for tests of rules: Dockerfiles as text, with carets under what must be found.
//!
//! ```text
//! FROM debian:12
//! ARG TARGETARCH=amd64
//!     ^^^^^^^^^^^^^^^^ error: platform-arg-default: TARGETARCH is amd64
//! ```
//!
//! A line of carets belongs to the nearest line above it that is none. After the carets come the
//! severity, the rule, and optionally a part of the message. A finding over several lines is
//! marked up to the end of its first line.

use std::{collections::BTreeMap, fmt::Write as _};

use mlint_model::{
    ContextEntry, ContextFile, ContextPath, Fact, FactSource, ImageFacts, ImageInfo, ImageQuery,
    IndexInfo, Linkage, SumQuery,
};
use mlint_oci::{Algorithm, Digest, Platform};
use mlint_syntax::{LineIndex, Span, parse};

use crate::{
    context::{CheckOptions, Level},
    diagnostic::{Applicability, Diagnostic, Report},
    fix::{FixOptions, FixOutcome, fix},
    rule::{FixAvailability, Rule},
    runner::{check, sums_asked},
};

/// Tests of one rule among all rules: only its findings are looked at, but its fixes are proved
/// against all.
#[derive(Clone)]
pub struct Harness<'r> {
    rules: &'r [&'r dyn Rule],
    rule: &'static str,
    options: CheckOptions,
    images: BTreeMap<String, Fact<ImageInfo>>,
    indexes: Vec<(String, IndexInfo)>,
}

/// What a line of carets says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Expected {
    line: usize,
    columns: (usize, usize),
    what: String,
    message: String,
}

impl<'r> Harness<'r> {
    /// For the rule of that name.
    pub fn new(rules: &'r [&'r dyn Rule], rule: &'static str) -> Self {
        Self {
            rules,
            rule,
            options: CheckOptions::default(),
            images: BTreeMap::new(),
            indexes: Vec::new(),
        }
    }

    /// Checks these platforms instead of linux/amd64 and linux/arm64.
    #[must_use]
    pub fn platforms(mut self, platforms: &[&str]) -> Self {
        self.options.platforms = platforms.iter().map(|p| platform(p)).collect();
        self
    }

    /// Builds on this platform instead of linux/amd64.
    #[must_use]
    pub fn build_platform(mut self, name: &str) -> Self {
        self.options.build_platform = platform(name);
        self
    }

    /// Gives a build argument.
    #[must_use]
    pub fn build_arg(mut self, name: &str, value: &str) -> Self {
        self.options.build_args.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a rule's level.
    #[must_use]
    pub fn level(mut self, rule: &str, level: Level) -> Self {
        self.options.levels.insert(rule.to_owned(), level);
        self
    }

    /// Lets a registry say that an image has these platforms.
    #[must_use]
    pub fn image(self, reference: &str, platforms: &[&str]) -> Self {
        self.image_from(reference, platforms, FactSource::Registry)
    }

    /// Lets the given source say that an image has these platforms.
    #[must_use]
    pub fn image_from(mut self, reference: &str, platforms: &[&str], source: FactSource) -> Self {
        let info = ImageInfo {
            platforms: platforms.iter().map(|p| platform(p)).collect(),
            is_index: true,
            source,
        };
        self.images.insert(reference.to_owned(), Fact::Known(info));
        self
    }

    /// Lets a registry say that a reference is that of one platform's image, not of an index.
    #[must_use]
    pub fn single_image(mut self, reference: &str, name: &str) -> Self {
        let platforms = vec![platform(name)];
        let info = ImageInfo { platforms, is_index: false, source: FactSource::Registry };
        self.images.insert(reference.to_owned(), Fact::Known(info));
        self
    }

    /// Lets a registry say that the tag of a pinned image is an index with that digest; whether it
    /// `holds` the pinned image.
    #[must_use]
    pub fn index(mut self, pinned: &str, digest: &str, platforms: &[&str], holds: bool) -> Self {
        let name = pinned.split('@').next().unwrap_or_default();
        let index = IndexInfo {
            reference: format!("{name}@{digest}"),
            platforms: platforms.iter().map(|p| platform(p)).collect(),
            holds,
        };
        self.indexes.push((pinned.to_owned(), index));
        self
    }

    /// Lets the facts about an image be unavailable.
    #[must_use]
    pub fn no_image(mut self, reference: &str, why: &str) -> Self {
        self.images.insert(reference.to_owned(), Fact::Unavailable(why.to_owned()));
        self
    }

    /// Lets a file lie in the build context: a program of that machine, or, without one, a text.
    #[must_use]
    pub fn file(mut self, path: &str, machine: Option<&str>) -> Self {
        let file = ContextFile {
            text: machine.is_none().then(|| "\n".into()),
            machine: machine.map(platform),
            linkage: Linkage::Unknown,
        };
        let answer = Fact::Known(ContextEntry::File(file));
        self.options.context = self.options.context.with([(ContextPath::main(path), answer)]);
        self
    }

    /// Lets the file at an address have this SHA-256 or SHA-512 sum.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn sum(self, url: &str, hex: &str) -> Self {
        let algorithm = [Algorithm::Sha256, Algorithm::Sha512]
            .into_iter()
            .find(|a| a.hex_len() == hex.len())
            .unwrap_or_else(|| panic!("{hex} is no sum"));
        let sum = Digest::parse(&format!("{}:{hex}", algorithm.as_str()));
        self.sum_is(url, algorithm, Fact::Known(sum.unwrap_or_else(|e| panic!("{e}"))))
    }

    /// Lets the SHA-256 sum of the file at an address be unavailable.
    #[must_use]
    pub fn no_sum(self, url: &str, why: &str) -> Self {
        self.sum_is(url, Algorithm::Sha256, Fact::Unavailable(why.to_owned()))
    }

    fn sum_is(mut self, url: &str, algorithm: Algorithm, sum: Fact<Digest>) -> Self {
        let query = SumQuery { url: url.to_owned(), algorithm };
        self.options.sums = self.options.sums.with([(query, sum)]);
        self
    }

    /// The sums that the rule would have looked up.
    pub fn asked(&self, text: &str) -> Vec<SumQuery> {
        sums_asked(&parse(dedent(text)), &self.options, &self.facts(), self.rules)
    }

    fn facts(&self) -> ImageFacts {
        let answers = self.images.iter();
        ImageFacts::new(
            answers.map(|(r, fact)| (ImageQuery { reference: r.clone() }, fact.clone())),
        )
        .with_indexes(self.indexes.clone())
    }

    /// The report on a Dockerfile.
    pub fn report(&self, text: &str) -> Report {
        check(&parse(dedent(text)), &self.options, &self.facts(), self.rules)
    }

    /// Checks that exactly what the carets say is found.
    ///
    /// # Panics
    /// When it is not.
    pub fn check(&self, fixture: &str) -> Vec<Diagnostic> {
        let (text, expected) = split(&dedent(fixture));
        let found = self.found(&text);
        let actual: Vec<Expected> = found.iter().map(|d| place(&text, d)).collect();
        let agree = actual.len() == expected.len()
            && actual.iter().zip(&expected).all(|(a, e)| {
                a.line == e.line
                    && a.columns == e.columns
                    && a.what == e.what
                    && a.message.contains(&e.message)
            });
        assert!(
            agree,
            "{} finds something else than the carets say; it finds\n\n{}",
            self.rule,
            draw(&text, &actual)
        );
        found
    }

    /// Checks that the rule finds nothing.
    ///
    /// # Panics
    /// When it finds something.
    pub fn silent(&self, text: &str) {
        let text = dedent(text);
        let found: Vec<Expected> = self.found(&text).iter().map(|d| place(&text, d)).collect();
        assert!(found.is_empty(), "{} should be silent:\n\n{}", self.rule, draw(&text, &found));
    }

    fn found(&self, text: &str) -> Vec<Diagnostic> {
        let report = self.report(text);
        report.diagnostics.into_iter().filter(|d| d.rule == self.rule).collect()
    }

    /// Applies the rule's safe fixes.
    pub fn fixed(&self, text: &str) -> FixOutcome {
        self.run_fix(text, false)
    }

    fn run_fix(&self, text: &str, unsafe_too: bool) -> FixOutcome {
        let options = FixOptions { unsafe_too, only: Some(vec![self.rule.to_owned()]) };
        fix(&dedent(text), &self.options, &options, &self.facts(), self.rules)
    }

    /// Checks what the rule's safe fixes make of a file, and that fixing again changes nothing.
    ///
    /// # Panics
    /// When they make something else of it.
    pub fn check_fix(&self, before: &str, after: &str) {
        self.check_fix_with(before, after, false);
    }

    /// As [`Harness::check_fix`], with the fixes that need a look.
    ///
    /// # Panics
    /// When they make something else of it.
    pub fn check_unsafe_fix(&self, before: &str, after: &str) {
        let safe = self.run_fix(before, false);
        assert_eq!(safe.text, dedent(before), "the fix should not be safe, but was applied");
        self.check_fix_with(before, after, true);
    }

    /// Checks that no fix of the rule is applied, not even one that needs a look.
    ///
    /// # Panics
    /// When one is.
    pub fn check_no_fix(&self, text: &str) {
        assert_eq!(self.run_fix(text, true).text, dedent(text));
    }

    fn check_fix_with(&self, before: &str, after: &str, unsafe_too: bool) {
        let outcome = self.run_fix(before, unsafe_too);
        let want = dedent(after);
        assert!(
            outcome.text == want,
            "{}: the fixes make\n\n{}\n\nof it and not\n\n{want}\nnot applied: {:#?}",
            self.rule,
            outcome.text,
            outcome.unapplied
        );
        assert!(!outcome.applied.is_empty(), "nothing was applied");
        let again = self.run_fix(&outcome.text, unsafe_too);
        assert_eq!(again.text, outcome.text, "fixing again changes something");
    }

    /// Checks what must hold for the fixes of any rule on any file: what is offered agrees with
    /// the rule's word on it, applying converges, and nothing but the fix changes.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check_fix_contract(&self, text: &str) -> Result<(), String> {
        let Some(rule) = self.rules.iter().find(|r| r.meta().name == self.rule) else {
            return Err(format!("there is no rule {}", self.rule));
        };
        let text = dedent(text);
        let availability = rule.meta().fixes;
        let found = self.found(&text);
        if found.is_empty() {
            return Ok(());
        }
        for diagnostic in found {
            let offered = diagnostic.fixes.iter().any(|f| f.applicability > Applicability::Display);
            match availability {
                FixAvailability::Always if diagnostic.fixes.is_empty() => {
                    return Err(format!("no fix for: {}", diagnostic.message));
                }
                FixAvailability::None if offered => {
                    return Err(format!("an unexpected fix for: {}", diagnostic.message));
                }
                _ => {}
            }
        }
        for unsafe_too in [false, true] {
            let outcome = self.run_fix(&text, unsafe_too);
            if outcome.rounds >= crate::fix::MAX_ROUNDS {
                return Err("the fixes do not converge".to_owned());
            }
            if self.run_fix(&outcome.text, unsafe_too).text != outcome.text {
                return Err("fixing again changes something".to_owned());
            }
            let errors = parse(text.as_str()).errors.len();
            if parse(outcome.text.as_str()).errors.len() > errors {
                return Err("the fixes bring a syntax error".to_owned());
            }
        }
        Ok(())
    }
}

/// A report as compact text, for expectations that people read: one paragraph per finding, then
/// the verdicts.
pub fn render(text: &str, report: &Report) -> String {
    let index = LineIndex::new(text);
    let at = |span: Span| {
        let place = index.line_column(text, span.start);
        format!("{}:{}", place.line, place.column)
    };
    let quote = |span: Span| {
        let found = text.get(span.range()).unwrap_or_default();
        found.lines().next().unwrap_or_default().trim_end_matches(['\\', ' ']).to_owned()
    };
    let mut out = String::new();
    for d in &report.diagnostics {
        let _ = writeln!(
            out,
            "{} `{}` {}: {}: {}",
            at(d.span),
            quote(d.span),
            d.severity,
            d.rule,
            d.message
        );
        let platforms: Vec<String> = d.platforms.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "    {} on {}, {}", d.effect, platforms.join(" "), d.confidence);
        for r in &d.related {
            let _ = writeln!(out, "    see {} `{}`: {}", at(r.span), quote(r.span), r.message);
        }
        for f in &d.fixes {
            let caution = f.caution.as_ref().map_or(String::new(), |c| format!(" ({c})"));
            let _ = writeln!(out, "    {} fix: {}{caution}", f.applicability, f.title);
        }
    }
    for v in &report.verdicts {
        let _ = write!(out, "{}: {}", v.platform, v.verdict);
        match v.emulated_steps {
            0 => out.push('\n'),
            1 => out.push_str(", 1 emulated step\n"),
            n => {
                let _ = writeln!(out, ", {n} emulated steps");
            }
        }
    }
    out
}

fn platform(name: &str) -> Platform {
    name.parse().unwrap_or_else(|e| panic!("{e}"))
}

/// Takes away the white space that all lines begin with, and a first empty line.
pub fn dedent(text: &str) -> String {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let indent = text
        .lines()
        .filter(|l| !l.trim().is_empty())
        .map(|l| l.len() - l.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let mut out: String = text
        .split_inclusive('\n')
        .map(|l| l.get(indent.min(l.len() - l.trim_start_matches(' ').len())..).unwrap_or(l))
        .collect();
    // The line of the closing quote.
    if out.ends_with("\n") && text.lines().last().is_some_and(|l| l.trim().is_empty()) {
        out.truncate(out.trim_end_matches(' ').len());
    }
    let kept = out.trim_end_matches(' ').len();
    out.truncate(kept);
    out
}

fn split(fixture: &str) -> (String, Vec<Expected>) {
    let (mut text, mut expected, mut line) = (String::new(), Vec::new(), 0);
    for raw in fixture.split_inclusive('\n') {
        let trimmed = raw.trim();
        let note = trimmed.trim_start_matches('^');
        if !trimmed.starts_with('^') || !note.starts_with(' ') {
            text.push_str(raw);
            line += 1;
            continue;
        }
        let start = raw.find('^').unwrap_or_default();
        let mut parts = note.trim().splitn(3, ": ");
        let severity = parts.next().unwrap_or_default();
        let rule = parts.next().unwrap_or_default();
        expected.push(Expected {
            line,
            columns: (start, start + trimmed.len() - note.len()),
            what: format!("{severity}: {rule}"),
            message: parts.next().unwrap_or_default().to_owned(),
        });
    }
    expected.sort();
    (text, expected)
}

fn place(text: &str, diagnostic: &Diagnostic) -> Expected {
    let Span { start, end } = diagnostic.span;
    let line_start = text[..start as usize].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start as usize..].find('\n').map_or(text.len(), |i| start as usize + i);
    Expected {
        line: text[..start as usize].matches('\n').count() + 1,
        columns: (start as usize - line_start, (end as usize).min(line_end) - line_start),
        what: format!("{}: {}", diagnostic.severity, diagnostic.rule),
        message: diagnostic.message.clone(),
    }
}

fn draw(text: &str, found: &[Expected]) -> String {
    let mut out = String::new();
    for (i, line) in text.lines().enumerate() {
        let _ = writeln!(out, "{line}");
        for f in found.iter().filter(|f| f.line == i + 1) {
            let (from, to) = f.columns;
            let carets = "^".repeat(to.saturating_sub(from).max(1));
            let _ = writeln!(out, "{}{carets} {}: {}", " ".repeat(from), f.what, f.message);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dedents() {
        assert_eq!(dedent("\n    a\n      b\n\n    c\n    "), "a\n  b\n\nc\n");
        assert_eq!(dedent("a\nb"), "a\nb");
    }

    #[test]
    fn splits_carets_from_text() {
        let (text, expected) = split("FROM a\n     ^ error: x: some: text\nRUN b\n");
        assert_eq!(text, "FROM a\nRUN b\n");
        assert_eq!(expected.len(), 1);
        assert_eq!((expected[0].line, expected[0].columns), (1, (5, 6)));
        assert_eq!((&*expected[0].what, &*expected[0].message), ("error: x", "some: text"));
    }
}
