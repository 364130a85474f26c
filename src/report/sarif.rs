//! `--format sarif`: SARIF 2.1.0, for code scanning and for editors.
//!
//! Shape: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>. Regions count lines
//! and columns from 1, columns in characters (`columnKind`), ends exclusive; `byteOffset` and
//! `byteLength` are beside them. A fix replaces regions of its file (section 3.55).

use std::{collections::BTreeMap, io};

use mlint_lint::{Diagnostic, Fix, Meta, Severity};
use mlint_syntax::Span;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    FileReport, Findings,
    lines::Lines,
    machine::{self, Fingerprints},
};
use crate::catalogue;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Value; 1],
}

/// Writes the log: one run with a result per finding.
///
/// # Errors
/// When the stream can't be written.
pub fn write(findings: &Findings, out: &mut dyn io::Write) -> io::Result<()> {
    let rules: Vec<&'static Meta> = catalogue::all().collect();
    let index: BTreeMap<&str, usize> = rules.iter().enumerate().map(|(i, r)| (r.name, i)).collect();
    let results: Vec<Value> =
        findings.files.iter().flat_map(|file| file_results(file, &index)).collect();
    let notifications: Vec<Value> = findings
        .problems
        .iter()
        .map(|problem| {
            json!({
                "level": "error",
                "message": { "text": problem.message },
                "locations": [{ "physicalLocation": { "artifactLocation": artifact(&problem.path) } }],
            })
        })
        .collect();
    let platforms: Vec<String> = findings.platforms.iter().map(ToString::to_string).collect();
    let run = json!({
        "tool": { "driver": {
            "name": "mlint",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "informationUri": env!("CARGO_PKG_REPOSITORY"),
            "rules": rules.iter().map(|meta| rule(meta)).collect::<Vec<_>>(),
        } },
        "invocations": [{
            "executionSuccessful": findings.problems.is_empty(),
            "toolExecutionNotifications": notifications,
        }],
        "artifacts": findings.files.iter().map(|file| json!({
            "location": artifact(&file.source.name),
            "sourceLanguage": "dockerfile",
            "properties": { "verdicts": file.report.verdicts.iter().map(|v| (
                v.platform.to_string(), json!(v.verdict.as_str()),
            )).collect::<serde_json::Map<_, _>>() },
        })).collect::<Vec<_>>(),
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": { "platforms": platforms },
    });
    let log = Log { schema: SCHEMA, version: "2.1.0", runs: [run] };
    let mut bytes = serde_json::to_vec_pretty(&log)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

fn rule(meta: &Meta) -> Value {
    json!({
        "id": meta.name,
        "shortDescription": { "text": meta.summary },
        "help": { "text": plain(meta.docs), "markdown": meta.docs },
        "defaultConfiguration": { "level": level(meta.severity) },
        "properties": {
            "tags": [meta.group.as_str()],
            "confidence": meta.confidence.as_str(),
            "effect": meta.effect.as_str(),
        },
    })
}

/// Markdown reads well enough as plain text; without text, viewers show nothing.
fn plain(docs: &str) -> &str {
    docs.trim()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice | Severity::Note => "note",
    }
}

fn artifact(path: &str) -> Value {
    json!({ "uri": machine::uri(path) })
}

fn file_results(file: &FileReport, index: &BTreeMap<&str, usize>) -> Vec<Value> {
    let lines = Lines::new(&file.source.text);
    let path = &file.source.name;
    let mut prints = Fingerprints::default();
    let diagnostics = &file.report.diagnostics;
    diagnostics
        .iter()
        .map(|d| {
            let line = &file.source.text[lines.range(lines.line_of(d.span.start))];
            let fingerprint = prints.of(&machine::uri(path), d, line);
            result(d, path, &lines, index.get(d.rule).copied(), &fingerprint)
        })
        .collect()
}

fn result(
    diagnostic: &Diagnostic,
    path: &str,
    lines: &Lines<'_>,
    rule_index: Option<usize>,
    fingerprint: &str,
) -> Value {
    let platforms: Vec<String> = diagnostic.platforms.iter().map(ToString::to_string).collect();
    let mut result = json!({
        "ruleId": diagnostic.rule,
        "level": level(diagnostic.severity),
        "message": { "text": machine::message(diagnostic) },
        "locations": [location(path, diagnostic.span, lines, None)],
        "partialFingerprints": { "mlint/v1": fingerprint },
        "properties": {
            "severity": diagnostic.severity.as_str(),
            "confidence": diagnostic.confidence.as_str(),
            "effect": diagnostic.effect.as_str(),
            "platforms": platforms,
        },
    });
    let mut add = |key: &str, value: Value| result[key] = value;
    if let Some(rule_index) = rule_index {
        add("ruleIndex", json!(rule_index));
    }
    if !diagnostic.related.is_empty() {
        let related = diagnostic.related.iter().enumerate().map(|(i, related)| {
            let mut place = location(path, related.span, lines, Some(&related.message));
            place["id"] = json!(i + 1);
            place
        });
        add("relatedLocations", related.collect());
    }
    if !diagnostic.fixes.is_empty() {
        add("fixes", diagnostic.fixes.iter().map(|fix| repair(fix, path, lines)).collect());
    }
    result
}

fn location(path: &str, span: Span, lines: &Lines<'_>, message: Option<&str>) -> Value {
    let mut place = json!({
        "physicalLocation": { "artifactLocation": artifact(path), "region": region(span, lines) }
    });
    if let Some(message) = message {
        place["message"] = json!({ "text": message });
    }
    place
}

fn region(span: Span, lines: &Lines<'_>) -> Value {
    let (start, end) = (lines.position(span.start), lines.position(span.end));
    json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
        "byteOffset": span.start,
        "byteLength": span.end - span.start,
    })
}

fn repair(fix: &Fix, path: &str, lines: &Lines<'_>) -> Value {
    let replacements: Vec<Value> = fix
        .edits
        .as_slice()
        .iter()
        .map(|edit| {
            json!({
                "deletedRegion": region(edit.span, lines),
                "insertedContent": { "text": edit.text },
            })
        })
        .collect();
    json!({
        "description": { "text": fix.title },
        "artifactChanges": [{ "artifactLocation": artifact(path), "replacements": replacements }],
        "properties": { "applicability": fix.applicability.as_str() },
    })
}
