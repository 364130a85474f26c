FROM ubuntu:24.04
ARG TARGETARCH
ARG CMAKE_VERSION=3.30.3
ARG NINJA_VERSION=1.12.1
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl g++ unzip \
 && rm -rf /var/lib/apt/lists/*
# newer than the distribution's
RUN set -eux; \
    case "${TARGETARCH}" in \
      amd64) suffix= ;; \
      arm64) suffix=-aarch64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac; \
    curl -fsSL "https://github.com/Kitware/CMake/releases/download/v${CMAKE_VERSION}/cmake-${CMAKE_VERSION}-linux-$(uname -m).tar.gz" \
      | tar -xz --strip-components=1 -C /usr/local; \
    curl -fsSLO "https://github.com/ninja-build/ninja/releases/download/v${NINJA_VERSION}/ninja-linux${suffix}.zip"; \
    unzip ninja-linux${suffix}.zip -d /usr/local/bin; \
    rm ninja-linux${suffix}.zip
WORKDIR /work
