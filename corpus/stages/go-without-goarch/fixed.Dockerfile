FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS build
RUN apk add --no-cache git make
WORKDIR /go/src/proxy
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
ARG TARGETOS TARGETARCH
RUN go vet ./... && GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/proxy ./cmd/proxy

FROM alpine:3.19
RUN apk add --no-cache ca-certificates
COPY --from=build /out/proxy /usr/bin/proxy
COPY config/proxy.yaml /etc/proxy.yaml
EXPOSE 8443
ENTRYPOINT ["/usr/bin/proxy", "-config", "/etc/proxy.yaml"]
