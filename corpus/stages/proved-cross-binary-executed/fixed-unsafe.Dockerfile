ARG REGISTRY=docker.io/library
FROM --platform=$BUILDPLATFORM ${REGISTRY}/debian:bookworm AS build
ARG FILES=https://downloads.example.com
ARG BUILDARCH
ADD ${FILES}/gen-linux-${BUILDARCH} /usr/local/bin/gen
RUN chmod 0755 /usr/local/bin/gen
RUN gen -c "echo generated" > /out.txt

FROM ${REGISTRY}/busybox:1.35
COPY --from=build /out.txt /out.txt
