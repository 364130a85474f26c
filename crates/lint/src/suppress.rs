//! Suppressions: `# mlint ignore=…`, `# mlint file-ignore=…`, `# mlint platform=…`.

use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, Edit, EditSet, ElementKind, InstructionKind, Span};

use crate::{
    builtin::{SuppressionWithoutReason, SyntaxErrorRule, UnusedSuppression},
    context::CheckOptions,
    finding::{Draft, Finding, ProposedFix, Sink},
    rule::{Group, Meta},
};

/// All suppressions of a file.
#[derive(Debug, Default)]
pub(crate) struct Suppressions {
    entries: Vec<Entry>,
    broken: Vec<(Span, String)>,
}

#[derive(Debug)]
struct Entry {
    /// The comment from `#` to its end.
    comment: Span,
    /// Where findings are suppressed.
    scope: Span,
    what: What,
    has_reason: bool,
}

#[derive(Debug)]
enum What {
    Rules(Vec<Name>),
    Platform {
        platform: Platform,
        used: bool,
    },
    /// Files of other machines: what is built tells whether it has them.
    Foreign,
}

#[derive(Debug)]
struct Name {
    text: String,
    span: Span,
    used: bool,
}

/// A comment for mlint, taken apart.
struct Directive<'t> {
    key: &'t str,
    value: &'t str,
    /// Offset of the value in the comment.
    value_at: usize,
    reason: Option<&'t str>,
}

/// Reads a comment that begins with `#`. `None`: it is not for mlint. `Err`: it means to be.
fn read(comment: &str) -> Option<Result<Directive<'_>, String>> {
    let body = comment.strip_prefix('#')?;
    let rest = body.trim_start().strip_prefix("mlint")?;
    let (colon, rest) = match rest.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let trimmed = rest.trim_start();
    if trimmed.len() == rest.len() {
        return None;
    }
    let equals = trimmed.find('=')?;
    let key = trimmed[..equals].trim_end();
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
        return None;
    }
    if colon {
        return Some(Err(format!("write `# mlint {key}=…`, without the colon after mlint")));
    }
    if !matches!(key, "ignore" | "file-ignore" | "platform" | "allow-foreign") {
        return Some(Err(format!(
            "mlint does not know '{key}'; a comment for it reads ignore=, file-ignore=, platform= or \
             allow-foreign="
        )));
    }
    let after = &trimmed[equals + 1..];
    let value_part = after.split(':').next().unwrap_or_default();
    let reason = after.get(value_part.len() + 1..).map(str::trim).filter(|r| !r.is_empty());
    let value = value_part.trim();
    let lead = value_part.len() - value_part.trim_start().len();
    let value_at = comment.len() - after.len() + lead;
    if value.is_empty() {
        return Some(Err(format!("nothing follows {key}=")));
    }
    Some(Ok(Directive { key, value, value_at, reason }))
}

impl Suppressions {
    /// Finds all suppressions of a file.
    pub(crate) fn of(file: &Dockerfile) -> Self {
        let mut all = Self::default();
        for (i, element) in file.elements.iter().enumerate() {
            match element.kind {
                ElementKind::Comment => {
                    let next = file.elements[i + 1..].iter().find_map(|e| match e.kind {
                        ElementKind::Instruction(n) => Some(n),
                        _ => None,
                    });
                    all.comment(file, element.span, next);
                }
                ElementKind::Instruction(n) => all.inside(file, n),
                _ => {}
            }
        }
        all
    }

    /// Comment lines between the lines of an instruction, and the shell's own comments in a RUN.
    fn inside(&mut self, file: &Dockerfile, index: usize) {
        let instruction = &file.instructions[index];
        for &line in &instruction.trivia {
            self.comment(file, line, Some(index));
        }
        if !matches!(instruction.kind, InstructionKind::Run(_)) {
            return;
        }
        let text = &file.text[instruction.span.range()];
        for (at, _) in text.match_indices('#') {
            if !text[at..].starts_with("# mlint ") {
                continue;
            }
            let start = instruction.span.start + at as u32;
            let blank_before = text[..at].chars().next_back().is_some_and(char::is_whitespace);
            let known = instruction.trivia.iter().any(|t| t.start <= start && start < t.end);
            if blank_before && !known {
                let line = text[at..].lines().next().unwrap_or_default();
                self.comment(file, Span::new(start, start + line.len() as u32), Some(index));
            }
        }
    }

    fn comment(&mut self, file: &Dockerfile, span: Span, instruction: Option<usize>) {
        let line = &file.text[span.range()];
        let lead = line.len() - line.trim_start().len();
        let text = line.trim();
        let start = span.start + lead as u32;
        let comment = Span::new(start, start + text.len() as u32);
        let directive = match read(text) {
            None => return,
            Some(Err(why)) => return self.broken.push((comment, why)),
            Some(Ok(directive)) => directive,
        };
        let instruction = instruction.map(|i| &file.instructions[i]);
        let scope = match (directive.key, instruction) {
            ("file-ignore", _) => Some(Span::new(0, file.text.len() as u32)),
            ("platform", Some(i)) if matches!(i.kind, InstructionKind::From { .. }) => {
                Some(stage_span(file, i.span))
            }
            ("platform", _) => {
                self.broken.push((comment, "it must stand right above a FROM".to_owned()));
                return;
            }
            (_, i) => i.map(|i| i.span),
        };
        let Some(scope) = scope else {
            self.broken.push((comment, "no instruction follows".to_owned()));
            return;
        };
        let what = match directive.key {
            "platform" => match directive.value.parse() {
                // It says no more than the flag does, but says why.
                Ok(platform) => What::Platform {
                    used: instruction
                        .and_then(|i| i.flag("platform"))
                        .is_some_and(|f| f.value.as_deref() == Some(directive.value)),
                    platform,
                },
                Err(e) => return self.broken.push((comment, format!("{e}"))),
            },
            "allow-foreign" => What::Foreign,
            _ => What::Rules(names(&directive, start)),
        };
        self.entries.push(Entry { comment, scope, what, has_reason: directive.reason.is_some() });
    }

    /// Whether the diagnostic is suppressed; what suppressed it counts as used.
    pub(crate) fn covers(&mut self, draft: &Draft) -> bool {
        if draft.meta.name == SyntaxErrorRule::META.name {
            return false;
        }
        let at = draft.diagnostic.span.start;
        let mut covered = false;
        for entry in &mut self.entries {
            if !(entry.scope.start <= at && at <= entry.scope.end) {
                continue;
            }
            match &mut entry.what {
                What::Rules(names) => {
                    for name in names.iter_mut().filter(|n| n.text == draft.meta.name) {
                        name.used = true;
                        covered = true;
                    }
                }
                What::Foreign => {}
                What::Platform { used, .. } => {
                    if is_about_single_platforms(draft.meta) {
                        *used = true;
                        covered = true;
                    }
                }
            }
        }
        covered
    }

    /// Findings about the suppressions themselves, once all diagnostics have been asked for.
    pub(crate) fn findings(
        &self,
        file: &Dockerfile,
        known: &[&'static Meta],
        undecided: &dyn Fn(&str) -> bool,
        options: &CheckOptions,
    ) -> Vec<Draft> {
        let mut unused = Sink::new(&UnusedSuppression::META, &options.platforms);
        let mut bare = Sink::new(&SuppressionWithoutReason::META, &options.platforms);
        let Some(first) = options.platforms.first() else { return Vec::new() };
        for (span, why) in &self.broken {
            let why = why.clone();
            unused.report(Finding::new(*span, first, move |_| {
                format!("this comment suppresses nothing: {why}")
            }));
        }
        // With one architecture there is nothing to differ: most rules are silent then.
        let arch = first.arch();
        let decidable = options.platforms.iter().any(|p| p.arch() != arch);
        for entry in &self.entries {
            if !entry.has_reason {
                let (what, example) = match entry.what {
                    What::Foreign => {
                        ("allowance does not say why the files", "allow-foreign=/path")
                    }
                    _ => ("suppression does not say why the finding", "ignore=rule"),
                };
                bare.report(
                    Finding::new(entry.comment, first, move |_| format!("this {what} may stay"))
                        .help(format!(
                            "add the reason after a colon, as in `# mlint {example}: why`"
                        )),
                );
            }
            match &entry.what {
                What::Foreign => {}
                What::Platform { platform, used } => {
                    if !used && decidable {
                        let platform = platform.to_string();
                        unused.report(
                            Finding::new(entry.comment, first, move |_| {
                                format!(
                                    "nothing in this stage depends on being for {platform} only"
                                )
                            })
                            .fix(removal(
                                file,
                                entry.comment,
                                "remove the comment",
                            )),
                        );
                    }
                }
                What::Rules(names) => {
                    for name in names {
                        let is_known = known.iter().any(|m| m.name == name.text);
                        if name.used || is_known && (!decidable || undecided(&name.text)) {
                            continue;
                        }
                        unused
                            .report(unused_name(file, entry, names, name, is_known, first, known));
                    }
                }
            }
        }
        let mut drafts = unused.into_drafts();
        drafts.extend(bare.into_drafts());
        // A comment is there for every platform.
        for draft in &mut drafts {
            draft.diagnostic.platforms.clone_from(&options.platforms);
        }
        drafts
    }
}

fn unused_name(
    file: &Dockerfile,
    entry: &Entry,
    names: &[Name],
    name: &Name,
    is_known: bool,
    platform: &Platform,
    known: &[&'static Meta],
) -> Finding {
    let text = name.text.clone();
    if !is_known {
        let near = nearest(&name.text, known);
        let finding = Finding::new(name.span, platform, move |_| match near {
            Some(near) => format!("there is no rule '{text}'; did you mean {near}?"),
            None => format!("there is no rule '{text}'"),
        });
        return match near.and_then(|near| {
            EditSet::from_edits([Edit { span: name.span, text: near.to_owned() }]).ok()
        }) {
            Some(edits) => finding.fix(ProposedFix::safe("correct the name", edits)),
            None => finding,
        };
    }
    let fix = if names.len() == 1 {
        removal(file, entry.comment, "remove the comment")
    } else {
        // With the comma that stands between it and its neighbour.
        let i = names.iter().position(|n| n.span == name.span).unwrap_or(0);
        let span = match names.get(i + 1) {
            Some(next) => Span::new(name.span.start, next.span.start),
            None => Span::new(names[i.saturating_sub(1)].span.end, name.span.end),
        };
        let edits = EditSet::from_edits([Edit { span, text: String::new() }]).unwrap_or_default();
        ProposedFix::safe("remove the rule's name", edits)
    };
    let finding = Finding::new(name.span, platform, move |_| {
        if text == SyntaxErrorRule::META.name {
            "a syntax error can't be suppressed: no builder gets past it".to_owned()
        } else {
            format!("nothing that {text} finds is suppressed here")
        }
    });
    finding.fix(fix)
}

/// Removes a comment: with its whole line if nothing else is on it.
fn removal(file: &Dockerfile, comment: Span, title: &str) -> ProposedFix {
    let text = &file.text;
    let line_start = text[..comment.start as usize].rfind('\n').map_or(0, |i| i + 1);
    let before = &text[line_start..comment.start as usize];
    let span = if before.trim().is_empty() {
        let rest = &text[comment.end as usize..];
        let end = rest.find('\n').map_or(text.len(), |i| comment.end as usize + i + 1);
        Span::new(line_start as u32, end as u32)
    } else {
        let kept = line_start + before.trim_end().len();
        Span::new(kept as u32, comment.end)
    };
    let edits = EditSet::from_edits([Edit { span, text: String::new() }]).unwrap_or_default();
    ProposedFix::safe(title, edits)
}

fn names(directive: &Directive<'_>, comment_start: u32) -> Vec<Name> {
    let mut at = directive.value_at;
    let mut names = Vec::new();
    for part in directive.value.split(',') {
        let text = part.trim();
        let start = comment_start + (at + part.len() - part.trim_start().len()) as u32;
        if !text.is_empty() {
            let span = Span::new(start, start + text.len() as u32);
            names.push(Name { text: text.to_owned(), span, used: false });
        }
        at += part.len() + 1;
    }
    names
}

/// From a FROM to just before the next one.
fn stage_span(file: &Dockerfile, from: Span) -> Span {
    let end = file
        .instructions
        .iter()
        .find(|i| i.span.start > from.start && matches!(i.kind, InstructionKind::From { .. }))
        .map_or(file.text.len() as u32, |i| i.span.start - 1);
    Span::new(from.start, end)
}

/// Rules that complain about a stage being for one platform.
fn is_about_single_platforms(meta: &Meta) -> bool {
    match meta.group {
        Group::Values
        | Group::Downloads
        | Group::Stages
        | Group::Toolchains
        | Group::Packages
        | Group::Caches
        | Group::Metadata => true,
        Group::Libc | Group::Images | Group::Meta => false,
    }
}

/// The rule whose name is at most a third of its letters away.
pub(crate) fn nearest(name: &str, known: &[&'static Meta]) -> Option<&'static str> {
    known
        .iter()
        .map(|m| (distance(name, m.name), m.name))
        .min()
        .filter(|(d, near)| *d <= near.len() / 3)
        .map(|(_, near)| near)
}

/// Levenshtein's distance over bytes.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_comments() {
        let key = |c: &str| match read(c) {
            None => "-".to_owned(),
            Some(Err(e)) => format!("error: {e}"),
            Some(Ok(d)) => format!("{} [{}] {:?}", d.key, d.value, d.reason),
        };
        assert_eq!(key("# mlint ignore=a,b: why not"), "ignore [a,b] Some(\"why not\")");
        assert_eq!(key("#mlint file-ignore= a"), "file-ignore [a] None");
        assert_eq!(
            key("# mlint platform=linux/amd64: x: y"),
            "platform [linux/amd64] Some(\"x: y\")"
        );
        assert_eq!(key("# mlint is a tool"), "-");
        assert_eq!(key("# mlint is a=b"), "-");
        assert_eq!(key("# mlinter ignore=a"), "-");
        assert!(key("# mlint ignroe=a").starts_with("error: mlint does not know 'ignroe'"));
        assert!(key("# mlint: ignore=a").starts_with("error: write `# mlint ignore=…`"));
        assert!(key("# mlint ignore=").starts_with("error: nothing follows"));
    }

    #[test]
    fn names_know_their_places() {
        let comment = "# mlint ignore=ab, cd : x";
        let Some(Ok(d)) = read(comment) else { panic!() };
        let spans: Vec<&str> = names(&d, 100)
            .iter()
            .map(|n| &comment[n.span.start as usize - 100..n.span.end as usize - 100])
            .collect();
        assert_eq!(spans, ["ab", "cd"]);
    }

    #[test]
    fn distances() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }
}
