//! Shows why a command failed, at the line if one is to blame.

use std::io::Write;

use codespan_reporting::{
    diagnostic::{Diagnostic, Label},
    files::SimpleFile,
    term,
};
use mlint_builder::request::Failure;

/// Says why nothing could be done.
pub fn say(message: &str) {
    let mut err = anstream::stderr().lock();
    let style = anstyle::AnsiColor::Red.on_default().bold();
    let _ = writeln!(err, "{style}error{style:#}: {message}");
}

/// Shows a failed build.
pub fn show(file: &str, text: &str, failed: &Failure) {
    let Some((start, end)) = failed.place else {
        say(&failed.message);
        for note in &failed.notes {
            let _ = writeln!(anstream::stderr().lock(), "  {note}");
        }
        return;
    };
    let mut lines = failed.message.lines();
    let message = lines.next().unwrap_or_default();
    let mut notes: Vec<String> = lines.map(str::to_owned).collect();
    notes.extend(failed.notes.iter().cloned());
    let range = |start: u32, end: u32| {
        // Of an instruction over many lines the first is enough.
        let (start, end) = ((start as usize).min(text.len()), (end as usize).min(text.len()));
        let line_end = text[start..end].find('\n').map_or(end, |at| start + at);
        start..line_end
    };
    let mut labels = vec![Label::primary((), range(start, end))];
    for ((start, end), text) in &failed.related {
        labels.push(Label::secondary((), range(*start, *end)).with_message(text));
    }
    let diagnostic =
        Diagnostic::error().with_message(message).with_labels(labels).with_notes(vec![notes.join("\n")]);
    let config = term::Config::default();
    let files = SimpleFile::new(file, text);
    let mut err = anstream::stderr().lock();
    if term::emit_to_io_write(&mut err, &config, &files, &diagnostic).is_err() {
        let _ = writeln!(err, "error: {file}: {}", failed.message);
    }
}
