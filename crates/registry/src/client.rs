//! Manifests and small blobs.

use std::sync::Arc;

use mlint_oci::{
    Descriptor, Digest, Document, ImageConfig, Manifest, ManifestError, Reference,
    config::MAX_CONFIG,
    manifest::{self, MAX_MANIFEST},
    media_type,
};
use reqwest::{
    Method, Response, StatusCode,
    header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap},
};

use crate::{
    answer,
    auth::Scope,
    error::RegistryError,
    options::ClientOptions,
    transport::{Direction, Endpoint, Transport},
};

/// Talks to registries. Cheap to clone, safe to share.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Arc<Transport>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("options", &self.transport.options).finish()
    }
}

/// What a reference points at, checked against its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The reference asked for.
    pub reference: Reference,
    /// Media type, digest and size.
    pub descriptor: Descriptor,
    /// The bytes as the registry has them.
    pub bytes: Vec<u8>,
    /// The bytes, read.
    pub document: Document,
}

impl Client {
    /// A client. Nothing is opened before the first request.
    pub fn new(options: ClientOptions) -> Self {
        Self { transport: Arc::new(Transport::new(options)) }
    }

    /// The options it was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.transport.options
    }

    /// Fetches the manifest or index that a reference points at.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, RegistryError> {
        let mut last = None;
        for endpoint in self.transport.sources(reference).await? {
            match self.resolve_at(&endpoint, reference).await {
                Ok(resolved) => return Ok(resolved),
                Err(e) => {
                    tracing::debug!(host = %endpoint.registry, error = %e, "no manifest from here");
                    last = Some(e);
                }
            }
        }
        Err(last.unwrap_or_else(|| RegistryError::NotFound { reference: reference.clone() }))
    }

    /// Fetches one manifest of an index.
    pub async fn manifest(
        &self,
        repository: &Reference,
        descriptor: &Descriptor,
    ) -> Result<Resolved, RegistryError> {
        check_size(repository, "manifest", descriptor.size, MAX_MANIFEST)?;
        let resolved = self.resolve(&repository.with_digest(descriptor.digest.clone())).await?;
        let (stated, found) = (descriptor.size, resolved.descriptor.size);
        if stated != found {
            let source = ManifestError::Size { what: "manifest", stated, found };
            return Err(RegistryError::Manifest { reference: repository.familiar(), source });
        }
        Ok(resolved)
    }

    /// The descriptor that a reference points at, without its bytes; nothing if there is none.
    pub async fn head(&self, reference: &Reference) -> Result<Option<Descriptor>, RegistryError> {
        let endpoint = self.transport.origin(reference).await?;
        let response = self.ask_manifest(&endpoint, reference, Method::HEAD).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            _ => return Err(self.no(&endpoint, reference, response).await),
        }
        let header = |name: &str| {
            response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
        };
        let digest = header("docker-content-digest").and_then(|d| Digest::parse(&d).ok());
        let size = header(CONTENT_LENGTH.as_str()).and_then(|n| n.parse().ok());
        if let (Some(digest), Some(size)) = (digest, size) {
            let kind = header(CONTENT_TYPE.as_str()).unwrap_or_default();
            return Ok(Some(Descriptor::new(kind, digest, size)));
        }
        // Headers that the specification only recommends are missing: read the thing itself.
        self.resolve_at(&endpoint, reference).await.map(|r| Some(r.descriptor))
    }

    /// An image's config, checked against its digest, and its bytes.
    pub async fn config(
        &self,
        repository: &Reference,
        manifest: &Manifest,
    ) -> Result<(ImageConfig, Vec<u8>), RegistryError> {
        let bytes = self.small_blob(repository, &manifest.config, MAX_CONFIG).await?;
        let config = ImageConfig::parse(&bytes).map_err(|source| RegistryError::Manifest {
            reference: repository.familiar(),
            source,
        })?;
        Ok((config, bytes))
    }

    /// A blob in memory, if it is no larger than `limit`.
    pub async fn small_blob(
        &self,
        repository: &Reference,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Vec<u8>, RegistryError> {
        check_size(repository, "blob", descriptor.size, limit)?;
        let mut bytes = Vec::new();
        self.stream_blob(repository, descriptor, &mut bytes, None).await?;
        Ok(bytes)
    }

    async fn resolve_at(
        &self,
        endpoint: &Endpoint,
        reference: &Reference,
    ) -> Result<Resolved, RegistryError> {
        let wrong = |source| RegistryError::Manifest { reference: reference.familiar(), source };
        let (headers, bytes) = self.manifest_bytes(endpoint, reference).await?;
        let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let content_type = header(CONTENT_TYPE.as_str());
        let stated = header("docker-content-digest").and_then(|d| Digest::parse(d).ok());
        let size = bytes.len() as u64;
        check_size(reference, "manifest", size, MAX_MANIFEST)?;
        let digest = match reference.digest().cloned().or(stated) {
            Some(want) => {
                manifest::verify(&bytes, &want).map_err(wrong)?;
                want
            }
            None => Digest::sha256(&bytes),
        };
        let document = Document::parse(&bytes, content_type).map_err(wrong)?;
        let descriptor = Descriptor::new(document.media_type(), digest, size);
        Ok(Resolved { reference: reference.clone(), descriptor, bytes, document })
    }

    /// Headers and body of a manifest, asked for again if the connection breaks in its midst.
    async fn manifest_bytes(
        &self,
        endpoint: &Endpoint,
        reference: &Reference,
    ) -> Result<(HeaderMap, Vec<u8>), RegistryError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let response = self.ask_manifest(endpoint, reference, Method::GET).await?;
            if response.status() != StatusCode::OK {
                return Err(self.no(endpoint, reference, response).await);
            }
            let headers = response.headers().clone();
            // One byte more than allowed, so that too much is seen as such.
            match answer::bounded_body(response, MAX_MANIFEST as usize + 1).await {
                Ok(bytes) => return Ok((headers, bytes)),
                Err(e) => self.transport.pause_or_fail(endpoint, attempt, e).await?,
            }
        }
    }

    async fn ask_manifest(
        &self,
        endpoint: &Endpoint,
        reference: &Reference,
        method: Method,
    ) -> Result<Response, RegistryError> {
        let url =
            endpoint.url(reference.repository(), &format!("manifests/{}", reference.target()));
        let accept = media_type::ACCEPT.join(", ");
        let scope = Scope::pull(reference.repository());
        self.transport
            .send(endpoint, &scope, Direction::Down, &url, &|client, url| {
                Ok(client.request(method.clone(), url).header(ACCEPT, &accept))
            })
            .await
    }

    /// The error for an answer to a manifest request.
    async fn no(
        &self,
        endpoint: &Endpoint,
        reference: &Reference,
        response: Response,
    ) -> RegistryError {
        match response.status() {
            StatusCode::NOT_FOUND => RegistryError::NotFound { reference: reference.clone() },
            _ => {
                let scope = Scope::pull(reference.repository());
                unexpected(&endpoint.registry, &scope, "manifest", response).await
            }
        }
    }
}

fn check_size(
    reference: &Reference,
    what: &'static str,
    size: u64,
    limit: u64,
) -> Result<(), RegistryError> {
    if size <= limit {
        return Ok(());
    }
    let source = ManifestError::TooLarge { what, size, limit };
    Err(RegistryError::Manifest { reference: reference.familiar(), source })
}

/// The error for any answer that was not hoped for.
pub(crate) async fn unexpected(
    host: &str,
    scope: &Scope,
    what: &str,
    response: Response,
) -> RegistryError {
    if response.status() == StatusCode::FORBIDDEN {
        return RegistryError::Denied {
            host: host.to_owned(),
            repository: scope.repository.clone(),
            action: scope.action(),
            message: answer::message_of(response).await,
        };
    }
    let request = format!("the request for the {what} of {}", scope.repository);
    answer::refused(host, &request, response).await
}
