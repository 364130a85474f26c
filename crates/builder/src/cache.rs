//! Looks after the cache on request: what it holds, and what is to go.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    error::FsError,
    store::{PruneOptions, Pruned, Store, Usage},
};

/// What is wanted of the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheRequest {
    /// What it holds.
    Usage {
        /// Where it is.
        cache_dir: PathBuf,
    },
    /// Something is to go.
    Prune {
        /// Where it is.
        cache_dir: PathBuf,
        /// What.
        options: PruneOptions,
    },
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheReply {
    /// What it holds.
    Usage(Usage),
    /// What has gone.
    Pruned(Pruned),
    /// Why it can't be looked at.
    Failed(String),
}

fn with_store<T>(
    cache_dir: &Path,
    work: impl FnOnce(&Store) -> Result<T, FsError>,
) -> Result<T, FsError> {
    let store = Store::open_to_tidy(cache_dir)?;
    let done = work(&store);
    store.keep_reserve();
    done
}

/// Does it, inside a session: layers belong to whoever owns their files there.
pub fn look_after(request: &CacheRequest) -> CacheReply {
    let done = match request {
        CacheRequest::Usage { cache_dir } => {
            with_store(cache_dir, |store| store.usage()).map(CacheReply::Usage)
        }
        CacheRequest::Prune { cache_dir, options } => {
            with_store(cache_dir, |store| store.prune(options)).map(CacheReply::Pruned)
        }
    };
    done.unwrap_or_else(|error| CacheReply::Failed(error.to_string()))
}
