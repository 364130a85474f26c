FROM alpine:3.20
ARG TARGETARCH
ARG ARCH=${TARGETARCH}
ARG HELM_VERSION=v3.15.2
ARG KUBECTL_VERSION=v1.30.2
RUN apk add --no-cache bash ca-certificates curl
RUN curl -fsSL "https://get.helm.sh/helm-${HELM_VERSION}-linux-${ARCH}.tar.gz" \
      | tar -xz -C /usr/local/bin --strip-components=1 "linux-${ARCH}/helm"
RUN curl -fsSLo /usr/local/bin/kubectl "https://dl.k8s.io/release/${KUBECTL_VERSION}/bin/linux/${ARCH}/kubectl" \
    && chmod 0755 /usr/local/bin/kubectl
WORKDIR /charts
ENTRYPOINT ["bash"]
