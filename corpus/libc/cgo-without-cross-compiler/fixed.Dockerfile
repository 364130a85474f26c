FROM golang:1.22-bookworm AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# mattn/go-sqlite3 is C.
RUN CGO_ENABLED=1 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -tags sqlite_fts5 -o /out/notes ./cmd/notes

FROM debian:bookworm-slim
COPY --from=build /out/notes /usr/local/bin/notes
VOLUME /var/lib/notes
CMD ["notes", "--db", "/var/lib/notes/notes.db"]
