FROM alpine:3.20 AS deps
ARG TARGETARCH
RUN apk add --no-cache curl
RUN curl -fsSLo /yq "https://github.com/mikefarah/yq/releases/download/v4.44.2/yq_linux_${TARGETARCH}" \
    && chmod +x /yq

FROM alpine:3.20 AS tools
ARG TARGETARCH
RUN apk add --no-cache curl
RUN curl -fsSL "https://get.helm.sh/helm-v3.15.2-linux-${TARGETARCH}.tar.gz" | tar -xz -C /tmp \
    && mv /tmp/linux-${TARGETARCH}/helm /helm

FROM alpine:3.20
COPY --from=deps /yq /usr/local/bin/yq
COPY --from=tools /helm /usr/local/bin/helm
