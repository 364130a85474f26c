//! Base images.

pub mod arch_tagged_image;
pub mod base_image_platform;
pub mod single_arch_digest;
pub mod unknown_image_platform;
