FROM debian:bookworm-slim
ARG JDK_VERSION=21.0.3_9
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl
RUN set -eux; \
    case "$(dpkg --print-architecture)" in \
      amd64) JDK_ARCH=x64 ;; \
      arm64) JDK_ARCH=aarch64 ;; \
    esac; \
    curl -fsSL "https://jdk.example.net/21/OpenJDK21U-jre_${JDK_ARCH}_linux_hotspot_${JDK_VERSION}.tar.gz" \
      | tar -xz -C /opt
