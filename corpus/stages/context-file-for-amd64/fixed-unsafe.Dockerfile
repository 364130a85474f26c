FROM debian:12
ARG TARGETARCH
COPY dist/server-linux-${TARGETARCH} /usr/local/bin/server
ENTRYPOINT ["server"]
