FROM rockylinux:9 AS jdk
ARG TARGETARCH
ARG JDK_TAG=jdk-17.0.10%2B7
RUN dnf install -y tar gzip && dnf clean all
RUN case "${TARGETARCH}" in \
      amd64) arch=x64 ;; \
      arm64) arch=aarch64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac && \
    mkdir -p /opt/java && \
    curl -sSL "https://github.com/adoptium/temurin17-binaries/releases/download/${JDK_TAG}/OpenJDK17U-jdk_${arch}_linux_hotspot_17.0.10_7.tar.gz" \
      | tar -xz --strip-components=1 -C /opt/java

FROM rockylinux:9
ENV JAVA_HOME=/opt/java PATH=/opt/java/bin:$PATH
COPY --from=jdk /opt/java /opt/java
COPY build/libs/orders.jar /app/orders.jar
EXPOSE 8080
CMD ["java", "-jar", "/app/orders.jar"]
