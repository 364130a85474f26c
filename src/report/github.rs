//! `--format github`: workflow commands that become annotations in a pull request.
//!
//! Shape: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>. The
//! runner ends a property at `,` and a command at a line end, so both are escaped.

use std::io;

use mlint_lint::Severity;

use super::{Findings, lines::Lines, machine};

/// Writes a line per finding.
///
/// # Errors
/// When the stream can't be written.
pub fn write(findings: &Findings, out: &mut dyn io::Write) -> io::Result<()> {
    for problem in &findings.problems {
        writeln!(
            out,
            "::error file={},title=mlint::{}",
            property(&problem.path),
            data(&problem.message)
        )?;
    }
    for file in &findings.files {
        let lines = Lines::new(&file.source.text);
        for diagnostic in &file.report.diagnostics {
            let (start, end) =
                (lines.position(diagnostic.span.start), lines.position(diagnostic.span.end));
            // Columns count only within one line.
            let columns = match start.line == end.line {
                true => format!(",col={},endColumn={}", start.column, end.column),
                false => String::new(),
            };
            let mut text = machine::message(diagnostic);
            if let Some(repair) = machine::repair(diagnostic) {
                text = format!("{text}\n{repair}");
            }
            writeln!(
                out,
                "::{} file={},line={},endLine={}{columns},title={}::{}",
                level(diagnostic.severity),
                property(&file.source.name),
                start.line,
                end.line,
                property(&format!("mlint {}", diagnostic.rule)),
                data(&text),
            )?;
        }
    }
    Ok(())
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice | Severity::Note => "notice",
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
