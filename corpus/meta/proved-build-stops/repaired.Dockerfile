ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      amd64 | arm64) echo 64 > /bits ;; \
      arm) echo 32 > /bits ;; \
      *) echo "no build for $TARGETARCH" >&2; exit 1 ;; \
    esac
