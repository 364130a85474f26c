ARG REGISTRY=docker.io/library
FROM --platform=$BUILDPLATFORM ${REGISTRY}/busybox:1.35 AS fetch
ARG FILES=https://downloads.example.com
ARG BUILDARCH
RUN wget -q -O /gen "${FILES}/gen-linux-${BUILDARCH}" && chmod 0755 /gen

FROM --platform=$BUILDPLATFORM ${REGISTRY}/debian:bookworm AS build
COPY --from=fetch /gen /usr/local/bin/gen
RUN gen -c "echo generated" > /out.txt

FROM ${REGISTRY}/busybox:1.35
COPY --from=build /out.txt /out.txt
