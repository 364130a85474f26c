//! A map that keeps the order of its names.

use std::collections::HashMap;

/// Names in the order of their first appearance, with what they have now.
#[derive(Clone, Debug)]
pub(super) struct Ordered<T> {
    pub(super) items: Vec<(String, T)>,
    index: HashMap<String, usize>,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self { items: Vec::new(), index: HashMap::new() }
    }
}

impl<T> Ordered<T> {
    pub(super) fn set(&mut self, name: &str, value: T) {
        match self.index.get(name) {
            Some(at) => self.items[*at].1 = value,
            None => {
                self.index.insert(name.to_owned(), self.items.len());
                self.items.push((name.to_owned(), value));
            }
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }
}
