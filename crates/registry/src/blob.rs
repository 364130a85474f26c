//! Blobs, downwards: streamed, checked, and resumed where a connection broke.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use mlint_oci::{Descriptor, Digest, Hasher, Reference};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_RANGE, RANGE},
};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::{
    answer::Pace,
    auth::Scope,
    client::{Client, unexpected},
    error::{RegistryError, innermost},
    transport::{Direction, Endpoint},
};

/// Is told how many more bytes have moved.
pub type Progress<'a> = Option<&'a (dyn Fn(u64) + Send + Sync)>;

/// How far a download has come.
struct Download<'a, W> {
    sink: &'a mut W,
    hasher: Hasher,
    progress: Progress<'a>,
    descriptor: &'a Descriptor,
}

/// How one connection of a download ended.
enum Leg {
    Done,
    /// It broke after having brought something, or nothing.
    Broken(String),
    /// It brought so little for so long that it counts as nothing.
    Slow(String),
}

impl Client {
    /// Streams a blob into a writer, checking size and digest. If this fails, what was written is
    /// worthless.
    pub async fn stream_blob<W: AsyncWrite + Unpin + Send>(
        &self,
        repository: &Reference,
        descriptor: &Descriptor,
        sink: &mut W,
        progress: Progress<'_>,
    ) -> Result<(), RegistryError> {
        let hasher = Hasher::new(descriptor.digest.algorithm());
        let mut download = Download { sink, hasher, progress, descriptor };
        let mut last = None;
        for endpoint in self.transport.sources(repository).await? {
            // What a mirror brought before it broke is continued at the next server.
            match self.download(&endpoint, repository, &mut download).await {
                Ok(()) => {
                    let found = download.hasher.finish();
                    return download.descriptor.digest.eq(&found).then_some(()).ok_or_else(|| {
                        RegistryError::BlobDigest {
                            host: endpoint.registry,
                            want: descriptor.digest.clone(),
                            found,
                        }
                    });
                }
                Err(e @ RegistryError::Sink { .. }) => return Err(e),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(|| RegistryError::BlobNotFound {
            host: repository.registry().to_owned(),
            repository: repository.repository().to_owned(),
            digest: descriptor.digest.clone(),
        }))
    }

    /// Fetches a blob into a file, which appears only when it is whole and right.
    pub async fn fetch_blob(
        &self,
        repository: &Reference,
        descriptor: &Descriptor,
        path: &Path,
        progress: Progress<'_>,
    ) -> Result<(), RegistryError> {
        let mut partial = Partial::new(path);
        let at = |action, path: &Path| {
            let path = path.to_owned();
            move |source| RegistryError::File { action, path, source }
        };
        let file =
            tokio::fs::File::create(&partial.path).await.map_err(at("create", &partial.path))?;
        let mut file = tokio::io::BufWriter::with_capacity(256 * 1024, file);
        self.stream_blob(repository, descriptor, &mut file, progress).await.map_err(
            |e| match e {
                RegistryError::Sink { source, .. } => {
                    RegistryError::File { action: "write", path: partial.path.clone(), source }
                }
                e => e,
            },
        )?;
        drop(file);
        tokio::fs::rename(&partial.path, path).await.map_err(at("write", path))?;
        partial.kept = true;
        Ok(())
    }

    /// Whether a repository has a blob.
    pub async fn blob_exists(
        &self,
        repository: &Reference,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        let endpoint = self.transport.origin(repository).await?;
        self.blob_exists_at(&endpoint, &Scope::pull(repository.repository()), digest).await
    }

    pub(crate) async fn blob_exists_at(
        &self,
        endpoint: &Endpoint,
        scope: &Scope,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        let url = endpoint.url(&scope.repository, &format!("blobs/{digest}"));
        let response = self
            .transport
            .send(endpoint, scope, Direction::Down, &url, &|client, url| Ok(client.head(url)))
            .await?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(unexpected(&endpoint.registry, scope, "blob", response).await),
        }
    }

    /// Downloads to the end, over as many connections as it takes, as long as each brings
    /// something.
    async fn download<W: AsyncWrite + Unpin + Send>(
        &self,
        endpoint: &Endpoint,
        repository: &Reference,
        download: &mut Download<'_, W>,
    ) -> Result<(), RegistryError> {
        let mut idle = 0;
        loop {
            let before = download.hasher.len();
            let response = self.open_blob(endpoint, repository, download).await?;
            let pace = Pace::new(self.transport.options.read_timeout);
            let (problem, some) = match download.take(endpoint, response, pace).await? {
                Leg::Done => return Ok(()),
                Leg::Broken(problem) => (problem, download.hasher.len() > before),
                Leg::Slow(problem) => (problem, false),
            };
            idle = if some { 1 } else { idle + 1 };
            let pause = self.transport.pause(idle, None);
            let Some(pause) = pause.filter(|_| idle < self.transport.options.attempts) else {
                return Err(RegistryError::Broken {
                    host: endpoint.registry.clone(),
                    problem,
                    attempts: idle,
                });
            };
            tracing::debug!(at = download.hasher.len(), %problem, "resuming a download");
            tokio::time::sleep(pause).await;
        }
    }

    async fn open_blob<W>(
        &self,
        endpoint: &Endpoint,
        repository: &Reference,
        download: &Download<'_, W>,
    ) -> Result<Response, RegistryError> {
        let digest = &download.descriptor.digest;
        let from = download.hasher.len();
        let url = endpoint.url(repository.repository(), &format!("blobs/{digest}"));
        let scope = Scope::pull(repository.repository());
        let response = self
            .transport
            .send(endpoint, &scope, Direction::Down, &url, &|client, url| {
                let request = client.get(url);
                Ok(if from > 0 { request.header(RANGE, format!("bytes={from}-")) } else { request })
            })
            .await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => Ok(response),
            StatusCode::NOT_FOUND => Err(RegistryError::BlobNotFound {
                host: endpoint.registry.clone(),
                repository: repository.repository().to_owned(),
                digest: digest.clone(),
            }),
            _ => Err(unexpected(&endpoint.registry, &scope, "blob", response).await),
        }
    }
}

impl<W: AsyncWrite + Unpin + Send> Download<'_, W> {
    /// Takes what one answer brings.
    async fn take(
        &mut self,
        endpoint: &Endpoint,
        mut response: Response,
        mut pace: Pace,
    ) -> Result<Leg, RegistryError> {
        let mut skip = self.to_skip(endpoint, &response)?;
        let size = self.descriptor.size;
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                // Whatever the connection does after the last byte is its own affair.
                _ if self.hasher.len() == size => return self.finish(endpoint).await,
                Ok(None) => return Ok(Leg::Broken("it ended too early".to_owned())),
                Err(e) => return Ok(Leg::Broken(innermost(&e))),
            };
            let slow = pace.more(chunk.len()).err();
            let skipped = skip.min(chunk.len() as u64);
            skip -= skipped;
            let chunk = &chunk[skipped as usize..];
            if self.hasher.len() + chunk.len() as u64 > size {
                return Err(RegistryError::BlobSize {
                    host: endpoint.registry.clone(),
                    digest: self.descriptor.digest.clone(),
                    size,
                });
            }
            self.hasher.update(chunk);
            self.sink.write_all(chunk).await.map_err(|e| sink_error(endpoint, e))?;
            if let Some(progress) = self.progress {
                progress(chunk.len() as u64);
            }
            if let Some(problem) = slow
                && self.hasher.len() < size
            {
                return Ok(Leg::Slow(problem));
            }
        }
    }

    /// How much of the answer we have already: all of it from its start, or nothing if the server
    /// heeded the range.
    fn to_skip(&self, endpoint: &Endpoint, response: &Response) -> Result<u64, RegistryError> {
        let have = self.hasher.len();
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(have);
        }
        let start = response
            .headers()
            .get(CONTENT_RANGE)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok());
        match start {
            Some(start) if start <= have => Ok(have - start),
            _ => Err(RegistryError::Protocol {
                host: endpoint.registry.clone(),
                problem: format!("asked for a blob from byte {have}, it sent another range"),
            }),
        }
    }

    async fn finish(&mut self, endpoint: &Endpoint) -> Result<Leg, RegistryError> {
        self.sink.flush().await.map_err(|e| sink_error(endpoint, e))?;
        Ok(Leg::Done)
    }
}

fn sink_error(endpoint: &Endpoint, source: std::io::Error) -> RegistryError {
    RegistryError::Sink { host: endpoint.registry.clone(), source }
}

/// A file under way: removed on failure, and when the download is dropped.
struct Partial {
    path: PathBuf,
    kept: bool,
}

impl Partial {
    fn new(target: &Path) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}-{count}.part", std::process::id()));
        Self { path: target.with_file_name(name), kept: false }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // It may never have been made.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
