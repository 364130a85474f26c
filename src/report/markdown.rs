//! `--format markdown`: for a job's summary or a comment in a pull request.

use std::{fmt::Write as _, io};

use mlint_lint::{Diagnostic, Severity, Verdict};

use super::{FileReport, Findings, lines::Lines, machine, text::summary::number};

/// Writes a section per file: verdicts, then findings.
///
/// # Errors
/// When the stream can't be written.
pub fn write(findings: &Findings, out: &mut dyn io::Write) -> io::Result<()> {
    let mut text = String::from("# mlint\n\n");
    let total = findings.files.iter().map(|f| f.report.diagnostics.len()).sum::<usize>();
    let counts: Vec<String> =
        [Severity::Error, Severity::Warning, Severity::Advice, Severity::Note]
            .into_iter()
            .map(|severity| (findings.count(severity), severity))
            .filter(|(count, _)| *count > 0)
            .map(|(count, severity)| match severity {
                Severity::Advice => format!("{count} advice"),
                other => number(count, other.as_str()),
            })
            .collect();
    let files = findings.files.len();
    let counts = if total == 0 { "No findings".to_owned() } else { counts.join(", ") };
    let _ = writeln!(text, "{counts} in {}.", number(files, "file"));
    for problem in &findings.problems {
        let _ = writeln!(text, "\n> **{}**: {}", code(&problem.path), prose(&problem.message));
    }
    for file in &findings.files {
        let all_ok = file.report.verdicts.iter().all(|v| v.verdict == Verdict::Ok);
        if files == 1 || !all_ok || !file.report.diagnostics.is_empty() {
            section(&mut text, file);
        }
    }
    out.write_all(text.as_bytes())
}

fn section(text: &mut String, file: &FileReport) {
    let _ = writeln!(text, "\n## {}\n", code(&file.source.name));
    text.push_str("| platform | verdict | emulated steps |\n|---|---|---|\n");
    for verdict in &file.report.verdicts {
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            verdict.platform,
            verdict.verdict.as_str(),
            verdict.emulated_steps
        );
    }
    if file.report.diagnostics.is_empty() {
        return;
    }
    text.push_str("\n| line | severity | rule | what |\n|---|---|---|---|\n");
    let lines = Lines::new(&file.source.text);
    for diagnostic in &file.report.diagnostics {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            lines.position(diagnostic.span.start).line,
            diagnostic.severity,
            code(diagnostic.rule),
            prose(&what(diagnostic)),
        );
    }
}

fn what(diagnostic: &Diagnostic) -> String {
    let text = machine::message(diagnostic);
    match machine::repair(diagnostic) {
        Some(repair) => format!("{text}. {repair}"),
        None => text,
    }
}

/// A code span in a table's cell. A text with backticks needs a longer fence.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    match text.contains('`') {
        true => format!("`` {text} ``"),
        false => format!("`{text}`"),
    }
}

/// Text in a table's cell. Code spans (between backticks) stay; elsewhere, what Markdown or HTML
/// would take for markup is escaped.
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let balanced = text.matches('`').count().is_multiple_of(2);
    let mut in_code = false;
    for c in text.chars() {
        match c {
            '`' if balanced => {
                in_code = !in_code;
                out.push(c);
            }
            '|' => out.push_str("\\|"),
            '\n' | '\r' => out.push(' '),
            '<' if !in_code => out.push_str("&lt;"),
            '&' if !in_code => out.push_str("&amp;"),
            '*' | '_' | '[' | ']' | '\\' | '`' if !in_code => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
