FROM golang:1.22-alpine AS build
RUN apk add --no-cache build-base librdkafka-dev pkgconf
ENV CGO_ENABLED=1
ARG TARGETARCH
WORKDIR /src
COPY . .
RUN GOOS=linux GOARCH=${TARGETARCH} go build -tags musl -o /bin/consumer .

FROM alpine:3.19
RUN apk add --no-cache librdkafka
COPY --from=build /bin/consumer /bin/consumer
CMD ["/bin/consumer"]
