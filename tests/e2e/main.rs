//! The whole line through the real binary on real parts: what a person runs, one thing after the
//! other, and what is left on the machine when it goes wrong.

mod support;

mod line;
mod refusals;
