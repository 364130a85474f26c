//! A map that keeps the order of its names.

use std::{collections::BTreeMap, sync::Arc};

/// Names in the order of their first appearance, with what they have now. Stages copy it, so names
/// are shared.
#[derive(Clone, Debug)]
pub(super) struct Ordered<T> {
    items: Vec<(Arc<str>, T)>,
    index: BTreeMap<Arc<str>, usize>,
}

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self { items: Vec::new(), index: BTreeMap::new() }
    }
}

impl<T> Ordered<T> {
    pub(super) fn set(&mut self, name: &str, value: T) {
        match self.index.get(name) {
            Some(at) => self.items[*at].1 = value,
            None => {
                let name: Arc<str> = name.into();
                self.index.insert(Arc::clone(&name), self.items.len());
                self.items.push((name, value));
            }
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.position(name).map(|at| &self.items[at].1)
    }

    /// How many names appeared before this one.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.index.get(name).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &T)> {
        self.items.iter().map(|(name, value)| (name, value))
    }
}
