use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use mlint_oci::{Descriptor, ImageConfig, Index, Manifest, Platform, media_type};

use super::{client, noise, options};
use crate::{
    BlobSource, Client, ClientOptions, PlannedBlob, PlannedManifest, PushError, PushPlan, Pushed,
    RegistryError, SharedProgress,
    testing::{Death, FaultKind, TestRegistry},
};

const LAYER: &str = media_type::OCI_LAYER;

/// A file with noise, its descriptor, and the folder that must outlive it.
fn file(len: usize) -> (tempfile::TempDir, Descriptor, BlobSource) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layer");
    let bytes = noise(len);
    std::fs::write(&path, &bytes).unwrap();
    (dir, Descriptor::of(LAYER, &bytes), BlobSource::File(path))
}

fn counter() -> (Arc<AtomicU64>, SharedProgress) {
    let count = Arc::new(AtomicU64::new(0));
    let for_progress = count.clone();
    let progress: SharedProgress = Arc::new(move |more| {
        for_progress.fetch_add(more, Ordering::Relaxed);
    });
    (count, progress)
}

#[tokio::test]
async fn blobs_are_uploaded_once_and_mounted() {
    let registry = TestRegistry::start().unwrap();
    let (_dir, descriptor, source) = file(200_000);
    let (count, progress) = counter();
    let (app, other) = (registry.reference("app"), registry.reference("team/other"));
    let push = async |to, from: &[_]| {
        client().push_blob(to, &descriptor, &source, from, Some(&progress)).await.unwrap()
    };
    assert_eq!(push(&app, &[]).await, Pushed::Uploaded);
    assert_eq!(count.load(Ordering::Relaxed), 200_000);
    assert_eq!(push(&app, &[]).await, Pushed::Existed);
    assert_eq!(push(&other, std::slice::from_ref(&app)).await, Pushed::Mounted);
    assert!(client().blob_exists(&other, &descriptor.digest).await.unwrap());
    // A missed mount goes on in the session that the registry opened.
    registry.refuse_mounts();
    let third = registry.reference("third");
    assert_eq!(push(&third, std::slice::from_ref(&app)).await, Pushed::Uploaded);
    let posts = registry.requests();
    assert_eq!(posts.iter().filter(|r| r.starts_with("POST /v2/third/")).count(), 1);
}

#[tokio::test]
async fn a_broken_upload_starts_again() {
    let registry = TestRegistry::start().unwrap();
    let (_dir, descriptor, source) = file(3_000_000);
    let (count, progress) = counter();
    registry.inject("PUT", "/blobs/uploads/", 2, FaultKind::DropAfter(1000));
    registry.inject("PUT", "/blobs/uploads/", 1, FaultKind::Status(502));
    let app = registry.reference("app");
    let how = client().push_blob(&app, &descriptor, &source, &[], Some(&progress)).await;
    assert_eq!(how.unwrap(), Pushed::Uploaded);
    assert!(registry.has_blob("app", &descriptor.digest));
    assert_eq!(count.load(Ordering::Relaxed), 3_000_000);
    let (_dir, descriptor, source) = file(3_000_001);
    registry.inject("PUT", "/blobs/uploads/", 99, FaultKind::DropAfter(1000));
    let error = client().push_blob(&app, &descriptor, &source, &[], None).await.unwrap_err();
    assert!(matches!(error, RegistryError::Broken { .. }), "{error}");
}

#[tokio::test]
async fn chunks_go_on_where_the_registry_is() {
    let registry = TestRegistry::start().unwrap();
    let (_dir, descriptor, source) = file(500_000);
    let (count, progress) = counter();
    registry.inject("PATCH", "/blobs/uploads/", 3, FaultKind::DropAfter(30_000));
    let chunked = Client::new(ClientOptions { chunk_size: Some(100_000), ..options() });
    let app = registry.reference("app");
    let how = chunked.push_blob(&app, &descriptor, &source, &[], Some(&progress)).await;
    assert_eq!(how.unwrap(), Pushed::Uploaded);
    assert!(registry.has_blob("app", &descriptor.digest));
    assert_eq!(count.load(Ordering::Relaxed), 500_000);
    assert_eq!(registry.requests().iter().filter(|r| r.starts_with("POST")).count(), 1);
}

#[tokio::test]
async fn a_body_limit_leads_to_chunks() {
    let registry = TestRegistry::start().unwrap();
    registry.limit_bodies(17 << 20);
    let (_dir, descriptor, source) = file(20 << 20);
    let app = registry.reference("app");
    let how = client().push_blob(&app, &descriptor, &source, &[], None).await;
    assert_eq!(how.unwrap(), Pushed::Uploaded);
    assert!(registry.requests().iter().any(|r| r.starts_with("PATCH")));
}

#[tokio::test]
async fn a_file_that_shrank_or_changed_is_no_upload() {
    let registry = TestRegistry::start().unwrap();
    let (dir, descriptor, source) = file(1000);
    std::fs::write(dir.path().join("layer"), b"short").unwrap();
    let app = registry.reference("app");
    let error = client().push_blob(&app, &descriptor, &source, &[], None).await.unwrap_err();
    assert!(error.to_string().contains("it has 5 bytes, fewer"), "{error}");
    std::fs::write(dir.path().join("layer"), vec![0; 1000]).unwrap();
    let error = client().push_blob(&app, &descriptor, &source, &[], None).await.unwrap_err();
    assert!(error.to_string().contains("another digest"), "{error}");
}

fn plan(registry: &TestRegistry, tags: &[&str]) -> PushPlan {
    let mut plan = PushPlan {
        repository: registry.reference("app"),
        blobs: Vec::new(),
        manifests: Vec::new(),
        index: None,
        tags: tags.iter().map(ToString::to_string).collect(),
    };
    let mut entries = Vec::new();
    for name in ["linux/amd64", "linux/arm64"] {
        let platform: Platform = name.parse().unwrap();
        let mut add = |kind: &str, bytes: &[u8]| {
            let descriptor = Descriptor::of(kind, bytes);
            let source = BlobSource::Bytes(bytes.into());
            let mount_from = Vec::new();
            plan.blobs.push(PlannedBlob { descriptor: descriptor.clone(), source, mount_from });
            descriptor
        };
        let layer = add(LAYER, name.as_bytes());
        let shared = add(LAYER, b"shared");
        let mut config = ImageConfig::new(&platform);
        config.rootfs.diff_ids = vec![layer.digest.clone(), shared.digest.clone()];
        let config = add(media_type::OCI_CONFIG, &serde_json::to_vec(&config).unwrap());
        let bytes = serde_json::to_vec(&Manifest::new(config, vec![layer, shared])).unwrap();
        let manifest = PlannedManifest::new(media_type::OCI_MANIFEST, bytes);
        entries.push(manifest.descriptor.clone().with_platform(&platform));
        plan.manifests.push(manifest);
    }
    let bytes = serde_json::to_vec(&Index::new(entries)).unwrap();
    plan.index = Some(PlannedManifest::new(media_type::OCI_INDEX, bytes));
    plan
}

#[tokio::test]
async fn a_push_tags_last() {
    let registry = TestRegistry::start().unwrap();
    let plan = plan(&registry, &["1", "latest"]);
    let report = client().push(std::slice::from_ref(&plan), 4, None).await.unwrap();
    assert_eq!((report.uploaded, report.existed, report.mounted), (5, 0, 0));
    assert_eq!(report.tagged.len(), 2);
    let digest = Some(plan.index.as_ref().unwrap().descriptor.digest.clone());
    assert_eq!((registry.tag("app", "1"), registry.tag("app", "latest")), (digest.clone(), digest));
    let image = client().image(&registry.reference("app:latest")).await.unwrap();
    assert_eq!(image.platforms.len(), 2);
    let log = registry.requests();
    let puts: Vec<&String> = log.iter().filter(|r| r.starts_with("PUT")).collect();
    let last_two: Vec<&str> = puts[puts.len() - 2..].iter().map(|r| r.as_str()).collect();
    assert_eq!(last_two, ["PUT /v2/app/manifests/1", "PUT /v2/app/manifests/latest"]);
    let report = client().push(&[plan], 4, None).await.unwrap();
    assert_eq!((report.uploaded, report.existed), (0, 5));
}

#[tokio::test]
async fn a_failed_push_tags_nothing() {
    for (method, path) in [("POST", "/blobs/uploads/"), ("PUT", "/manifests/sha256:")] {
        let registry = TestRegistry::start().unwrap();
        let plan = plan(&registry, &["1"]);
        registry.inject(method, path, 99, FaultKind::Status(500));
        let error = client().push(std::slice::from_ref(&plan), 2, None).await.unwrap_err();
        assert!(matches!(error, PushError::Content { .. }), "{error}");
        assert!(error.to_string().starts_with("nothing was tagged"), "{error}");
        assert_eq!(registry.tag("app", "1"), None);
    }
}

#[tokio::test]
async fn a_failed_tag_says_which_were_set() {
    let registry = TestRegistry::start().unwrap();
    registry.inject("PUT", "/manifests/2", 99, FaultKind::Status(500));
    let error = client().push(&[plan(&registry, &["1", "2"])], 2, None).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("app:2 was not tagged") && text.contains("already tagged: "), "{text}");
}

#[tokio::test]
async fn wrong_plans_send_nothing() {
    let registry = TestRegistry::start().unwrap();
    let problem = async |change: &dyn Fn(&mut PushPlan)| {
        let mut plan = plan(&registry, &["1"]);
        change(&mut plan);
        client().push(&[plan], 1, None).await.unwrap_err().to_string()
    };
    let text = problem(&|p| drop(p.blobs.remove(0))).await;
    assert!(text.contains("which is not in the plan"), "{text}");
    let text = problem(&|p| drop(p.manifests.remove(0))).await;
    assert!(text.contains("which is not in the plan"), "{text}");
    let text = problem(&|p| p.index = None).await;
    assert!(text.contains("unclear what to tag"), "{text}");
    let text = problem(&|p| p.tags.push("-".to_owned())).await;
    assert!(text.contains("'-' is no tag"), "{text}");
    assert!(registry.requests().is_empty());
}

/// Whenever the registry dies, no tag is there; once it lives again, the same push works and sends
/// what was missing.
#[tokio::test]
async fn a_registry_may_die_at_any_request() {
    let options =
        ClientOptions { read_timeout: Duration::from_millis(50), attempts: 2, ..options() };
    let hang = Death::Hanging(Duration::from_millis(400));
    for how in [Death::Silent, Death::Status(500), Death::Status(401), hang] {
        for answered in 0.. {
            let registry = TestRegistry::start().unwrap();
            let plan = plan(&registry, &["1", "2"]);
            let digests = plan.blobs.iter().map(|blob| blob.descriptor.digest.clone());
            let blobs = digests.collect::<std::collections::BTreeSet<_>>().len();
            registry.die_after(answered, how);
            let pushed =
                Client::new(options.clone()).push(std::slice::from_ref(&plan), 1, None).await;
            if pushed.is_ok() {
                assert!(answered > 8, "{how:?}: only {answered} requests");
                break;
            }
            let tags = ["1", "2"].map(|tag| registry.tag("app", tag).is_some());
            // Tags come last: the second may be missing when the first is there, and it is said.
            let told = matches!(&pushed, Err(PushError::Tag { tagged, .. }) if tagged.len() == 1);
            assert_eq!(tags, [told, false], "{how:?} after {answered}: {pushed:?}");
            registry.revive();
            let report = client().push(&[plan], 1, None).await.unwrap();
            assert_eq!(report.tagged.len(), 2, "{how:?} after {answered}");
            assert_eq!(report.existed + report.uploaded, blobs, "{how:?} after {answered}");
            assert!(registry.tag("app", "2").is_some());
        }
    }
}
