FROM alpine:3.20
ARG TARGETARCH

ENV KUBECTL_VERSION=1.30.2 \
    HELM_VERSION=3.15.2

# the two tools of the deploy job
RUN apk add --no-cache bash curl git \
 && curl -fsSLo /usr/local/bin/kubectl https://dl.k8s.io/release/v${KUBECTL_VERSION}/bin/linux/${TARGETARCH}/kubectl \
 && chmod +x /usr/local/bin/kubectl
RUN curl -fsSLO https://get.helm.sh/helm-v${HELM_VERSION}-linux-${TARGETARCH}.tar.gz \
 && tar xzf helm-v${HELM_VERSION}-linux-${TARGETARCH}.tar.gz \
 && mv linux-${TARGETARCH}/helm /usr/local/bin/helm \
 && rm -r linux-${TARGETARCH} helm-v${HELM_VERSION}-linux-${TARGETARCH}.tar.gz
