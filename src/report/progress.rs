//! Progress of a build, on standard error.

mod board;
mod live;
mod plain;
mod screen;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use mlint_builder::events::{Event, Events, StepInfo};
use serde_json::Value;

pub use screen::clipped;

use crate::commands::build::ProgressMode;

/// Lines of output that are shown when a step fails.
const TAIL: usize = 30;

/// A display of a build's progress.
pub trait Display: Events {
    /// Leaves the terminal as it should be.
    fn close(&self) {}
}

/// The display for a mode, of the build of that Dockerfile.
pub fn display(mode: ProgressMode, color: bool, dockerfile: &str) -> Box<dyn Display> {
    match mode {
        ProgressMode::Tty => Box::new(live::Live::new(color)),
        ProgressMode::Json => Box::new(Json { dockerfile: dockerfile.to_owned() }),
        ProgressMode::Quiet => Box::new(Quiet::default()),
        ProgressMode::Auto | ProgressMode::Plain => Box::new(plain::Plain::default()),
    }
}

/// Nothing but the output of what failed.
#[derive(Default)]
struct Quiet {
    lines: Lines,
    tails: Mutex<BTreeMap<usize, VecDeque<String>>>,
}

impl Events for Quiet {
    fn event(&self, event: Event) {
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Output { step, text, .. } => {
                let tail = tails.entry(step).or_default();
                tail.extend(self.lines.add(step, &text));
                tail.drain(..tail.len().saturating_sub(TAIL));
            }
            Event::Finished { step, .. } => drop(tails.remove(&step)),
            Event::Failed { step } => {
                let rest = self.lines.rest(step);
                tails.remove(&step).into_iter().flatten().chain(rest).for_each(|l| line(&l));
            }
            Event::Warning { text } => line(&format!("warning: {text}")),
            _ => {}
        }
    }
}

impl Display for Quiet {}

/// One JSON object a line.
struct Json {
    dockerfile: String,
}

impl Json {
    fn text(&self, event: &Event) -> Option<String> {
        let mut value = serde_json::to_value(event).ok()?;
        let file = super::lines::Lines::new(&self.dockerfile);
        for step in value.get_mut("steps").and_then(Value::as_array_mut).into_iter().flatten() {
            let start = step["place"][0].as_u64().and_then(|at| u32::try_from(at).ok());
            if let Some(start) = start {
                step["line"] = file.position(start).line.into();
            }
        }
        Some(value.to_string())
    }
}

impl Events for Json {
    fn event(&self, event: Event) {
        if let Some(text) = self.text(&event) {
            line(&text);
        }
    }
}

impl Display for Json {}

/// Writes a line; nobody reading is no reason to stop.
fn line(text: &str) {
    use std::io::Write;
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// What to call a step: its platforms and stage, and whether it is emulated.
fn title(step: &StepInfo) -> String {
    let mut place: Vec<&str> =
        step.platforms.iter().map(|p| p.strip_prefix("linux/").unwrap_or(p)).collect();
    place.push(&step.stage);
    let emulated = if step.emulated.is_some() { " (emulated)" } else { "" };
    format!("[{}]{emulated}", place.join(" "))
}

/// Splits chunks of output into lines, per step.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<(usize, String)>>);

impl Lines {
    /// The lines that a chunk completes.
    fn add(&self, step: usize, text: &str) -> Vec<String> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match open.iter().position(|(number, _)| *number == step) {
            Some(at) => at,
            None => {
                open.push((step, String::new()));
                open.len() - 1
            }
        };
        let rest = &mut open[at].1;
        rest.push_str(text);
        let mut lines = Vec::new();
        while let Some(end) = rest.find('\n') {
            let line: String = rest.drain(..=end).collect();
            lines.push(visible(&line));
        }
        // Somebody who never ends a line must not fill the memory.
        if rest.len() > 64 * 1024 {
            lines.push(visible(&std::mem::take(rest)));
        }
        lines
    }

    /// What is left of a step's output at its end.
    fn rest(&self, step: usize) -> Option<String> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = open.iter().position(|(number, _)| *number == step)?;
        let (_, rest) = open.swap_remove(at);
        Some(visible(&rest)).filter(|rest| !rest.is_empty())
    }
}

/// A line as it would stand on a terminal: what a carriage return overwrites is gone, and no
/// control sequence of the build's reaches the user's terminal.
fn visible(line: &str) -> String {
    let line = line.trim_end_matches(['\n', '\r']);
    let line = line.rsplit('\r').next().unwrap_or(line);
    let text = anstream::adapter::strip_str(line).to_string();
    text.chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_lines() {
        let json = Json { dockerfile: "FROM a\nRUN b\n".to_owned() };
        let step = StepInfo {
            platforms: vec!["linux/arm64".to_owned()],
            stage: "stage-0".to_owned(),
            text: "RUN b".to_owned(),
            place: (7, 12),
            emulated: Some("linux/arm64".to_owned()),
        };
        assert_eq!(
            json.text(&Event::Planned { steps: vec![step] }).unwrap(),
            r#"{"event":"planned","steps":[{"platforms":["linux/arm64"],"stage":"stage-0","text":"RUN b","place":[7,12],"emulated":"linux/arm64","line":2}]}"#
        );
        let text = json.text(&Event::Skipped { step: 3 }).unwrap();
        assert_eq!(text, r#"{"event":"skipped","step":3}"#);
    }

    #[test]
    fn chunks_become_lines() {
        let lines = Lines::default();
        assert_eq!(lines.add(1, "a\nb"), ["a"]);
        assert_eq!(lines.add(2, "x\n"), ["x"]);
        assert_eq!(lines.add(1, "c\r\n10%\r20%\n"), ["bc", "20%"]);
        assert_eq!(lines.add(1, "\x1b[31mred\x1b[0m\x07\nend"), ["red"]);
        assert_eq!(lines.rest(1).as_deref(), Some("end"));
        assert_eq!(lines.rest(1), None);
    }
}
