//! All rules by name: those of the crate of rules, and those of the framework itself.

use mlint_lint::{BUILTIN, Meta};

/// What all rules say about themselves, those about the file itself last.
pub fn all() -> impl Iterator<Item = &'static Meta> {
    mlint_rules::all().iter().map(|rule| rule.meta()).chain(BUILTIN.iter().copied())
}

/// The rule of that name.
pub fn find(name: &str) -> Option<&'static Meta> {
    all().find(|meta| meta.name == name)
}
