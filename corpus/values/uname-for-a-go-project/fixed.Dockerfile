FROM debian:bookworm-slim
ARG TARGETARCH
ARG BUILDX_VERSION=v0.15.1
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl git
RUN mkdir -p /usr/libexec/docker/cli-plugins \
    && curl -fsSL -o /usr/libexec/docker/cli-plugins/docker-buildx \
       "https://github.com/docker/buildx/releases/download/${BUILDX_VERSION}/buildx-${BUILDX_VERSION}.linux-${TARGETARCH}" \
    && chmod 0755 /usr/libexec/docker/cli-plugins/docker-buildx
