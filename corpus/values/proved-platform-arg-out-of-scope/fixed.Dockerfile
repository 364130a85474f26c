ARG REGISTRY=docker.io/library
ARG TARGETARCH
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
COPY dist/agent-${TARGETARCH} /usr/bin/agent
CMD ["/usr/bin/agent"]
