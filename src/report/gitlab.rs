//! `--format gitlab`: a Code Quality report.
//!
//! Shape: <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>.

use std::io;

use mlint_lint::Severity;
use serde::Serialize;

use super::{
    Findings,
    lines::{Lines, Position},
    machine::{self, Fingerprints},
};

#[derive(Serialize)]
struct Entry {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    positions: Positions,
}

#[derive(Serialize)]
struct Positions {
    begin: Place,
    end: Place,
}

#[derive(Serialize)]
struct Place {
    line: usize,
    column: usize,
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self { line: position.line, column: position.column }
    }
}

/// Writes the report: an array, empty without findings.
///
/// # Errors
/// When the stream can't be written.
pub fn write(findings: &Findings, out: &mut dyn io::Write) -> io::Result<()> {
    let mut entries: Vec<Entry> = findings.problems.iter().map(problem).collect();
    for file in &findings.files {
        let lines = Lines::new(&file.source.text);
        let mut prints = Fingerprints::default();
        let path = file.source.name.strip_prefix("./").unwrap_or(&file.source.name);
        for diagnostic in &file.report.diagnostics {
            let line = &file.source.text[lines.range(lines.line_of(diagnostic.span.start))];
            entries.push(Entry {
                description: machine::message(diagnostic),
                check_name: diagnostic.rule,
                fingerprint: prints.of(path, diagnostic, line),
                severity: severity(diagnostic.severity),
                location: Location {
                    path: path.to_owned(),
                    positions: Positions {
                        begin: lines.position(diagnostic.span.start).into(),
                        end: lines.position(diagnostic.span.end).into(),
                    },
                },
            });
        }
    }
    let mut bytes = serde_json::to_vec_pretty(&entries)?;
    bytes.push(b'\n');
    out.write_all(&bytes)
}

fn problem(problem: &super::FileProblem) -> Entry {
    let text = format!("{}\0{}", problem.path, problem.message);
    let top = || Place { line: 1, column: 1 };
    Entry {
        description: problem.message.clone(),
        check_name: "unreadable",
        fingerprint: mlint_oci::Digest::sha256(text).hex()[..32].to_owned(),
        severity: "blocker",
        location: Location {
            path: problem.path.clone(),
            positions: Positions { begin: top(), end: top() },
        },
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "critical",
        Severity::Warning => "major",
        Severity::Advice => "minor",
        Severity::Note => "info",
    }
}
