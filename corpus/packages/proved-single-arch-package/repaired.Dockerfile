ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/debian:bookworm
ARG TARGETARCH
RUN if [ "$TARGETARCH" = amd64 ]; then \
      apt-get update \
      && apt-get install -y --no-install-recommends msr-tools \
      && rm -rf /var/lib/apt/lists/*; \
    fi
