//! What happens on several platforms as one list: what is the same everywhere stands once.

use std::collections::HashMap;

use super::rows::{Key, Row};

/// A row with what it is on each platform; nothing where it is not there at all.
#[derive(Debug)]
pub struct Merged {
    /// By platform.
    pub cells: Vec<Option<Row>>,
}

impl Merged {
    /// The row of the first platform that has it.
    pub fn any(&self) -> Option<&Row> {
        self.cells.iter().flatten().next()
    }

    /// Whether it is there and the same on all platforms.
    pub fn is_same(&self) -> bool {
        let Some(first) = self.any() else { return true };
        let same = |row: &Option<Row>| {
            row.as_ref().is_some_and(|r| {
                r.head == first.head && r.text == first.text && r.wrong == first.wrong
            })
        };
        self.cells.iter().all(same)
    }
}

/// Merges the rows of several platforms, keeping the order of each.
pub fn merge(lists: Vec<Vec<Row>>) -> Vec<Merged> {
    let platforms = lists.len();
    let mut merged: Vec<Merged> = Vec::new();
    // A linked list by index, so that rows which only a later platform has go in between.
    let mut next: Vec<Option<usize>> = Vec::new();
    let mut first: Option<usize> = None;
    let mut at: HashMap<Key, usize> = HashMap::new();
    for (platform, rows) in lists.into_iter().enumerate() {
        let mut before: Option<usize> = None;
        for row in rows {
            let index = match at.get(&row.key) {
                Some(index) => *index,
                None => {
                    let index = merged.len();
                    at.insert(row.key.clone(), index);
                    let link = match before {
                        Some(before) => &mut next[before],
                        None => &mut first,
                    };
                    let after = link.replace(index);
                    next.push(after);
                    merged.push(Merged { cells: (0..platforms).map(|_| None).collect() });
                    index
                }
            };
            merged[index].cells[platform] = Some(row);
            before = Some(index);
        }
    }
    let mut order = Vec::with_capacity(merged.len());
    let mut slots: Vec<Option<Merged>> = merged.into_iter().map(Some).collect();
    let mut here = first;
    while let Some(index) = here {
        order.extend(slots[index].take());
        here = next[index];
    }
    order
}

#[cfg(test)]
mod tests {
    use mlint_syntax::Span;

    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        text.chars()
            .map(|c| Row::new("x", Span::empty(c as u32), c.to_string(), String::new()))
            .collect()
    }

    fn order(lists: &[&str]) -> String {
        merge(lists.iter().map(|l| rows(l)).collect())
            .iter()
            .map(|m| m.any().expect("a row").head.clone())
            .collect()
    }

    #[test]
    fn the_order_of_each_platform_is_kept() {
        assert_eq!(order(&["abc", "abc"]), "abc");
        assert_eq!(order(&["ac", "abc"]), "abc");
        assert_eq!(order(&["abd", "acd", "aed"]), "aecbd");
        assert_eq!(order(&["", "ab"]), "ab");
        assert_eq!(order(&["bc", "abc"]), "abc");
    }

    #[test]
    fn only_rows_that_all_have_alike_are_the_same() {
        let merged = merge(vec![rows("ab"), rows("a")]);
        assert!(merged[0].is_same());
        assert!(!merged[1].is_same());
    }
}
