//! What stands at the end: the verdict for each platform, and the counts.

use std::fmt::Write;

use mlint_lint::{Applicability, PlatformVerdict, Severity, Verdict};

use super::{
    super::{Findings, Layout},
    style::{self, Paint, one_line, width},
};

/// The verdicts, per file; files that are right on all platforms are only counted if there are
/// several.
pub fn verdicts(findings: &Findings, layout: Layout) -> String {
    let mut out = String::new();
    let paint = Paint(layout.color);
    let several = findings.files.len() > 1;
    let column = findings.platforms.iter().map(|p| p.to_string().len()).max().unwrap_or(0);
    let mut fine = 0;
    for file in &findings.files {
        let verdicts = &file.report.verdicts;
        if several && verdicts.iter().all(|v| v.verdict == Verdict::Ok) {
            fine += 1;
            continue;
        }
        let _ = writeln!(out, "{}", paint.strong(&one_line(&file.source.name)));
        for verdict in verdicts {
            row(&mut out, paint, verdict, column);
        }
    }
    if several && fine > 0 {
        let others = if fine < findings.files.len() { "other " } else { "" };
        let _ = writeln!(out, "{}: ok on all platforms", number(fine, &format!("{others}file")));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

fn row(out: &mut String, paint: Paint, verdict: &PlatformVerdict, column: usize) {
    let platform = verdict.platform.to_string();
    let pad = " ".repeat(column.saturating_sub(width(&platform)));
    let word = verdict.verdict.as_str();
    let _ = write!(out, "  {platform}{pad}  {}", paint.with(style::verdict(verdict.verdict), word));
    if verdict.emulated_steps > 0 {
        let pad = " ".repeat("wrong-binary".len().saturating_sub(word.len()));
        let steps = number(verdict.emulated_steps, "RUN step");
        let _ = write!(out, "{pad}  {steps} under emulation");
    }
    out.push('\n');
}

/// "3 errors, 1 warning in 2 files; 2 fixable with `mlint fix`".
pub fn counts(findings: &Findings, layout: Layout) -> String {
    let paint = Paint(layout.color);
    let files = findings.files.len();
    if files == 0 {
        return String::new();
    }
    let severities =
        [Severity::Error, Severity::Warning, Severity::Advice, Severity::Note].into_iter();
    let parts: Vec<String> = severities
        .filter_map(|severity| {
            let count = findings.count(severity);
            (count > 0).then(|| match severity {
                Severity::Advice => format!("{count} advice"),
                other => number(count, other.as_str()),
            })
        })
        .collect();
    if parts.is_empty() {
        return format!("{} in {}\n", paint.strong("no findings"), number(files, "file"));
    }
    let with = findings.files.iter().filter(|f| !f.report.diagnostics.is_empty()).count();
    let place =
        if with < files { format!("{with} of {files} files") } else { number(files, "file") };
    let mut line = format!("{} in {place}", paint.strong(&parts.join(", ")));
    let safe = findings.fixable(Applicability::Safe);
    let by_look = findings.fixable(Applicability::Unsafe);
    if safe > 0 {
        let _ = write!(line, "; {safe} fixable with `mlint fix`");
    }
    if by_look > 0 {
        let more = if safe > 0 { " more" } else { "" };
        let _ = write!(line, "; {by_look}{more} fixable with `mlint fix --unsafe`");
    }
    line.push('\n');
    line
}

/// "1 file", "2 files", "2 fixes".
pub fn number(count: usize, thing: &str) -> String {
    let ending = match thing {
        _ if count == 1 => "",
        _ if thing.ends_with('x') => "es",
        _ => "s",
    };
    format!("{count} {thing}{ending}")
}
