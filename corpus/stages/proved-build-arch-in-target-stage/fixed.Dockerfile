ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
COPY bin/lantern-${TARGETARCH} /usr/local/bin/lantern
CMD ["/usr/local/bin/lantern"]
