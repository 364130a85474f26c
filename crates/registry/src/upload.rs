//! Blobs and manifests, upwards.
//!
//! A blob goes up only if the repository lacks it: an existence check, then a mount from another
//! repository of the same registry where one is known to have it, then an upload. A registry that
//! can't mount opens an upload session instead, which is used, so that a missed mount costs
//! nothing. The blob goes in one request, from its file; if the registry finds that too large, or
//! if a chunk size is set, in chunks, each of which is repeated from where the registry says that
//! it is.

use std::{
    io::{self, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use mlint_oci::{Algorithm, Descriptor, Digest, Hasher, Reference};
use reqwest::{
    Body, Method, RequestBuilder, Response, StatusCode, Url,
    header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, LOCATION, RANGE},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio_util::io::ReaderStream;

use crate::{
    auth::Scope,
    client::{Client, unexpected},
    error::RegistryError,
    transport::{Direction, Endpoint},
};

/// The chunk size for registries that refuse a whole blob.
const FALLBACK_CHUNK: u64 = 16 * 1024 * 1024;

/// The slowest upload that is waited for, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// Is told how many more bytes have moved.
pub type SharedProgress = Arc<dyn Fn(u64) + Send + Sync>;

/// Where a blob's bytes are.
#[derive(Clone, Debug)]
pub enum BlobSource {
    /// In a file, which is streamed.
    File(PathBuf),
    /// In a file that lay about for a while: checked against the digest before it is streamed.
    Checked(PathBuf),
    /// In another repository: fetched into a file if it must be uploaded.
    Elsewhere {
        /// The repository.
        repository: Reference,
        /// The file, which is made.
        file: PathBuf,
    },
    /// In memory: configs and other small things.
    Bytes(Arc<[u8]>),
}

/// How a blob came to be in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pushed {
    /// It was there.
    Existed,
    /// The registry took it from another repository.
    Mounted,
    /// It was uploaded.
    Uploaded,
}

impl BlobSource {
    /// The file that is streamed.
    fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) | Self::Checked(path) | Self::Elsewhere { file: path, .. } => {
                Some(path)
            }
            Self::Bytes(_) => None,
        }
    }
}

impl Client {
    /// Brings a blob into a repository. `mount_from` are repositories of the same registry that
    /// may have it already.
    pub async fn push_blob(
        &self,
        repository: &Reference,
        descriptor: &Descriptor,
        source: &BlobSource,
        mount_from: &[Reference],
        progress: Option<&SharedProgress>,
    ) -> Result<Pushed, RegistryError> {
        let endpoint = self.transport.origin(repository).await?;
        let upload = Upload {
            client: self,
            endpoint,
            scope: Scope::push(repository.repository()),
            descriptor,
            source,
            progress,
        };
        if self.blob_exists_at(&upload.endpoint, &upload.scope, &descriptor.digest).await? {
            return Ok(Pushed::Existed);
        }
        let mut session = None;
        for from in mount_from {
            if from.registry() != repository.registry()
                || from.repository() == repository.repository()
            {
                continue;
            }
            match upload.mount(from).await {
                Ok(None) => return Ok(Pushed::Mounted),
                Ok(Some(location)) => session = Some(location),
                // A source that may not be read is no reason to fail: the blob can be uploaded.
                Err(e) => tracing::debug!(%from, error = %e, "no mount"),
            }
            if session.is_some() {
                break;
            }
        }
        upload.run(session).await?;
        Ok(Pushed::Uploaded)
    }

    /// Puts a manifest or an index into a repository by its digest.
    pub async fn push_manifest(
        &self,
        repository: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Descriptor, RegistryError> {
        let descriptor = Descriptor::of(media_type, bytes);
        self.put_manifest(repository, descriptor.digest.as_str(), &descriptor, bytes).await?;
        Ok(descriptor)
    }

    /// Makes the reference's tag point at a manifest or an index, whose parts must be there.
    pub async fn push_tag(
        &self,
        reference: &Reference,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Descriptor, RegistryError> {
        let Some(tag) = reference.tag() else {
            return Err(RegistryError::NoTag { reference: reference.familiar() });
        };
        let descriptor = Descriptor::of(media_type, bytes);
        self.put_manifest(reference, tag, &descriptor, bytes).await?;
        Ok(descriptor)
    }

    async fn put_manifest(
        &self,
        repository: &Reference,
        target: &str,
        descriptor: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let endpoint = self.transport.origin(repository).await?;
        let scope = Scope::push(repository.repository());
        let url = endpoint.url(repository.repository(), &format!("manifests/{target}"));
        let limit = Direction::Up(self.time_for(descriptor.size));
        let response = self
            .transport
            .send(&endpoint, &scope, limit, &url, &|client, url| {
                let request = client.put(url).header(CONTENT_TYPE, &descriptor.media_type);
                Ok(request.body(bytes.to_vec()))
            })
            .await?;
        if !response.status().is_success() {
            return Err(
                unexpected(&endpoint.registry, &scope, "upload of a manifest", response).await
            );
        }
        let stored = header(response.headers(), "docker-content-digest");
        match stored.and_then(|d| Digest::parse(d).ok()) {
            // Other algorithms can't be compared, and an old registry says nothing.
            Some(found) if found.algorithm() == descriptor.digest.algorithm() => {
                let want = descriptor.digest.clone();
                if found == want {
                    return Ok(());
                }
                Err(RegistryError::BlobDigest { host: endpoint.registry, want, found })
            }
            _ => Ok(()),
        }
    }

    fn time_for(&self, size: u64) -> Duration {
        self.options().read_timeout + Duration::from_secs(size / SLOWEST)
    }
}

/// One blob on its way up.
struct Upload<'a> {
    client: &'a Client,
    endpoint: Endpoint,
    scope: Scope,
    descriptor: &'a Descriptor,
    source: &'a BlobSource,
    progress: Option<&'a SharedProgress>,
}

impl Upload<'_> {
    /// Asks for a mount. Nothing: it is done. A location: the registry opened a session instead.
    async fn mount(&self, from: &Reference) -> Result<Option<Url>, RegistryError> {
        let mut scope = self.scope.clone();
        scope.mount_from = Some(from.repository().to_owned());
        let mut url = self.endpoint.url(&self.scope.repository, "blobs/uploads/");
        url.query_pairs_mut()
            .append_pair("mount", self.descriptor.digest.as_str())
            .append_pair("from", from.repository());
        let response = self.post(&scope, &url).await?;
        match response.status() {
            StatusCode::CREATED => Ok(None),
            StatusCode::ACCEPTED => self.location(&response).map(Some),
            _ => {
                Err(unexpected(&self.endpoint.registry, &scope, "mount of a blob", response).await)
            }
        }
    }

    /// Opens an upload session.
    async fn open(&self) -> Result<Url, RegistryError> {
        let url = self.endpoint.url(&self.scope.repository, "blobs/uploads/");
        let response = self.post(&self.scope, &url).await?;
        match response.status() {
            StatusCode::ACCEPTED => self.location(&response),
            _ => Err(self.no(response).await),
        }
    }

    async fn post(&self, scope: &Scope, url: &Url) -> Result<Response, RegistryError> {
        let build =
            |client: &reqwest::Client, url: Url| Ok(client.post(url).header(CONTENT_LENGTH, 0));
        self.client.transport.send(&self.endpoint, scope, Direction::Down, url, &build).await
    }

    /// Uploads, with a fresh session for each try, since a registry forgets a broken one.
    async fn run(&self, mut session: Option<Url>) -> Result<(), RegistryError> {
        self.make_ready().await?;
        let transport = &self.client.transport;
        let mut chunk = transport.options.chunk_size.filter(|c| *c < self.descriptor.size);
        let counted = Counted::default();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let location = match session.take() {
                Some(location) => location,
                None => self.open().await?,
            };
            let outcome = match chunk {
                None => self.whole(&location, &counted).await,
                Some(size) => self.chunks(location, size.max(1), &counted).await,
            };
            let error = match outcome {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            tracing::debug!(attempt, %error, digest = %self.descriptor.digest, "upload failed");
            if matches!(error, RegistryError::Refused { status: 413, .. }) && chunk.is_none() {
                chunk = Some(FALLBACK_CHUNK.min(self.descriptor.size));
                continue;
            }
            let again = matches!(
                error,
                RegistryError::Broken { .. }
                    | RegistryError::Refused { status: 404 | 416 | 500.., .. }
            );
            let pause = transport.pause(attempt, None);
            match pause.filter(|_| again && attempt < transport.options.attempts) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// Brings the file here, or looks whether it is still what it was.
    async fn make_ready(&self) -> Result<(), RegistryError> {
        match self.source {
            BlobSource::File(_) | BlobSource::Bytes(_) => Ok(()),
            BlobSource::Elsewhere { file, .. } if file.exists() => Ok(()),
            BlobSource::Elsewhere { repository, file } => {
                self.client.fetch_blob(repository, self.descriptor, file, None).await
            }
            BlobSource::Checked(path) => {
                let (file, algorithm) = (path.clone(), self.descriptor.digest.algorithm());
                let hashed = tokio::task::spawn_blocking(move || hash_file(&file, algorithm));
                let fail =
                    |source| RegistryError::File { action: "read", path: path.clone(), source };
                let found = hashed.await.map_err(|e| fail(io::Error::other(e)))?.map_err(fail)?;
                match found == self.descriptor.digest {
                    true => Ok(()),
                    false => Err(RegistryError::DamagedFile {
                        path: path.clone(),
                        want: self.descriptor.digest.clone(),
                        found,
                    }),
                }
            }
        }
    }

    /// The whole blob in one `PUT`.
    async fn whole(&self, location: &Url, counted: &Counted) -> Result<(), RegistryError> {
        let mut url = location.clone();
        url.query_pairs_mut().append_pair("digest", self.descriptor.digest.as_str());
        let size = self.descriptor.size;
        let response = self.put(Method::PUT, &url, 0, size, None, counted).await?;
        self.created(response).await
    }

    /// The blob in chunks, then an empty `PUT`.
    async fn chunks(
        &self,
        mut location: Url,
        size: u64,
        counted: &Counted,
    ) -> Result<(), RegistryError> {
        let total = self.descriptor.size;
        let (mut at, mut failures) = (0, 0);
        while at < total {
            let len = size.min(total - at);
            let range = Some(format!("{at}-{}", at + len - 1));
            let sent = self.put(Method::PATCH, &location, at, len, range, counted).await;
            let response = match sent {
                Ok(response) if response.status() == StatusCode::ACCEPTED => {
                    location = self.location(&response)?;
                    at = received(response.headers()).unwrap_or(at + len);
                    failures = 0;
                    continue;
                }
                Ok(response) if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => None,
                Ok(response) => Some(self.no(response).await),
                Err(e) => Some(e),
            };
            failures += 1;
            let pause = self.client.transport.pause(failures, None);
            match (response, pause) {
                (Some(e), _) if !matches!(e, RegistryError::Broken { .. }) => return Err(e),
                (e, Some(pause)) if failures < self.client.options().attempts => {
                    tracing::debug!(at, error = ?e, "asking how much of an upload arrived");
                    tokio::time::sleep(pause).await;
                }
                (e, _) => return Err(e.unwrap_or_else(|| self.lost())),
            }
            (location, at) = self.status(&location).await?;
        }
        location.query_pairs_mut().append_pair("digest", self.descriptor.digest.as_str());
        let response = self.put(Method::PUT, &location, total, 0, None, counted).await?;
        self.created(response).await
    }

    /// How much of an upload the registry has.
    async fn status(&self, location: &Url) -> Result<(Url, u64), RegistryError> {
        let build = |client: &reqwest::Client, url: Url| Ok(client.get(url));
        let transport = &self.client.transport;
        let response =
            transport.send(&self.endpoint, &self.scope, Direction::Down, location, &build).await?;
        if !response.status().is_success() {
            return Err(self.no(response).await);
        }
        let at = received(response.headers()).unwrap_or(0).min(self.descriptor.size);
        let next = self.location(&response).unwrap_or_else(|_| location.clone());
        Ok((next, at))
    }

    /// Sends a part of the blob. Not through the transport's retries: a session has a state.
    async fn put(
        &self,
        method: Method,
        url: &Url,
        at: u64,
        len: u64,
        range: Option<String>,
        counted: &Counted,
    ) -> Result<Response, RegistryError> {
        let part = Part { source: self.source, at, len };
        part.check()?;
        let build = |client: &reqwest::Client, url: Url| -> Result<RequestBuilder, RegistryError> {
            let mut request = client
                .request(method.clone(), url)
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_LENGTH, len);
            if let Some(range) = &range {
                request = request.header(CONTENT_RANGE, range);
            }
            let progress = self.progress.map(|p| counted.wrap(at, p.clone()));
            Ok(request.body(part.body(progress)?))
        };
        let limit = Direction::Up(self.client.time_for(len));
        let transport = &self.client.transport;
        transport.send_session(&self.endpoint, &self.scope, limit, url, &build).await
    }

    async fn created(&self, response: Response) -> Result<(), RegistryError> {
        if response.status() == StatusCode::CREATED || response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        Err(self.no(response).await)
    }

    async fn no(&self, response: Response) -> RegistryError {
        unexpected(&self.endpoint.registry, &self.scope, "upload of a blob", response).await
    }

    fn lost(&self) -> RegistryError {
        RegistryError::Protocol {
            host: self.endpoint.registry.clone(),
            problem: "it loses count of an upload".to_owned(),
        }
    }

    /// Where an upload goes on. Credentials go to the registry itself only, but the blob goes there.
    fn location(&self, response: &Response) -> Result<Url, RegistryError> {
        let wrong = |problem: String| RegistryError::Protocol {
            host: self.endpoint.registry.clone(),
            problem,
        };
        let text = header(response.headers(), LOCATION.as_str());
        let location = text.and_then(|text| response.url().join(text).ok()).ok_or_else(|| {
            wrong("it opens an upload but does not say where (no Location)".to_owned())
        })?;
        match location.scheme() {
            "https" => Ok(location),
            "http" if response.url().scheme() == "http" => Ok(location),
            "http" => Err(wrong("it wants the upload sent in the clear".to_owned())),
            other => Err(wrong(format!("it wants the upload sent to a '{other}' address"))),
        }
    }
}

fn hash_file(path: &Path, algorithm: Algorithm) -> io::Result<Digest> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// `Range: 0-1023` after an upload's part: 1024 bytes are there. `0-0` is what registries say for
/// none, too; one byte more or less is then asked for again.
fn received(headers: &HeaderMap) -> Option<u64> {
    let text = header(headers, RANGE.as_str())?;
    let last: u64 = text.trim_start_matches("bytes=").split('-').nth(1)?.trim().parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

/// What was told to the progress, so that a repeated part is not counted twice.
#[derive(Default)]
struct Counted {
    told: Arc<std::sync::atomic::AtomicU64>,
}

impl Counted {
    /// A progress for a part that starts at `at`.
    fn wrap(&self, at: u64, progress: SharedProgress) -> SharedProgress {
        use std::sync::atomic::{AtomicU64, Ordering};
        let told = self.told.clone();
        let position = AtomicU64::new(at);
        Arc::new(move |more| {
            let now = position.fetch_add(more, Ordering::Relaxed) + more;
            let before = told.fetch_max(now, Ordering::Relaxed);
            if now > before {
                progress(now - before);
            }
        })
    }
}

/// A stretch of a blob.
struct Part<'a> {
    source: &'a BlobSource,
    at: u64,
    len: u64,
}

impl Part<'_> {
    /// Fails early, and at the file, if it is not what the descriptor says.
    fn check(&self) -> Result<(), RegistryError> {
        let Some(path) = self.source.file() else { return Ok(()) };
        let fail = |source| RegistryError::File { action: "read", path: path.clone(), source };
        let len = std::fs::metadata(path).map_err(fail)?.len();
        if len < self.at + self.len {
            let text = format!("it has {len} bytes, fewer than its descriptor says");
            return Err(fail(io::Error::new(io::ErrorKind::UnexpectedEof, text)));
        }
        Ok(())
    }

    fn body(&self, progress: Option<SharedProgress>) -> Result<Body, RegistryError> {
        match self.source {
            BlobSource::Bytes(bytes) => {
                let end = (self.at + self.len).min(bytes.len() as u64) as usize;
                let part = bytes.get(self.at as usize..end).unwrap_or_default().to_vec();
                if let Some(progress) = progress {
                    progress(part.len() as u64);
                }
                Ok(part.into())
            }
            BlobSource::File(path)
            | BlobSource::Checked(path)
            | BlobSource::Elsewhere { file: path, .. } => {
                let fail =
                    |source| RegistryError::File { action: "read", path: path.clone(), source };
                let mut file = std::fs::File::open(path).map_err(fail)?;
                file.seek(SeekFrom::Start(self.at)).map_err(fail)?;
                let reader = FileReader { file: tokio::fs::File::from_std(file), progress };
                let part = reader.take(self.len);
                Ok(Body::wrap_stream(ReaderStream::with_capacity(part, 128 * 1024)))
            }
        }
    }
}

/// A file that tells how much of it was read.
struct FileReader {
    file: tokio::fs::File,
    progress: Option<SharedProgress>,
}

impl AsyncRead for FileReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.file).poll_read(context, buffer);
        let more = buffer.filled().len() - before;
        if let (Some(progress), true) = (&self.progress, more > 0) {
            progress(more as u64);
        }
        poll
    }
}
