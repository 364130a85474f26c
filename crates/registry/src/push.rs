//! A push in the order that never shows anything half: blobs, manifests by digest, the index, and
//! the tags last, of all repositories after the content of all.

use std::sync::Arc;

use mlint_oci::{Descriptor, Document, ManifestError, Reference, media_type};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    client::Client,
    error::RegistryError,
    upload::{BlobSource, Pushed, SharedProgress},
};

/// A blob to push.
#[derive(Clone, Debug)]
pub struct PlannedBlob {
    /// What it is.
    pub descriptor: Descriptor,
    /// Where its bytes are.
    pub source: BlobSource,
    /// Repositories of the same registry that may have it: base images.
    pub mount_from: Vec<Reference>,
}

/// A manifest or an index to push.
#[derive(Clone, Debug)]
pub struct PlannedManifest {
    /// What it is.
    pub descriptor: Descriptor,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

impl PlannedManifest {
    /// A manifest or an index of these bytes.
    pub fn new(media_type: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self { descriptor: Descriptor::of(media_type, &bytes), bytes }
    }
}

/// Everything that goes into one repository.
#[derive(Clone, Debug)]
pub struct PushPlan {
    /// The repository (its tag and digest do not matter).
    pub repository: Reference,
    /// Layers and configs.
    pub blobs: Vec<PlannedBlob>,
    /// Manifests, by digest.
    pub manifests: Vec<PlannedManifest>,
    /// The index, if there is one.
    pub index: Option<PlannedManifest>,
    /// Tags for the index, or without an index for the only manifest.
    pub tags: Vec<String>,
}

/// What happens during a push, for progress.
#[derive(Clone, Debug)]
pub enum PushEvent {
    /// More bytes of a blob have gone up.
    Bytes {
        /// The blob.
        descriptor: Descriptor,
        /// How many more.
        more: u64,
    },
    /// A blob is there.
    Blob {
        /// The blob.
        descriptor: Descriptor,
        /// How it came there.
        how: Pushed,
    },
    /// A manifest or index is there.
    Manifest {
        /// The manifest.
        descriptor: Descriptor,
    },
    /// A tag was set.
    Tag {
        /// The tagged reference.
        reference: Reference,
    },
}

/// Is told what happens.
pub type PushObserver = Arc<dyn Fn(PushEvent) + Send + Sync>;

/// What a push did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushReport {
    /// Blobs that were there.
    pub existed: usize,
    /// Blobs that were mounted.
    pub mounted: usize,
    /// Blobs that were uploaded.
    pub uploaded: usize,
    /// Bytes of the uploaded blobs.
    pub uploaded_bytes: u64,
    /// The tagged references, each with the digest that it now points at.
    pub tagged: Vec<Reference>,
}

/// Why a push failed, and how far tags had got.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The plan itself is wrong; nothing was sent.
    #[error("the push to {repository} is planned wrongly: {problem}")]
    Plan {
        /// The repository.
        repository: String,
        /// What is wrong with it.
        problem: PlanProblem,
    },
    /// Something failed before the first tag: no tag was moved.
    #[error("nothing was tagged: {source}")]
    Content {
        /// What failed.
        #[source]
        source: RegistryError,
    },
    /// A tag could not be set.
    #[error("{reference} was not tagged: {source}{}", already(.tagged))]
    Tag {
        /// The tag.
        reference: String,
        /// Those set before.
        tagged: Vec<Reference>,
        /// What failed.
        #[source]
        source: Box<RegistryError>,
    },
    /// A worker of our own died.
    #[error(
        "nothing was tagged: a task of the push ended without a result; this is a bug in mlint"
    )]
    Task,
}

/// What is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanProblem {
    /// A manifest names a blob that the plan lacks.
    #[error("manifest {manifest} needs {missing}, which is not in the plan")]
    Missing {
        /// The manifest.
        manifest: String,
        /// What it needs.
        missing: String,
    },
    /// A manifest or index can't be read.
    #[error(transparent)]
    Unreadable(#[from] ManifestError),
    /// Tags with nothing, or more than one thing, to point at.
    #[error("there are tags but {manifests} manifests and no index, so it is unclear what to tag")]
    NothingToTag {
        /// How many manifests there are.
        manifests: usize,
    },
    /// A tag that can't be one.
    #[error("{0}")]
    Tag(String),
}

fn already(tagged: &[Reference]) -> String {
    if tagged.is_empty() {
        return String::new();
    }
    let names: Vec<String> = tagged.iter().map(|r| r.without_digest().familiar()).collect();
    format!(" (already tagged: {})", names.join(", "))
}

impl PushPlan {
    /// What the tags will point at.
    pub fn root(&self) -> Option<&PlannedManifest> {
        match (&self.index, &self.manifests[..]) {
            (Some(index), _) => Some(index),
            (None, [only]) => Some(only),
            _ => None,
        }
    }

    /// Checks that everything that is named is there, before anything is sent.
    pub fn check(&self) -> Result<(), PushError> {
        let wrong = |problem: PlanProblem| PushError::Plan {
            repository: self.repository.familiar(),
            problem,
        };
        for manifest in &self.manifests {
            let kind = Some(manifest.descriptor.media_type.as_str());
            let document = Document::parse(&manifest.bytes, kind).map_err(|e| wrong(e.into()))?;
            let Document::Manifest(read) = document else { continue };
            let missing = read.blobs().find(|b| {
                b.urls.is_empty() && !self.blobs.iter().any(|p| p.descriptor.digest == b.digest)
            });
            if let Some(missing) = missing {
                return Err(wrong(PlanProblem::Missing {
                    manifest: manifest.descriptor.digest.to_string(),
                    missing: format!("blob {}", missing.digest),
                }));
            }
        }
        if let Some(index) = &self.index {
            self.check_index(index).map_err(wrong)?;
        }
        if !self.tags.is_empty() && self.root().is_none() {
            return Err(wrong(PlanProblem::NothingToTag { manifests: self.manifests.len() }));
        }
        for tag in &self.tags {
            self.repository.with_tag(tag).map_err(|e| wrong(PlanProblem::Tag(e.to_string())))?;
        }
        Ok(())
    }

    fn check_index(&self, index: &PlannedManifest) -> Result<(), PlanProblem> {
        let document = Document::parse(&index.bytes, Some(media_type::OCI_INDEX))
            .or_else(|_| Document::parse(&index.bytes, Some(&index.descriptor.media_type)))?;
        let Document::Index(read) = document else { return Ok(()) };
        let missing = read
            .manifests
            .iter()
            .find(|m| !self.manifests.iter().any(|p| p.descriptor.digest == m.digest));
        match missing {
            Some(missing) => Err(PlanProblem::Missing {
                manifest: index.descriptor.digest.to_string(),
                missing: format!("manifest {}", missing.digest),
            }),
            None => Ok(()),
        }
    }
}

impl Client {
    /// Pushes plans: the content of all of them first, then all their tags. On failure no tag of
    /// any plan has moved, unless setting a tag is itself what failed.
    pub async fn push(
        &self,
        plans: &[PushPlan],
        concurrency: usize,
        observer: Option<PushObserver>,
    ) -> Result<PushReport, PushError> {
        for plan in plans {
            plan.check()?;
        }
        let content = |source| PushError::Content { source };
        let mut report = PushReport::default();
        for plan in plans {
            self.push_blobs(plan, concurrency, observer.as_ref(), &mut report).await?;
            for manifest in plan.manifests.iter().chain(&plan.index) {
                let kind = &manifest.descriptor.media_type;
                let repository = &plan.repository;
                self.push_manifest(repository, kind, &manifest.bytes).await.map_err(content)?;
                tell(observer.as_ref(), || PushEvent::Manifest {
                    descriptor: manifest.descriptor.clone(),
                });
            }
        }
        for plan in plans {
            let Some(root) = plan.root() else { continue };
            for tag in &plan.tags {
                self.set_tag(plan, tag, root, &mut report).await?;
                tell(observer.as_ref(), || PushEvent::Tag {
                    reference: report.tagged.last().cloned().unwrap_or(plan.repository.clone()),
                });
            }
        }
        Ok(report)
    }

    async fn set_tag(
        &self,
        plan: &PushPlan,
        tag: &str,
        root: &PlannedManifest,
        report: &mut PushReport,
    ) -> Result<(), PushError> {
        let fail = |source: RegistryError, report: &PushReport| PushError::Tag {
            reference: format!("{}:{tag}", plan.repository.without_target().familiar()),
            tagged: report.tagged.clone(),
            source: Box::new(source),
        };
        let reference = plan.repository.with_tag(tag).map_err(|e| fail(e.into(), report))?;
        let kind = &root.descriptor.media_type;
        self.push_tag(&reference, kind, &root.bytes).await.map_err(|e| fail(e, report))?;
        report.tagged.push(reference.with_digest(root.descriptor.digest.clone()));
        Ok(())
    }

    async fn push_blobs(
        &self,
        plan: &PushPlan,
        concurrency: usize,
        observer: Option<&PushObserver>,
        report: &mut PushReport,
    ) -> Result<(), PushError> {
        let permits = Arc::new(Semaphore::new(concurrency.max(1)));
        // Dropping the set (on the first failure, or when the push is cancelled) stops the rest.
        let mut tasks = JoinSet::new();
        let mut seen = Vec::new();
        for blob in &plan.blobs {
            if seen.contains(&&blob.descriptor.digest) {
                continue;
            }
            seen.push(&blob.descriptor.digest);
            let (client, repository, blob) = (self.clone(), plan.repository.clone(), blob.clone());
            let (permits, observer) = (permits.clone(), observer.cloned());
            tasks.spawn(async move {
                // The semaphore is never closed.
                let _permit = permits.acquire_owned().await;
                let progress = observer.map(|observer| -> SharedProgress {
                    let descriptor = blob.descriptor.clone();
                    Arc::new(move |more| {
                        observer(PushEvent::Bytes { descriptor: descriptor.clone(), more });
                    })
                });
                let (descriptor, source) = (&blob.descriptor, &blob.source);
                let how = client
                    .push_blob(&repository, descriptor, source, &blob.mount_from, progress.as_ref())
                    .await?;
                Ok::<_, RegistryError>((blob.descriptor, how))
            });
        }
        while let Some(done) = tasks.join_next().await {
            let (descriptor, how) = done
                .map_err(|_| PushError::Task)?
                .map_err(|source| PushError::Content { source })?;
            match how {
                Pushed::Existed => report.existed += 1,
                Pushed::Mounted => report.mounted += 1,
                Pushed::Uploaded => {
                    report.uploaded += 1;
                    report.uploaded_bytes += descriptor.size;
                }
            }
            tell(observer, || PushEvent::Blob { descriptor, how });
        }
        Ok(())
    }
}

fn tell(observer: Option<&PushObserver>, event: impl FnOnce() -> PushEvent) {
    if let Some(observer) = observer {
        observer(event());
    }
}
