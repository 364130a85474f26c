//! `--build-context NAME=VALUE`: names replaced by images, directories and addresses
//! (`dockerui/namedcontext.go`, `dockerui/config.go`).

use crate::{ARM64, Build, build};

fn images(build: &Build, text: &str) -> Vec<String> {
    build.evaluate(text, ARM64).images.iter().map(|i| i.reference.to_string()).collect()
}

#[test]
fn an_image_is_replaced_by_its_name() {
    let named = || build().named("base", "docker-image://debian:12");
    named().has(
        "FROM base\n",
        ARM64,
        &["stage 0 from debian:12 <BuildArg> on linux/arm64 (target), libc glibc"],
    );
    assert_eq!(images(&named(), "FROM x\nCOPY --from=base /f /\n"), ["x", "debian:12"]);
    assert_eq!(
        images(&named(), "FROM x\nRUN --mount=from=base,target=/m true\n"),
        ["x", "debian:12"]
    );
}

#[test]
fn names_are_compared_without_the_tag_latest() {
    let named = || build().named("alpine", "docker-image://debian:12");
    for name in ["alpine", "alpine:latest", "docker.io/library/alpine"] {
        assert_eq!(images(&named(), &format!("FROM {name}\n")), ["debian:12"], "{name}");
    }
    assert_eq!(images(&named(), "FROM alpine:3.20\n"), ["alpine:3.20"]);
    let tagged = build().named("alpine:3.20", "docker-image://debian:12");
    assert_eq!(
        images(&tagged, "FROM alpine:3.20\nCOPY --from=alpine /f /\n"),
        ["debian:12", "alpine"]
    );
}

#[test]
fn a_stage_is_replaced_by_its_own_name() {
    let text = "FROM golang:1 AS build\nRUN go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n";
    let named = build().named("build", "docker-image://prebuilt:1");
    assert_eq!(images(&named, text), ["prebuilt:1"]);
    named.lacks(text, ARM64, &["compile"]);
    // What the stage would have needed is not needed.
    let needs = "FROM a AS dep\nFROM b AS build\nCOPY --from=dep /f /\nFROM build\n";
    assert_eq!(images(&build().named("build", "docker-image://p"), needs), ["p"]);
}

#[test]
fn a_stage_that_is_a_base_is_replaced_for_its_children() {
    let text = "FROM alpine AS base\nENV V=1\nFROM base\nENV A=x$V\n";
    build().named("base", "docker-image://debian:12").has(
        text,
        ARM64,
        &["stage 1 from stage 0 on linux/arm64 (target), libc glibc"],
    );
}

#[test]
fn stages_hide_images_of_a_context() {
    // A stage's name is looked for first; the context replaces it where the stage itself stands.
    let text = "FROM golang:1 AS golang\nFROM golang\n";
    let named = build().named("golang:1", "docker-image://go:2");
    assert_eq!(images(&named, text), ["go:2"]);
}

#[test]
fn a_directory_is_files_without_a_configuration() {
    let named = || build().named("src", "../src");
    named().has(
        "FROM src\nENV A=${X-none}\n",
        ARM64,
        &["stage 0 from context src on linux/arm64 (target), libc ?", "2: env A=none"],
    );
    named().has("FROM x\nCOPY --from=src run.sh /\n", ARM64, &["2: copy context src: run.sh -> /"]);
    assert_eq!(images(&named(), "FROM src\nCOPY --from=src f /\n"), [] as [&str; 0]);
}

#[test]
fn an_address_is_files_and_a_layout_or_target_is_an_image_of_unknown_name() {
    build().named("src", "https://h/r.git").has(
        "FROM src\n",
        ARM64,
        &["stage 0 from context src on linux/arm64 (target), libc ?"],
    );
    for value in ["oci-layout://out@sha256:1", "target:base"] {
        let named = build().named("base", value);
        named.has(
            "FROM base\n",
            ARM64,
            &["stage 0 from ? <BuildArg> on linux/arm64 (target), libc ?"],
        );
        assert_eq!(images(&named, "FROM base\nCOPY --from=base /f /\n"), [] as [&str; 0]);
    }
}

#[test]
fn scratch_can_be_put_in_an_images_place() {
    let named = build().named("base", "docker-image://scratch");
    named.has("FROM base\n", ARM64, &["stage 0 from scratch on linux/arm64 (target), libc none"]);
}

#[test]
fn scratch_and_context_are_never_replaced() {
    let named = build().named("scratch", "docker-image://debian:12");
    named.has(
        "FROM scratch\n",
        ARM64,
        &["stage 0 from scratch on linux/arm64 (target), libc none"],
    );
    let named = build().named("context", "docker-image://debian:12");
    assert_eq!(images(&named, "FROM context\n"), ["context"]);
}

#[test]
fn a_context_of_the_platform_goes_before_one_for_all() {
    let named = || {
        build().named("base", "docker-image://all").named("base::linux/arm64", "docker-image://arm")
    };
    let image = |text: &str, on: &str| named().evaluate(text, on).images[0].reference.to_string();
    assert_eq!(image("FROM base\n", ARM64), "arm");
    assert_eq!(image("FROM base\n", "linux/amd64"), "all");
    // The platform is that of the stage.
    assert_eq!(image("FROM --platform=$BUILDPLATFORM base\n", ARM64), "all");
}

#[test]
fn the_last_of_a_name_counts() {
    let named = build().named("base", "docker-image://a").named("base", "docker-image://b");
    assert_eq!(images(&named, "FROM base\n"), ["b"]);
}

#[test]
fn arguments_in_from_are_expanded_before_the_name_is_looked_up() {
    let named = build().named("base-arm64", "docker-image://arm");
    assert_eq!(images(&named, "FROM base-$TARGETARCH\n"), ["arm"]);
}
