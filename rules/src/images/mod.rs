//! Base images.

pub mod arch_tagged_image;
pub mod base_image_platform;
