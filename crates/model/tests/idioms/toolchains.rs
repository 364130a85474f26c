//! What compilers make, for which machine, linked to what.

use crate::{evaluate, has};

/// The compilations of a stage that runs on linux/amd64 for linux/arm64.
#[track_caller]
fn compiles(base: &str, body: &str, want: &str) {
    let text = format!(
        "FROM --platform=$BUILDPLATFORM {base}\nARG TARGETOS TARGETARCH TARGETPLATFORM TARGETVARIANT\nWORKDIR /src\n{body}\n"
    );
    let dumped = mlint_model::dump::dump(&evaluate(&text, "linux/arm64"), &text);
    let got = dumped.lines().find_map(|l| Some(l.split_once(": compile ")?.1.to_owned()));
    assert_eq!(got.as_deref(), Some(want), "{body}\n{dumped}");
}

#[test]
fn go() {
    let go = "golang:1.22";
    compiles(go, "RUN go build -o /app", "Go for linux/amd64 cgo glibc -> /app");
    compiles(go, "RUN CGO_ENABLED=0 go build -o /app", "Go for linux/amd64 no-cgo static -> /app");
    compiles(
        go,
        "RUN GOARCH=$TARGETARCH go build -o app .",
        "Go for linux/arm64 cross no-cgo static -> /src/app",
    );
    compiles(
        go,
        "RUN export GOARCH=$TARGETARCH && go build ./cmd/x",
        "Go for linux/arm64 cross no-cgo static -> /src/x",
    );
    compiles(
        go,
        "RUN GOARCH=$TARGETARCH; go build ./cmd/x",
        "Go for linux/amd64 cgo glibc -> /src/x",
    );
    compiles(
        go,
        "ENV GOARCH=$TARGETARCH CGO_ENABLED=1\nRUN go build -o bin/ ./...",
        "Go for linux/arm64 cross cgo ? -> /src/bin",
    );
    compiles(
        go,
        "RUN env GOOS=linux GOARCH=arm GOARM=6 go build -o /a main.go",
        "Go for linux/arm/v6 cross no-cgo static -> /a",
    );
    compiles(go, "RUN GOARCH= go build -o /a", "Go for linux/amd64 cgo glibc -> /a");
    compiles(
        go,
        "RUN GOOS=windows go build -o /a.exe",
        "Go for windows/amd64 cross no-cgo static -> /a.exe",
    );
    compiles(
        go,
        "RUN CGO_ENABLED=1 CC=aarch64-linux-gnu-gcc GOARCH=arm64 go build -o /a",
        "Go for linux/arm64 cross cgo glibc -> /a",
    );
    compiles(
        go,
        "RUN go build -ldflags '-s -w -linkmode external -extldflags \"-static\"' -o /a",
        "Go for linux/amd64 cgo static -> /a",
    );
    // Go links by itself what has no C but the standard library's; then the flag says nothing.
    compiles(
        go,
        "RUN go build -ldflags '-s -w -extldflags \"-static\"' -o /a",
        "Go for linux/amd64 cgo ? -> /a",
    );
    compiles(go, "RUN GOARCH=$(cat arch) go build -o /a", "Go for ? cgo? ? -> /a");
    compiles(go, "RUN cd cmd && go build", "Go for linux/amd64 cgo glibc -> /src/cmd/?");
    compiles("golang:1.22-alpine", "RUN go build -o /a", "Go for linux/amd64 no-cgo static -> /a");
    compiles(
        "golang:1.22-alpine",
        "RUN apk add build-base && go build -o /a",
        "Go for linux/amd64 cgo musl -> /a",
    );
    compiles(
        "golang:1.22-alpine",
        "RUN xx-go build -o /a",
        "Go for linux/arm64 cross no-cgo static -> /a",
    );
    compiles(
        go,
        "RUN --mount=type=cache,target=/root/.cache GOARCH=${TARGETARCH:-amd64} go install -v ./cmd/x",
        "Go for linux/arm64 cross no-cgo static -> /go/bin/linux_arm64/x",
    );
}

#[test]
fn rust() {
    compiles(
        "rust:1",
        "RUN cargo build --release",
        "Rust for linux/amd64 glibc -> /src/target/release",
    );
    compiles(
        "rust:1-alpine",
        "RUN cargo build",
        "Rust for linux/amd64 static -> /src/target/debug",
    );
    compiles(
        "rust:1",
        "RUN cargo build --release --target aarch64-unknown-linux-musl",
        "Rust for linux/arm64 cross static -> /src/target/aarch64-unknown-linux-musl/release",
    );
    compiles(
        "rust:1",
        "ENV CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu\nRUN cargo build -r",
        "Rust for linux/arm64 cross glibc -> /src/target/aarch64-unknown-linux-gnu/release",
    );
    compiles(
        "rust:1",
        "RUN case $TARGETARCH in arm64) T=aarch64-unknown-linux-musl;; amd64) T=x86_64-unknown-linux-musl;; esac; cargo build --release --target=$T",
        "Rust for linux/arm64 cross static -> /src/target/aarch64-unknown-linux-musl/release",
    );
    compiles(
        "rust:1",
        "RUN cargo install --root /opt cargo-chef",
        "Rust for linux/amd64 glibc -> /opt/bin/cargo-chef",
    );
}

#[test]
fn c() {
    compiles("gcc:13", "RUN gcc -O2 -o /a main.c", "C for linux/amd64 glibc -> /a");
    compiles("gcc:13", "RUN gcc -static main.c", "C for linux/amd64 static -> /src/a.out");
    compiles(
        "debian",
        "RUN aarch64-linux-gnu-gcc -o a main.c -lz",
        "C for linux/arm64 cross glibc -> /src/a",
    );
    compiles(
        "debian",
        "ENV CC=aarch64-linux-gnu-gcc-12\nRUN $CC -o a main.c",
        "C for linux/arm64 cross glibc -> /src/a",
    );
    compiles(
        "debian",
        "RUN clang --target=aarch64-linux-gnu -o a main.c",
        "C for linux/arm64 cross glibc -> /src/a",
    );
    compiles(
        "alpine",
        "RUN zig cc -target aarch64-linux-musl -o a main.c",
        "C for linux/arm64 cross static -> /src/a",
    );
}

#[test]
fn others() {
    let net = "mcr.microsoft.com/dotnet/sdk:8.0";
    compiles(net, "RUN dotnet publish -c Release -o /app", "DotNet for any ? -> /app");
    compiles(
        net,
        "RUN dotnet publish -r linux-x64 -o /app",
        "DotNet for linux/amd64 glibc -> /app",
    );
    compiles(
        net,
        "RUN dotnet publish -a $TARGETARCH -o /app",
        "DotNet for linux/arm64 cross glibc -> /app",
    );
    compiles(
        net,
        "RUN dotnet publish --runtime linux-musl-arm64 -o /app",
        "DotNet for linux/arm64 cross musl -> /app",
    );
    compiles("maven:3", "RUN mvn -B package", "Java for any ? -> /src/target");
    compiles("debian", "RUN make ARCH=amd64", "Make for ? ? -> ");
}

#[test]
fn the_c_library_of_the_image_is_compared() {
    let mismatches = |text: &str| -> Vec<String> {
        evaluate(text, "linux/arm64")
            .libc_mismatches()
            .map(|a| format!("{} {}", a.path, a.linkage))
            .collect()
    };
    let build = "FROM golang:1.22 AS b\nRUN go build -o /app .\n";
    assert_eq!(mismatches(&format!("{build}FROM alpine\nCOPY --from=b /app /\n")), ["/app glibc"]);
    assert_eq!(mismatches(&format!("{build}FROM scratch\nCOPY --from=b /app /\n")), ["/app glibc"]);
    assert!(mismatches(&format!("{build}FROM debian\nCOPY --from=b /app /\n")).is_empty());
    assert!(mismatches("FROM golang AS b\nRUN CGO_ENABLED=0 go build -o /app .\nFROM alpine\nCOPY --from=b /app /\n").is_empty());
    assert_eq!(
        mismatches(
            "FROM rust:1 AS b\nWORKDIR /s\nRUN cargo build --release\nFROM alpine\nCOPY --from=b /s/target/release/x /\n"
        ),
        ["/x glibc"]
    );
    assert!(mismatches("FROM rust:1-alpine AS b\nWORKDIR /s\nRUN cargo build --release\nFROM debian\nCOPY --from=b /s/target/release/x /\n").is_empty());
}

#[test]
fn packages() {
    has(
        "FROM debian\nRUN apt-get update && apt-get install -y --no-install-recommends curl libc6-dev:arm64 -t stable && pip install https://h/x-manylinux_x86_64.whl\n",
        "linux/arm64",
        &[
            "2: install Apt curl libc6-dev:arm64, libc6-dev:arm64 is for linux/arm64",
            "2: download https://h/x-manylinux_x86_64.whl -> |",
            "2: install Pip https://h/x-manylinux_x86_64.whl",
        ],
    );
    has(
        "FROM alpine\nRUN apk add --no-cache --virtual .deps gcc musl-dev\nRUN npm ci\nRUN dpkg -i /tmp/x_amd64.deb\n",
        "linux/arm64",
        &["2: install Apk gcc musl-dev", "3: install Npm", "4: install Dpkg /tmp/x_amd64.deb"],
    );
}
