//! Shows why a command failed, at the line if one is to blame.

use std::io::Write;

use mlint_builder::request::{Failure, Remark};
use mlint_lint::Severity;
use mlint_syntax::Span;

use super::{
    Layout,
    lines::Lines,
    text::{
        snippet::{self, Frame, Mark},
        style,
    },
};

/// Says why nothing could be done.
pub fn say(message: &str) {
    let (related, notes) = (Vec::new(), Vec::new());
    let message = message.to_owned();
    show("", "", &Failure { message, place: None, related, notes, interrupted: false });
}

/// Shows what should be looked at.
pub fn warn(file: &str, text: &str, remark: &Remark) {
    let Remark { message, place, notes } = remark.clone();
    let (related, interrupted) = (Vec::new(), false);
    let as_failure = Failure { message, place, related, notes, interrupted };
    let layout = Layout::of(&std::io::stderr());
    let out = render(file, text, &as_failure, Severity::Warning, layout);
    let _ = std::io::stderr().lock().write_all(out.as_bytes());
}

/// Shows a failed build.
pub fn show(file: &str, text: &str, failed: &Failure) {
    let out = render(file, text, failed, Severity::Error, Layout::of(&std::io::stderr()));
    // If nobody listens there, nothing is to be done about it.
    let _ = std::io::stderr().lock().write_all(out.as_bytes());
}

fn render(file: &str, text: &str, failed: &Failure, severity: Severity, layout: Layout) -> String {
    let mut out = String::new();
    let mut said = failed.message.lines();
    let error = style::severity(severity);
    let head = if severity == Severity::Error { "error" } else { "warning" };
    snippet::title(&mut out, layout, head, error, said.next().unwrap_or_default());
    let notes = said.chain(failed.notes.iter().flat_map(|note| note.lines()));
    let Some((start, end)) = failed.place else {
        for note in notes {
            out.push_str(&format!("  {}\n", style::one_line(note)));
        }
        return out;
    };
    let lines = Lines::new(text);
    let primary = Mark { span: Span::new(start, end), text: "", style: error, primary: true };
    let related = failed.related.iter().map(|((start, end), text)| Mark {
        span: Span::new(*start, *end),
        text,
        style: snippet::related(),
        primary: false,
    });
    let marks: Vec<Mark<'_>> = std::iter::once(primary).chain(related).collect();
    let frame = Frame::new(layout, &lines, &marks);
    frame.source(&mut out, file, &lines, &marks);
    for note in notes {
        frame.remark(&mut out, note);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_to_blame_is_shown_with_what_explains_it() {
        let text = "FROM a\nRUN false\n";
        let failed = Failure {
            message: "the step failed\nits last words".into(),
            place: Some((7, 16)),
            related: vec![((0, 6), "in this stage".into())],
            notes: vec!["exit status 1".into()],
            interrupted: false,
        };
        let layout = Layout { width: 80, color: false };
        let out = render("D", text, &failed, Severity::Error, layout);
        assert_eq!(
            out,
            "error: the step failed\n --> D:2:1\n  |\n1 | FROM a\n  | ------ in this stage\n\
             2 | RUN false\n  | ^^^^^^^^^\n  |\n  = its last words\n  = exit status 1\n"
        );
    }
}
