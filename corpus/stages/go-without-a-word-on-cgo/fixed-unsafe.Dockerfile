FROM --platform=$BUILDPLATFORM golang:1.23 AS build
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/server .

FROM debian:12-slim
COPY --from=build /out/server /usr/local/bin/server
