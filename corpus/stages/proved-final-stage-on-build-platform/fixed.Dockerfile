ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
COPY motd /etc/motd
