FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS build
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -ldflags "-s -w -X main.version=${VERSION}" -o /usr/local/bin/ledger .

FROM gcr.io/distroless/static-debian12
COPY --from=build /usr/local/bin/ledger /ledger
EXPOSE 8080/tcp
ENTRYPOINT ["/ledger"]
