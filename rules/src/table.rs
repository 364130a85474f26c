//! Tables of facts: lines of text sorted by what an address begins with, or by a name, found by binary
//! search. A table is cut into lines when it is first asked.

use std::sync::OnceLock;

/// A table: lines in the order of their first column, columns separated by tabs. Lines that begin
/// with `#`, which sort before all others, are for readers.
pub(crate) struct Table {
    text: &'static str,
    /// First column and whole line.
    lines: OnceLock<Vec<(&'static str, &'static str)>>,
}

/// How many parts of an address its beginning may have.
const MAX_PARTS: usize = 4;

impl Table {
    /// The table that `text` is.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, lines: OnceLock::new() }
    }

    fn lines(&self) -> &[(&'static str, &'static str)] {
        self.lines.get_or_init(|| {
            let lines = self.text.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| (line.split('\t').next().unwrap_or_default(), line)).collect()
        })
    }

    /// The rows whose first column `url` begins with, the longest beginnings first, each with what
    /// follows in the address.
    pub(crate) fn rows<'u>(
        &'static self,
        url: &'u str,
    ) -> impl Iterator<Item = (&'u str, &'static str)> + use<'u> {
        let address = url.split_once("://").map_or("", |(_, rest)| rest);
        let address = address.strip_prefix("www.").unwrap_or(address);
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let lower = path.to_ascii_lowercase();
        let ends = lower.match_indices('/').map(|(at, _)| at).chain([lower.len()]);
        let mut ends: Vec<usize> = ends.take(MAX_PARTS).collect();
        ends.reverse();
        ends.into_iter().flat_map(move |end| {
            let key = lower.get(..end).unwrap_or_default();
            let rest = path.get(end..).unwrap_or_default();
            self.named(key).map(move |line| (rest, line))
        })
    }

    /// The rows whose first column is `key`.
    pub(crate) fn named(&'static self, key: &str) -> impl Iterator<Item = &'static str> + use<> {
        let lines = self.lines();
        let first = lines.partition_point(|(column, _)| *column < key);
        let equal = lines[first..].partition_point(|(column, _)| *column == key);
        lines[first..first + equal].iter().map(|(_, line)| *line)
    }

    /// All rows, in order.
    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static str> {
        self.lines().iter().map(|(_, line)| *line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TABLE: Table = Table::new(
        "# head\na.org\tone\nb.org/x\ttwo\nb.org/x\tthree\nb.org/x/y\tfour\nc.org\tfive\n",
    );

    fn found(url: &str) -> Vec<(&str, &str)> {
        TABLE.rows(url).map(|(rest, row)| (rest, row.split('\t').nth(1).unwrap())).collect()
    }

    #[test]
    fn rows_are_found_by_what_an_address_begins_with() {
        assert_eq!(found("https://a.org/f"), [("/f", "one")]);
        assert_eq!(found("http://www.C.org/d/f?q#a"), [("/d/f", "five")]);
        assert_eq!(
            found("https://b.org/x/y/f"),
            [("/f", "four"), ("/y/f", "two"), ("/y/f", "three")]
        );
        assert_eq!(found("https://b.org/xy/f"), []);
        assert_eq!(found("https://d.org/f"), []);
        assert_eq!(found("https://0.org/f"), []);
        assert_eq!(found("a.org/f"), []);
        assert_eq!(found(""), []);
    }

    #[test]
    fn rows_are_found_by_name() {
        let named = |key: &str| -> Vec<&str> { TABLE.named(key).collect() };
        assert_eq!(named("b.org/x"), ["b.org/x\ttwo", "b.org/x\tthree"]);
        assert!(named("b.org").is_empty() && named("").is_empty() && named("z").is_empty());
    }

    #[test]
    fn the_tables_are_sorted() {
        for text in [
            include_str!("../data/release-assets.tsv"),
            include_str!("../data/unmarked-assets.tsv"),
            include_str!("../data/single-arch-packages.tsv"),
        ] {
            let column = |line: &'static str| line.split('\t').next().unwrap_or_default();
            let keys: Vec<&str> =
                text.lines().map(column).filter(|k| !k.starts_with('#')).collect();
            for pair in keys.windows(2) {
                assert!(pair[0] <= pair[1], "{} stands before {}", pair[0], pair[1]);
            }
            for key in keys {
                assert!(key.split('/').count() <= MAX_PARTS, "{key} has too many parts");
                assert_eq!(key.to_ascii_lowercase(), key);
            }
        }
    }
}
