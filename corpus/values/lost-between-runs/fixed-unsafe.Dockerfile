# The first RUN works out the architecture, the second needs it.
FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl && rm -rf /var/lib/apt/lists/*
ARG HELM_VERSION=3.16.1
RUN case "$(dpkg --print-architecture)" in amd64) ARCH=amd64 ;; arm64) ARCH=arm64 ;; *) exit 1 ;; esac && \
    curl -fsSL "https://get.helm.sh/helm-v${HELM_VERSION}-linux-${ARCH}.tar.gz" | tar -xz --strip-components=1 -C /usr/local/bin "linux-${ARCH}/helm"
ENTRYPOINT ["helm"]
