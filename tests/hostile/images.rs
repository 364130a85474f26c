//! Base images and registries that mean harm. Each build fails with a reason, and no tag is set.

use std::{fs, process::Command};

use mlint_oci::Digest;
use serde_json::{Value, json};

use crate::{
    server::{Reply, Server},
    support::{Outside, SECRET},
    tar::archive,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

fn config(diff_ids: &[Digest]) -> Value {
    let diff_ids: Vec<String> = diff_ids.iter().map(Digest::to_string).collect();
    json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids } })
}

fn manifest(config: &Value, layers: &[Value]) -> Value {
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers })
}

/// A whole and honest image of these layers, which a case then spoils.
fn image(server: &Server, layers: &[&[u8]]) -> Value {
    let diff_ids: Vec<Digest> = layers.iter().map(Digest::sha256).collect();
    let layers: Vec<Value> = layers.iter().map(|bytes| server.blob(LAYER, bytes)).collect();
    let config = server.blob(CONFIG, config(&diff_ids).to_string().as_bytes());
    let manifest = manifest(&config, &layers);
    server.manifest(&manifest);
    manifest
}

struct Built {
    status: Option<i32>,
    err: String,
    work: tempfile::TempDir,
}

/// Builds a Dockerfile for amd64; `HOST` in it is the server.
fn build(server: &Server, dockerfile: &str, args: &[&str]) -> Built {
    let work = tempfile::tempdir().unwrap();
    let context = work.path().join("context");
    fs::create_dir(&context).unwrap();
    fs::write(context.join("Dockerfile"), dockerfile.replace("HOST", &server.host())).unwrap();
    fs::write(context.join("f"), "x").unwrap();
    let docker = work.path().join("docker");
    fs::create_dir(&docker).unwrap();
    // "someone:hunter2", for this registry.
    let login = format!(r#"{{"auths":{{"{}":{{"auth":"c29tZW9uZTpodW50ZXIy"}}}}}}"#, server.host());
    fs::write(docker.join("config.json"), login).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mlint"))
        .args(["build", ".", "--platforms", "linux/amd64", "--progress", "plain"])
        .args(args)
        .current_dir(&context)
        .env("MLINT_CACHE_DIR", work.path().join("cache"))
        .env("DOCKER_CONFIG", &docker)
        .output()
        .unwrap();
    // In one line, however wide the terminal is.
    let err = String::from_utf8_lossy(&output.stderr);
    let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
    Built { status: output.status.code(), err, work }
}

/// The build fails with these words, and no manifest is put anywhere.
#[track_caller]
fn refused(server: &Server, name: &str, words: &str) {
    let tag = format!("{}/x:out", server.host());
    let built = build(server, "FROM HOST/x:1\nCOPY f /f\n", &["-t", &tag, "--push"]);
    assert_eq!(built.status, Some(2), "{name}: {}", built.err);
    assert!(built.err.contains(words), "{name}: nothing about '{words}':\n{}", built.err);
    assert!(!built.err.contains("panicked"), "{name}: {}", built.err);
    let pushed = |line: &String| line.starts_with("PUT") && line.contains("/manifests/");
    assert!(!server.asked().iter().any(pushed), "{name}: {:?}", server.asked());
    // Nothing half is kept.
    let tmp = built.work.path().join("cache/v2/tmp");
    assert_eq!(fs::read_dir(tmp).map_or(0, Iterator::count), 0, "{name}");
}

#[test]
fn content_that_is_not_what_is_said() {
    let layer = archive(&["file f x"], "");
    let other = archive(&["file f y"], "");
    let digest = Digest::sha256(&layer);
    let blob = format!("GET /v2/x/blobs/{digest}");

    let server = Server::start();
    image(&server, &[&layer]);
    server.put(&blob, Reply::new(LAYER, other.clone()));
    server.put(&blob, Reply::new(LAYER, other.clone()));
    // The first answer was the honest one.
    let honest = build(&server, "FROM HOST/x:1\nCOPY f /f\n", &["--output", "type=oci,dest=o"]);
    assert_eq!(honest.status, Some(0), "{}", honest.err);
    refused(&server, "other bytes", "changed or damaged");

    for (name, size, words) in [
        ("a layer that is longer", layer.len() - 1, "longer than"),
        ("a layer that is shorter", layer.len() + 1, "ended too early"),
    ] {
        let server = Server::start();
        let mut spoilt = image(&server, &[&layer]);
        spoilt["layers"][0]["size"] = json!(size);
        server.manifest(&spoilt);
        refused(&server, name, words);
    }

    let server = Server::start();
    let blob = server.blob(LAYER, &layer);
    let lying = config(&[Digest::sha256(&other)]).to_string();
    let config_blob = server.blob(CONFIG, lying.as_bytes());
    server.manifest(&manifest(&config_blob, &[blob]));
    refused(&server, "a wrong diff id", "but the image's config says");

    let server = Server::start();
    let mut platform = image(&server, &[&layer]);
    platform = server.manifest(&platform);
    platform["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    platform["size"] = json!(7);
    server.manifest(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [platform] }));
    refused(&server, "a wrong size in the index", "but 7 are stated");

    let server = Server::start();
    let whole = image(&server, &[&layer]);
    let reply = Reply::new(MANIFEST, whole.to_string());
    let server = Server::start();
    let lie = Digest::sha256(b"something else").to_string();
    server.put("GET /v2/x/manifests/1", reply.with("Docker-Content-Digest", lie));
    refused(&server, "a lying Docker-Content-Digest", "changed or damaged");
}

#[test]
fn documents_that_are_none() {
    let layer = archive(&["file f x"], "");
    for (name, text, words) in [
        ("no JSON", "{".to_owned(), "can't be read"),
        ("deep JSON", format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)), "can't be read"),
        ("another document", "[]".to_owned(), "can't be read"),
    ] {
        let server = Server::start();
        let blob = server.blob(LAYER, &layer);
        let config = server.blob(CONFIG, text.as_bytes());
        server.manifest(&manifest(&config, &[blob]));
        refused(&server, name, words);
        let server = Server::start();
        server.put("GET /v2/x/manifests/1", Reply::new(MANIFEST, text));
        refused(&server, name, words);
    }

    let server = Server::start();
    let endless = Reply { endless: true, ..Reply::new(MANIFEST, " ".repeat(64 << 10)) };
    server.put("GET /v2/x/manifests/1", endless);
    refused(&server, "a manifest without end", "more than the 4194304");

    let server = Server::start();
    image(&server, &[&layer]);
    let mut many: Vec<Value> = Vec::new();
    for _ in 0..20_000 {
        many.push(
            json!({ "mediaType": LAYER, "digest": Digest::sha256(&layer).to_string(), "size": 1 }),
        );
    }
    let config =
        server.blob(CONFIG, config(&vec![Digest::sha256(&layer); 20_000]).to_string().as_bytes());
    server.manifest(&manifest(&config, &many));
    refused(&server, "20,000 layers", "more than the 900");

    // An index in an index, as near as one comes to an index in itself.
    let server = Server::start();
    let mut inner =
        server.manifest(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }));
    inner["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    server.manifest(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [inner] }));
    refused(&server, "an index in an index", "neither an image manifest");

    let server = Server::start();
    let mut foreign = image(&server, &[&layer]);
    foreign["layers"][0] = json!({
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": Digest::sha256(b"elsewhere").to_string(), "size": 10,
        "urls": [format!("http://{}/elsewhere", server.host())],
    });
    server.manifest(&foreign);
    refused(&server, "a layer from elsewhere", "");
    assert!(!server.asked().iter().any(|line| line.contains("/elsewhere")), "{:?}", server.asked());

    let server = Server::start();
    let mut odd = image(&server, &[&layer]);
    odd["layers"][0]["mediaType"] = json!("application/vnd.example.squashfs");
    server.manifest(&odd);
    refused(&server, "a layer of an unknown kind", "does not know how to unpack");

    let server = Server::start();
    image(&server, &[&archive(&["hard h = ../../etc/passwd"], "")]);
    refused(&server, "a hard link out", "hard link '/h' points at '/etc/passwd'");
}

#[test]
fn registries_that_lead_away() {
    let layer = archive(&["file f x"], "");
    let digest = Digest::sha256(&layer);
    let blob = format!("/v2/x/blobs/{digest}");

    let server = Server::start();
    let to = format!("http://{}/v2/x/manifests/1", server.host());
    server.put("GET /v2/x/manifests/1", Reply::status(302).with("Location", to));
    refused(&server, "redirects without end", "too many redirects");

    for (name, to) in [("a file", "file:///etc/passwd"), ("a shell", "ext::sh -c true")] {
        let server = Server::start();
        server.put("GET /v2/x/manifests/1", Reply::status(302).with("Location", to));
        refused(&server, name, "");
    }

    // Another host gets the request, but not who we are.
    let (server, other) = (Server::start(), Server::start());
    let whole = image(&server, &[&layer]);
    let server_with_login = Server::start();
    server_with_login.put(
        "GET /v2/x/manifests/1",
        Reply::status(401).with("WWW-Authenticate", "Basic realm=\"x\""),
    );
    for target in ["1", Digest::sha256(whole.to_string()).as_str()] {
        let path = format!("GET /v2/x/manifests/{target}");
        server_with_login.put(&path, Reply::new(MANIFEST, whole.to_string()));
    }
    let config = whole["config"]["digest"].as_str().unwrap();
    for path in [format!("/v2/x/blobs/{config}"), blob.clone()] {
        let away = format!("http://localhost:{}{path}", other.host().rsplit(':').next().unwrap());
        server_with_login.put(&format!("GET {path}"), Reply::status(307).with("Location", away));
    }
    other.put(&format!("GET {blob}"), Reply::new(LAYER, layer.clone()));
    refused(&server_with_login, "a redirect to another host", "is incomplete");
    assert!(server_with_login.asked().iter().any(|line| line.contains("Basic c29t")));
    assert!(!other.asked().is_empty(), "the redirect was not followed");
    assert!(other.asked().iter().all(|line| !line.contains("Basic")), "{:?}", other.asked());

    // A token service of somebody else's choice, in the clear.
    let server = Server::start();
    let realm = "Bearer realm=\"http://tokens.example/\",service=\"x\"";
    server.put("GET /v2/x/manifests/1", Reply::status(401).with("WWW-Authenticate", realm));
    refused(&server, "a token service in the clear", "sent in the clear");

    // Blobs go up side by side, so that a server leads all of them to one place.
    for (scheme, address) in [("file", "file:///etc/passwd"), ("ftp", "ftp://127.0.0.1/x")] {
        let server = Server::start();
        image(&server, &[&layer]);
        let to = Reply::status(202).with("Location", address);
        server.put("POST /v2/x/blobs/uploads/", to);
        let words = format!("wants the upload sent to a '{scheme}' address");
        refused(&server, "an upload elsewhere", &words);
    }

    // The rest of a layer begins elsewhere than asked for.
    let server = Server::start();
    image(&server, &[&layer]);
    let path = format!("GET {blob}");
    let half = Reply::new(LAYER, &layer[..700]).with("Content-Length", layer.len().to_string());
    let server = {
        let fresh = Server::start();
        let diff = [Digest::sha256(&layer)];
        let config = fresh.blob(CONFIG, self::config(&diff).to_string().as_bytes());
        let descriptor =
            json!({ "mediaType": LAYER, "digest": digest.to_string(), "size": layer.len() });
        fresh.manifest(&manifest(&config, &[descriptor]));
        fresh.put(&path, half);
        let wrong = Reply { status: 206, ..Reply::new(LAYER, &layer[900..]) };
        fresh.put(&path, wrong.with("Content-Range", format!("bytes 900-{0}/{0}", layer.len())));
        drop(server);
        fresh
    };
    refused(&server, "another range", "it sent another range");
}

/// The files of an image are read where its layer lies unpacked: no link in it leads further.
#[test]
fn nothing_of_this_machine_gets_into_an_image() {
    let outside = Outside::new();
    let to = outside.text();
    let long = format!("{to}{}/secret", "/.".repeat(20));
    let hidden = format!("pax linkpath={long}");
    let layers = [
        // The directory is in the layer, so that the file comes to lie there; the link stays.
        vec!["dir etc", "link out -> OUT", "file out/secret decoy"],
        vec!["dir OUT", "link out -> OUT", "file out/secret decoy"],
        vec!["link l -> OUT/secret", "hard h = l"],
        vec![&*hidden, "link l -> x", "hard h = l", "hard i = h"],
        vec!["link d -> OUT", "hard e = d"],
        vec!["dir d", "file d/secret decoy", "link e -> OUT"],
    ];
    for (number, lines) in layers.iter().enumerate() {
        let server = Server::start();
        image(&server, &[&archive(lines, &to)]);
        let tar = "type=tar,dest=out.tar";
        let more = [
            ("FROM HOST/x:1\nWORKDIR /out\nCOPY f .\n", "out"),
            ("FROM HOST/x:1\nCOPY f /l\n", tar),
            ("FROM HOST/x:1\nCOPY f /e/f\n", tar),
            ("FROM scratch\nCOPY --from=HOST/x:1 /h* /l* /e* /out* /dest/\n", "out"),
        ];
        let whole = "FROM scratch\nCOPY --from=HOST/x:1 / /\n";
        for (dockerfile, output) in [(whole, "out"), (whole, tar), more[number % more.len()]] {
            // Whether there is something to copy does not matter.
            let built = build(&server, dockerfile, &["--output", output]);
            assert!(!built.err.contains("panicked"), "{}", built.err);
            outside.is_untouched(dockerfile);
            let found = Command::new("grep").args(["-rlF", SECRET]).arg(built.work.path()).output();
            let found = String::from_utf8_lossy(&found.unwrap().stdout).into_owned();
            assert_eq!(found, "", "{lines:?}: {dockerfile}");
            let out = built.work.path().join("context/out");
            let linked = |name: &str| {
                use std::os::unix::fs::MetadataExt;
                let ours = fs::symlink_metadata(outside.path().join("secret")).unwrap().ino();
                fs::symlink_metadata(out.join(name)).is_ok_and(|found| found.ino() == ours)
            };
            assert!(!["h", "l", "i"].into_iter().any(linked), "{lines:?}: {dockerfile}");
        }
    }
}
