use std::time::{Duration, Instant};

use mlint_model::{ConfigQuery, Fact, FactSource, ImageQuery};
use mlint_oci::{ImageConfig, Index, media_type};

use super::options;
use crate::{
    ClientOptions, FactOptions, resolve_facts, resolve_images,
    testing::{FaultKind, TestRegistry},
};

fn query(reference: &str) -> ImageQuery {
    ImageQuery { reference: reference.to_owned() }
}

fn fact_options() -> FactOptions {
    FactOptions { client: ClientOptions { attempts: 2, ..options() }, ..FactOptions::default() }
}

/// Platforms and source, or the reason for none.
fn answer(reference: &str, options: &FactOptions) -> Result<(String, FactSource), String> {
    match resolve_facts(&[query(reference)], options).image(reference) {
        Fact::Known(info) => {
            let names: Vec<String> = info.platforms.iter().map(ToString::to_string).collect();
            Ok((names.join(","), info.source))
        }
        Fact::Unavailable(reason) => Err(reason),
        Fact::NotAsked => Err("not asked".to_owned()),
    }
}

#[test]
fn offline_answers_come_from_the_table() {
    let offline = FactOptions { offline: true, ..fact_options() };
    let (platforms, source) = answer("debian:12", &offline).unwrap();
    assert!(platforms.contains("linux/arm64"));
    assert!(matches!(source, FactSource::Table { as_of } if as_of.starts_with("202")));
    assert!(answer("docker.io/library/alpine", &offline).is_ok());
    assert_eq!(answer("ghcr.io/a/b", &offline).unwrap_err(), "offline");
    assert!(answer("debian:nope", &offline).unwrap_err().contains("has no tag 'nope' of debian"));
    assert!(answer("nope", &offline).unwrap_err().contains("has no image 'nope'"));
    assert!(answer("De bian", &offline).unwrap_err().contains("contains a blank"));
    let pinned = format!("debian@sha256:{}", "a".repeat(64));
    assert_eq!(answer(&pinned, &offline).unwrap_err(), "offline");
}

#[test]
fn registries_answer_all_queries_at_once() {
    let registry = TestRegistry::start().unwrap();
    registry.put_index("app", "1", &["linux/amd64", "linux/arm/v7", "linux/arm64"]);
    let host = registry.host();
    for _ in 0..8 {
        registry.inject("GET", "/manifests/", 1, FaultKind::Slow(Duration::from_millis(300)));
    }
    let queries: Vec<ImageQuery> = (0..8)
        .map(|n| query(&format!("{host}/app:{}", if n == 0 { "1".into() } else { n.to_string() })))
        .chain([query("?")])
        .collect();
    let start = Instant::now();
    let facts = resolve_facts(&queries, &fact_options());
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    let Fact::Known(info) = facts.image(&format!("{host}/app:1")) else { panic!("{facts:?}") };
    let names: Vec<String> = info.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["linux/amd64", "linux/arm/v7", "linux/arm64"]);
    let Fact::Unavailable(reason) = facts.image(&format!("{host}/app:2")) else {
        panic!("{facts:?}")
    };
    assert!(reason.contains("does not exist"), "{reason}");
    assert_eq!(facts.image("never asked"), Fact::NotAsked);
}

#[test]
fn slow_registries_cost_no_more_than_the_budget() {
    let registry = TestRegistry::start().unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    registry.inject("GET", "/manifests/", 9, FaultKind::Slow(Duration::from_secs(3)));
    let name = format!("{}/app:1", registry.host());
    for (request_timeout, budget) in [(200, 5000), (5000, 200)] {
        let options = FactOptions {
            request_timeout: Duration::from_millis(request_timeout),
            budget: Duration::from_millis(budget),
            ..fact_options()
        };
        let start = Instant::now();
        let reason = answer(&name, &options).unwrap_err();
        assert!(reason.contains("gave no answer within 0.2 s"), "{reason}");
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}

#[test]
fn a_silent_registry_is_asked_for_one_image_only() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap();
    let (connected, connections) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Kept open, and never answered.
        for stream in listener.incoming().flatten() {
            let _ = connected.send(stream);
        }
    });
    let queries: Vec<ImageQuery> = (0..20).map(|n| query(&format!("{host}/app:{n}"))).collect();
    let options = FactOptions { request_timeout: Duration::from_millis(300), ..fact_options() };
    let start = Instant::now();
    let facts = resolve_facts(&queries, &options);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    for query in &queries {
        let Fact::Unavailable(reason) = facts.image(&query.reference) else { panic!("{facts:?}") };
        assert!(reason.contains("gave no answer within 0.3 s"), "{reason}");
    }
    let count = connections.try_iter().count();
    assert!(count <= 2, "{count} connections for one image");
}

#[test]
fn an_unreachable_hub_leads_to_the_table() {
    // Docker Hub through a mirror-less client that may not leave this machine: the budget is nil.
    let options = FactOptions { budget: Duration::ZERO, ..fact_options() };
    let (platforms, source) = answer("debian:12", &options).unwrap();
    assert!(platforms.contains("linux/arm64") && matches!(source, FactSource::Table { .. }));
}

#[test]
fn answers_are_kept() {
    let registry = TestRegistry::start().unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    let name = format!("{}/app:1", registry.host());
    let dir = tempfile::tempdir().unwrap();
    let cache_dir = Some(dir.path().to_owned());
    let options = FactOptions { cache_dir: cache_dir.clone(), ..fact_options() };
    assert_eq!(answer(&name, &options), Ok(("linux/amd64".into(), FactSource::Registry)));
    let asked = registry.requests().len();
    assert!(answer(&name, &options).is_ok());
    assert_eq!(registry.requests().len(), asked);
    let offline = FactOptions { offline: true, ..options };
    assert!(answer(&name, &offline).is_ok());
}

fn config_query(reference: &str, platform: &str) -> ConfigQuery {
    ConfigQuery { reference: reference.to_owned(), platform: platform.parse().unwrap() }
}

/// An index of amd64 and arm/v6 whose containers differ in their environment.
fn configured(registry: &TestRegistry) -> String {
    let images = ["linux/amd64", "linux/arm/v6"].map(|name| {
        let mut config = ImageConfig::new(&name.parse().unwrap());
        config.config.env = vec![format!("ON={name}")];
        config.config.on_build = vec!["RUN tool".to_owned()];
        registry.put_configured("app", config, &[name.as_bytes()])
    });
    let bytes = serde_json::to_vec(&Index::new(images.to_vec())).unwrap();
    registry.put_manifest("app", Some("1"), media_type::OCI_INDEX, &bytes);
    format!("{}/app:1", registry.host())
}

#[test]
fn configurations_are_told_per_platform() {
    let registry = TestRegistry::start().unwrap();
    let name = configured(&registry);
    let wanted = ["linux/amd64", "linux/arm/v7", "linux/s390x"]
        .map(|platform| config_query(&name, platform));
    let facts = resolve_images(&[query(&name)], &wanted, &fact_options());
    let env = |platform: &str| {
        let config = facts.config(&name, &platform.parse().unwrap())?;
        assert_eq!(config.on_build, ["RUN tool"]);
        Some(config.env.join(","))
    };
    assert_eq!(env("linux/amd64").as_deref(), Some("ON=linux/amd64"));
    // What containerd would run there: the older variant.
    assert_eq!(env("linux/arm/v7").as_deref(), Some("ON=linux/arm/v6"));
    assert_eq!(env("linux/s390x"), None);
}

#[test]
fn configurations_are_kept_and_not_asked_for_offline() {
    let registry = TestRegistry::start().unwrap();
    let name = configured(&registry);
    let dir = tempfile::tempdir().unwrap();
    let options = FactOptions { cache_dir: Some(dir.path().to_owned()), ..fact_options() };
    let offline = FactOptions { offline: true, ..options.clone() };
    let wanted = [config_query(&name, "linux/amd64"), config_query(&name, "linux/riscv64")];
    let amd64 = "linux/amd64".parse().unwrap();
    let ask = |options: &FactOptions| resolve_images(&[query(&name)], &wanted, options);
    assert!(ask(&offline).config(&name, &amd64).is_none());
    assert!(registry.requests().is_empty());
    assert!(ask(&options).config(&name, &amd64).is_some());
    let asked = registry.requests().len();
    for options in [&options, &offline] {
        assert!(ask(options).config(&name, &amd64).is_some());
    }
    assert_eq!(registry.requests().len(), asked, "what the image lacks is not asked for again");
}

#[test]
fn a_configuration_that_cannot_be_had_costs_nothing_else() {
    let registry = TestRegistry::start().unwrap();
    let name = configured(&registry);
    registry.inject("GET", "/blobs/", 9, FaultKind::Status(500));
    let wanted = [config_query(&name, "linux/amd64")];
    let facts = resolve_images(&[query(&name)], &wanted, &fact_options());
    assert!(matches!(facts.image(&name), Fact::Known(_)));
    assert!(facts.config(&name, &"linux/amd64".parse().unwrap()).is_none());
}

#[test]
fn the_index_behind_a_pinned_image_is_told() {
    let registry = TestRegistry::start().unwrap();
    let host = registry.host();
    let descriptors = ["linux/amd64", "linux/arm64"].map(|name| {
        let config = ImageConfig::new(&name.parse().unwrap());
        registry.put_configured("app", config, &[name.as_bytes()])
    });
    let old = registry.put_image("app", &"linux/amd64".parse().unwrap(), &[b"old".as_slice()]);
    let bytes = serde_json::to_vec(&Index::new(descriptors.to_vec())).unwrap();
    let index = registry.put_manifest("app", Some("1"), media_type::OCI_INDEX, &bytes);
    let pinned = format!("{host}/app:1@{}", descriptors[0].digest);
    let moved = format!("{host}/app:1@{}", old.digest);
    let untagged = format!("{host}/app@{}", descriptors[0].digest);
    let wanted = [config_query(&pinned, "linux/amd64")];
    let queries = [query(&pinned), query(&moved), query(&untagged)];
    let facts = resolve_images(&queries, &wanted, &fact_options());
    let found = facts.index(&pinned).expect("an index");
    assert_eq!(found.reference, format!("{host}/app:1@{}", index.digest));
    assert_eq!(found.platforms.len(), 2);
    assert!(found.holds && !facts.index(&moved).expect("an index").holds);
    assert_eq!(facts.index(&untagged), None);
    // By the index, the pinned platform gets what it had.
    assert!(facts.config(&found.reference, &"linux/amd64".parse().unwrap()).is_some());
    assert!(matches!(facts.image(&found.reference), Fact::Known(info) if info.is_index));
    let offline = FactOptions { offline: true, ..fact_options() };
    assert_eq!(resolve_images(&queries, &[], &offline).index(&pinned), None);
}
