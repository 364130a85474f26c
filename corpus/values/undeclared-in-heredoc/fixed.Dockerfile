# syntax=docker/dockerfile:1.7
FROM ubuntu:22.04
ARG TARGETARCH
ARG YQ_VERSION=v4.43.1
RUN <<EOT
set -eu
apt-get update
apt-get install -y --no-install-recommends ca-certificates curl jq
rm -rf /var/lib/apt/lists/*
curl -fsSL -o /usr/local/bin/yq \
  "https://github.com/mikefarah/yq/releases/download/${YQ_VERSION}/yq_linux_${TARGETARCH}"
chmod 0755 /usr/local/bin/yq
EOT
WORKDIR /work
CMD ["yq", "--version"]
