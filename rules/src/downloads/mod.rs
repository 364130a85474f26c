//! What comes from the network.

pub mod hardcoded_arch_url;
