FROM --platform=$BUILDPLATFORM golang:1.22 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
# Without an ARG both are empty, and Go builds for the machine it runs on.
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} go build -o /bin/agent ./cmd/agent

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /bin/agent /agent
ENTRYPOINT ["/agent"]
