FROM golang:1.22-alpine AS build
ARG TARGETARCH
ARG MIGRATE_VERSION=v4.17.0
WORKDIR /app
COPY . .
RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -o /bin/shop ./cmd/shop
RUN apk add --no-cache curl \
    && curl -L https://github.com/golang-migrate/migrate/releases/download/$MIGRATE_VERSION/migrate.linux-${TARGETARCH}.tar.gz | tar xvz \
    && mv migrate /bin/migrate

FROM alpine:3.19
WORKDIR /app
COPY --from=build /bin/shop /bin/migrate /usr/local/bin/
COPY db/migrations ./migrations
COPY start.sh .
EXPOSE 8080
CMD ["/usr/local/bin/shop"]
ENTRYPOINT ["/app/start.sh"]
