ARG REGISTRY=docker.io/library
FROM --platform=$BUILDPLATFORM ${REGISTRY}/gcc:12 AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu golang-go libc6-dev-arm64-cross
COPY <<EOF /src/hello.go
package main

func main() { println("hello") }
EOF
WORKDIR /src
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -o /hello hello.go

FROM ${REGISTRY}/busybox:1.35
COPY --from=build /hello /bin/hello
