FROM alpine:3.20 AS lint
ARG TARGETARCH
ARG HADOLINT=v2.12.0
RUN apk add --no-cache curl
RUN case "${TARGETARCH}" in \
        amd64) arch=x86_64 ;; \
        arm64) arch=arm64 ;; \
        *) echo "unsupported architecture: ${TARGETARCH}" >&2; exit 1 ;; \
      esac && \
      curl -fsSLo /usr/local/bin/hadolint \
      "https://github.com/hadolint/hadolint/releases/download/${HADOLINT}/hadolint-Linux-${arch}" \
    && chmod +x /usr/local/bin/hadolint
WORKDIR /work
ENTRYPOINT ["hadolint"]
