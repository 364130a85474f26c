//! What is said on standard error. If nobody listens there, nothing is to be done about it.

use std::io::Write;

use anstyle::{AnsiColor, Style};

/// Something that keeps the job from being done.
pub fn error(message: &str) {
    say("error", AnsiColor::Red.on_default().bold(), message);
}

/// Something that is worth knowing.
pub fn note(message: &str) {
    say("note", AnsiColor::Green.on_default().bold(), message);
}

/// A line as it is.
pub fn line(text: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

fn say(head: &str, style: Style, message: &str) {
    let _ = writeln!(anstream::stderr().lock(), "{style}{head}{style:#}: {message}");
}
