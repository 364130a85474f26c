//! How fast files, words and scripts are read.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mlint_syntax::shell::parse_shell;
use mlint_syntax::word::{expand, parse_word};
use mlint_syntax::{InstructionKind, LogicalText, parse};
use std::hint::black_box;

/// The command's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A typical file of 40 lines.
const TYPICAL: &str = r#"# syntax=docker/dockerfile:1
ARG GO_VERSION=1.25
ARG ALPINE_VERSION=3.22

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine${ALPINE_VERSION} AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -mod=readonly"
RUN apk add --no-cache git make ca-certificates
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# One binary per command.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    set -eux; \
    for name in server worker; do \
        GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o "/out/$name" "./cmd/$name"; \
    done

FROM debian:bookworm-slim AS tools
ARG TARGETARCH
RUN set -eux; \
    apt-get update; \
    apt-get install -y --no-install-recommends curl ca-certificates; \
    rm -rf /var/lib/apt/lists/*
RUN case "$(uname -m)" in \
        x86_64) arch=amd64; sum=0f1e2d ;; \
        aarch64) arch=arm64; sum=3c4b5a ;; \
        *) echo >&2 "unsupported"; exit 1 ;; \
    esac \
    && curl -fsSL -o /tmp/tool.tar.gz "https://example.org/v1.2.3/tool-linux-${arch}.tar.gz" \
    && echo "$sum  /tmp/tool.tar.gz" | sha256sum -c - \
    && tar -xzf /tmp/tool.tar.gz -C /usr/local/bin tool

FROM alpine:${ALPINE_VERSION}
LABEL org.opencontainers.image.source="https://example.org/x" org.opencontainers.image.licenses=MIT
COPY --from=tools /usr/local/bin/tool /usr/local/bin/
COPY --from=build --chown=65532:65532 /out/ /usr/local/bin/
USER 65532
EXPOSE 8080/tcp
HEALTHCHECK --interval=30s CMD ["/usr/local/bin/server", "-check"]
ENTRYPOINT ["/usr/local/bin/server"]
"#;

/// Each file by this crate and by `parse-dockerfile`, which keeps neither the bytes between what it
/// understands nor what is wrong.
fn parses(c: &mut Criterion) {
    let one_line = format!("FROM a\nRUN {}\n", "echo x; ".repeat(1 << 17));
    let continued = format!("FROM a\nRUN true{}\n", " \\\n    && echo x".repeat(10_000));
    let heredocs = format!("FROM a\n{}", "RUN <<EOF\necho x\necho y\nEOF\n".repeat(500));
    let files = [
        ("typical", TYPICAL.to_owned()),
        ("100 times typical", TYPICAL.repeat(100)),
        ("10,000 lines", TYPICAL.repeat(200)),
        ("one line of 1 MiB", one_line),
        ("10,000 continuation lines", continued),
        ("500 heredocs", heredocs),
    ];
    let mut group = c.benchmark_group("parse");
    for (name, text) in &files {
        let text = text.as_str();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group
            .bench_function(BenchmarkId::new("mlint", name), |b| b.iter(|| parse(black_box(text))));
        group.bench_function(BenchmarkId::new("parse-dockerfile", name), |b| {
            b.iter(|| parse_dockerfile::parse(black_box(text)).is_ok());
        });
    }
    group.finish();
}

fn benches(c: &mut Criterion) {
    parses(c);
    let file = parse(TYPICAL);
    let scripts: Vec<LogicalText> = file
        .instructions
        .iter()
        .filter(|i| matches!(i.kind, InstructionKind::Run(_)))
        .filter_map(|i| i.shell_script().map(|s| s.text))
        .collect();
    let mut group = c.benchmark_group("shell");
    group.throughput(Throughput::Bytes(scripts.iter().map(|s| u64::from(s.len())).sum()));
    group.bench_function("typical", |b| {
        b.iter(|| scripts.iter().map(|s| parse_shell(s).commands.len()).sum::<usize>());
    });
    group.finish();

    let raw = LogicalText::contiguous("https://x/${NAME:-tool}-${OS}-${ARCH#linux/}.tar.gz", 0);
    let lookup = |name: &str| (name != "NAME").then(|| "linux/arm64".to_owned());
    c.bench_function("expand a word", |b| b.iter(|| expand(&parse_word(&raw, '\\'), &lookup)));
}

criterion_group!(all, benches);
criterion_main!(all);
