ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35 AS fetch
ARG FILES=https://downloads.example.com
WORKDIR /out
RUN wget -q -O tool "${FILES}/tool-$(uname -m)" && chmod 0755 tool

FROM ${REGISTRY}/busybox:1.35
COPY --from=fetch /out/tool /usr/local/bin/tool
ENTRYPOINT ["/usr/local/bin/tool"]
