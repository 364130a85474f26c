# syntax=docker/dockerfile:1.7
FROM --platform=$BUILDPLATFORM golang:1.21-bookworm AS build
WORKDIR /src
ARG TARGETARCH
RUN --mount=target=. <<EOF
set -e
export CGO_ENABLED=0
export GOOS=linux GOARCH=$TARGETARCH
for cmd in api worker; do
  go build -o /out/$cmd ./cmd/$cmd
done
EOF

FROM debian:bookworm-slim
COPY --from=build /out/api /out/worker /usr/local/bin/
CMD ["api"]
