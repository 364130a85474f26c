//! The trace for people: what is the same on all platforms once, what differs per platform.

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Style};
use mlint_model::Evaluation;

use super::{
    Selection, Traced,
    fold::fold,
    merge::{Merged, merge},
    rows::{Row, Rows, Teller, stage_name},
    words::Note,
};
use crate::report::{
    Layout, counted,
    lines::Lines,
    text::style::{Paint, one_line, width},
};

/// More programs than this are counted only.
const PROGRAMS: usize = 12;

/// The trace of one file.
pub fn render(traced: &Traced<'_>, selection: &Selection, layout: Layout) -> String {
    let lines = Lines::new(traced.text);
    let teller = Teller {
        file: traced.file,
        lines: &lines,
        compared: traced.evaluations.len() > 1,
        all_ways: selection.variable.is_some(),
    };
    let platforms: Vec<String> =
        traced.evaluations.iter().map(|e| e.platform.to_string()).collect();
    let number = (lines.line_of(u32::MAX) + 1).to_string().len().max(4);
    let label = platforms.iter().map(|p| p.len()).max().unwrap_or(0);
    let mut printer = Printer {
        out: String::new(),
        layout,
        paint: Paint(layout.color),
        lines: &lines,
        platforms,
        number,
        label,
    };
    printer.title(traced);
    let told: Vec<Rows> = traced.evaluations.iter().map(|e| teller.tell(e)).collect();
    printer.sections(traced, told, selection);
    printer.summary(traced, selection);
    printer.out
}

struct Printer<'t> {
    out: String,
    layout: Layout,
    paint: Paint,
    lines: &'t Lines<'t>,
    platforms: Vec<String>,
    /// Columns of a line's number.
    number: usize,
    /// Columns of the longest platform.
    label: usize,
}

fn dim() -> Style {
    Style::new().dimmed()
}

fn wrong() -> Style {
    AnsiColor::Red.on_default().bold()
}

impl Printer<'_> {
    fn title(&mut self, traced: &Traced<'_>) {
        let build = traced.evaluations.first().map(|e| &e.build_platform);
        let build = build.map_or(String::new(), |b| format!(", built on {b}"));
        let text = format!("{} for {}{build}", one_line(traced.name), listed(&self.platforms));
        for line in fold(&text, self.layout.width, self.layout.width) {
            self.out.push_str(&format!("{}\n", self.paint.strong(&line)));
        }
    }

    fn sections(&mut self, traced: &Traced<'_>, told: Vec<Rows>, selection: &Selection) {
        let Some(first) = traced.evaluations.first() else { return };
        let stages = first.stages.len();
        let mut parts: Vec<Vec<Vec<Row>>> = (0..stages + 2).map(|_| Vec::new()).collect();
        for rows in told {
            parts[0].push(rows.globals);
            for (at, stage) in rows.stages.into_iter().enumerate() {
                parts[at + 1].push(stage);
            }
            parts[stages + 1].push(rows.image);
        }
        let wanted = selection.stages(traced);
        for (at, lists) in parts.into_iter().enumerate() {
            let stage = at.checked_sub(1).filter(|s| *s < stages);
            let is_wanted = match (&wanted, stage) {
                (None, _) => true,
                (Some(wanted), Some(stage)) => wanted.contains(&stage),
                (Some(wanted), None) => {
                    at > stages && first.target.is_some_and(|t| wanted.contains(&t))
                }
            };
            if !is_wanted {
                continue;
            }
            let merged: Vec<Merged> =
                merge(lists).into_iter().filter(|m| selection.wants(m, self.lines)).collect();
            if merged.is_empty() && (selection.is_narrow() || stage.is_none()) {
                continue;
            }
            self.heading(traced, stage, at == 0);
            let merged =
                if selection.all || selection.is_narrow() { merged } else { collapsed(merged) };
            for row in &merged {
                self.row(row);
            }
        }
    }

    fn heading(&mut self, traced: &Traced<'_>, stage: Option<usize>, globals: bool) {
        let Some(first) = traced.evaluations.first() else { return };
        let text = match stage {
            Some(index) => {
                let stages = &first.stages;
                let start = self.lines.line_of(stages[index].span.start) + 1;
                let end = stages[index].steps.last().map_or(stages[index].span, |s| s.span);
                let end = self.lines.line_of(end.end.saturating_sub(1)) + 1;
                let name = stage_name(stages, index);
                let name = if name.starts_with("stage ") {
                    format!("Stage{}", &name[5..])
                } else {
                    format!("Stage {name}")
                };
                let role =
                    if first.target == Some(index) { ", which becomes the image" } else { "" };
                match start >= end {
                    true => format!("{name}, line {start}{role}"),
                    false => format!("{name}, lines {start}–{end}{role}"),
                }
            }
            None if globals => "Before the first stage".to_owned(),
            None => "Files that this brings into the image".to_owned(),
        };
        self.out.push('\n');
        for line in fold(&text, self.layout.width, self.layout.width) {
            self.out.push_str(&format!("{}\n", self.paint.strong(&line)));
        }
    }

    fn row(&mut self, merged: &Merged) {
        let Some(any) = merged.any() else { return };
        let common = common_notes(merged);
        if merged.is_same() && merged.cells.iter().flatten().all(|r| r.notes.len() == common.len())
        {
            let inline = common.first().filter(|n| n.text.is_empty() && common.len() == 1);
            match inline {
                Some(note) => self.entry(any, &format!("{} {}", any.text, note.way)),
                None => {
                    self.entry(any, &any.text);
                    self.notes(&common, self.number + 4);
                }
            }
            return;
        }
        let head_is_same = merged.cells.iter().flatten().all(|r| r.head == any.head);
        self.entry(&Row { wrong: false, ..any.clone() }, "");
        let mut done: Vec<usize> = Vec::new();
        for (at, cell) in merged.cells.iter().enumerate() {
            let Some(row) = cell.as_ref().filter(|_| !done.contains(&at)) else { continue };
            let alike = |other: &Option<Row>| {
                other.as_ref().is_some_and(|o| {
                    o.text == row.text
                        && o.head == row.head
                        && o.wrong == row.wrong
                        && o.notes == row.notes
                })
            };
            let group: Vec<usize> =
                (at..merged.cells.len()).filter(|i| alike(&merged.cells[*i])).collect();
            let mut text = match head_is_same {
                true => row.text.clone(),
                false => format!("{} {}", row.head, row.text),
            };
            let line = |row: &Row| row.span.map(|s| self.lines.line_of(s.start) + 1);
            if let (Some(here), true) = (line(row), line(row) != line(any)) {
                text.push_str(&format!(" (line {here})"));
            }
            let mut own = match common.len() == row.notes.len() {
                true => Vec::new(),
                false => row.notes.clone(),
            };
            if let ([note], true) = (&own[..], own.first().is_some_and(|n| n.text.is_empty())) {
                text.push_str(&format!(" {}", note.way));
                own.clear();
            }
            self.cell(&group, &text, row.wrong);
            if merged.cells.iter().any(Option::is_none) {
                own.extend(row.because.iter().map(Note::said));
            }
            self.notes(&own, self.number + 6);
            done.extend(group);
        }
        self.notes(&common, self.number + 4);
    }

    /// `   12  download …`.
    fn entry(&mut self, row: &Row, text: &str) {
        let line = row.span.map(|s| (self.lines.line_of(s.start) + 1).to_string());
        let line = format!("{:>w$}", line.unwrap_or_default(), w = self.number);
        let indent = self.number + 2;
        let mark = if row.wrong { "✗ " } else { "" };
        let all = match text.is_empty() {
            true => format!("{mark}{}", row.head),
            false => format!("{mark}{} {text}", row.head),
        };
        let room = self.layout.width.saturating_sub(indent);
        for (at, part) in fold(&all, room, room.saturating_sub(2)).iter().enumerate() {
            let painted = self.headed(part, if at == 0 { &row.head } else { "" }, row.wrong);
            match at {
                0 => self.out.push_str(&format!("{}  {painted}\n", self.paint.frame(&line))),
                _ => self.out.push_str(&format!("{}{painted}\n", " ".repeat(indent + 2))),
            }
        }
    }

    /// A line whose head stands out.
    fn headed(&self, line: &str, head: &str, is_wrong: bool) -> String {
        match line.strip_prefix(head) {
            _ if is_wrong => self.paint.with(wrong(), line).to_string(),
            Some(rest) if !head.is_empty() => format!("{}{rest}", self.paint.strong(head)),
            _ => line.to_owned(),
        }
    }

    fn cell(&mut self, group: &[usize], text: &str, is_wrong: bool) {
        let names: Vec<&str> = group.iter().map(|i| self.platforms[*i].as_str()).collect();
        let names = names.join(", ");
        let indent = self.number + 4;
        let column = indent + self.label + 2;
        let room = self.layout.width.saturating_sub(column);
        let text = if is_wrong { format!("✗ {text}") } else { text.to_owned() };
        let cyan = AnsiColor::Cyan.on_default();
        // Many platforms stand on lines of their own.
        let alone = names.len() > self.label;
        if alone {
            for line in fold(&names, self.layout.width - indent, self.layout.width - indent) {
                self.out.push_str(&format!(
                    "{}{}\n",
                    " ".repeat(indent),
                    self.paint.with(cyan, &line)
                ));
            }
        }
        for (at, part) in fold(&text, room, room.saturating_sub(2)).iter().enumerate() {
            let label = if at == 0 && !alone { names.as_str() } else { "" };
            let label = format!("{label:<w$}", w = self.label + 2);
            let more = if at > 0 { "  " } else { "" };
            let part =
                if is_wrong { self.paint.with(wrong(), part).to_string() } else { part.clone() };
            let line =
                format!("{}{}{more}{part}", " ".repeat(indent), self.paint.with(cyan, &label));
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
    }

    fn notes(&mut self, notes: &[Note], indent: usize) {
        for note in notes {
            let room = self.layout.width.saturating_sub(indent + 2);
            for (at, part) in fold(&note.line(), room, room.saturating_sub(2)).iter().enumerate() {
                let indent = " ".repeat(indent + if at == 0 { 0 } else { 2 });
                self.out.push_str(&format!("{indent}{}\n", self.paint.with(dim(), part)));
            }
        }
    }

    /// What is wrong or not known, per platform.
    fn summary(&mut self, traced: &Traced<'_>, selection: &Selection) {
        if selection.is_narrow() {
            return;
        }
        self.out.push('\n');
        for evaluation in traced.evaluations {
            let (text, bad) = self.outcome(evaluation);
            let head = format!("{:<w$}  ", evaluation.platform.to_string(), w = self.label);
            let room = self.layout.width.saturating_sub(self.label + 2);
            for (at, part) in fold(&text, room, room).iter().enumerate() {
                let shown = if at == 0 { head.clone() } else { " ".repeat(width(&head)) };
                let part = if bad && at == 0 {
                    self.paint.with(wrong(), part).to_string()
                } else {
                    part.clone()
                };
                self.out.push_str(&format!("{}{part}\n", self.paint.strong(&shown)));
            }
        }
    }

    fn outcome(&self, evaluation: &Evaluation) -> (String, bool) {
        let mut said = Vec::new();
        let failures = evaluation.failures.iter().map(|f| f.span).chain(
            evaluation
                .reachable()
                .flat_map(|s| s.steps.iter().filter_map(|s| s.failure.as_ref().map(|f| f.span))),
        );
        let failures: Vec<usize> = failures.map(|s| self.lines.line_of(s.start) + 1).collect();
        if !failures.is_empty() {
            said.push(format!("the build fails at {}", numbers(&failures)));
        }
        let foreign = evaluation.wrong_artifacts().count();
        if foreign > 0 {
            said.push(format!("{} for another machine", counted(foreign, "file")));
        }
        let unloadable = super::unloadable(evaluation).len();
        if unloadable > 0 {
            said.push(format!("{} without its C library", counted(unloadable, "file")));
        }
        let bad = !said.is_empty();
        let emulated = evaluation.emulated_steps().count();
        if emulated > 0 {
            said.push(format!("{} emulated", counted(emulated, "step")));
        }
        let unknown = unknown_lines(evaluation, self.lines);
        if !unknown.is_empty() {
            said.push(format!("not all is known at {}", numbers(&unknown)));
        }
        match said.is_empty() {
            true => ("nothing wrong seen".to_owned(), false),
            false => (format!("{}{}", if bad { "✗ " } else { "" }, said.join("; ")), bad),
        }
    }
}

/// The lines where something is used that is not known.
fn unknown_lines(evaluation: &Evaluation, lines: &Lines<'_>) -> Vec<usize> {
    use mlint_model::EffectKind;
    let mut found = BTreeSet::new();
    for (_, _, effect) in evaluation.effects() {
        let unknown = match &effect.kind {
            EffectKind::Download(d) => d.url.as_known().is_none(),
            EffectKind::Install(i) => i.packages.iter().any(|p| p.value.as_known().is_none()),
            EffectKind::Compile(c) => c.machine.kind == mlint_model::MachineKind::Unknown,
            EffectKind::Ask { answer, .. } => answer.is_none(),
            EffectKind::Command(c) => c.argv.first().is_some_and(|a| a.value.as_known().is_none()),
            _ => false,
        };
        if unknown {
            found.insert(lines.line_of(effect.span.start) + 1);
        }
    }
    found.into_iter().collect()
}

/// Programs of which nothing particular is known, and that do the same everywhere, on one row for
/// each instruction.
fn collapsed(rows: Vec<Merged>) -> Vec<Merged> {
    let mut out: Vec<Merged> = Vec::new();
    let mut also: Option<Merged> = None;
    let mut programs: Vec<String> = Vec::new();
    let flush = |also: &mut Option<Merged>, programs: &mut Vec<String>, out: &mut Vec<Merged>| {
        let Some(mut merged) = also.take() else { return };
        let count = programs.len();
        programs.truncate(PROGRAMS);
        let mut text = programs.join(", ");
        if count > PROGRAMS {
            text.push_str(&format!(" and {} more", count - PROGRAMS));
        }
        for row in merged.cells.iter_mut().flatten() {
            row.head = "also".to_owned();
            row.span = None;
            row.text.clone_from(&text);
            row.notes.clear();
        }
        programs.clear();
        out.push(merged);
    };
    for merged in rows {
        let plain = merged.is_same()
            && merged.cells.iter().flatten().all(|r| r.program.is_some() && !r.unknown);
        let same_instruction = also.as_ref().and_then(Merged::any).map(|r| r.instruction)
            == merged.any().map(|r| r.instruction);
        if !same_instruction {
            flush(&mut also, &mut programs, &mut out);
        }
        match merged.any().and_then(|r| r.program.clone()).filter(|_| plain) {
            Some(program) => {
                if !programs.contains(&program) {
                    programs.push(program);
                }
                also.get_or_insert(merged);
            }
            None => out.push(merged),
        }
    }
    flush(&mut also, &mut programs, &mut out);
    out
}

/// The remarks, if they are the same on all platforms but for the words they are about:
/// `amd64 / arm64 ← …`.
fn common_notes(merged: &Merged) -> Vec<Note> {
    let rows: Vec<&Row> = merged.cells.iter().flatten().collect();
    let Some((first, rest)) = rows.split_first() else { return Vec::new() };
    let alike = |other: &&&Row| {
        other.notes.len() == first.notes.len()
            && other
                .notes
                .iter()
                .zip(&first.notes)
                .all(|(a, b)| a.way == b.way && (a.text == b.text || !a.way.is_empty()))
    };
    if !rest.iter().all(|r| alike(&r)) {
        return Vec::new();
    }
    let mut notes = first.notes.clone();
    for (at, note) in notes.iter_mut().enumerate() {
        let mut texts: Vec<&str> = Vec::new();
        for row in &rows {
            if !texts.contains(&row.notes[at].text.as_str()) {
                texts.push(&row.notes[at].text);
            }
        }
        note.text = texts.join(" / ");
    }
    notes
}

fn numbers(lines: &[usize]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = lines.iter().take(SHOWN).map(ToString::to_string).collect();
    match lines.len() {
        1 => format!("line {}", shown[0]),
        n if n > SHOWN => format!("lines {} and {} more", shown.join(", "), n - SHOWN),
        _ => format!("lines {}", shown.join(", ")),
    }
}

/// "a, b and c".
pub fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
