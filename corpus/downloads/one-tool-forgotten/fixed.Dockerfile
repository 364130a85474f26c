FROM debian:bookworm-slim
ARG TARGETARCH
ARG GOSU_VERSION=1.17
ARG PROBE_VERSION=v0.4.25

RUN set -eux; \
    apt-get update; \
    apt-get install -y --no-install-recommends ca-certificates wget; \
    rm -rf /var/lib/apt/lists/*; \
    if [ "$(uname -m)" = "aarch64" ]; then ARCH=arm64; else ARCH=amd64; fi; \
    wget -qO /usr/local/bin/gosu "https://github.com/tianon/gosu/releases/download/${GOSU_VERSION}/gosu-${ARCH}"; \
    wget -qO /usr/local/bin/grpc_health_probe \
      "https://github.com/grpc-ecosystem/grpc-health-probe/releases/download/${PROBE_VERSION}/grpc_health_probe-linux-${TARGETARCH}"; \
    chmod +x /usr/local/bin/gosu /usr/local/bin/grpc_health_probe

COPY entrypoint.sh /
ENTRYPOINT ["/entrypoint.sh"]
