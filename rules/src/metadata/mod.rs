//! What an image says about itself.

pub mod arch_in_label;
