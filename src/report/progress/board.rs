//! How far a build is: a line for each platform, and one for each step that runs.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use mlint_builder::events::StepInfo;

use super::{TAIL, screen::Line, title};
use crate::report::text::style::one_line;

/// How far a build is.
#[derive(Debug, Default)]
pub struct Board {
    steps: Vec<StepInfo>,
    platforms: Vec<Platform>,
    running: BTreeMap<usize, Running>,
    transfers: BTreeMap<String, Transfer>,
}

#[derive(Debug, Default)]
struct Platform {
    name: String,
    done: usize,
    total: usize,
    failed: bool,
    /// What finished steps took under emulation.
    emulated: Duration,
}

#[derive(Debug)]
struct Running {
    since: Duration,
    tail: VecDeque<String>,
}

#[derive(Debug)]
struct Transfer {
    bytes: u64,
    total: u64,
    up: bool,
}

impl Board {
    /// All steps are known.
    pub fn plan(&mut self, steps: Vec<StepInfo>) {
        // A build that begins again has other numbers.
        self.running.clear();
        self.platforms.clear();
        for step in &steps {
            for name in &step.platforms {
                match self.platforms.iter_mut().find(|p| p.name == *name) {
                    Some(platform) => platform.total += 1,
                    None => {
                        let name = name.clone();
                        self.platforms.push(Platform { name, total: 1, ..Platform::default() });
                    }
                }
            }
        }
        self.steps = steps;
    }

    /// What a step is.
    pub fn step(&self, step: usize) -> Option<&StepInfo> {
        self.steps.get(step)
    }

    /// A step began.
    pub fn start(&mut self, step: usize, now: Duration) {
        self.running.insert(step, Running { since: now, tail: VecDeque::new() });
    }

    /// A step wrote a line.
    pub fn output(&mut self, step: usize, line: String) {
        if let Some(running) = self.running.get_mut(&step) {
            running.tail.push_back(line);
            if running.tail.len() > TAIL {
                running.tail.pop_front();
            }
        }
    }

    /// A step ended; gives the last lines of what it wrote.
    pub fn end(&mut self, step: usize, failed: bool, now: Duration) -> VecDeque<String> {
        let ended = self.running.remove(&step);
        let took = ended.as_ref().map_or(Duration::ZERO, |r| now.saturating_sub(r.since));
        let Some(info) = self.steps.get(step) else { return VecDeque::new() };
        for platform in self.platforms.iter_mut().filter(|p| info.platforms.contains(&p.name)) {
            platform.done += usize::from(!failed);
            platform.failed |= failed;
            if info.emulated.is_some() {
                platform.emulated += took;
            }
        }
        ended.map(|r| r.tail).unwrap_or_default()
    }

    /// Bytes move.
    pub fn transfer(&mut self, name: String, bytes: u64, total: u64, up: bool) {
        match bytes >= total {
            true => drop(self.transfers.remove(&name)),
            false => drop(self.transfers.insert(name, Transfer { bytes, total, up })),
        }
    }

    /// Whether something changes as time goes by.
    pub fn is_busy(&self) -> bool {
        !self.running.is_empty() || !self.transfers.is_empty()
    }

    /// What stands at the bottom, in at most `rows` lines.
    pub fn lines(&self, now: Duration, rows: usize) -> Vec<Line> {
        if !self.is_busy() {
            return Vec::new();
        }
        let wide = self.platforms.iter().map(|p| p.name.len()).max().unwrap_or_default();
        let mut lines: Vec<Line> =
            self.platforms.iter().map(|platform| self.platform(platform, wide, now)).collect();
        lines.extend(self.running.iter().filter_map(|(number, running)| {
            let info = self.steps.get(*number)?;
            let took = now.saturating_sub(running.since).as_secs_f64();
            let text = format!("{took:6.1}s {} {}", title(info), one_line(&info.text));
            let remark = running.tail.back().cloned().unwrap_or_default();
            Some(Line { text, remark })
        }));
        lines.extend(self.transfers.iter().map(|(name, transfer)| {
            let Transfer { bytes, total, up } = transfer;
            let way = if *up { "push" } else { "pull" };
            let (bytes, total) = (*bytes as f64 / 1e6, *total as f64 / 1e6);
            let text = format!("{way} {name}: {bytes:.1} of {total:.1} MB");
            Line { text: format!("        {text}"), remark: String::new() }
        }));
        let hidden = lines.len().saturating_sub(rows);
        if hidden > 0 {
            lines.truncate(rows.saturating_sub(1));
            let text = format!("        and {} more", hidden + 1);
            lines.push(Line { text, remark: String::new() });
        }
        lines
    }

    fn platform(&self, platform: &Platform, wide: usize, now: Duration) -> Line {
        let Platform { name, done, total, failed, emulated } = platform;
        let mut text = format!("{name:<wide$}  {done} of {total} steps");
        let own =
            |number: &usize| self.steps.get(*number).filter(|info| info.platforms.contains(name));
        let mut emulated = *emulated;
        let mut running = 0;
        for (number, step) in &self.running {
            let Some(info) = own(number) else { continue };
            running += 1;
            if info.emulated.is_some() {
                emulated += now.saturating_sub(step.since);
            }
        }
        if !emulated.is_zero() {
            text.push_str(&format!(" · {:.1} s emulated", emulated.as_secs_f64()));
        }
        text.push_str(match (failed, running, done < total) {
            (true, ..) => " · failed",
            (false, 0, true) => " · waits",
            _ => "",
        });
        Line { text, remark: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(platforms: &[&str], stage: &str, text: &str, emulated: bool) -> StepInfo {
        StepInfo {
            platforms: platforms.iter().map(|p| format!("linux/{p}")).collect(),
            stage: stage.to_owned(),
            text: text.to_owned(),
            place: (0, 0),
            emulated: emulated.then(|| format!("linux/{}", platforms[0])),
        }
    }

    fn board() -> Board {
        let mut board = Board::default();
        board.plan(vec![
            step(&["amd64", "arm64"], "src", "COPY . .", false),
            step(&["amd64"], "build", "RUN make", false),
            step(&["arm64"], "build", "RUN make", true),
            step(&["arm64"], "build", "RUN make test", true),
        ]);
        board
    }

    fn shown(board: &Board, seconds: f64, rows: usize) -> String {
        let lines = board.lines(Duration::from_secs_f64(seconds), rows);
        let text = |line: &Line| match line.remark.is_empty() {
            true => format!("{}\n", line.text),
            false => format!("{} | {}\n", line.text, line.remark),
        };
        lines.iter().map(text).collect()
    }

    #[test]
    fn each_platform_has_its_line() {
        let mut board = board();
        let at = Duration::from_secs_f64;
        assert_eq!(shown(&board, 0.0, 9), "", "nothing runs");
        board.end(0, false, at(0.0));
        board.start(1, at(1.0));
        board.start(2, at(1.5));
        board.output(2, "cc a.c".to_owned());
        assert_eq!(
            shown(&board, 3.0, 9),
            "linux/amd64  1 of 2 steps\n\
             linux/arm64  1 of 3 steps · 1.5 s emulated\n   \
             2.0s [amd64 build] RUN make\n   \
             1.5s [arm64 build] (emulated) RUN make | cc a.c\n"
        );
        board.end(1, false, at(4.0));
        assert_eq!(board.end(2, true, at(5.0)), ["cc a.c"]);
        board.transfer("ab12".to_owned(), 500_000, 2_000_000, true);
        assert_eq!(
            shown(&board, 9.0, 9),
            "linux/amd64  2 of 2 steps\n\
             linux/arm64  1 of 3 steps · 3.5 s emulated · failed\n        \
             push ab12: 0.5 of 2.0 MB\n"
        );
        board.transfer("ab12".to_owned(), 2_000_000, 2_000_000, true);
        assert!(!board.is_busy());
    }

    #[test]
    fn a_low_terminal_is_not_overrun() {
        let mut board = board();
        board.start(1, Duration::ZERO);
        board.start(2, Duration::ZERO);
        let low = shown(&board, 1.0, 3);
        assert_eq!(low.lines().count(), 3);
        assert!(low.ends_with("        and 2 more\n"), "{low}");
    }
}
