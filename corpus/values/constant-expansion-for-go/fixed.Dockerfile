FROM --platform=$BUILDPLATFORM golang:1.22-alpine AS build
ARG TARGETARCH
WORKDIR /src
COPY . .
ENV CGO_ENABLED=0
RUN GOARCH=${TARGETARCH:+${TARGETARCH}} go build -trimpath -o /out/courier ./cmd/courier

FROM scratch
COPY --from=build /out/courier /courier
ENTRYPOINT ["/courier"]
