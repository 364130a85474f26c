//! The rules, one file each, and the tables of facts that they read.

use mlint_lint::Rule;

/// All rules, in the order of the index page.
pub fn all() -> &'static [&'static dyn Rule] {
    &[]
}
