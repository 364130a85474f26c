//! What comes from the network.

mod checksum;
mod follow_target;
pub mod hardcoded_arch_url;
mod name_the_file;
mod platform_sums;
mod shell_case;
pub mod single_arch_checksum;
pub mod unmarked_arch_asset;
mod wrong;

pub(crate) use follow_target::{follow, respell};
pub(crate) use wrong::{names_something_else, wrong_downloads};
