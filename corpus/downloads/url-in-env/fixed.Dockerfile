FROM ubuntu:22.04
ARG TARGETARCH

ARG GO_VERSION=1.22.1
ENV GO_TARBALL=go${GO_VERSION}.linux-${TARGETARCH}.tar.gz
ENV GO_URL=https://go.dev/dl/${GO_TARBALL} \
    GOPATH=/go
ENV PATH=/usr/local/go/bin:${GOPATH}/bin:$PATH

RUN apt-get update \
    && apt-get install -y build-essential ca-certificates git wget \
    && rm -rf /var/lib/apt/lists/*
RUN wget -q "${GO_URL}" \
    && tar -C /usr/local -xzf "${GO_TARBALL}" \
    && rm "${GO_TARBALL}" \
    && go version

WORKDIR /workspace
