# syntax=docker/dockerfile:1
ARG GO_VERSION=1.25
ARG TARGETARCH=amd64

FROM golang:${GO_VERSION} AS build
ARG TARGETOS
WORKDIR /src
ENV GOFLAGS="-trimpath -mod=readonly"
RUN apt-get update && apt-get install -y --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
# One binary per command.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    set -eux; \
    for name in server worker; do \
        CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o "/out/$name" "./cmd/$name"; \
    done

FROM debian:bookworm-slim AS tools
ARG TARGETARCH=amd64
RUN apt-get update && apt-get install -y --no-install-recommends curl ca-certificates xz-utils \
    && rm -rf /var/lib/apt/lists/*
RUN set -eux; \
    curl -fsSL -o /tmp/tool.tar.gz "https://example.org/v1.2.3/tool-linux-${TARGETARCH}.tar.gz"; \
    echo "0f1e2d  /tmp/tool.tar.gz" | sha256sum -c -; \
    tar -xzf /tmp/tool.tar.gz -C /usr/local/bin tool
RUN curl -fsSLo /usr/local/bin/probe https://example.org/v3/probe-linux-amd64 \
    && chmod +x /usr/local/bin/probe
ADD https://example.org/init/v0.19.0/init-amd64 /init

FROM debian:bookworm-slim
LABEL org.opencontainers.image.source="https://example.org/x"
COPY --from=tools /usr/local/bin/ /usr/local/bin/
COPY --from=tools /init /init
COPY --from=build --chown=65532:65532 /out/ /usr/local/bin/
USER 65532
ENTRYPOINT ["/init", "/usr/local/bin/server"]
