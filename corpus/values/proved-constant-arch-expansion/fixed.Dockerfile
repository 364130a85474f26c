ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
COPY dist/sextant${TARGETARCH:+-${TARGETARCH}} /usr/bin/sextant
CMD ["/usr/bin/sextant"]
