FROM alpine:3.19
ARG TARGETARCH
RUN apk add --no-cache curl tar
RUN set -eu; \
    case "${TARGETARCH}" in \
      amd64) arch=x86_64 ;; \
      arm64) arch=arm64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac; \
    fetch() { \
      echo "fetching $1"; \
      curl --retry 3 -fsSL -o "/usr/local/bin/$1" "$2"; \
      chmod 0755 "/usr/local/bin/$1"; \
    }; \
    fetch kind https://kind.sigs.k8s.io/dl/v0.22.0/kind-linux-${TARGETARCH}; \
    curl -fsSL https://github.com/google/go-containerregistry/releases/download/v0.19.1/go-containerregistry_Linux_${arch}.tar.gz \
      | tar -xz -C /usr/local/bin crane; \
    kind version || true

ENTRYPOINT ["/bin/sh"]
