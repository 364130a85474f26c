//! `--format json`: one document, its shape stable. Lines and columns count from 1, columns in
//! characters; offsets are bytes.

use std::io;

use mlint_lint::{Diagnostic, Fix, PlatformVerdict};
use mlint_oci::Platform;
use mlint_syntax::Span;
use serde::Serialize;

use super::{FileReport, Findings, lines::Lines};

/// Grows when the shape changes so that old readers go wrong.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document {
    version: u32,
    platforms: Vec<String>,
    files: Vec<File>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Unchecked>,
}

#[derive(Serialize)]
struct Unchecked {
    path: String,
    message: String,
}

#[derive(Serialize)]
struct File {
    path: String,
    findings: Vec<Finding>,
    verdicts: Vec<Verdict>,
}

#[derive(Serialize)]
struct Finding {
    rule: &'static str,
    severity: &'static str,
    confidence: &'static str,
    message: String,
    platforms: Vec<String>,
    effect: &'static str,
    span: Range,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    related: Vec<Related>,
    fixes: Vec<Repair>,
}

/// A place in a file, as every JSON document has it.
#[derive(Debug, Serialize)]
pub struct Range {
    start: Place,
    end: Place,
}

#[derive(Debug, Serialize)]
struct Place {
    line: usize,
    column: usize,
    offset: u32,
}

#[derive(Serialize)]
struct Related {
    span: Range,
    message: String,
}

#[derive(Serialize)]
struct Repair {
    title: String,
    applicability: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caution: Option<String>,
    edits: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    span: Range,
    text: String,
}

#[derive(Serialize)]
struct Verdict {
    platform: String,
    verdict: &'static str,
    emulated_steps: usize,
}

/// Writes the document.
///
/// # Errors
/// When the stream can't be written.
pub fn write(findings: &Findings, out: &mut dyn io::Write) -> io::Result<()> {
    let document = Document {
        version: VERSION,
        platforms: names(&findings.platforms),
        files: findings.files.iter().map(file).collect(),
        errors: findings
            .problems
            .iter()
            .map(|p| Unchecked { path: p.path.clone(), message: p.message.clone() })
            .collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

fn names(platforms: &[Platform]) -> Vec<String> {
    platforms.iter().map(ToString::to_string).collect()
}

fn file(file: &FileReport) -> File {
    let lines = Lines::new(&file.source.text);
    File {
        path: file.source.name.clone(),
        findings: file.report.diagnostics.iter().map(|d| finding(d, &lines)).collect(),
        verdicts: file.report.verdicts.iter().map(verdict).collect(),
    }
}

fn finding(diagnostic: &Diagnostic, lines: &Lines<'_>) -> Finding {
    Finding {
        rule: diagnostic.rule,
        severity: diagnostic.severity.as_str(),
        confidence: diagnostic.confidence.as_str(),
        message: diagnostic.message.clone(),
        platforms: names(&diagnostic.platforms),
        effect: diagnostic.effect.as_str(),
        span: range(diagnostic.span, lines),
        label: diagnostic.label.clone(),
        help: diagnostic.help.clone(),
        related: diagnostic
            .related
            .iter()
            .map(|r| Related { span: range(r.span, lines), message: r.message.clone() })
            .collect(),
        fixes: diagnostic.fixes.iter().map(|f| repair(f, lines)).collect(),
    }
}

fn repair(fix: &Fix, lines: &Lines<'_>) -> Repair {
    Repair {
        title: fix.title.clone(),
        applicability: fix.applicability.as_str(),
        caution: fix.caution.clone(),
        edits: fix
            .edits
            .as_slice()
            .iter()
            .map(|edit| Change { span: range(edit.span, lines), text: edit.text.clone() })
            .collect(),
    }
}

/// The place of a span.
pub fn range(span: Span, lines: &Lines<'_>) -> Range {
    let place = |offset: u32| {
        let position = lines.position(offset);
        Place { line: position.line, column: position.column, offset }
    };
    Range { start: place(span.start), end: place(span.end) }
}

fn verdict(verdict: &PlatformVerdict) -> Verdict {
    Verdict {
        platform: verdict.platform.to_string(),
        verdict: verdict.verdict.as_str(),
        emulated_steps: verdict.emulated_steps,
    }
}
