FROM --platform=$BUILDPLATFORM golang:1.22 AS build
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=linux GOARCH=${TARGETARCH} go build -ldflags "-s -X main.version=${VERSION}" -o /out/watcher .

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/watcher /watcher
ENTRYPOINT ["/watcher"]
