FROM alpine:3.19

ARG TARGETPLATFORM
ENV S6_VERSION=v3.1.6.2

RUN apk add --no-cache curl xz \
    && case "${TARGETPLATFORM}" in \
         linux/amd64) arch=x86_64 ;; \
         linux/arm64) arch=aarch64 ;; \
         linux/arm/v7) arch=armhf ;; \
         *) echo "no s6 for ${TARGETPLATFORM}" >&2; exit 1 ;; \
       esac \
    && base="https://github.com/just-containers/s6-overlay/releases/download/${S6_VERSION}" \
    && curl -fsSL "$base/s6-overlay-noarch.tar.xz" | tar -C / -Jxp \
    && curl -fsSL "$base/s6-overlay-${arch}.tar.xz" | tar -C / -Jxp

ENTRYPOINT ["/init"]
