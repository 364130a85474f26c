//! Credential helpers are found on PATH, so this test runs itself again with a PATH of its own.

use std::{env, fs, os::unix::fs::PermissionsExt as _, process::Command};

use mlint_registry::{Credential, Credentials};

const INSIDE: &str = "MLINT_TEST_INSIDE";

const HELPER: &str = r#"#!/bin/sh
read -r server
case "$server" in
  ghcr.io) echo '{"ServerURL":"ghcr.io","Username":"me","Secret":"s3cret"}' ;;
  https://index.docker.io/v1/) echo '{"ServerURL":"x","Username":"<token>","Secret":"idt"}' ;;
  none.io) echo 'credentials not found in native keychain'; exit 1 ;;
  broken.io) echo 'no keyring here' >&2; exit 3 ;;
  *) echo 'hello' ;;
esac
"#;

#[test]
fn helpers_are_asked() {
    if let Ok(config) = env::var(INSIDE) {
        return inside(&config);
    }
    let dir = tempfile::tempdir().unwrap();
    let helper = dir.path().join("docker-credential-mlint-test");
    fs::write(&helper, HELPER).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let config = dir.path().join("config.json");
    fs::write(&config, r#"{"credsStore":"mlint-test"}"#).unwrap();
    let path = format!("{}:{}", dir.path().display(), env::var("PATH").unwrap());
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "helpers_are_asked"])
        .env("PATH", path)
        .env(INSIDE, &config)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn inside(config: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let find = |registry: &str| {
        let credentials = Credentials::anonymous().with_file(config);
        let found = runtime.block_on(credentials.find(registry, "app"));
        found.map(|f| f.map(|f| (f.credential, f.origin))).map_err(|e| e.to_string())
    };
    let origin = "docker-credential-mlint-test".to_owned();
    let password = Credential::Password { user: "me".into(), password: "s3cret".into() };
    assert_eq!(find("ghcr.io"), Ok(Some((password, origin.clone()))));
    let token = Credential::IdentityToken("idt".into());
    assert_eq!(find("docker.io"), Ok(Some((token, origin))));
    assert_eq!(find("none.io"), Ok(None));
    let error = find("broken.io").unwrap_err();
    assert!(error.contains("no keyring here") && error.contains("broken.io"), "{error}");
    let error = find("other.io").unwrap_err();
    assert!(error.contains("not the JSON of the protocol"), "{error}");
}
