//! `--format checkstyle`: the XML that Jenkins, SonarQube and reviewdog read.

use std::{fmt::Write as _, io};

use mlint_lint::Severity;

use super::{Findings, lines::Lines, machine};

/// Writes the document.
///
/// # Errors
/// When the stream can't be written.
pub fn write(findings: &Findings, out: &mut dyn io::Write) -> io::Result<()> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str("<checkstyle version=\"8.0\">\n");
    for problem in &findings.problems {
        let _ = write!(
            text,
            "  <file name=\"{}\">\n    <error line=\"1\" severity=\"error\" message=\"{}\" \
             source=\"mlint.unreadable\"/>\n  </file>\n",
            attribute(&problem.path),
            attribute(&problem.message),
        );
    }
    for file in &findings.files {
        let lines = Lines::new(&file.source.text);
        let _ = writeln!(text, "  <file name=\"{}\">", attribute(&file.source.name));
        for diagnostic in &file.report.diagnostics {
            let at = lines.position(diagnostic.span.start);
            let _ = writeln!(
                text,
                "    <error line=\"{}\" column=\"{}\" severity=\"{}\" message=\"{}\" \
                 source=\"mlint.{}\"/>",
                at.line,
                at.column,
                severity(diagnostic.severity),
                attribute(&machine::message(diagnostic)),
                diagnostic.rule,
            );
        }
        text.push_str("  </file>\n");
    }
    text.push_str("</checkstyle>\n");
    out.write_all(text.as_bytes())
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice | Severity::Note => "info",
    }
}

/// Escaped for an attribute; characters that no XML 1.0 document may hold become U+FFFD.
fn attribute(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", c as u32);
            }
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
