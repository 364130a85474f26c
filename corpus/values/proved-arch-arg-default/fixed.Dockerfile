ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
ARG FILES=https://downloads.example.com
ARG TOOL_ARCH=${TARGETARCH}
RUN mkdir -p /usr/local/bin \
    && wget -q -O /usr/local/bin/beacon "${FILES}/beacon-linux-${TOOL_ARCH}" \
    && chmod 0755 /usr/local/bin/beacon
ENTRYPOINT ["/usr/local/bin/beacon"]
