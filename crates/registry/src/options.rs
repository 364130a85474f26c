//! How to talk to registries.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::credentials::Credentials;

/// How to talk to registries.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Who we are.
    pub credentials: Credentials,
    /// Registries that may be spoken to without TLS, as they are written in references; loopback
    /// addresses always may.
    pub plain_http: BTreeSet<String>,
    /// Hosts to try first when pulling, per registry.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Further trusted certificate authorities, in PEM.
    pub extra_roots: Vec<Vec<u8>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a registry may be silent.
    pub read_timeout: Duration,
    /// How often a request is tried before it counts as failed.
    pub attempts: u32,
    /// The first pause between tries; it doubles up to [`ClientOptions::max_backoff`].
    pub backoff: Duration,
    /// The longest pause between tries. A registry that asks for more (`Retry-After`) is taken at
    /// its word, and the request fails.
    pub max_backoff: Duration,
    /// Uploads above this size go in chunks of it, each of which can be repeated; nothing: every
    /// blob goes in one request, unless the registry says that it is too large.
    pub chunk_size: Option<u64>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            credentials: Credentials::from_environment(),
            plain_http: BTreeSet::new(),
            mirrors: BTreeMap::new(),
            extra_roots: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            attempts: 5,
            backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(20),
            chunk_size: None,
        }
    }
}
