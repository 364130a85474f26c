//! xx, and images that are made for one target.

use super::{always, brings, build_stage, compiles, prints};
use crate::{evaluate, has, lacks};

#[test]
fn xx_info_answers() {
    for (question, base, arm64, amd64) in [
        ("arch", "debian", "arm64", "amd64"),
        ("os", "debian", "linux", "linux"),
        ("march", "debian", "aarch64", "x86_64"),
        ("debian-arch", "debian", "arm64", "amd64"),
        ("alpine-arch", "alpine", "aarch64", "x86_64"),
        ("pkg-arch", "alpine", "aarch64", "x86_64"),
        ("pkg-arch", "debian", "arm64", "amd64"),
        ("triple", "debian", "aarch64-linux-gnu", "x86_64-linux-gnu"),
        ("triple", "alpine", "aarch64-alpine-linux-musl", "x86_64-alpine-linux-musl"),
        ("", "golang:1.22-alpine", "aarch64-alpine-linux-musl", "x86_64-alpine-linux-musl"),
        ("libc", "alpine", "musl", "musl"),
        ("vendor", "golang:1.22", "debian", "debian"),
        ("triple", "example.org/own/base", "?", "?"),
    ] {
        prints(base, &format!("xx-info {question}"), arm64, amd64);
    }
    prints("debian", "xx-clang --print-target-triple", "aarch64-linux-gnu", "x86_64-linux-gnu");
    // Without the arguments it tells where it runs.
    let text = "FROM --platform=$BUILDPLATFORM debian\nRUN curl -O https://h/$(xx-info arch)\n";
    for platform in ["linux/arm64", "linux/amd64"] {
        has(text, platform, &["2: download https://h/amd64 <uname -m> -> /amd64"]);
    }
    // ARM is told by its variant.
    let text = "FROM --platform=$BUILDPLATFORM alpine\nARG TARGETPLATFORM\nRUN curl -O https://h/$(xx-info alpine-arch)-$(xx-info march)\n";
    has(
        text,
        "linux/arm/v6",
        &["3: download https://h/armhf-armv6l <TARGETPLATFORM> -> /armhf-armv6l"],
    );
    has(
        text,
        "linux/arm/v7",
        &["3: download https://h/armv7-armv7l <TARGETPLATFORM> -> /armv7-armv7l"],
    );
}

#[test]
fn is_cross_is_a_condition() {
    let text = build_stage(
        "debian",
        "RUN if xx-info is-cross; then curl -O https://h/cross; else curl -O https://h/native; fi",
    );
    has(&text, "linux/arm64", &["4: download https://h/cross -> /src/cross"]);
    has(&text, "linux/amd64", &["4: download https://h/native -> /src/native"]);
    lacks(&text, "linux/arm64", &["download https://h/native"]);
}

#[test]
fn compilers() {
    compiles(
        "golang:1.22-alpine",
        "RUN xx-apk add musl-dev gcc\nENV CGO_ENABLED=1\nRUN xx-go build -o /app",
        "Go for linux/arm64 cross cgo musl -> /app",
        "Go for linux/amd64 cgo musl -> /app",
    );
    compiles(
        "golang:1.22",
        "RUN xx-go --wrap\nRUN CGO_ENABLED=0 go build -o /app",
        "Go for linux/arm64 cross no-cgo static -> /app",
        "Go for linux/amd64 no-cgo static -> /app",
    );
    compiles(
        "golang:1.22",
        "RUN xx-go --wrap && xx-go --unwrap && CGO_ENABLED=0 go build -o /app",
        "Go for linux/amd64 no-cgo static -> /app",
        "Go for linux/amd64 no-cgo static -> /app",
    );
    compiles(
        "debian",
        "RUN xx-clang -static -o /a main.c",
        "C for linux/arm64 cross static -> /a",
        "C for linux/amd64 static -> /a",
    );
    compiles(
        "alpine",
        "RUN xx-clang++ -o /a main.cc",
        "C for linux/arm64 cross musl -> /a",
        "C for linux/amd64 musl -> /a",
    );
    compiles(
        "debian",
        "RUN cmake $(xx-clang --print-cmake-defines) -S . -B b && cmake --build b",
        "Make for linux/arm64 cross glibc -> /src/b",
        "Make for linux/amd64 glibc -> /src/b",
    );
    compiles(
        "debian",
        "RUN CC=xx-clang ./configure --host=$(xx-clang --print-target-triple) && make",
        "Make for linux/arm64 cross glibc -> /src/?",
        "Make for linux/amd64 glibc -> /src/?",
    );
    compiles(
        "alpine",
        "RUN CC=xx-clang make",
        "Make for linux/arm64 cross ? -> /src/?",
        "Make for linux/amd64 ? -> /src/?",
    );
}

#[test]
fn the_target_must_be_declared() {
    brings(
        "FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS b\nCOPY --from=tonistiigi/xx / /\nENV CGO_ENABLED=0\nRUN xx-go build -o /app .\nFROM alpine\nCOPY --from=b /app /app\n",
        &["/app linux/amd64 static"],
        &["/app linux/amd64 static"],
    );
    brings(
        "FROM --platform=$BUILDPLATFORM tonistiigi/xx AS xx\nFROM --platform=$BUILDPLATFORM golang:1.22-alpine AS b\nCOPY --from=xx / /\nARG TARGETPLATFORM\nENV CGO_ENABLED=0\nRUN xx-go build -o /app . && xx-verify --static /app\nFROM alpine\nCOPY --from=b /app /app\n",
        &["/app linux/arm64 static"],
        &["/app linux/amd64 static"],
    );
}

#[test]
fn xx_verify_stops_the_build() {
    let fails = |body: &str, platform: &str| {
        let text = build_stage("golang:1.22", body);
        let evaluation = evaluate(&text, platform);
        evaluation.stages[0].steps.iter().any(|s| s.failure.is_some())
    };
    let native = "RUN CGO_ENABLED=0 go build -o /app .\nRUN xx-verify /app";
    assert!(fails(native, "linux/arm64") && !fails(native, "linux/amd64"));
    let right = "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /app . && xx-verify /app";
    assert!(!fails(right, "linux/arm64") && !fails(right, "linux/amd64"));
    assert!(!fails("RUN make && xx-verify /app", "linux/arm64"));
    let dynamic = "RUN xx-clang -o /app main.c && xx-verify --static /app";
    assert!(fails(dynamic, "linux/arm64") && fails(dynamic, "linux/amd64"));
}

#[test]
fn images_of_one_target() {
    always(
        "messense/rust-musl-cross:aarch64-musl",
        "RUN cargo build --release",
        "Rust for linux/arm64 cross static -> /src/target/aarch64-unknown-linux-musl/release",
    );
    always(
        "blackdex/rust-musl:armv7-musleabihf-stable",
        "RUN rustup run stable cargo build --release --bin app",
        "Rust for linux/arm/v7 cross static -> /src/target/armv7-unknown-linux-musleabihf/release/app",
    );
    compiles(
        "clux/muslrust",
        "RUN cargo build --release",
        "Rust for linux/amd64 static -> /src/target/x86_64-unknown-linux-musl/release",
        "Rust for linux/amd64 static -> /src/target/x86_64-unknown-linux-musl/release",
    );
    always(
        "dockcross/linux-arm64",
        "RUN cmake -B b && cmake --build b",
        "Make for linux/arm64 cross glibc -> /src/b",
    );
    always("dockcross/linux-arm64", "RUN $CC -o /a main.c", "C for linux/arm64 cross glibc -> /a");
    always(
        "ghcr.io/cross-rs/aarch64-unknown-linux-gnu:main",
        "RUN cargo build",
        "Rust for linux/amd64 glibc -> /src/target/debug",
    );
}
