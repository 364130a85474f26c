ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
ARG FILES=https://downloads.example.com
ARG TOOL_ARCH=${TARGETARCH}
ADD --chmod=0755 ${FILES}/beacon-linux-${TOOL_ARCH} /usr/local/bin/beacon
ENTRYPOINT ["/usr/local/bin/beacon"]
