//! `--format text`: for people.

pub mod snippet;
pub mod style;
pub mod summary;

use std::io;

use mlint_lint::{Applicability, Confidence, Diagnostic, Effect};

use self::snippet::{Frame, Mark};
use super::{FileReport, Findings, Layout, lines::Lines};

/// Writes all findings with their source, the verdicts and a line that sums up.
///
/// # Errors
/// When the stream can't be written.
pub fn write(findings: &Findings, layout: Layout, out: &mut dyn io::Write) -> io::Result<()> {
    for file in &findings.files {
        out.write_all(file_findings(file, layout).as_bytes())?;
    }
    out.write_all(summary::verdicts(findings, layout).as_bytes())?;
    out.write_all(summary::counts(findings, layout).as_bytes())
}

fn file_findings(file: &FileReport, layout: Layout) -> String {
    let mut out = String::new();
    if file.report.diagnostics.is_empty() {
        return out;
    }
    let lines = Lines::new(&file.source.text);
    for diagnostic in &file.report.diagnostics {
        finding(&mut out, diagnostic, &file.source.name, &lines, layout);
        out.push('\n');
    }
    out
}

fn finding(
    out: &mut String,
    diagnostic: &Diagnostic,
    name: &str,
    lines: &Lines<'_>,
    layout: Layout,
) {
    let style = style::severity(diagnostic.severity);
    let head = format!("{}[{}]", diagnostic.severity, diagnostic.rule);
    snippet::title(out, layout, &head, style, &diagnostic.message);
    let label = diagnostic.label.as_deref().unwrap_or_default();
    let primary = Mark { span: diagnostic.span, text: label, style, primary: true };
    let related = diagnostic.related.iter().map(|r| Mark {
        span: r.span,
        text: &r.message,
        style: snippet::related(),
        primary: false,
    });
    let marks: Vec<Mark<'_>> = std::iter::once(primary).chain(related).collect();
    let frame = Frame::new(layout, lines, &marks);
    frame.source(out, name, lines, &marks);
    let platforms: Vec<String> = diagnostic.platforms.iter().map(ToString::to_string).collect();
    frame.note(out, &platforms.join(", "), &outlook(diagnostic));
    if let Some(help) = &diagnostic.help {
        frame.note(out, "help", help);
    }
    for fix in &diagnostic.fixes {
        let (name, title) = ("fix available", &fix.title);
        let text = match (fix.applicability, &fix.caution) {
            (Applicability::Safe, _) => format!("{title} (safe)"),
            _ if fix.together => format!("{title} (safe together with the file's other fixes)"),
            (Applicability::Unsafe, Some(why)) => format!("{title} (needs --unsafe: {why})"),
            (Applicability::Unsafe, None) => format!("{title} (needs --unsafe: look at it)"),
            (Applicability::Display, Some(why)) => format!("{title} (by hand: {why})"),
            (Applicability::Display, None) => format!("{title} (by hand)"),
        };
        frame.note(out, name, &text);
    }
}

fn outlook(diagnostic: &Diagnostic) -> String {
    let effect = match diagnostic.effect {
        Effect::BuildFails => "the build fails",
        Effect::WrongBinary => "the image holds a binary of another machine",
        Effect::Emulated => "the step runs under emulation",
        // Nothing to be sure or unsure of.
        Effect::Latent => return "nothing breaks yet".to_owned(),
    };
    match diagnostic.confidence {
        Confidence::High => effect.to_owned(),
        Confidence::Medium => format!("probably, {effect}"),
        Confidence::Low => format!("perhaps, {effect}"),
    }
}
