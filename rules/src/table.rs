//! Tables of facts about download addresses: lines of text sorted by what an address begins with,
//! found by binary search. Nothing is read before it is asked for.

/// A table: lines in the order of their first column, columns separated by tabs. Lines that begin
/// with `#`, which sort before all others, are for readers.
pub(crate) struct Table(pub(crate) &'static str);

/// How many parts of an address its beginning may have.
const MAX_PARTS: usize = 4;

impl Table {
    /// The rows whose first column `url` begins with, the longest beginnings first, each with what
    /// follows in the address.
    pub(crate) fn rows<'u>(
        &self,
        url: &'u str,
    ) -> impl Iterator<Item = (&'u str, &'static str)> + use<'u> {
        let text = self.0;
        let address = url.split_once("://").map_or("", |(_, rest)| rest);
        let address = address.strip_prefix("www.").unwrap_or(address);
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let lower = path.to_ascii_lowercase();
        let ends = lower.match_indices('/').map(|(at, _)| at).chain([lower.len()]);
        let mut ends: Vec<usize> = ends.take(MAX_PARTS).collect();
        ends.reverse();
        ends.into_iter().flat_map(move |end| {
            let key = lower.get(..end).unwrap_or_default().to_owned();
            let rest = path.get(end..).unwrap_or_default();
            lines_from(text, first_line(text, &key))
                .take_while(move |line| column(line) == key)
                .map(move |line| (rest, line))
        })
    }

    /// All rows, in order.
    #[cfg(test)]
    pub(crate) fn all(&self) -> impl Iterator<Item = &'static str> {
        self.0.lines().filter(|line| !line.starts_with('#'))
    }
}

fn column(line: &str) -> &str {
    line.split('\t').next().unwrap_or_default()
}

fn lines_from(text: &'static str, at: usize) -> impl Iterator<Item = &'static str> {
    text.get(at..).unwrap_or_default().lines()
}

/// Where the first line begins whose first column is not less than `key`.
fn first_line(text: &str, key: &str) -> usize {
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = text[..middle].rfind('\n').map_or(0, |newline| newline + 1).max(low);
        let end = text[middle..].find('\n').map_or(text.len(), |newline| middle + newline + 1);
        if column(&text[start..end]).trim_end_matches('\n') < key {
            low = end;
        } else {
            high = start;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table =
        Table("# head\na.org\tone\nb.org/x\ttwo\nb.org/x\tthree\nb.org/x/y\tfour\nc.org\tfive\n");

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
    fn the_tables_are_sorted() {
        for text in [
            include_str!("../data/release-assets.tsv"),
            include_str!("../data/unmarked-assets.tsv"),
        ] {
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
