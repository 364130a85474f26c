# SQLite through cgo, cross-compiled.
FROM --platform=$BUILDPLATFORM golang:1.23-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH
RUN if [ "$TARGETARCH" = arm64 ]; then export CC=aarch64-linux-gnu-gcc; fi \
 && CGO_ENABLED=1 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/ledger ./cmd/ledger

FROM debian:12-slim
COPY --from=build /out/ledger /usr/local/bin/ledger
USER nobody
CMD ["ledger"]
