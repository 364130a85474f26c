FROM registry.access.redhat.com/ubi9/ubi-minimal:9.4
ARG TARGETARCH
ARG YQ_VERSION=v4.44.2
RUN microdnf install -y tar gzip && microdnf clean all
RUN curl -fsSLo /usr/local/bin/yq "https://github.com/mikefarah/yq/releases/download/${YQ_VERSION}/yq_linux_${TARGETARCH}" \
    && chmod 0755 /usr/local/bin/yq
WORKDIR /data
