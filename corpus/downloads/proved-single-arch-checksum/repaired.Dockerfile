ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/busybox:1.35
ARG FILES=https://downloads.example.com
ARG TARGETARCH
RUN case "${TARGETARCH}" in \
      amd64) sum=9f5043c67ffdf6d45ae3fcc66eb8e839f9a7fd4b97076b13a5b63b4f184a82cf ;; \
      arm64) sum=14cd5d3ebb6a277bab1daef16ec450d5ff85a9b046618f85eeedcbff1228641c ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
 && wget -q -O /etc/tool.conf "${FILES}/tool-${TARGETARCH}.conf" \
 && echo "${sum}  /etc/tool.conf" | sha256sum -c -
