//! References, digests, platforms, the architecture vocabulary, manifests and image configs. No I/O.

pub mod platform;

pub use platform::{Platform, PlatformError};
