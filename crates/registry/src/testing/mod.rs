//! A small registry in this process, for tests: holds indexes, takes uploads and mounts, asks for
//! logins, and fails to order. Real registries are the judge; this one does what they do only on
//! bad days.

mod http;
mod serve;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use mlint_oci::{
    Descriptor, Digest, ImageConfig, Index, Manifest, Platform, Reference, media_type,
};

/// Who may do what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody may do everything.
    #[default]
    Open,
    /// User and password with each request.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Tokens from a token service of its own.
    Bearer {
        /// The user.
        user: String,
        /// The password.
        password: String,
        /// Whether everybody may pull.
        anonymous_pull: bool,
        /// The repositories that the user may not push to.
        read_only: Vec<String>,
        /// An identity token that is as good as the password.
        identity_token: Option<String>,
    },
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The connection ends after so many bytes of the body (of the answer, or of an upload).
    DropAfter(usize),
    /// An answer with this status.
    Status(u16),
    /// 429, with `Retry-After` in seconds.
    TooManyRequests(Option<u64>),
    /// The right length, but other bytes.
    WrongBytes,
    /// The answer comes late.
    Slow(Duration),
    /// A range is not heeded: the whole comes from its start.
    IgnoreRange,
}

/// How a registry dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Connections are closed without a word.
    Silent,
    /// Every answer is this status.
    Status(u16),
    /// Nothing is answered for so long.
    Hanging(Duration),
}

/// A fault for the requests that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The method: `GET`.
    pub method: &'static str,
    /// A part of the path.
    pub path: String,
    /// How many requests it strikes.
    pub times: usize,
    /// What goes wrong.
    pub kind: FaultKind,
}

#[derive(Default)]
struct Repository {
    blobs: BTreeSet<Digest>,
    /// Media type by digest.
    manifests: BTreeMap<Digest, String>,
    tags: BTreeMap<String, Digest>,
}

#[derive(Default)]
struct State {
    content: BTreeMap<Digest, Vec<u8>>,
    repositories: BTreeMap<String, Repository>,
    uploads: BTreeMap<String, Vec<u8>>,
    /// What a token allows, as `repository:name:actions`.
    tokens: BTreeMap<String, Vec<String>>,
    faults: Vec<Fault>,
    log: Vec<String>,
    /// How many requests are still answered before it dies.
    death: Option<(usize, Death)>,
    counter: u64,
    no_mounts: bool,
    max_body: Option<usize>,
}

struct Shared {
    address: SocketAddr,
    access: Access,
    state: Mutex<State>,
    stop: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running registry; it stops when dropped.
pub struct TestRegistry {
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

impl TestRegistry {
    /// A registry for everybody on a free loopback port.
    pub fn start() -> io::Result<Self> {
        Self::start_with(Access::Open)
    }

    /// A registry that asks for a login.
    pub fn start_with(access: Access) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let state = Mutex::default();
        let shared = Arc::new(Shared { address, access, state, stop: AtomicBool::new(false) });
        let for_thread = shared.clone();
        let listener = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if for_thread.stop.load(Ordering::Relaxed) {
                    break;
                }
                let (Ok(stream), shared) = (stream, for_thread.clone()) else { continue };
                // A connection that breaks is the client's affair, and often what a test wants.
                std::thread::spawn(move || drop(serve::connection(&shared, stream)));
            }
        });
        Ok(Self { shared, listener: Some(listener) })
    }

    /// `127.0.0.1:<port>`.
    pub fn host(&self) -> String {
        self.shared.address.to_string()
    }

    /// A reference into this registry: `reference("app:1")`.
    pub fn reference(&self, name: &str) -> Reference {
        Reference::parse(&format!("{}/{name}", self.host())).expect("a test's own reference")
    }

    /// Orders a fault.
    pub fn inject(&self, method: &'static str, path: &str, times: usize, kind: FaultKind) {
        let fault = Fault { method, path: path.to_owned(), times, kind };
        self.shared.state().faults.push(fault);
    }

    /// It answers so many more requests, and then dies.
    pub fn die_after(&self, requests: usize, how: Death) {
        self.shared.state().death = Some((requests, how));
    }

    /// It lives again.
    pub fn revive(&self) {
        self.shared.state().death = None;
    }

    /// Mounts are answered with an upload session from now on.
    pub fn refuse_mounts(&self) {
        self.shared.state().no_mounts = true;
    }

    /// Larger request bodies are answered with 413 from now on.
    pub fn limit_bodies(&self, bytes: usize) {
        self.shared.state().max_body = Some(bytes);
    }

    /// All requests so far: `GET /v2/…`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.state().log.clone()
    }

    /// Forgets all tokens, as if they had expired early.
    pub fn expire_tokens(&self) {
        self.shared.state().tokens.clear();
    }

    /// Puts a blob there.
    pub fn put_blob(&self, repository: &str, kind: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::of(kind, bytes);
        let mut state = self.shared.state();
        state.content.insert(descriptor.digest.clone(), bytes.to_vec());
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.blobs.insert(descriptor.digest.clone());
        descriptor
    }

    /// Puts a manifest or an index there, with a tag or without.
    pub fn put_manifest(
        &self,
        repository: &str,
        tag: Option<&str>,
        kind: &str,
        bytes: &[u8],
    ) -> Descriptor {
        let descriptor = Descriptor::of(kind, bytes);
        let mut state = self.shared.state();
        state.content.insert(descriptor.digest.clone(), bytes.to_vec());
        let repository = state.repositories.entry(repository.to_owned()).or_default();
        repository.manifests.insert(descriptor.digest.clone(), kind.to_owned());
        if let Some(tag) = tag {
            repository.tags.insert(tag.to_owned(), descriptor.digest.clone());
        }
        descriptor
    }

    /// Puts one platform's image there, with these layers (as they are, uncompressed).
    pub fn put_image(&self, repository: &str, platform: &Platform, layers: &[&[u8]]) -> Descriptor {
        self.put_configured(repository, ImageConfig::new(platform), layers)
    }

    /// Puts one platform's image there that has this configuration, apart from its layers.
    pub fn put_configured(
        &self,
        repository: &str,
        mut config: ImageConfig,
        layers: &[&[u8]],
    ) -> Descriptor {
        let platform = config.platform().expect("a config for a platform");
        config.rootfs.diff_ids = layers.iter().map(Digest::sha256).collect();
        let layers =
            layers.iter().map(|l| self.put_blob(repository, media_type::OCI_LAYER, l)).collect();
        let bytes = serde_json::to_vec(&config).expect("a config is JSON");
        let config = self.put_blob(repository, media_type::OCI_CONFIG, &bytes);
        let bytes = serde_json::to_vec(&Manifest::new(config, layers)).expect("so is a manifest");
        self.put_manifest(repository, None, media_type::OCI_MANIFEST, &bytes)
            .with_platform(&platform)
    }

    /// Puts an index of small images for these platforms there.
    pub fn put_index(&self, repository: &str, tag: &str, platforms: &[&str]) -> Descriptor {
        let image = |name: &&str| {
            let platform = name.parse().expect("a test's own platform");
            self.put_image(repository, &platform, &[name.as_bytes()])
        };
        let index = Index::new(platforms.iter().map(image).collect());
        let bytes = serde_json::to_vec(&index).expect("an index is JSON");
        self.put_manifest(repository, Some(tag), media_type::OCI_INDEX, &bytes)
    }

    /// Whether a repository has a blob.
    pub fn has_blob(&self, repository: &str, digest: &Digest) -> bool {
        let state = self.shared.state();
        state.repositories.get(repository).is_some_and(|r| r.blobs.contains(digest))
    }

    /// What a tag points at.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.shared.state().repositories.get(repository)?.tags.get(tag).cloned()
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the listener up.
        drop(TcpStream::connect(self.shared.address));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}
