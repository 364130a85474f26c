//! One line for everything that happens.

use std::sync::{Mutex, PoisonError};

use mlint_builder::events::{Event, Events, StepInfo};

use super::{Display, Lines, line, title};

/// One line for everything that happens.
#[derive(Default)]
pub struct Plain {
    steps: Mutex<Vec<StepInfo>>,
    lines: Lines,
}

impl Plain {
    fn step(&self, number: usize) -> Option<StepInfo> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).get(number).cloned()
    }

    fn named(&self, number: usize) -> String {
        match self.step(number) {
            Some(step) => format!("#{} {} {}", number + 1, title(&step), step.text),
            None => format!("#{}", number + 1),
        }
    }

    fn flush(&self, number: usize) {
        if let Some(rest) = self.lines.rest(number) {
            line(&format!("#{} {rest}", number + 1));
        }
    }
}

impl Events for Plain {
    fn event(&self, event: Event) {
        match event {
            Event::Planned { steps } => {
                *self.steps.lock().unwrap_or_else(PoisonError::into_inner) = steps;
            }
            Event::Cached { step } => line(&format!("{} · cached", self.named(step))),
            Event::Started { step } => line(&self.named(step)),
            Event::Output { step, text, .. } => {
                for text in self.lines.add(step, &text) {
                    line(&format!("#{} {text}", step + 1));
                }
            }
            Event::Finished { step, seconds } => {
                self.flush(step);
                let emulated = self.step(step).and_then(|s| s.emulated);
                let emulated = emulated.map_or("", |_| ", emulated");
                line(&format!("#{} done, {seconds:.1} s{emulated}", step + 1));
            }
            Event::Failed { step } => {
                self.flush(step);
                line(&format!("#{} failed", step + 1));
            }
            Event::Skipped { step } => line(&format!("{} · left out", self.named(step))),
            Event::Transfer { name, bytes, total, up } if bytes == total => {
                let what = if up { "pushed" } else { "pulled" };
                line(&format!("{what} layer {name}, {:.1} MB", total as f64 / 1e6));
            }
            Event::Transfer { .. } => {}
            Event::Note { text } => line(&text),
            Event::Warning { text } => line(&format!("warning: {text}")),
        }
    }
}

impl Display for Plain {}
