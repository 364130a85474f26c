//! The `mlint` command.
fn main() {}
