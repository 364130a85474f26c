//! Rust.

use super::{always, brings, build_stage, compiles, prints};
use crate::{has, lacks};

const RUST: &str = "rust:1";

#[test]
fn where_cargo_writes() {
    for (command, want) in [
        ("cargo build", "/src/target/debug"),
        ("cargo b -r", "/src/target/release"),
        ("cargo build --profile release-lto", "/src/target/release-lto"),
        ("cargo build --profile dev", "/src/target/debug"),
        (
            "cargo build --release --bin app --bin tool",
            "/src/target/release/app /src/target/release/tool",
        ),
        ("cargo build --release -p crate-a", "/src/target/release"),
        ("cargo build --target-dir /t", "/t/debug"),
        ("CARGO_TARGET_DIR=/t cargo build", "/t/debug"),
        (
            "cargo +nightly build -Z unstable-options --artifact-dir /out --release",
            "/out /src/target/release",
        ),
        ("cargo build --manifest-path sub/Cargo.toml", "/src/sub/target/debug"),
        ("cargo auditable build --release", "/src/target/release"),
        ("cargo chef cook --release --recipe-path recipe.json", "/src/target/release"),
        ("cargo install ripgrep@14 just", "/usr/local/cargo/bin/rg /usr/local/cargo/bin/just"),
        ("cargo install --path . --root /usr/local", "/usr/local/bin"),
        ("cargo install --path . --bin app --root /o", "/o/bin/app"),
        ("CARGO_INSTALL_ROOT=/o cargo install just", "/o/bin/just"),
        ("rustc -O -o /a main.rs", "/a"),
        ("rustc main.rs", "/src/main"),
        ("rustc --out-dir /o src/main.rs", "/o/main"),
    ] {
        always(RUST, &format!("RUN {command}"), &format!("Rust for linux/amd64 glibc -> {want}"));
    }
    for command in [
        "cargo fetch",
        "cargo chef prepare",
        "cargo fmt --check",
        "cargo --version",
        "rustc --version",
        "cargo new app",
    ] {
        always(RUST, &format!("RUN {command}"), "-");
    }
}

#[test]
fn the_target_in_all_places() {
    let case = "RUN case \"$TARGETARCH\" in amd64) T=x86_64 ;; arm64) T=aarch64 ;; esac && echo $T-unknown-linux-musl > /t";
    let arm64 =
        "Rust for linux/arm64 cross static -> /src/target/aarch64-unknown-linux-musl/release";
    let amd64 = "Rust for linux/amd64 static -> /src/target/x86_64-unknown-linux-musl/release";
    for body in [
        "RUN rustup target add $(cat /t) && cargo build --release --target $(cat /t)",
        "RUN CARGO_BUILD_TARGET=$(cat /t) cargo build --release",
        "RUN mkdir .cargo && printf '[build]\\ntarget = \"%s\"\\n' $(cat /t) > .cargo/config.toml && cargo build -r",
        "RUN echo \"build.target = '$(cat /t)'\" > .cargo/config && cargo build -r",
        "RUN cargo build --release --config build.target=\\\"$(cat /t)\\\"",
        "RUN cargo zigbuild --release --target $(cat /t)",
    ] {
        compiles(RUST, &format!("{case}\n{body}"), arm64, amd64);
    }
    // Two targets are two builds; the flag wins over the variable.
    has(
        &build_stage(
            RUST,
            "RUN CARGO_BUILD_TARGET=s390x-unknown-linux-gnu cargo build --target x86_64-unknown-linux-gnu --target aarch64-unknown-linux-gnu",
        ),
        "linux/arm64",
        &[
            "4: compile Rust for linux/amd64 glibc -> /src/target/x86_64-unknown-linux-gnu/debug",
            "4: compile Rust for linux/arm64 cross glibc -> /src/target/aarch64-unknown-linux-gnu/debug",
        ],
    );
    always(
        RUST,
        "RUN cargo zigbuild --target aarch64-unknown-linux-gnu.2.17",
        "Rust for linux/arm64 cross glibc -> /src/target/aarch64-unknown-linux-gnu/debug",
    );
    always(
        RUST,
        "RUN cargo build --target wasm32-unknown-unknown",
        "Rust for any ? -> /src/target/wasm32-unknown-unknown/debug",
    );
    always(
        RUST,
        "RUN cargo build --target x86_64-pc-windows-gnu",
        "Rust for windows/amd64 cross ? -> /src/target/x86_64-pc-windows-gnu/debug",
    );
    // What a configuration says that nobody can read is not known.
    always(
        RUST,
        "COPY .cargo/config.toml .cargo/config.toml\nRUN cargo build",
        "Rust for ? ? -> /src/target/debug",
    );
    always(RUST, "COPY . .\nRUN cargo build", "Rust for linux/amd64 glibc -> /src/target/debug");
    always(
        RUST,
        "RUN printf '[target.x]\\nlinker = \"gcc\"\\n' > .cargo/config.toml && cargo build",
        "Rust for linux/amd64 glibc -> /src/target/debug",
    );
}

#[test]
fn static_by_default_on_musl() {
    always("rust:1-alpine", "RUN cargo build", "Rust for linux/amd64 static -> /src/target/debug");
    always(
        "rust:1-alpine",
        "ENV RUSTFLAGS='-C target-feature=-crt-static'\nRUN cargo build",
        "Rust for linux/amd64 musl -> /src/target/debug",
    );
    // Alpine's own compiler links to musl.
    always(
        "alpine:3",
        "RUN apk add cargo && cargo build",
        "Rust for linux/amd64 musl -> /src/target/debug",
    );
    always(
        RUST,
        "RUN RUSTFLAGS='-C target-feature=+crt-static' cargo build",
        "Rust for linux/amd64 static -> /src/target/debug",
    );
    always(
        RUST,
        "ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS='-C target-feature=+crt-static'\nRUN cargo build --target aarch64-unknown-linux-gnu",
        "Rust for linux/arm64 cross static -> /src/target/aarch64-unknown-linux-gnu/debug",
    );
    always(
        "example.org/some/alpine-tools",
        "RUN cargo build",
        "Rust for linux/amd64 ? -> /src/target/debug",
    );
}

#[test]
fn tests_run_what_they_compile() {
    let text = build_stage(RUST, "RUN cargo test --target aarch64-unknown-linux-gnu");
    has(&text, "linux/arm64", &["4: execute cargo test (linux/arm64)"]);
    lacks(&text, "linux/arm64", &["compile"]);
    let text = build_stage(
        RUST,
        "ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER=qemu-aarch64\nRUN cargo test --target aarch64-unknown-linux-gnu",
    );
    lacks(&text, "linux/arm64", &["execute"]);
}

#[test]
fn xx_cargo() {
    compiles(
        RUST,
        "RUN xx-cargo build --release --target-dir ./build",
        "Rust for linux/arm64 cross glibc -> /src/build/aarch64-unknown-linux-gnu/release",
        "Rust for linux/amd64 glibc -> /src/build/x86_64-unknown-linux-gnu/release",
    );
    compiles(
        "rust:1-alpine",
        "RUN xx-cargo build --release",
        "Rust for linux/arm64 cross static -> /src/target/aarch64-unknown-linux-musl/release",
        "Rust for linux/amd64 static -> /src/target/x86_64-unknown-linux-musl/release",
    );
    prints(
        "rust:1-alpine",
        "xx-cargo --print-target-triple",
        "aarch64-unknown-linux-musl",
        "x86_64-unknown-linux-musl",
    );
    brings(
        "FROM --platform=$BUILDPLATFORM rust:1-alpine AS b\nARG TARGETPLATFORM\nWORKDIR /s\nRUN xx-cargo build --release && mv target/$(xx-cargo --print-target-triple)/release/app /app\nFROM scratch\nCOPY --from=b /app /app\n",
        &["/app linux/arm64 static"],
        &["/app linux/amd64 static"],
    );
    // Without the argument xx builds for where it runs.
    brings(
        "FROM --platform=$BUILDPLATFORM rust:1-alpine AS b\nWORKDIR /s\nRUN xx-cargo build --release --bin app\nFROM scratch\nCOPY --from=b /s/target/*/release/app /app\n",
        &["/app linux/amd64 static"],
        &["/app linux/amd64 static"],
    );
}
