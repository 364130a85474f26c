FROM --platform=$BUILDPLATFORM golang:1.23 AS build
ARG TARGETOS
ARG TARGETARCH
ENV CGO_ENABLED=0
ARG BUILDARCH
RUN wget -qO /usr/local/bin/buf https://example.org/tools/buf-linux-${BUILDARCH} \
 && chmod +x /usr/local/bin/buf
WORKDIR /src
COPY . .
RUN buf generate
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/server ./cmd/server

FROM gcr.io/distroless/static-debian12
COPY --from=build /out/server /server
ENTRYPOINT ["/server"]
