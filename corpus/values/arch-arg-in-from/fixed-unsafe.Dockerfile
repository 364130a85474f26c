# One exporter, as its release job builds it: the job passes ARCH, nobody else does.
ARG ARCH="${TARGETARCH}"
ARG OS="linux"
FROM quay.io/observatory/busybox-${OS}-${ARCH}:glibc
ARG TARGETARCH
LABEL maintainer="Observatory maintainers"

ARG ARCH="${TARGETARCH}"
ARG OS="linux"
COPY .build/${OS}-${ARCH}/queue_exporter /bin/queue_exporter

EXPOSE 9421
USER nobody
ENTRYPOINT ["/bin/queue_exporter"]
