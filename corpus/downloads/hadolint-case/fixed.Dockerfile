FROM debian:12-slim
ARG TARGETARCH

RUN set -eux; \
    case "${TARGETARCH}" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=arm64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates curl; \
    curl -fsSLo /usr/local/bin/hadolint \
      https://github.com/hadolint/hadolint/releases/download/v2.12.0/hadolint-Linux-${arch}; \
    chmod +x /usr/local/bin/hadolint
