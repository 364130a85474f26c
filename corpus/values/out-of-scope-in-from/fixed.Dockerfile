FROM --platform=$BUILDPLATFORM golang:1.22 AS build
ARG TARGETARCH
ARG BASE_TAG=nonroot-${TARGETARCH}
WORKDIR /src
COPY . .
ARG TARGETOS
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -o /out/sluice .

FROM gcr.io/distroless/static-debian12:${BASE_TAG}
COPY --from=build /out/sluice /sluice
ENTRYPOINT ["/sluice"]
