ARG TARGETARCH
ARG RCLONE_VERSION=1.66.0

FROM debian:bookworm-slim
ARG TARGETARCH
ARG RCLONE_VERSION
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates unzip wget \
    && rm -rf /var/lib/apt/lists/*
RUN set -eux; \
    name="rclone-v${RCLONE_VERSION}-linux-${TARGETARCH}"; \
    wget -q "https://downloads.rclone.org/v${RCLONE_VERSION}/${name}.zip"; \
    unzip -q "${name}.zip"; \
    install -m 0755 "${name}/rclone" /usr/local/bin/rclone; \
    rm -r "${name}" "${name}.zip"
ENTRYPOINT ["rclone"]
