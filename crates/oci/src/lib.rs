//! References, digests, platforms, the architecture vocabulary, manifests and image configs. No I/O.

pub mod arch;
pub mod config;
pub mod digest;
mod error;
pub mod manifest;
pub mod matching;
pub mod media_type;
pub mod platform;
pub mod reference;

pub use config::{ContainerConfig, Healthcheck, History, ImageConfig, RootFs};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use manifest::{Descriptor, DescriptorPlatform, Document, Index, Manifest, ManifestError};
pub use matching::Compatibility;
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError, ReferenceProblem};
