//! A live display: what is done scrolls by; at the bottom stands how far each platform is, and what
//! runs, with its last line of output.

use std::{
    io::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mlint_builder::events::{Event, Events};

use super::{Display, Lines, board::Board, screen::Screen, title};
use crate::report::text::style::one_line;

/// How often the clocks move on.
const TICK: Duration = Duration::from_millis(100);

/// The live display.
pub struct Live {
    shared: Arc<Shared>,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    stop: Condvar,
    lines: Lines,
    start: Instant,
    color: bool,
}

#[derive(Default)]
struct State {
    board: Board,
    screen: Screen,
    stopped: bool,
}

impl Live {
    /// A display on standard error.
    pub fn new(color: bool) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            stop: Condvar::new(),
            lines: Lines::default(),
            start: Instant::now(),
            color,
        });
        let ticking = shared.clone();
        let ticker = std::thread::spawn(move || ticking.tick());
        Self { shared, ticker: Mutex::new(Some(ticker)) }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick(&self) {
        let mut state = self.state();
        while !state.stopped {
            state = self.stop.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
            if !state.stopped && state.board.is_busy() {
                self.draw(&mut state, &[]);
            }
        }
    }

    /// Lets lines scroll by, and draws what stays.
    fn draw(&self, state: &mut State, above: &[String]) {
        let (columns, rows) = size();
        let stay = state.board.lines(self.start.elapsed(), rows.saturating_sub(2).max(1));
        let out = state.screen.update(above, &stay, columns, self.color);
        // A terminal that is gone is no reason to stop.
        let _ = std::io::stderr().lock().write_all(out.as_bytes());
    }

    /// Ends a step: what became of it goes to the lines that scroll by.
    fn end(&self, step: usize, what: &str, failed: bool) {
        let rest = self.lines.rest(step);
        let mut state = self.state();
        let mut tail = state.board.end(step, failed, self.start.elapsed());
        tail.extend(rest);
        let Some(info) = state.board.step(step) else { return };
        let mut above = vec![format!("{what} {} {}", title(info), one_line(&info.text))];
        if failed {
            above.extend(tail.into_iter().map(|line| format!("    {line}")));
        }
        self.draw(&mut state, &above);
    }
}

impl Events for Live {
    fn event(&self, event: Event) {
        let shared = &self.shared;
        let now = shared.start.elapsed();
        match event {
            Event::Planned { steps } => shared.state().board.plan(steps),
            Event::Started { step } => shared.state().board.start(step, now),
            Event::Output { step, text, .. } => {
                let lines = shared.lines.add(step, &text);
                let mut state = shared.state();
                lines.into_iter().for_each(|line| state.board.output(step, line));
            }
            Event::Cached { step } => shared.end(step, " cached", false),
            Event::Finished { step, seconds } => {
                shared.end(step, &format!("{seconds:6.1}s"), false);
            }
            Event::Failed { step } => shared.end(step, " failed", true),
            // The summary counts them.
            Event::Skipped { .. } => {}
            Event::Transfer { name, bytes, total, up } => {
                shared.state().board.transfer(name, bytes, total, up);
            }
            Event::Note { text } => shared.draw(&mut shared.state(), &[one_line(&text)]),
            Event::Warning { text } => {
                let text = format!("warning: {}", one_line(&text));
                shared.draw(&mut shared.state(), &[text]);
            }
        }
    }
}

impl Display for Live {
    fn close(&self) {
        {
            let mut state = self.shared.state();
            if state.stopped {
                return;
            }
            state.stopped = true;
            let out = state.screen.update(&[], &[], size().0, self.shared.color);
            let _ = std::io::stderr().lock().write_all(out.as_bytes());
        }
        self.shared.stop.notify_all();
        let ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ticker) = ticker {
            let _ = ticker.join();
        }
    }
}

/// Columns and rows of the terminal; 80 and 24 where there is none.
fn size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let known = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}
