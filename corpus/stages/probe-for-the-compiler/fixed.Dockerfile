FROM rust:1.79-alpine AS build
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY . .
RUN target="$(uname -m)-unknown-linux-musl" \
    && rustup target add "$target" \
    && cargo build --release --target "$target" \
    && cp "target/$target/release/heron" /heron

FROM alpine:3.20
COPY --from=build /heron /usr/bin/heron
CMD ["heron"]
