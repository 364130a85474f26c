FROM ubuntu:24.04
ARG TARGETARCH
ENV TINI_VERSION=v0.19.0
ENV TINI_URL=https://github.com/krallin/tini/releases/download/${TINI_VERSION}/tini-${TARGETARCH}
ADD ${TINI_URL} /tini
RUN chmod +x /tini
ENTRYPOINT ["/tini", "--"]
