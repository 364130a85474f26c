FROM --platform=$BUILDPLATFORM golang:1.22 AS build
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH
# The resolver of the C library is wanted, hence cgo.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/gateway ./cmd/gateway

FROM alpine:3.19
RUN apk add --no-cache ca-certificates tzdata
COPY --from=build /out/gateway /usr/bin/gateway
EXPOSE 80 443
CMD ["gateway"]
