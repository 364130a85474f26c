FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS build
ARG TARGETOS=${TARGETOS:-linux}
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags='-s -w' -o /out/exporter ./cmd/exporter

FROM scratch
COPY --from=build /out/exporter /exporter
EXPOSE 9100
USER 65534:65534
ENTRYPOINT ["/exporter"]
