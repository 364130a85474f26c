FROM debian:bookworm-slim
ARG TARGETPLATFORM
ARG S6_VERSION=3.1.6.2
ADD https://github.com/just-containers/s6-overlay/releases/download/v${S6_VERSION}/s6-overlay-noarch.tar.xz /tmp/
RUN set -eux; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates curl xz-utils; \
    if [ "$TARGETPLATFORM" = "linux/arm/v7" ]; then \
      S6_ARCH=arm; \
    elif [ "$TARGETPLATFORM" = "linux/arm/v6" ]; then \
      S6_ARCH=armhf; \
    else \
      S6_ARCH=$(uname -m); \
    fi; \
    curl -fsSL "https://github.com/just-containers/s6-overlay/releases/download/v${S6_VERSION}/s6-overlay-${S6_ARCH}.tar.xz" | tar -C / -Jxp; \
    tar -C / -Jxpf /tmp/s6-overlay-noarch.tar.xz
ENTRYPOINT ["/init"]
