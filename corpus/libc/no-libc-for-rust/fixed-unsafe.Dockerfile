FROM --platform=$BUILDPLATFORM rust:1.82-bookworm AS build
RUN apt-get update && apt-get install -yq --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-x86-64-linux-gnu
RUN rustup target add aarch64-unknown-linux-gnu x86_64-unknown-linux-gnu
ENV CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
WORKDIR /src
COPY . .
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      amd64) triple=x86_64-unknown-linux-gnu ;; \
      arm64) triple=aarch64-unknown-linux-gnu ;; \
      *) exit 1 ;; \
    esac \
 && cargo build --release --target "$triple" \
 && cp "target/$triple/release/indexer" /indexer

FROM debian:12-slim
COPY --from=build /indexer /usr/local/bin/indexer
CMD ["indexer"]
