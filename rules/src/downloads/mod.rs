//! What comes from the network.

mod follow_target;
pub mod hardcoded_arch_url;
