FROM alpine:3.19
ARG TARGETARCH
ARG COMPOSE_VERSION=v2.24.6
ARG HADOLINT_VERSION=v2.12.0

RUN case "${TARGETARCH}" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=arm64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
 && apk add --no-cache bash curl git make \
 # the compose plugin
 && mkdir -p /usr/local/lib/docker/cli-plugins \
 && curl -fsSL -o /usr/local/lib/docker/cli-plugins/docker-compose \
      https://github.com/docker/compose/releases/download/${COMPOSE_VERSION}/docker-compose-linux-$(uname -m) \

 # and the linter
 && curl -fsSL https://github.com/hadolint/hadolint/releases/download/${HADOLINT_VERSION}/hadolint-Linux-${arch} \
      -o /usr/local/bin/hadolint \
 && chmod +x /usr/local/bin/hadolint /usr/local/lib/docker/cli-plugins/docker-compose

WORKDIR /work
CMD ["bash"]
