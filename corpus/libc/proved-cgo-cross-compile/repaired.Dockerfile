ARG REGISTRY=docker.io/library
FROM --platform=$BUILDPLATFORM ${REGISTRY}/gcc:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu golang-go libc6-dev-arm64-cross
COPY <<EOF /src/hello.go
package main

// #include <stdlib.h>
import "C"

func main() { println(C.abs(-1)) }
EOF
WORKDIR /src
ARG TARGETOS TARGETARCH
RUN if [ "$TARGETARCH" = arm64 ]; then export CC=aarch64-linux-gnu-gcc; fi \
 && CGO_ENABLED=1 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /hello hello.go

FROM ${REGISTRY}/debian:bookworm
COPY --from=build /hello /usr/local/bin/hello
