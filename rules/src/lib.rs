//! The rules, one file each, and the tables of facts that they read.
