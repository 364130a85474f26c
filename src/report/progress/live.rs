//! A live display: what is done scrolls by, what runs stands at the bottom with its last line of
//! output.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mlint_builder::events::{Event, Events, StepInfo};

use super::{Display, Lines, TAIL, title};

/// The live display.
pub struct Live {
    bars: MultiProgress,
    state: Mutex<State>,
    lines: Lines,
}

#[derive(Default)]
struct State {
    steps: Vec<StepInfo>,
    running: BTreeMap<usize, (ProgressBar, VecDeque<String>)>,
    transfers: BTreeMap<String, ProgressBar>,
}

impl Live {
    /// A display on standard error.
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            state: Mutex::new(State::default()),
            lines: Lines::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, text: &str) {
        // A terminal that is gone is no reason to stop.
        let _ = self.bars.println(text);
    }

    fn bar(&self, template: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    fn output(&self, step: usize, text: &str) {
        let lines = self.lines.add(step, text);
        let mut state = self.state();
        let Some((bar, tail)) = state.running.get_mut(&step) else { return };
        for line in lines {
            bar.set_message(line.clone());
            tail.push_back(line);
            if tail.len() > TAIL {
                tail.pop_front();
            }
        }
    }

    /// Ends a step: what became of it goes to the lines that scroll by.
    fn end(&self, step: usize, what: &str, with_output: bool) {
        let rest = self.lines.rest(step);
        let (info, ended) = {
            let mut state = self.state();
            (state.steps.get(step).cloned(), state.running.remove(&step))
        };
        let Some(info) = info else { return };
        let mut tail = VecDeque::new();
        if let Some((bar, output)) = ended {
            bar.finish_and_clear();
            tail = output;
        }
        tail.extend(rest);
        self.say(&format!("{what} {} {}", title(&info), info.text));
        if with_output {
            for line in tail {
                self.say(&format!("    {line}"));
            }
        }
    }
}

impl Events for Live {
    fn event(&self, event: Event) {
        match event {
            Event::Planned { steps } => self.state().steps = steps,
            Event::Started { step } => {
                let bar = self.bar("{spinner} {elapsed:>4} {prefix} {wide_msg:.dim}");
                let mut state = self.state();
                if let Some(info) = state.steps.get(step) {
                    bar.set_prefix(format!("{} {}", title(info), info.text));
                }
                state.running.insert(step, (bar, VecDeque::new()));
            }
            Event::Output { step, text, .. } => self.output(step, &text),
            Event::Cached { step } => self.end(step, " cached", false),
            Event::Finished { step, seconds } => self.end(step, &format!("{seconds:6.1}s"), false),
            Event::Failed { step } => self.end(step, " failed", true),
            Event::Transfer { name, bytes, total, up } => {
                let mut state = self.state();
                if bytes >= total {
                    if let Some(bar) = state.transfers.remove(&name) {
                        bar.finish_and_clear();
                    }
                    return;
                }
                let bar = state.transfers.entry(name.clone()).or_insert_with(|| {
                    let way = if up { "push" } else { "pull" };
                    let bar = self.bar("{spinner} {elapsed:>4} {prefix} {bytes} of {total_bytes}");
                    bar.set_prefix(format!("{way} {name}"));
                    bar.set_length(total);
                    bar
                });
                bar.set_position(bytes);
            }
            Event::Note { text } => self.say(&text),
            Event::Warning { text } => self.say(&format!("warning: {text}")),
        }
    }
}

impl Display for Live {
    fn close(&self) {
        let _ = self.bars.clear();
    }
}
