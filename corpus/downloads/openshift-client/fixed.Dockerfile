FROM registry.access.redhat.com/ubi9/ubi-minimal:9.4
ARG TARGETARCH
RUN microdnf install -y tar gzip && microdnf clean all
RUN case "${TARGETARCH}" in \
      amd64) suffix= ;; \
      arm64) suffix=-arm64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac && \
    curl -fsSL https://mirror.openshift.com/pub/openshift-v4/clients/ocp/4.16.8/openshift-client-linux${suffix}-4.16.8.tar.gz \
    | tar -xz -C /usr/local/bin oc kubectl
USER 1001
CMD ["oc", "version", "--client"]
