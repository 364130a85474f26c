FROM --platform=$BUILDPLATFORM golang:1.22 AS builder
ENV CGO_ENABLED=0
WORKDIR /build
COPY . .
ARG TARGETOS TARGETARCH
RUN go test ./... \
 && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -mod=readonly -o bin/scheduler ./cmd/scheduler \
 && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -mod=readonly -o bin/schedctl ./cmd/schedctl

FROM alpine:3.19
RUN adduser -D -u 10001 app
COPY --from=builder /build/bin/ /usr/local/bin/
USER app
ENTRYPOINT ["scheduler"]
