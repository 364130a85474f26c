ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35 AS config
RUN mkdir -p /etc/worker && echo "workers=4" > /etc/worker/worker.conf

FROM ${REGISTRY}/busybox:1.35
ARG TARGETARCH
COPY --from=config /etc/worker /etc/worker
COPY --chmod=0755 bin/worker-${TARGETARCH} /usr/local/bin/worker
ENTRYPOINT ["/usr/local/bin/worker"]
