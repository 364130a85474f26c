//! Labelled source. Lines that are too wide are cut around what is marked.

use std::{collections::BTreeMap, fmt::Write, ops::Range};

use anstyle::Style;
use mlint_syntax::Span;

use super::style::{self, Paint, one_line, shown, width, wrap};
use crate::report::{Layout, lines::Lines};

/// A place to mark.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// The bytes.
    pub span: Span,
    /// What to say about them; may be empty.
    pub text: &'a str,
    /// The style of the marker.
    pub style: Style,
    /// `^` instead of `-`.
    pub primary: bool,
}

/// Where frames stand.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Columns and colours.
    pub layout: Layout,
    /// Columns for line numbers.
    pub gutter: usize,
}

impl Frame {
    /// A frame wide enough for the line numbers of these marks.
    pub fn new(layout: Layout, lines: &Lines<'_>, marks: &[Mark<'_>]) -> Self {
        let last = marks.iter().map(|m| lines.line_of(m.span.start) + 1).max().unwrap_or(1);
        Self { layout, gutter: last.to_string().len() }
    }

    fn paint(self) -> Paint {
        Paint(self.layout.color)
    }

    /// Columns right of `NN | `.
    fn room(self) -> usize {
        self.layout.width.saturating_sub(self.gutter + 3).max(20)
    }

    /// `  --> name:line:column` and the marked lines.
    pub fn source(self, out: &mut String, name: &str, lines: &Lines<'_>, marks: &[Mark<'_>]) {
        let Some(first) = marks.first() else { return };
        let paint = self.paint();
        let at = lines.position(first.span.start);
        let pad = " ".repeat(self.gutter);
        let place = format!("{}:{}:{}", one_line(name), at.line, at.column);
        let _ = writeln!(out, "{pad}{} {place}", paint.frame("-->"));
        self.blank(out);
        let mut by_line: BTreeMap<usize, Vec<&Mark<'_>>> = BTreeMap::new();
        for mark in marks {
            by_line.entry(lines.line_of(mark.span.start)).or_default().push(mark);
        }
        let mut before: Option<usize> = None;
        for (line, mut marks) in by_line {
            if before.is_some_and(|before| before + 1 < line) {
                let _ = writeln!(out, "{}", paint.frame("..."));
            }
            before = Some(line);
            marks.sort_by_key(|m| (m.span.start, m.span.end));
            self.line(out, lines, line, &marks);
        }
        self.blank(out);
    }

    fn blank(self, out: &mut String) {
        let _ = writeln!(out, "{} {}", " ".repeat(self.gutter), self.paint().frame("|"));
    }

    /// One line of source and the markers under it; once more for each marker that lies outside
    /// of what was shown.
    fn line(self, out: &mut String, lines: &Lines<'_>, line: usize, marks: &[&Mark<'_>]) {
        let paint = self.paint();
        let range = lines.range(line);
        let number = format!("{:>1$}", line + 1, self.gutter);
        let mut rest = marks;
        while let Some(first) = rest.first() {
            let focus = clip(first.span, &range);
            let view = View::new(lines.text(), &range, focus, self.room());
            let _ = writeln!(out, "{} {} {}", paint.frame(&number), paint.frame("|"), view.shown);
            let inside = |m: &Mark<'_>| view.holds(clip(m.span, &range).start);
            let count = rest.iter().take_while(|m| inside(m)).count().max(1);
            for mark in &rest[..count] {
                let beyond = lines.line_of(mark.span.end.saturating_sub(1).max(mark.span.start));
                let mut text = one_line(mark.text);
                if beyond > line {
                    let space = if text.is_empty() { "" } else { " " };
                    let _ = write!(text, "{space}(to line {})", beyond + 1);
                }
                let (column, len) = view.columns(lines.text(), clip(mark.span, &range));
                self.marker(out, mark, column, len, &text);
            }
            rest = &rest[count..];
        }
    }

    fn marker(self, out: &mut String, mark: &Mark<'_>, column: usize, len: usize, text: &str) {
        let paint = self.paint();
        let bar = format!("{} {}", " ".repeat(self.gutter), paint.frame("|"));
        let line = if mark.primary { "^" } else { "-" }.repeat(len);
        let _ = write!(out, "{bar} {}{}", " ".repeat(column), paint.with(mark.style, &line));
        let room = self.room();
        if text.is_empty() {
            out.push('\n');
        } else if column + len + 1 + width(text) <= room {
            let _ = writeln!(out, " {}", paint.with(mark.style, text));
        } else {
            out.push('\n');
            let indent = column.min(room.saturating_sub(44));
            for part in wrap(text, room - indent, room - indent) {
                let part = paint.with(mark.style, &part).to_string();
                let _ = writeln!(out, "{bar} {}{part}", " ".repeat(indent));
            }
        }
    }

    /// `  = name: text`, wrapped.
    pub fn note(self, out: &mut String, name: &str, text: &str) {
        self.footer(out, &format!("{name}: "), text);
    }

    /// `  = text`, wrapped.
    pub fn remark(self, out: &mut String, text: &str) {
        self.footer(out, "", text);
    }

    fn footer(self, out: &mut String, head: &str, text: &str) {
        let paint = self.paint();
        let pad = " ".repeat(self.gutter);
        let indent = self.gutter + 3 + 2;
        let first = self.layout.width.saturating_sub(self.gutter + 3 + width(head));
        let parts = wrap(&one_line(text), first, self.layout.width.saturating_sub(indent));
        for (at, part) in parts.iter().enumerate() {
            if at == 0 {
                let head =
                    if head.is_empty() { String::new() } else { paint.strong(head).to_string() };
                let _ = writeln!(out, "{pad} {} {head}{part}", paint.frame("="));
            } else {
                let _ = writeln!(out, "{}{part}", " ".repeat(indent));
            }
        }
    }
}

/// `severity[name]: message`, wrapped.
pub fn title(out: &mut String, layout: Layout, head: &str, style: Style, message: &str) {
    let paint = Paint(layout.color);
    let first = layout.width.saturating_sub(width(head) + 2);
    for (at, part) in wrap(&one_line(message), first, layout.width - 2).iter().enumerate() {
        if at == 0 {
            let colon = paint.strong(": ");
            let _ = writeln!(out, "{}{colon}{}", paint.with(style, head), paint.strong(part));
        } else {
            let _ = writeln!(out, "  {}", paint.strong(part));
        }
    }
}

/// A message with its place, without colours: for errors in configuration files.
pub fn plain(name: &str, text: &str, span: Span, message: &str, help: Option<&str>) -> String {
    let layout = Layout { width: 80, color: false };
    let lines = Lines::new(text);
    let mark = Mark { span, text: "", style: Style::new(), primary: true };
    let frame = Frame::new(layout, &lines, &[mark]);
    let mut out = format!("{}\n", one_line(message));
    frame.source(&mut out, name, &lines, &[mark]);
    if let Some(help) = help {
        frame.note(&mut out, "help", help);
    }
    out.truncate(out.trim_end().len());
    out
}

/// The part of a span that lies on a line.
fn clip(span: Span, line: &Range<usize>) -> Range<usize> {
    let start = (span.start as usize).clamp(line.start, line.end);
    let end = (span.end as usize).clamp(start, line.end);
    start..end
}

/// The part of a line that is shown.
struct View {
    bytes: Range<usize>,
    /// Columns before the first byte: the ellipsis.
    lead: usize,
    shown: String,
}

impl View {
    /// As much of the line as fits, with the focus in it.
    fn new(text: &str, line: &Range<usize>, focus: Range<usize>, room: usize) -> Self {
        let fits = |from: usize, columns: usize| -> usize {
            let mut used = 0;
            let mut end = from;
            for (at, c) in text[from..line.end].char_indices() {
                used += shown(c).width();
                if used > columns {
                    break;
                }
                end = from + at + c.len_utf8();
            }
            end
        };
        let end = fits(line.start, room);
        if end == line.end {
            return Self::of(text, line, line.clone());
        }
        let end = fits(line.start, room - 1);
        // What is marked, or its first part, has to be seen, and a little of what follows.
        let wanted = fits(focus.start, room / 2).min(focus.end);
        if wanted <= end {
            return Self::of(text, line, line.start..end);
        }
        let columns =
            |range: Range<usize>| -> usize { text[range].chars().map(|c| shown(c).width()).sum() };
        // Both sides get half of what is left; what the right one does not need, the left one
        // takes.
        let spare = (room - 2).saturating_sub(columns(focus.start..wanted));
        let right = columns(wanted..fits(wanted, spare / 2));
        let mut left = spare - right;
        let mut start = focus.start;
        for (at, c) in text[line.start..focus.start].char_indices().rev() {
            let Some(rest) = left.checked_sub(shown(c).width()) else { break };
            left = rest;
            start = line.start + at;
        }
        let end = fits(start, room - 1);
        let end = if end == line.end { end } else { fits(start, room - 2) };
        Self::of(text, line, start..end)
    }

    fn of(text: &str, line: &Range<usize>, bytes: Range<usize>) -> Self {
        let mut out = String::new();
        let lead = usize::from(bytes.start > line.start);
        if lead > 0 {
            out.push('…');
        }
        for c in text[bytes.clone()].chars() {
            shown(c).push_to(&mut out);
        }
        if bytes.end < line.end {
            out.push('…');
        }
        Self { bytes, lead, shown: out }
    }

    fn holds(&self, offset: usize) -> bool {
        self.bytes.start <= offset && offset <= self.bytes.end
    }

    /// First column and number of columns of a part of the line.
    fn columns(&self, text: &str, part: Range<usize>) -> (usize, usize) {
        let clamp = |offset: usize| {
            let mut at = offset.clamp(self.bytes.start, self.bytes.end);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let wide =
            |range: Range<usize>| -> usize { text[range].chars().map(|c| shown(c).width()).sum() };
        let (start, end) = (clamp(part.start), clamp(part.end));
        (self.lead + wide(self.bytes.start..start), wide(start..end).max(1))
    }
}

/// The style of a related place's marker.
pub fn related() -> Style {
    style::severity(mlint_lint::Severity::Advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str, marks: &[(Range<usize>, &str)], width: usize) -> String {
        let lines = Lines::new(text);
        let marks: Vec<Mark<'_>> = marks
            .iter()
            .enumerate()
            .map(|(at, (range, text))| Mark {
                span: Span::new(range.start as u32, range.end as u32),
                text,
                style: Style::new(),
                primary: at == 0,
            })
            .collect();
        let layout = Layout { width, color: false };
        let mut out = String::new();
        Frame::new(layout, &lines, &marks).source(&mut out, "D", &lines, &marks);
        out
    }

    #[test]
    fn tabs_wide_characters_and_empty_places() {
        assert_eq!(
            frame("\tRUN 日本 x\r\nnext", &[(5..11, "two"), (13..13, "end")], 80),
            " --> D:1:6\n  |\n1 |     RUN 日本 x\n  |         ^^^^ two\n  |               - end\n  |\n"
        );
    }

    #[test]
    fn lines_apart_are_separated_and_instructions_over_lines_named() {
        assert_eq!(
            frame("a b\\\n c\n\n\nd", &[(10..11, ""), (0..7, "all")], 80),
            " --> D:5:1\n  |\n1 | a b\\\n  | ---- all (to line 2)\n...\n5 | d\n  | ^\n  |\n"
        );
    }

    #[test]
    fn wide_lines_are_cut_around_each_mark() {
        let text = format!("{}ONE{}TWO{}", "a".repeat(1000), "b".repeat(1000), "c".repeat(1000));
        let out = frame(&text, &[(1000..1003, "here"), (2003..2006, "there")], 44);
        assert_eq!(
            out,
            format!(
                " --> D:1:1001\n  |\n1 | …{a}ONE{b}…\n  | {pad}^^^ here\n\
                 1 | …{b2}TWO{c}…\n  | {pad}--- there\n  |\n",
                a = "a".repeat(18),
                b = "b".repeat(17),
                b2 = "b".repeat(18),
                c = "c".repeat(17),
                pad = " ".repeat(19),
            )
        );
        for line in out.lines() {
            assert!(line.chars().count() <= 44, "{line}");
        }
        let end = frame(&text, &[(3005..3006, "")], 44);
        let shown = format!("1 | …{}\n", "c".repeat(38));
        assert!(end.contains(&shown), "the end fills the line: {end}");
    }
}
