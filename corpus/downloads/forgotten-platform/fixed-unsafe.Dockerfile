FROM debian:12
ARG TARGETARCH
RUN case "${TARGETARCH}" in \
      amd64) ARCH=x86_64 ;; \
      *) ARCH=$(uname -m) ;; \
    esac \
 && curl -fsSLo /usr/local/bin/tool "https://downloads.example.org/tool-${ARCH}"
