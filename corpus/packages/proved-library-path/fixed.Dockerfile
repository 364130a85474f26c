ARG REGISTRY=docker.io/library
FROM ${REGISTRY}/debian:bookworm AS libs
RUN mkdir /libs && cp /usr/lib/$(uname -m)-linux-gnu/libz.so.1 /libs/

FROM ${REGISTRY}/debian:bookworm
COPY --from=libs /libs/ /opt/libs/
