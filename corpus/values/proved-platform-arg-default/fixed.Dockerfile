ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
# The release job leaves bin/tool-amd64 and bin/tool-arm64.
ARG TARGETARCH
COPY --chmod=0755 bin/tool-${TARGETARCH} /usr/local/bin/tool
COPY motd /etc/motd
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/tool"]
CMD ["echo", "ready"]
