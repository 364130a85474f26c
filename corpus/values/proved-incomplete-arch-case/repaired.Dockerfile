ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG FILES=https://downloads.example.com
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=aarch64 ;; \
      arm) arch=armv7 ;; \
      *) echo "unsupported architecture: $TARGETARCH" >&2; exit 1 ;; \
    esac; \
    mkdir -p /usr/local/bin; \
    wget -q -O /usr/local/bin/pinger "${FILES}/pinger-linux-${arch}" && chmod 0755 /usr/local/bin/pinger
