# make reads GOARCH from its environment, and an ARG is in it.
FROM golang:1.22 AS build
ARG TARGETARCH
ARG GOARCH=$TARGETARCH
ARG VERSION=dev
WORKDIR /go/src/gateway
COPY . .
RUN make VERSION=${VERSION} bin/gateway

FROM gcr.io/distroless/static-debian12
COPY --from=build /go/src/gateway/bin/gateway /gateway
ENTRYPOINT ["/gateway"]
