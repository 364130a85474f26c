use mlint_oci::{Descriptor, media_type};

use super::{client, client_as, options};
use crate::{
    BlobSource, Client, ClientOptions, Credential, Credentials, Pushed, RegistryError,
    testing::{Access, TestRegistry},
};

fn bearer() -> Access {
    Access::Bearer {
        user: "me".into(),
        password: "right".into(),
        anonymous_pull: true,
        read_only: vec!["base".into()],
        identity_token: Some("identity".into()),
    }
}

fn blob() -> (Descriptor, BlobSource) {
    let bytes: &[u8] = b"layer";
    (Descriptor::of(media_type::OCI_LAYER, bytes), BlobSource::Bytes(bytes.into()))
}

#[tokio::test]
async fn basic_logins() {
    let access = Access::Basic { user: "me".into(), password: "right".into() };
    let registry = TestRegistry::start_with(access).unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    let reference = registry.reference("app:1");
    client_as(&registry.host(), "me", "right").resolve(&reference).await.unwrap();
    let error = client_as(&registry.host(), "me", "wrong").resolve(&reference).await.unwrap_err();
    assert!(matches!(error, RegistryError::WrongPassword { .. }), "{error}");
    assert!(error.to_string().contains("from the command line"), "{error}");
    let error = client().resolve(&reference).await.unwrap_err();
    assert!(error.to_string().contains("wants a login for app"), "{error}");
}

#[tokio::test]
async fn bearer_tokens_are_fetched_once_and_renewed() {
    let registry = TestRegistry::start_with(bearer()).unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    let reference = registry.reference("app:1");
    let client = client();
    for _ in 0..3 {
        client.resolve(&reference).await.unwrap();
    }
    let tokens = || registry.requests().iter().filter(|r| r.ends_with("/token")).count();
    assert_eq!(tokens(), 1);
    registry.expire_tokens();
    client.resolve(&reference).await.unwrap();
    assert_eq!(tokens(), 2);
}

#[tokio::test]
async fn who_may_not_push_is_told_so() {
    let registry = TestRegistry::start_with(bearer()).unwrap();
    let (descriptor, source) = blob();
    let push = async |client: Client, name: &str| {
        client.push_blob(&registry.reference(name), &descriptor, &source, &[], None).await
    };
    let me = client_as(&registry.host(), "me", "right");
    assert_eq!(push(me.clone(), "app").await.unwrap(), Pushed::Uploaded);
    let error = push(me.clone(), "base").await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error}");
    assert!(error.to_string().contains("does not allow to push to base"), "{error}");
    let error = push(client_as(&registry.host(), "me", "wrong"), "app").await.unwrap_err();
    assert!(matches!(error, RegistryError::WrongPassword { .. }), "{error}");
    let error = push(client(), "new").await.unwrap_err();
    assert!(matches!(error, RegistryError::LoginNeeded { .. }), "{error}");
    let error = push(me, "base").await.unwrap_err();
    assert!(matches!(error, RegistryError::Denied { .. }), "{error}");
}

#[tokio::test]
async fn identity_tokens_are_traded() {
    let registry = TestRegistry::start_with(bearer()).unwrap();
    let (descriptor, source) = blob();
    let client = |token: &str| {
        let credential = Credential::IdentityToken(token.to_owned());
        let credentials = Credentials::anonymous().with(&registry.host(), credential);
        Client::new(ClientOptions { credentials, ..options() })
    };
    let app = registry.reference("app");
    let pushed = client("identity").push_blob(&app, &descriptor, &source, &[], None).await;
    assert_eq!(pushed.unwrap(), Pushed::Uploaded);
    let pushed = client("stale").push_blob(&app, &descriptor, &source, &[], None).await;
    assert!(matches!(pushed, Err(RegistryError::WrongPassword { .. })));
}

#[tokio::test]
async fn a_missing_helper_does_not_stop_public_pulls() {
    let registry = TestRegistry::start_with(bearer()).unwrap();
    registry.put_index("app", "1", &["linux/amd64"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    std::fs::write(&file, r#"{"credsStore":"mlint-no-such-helper"}"#).unwrap();
    let credentials = Credentials::anonymous().with_file(&file);
    let client = Client::new(ClientOptions { credentials, ..options() });
    client.resolve(&registry.reference("app:1")).await.unwrap();
    let (descriptor, source) = blob();
    let app = registry.reference("app");
    let error = client.push_blob(&app, &descriptor, &source, &[], None).await.unwrap_err();
    assert!(error.to_string().contains("docker-credential-mlint-no-such-helper"), "{error}");
}
