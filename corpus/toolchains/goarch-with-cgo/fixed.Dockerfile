FROM golang:1.23 AS build
ARG TARGETARCH
COPY . /src
RUN cd /src && CGO_ENABLED=1 GOOS=linux GOARCH=$TARGETARCH go build -o /app .

FROM debian:12
COPY --from=build /app /app
