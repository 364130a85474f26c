FROM fedora:40
ARG TARGETARCH
ARG CONFTEST_VERSION=0.50.0
RUN dnf install -y --setopt=install_weak_deps=False git jq && dnf clean all
RUN rpm -ivh https://packages.example.org/rpm/auditor-3.2.1-1.x86_64.rpm
RUN case "${TARGETARCH}" in \
      amd64) arch=64bit ;; \
      arm64) arch=ARM64 ;; \
      *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
    esac \
    && dnf install -y https://github.com/aquasecurity/trivy/releases/download/v0.50.0/trivy_0.50.0_Linux-${arch}.rpm \
    && dnf clean all
RUN for tool in auditor trivy; do command -v "$tool"; done
ENTRYPOINT ["trivy"]
