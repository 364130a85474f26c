ARG REGISTRY=docker.io/library
FROM --platform=$BUILDPLATFORM ${REGISTRY}/gcc:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross
COPY <<EOF /src/hello.c
#include <stdio.h>
int main(void) { return puts("hello") < 0; }
EOF
ARG TARGETARCH
RUN case "$TARGETARCH" in \
      arm64) aarch64-linux-gnu-gcc -static -o /hello /src/hello.c ;; \
      amd64) gcc -static -o /hello /src/hello.c ;; \
      *) exit 1 ;; \
    esac

FROM ${REGISTRY}/busybox:1.35
COPY --from=build /hello /bin/hello
