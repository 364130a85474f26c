ARG REGISTRY=docker.io/library
ARG TARGETARCH

FROM ${REGISTRY}/busybox:1.35 AS unpack
ARG TARGETARCH
COPY dist /dist
RUN mkdir -p /opt/agent \
    && cp "/dist/linux/${TARGETARCH}/agent" /opt/agent/agent \
    && chmod 0755 /opt/agent/agent

FROM ${REGISTRY}/busybox:1.35
COPY --from=unpack /opt/agent /opt/agent
ENTRYPOINT ["/opt/agent/agent"]
