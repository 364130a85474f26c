FROM --platform=$BUILDPLATFORM golang:1.23 AS build
ARG TARGETARCH
ARG GOARCH=$TARGETARCH
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -o /app .

FROM gcr.io/distroless/static-debian12
COPY --from=build /app /app
