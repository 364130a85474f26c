use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use mlint_oci::{Compatibility, Descriptor, Document, Reference, media_type};

use super::{client, noise, options};
use crate::{
    Client, ClientOptions, RegistryError,
    testing::{FaultKind, TestRegistry},
};

const LAYER: &str = media_type::OCI_LAYER_GZIP;

#[tokio::test]
async fn an_image_lists_its_platforms_and_layers() {
    let registry = TestRegistry::start().unwrap();
    registry.put_index("app", "1", &["linux/amd64", "linux/arm64", "unknown/unknown"]);
    let reference = registry.reference("app:1");
    let image = client().image(&reference).await.unwrap();
    assert!(image.is_index() && image.platforms.len() == 2);
    let (offer, fit) = image.select(&"linux/arm64".parse().unwrap()).unwrap();
    assert_eq!(fit, Compatibility::Exact);
    let arm64 = client().platform_image(&reference, &offer.descriptor).await.unwrap();
    assert_eq!(arm64.config.platform().unwrap().to_string(), "linux/arm64");
    assert_eq!(arm64.layers.len(), 1);
    let bytes = client().small_blob(&reference, &arm64.layers[0].descriptor, 100).await.unwrap();
    assert_eq!(bytes, b"linux/arm64");
    // A single manifest says its platform in its config.
    let single = reference.with_digest(offer.descriptor.digest.clone());
    let image = client().image(&single).await.unwrap();
    assert!(!image.is_index());
    assert_eq!(image.platforms[0].platform.as_ref().unwrap().to_string(), "linux/arm64");
    let head = client().head(&reference).await.unwrap().unwrap();
    assert_eq!(head.media_type, media_type::OCI_INDEX);
    assert_eq!(client().head(&registry.reference("app:2")).await.unwrap(), None);
}

#[tokio::test]
async fn an_index_may_leave_platforms_to_the_configs() {
    let registry = TestRegistry::start().unwrap();
    let mut entry = registry.put_image("app", &"linux/s390x".parse().unwrap(), &[b"x"]);
    entry.platform = None;
    let bytes = serde_json::to_vec(&mlint_oci::Index::new(vec![entry])).unwrap();
    registry.put_manifest("app", Some("1"), media_type::OCI_INDEX, &bytes);
    let image = client().image(&registry.reference("app:1")).await.unwrap();
    assert_eq!(image.platforms[0].platform.as_ref().unwrap().to_string(), "linux/s390x");
}

#[tokio::test]
async fn a_broken_download_is_resumed_where_it_broke() {
    let registry = TestRegistry::start().unwrap();
    let bytes = noise(300_000);
    let blob = registry.put_blob("app", LAYER, &bytes);
    registry.inject("GET", "/blobs/", 7, FaultKind::DropAfter(40_000));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layer");
    let moved = AtomicU64::new(0);
    let count = |more| {
        moved.fetch_add(more, Ordering::Relaxed);
    };
    let reference = registry.reference("app");
    client().fetch_blob(&reference, &blob, &path, Some(&count)).await.unwrap();
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert_eq!(moved.load(Ordering::Relaxed), 300_000);
    assert_eq!(registry.requests().len(), 1 + 8, "{:?}", registry.requests());
}

#[tokio::test]
async fn a_server_without_ranges_is_put_up_with() {
    let registry = TestRegistry::start().unwrap();
    let bytes = noise(100_000);
    let blob = registry.put_blob("app", LAYER, &bytes);
    registry.inject("GET", "/blobs/", 1, FaultKind::DropAfter(60_000));
    registry.inject("GET", "/blobs/", 1, FaultKind::IgnoreRange);
    let got = client().small_blob(&registry.reference("app"), &blob, 200_000).await.unwrap();
    assert!(got == bytes);
}

#[tokio::test]
async fn a_download_that_never_gets_on_fails_and_leaves_nothing() {
    let registry = TestRegistry::start().unwrap();
    let blob = registry.put_blob("app", LAYER, &noise(1000));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("layer");
    let fetch = async || {
        client().fetch_blob(&registry.reference("app"), &blob, &path, None).await.unwrap_err()
    };
    registry.inject("GET", "/blobs/", 5, FaultKind::DropAfter(0));
    let error = fetch().await;
    assert!(matches!(error, RegistryError::Broken { attempts: 5, .. }), "{error}");
    registry.inject("GET", "/blobs/", 1, FaultKind::WrongBytes);
    let error = fetch().await;
    assert!(error.to_string().contains("changed or damaged"), "{error}");
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn a_cancelled_download_leaves_nothing() {
    let registry = TestRegistry::start().unwrap();
    let blob = registry.put_blob("app", LAYER, &noise(1000));
    registry.inject("GET", "/blobs/", 1, FaultKind::Slow(Duration::from_secs(3)));
    let dir = tempfile::tempdir().unwrap();
    let (reference, path) = (registry.reference("app"), dir.path().join("layer"));
    let client = client();
    let fetch = client.fetch_blob(&reference, &blob, &path, None);
    assert!(tokio::time::timeout(Duration::from_millis(300), fetch).await.is_err());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn sizes_are_limits() {
    let registry = TestRegistry::start().unwrap();
    let reference = registry.reference("app");
    let blob = registry.put_blob("app", LAYER, &noise(1000));
    let short = Descriptor::new(LAYER, blob.digest.clone(), 10);
    let error = client().small_blob(&reference, &short, 100).await.unwrap_err();
    assert!(error.to_string().contains("longer than the 10 bytes"), "{error}");
    let error = client().small_blob(&reference, &blob, 100).await.unwrap_err();
    assert!(error.to_string().contains("more than the 100"), "{error}");
    registry.put_manifest("app", Some("huge"), media_type::OCI_INDEX, &noise(5 << 20));
    let error = client().resolve(&registry.reference("app:huge")).await.unwrap_err();
    assert!(error.to_string().contains("more than the 4194304"), "{error}");
    let gone = Descriptor::of(LAYER, b"gone");
    let error = client().small_blob(&reference, &gone, 100).await.unwrap_err();
    assert!(error.to_string().contains("the image is incomplete"), "{error}");
}

#[tokio::test]
async fn errors_of_the_moment_are_tried_again() {
    let registry = TestRegistry::start().unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    let reference = registry.reference("app:1");
    registry.inject("GET", "/manifests/", 1, FaultKind::Status(503));
    registry.inject("GET", "/manifests/", 1, FaultKind::TooManyRequests(Some(0)));
    registry.inject("GET", "/manifests/", 1, FaultKind::DropAfter(0));
    let resolved = client().resolve(&reference).await;
    assert!(matches!(resolved.unwrap().document, Document::Index(_)));
    registry.inject("GET", "/manifests/", 99, FaultKind::Status(500));
    let error = client().resolve(&reference).await.unwrap_err();
    assert!(error.to_string().contains("answered 500"), "{error}");
    assert!(error.to_string().contains("as ordered"), "{error}");
}

#[tokio::test]
async fn rate_limits_and_silence_are_named() {
    let registry = TestRegistry::start().unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    let reference = registry.reference("app:1");
    registry.inject("GET", "/manifests/", 1, FaultKind::TooManyRequests(Some(3600)));
    let error = client().resolve(&reference).await.unwrap_err();
    assert!(error.to_string().contains("try again in 3600 s"), "{error}");
    registry.inject("GET", "/manifests/", 1, FaultKind::Slow(Duration::from_secs(2)));
    let read_timeout = Duration::from_millis(100);
    let hasty = Client::new(ClientOptions { read_timeout, attempts: 1, ..options() });
    let error = hasty.resolve(&reference).await.unwrap_err();
    assert!(error.to_string().contains("did not answer within 0.1 s"), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let registry = TestRegistry::start().unwrap();
    let error = client().resolve(&registry.reference("no/such:tag")).await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("no/such:tag does not exist"));
    // A port that nobody listens on: bound for a moment, then free.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reference = Reference::parse(&format!("{free}/app")).unwrap();
    let error = client().resolve(&reference).await.unwrap_err();
    assert!(error.to_string().contains("can't reach 127.0.0.1"), "{error}");
    assert!(error.to_string().to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn plain_http_is_named() {
    let registry = TestRegistry::start().unwrap();
    let port = registry.host().rsplit(':').next().unwrap().to_owned();
    // Loopback, but not in a way that is known as such: TLS is spoken.
    let name = format!("127.1:{port}");
    let reference = Reference::parse(&format!("{name}/app:1")).unwrap();
    let error = client().resolve(&reference).await.unwrap_err();
    assert!(error.to_string().contains("speaks plain HTTP"), "{error}");
    registry.put_index("app", "1", &["linux/amd64"]);
    let plain_http = [name].into();
    let client = Client::new(ClientOptions { plain_http, ..options() });
    client.resolve(&reference).await.unwrap();
}

#[tokio::test]
async fn a_changed_manifest_is_refused() {
    let registry = TestRegistry::start().unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    registry.inject("GET", "/manifests/", 1, FaultKind::WrongBytes);
    let error = client().resolve(&registry.reference("app:1")).await.unwrap_err();
    assert!(error.to_string().contains("changed or damaged on the way"), "{error}");
}

#[tokio::test]
async fn mirrors_come_first_and_may_fail() {
    let (origin, mirror) = (TestRegistry::start().unwrap(), TestRegistry::start().unwrap());
    let bytes = noise(50_000);
    origin.put_index("app", "1", &["linux/amd64"]);
    let blob = origin.put_blob("app", LAYER, &bytes);
    mirror.put_blob("app", LAYER, &bytes);
    let mirrors = [(origin.host(), vec![mirror.host()])].into();
    let client = Client::new(ClientOptions { mirrors, ..options() });
    client.resolve(&origin.reference("app:1")).await.unwrap();
    // The mirror breaks half-way for good; the origin continues.
    mirror.inject("GET", "/blobs/", 1, FaultKind::DropAfter(20_000));
    mirror.inject("GET", "/blobs/", 99, FaultKind::DropAfter(0));
    let got = client.small_blob(&origin.reference("app"), &blob, 100_000).await.unwrap();
    assert!(got == bytes);
    assert!(mirror.requests().iter().any(|r| r.contains("/manifests/1")));
    assert_eq!(origin.requests().iter().filter(|r| r.contains("/blobs/")).count(), 1);
}
