//! Lines that stay at the bottom of a terminal while others scroll by above them.

use anstyle::Style;

use crate::report::text::style::width;

/// A line of the part that stays: its text, and a remark that gives way if there is no room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// What must be seen.
    pub text: String,
    /// What may be cut off.
    pub remark: String,
}

/// What stands on the terminal below what has scrolled by.
#[derive(Debug, Default)]
pub struct Screen {
    /// The widths of the lines that stay, as they were drawn.
    drawn: Vec<usize>,
}

impl Screen {
    /// What to write so that `above` scrolls by and `stay` stands below it. It is one piece, and no
    /// line is blank in between: nothing flickers. A terminal that has become narrower since has
    /// broken the lines that stand there, and that is reckoned with.
    pub fn update(
        &mut self,
        above: &[String],
        stay: &[Line],
        columns: usize,
        color: bool,
    ) -> String {
        let columns = columns.max(2);
        let mut out = String::new();
        let rows: usize = self.drawn.iter().map(|w| w.div_ceil(columns).max(1)).sum();
        if rows > 0 {
            out.push_str(&format!("\x1b[{rows}A\r"));
        }
        if !above.is_empty() {
            out.push_str("\x1b[J");
        }
        for line in above {
            out.push_str(line);
            out.push('\n');
        }
        self.drawn.clear();
        for line in stay {
            // The last column stays free: behind it terminals differ.
            // What a step says last is worth a part of the line.
            let most = if line.remark.is_empty() { columns - 1 } else { (columns - 1) * 3 / 5 };
            let text = clipped(&line.text, most);
            let used = width(&text);
            out.push_str(&text);
            let room = (columns - 1).saturating_sub(used + 2);
            let remark = clipped(&line.remark, room);
            let mut drawn = used;
            if !remark.is_empty() && room > 8 {
                let dim = if color { Style::new().dimmed() } else { Style::new() };
                out.push_str(&format!("  {dim}{remark}{dim:#}"));
                drawn += 2 + width(&remark);
            }
            out.push_str("\x1b[K\n");
            self.drawn.push(drawn);
        }
        out.push_str("\x1b[J");
        out
    }
}

/// The beginning of a text that has that many columns at the most.
pub fn clipped(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = width(c.encode_utf8(&mut [0; 4]));
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal that knows what is written here: rows, and where the cursor stands.
    struct Terminal {
        rows: Vec<String>,
        row: usize,
        columns: usize,
    }

    impl Terminal {
        fn new(columns: usize) -> Self {
            Self { rows: vec![String::new()], row: 0, columns }
        }

        fn write(&mut self, text: &str) {
            let mut column = 0;
            let mut rest = text;
            while let Some(c) = rest.chars().next() {
                rest = &rest[c.len_utf8()..];
                match c {
                    '\n' => {
                        self.row += 1;
                        column = 0;
                        if self.row == self.rows.len() {
                            self.rows.push(String::new());
                        }
                    }
                    '\r' => column = 0,
                    '\x1b' => {
                        let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                        let number = rest[1..end].parse().unwrap_or(1);
                        match &rest[end..=end] {
                            "A" => self.row -= number,
                            "K" => self.keep(column),
                            "J" => {
                                self.keep(column);
                                self.rows.truncate(self.row + 1);
                            }
                            _ => {}
                        }
                        rest = &rest[end + 1..];
                    }
                    c => {
                        if column == self.columns {
                            self.row += 1;
                            column = 0;
                            if self.row == self.rows.len() {
                                self.rows.push(String::new());
                            }
                        }
                        let mut row: Vec<char> = self.rows[self.row].chars().collect();
                        row.resize(row.len().max(column + 1), ' ');
                        row[column] = c;
                        self.rows[self.row] = row.into_iter().collect();
                        column += 1;
                    }
                }
            }
        }

        fn keep(&mut self, columns: usize) {
            self.rows[self.row] = self.rows[self.row].chars().take(columns).collect();
        }

        /// As most terminals do it: lines are broken anew.
        fn resize(&mut self, columns: usize) {
            let mut rows: Vec<String> = Vec::new();
            for row in &self.rows {
                let chars: Vec<char> = row.chars().collect();
                match chars.is_empty() {
                    true => rows.push(String::new()),
                    false => rows.extend(chars.chunks(columns).map(|c| c.iter().collect())),
                }
            }
            self.row = rows.len() - 1;
            (self.rows, self.columns) = (rows, columns);
        }
    }

    fn line(text: &str, remark: &str) -> Line {
        Line { text: text.to_owned(), remark: remark.to_owned() }
    }

    #[test]
    fn what_stays_stays_below_what_scrolls_by() {
        let mut terminal = Terminal::new(30);
        let mut screen = Screen::default();
        let stay = [line("amd64 1 of 2", ""), line("12.3s RUN make", "cc -c a.c")];
        terminal.write(&screen.update(&[], &stay, 30, false));
        assert_eq!(terminal.rows, ["amd64 1 of 2", "12.3s RUN make  cc -c a.c", ""]);
        terminal.write(&screen.update(&["done: one".to_owned()], &stay[..1], 30, true));
        assert_eq!(terminal.rows, ["done: one", "amd64 1 of 2", ""]);
        let long = "x".repeat(70);
        terminal.write(&screen.update(std::slice::from_ref(&long), &stay, 30, false));
        assert_eq!(terminal.rows[1..4].concat(), long);
        assert_eq!(terminal.rows[4..], ["amd64 1 of 2", "12.3s RUN make  cc -c a.c", ""]);
        terminal.write(&screen.update(&[], &[], 30, false));
        assert_eq!(terminal.rows.len(), 5, "{:?}", terminal.rows);
    }

    #[test]
    fn narrower_and_wider_terminals() {
        let mut terminal = Terminal::new(40);
        let mut screen = Screen::default();
        let stay = [line(&"a".repeat(60), ""), line("short", "remark that is too long for it all")];
        terminal.write(&screen.update(&["above".to_owned()], &stay, 40, false));
        assert_eq!(terminal.rows[1].chars().count(), 39, "one column is left free");
        terminal.resize(16);
        terminal.write(&screen.update(&[], &stay, 16, false));
        assert_eq!(terminal.rows, ["above", "aaaaaaaaaaaaaa…", "short", ""]);
        terminal.resize(80);
        terminal.write(&screen.update(&[], &stay, 80, false));
        let wide = ["above", &"a".repeat(60), "short  remark that is too long for it all", ""];
        assert_eq!(terminal.rows, wide);
    }

    #[test]
    fn cuts_at_columns_not_bytes() {
        assert_eq!(clipped("日本語", 5), "日本…");
        assert_eq!(clipped("abc", 3), "abc");
        assert_eq!(clipped("abcd", 3), "ab…");
        assert_eq!(clipped("abc", 0), "");
    }
}
