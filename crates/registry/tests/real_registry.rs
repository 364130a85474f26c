//! Against Debian's `docker-registry`, with `skopeo` as the independent reader of what was pushed.
//! Without these programs the tests print SKIP with the reason.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use mlint_model::{Fact, FactSource, ImageQuery};
use mlint_oci::{
    Descriptor, Digest, History, ImageConfig, Index, Manifest, Platform, Reference, media_type,
};
use mlint_registry::{
    BlobSource, Client, ClientOptions, Credential, Credentials, FactOptions, PlannedBlob,
    PlannedManifest, PushPlan, Pushed, RegistryError, resolve_facts,
};

/// A running `docker-registry`; stopped and removed when dropped.
struct Registry {
    child: Child,
    host: String,
    dir: tempfile::TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a program is there; says SKIP if not.
#[allow(clippy::print_stderr)]
fn have(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok();
    if !found {
        eprintln!("SKIP: {program} is not installed");
    }
    found
}

impl Registry {
    /// Starts one with more lines of config, or nothing if it is not installed.
    fn start(more: &dyn Fn(&Path) -> String) -> Option<Self> {
        if !have("docker-registry") {
            return None;
        }
        // Between finding a port and its use somebody else may take it: then another one.
        (0..5).find_map(|_| Self::try_start(more))
    }

    fn try_start(more: &dyn Fn(&Path) -> String) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let data = dir.path().join("data");
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    \
             rootdirectory: {}\nhttp:\n  addr: {host}\n{}",
            data.display(),
            more(dir.path())
        );
        let path = dir.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut registry = Self { child, host, dir };
        if registry.comes_up() {
            return Some(registry);
        }
        let log = fs::read_to_string(registry.dir.path().join("log")).unwrap();
        assert!(log.contains("address already in use"), "docker-registry fails: {log}");
        None
    }

    fn comes_up(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            if std::net::TcpStream::connect(&self.host).is_ok() {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    fn reference(&self, name: &str) -> Reference {
        Reference::parse(&format!("{}/{name}", self.host)).unwrap()
    }
}

fn options() -> ClientOptions {
    ClientOptions { credentials: Credentials::anonymous(), ..ClientOptions::default() }
}

fn as_user(host: &str, password: &str) -> ClientOptions {
    let credential = Credential::Password { user: "me".into(), password: password.into() };
    ClientOptions { credentials: Credentials::anonymous().with(host, credential), ..options() }
}

/// A tar with one file, and its descriptor, in a folder.
fn layer(dir: &Path, name: &str, size: usize) -> (Descriptor, BlobSource) {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut bytes = header.to_vec();
    bytes.extend((0..size).map(|n| (n * 7 + n / 251) as u8));
    bytes.resize(bytes.len().div_ceil(512) * 512 + 1024, 0);
    let path = dir.join(name);
    fs::write(&path, &bytes).unwrap();
    (Descriptor::of(media_type::OCI_LAYER, &bytes), BlobSource::File(path))
}

/// A plan for an image of two platforms that share a layer.
fn two_platforms(repository: Reference, dir: &Path, tag: &str) -> PushPlan {
    let (mut blobs, mut manifests, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    let shared = layer(dir, "shared", 3_000_000);
    for arch in ["amd64", "arm64"] {
        let platform = Platform::linux(arch);
        let layers = [layer(dir, arch, 1000), shared.clone()];
        let mut config = ImageConfig::new(&platform);
        config.rootfs.diff_ids = layers.iter().map(|(d, _)| d.digest.clone()).collect();
        config.history = vec![History::default(); 2];
        config.config.cmd = Some(vec![format!("/{arch}")]);
        let bytes = serde_json::to_vec(&config).unwrap();
        let config = Descriptor::of(media_type::OCI_CONFIG, &bytes);
        let source = BlobSource::Bytes(bytes.into());
        let descriptors = layers.iter().map(|(d, _)| d.clone()).collect();
        let manifest = Manifest::new(config.clone(), descriptors);
        for (descriptor, source) in layers.into_iter().chain([(config, source)]) {
            blobs.push(PlannedBlob { descriptor, source, mount_from: Vec::new() });
        }
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let manifest = PlannedManifest::new(media_type::OCI_MANIFEST, bytes);
        entries.push(manifest.descriptor.clone().with_platform(&platform));
        manifests.push(manifest);
    }
    let bytes = serde_json::to_vec(&Index::new(entries)).unwrap();
    let index = Some(PlannedManifest::new(media_type::OCI_INDEX, bytes));
    PushPlan { repository, blobs, manifests, index, tags: vec![tag.to_owned()] }
}

fn skopeo(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("skopeo").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "skopeo {arguments:?}: {said}");
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pushed_is_what_skopeo_reads() {
    let Some(registry) = Registry::start(&|_| String::new()) else { return };
    let plan = two_platforms(registry.reference("team/app"), registry.dir.path(), "1");
    let client = Client::new(options());
    let report = client.push(std::slice::from_ref(&plan), 4, None).await.unwrap();
    assert_eq!((report.uploaded, report.existed), (5, 0));
    let again = client.push(std::slice::from_ref(&plan), 4, None).await.unwrap();
    assert_eq!((again.uploaded, again.existed), (0, 5));

    let tagged = registry.reference("team/app:1");
    let image = client.image(&tagged).await.unwrap();
    let names: Vec<String> =
        image.platforms.iter().map(|p| p.platform.as_ref().unwrap().to_string()).collect();
    assert_eq!(names, ["linux/amd64", "linux/arm64"]);
    let (arm64, _) = image.select(&Platform::linux("arm64")).unwrap();
    let arm64 = client.platform_image(&tagged, &arm64.descriptor).await.unwrap();
    assert_eq!(arm64.config.config.cmd.as_ref().unwrap(), &["/arm64"]);
    let path = registry.dir.path().join("fetched");
    client.fetch_blob(&tagged, &arm64.layers[1].descriptor, &path, None).await.unwrap();
    assert_eq!(Digest::sha256(fs::read(&path).unwrap()), arm64.layers[1].diff_id);

    if !have("skopeo") {
        return;
    }
    let url = format!("docker://{tagged}");
    let raw = skopeo(&["inspect", "--tls-verify=false", "--raw", &url]);
    assert_eq!(raw, plan.index.as_ref().unwrap().bytes.to_vec());
    let platform = ["--override-arch=arm64", "inspect", "--tls-verify=false", "--config", &url];
    let config: ImageConfig = ImageConfig::parse(&skopeo(&platform)).unwrap();
    assert_eq!(config, arm64.config);
    // Copying reads every blob of both platforms and checks its digest.
    let out = format!("oci:{}", registry.dir.path().join("copy").display());
    skopeo(&["copy", "--all", "--src-tls-verify=false", &url, &out]);
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_mounted_and_chunked() {
    let Some(registry) = Registry::start(&|_| String::new()) else { return };
    let (descriptor, source) = layer(registry.dir.path(), "layer", 5_000_000);
    let (a, b) = (registry.reference("a"), registry.reference("b"));
    let chunked = ClientOptions { chunk_size: Some(1 << 20), ..options() };
    let client = Client::new(chunked);
    let how = client.push_blob(&a, &descriptor, &source, &[], None).await.unwrap();
    assert_eq!(how, Pushed::Uploaded);
    let from = std::slice::from_ref(&a);
    let how = client.push_blob(&b, &descriptor, &source, from, None).await.unwrap();
    assert_eq!(how, Pushed::Mounted);
    // A source that lacks the blob: the upload goes on in the session that the registry opened.
    let (other, source) = layer(registry.dir.path(), "other", 10_000);
    let how = client.push_blob(&b, &other, &source, from, None).await.unwrap();
    assert_eq!(how, Pushed::Uploaded);
    assert!(client.blob_exists(&b, &other.digest).await.unwrap());
    assert!(!client.blob_exists(&a, &other.digest).await.unwrap());
    let empty: Arc<[u8]> = Arc::new([]);
    let descriptor = Descriptor::of(media_type::OCI_LAYER, &empty);
    let source = BlobSource::Bytes(empty);
    let how = client.push_blob(&a, &descriptor, &source, &[], None).await.unwrap();
    assert_eq!(how, Pushed::Uploaded);
}

#[tokio::test(flavor = "multi_thread")]
async fn absence_is_told_apart() {
    let Some(registry) = Registry::start(&|_| String::new()) else { return };
    let client = Client::new(options());
    let error = client.resolve(&registry.reference("no/such:tag")).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(client.head(&registry.reference("no/such:tag")).await.unwrap(), None);
    let reference = registry.reference("app:1");
    let config = Descriptor::of(media_type::OCI_CONFIG, b"{}");
    let bytes = serde_json::to_vec(&Manifest::new(config, Vec::new())).unwrap();
    let error = client.push_tag(&reference, media_type::OCI_MANIFEST, &bytes).await.unwrap_err();
    let RegistryError::Refused { status: 400, message, .. } = &error else { panic!("{error}") };
    assert!(message.contains("blob unknown"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_asked_for() {
    if !have("htpasswd") {
        return;
    }
    let with_login = |dir: &Path| {
        let file = dir.join("htpasswd");
        let output = Command::new("htpasswd").args(["-Bbn", "me", "right"]).output().unwrap();
        fs::write(&file, output.stdout).unwrap();
        format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", file.display())
    };
    let Some(registry) = Registry::start(&with_login) else { return };
    let plan = two_platforms(registry.reference("app"), registry.dir.path(), "1");
    let push =
        async |options| Client::new(options).push(std::slice::from_ref(&plan), 4, None).await;
    let error = push(options()).await.unwrap_err().to_string();
    assert!(error.contains("wants a login for app"), "{error}");
    let error = push(as_user(&registry.host, "wrong")).await.unwrap_err().to_string();
    assert!(error.contains("refuses the user name or password"), "{error}");
    assert_eq!(push(as_user(&registry.host, "right")).await.unwrap().uploaded, 5);

    // And through a config file, as 'docker login' writes it.
    let file = registry.dir.path().join("config.json");
    let text = format!(r#"{{"auths":{{"{}":{{"auth":"bWU6cmlnaHQ="}}}}}}"#, registry.host);
    fs::write(&file, text).unwrap();
    let credentials = Credentials::anonymous().with_file(&file);
    let client = Client::new(ClientOptions { credentials, ..options() });
    assert_eq!(client.image(&registry.reference("app:1")).await.unwrap().platforms.len(), 2);
}

/// A certificate for 127.0.0.1 that nobody knows, made by openssl.
fn certificate(dir: &Path) -> String {
    let file = |name: &str| dir.join(name).display().to_string();
    let (key, certificate) = (file("key.pem"), file("cert.pem"));
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "2", "-subj", "/CN=mlint test"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    format!("  tls:\n    certificate: {certificate}\n    key: {key}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_trusted_only_when_it_should_be() {
    if !have("openssl") {
        return;
    }
    let Some(registry) = Registry::start(&certificate) else { return };
    let plan = two_platforms(registry.reference("app"), registry.dir.path(), "1");
    let push =
        async |options| Client::new(options).push(std::slice::from_ref(&plan), 4, None).await;
    // On loopback plain HTTP is tried first; a TLS server is noticed, and then distrusted.
    let error = push(options()).await.unwrap_err().to_string();
    assert!(error.contains("no TLS connection to 127.0.0.1"), "{error}");
    let pem = fs::read(registry.dir.path().join("cert.pem")).unwrap();
    let report = push(ClientOptions { extra_roots: vec![pem], ..options() }).await.unwrap();
    assert_eq!(report.uploaded, 5);
}

#[test]
fn facts_come_from_the_registry() {
    let Some(registry) = Registry::start(&|_| String::new()) else { return };
    let plan = two_platforms(registry.reference("app"), registry.dir.path(), "1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Client::new(options()).push(&[plan], 4, None)).unwrap();
    let name = format!("{}/app:1", registry.host);
    let query = ImageQuery { reference: name.clone() };
    let facts = resolve_facts(&[query], &FactOptions { client: options(), ..Default::default() });
    let Fact::Known(info) = facts.image(&name) else { panic!("{facts:?}") };
    assert_eq!((info.platforms.len(), info.is_index), (2, true));
    assert_eq!(info.source, FactSource::Registry);
}
