FROM rust:1.77 AS build
WORKDIR /usr/src/relay
COPY . .
RUN cargo build --release

FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS package
COPY --from=build /usr/src/relay/target/release/relay /stage/usr/bin/relay
COPY packaging/ /stage/
RUN chmod 0755 /stage/usr/bin/relay && mkdir -p /stage/var/lib/relay

FROM debian:bookworm-slim
COPY --from=package /stage/ /
USER www-data
CMD ["relay"]
