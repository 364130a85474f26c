FROM debian:12
ARG TARGETARCH
RUN case "${TARGETARCH}" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=aarch_64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
 && ARCH=${arch} \
 && VERSION=21.12 \
 && curl -fsSLO https://github.com/protocolbuffers/protobuf/releases/download/v$VERSION/protoc-$VERSION-linux-$ARCH.zip \
 && unzip -q protoc-$VERSION-linux-$ARCH.zip -d /usr/local
