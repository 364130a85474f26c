# The tools are for the image, but uname answers for the machine that builds.
FROM --platform=$BUILDPLATFORM alpine:3.19 AS tools
ARG TASK_VERSION=v3.35.1
RUN apk add --no-cache curl tar
ARG TARGETARCH
RUN case "${TARGETARCH}" in \
      amd64) ARCH=amd64 ;; \
      arm64) ARCH=arm64 ;; \
      *) exit 1 ;; \
    esac; \
    curl -fsSL "https://github.com/go-task/task/releases/download/${TASK_VERSION}/task_linux_${ARCH}.tar.gz" \
      | tar -xz -C /usr/local/bin task

FROM alpine:3.19
RUN apk add --no-cache bash git
COPY --from=tools /usr/local/bin/ /usr/local/bin/
WORKDIR /work
ENTRYPOINT ["task"]
