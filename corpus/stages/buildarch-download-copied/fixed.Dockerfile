FROM --platform=$BUILDPLATFORM debian:bookworm-slim AS fetch
ARG BUILDARCH
ARG PROM=2.50.1
RUN apt-get update && apt-get install -y ca-certificates curl
ARG TARGETARCH
RUN curl -fsSL https://github.com/prometheus/prometheus/releases/download/v${PROM}/prometheus-${PROM}.linux-${TARGETARCH}.tar.gz \
    | tar -xz --strip-components=1 -C / prometheus-${PROM}.linux-${BUILDARCH}/promtool

FROM debian:bookworm-slim
COPY --from=fetch /promtool /usr/local/bin/promtool
COPY rules/ /rules/
ENTRYPOINT ["promtool", "check", "rules"]
