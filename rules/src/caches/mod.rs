//! Cache mounts.

pub mod shared_cache_mount;
