ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG FILES=https://downloads.example.com
ARG TARGETPLATFORM
RUN if [ "$TARGETPLATFORM" = "linux/arm64" ]; then a=arm64; else a=x64; fi; \
    mkdir -p /usr/local/bin; \
    wget -q -O /usr/local/bin/sprite "${FILES}/sprite-linux-$a" && chmod 0755 /usr/local/bin/sprite
