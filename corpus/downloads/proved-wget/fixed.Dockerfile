ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
ARG FILES=https://downloads.example.com
ARG TOOL_VERSION=1.4.0
RUN mkdir -p /usr/local/bin \
    && wget -q -O /usr/local/bin/tool "${FILES}/releases/${TOOL_VERSION}/tool-linux-${TARGETARCH}" \
    && chmod 0755 /usr/local/bin/tool
USER 1000
ENTRYPOINT ["/usr/local/bin/tool"]
