FROM alpine:3.19 AS build
RUN apk add --no-cache gcc make musl-dev
WORKDIR /src
COPY . .
RUN mkdir -p /out && gcc -static -O2 -pthread -o /out/statsd src/statsd.c src/net.c

FROM debian:bookworm-slim
COPY --from=build /out/statsd /usr/local/sbin/statsd
EXPOSE 8125/udp
USER daemon
CMD ["/usr/local/sbin/statsd"]
