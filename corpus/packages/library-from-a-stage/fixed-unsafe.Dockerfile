FROM debian:12 AS libs
RUN apt-get update && apt-get install -y --no-install-recommends libpq5

FROM gcr.io/distroless/base-debian12
COPY --from=libs /usr/lib/*-linux-gnu*/libpq.so.5 /usr/lib/
