//! `mlint.toml`.

use snapbox::str;

use crate::{DEFECT, Place};

fn platforms(place: &Place, args: &[&str]) -> serde_json::Value {
    let args = [&["check", "--offline", "--format", "json"], args].concat();
    place.run(&args).json()["platforms"].clone()
}

#[test]
fn the_nearest_configuration_holds_for_each_file() {
    let place = Place::new(&[
        ("mlint.toml", "platforms = [\"linux/s390x\"]\n"),
        ("Dockerfile", DEFECT),
        ("deep/er/Dockerfile", DEFECT),
        ("deep/mlint.toml", "platforms = [\"linux/riscv64\"]\n"),
    ]);
    assert_eq!(platforms(&place, &["Dockerfile"]), serde_json::json!(["linux/s390x"]));
    assert_eq!(platforms(&place, &["deep"]), serde_json::json!(["linux/riscv64"]));
    let both = serde_json::json!(["linux/s390x", "linux/riscv64"]);
    assert_eq!(platforms(&place, &[]), both);
    let defaults = serde_json::json!(["linux/amd64", "linux/arm64"]);
    assert_eq!(platforms(&place, &["--no-config", "deep"]), defaults);
    let this = &["--config", "mlint.toml", "deep"];
    assert_eq!(platforms(&place, this), serde_json::json!(["linux/s390x"]));
    let given = &["deep", "--platforms", "arm64"];
    assert_eq!(platforms(&place, given), serde_json::json!(["linux/arm64"]));
}

#[test]
fn a_file_for_one_platform_is_taken_for_that() {
    let place = Place::new(&[
        ("mono/.git/HEAD", ""),
        ("mono/arm64v8/alpine/Dockerfile", DEFECT),
        ("mono/plain/Dockerfile", DEFECT),
        ("mono/plain/Dockerfile.s390x", DEFECT),
        ("mono/cross/Dockerfile.aarch64-unknown-linux-gnu", DEFECT),
    ]);
    let arm64 = serde_json::json!(["linux/arm64"]);
    let both = serde_json::json!(["linux/amd64", "linux/arm64"]);
    assert_eq!(platforms(&place, &["mono/arm64v8"]), arm64);
    assert_eq!(platforms(&place, &["mono/plain/Dockerfile.s390x"])[0], "linux/s390x");
    assert_eq!(platforms(&place, &["mono/plain/Dockerfile"]), both);
    assert_eq!(platforms(&place, &["mono/cross"]), both);
    let given = &["mono/arm64v8", "--platforms", "amd64,arm64"];
    assert_eq!(platforms(&place, given), both);
    // The configuration's platforms are narrowed, never widened.
    place.put("mono/mlint.toml", b"platforms = [\"linux/arm64\", \"linux/riscv64\"]\n");
    assert_eq!(platforms(&place, &["mono/arm64v8"]), arm64);
    let configured = serde_json::json!(["linux/arm64", "linux/riscv64"]);
    assert_eq!(platforms(&place, &["mono/plain/Dockerfile.s390x"]), configured);

    let note = |args: &[&str]| place.run(&[&["check", "--offline"], args].concat()).err;
    let said = note(&["mono/arm64v8"]);
    snapbox::assert_data_eq!(
        said,
        str![[r#"
note: mono/arm64v8/alpine/Dockerfile is taken for linux/arm64 only: the folder 'arm64v8' says so; --platforms decides otherwise
...
"#]]
    );
    assert!(!note(&["mono/arm64v8", "--platforms", "arm64"]).contains("is taken for"));
}

#[test]
fn rules_and_the_exit_status_are_configured() {
    let place = Place::new(&[("Dockerfile", DEFECT)]);
    let code = |toml: &str| {
        place.put("mlint.toml", toml.as_bytes());
        place.run(&["check", "--offline"]).code
    };
    assert_eq!(code(""), Some(1));
    assert_eq!(code("ignore = [\"platform-arg-default\"]"), Some(0));
    assert_eq!(code("[rules]\nplatform-arg-default = \"off\""), Some(0));
    assert_eq!(code("[rules]\nplatform-arg-default = \"advice\""), Some(0));
    assert_eq!(code("fail-on = \"never\""), Some(0));
    assert_eq!(code("fail-on = \"note\"\n[rules]\nplatform-arg-default = \"note\""), Some(1));
    assert_eq!(code("build-args = { TARGETARCH = \"arm64\" }\nplatforms = [\"arm64\"]"), Some(0));
}

#[test]
fn mistakes_are_shown_at_their_place() {
    let place = Place::new(&[
        ("Dockerfile", DEFECT),
        ("mlint.toml", "# ours\nplatforms = [\"linux/amd64\"]\ningore = [\"x\"]\n"),
    ]);
    for command in ["check", "fix", "build"] {
        let run = place.run(&[command]);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{run:?}");
        snapbox::assert_data_eq!(
            run.err,
            str![[r#"
error: there is no key 'ingore'
 --> mlint.toml:3:1
  |
3 | ingore = ["x"]
  | ^^^^^^
  |
  = help: did you mean 'ignore'?

"#]]
        );
    }
    let run = place.run(&["check", "--config", "nowhere.toml"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.err.contains("can't read nowhere.toml: No such file"), "{}", run.err);
}
