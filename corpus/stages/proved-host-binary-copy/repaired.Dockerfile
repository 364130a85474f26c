ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
# compiled by the release script, once per platform
COPY out/tool-${TARGETARCH} /usr/local/bin/tool
ENTRYPOINT ["/usr/local/bin/tool"]
