ARG PLATFORM_DIR=${TARGETOS}_${TARGETARCH}
ARG BASE=debian:bookworm-slim

FROM $BASE
ARG PLATFORM_DIR
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates
COPY out/${PLATFORM_DIR}/collector /usr/local/bin/collector
COPY config/ /etc/collector/
USER 10001
ENTRYPOINT ["collector", "--config=/etc/collector/main.yaml"]
