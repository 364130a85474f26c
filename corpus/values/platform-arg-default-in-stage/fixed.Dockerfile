# syntax=docker/dockerfile:1
FROM debian:bookworm-slim

ARG KUBECTL_VERSION=1.29.3
# The default keeps plain `docker build` without BuildKit going.
ARG TARGETARCH

RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/*

RUN curl -fsSLo /usr/local/bin/kubectl \
        "https://dl.k8s.io/release/v${KUBECTL_VERSION}/bin/linux/${TARGETARCH}/kubectl" \
    && chmod 0755 /usr/local/bin/kubectl

USER nobody
ENTRYPOINT ["kubectl"]
