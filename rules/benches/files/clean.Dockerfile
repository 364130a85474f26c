# syntax=docker/dockerfile:1
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
RUN apt-get update && apt-get install -y --no-install-recommends curl ca-certificates xz-utils \
    && rm -rf /var/lib/apt/lists/*
RUN case "$(uname -m)" in \
        x86_64) arch=amd64; sum=0f1e2d ;; \
        aarch64) arch=arm64; sum=3c4b5a ;; \
        *) arch=${TARGETARCH}; sum=7f6e5d ;; \
    esac \
    && curl -fsSL -o /tmp/tool.tar.gz "https://example.org/v1.2.3/tool-linux-${arch}.tar.gz" \
    && echo "$sum  /tmp/tool.tar.gz" | sha256sum -c - \
    && tar -xzf /tmp/tool.tar.gz -C /usr/local/bin tool

FROM alpine:${ALPINE_VERSION}
LABEL org.opencontainers.image.source="https://example.org/x"
COPY --from=tools /usr/local/bin/tool /usr/local/bin/
COPY --from=build --chown=65532:65532 /out/ /usr/local/bin/
USER 65532
HEALTHCHECK --interval=30s CMD ["/usr/local/bin/server", "-check"]
ENTRYPOINT ["/usr/local/bin/server"]
