//! Base images.

pub mod base_image_platform;
