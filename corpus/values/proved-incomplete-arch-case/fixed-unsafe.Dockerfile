ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG FILES=https://downloads.example.com
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      arm) arch=armv7 ;; \
      *) arch=$(uname -m) ;; \
    esac; \
    mkdir -p /usr/local/bin; \
    wget -q -O /usr/local/bin/pinger "${FILES}/pinger-linux-${arch}" && chmod 0755 /usr/local/bin/pinger
