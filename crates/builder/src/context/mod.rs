//! The build context: a directory, without what `.dockerignore` leaves out.

pub mod archive;
pub mod digests;
pub mod dockerignore;
pub mod walk;

pub use archive::unpack_context;
pub use digests::{FileDigests, digest_file};
pub use dockerignore::{Ignore, IgnoreError};
pub use walk::Context;
