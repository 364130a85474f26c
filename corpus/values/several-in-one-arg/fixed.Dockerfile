FROM debian:12
ARG VERSION=3 TARGETOS=linux TARGETARCH # never read as a comment
COPY dist/${TARGETOS}_${TARGETARCH}/server /usr/local/bin/server
